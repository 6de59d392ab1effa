"""What is shipped: the plugin's folder and zip, and the locked requirements."""

from __future__ import annotations

import configparser
import importlib.util
import re
import zipfile
from pathlib import Path

import pytest

from dubai_landcover_plugin import __version__

ROOT = Path(__file__).resolve().parent.parent
_SPEC = importlib.util.spec_from_file_location("package", ROOT / ".ci" / "package.py")
package = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(package)

TEMPLATES = sorted((ROOT / package.NAME / "core" / "html" / "templates").iterdir())

METADATA = "[general]\n" + "".join(f"{key}=x\n" for key in package.REQUIRED_KEYS)


@pytest.fixture
def plugin(tmp_path):
    """A plugin that the repository would take: path inside → file."""
    texts = {"metadata.txt": METADATA, "LICENSE": "GPL", "__init__.py": "", "core/a.py": "A = 1\n"}
    inside = {}
    for number, (name, text) in enumerate(texts.items()):
        inside[name] = tmp_path / str(number)
        inside[name].write_text(text, encoding="utf-8")
    return inside


def test_a_good_plugin_has_no_problems(plugin):
    assert package.problems(plugin) == []


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        (".hidden", b"x", "hidden"),
        ("core/.git/x", b"x", "hidden"),
        ("a.so", b"x", "binary"),
        ("tool", b"\x7fELF....", "binary"),
        ("tool.txt", b"MZ......", "binary"),
    ],
)
def test_what_the_repository_refuses_is_named(plugin, tmp_path, name, content, complaint):
    plugin[name] = tmp_path / "extra"
    plugin[name].write_bytes(content)
    (found,) = package.problems(plugin)
    assert name in found
    assert complaint in found


def test_executables_and_missing_files_are_named(plugin):
    plugin["core/a.py"].chmod(0o755)
    plugin["metadata.txt"].write_text(METADATA.replace("email=x\n", ""), encoding="utf-8")
    del plugin["LICENSE"]
    assert package.problems(plugin) == [
        "LICENSE is missing.",
        "metadata.txt lacks 'email'.",
        "core/a.py is executable.",
    ]


def test_equal_files_give_equal_zips(plugin, tmp_path):
    package.archive(plugin, tmp_path / "one.zip")
    reordered = dict(reversed(list(plugin.items())))
    for path in plugin.values():
        path.touch()
    package.archive(reordered, tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.testzip() is None
        assert {name.split("/")[0] for name in archive.namelist()} == {package.NAME}


def test_the_folder_follows_the_files(plugin, tmp_path):
    target = tmp_path / "build"
    package.assemble(plugin, target)
    kept = (target / "core" / "a.py").stat().st_mtime_ns
    del plugin["LICENSE"]
    plugin["__init__.py"].write_text("NEW = 1\n", encoding="utf-8")
    package.assemble(plugin, target)
    assert {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()} == set(plugin)
    assert (target / "__init__.py").read_text(encoding="utf-8") == "NEW = 1\n"
    assert (target / "core" / "a.py").stat().st_mtime_ns == kept


def test_this_plugin_can_be_published(tmp_path):
    inside = package.contents()
    assert package.problems(inside) == []
    package.archive(inside, tmp_path / "plugin.zip")
    assert (tmp_path / "plugin.zip").stat().st_size <= package.LIMIT_BYTES
    assert {
        "plugin.py",
        "core/segmentation/segment.py",
        "resources/models/dubai.safetensors",
        "requirements/engine.txt",
        "requirements/formats.txt",
        "requirements/training.txt",
        "training/tasks/train.py",
        *(f"core/html/templates/{path.name}" for path in TEMPLATES),
        *(f"resources/styles/{name}.qml" for name in ("buildings", "roads", "road_nodes")),
    } <= set(inside)
    assert not [name for name in inside if name.startswith("tests") or name.endswith("EXPERIMENTS.md")]


def test_there_is_one_version():
    metadata = configparser.ConfigParser(interpolation=None)
    metadata.read(ROOT / "metadata.txt", encoding="utf-8")
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert metadata["general"]["version"] == __version__
    assert 'dynamic = ["version"]' in settings
    assert f'[tool.hatch.version]\npath = "{package.NAME}/__init__.py"' in settings


def pins(name: str) -> dict[str, list[str]]:
    """Return pinned requirement → hashes of a file in requirements/."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return {line.split(" ")[0]: re.findall(r"--hash=sha256:([0-9a-f]{64})\b", line) for line in lines}


@pytest.mark.parametrize(
    "name", ["engine", "formats", "torch", "torch-cpu", "training", "cluster", "dev", "docs", "qgis-test"]
)
def test_every_requirement_is_pinned_with_hashes(name):
    found = pins(name)
    assert found
    for requirement, hashes in found.items():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+]+", requirement), requirement
        assert hashes, requirement
    assert "://" not in (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")


def test_torch_comes_from_one_file_of_its_own():
    names = {
        file: {pin.split("==")[0] for pin in pins(file)}
        for file in ("engine", "formats", "torch", "torch-cpu", "training", "dev")
    }
    assert names["torch-cpu"] == {"torch"} <= names["torch"]
    for file in ("engine", "formats", "training", "dev"):
        assert not [
            name for name in names[file] if name.startswith(("torch-", "nvidia", "cuda", "triton")) or name == "torch"
        ]
        assert not names[file] & names["torch"]
    assert {pin for pin in pins("torch") if pin.startswith("torch==")} == {"torch==2.13.0"}
