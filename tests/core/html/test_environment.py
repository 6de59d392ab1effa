import pytest
from jinja2 import UndefinedError

from dubai_landcover_plugin.core.html import environment
from dubai_landcover_plugin.core.html.environment import render


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "page.html.j2").write_text(
        '{% extends "base.html.j2" %}{% block body %}{{ ui.warning(text) }}{{ value.missing }}{% endblock %}',
        encoding="utf-8",
    )
    (tmp_path / "plain.xml.j2").write_text('<a b="{{ text }}">{{ 12345.6|thousands }}</a>\n', encoding="utf-8")
    return tmp_path


def test_values_are_escaped_in_every_kind_of_file(folder):
    assert render("plain.xml.j2", folder, text="<\"'&") == '<a b="&lt;&#34;&#39;&amp;">12,346</a>\n'


def test_templates_of_another_folder_extend_the_base_page(folder):
    page = render("page.html.j2", folder, title="A & B", text="<b>", value={"missing": ""})
    assert "<title>A &amp; B</title>" in page
    assert '<p class="warning">&lt;b&gt;</p>' in page
    assert "@media print" in page


def test_a_value_that_is_not_given_is_an_error(folder):
    with pytest.raises(UndefinedError, match="'title' is undefined"):
        render("page.html.j2", folder, text="", value={"missing": ""})
    with pytest.raises(UndefinedError, match="has no attribute 'missing'"):
        render("page.html.j2", folder, title="", text="", value={})


@pytest.mark.parametrize("path", sorted(environment.TEMPLATES.glob("*.html.j2")), ids=lambda path: path.name)
def test_sentences_on_two_lines_of_a_template_have_a_space_between_them(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.endswith("{% endtrans %}")] == []  # Jinja drops the end of such a line


def test_pages_are_in_the_language_in_use(tmp_path, monkeypatch):
    (tmp_path / "page.html.j2").write_text(
        '{% extends "base.html.j2" %}{% set translated = true %}{% block body %}'
        "{% trans n=count %}{{ n }} %{% endtrans %}{% endblock %}"
    )
    monkeypatch.setattr(environment, "tr", lambda text: {"%(n)s %%": "%(n)s من مئة"}[text])
    monkeypatch.setattr(environment, "language", lambda: "ar")
    monkeypatch.setattr(environment, "direction", lambda: "rtl")
    environment.environment.cache_clear()
    try:
        page = render("page.html.j2", folder=tmp_path, title="", count="<5>")
    finally:
        environment.environment.cache_clear()
    assert '<html lang="ar" dir="rtl">' in page
    assert "&lt;5&gt; من مئة" in page
