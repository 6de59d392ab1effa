"""Imports point one way, along the chains below; nothing is imported in a circle.

The syntax trees are walked, imports inside functions included, so nothing has to be installed to check them.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "dubai_landcover_plugin"
CHAINS = (
    ("__init__", "plugin", "gui", "provider", "processing", "runner", "protocol"),
    ("__main__", "cli", "core", "protocol"),
    ("training", "cli", "core", "protocol"),
)
"""A room may import itself and, of the project, what stands after it in its chain. The version is for everybody."""
ENGINE = {"core", "cli"}
"""Rooms of the plugin with a Python of their own; all others run on QGIS's."""
QGIS_NAMES = {"qgis", "osgeo", "processing", "PyQt5", "PyQt6"}
LOOSE = {"__init__.py", "worker.py", "doctor.py"}


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """Return full names of every module that a file imports, ``from x import y`` as x and x.y alike."""
    found: set[str] = set()
    package = list(path.relative_to(ROOT).parent.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 or package[0] == "training", f"{path.name}:{node.lineno}: relative import"
            start = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*start, *([node.module] if node.module else [])])
            # A package's submodules count one by one; names taken out of a module count as the module.
            below = {f"{module}.{alias.name}" for alias in node.names}
            submodules = {name for name in below if file_of(name)}
            found.update(submodules or {module})
    return found


def file_of(name: str) -> Path | None:
    """Return the file of one of the project's modules."""
    path = ROOT.joinpath(*name.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def room(name: str) -> str:
    """Return the part of the project that a module belongs to: core, gui, plugin… or training."""
    parts = name.split(".")
    return parts[0] if parts[0] != PACKAGE else parts[1] if len(parts) > 1 else "__init__"


def allowed(here: str) -> set[str]:
    """Return the rooms that a room may import."""
    return {here}.union(*(chain[chain.index(here) :] for chain in CHAINS if here in chain))


def is_ours(name: str) -> bool:
    return name.split(".")[0] in {PACKAGE, "training", "tests"}


def is_stdlib(name: str) -> bool:
    return name.split(".")[0] in sys.stdlib_module_names


PROJECT = [*sources(PACKAGE), *sources("training")]
FILES = [pytest.param(path, id=module_name(path)) for path in PROJECT]
ROOMS = {path: room(module_name(path)) for path in PROJECT}
GRAPH = {path: {file for name in imports(path) if (file := file_of(name)) in ROOMS} for path in PROJECT}


def test_every_room_is_in_a_chain():
    assert set(ROOMS.values()) == {name for chain in CHAINS for name in chain}


@pytest.mark.parametrize("path", FILES)
def test_arrows_point_one_way(path):
    inside = {room(name) for name in imports(path) if is_ours(name) and name != PACKAGE}
    assert inside <= allowed(ROOMS[path])


@pytest.mark.parametrize("path", FILES)
def test_what_comes_from_outside_suits_the_room(path):
    outside = {name for name in imports(path) if not is_ours(name) and not is_stdlib(name)}
    if ROOMS[path] in {"protocol", "__init__", "__main__"}:
        assert not outside - {"qgis"} if ROOMS[path] == "__init__" else not outside
    elif ROOMS[path] in ENGINE | {"training"}:
        assert not {name for name in outside if name.split(".")[0] in QGIS_NAMES}
    else:
        assert {name.split(".")[0] for name in outside} <= {"qgis", "osgeo", "processing"}


def test_the_core_has_rooms_and_no_loose_files():
    assert {path.name for path in (ROOT / PACKAGE / "core").glob("*.py")} == LOOSE


def test_no_file_imports_itself_over_others():
    state: dict[Path, int] = {}

    def visit(path: Path, way: tuple[Path, ...]) -> None:
        state[path] = 1
        for other in sorted(GRAPH[path] - {path}):
            circle = " → ".join(module_name(file) for file in (*way, path, other))
            assert state.get(other) != 1, circle
            if other not in state:
                visit(other, (*way, path))
        state[path] = 2

    for path in PROJECT:
        if path not in state:
            visit(path, ())


def test_no_two_folders_import_each_other():
    arrows = defaultdict(set)
    for path, others in GRAPH.items():
        if path.name == "__main__.py":  # starts a program; nothing imports it
            continue
        arrows[path.parent] |= {other.parent for other in others} - {path.parent}
    pairs = {
        tuple(sorted(folder.relative_to(ROOT).as_posix() for folder in (one, other)))
        for one, others in arrows.items()
        for other in others
        if one in arrows[other]
    }
    assert not pairs


def test_tools_know_the_same_two_rooms_of_the_engine():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert set(re.findall(r"-not -path '\*/(\w+)/\*'", makefile)) == ENGINE
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (rooms,) = re.findall(rf'"{PACKAGE}/{{([\w,]+)}}/\*\*" = "py310"', settings)
    assert set(rooms.split(",")) == ENGINE


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


def test_the_protocol_imports_with_everything_else_blocked():
    blocked = QGIS_NAMES | {"torch", "rasterio", "numpy", "shapely", "pyogrio", "safetensors"}
    modules = [module_name(path) for path in sources(f"{PACKAGE}/protocol")]
    assert run_blocked(modules, blocked, blocked) == "[]"


def test_importing_package_and_core_imports_nothing_heavy():
    blocked = QGIS_NAMES | {"torch", "rasterio", "numpy"}
    assert run_blocked([PACKAGE, f"{PACKAGE}.core"], blocked, {"torch"}) == "[]"


TESTED_ELSEWHERE = {
    f"{PACKAGE}.plugin": ("processing/test_plugin.py", "needs a running QGIS"),
    f"{PACKAGE}.provider": ("processing/test_plugin.py", "needs a running QGIS"),
    f"{PACKAGE}.gui": ("processing/test_plugin.py", "needs a running QGIS"),
    f"{PACKAGE}.runner.downloads": ("processing/test_downloads.py", "needs a running QGIS"),
    f"{PACKAGE}.runner.administration": ("gui/test_administration.py", "needs a running QGIS"),
    f"{PACKAGE}.runner.settings": ("processing/test_plugin.py", "needs a running QGIS"),
    f"{PACKAGE}.runner.model_library": ("gui/models/test_dialog.py", "needs a running QGIS"),
    f"{PACKAGE}.processing": ("processing/test_algorithms.py", "run by the ids of algorithms, in the installed plugin"),
    f"{PACKAGE}.cli": ("cli/test_main.py", "run by the names of commands"),
    f"{PACKAGE}.core.networks": ("core/networks/test_networks.py", "one test for all architectures of the registry"),
    f"{PACKAGE}.core.segmentation.pipeline": ("core/segmentation/test_segment.py", "run by every segmentation"),
    f"{PACKAGE}.core.change.page": ("core/html/test_pages.py", "all pages are tested for escaping together"),
    f"{PACKAGE}.protocol.messages": ("core/test_worker.py", "constants"),
    f"{PACKAGE}.protocol.drawn_layers": ("core/corrections/test_correction.py", "constants"),
    "training.commands": ("training/commands/test_main.py", "run by the names of commands"),
    "training.inspection.sources": ("training/inspection/test_inspection.py", "its tables are read in the page"),
    "training.synthetic": ("training/synthetic/test_scenes.py", "parts of one drawing"),
}
"""Modules or rooms without a test module of their name, the test that covers them (below ``tests``), and why."""
TESTED = [path for path in PROJECT if path.stem not in ("__init__", "__main__")]
"""Modules that need a test; the others are faces of packages and starts of programs."""


def mirrored(path: Path) -> Path:
    """Return the folder of the tests of a module: the same below ``tests``, without the plugin's package."""
    parts = path.relative_to(ROOT).parts[:-1]
    return ROOT.joinpath("tests", *(parts[1:] if parts[0] == PACKAGE else parts))


def elsewhere(name: str) -> str:
    """Return the entry of :data:`TESTED_ELSEWHERE` for a module or its rooms; empty where there is none."""
    parts = name.split(".")
    return next((key for end in range(len(parts), 0, -1) if (key := ".".join(parts[:end])) in TESTED_ELSEWHERE), "")


def has_test(path: Path) -> bool:
    """Return whether a module has a test module of its name in its room, or a test of its room imports it."""
    room_tests = mirrored(path).glob("test_*.py")
    return any(test.name == f"test_{path.stem}.py" or module_name(path) in imports(test) for test in room_tests)


@pytest.mark.parametrize("path", TESTED, ids=module_name)
def test_every_module_has_a_test(path):
    missing = (mirrored(path) / f"test_{path.stem}.py").relative_to(ROOT)
    assert has_test(path) or elsewhere(module_name(path)), f"There is no {missing}."


def test_exceptions_are_needed_and_their_tests_exist():
    untested = {elsewhere(module_name(path)) for path in TESTED if not has_test(path)}
    assert set(TESTED_ELSEWHERE) <= untested
    assert all((ROOT / "tests" / test).is_file() for test, _ in TESTED_ELSEWHERE.values())
