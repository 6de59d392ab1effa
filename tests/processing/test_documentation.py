"""The help inside the plugin: every tool opens its page, and every link of the pages leads somewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from qgis.PyQt.QtCore import QUrl

import dubai_landcover_plugin
from dubai_landcover_plugin.processing import documentation
from dubai_landcover_plugin.processing.documentation import help_url
from dubai_landcover_plugin.protocol.translation import use_language
from tests.processing.test_plugin import ALGORITHMS

pytestmark = pytest.mark.qgis
FOLDER = Path(dubai_landcover_plugin.__file__).parent / "resources" / "help"
PAGES = sorted(FOLDER.glob("*.html"))


def ids(page: Path) -> set[str]:
    return set(re.findall(r'\bid="([^"]+)"', page.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_the_help_of_a_tool_is_a_section_inside_the_plugin(algorithm: Callable[[str], Any], name: str):
    url = QUrl(algorithm(name).helpUrl())
    page = Path(url.toLocalFile())
    assert page.parent == FOLDER
    assert not url.fragment() or url.fragment() in ids(page)


def test_the_help_starts_with_the_index():
    assert Path(help_url("index.md").toLocalFile()) == FOLDER / "index.html"
    assert not help_url("index.md").hasFragment()


def test_without_built_pages_the_help_is_the_public_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(documentation, "resource", lambda name: str(tmp_path / name))
    assert help_url("qgis.md#segment-folder").toString() == documentation.PUBLIC + "qgis.md#segment-folder"


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_pages_need_no_network_and_their_links_lead_somewhere(page: Path):
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert not re.findall(r'(?:src|<link [^>]*href)="https?:', text)
    for target in re.findall(r'(?:href|src)="([^"]+)"', text):
        if re.match(r"(https?|mailto):", target):
            continue
        name, _, section = target.partition("#")
        file = FOLDER / name if name else page
        assert file.is_file(), target
        assert not section or section in ids(file), target


def test_there_are_pages():
    assert len(PAGES) > 20


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_the_help_beside_a_dialog_has_the_colours_of_the_theme(
    algorithm: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch, name: str
):
    monkeypatch.setattr("qgis.utils.iface", object())
    text = algorithm(name).shortHelpString()
    for tag in ("span", "div", "li"):
        assert text.count(f"<{tag} dir=") == text.count(f"</{tag}>")
    assert not re.search("<(p|b|li)>|</b>", text)


def test_the_help_in_arabic_runs_from_the_right(algorithm: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch):
    from qgis.PyQt.QtCore import Qt
    from qgis.PyQt.QtGui import QTextDocument

    monkeypatch.setattr("qgis.utils.iface", object())
    use_language("ar")
    try:
        text = algorithm("exportmodel").shortHelpString()
    finally:
        use_language("")
    document = QTextDocument()
    document.setDefaultStyleSheet("p { color: #666666; }")  # as QGIS does
    document.setHtml(f"<p>{text}</p>")
    blocks = [document.findBlockByNumber(number) for number in range(document.blockCount())]
    filled = [block for block in blocks if block.text()]
    assert any(block.text().startswith("ONNX") for block in filled)
    assert {block.textDirection() for block in filled} == {Qt.LayoutDirection.RightToLeft}
    assert "#666666" not in document.toHtml()


def test_numbers_and_units_of_the_help_stay_together(algorithm: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("qgis.utils.iface", object())
    assert "95\u00a0% intervals" in algorithm("evaluatemodel").shortHelpString()
