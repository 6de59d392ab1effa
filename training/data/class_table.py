"""The class table of a data folder: ``classes.csv`` or ``classes.json``."""

from __future__ import annotations

from pathlib import Path

from dubai_landcover_plugin.core.io import class_table
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme
from dubai_landcover_plugin.protocol.errors import ClassSchemeError

from ..errors import DatasetError

_NAMES = ("classes.csv", "classes.json")
TABLE = (
    "the class table of the data folder (classes.csv, classes.json or data.classes; without one, the classes are those "
    "of the Dubai dataset)"
)
"""The class table in messages, whether there is one or not."""


def find_scheme(root: Path, table: str = "") -> tuple[ClassScheme, str]:
    """Return the classes of the data in ``root`` and a description of their origin.

    Args:
        root: Data folder.
        table: Class table, relative to ``root``; empty for ``classes.csv`` or ``classes.json``, and without these for
            the classes of the Dubai dataset.

    Raises:
        DatasetError: if there are two tables, or the table cannot be read or is inconsistent.
    """
    if table:
        return read_class_table(root / table), table
    found = [name for name in _NAMES if (root / name).is_file()]
    if len(found) > 1:
        raise DatasetError(f"{root} has {' and '.join(found)}.", "Keep one of them, or set data.classes.")
    if found:
        return read_class_table(root / found[0]), found[0]
    return DUBAI, "no class table: the classes of the Dubai dataset"


def read_class_table(path: Path) -> ClassScheme:
    """Return the classes of a table, see :func:`.class_table.read_class_table`.

    Raises:
        DatasetError: with file name and row.
    """
    try:
        return class_table.read_class_table(path)
    except ClassSchemeError as error:
        raise DatasetError(error.message, error.remedy) from error
