"""Check the plugin's side of QGIS against Qt 6, without a QGIS that is built on it.

Every module that QGIS's Python reads is imported under PyQt6, with stand-ins for ``qgis.core`` and ``qgis.gui``; and
each name that it takes from a class of Qt, such as ``Qt.ItemDataRole.UserRole``, is looked up in PyQt6, where
enumerations have no short names. What QGIS's own classes do under Qt 6 is not tested. ``make qt6`` runs it.
"""

from __future__ import annotations

import ast
import importlib
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import MagicMock

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "dubai_landcover_plugin"
_MODULES = ("QtCore", "QtGui", "QtWidgets", "QtNetwork", "QtXml", "QtSvg")
_STANDS_IN = (
    "qgis.core", "qgis.gui", "qgis.utils", "qgis.analysis", "osgeo", "osgeo.gdal", "osgeo.ogr", "osgeo.osr",
    "processing", "processing.gui", "processing.gui.wrappers", "processing.tools",
)  # fmt: skip


class _AnyClass(types.ModuleType):
    """A module in which every name is a class that accepts anything, so that others may derive from it."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        if name[0].islower():
            return MagicMock(name=name)
        made = _Meta(name, (), {"__init__": lambda self, *arguments, **named: None})
        setattr(self, name, made)
        return made


class _Meta(type):
    def __getattr__(cls, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return MagicMock(name=f"{cls.__name__}.{name}")


def stand_in() -> None:
    """Put PyQt6 in the place of ``qgis.PyQt`` and stand-ins in that of QGIS's own modules."""
    sys.modules["qgis"] = qgis = _AnyClass("qgis")
    qgis.__path__ = []
    sys.modules["qgis.PyQt"] = types.ModuleType("qgis.PyQt")
    for name in _MODULES:
        sys.modules[f"qgis.PyQt.{name}"] = importlib.import_module(f"PyQt6.{name}")
    sys.modules["qgis.PyQt"].sip = importlib.import_module("PyQt6.sip")  # type: ignore[attr-defined]
    for name in _STANDS_IN:
        sys.modules[name] = module = _AnyClass(name)
        module.__path__ = []


def sources() -> Iterator[Path]:
    """Yield the modules that QGIS's Python reads."""
    for path in sorted(PACKAGE.rglob("*.py")):
        if not {"core", "cli"} & set(path.relative_to(PACKAGE).parts) and path.name != "__main__.py":
            yield path


def missing_names(path: Path) -> Iterator[str]:
    """Yield the names of Qt that a module uses and PyQt6 does not have."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    known: dict[str, object] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("qgis.PyQt."):
            module = sys.modules[str(node.module)]
            for alias in node.names:
                if hasattr(module, alias.name):
                    known[alias.asname or alias.name] = getattr(module, alias.name)
    for node in ast.walk(tree):
        chain, here = [], node
        while isinstance(here, ast.Attribute):
            chain.append(here.attr)
            here = here.value
        if chain and isinstance(here, ast.Name) and here.id in known:
            found = known[here.id]
            for name in reversed(chain):
                if not hasattr(found, name):
                    yield f"{path.relative_to(ROOT)}:{node.lineno}: {here.id}.{'.'.join(reversed(chain))}"
                    break
                found = getattr(found, name)


def main() -> int:
    """Print what Qt 6 lacks; return the exit status."""
    sys.path.insert(0, str(ROOT))
    stand_in()
    faults, count = [], 0
    for path in sources():
        count += 1
        faults += missing_names(path)
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        try:
            importlib.import_module(name)
        except Exception as error:
            faults.append(f"{path.relative_to(ROOT)}: {type(error).__name__}: {error}")
    print("\n".join(sorted(set(faults))) or f"{count} modules under Qt 6: no findings.")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
