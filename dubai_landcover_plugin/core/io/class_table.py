"""Class tables of users: CSV or JSON with id, name and, if wanted, colour of each class."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.core.io.class_legend import generated_colour
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import ClassSchemeError
from dubai_landcover_plugin.protocol.translation import joined, tr

_SPELLINGS = {"color": "colour", "ignored": "unlabeled", "unlabelled": "unlabeled"}
_FIELDS = {"id", "name"}
_UNLABELED = {"unlabeled", "unlabelled", "ignored"}
_MOST_CLASSES = 253  # ids are 1..254, of which Unlabeled needs one
_REMEDY = (
    "Write the header id,name,colour and one row per class, such as 1,Water,#E2A929; colour may be left out, and "
    "an optional column unlabeled marks one row with yes."
)
_DUBAI_COLOURS = {entry.name.casefold(): entry.colour for entry in DUBAI.classes}


def read_class_table(path: Path) -> ClassScheme:
    """Return the classes of a CSV or JSON table.

    One row may be marked as unlabeled, by its name or in a column ``unlabeled``; its pixels are ignored in training.
    Its id may be 0. Classes without a colour get that of the Dubai dataset's class of the same name, else one that
    depends on their id and differs from all others.

    Raises:
        ClassSchemeError: with file name and row.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ClassSchemeError(
            tr("The class table {path} cannot be read: {error}.", path=path, error=error.strerror),
            tr("Check the path and the file."),
        ) from error
    except UnicodeDecodeError as error:
        raise ClassSchemeError(
            tr("The class table {path} cannot be read: {error}.", path=path, error=error), tr("Save it as UTF-8 text.")
        ) from error
    rows = _json_rows(text, path) if path.suffix.lower() == ".json" else _csv_rows(text)
    rows = [_spelled(row, number, path) for number, row in enumerate(rows, 1)]
    marked = [row for row in rows if _is_unlabeled(row)]
    if len(marked) > 1:
        raise ClassSchemeError(
            tr("{path} marks {count} classes as unlabeled.", path=path, count=len(marked)), tr("Mark at most one.")
        )
    coloured = _with_colours([row for row in rows if not _is_unlabeled(row)])
    numbers = [number for number, row in enumerate(rows, 1) if not _is_unlabeled(row)]
    classes = [_class(row, number, path) for number, row in zip(numbers, coloured)]
    if not classes:
        raise ClassSchemeError(tr("{path} does not list any class.", path=path), tr(_REMEDY))
    if not marked and len(classes) > _MOST_CLASSES:
        raise ClassSchemeError(
            tr(
                "{path} lists {count} classes without one for unlabeled pixels; the limit is {limit}.",
                path=path,
                count=len(classes),
                limit=_MOST_CLASSES,
            ),
            tr("Merge some classes."),
        )
    # the highest free id, which masks rarely contain by mistake; its pixels are ignored silently
    free = max(set(range(255)) - {entry.id for entry in classes})
    unlabeled = replace(DUBAI.unlabeled, id=free)
    if marked:
        number = rows.index(marked[0]) + 1
        given = {key: value for key, value in marked[0].items() if str(value or "").strip() not in ("", "0")}
        unlabeled = _class(
            {"id": free, "colour": unlabeled.colour, **given}, number, path
        )  # ids start at 1; 0 and empty values take the default
    return _scheme(classes, unlabeled, path)


def _csv_rows(text: str) -> list[dict[str, Any]]:
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)  # spreadsheets write semicolons in many locales
    rows = csv.DictReader(text.splitlines(), delimiter=delimiter, skipinitialspace=True)
    return [row for row in rows if any(value and value.strip() for value in row.values() if isinstance(value, str))]


def _json_rows(text: str, path: Path) -> list[Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ClassSchemeError(
            tr("The class table {path} is not valid JSON: {error}.", path=path, error=error), tr("Correct the file.")
        ) from error
    if isinstance(value, dict) and isinstance(value.get("classes"), list):  # format of ClassScheme.to_json()
        unlabeled = value.get("unlabeled")
        return [*value["classes"], *([{**unlabeled, "unlabeled": True}] if isinstance(unlabeled, dict) else [])]
    if not isinstance(value, list):
        raise ClassSchemeError(
            tr("The class table {path} is not a list of classes.", path=path), tr('Write [{"id": 1, "name": …}, …].')
        )
    return value


def _spelled(row: Any, number: int, path: Path) -> dict[str, Any]:
    """Return a row with normalized field names; further fields are kept and not used."""
    if not isinstance(row, dict):
        raise ClassSchemeError(
            tr("{path}, class {number} is not a table of fields: {row!r:.80}.", path=path, number=number, row=row),
            tr(_REMEDY),
        )
    named = {_SPELLINGS.get(key, key): value for key, value in ((_key(key), value) for key, value in row.items())}
    if not set(named) >= _FIELDS:
        raise ClassSchemeError(
            tr(
                "{path}, class {number} has the fields {names}.",
                path=path,
                number=number,
                names=joined(map(str, row)),
            ),
            tr(_REMEDY),
        )
    return named


def _key(key: Any) -> str:
    return str(key).strip().casefold()


def _is_unlabeled(row: dict[str, Any]) -> bool:
    marked = str(row.get("unlabeled") or "").strip().casefold() in {"1", "true", "yes", "x"}
    return marked or str(row["name"]).strip().casefold() in _UNLABELED


def _with_colours(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows with a colour each."""
    taken = {_colour(row) for row in rows} - {""}
    coloured = []
    for row in rows:
        colour = _colour(row)
        if not colour:
            colour = _DUBAI_COLOURS.get(str(row["name"]).strip().casefold(), "")
            if not colour or colour in taken:
                colour = generated_colour(_number(row["id"]), taken)
            taken.add(colour)
        coloured.append({**row, "colour": colour})
    return coloured


def _colour(row: dict[str, Any]) -> str:
    return str(row.get("colour") or "").strip().upper()


def _number(value: Any) -> int:
    """Return an id for the choice of a colour; 0 where it is not a number, which is reported later."""
    try:
        return _whole(value)
    except (ValueError, OverflowError):
        return 0


def _class(row: dict[str, Any], number: int, path: Path) -> LandCoverClass:
    try:
        colour = str(row["colour"]).strip().upper()
        return LandCoverClass(_whole(row["id"]), str(row["name"] or "").strip(), colour)
    except ClassSchemeError as error:
        raise ClassSchemeError(
            tr("{path}, class {number}: {error}", path=path, number=number, error=error.message), tr(_REMEDY)
        ) from error
    except ValueError as error:
        raise ClassSchemeError(
            tr(
                "{path}, class {number}: the id must be a whole number, got {id!r}.",
                path=path,
                number=number,
                id=row["id"],
            )
        ) from error


def _whole(value: Any) -> int:
    """Parse an id; spreadsheets write 3 as 3.0."""
    number = float(str(value).strip())
    if not number.is_integer():
        raise ValueError(value)
    return int(number)


def _scheme(classes: list[LandCoverClass], unlabeled: LandCoverClass, path: Path) -> ClassScheme:
    colours = [entry.colour for entry in classes]
    if len(set(colours)) != len(colours):
        raise ClassSchemeError(
            tr("{path} gives several classes the same colour: {names}.", path=path, names=joined(colours)),
            tr("Choose distinct colours."),
        )
    try:
        return ClassScheme(tuple(classes), unlabeled)
    except ClassSchemeError as error:
        raise ClassSchemeError(f"{path}: {error.message}", tr(_REMEDY)) from error
