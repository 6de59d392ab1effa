"""Imports point one way: plugin → gui → processing → runner → core; cli → commands → core; training → core.

The syntax trees are walked, imports inside functions included, so nothing has to be installed to check them.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "dubai_landcover_plugin"
STDLIB_CORE = {
    f"{PACKAGE}.core.{name}" for name in ("errors", "classes", "model_spec", "monitor", "onnx_description")
} | {
    f"{PACKAGE}.core.requests.{path.stem}" for path in ROOT.glob(f"{PACKAGE}/core/requests/*.py") if path.stem[0] != "_"
}
QGIS_NAMES = {"qgis", "osgeo", "processing", "PyQt5", "PyQt6"}
# What each room may import of the project; a room may always import itself.
ARROWS = {
    "__init__": {"plugin"},
    "__main__": {"cli"},
    "plugin": {"gui", "processing", "runner", "core"},
    "gui": {"processing", "runner", "core"},
    "processing": {"runner", "core"},
    "runner": {"core"},
    "cli": {"commands", "core"},
    "commands": {"core"},
    "core": set(),
}
QGIS_SIDE = {"__init__", "plugin", "gui", "processing", "runner"}


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """Return full names of every module that a file imports, ``from x import y`` as x and x.y alike."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: relative import"
            module = node.module or ""
            # A package's submodules count one by one; names taken out of a module count as the module.
            below = {f"{module}.{alias.name}" for alias in node.names}
            submodules = {name for name in below if is_module(name)}
            found.update(submodules or {module})
    return found


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def room(name: str) -> str:
    """Return the part of the package that a module belongs to: core, gui, plugin…"""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def is_stdlib(name: str) -> bool:
    return name.split(".")[0] in sys.stdlib_module_names


PLUGIN_FILES = [pytest.param(path, id=module_name(path)) for path in sources(PACKAGE)]
TRAINING_FILES = [pytest.param(path, id=module_name(path)) for path in sources("training")]


def test_there_is_something_to_check():
    rooms = {room(module_name(path)) for path in sources(PACKAGE)}
    assert {"core", "processing", "runner", "cli", "plugin"} <= rooms <= set(ARROWS)
    assert len(TRAINING_FILES) > 2
    assert {module_name(path) for path in sources(f"{PACKAGE}/core")} >= STDLIB_CORE


@pytest.mark.parametrize("path", PLUGIN_FILES)
def test_arrows_point_one_way(path):
    here = room(module_name(path))
    inside = {room(name) for name in imports(path) if name.split(".")[0] == PACKAGE and name != PACKAGE}
    assert inside <= ARROWS[here] | {here}
    assert not {name for name in imports(path) if name.split(".")[0] in {"training", "tests"}}


@pytest.mark.parametrize(
    "path", [p for p in PLUGIN_FILES if room(module_name(p.values[0])) in {"core", "commands", "cli", "__main__"}]
)
def test_the_engine_never_imports_qgis(path):
    assert not {name for name in imports(path) if name.split(".")[0] in QGIS_NAMES}


@pytest.mark.parametrize("path", [p for p in PLUGIN_FILES if room(module_name(p.values[0])) in QGIS_SIDE])
def test_the_qgis_side_needs_nothing_but_qgis(path):
    for name in imports(path):
        if name.startswith(f"{PACKAGE}.core"):
            assert name in STDLIB_CORE, f"{name} is not one of the core modules without dependencies"
        else:
            assert is_stdlib(name) or name.split(".")[0] in {PACKAGE, "qgis", "osgeo", "processing"}, name


@pytest.mark.parametrize("module", sorted(STDLIB_CORE))
def test_some_core_modules_need_the_standard_library_alone(module):
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    outside = {name for name in imports(path) if not is_stdlib(name)}
    assert outside <= STDLIB_CORE


@pytest.mark.parametrize("path", TRAINING_FILES)
def test_training_knows_core_alone(path):
    inside = {name for name in imports(path) if name.split(".")[0] == PACKAGE}
    assert all(name.startswith(f"{PACKAGE}.core.") for name in inside)
    assert not {name for name in imports(path) if name.split(".")[0] in QGIS_NAMES}


BLOCKED = """
import importlib, sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked}:
            raise ImportError(name + " is blocked")
sys.meta_path.insert(0, Refuse())
sys.path.insert(0, {root!r})
for name in {modules}:
    importlib.import_module(name)
print(sorted(set(sys.modules) & {heavy}))
"""


def run_blocked(modules: list[str], blocked: set[str], heavy: set[str]) -> str:
    code = BLOCKED.format(blocked=blocked, root=str(ROOT), modules=modules, heavy=heavy)
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_core_imports_with_qgis_blocked():
    modules = [module_name(path) for path in sources(f"{PACKAGE}/core")]
    assert run_blocked(modules, QGIS_NAMES, {"torch", "rasterio"}) == "['rasterio', 'torch']"


def test_stdlib_core_modules_import_with_everything_else_blocked():
    blocked = QGIS_NAMES | {"torch", "rasterio", "numpy", "shapely", "pyogrio", "safetensors"}
    assert run_blocked(sorted(STDLIB_CORE), blocked, blocked) == "[]"


def test_importing_the_plugin_package_imports_nothing_of_qgis():
    assert run_blocked([PACKAGE], QGIS_NAMES | {"torch", "rasterio", "numpy"}, {"torch"}) == "[]"
