"""Translation of texts into the language of QGIS, by GNU gettext catalogues in ``resources/translations``.

Standard library only: QGIS's own Python reads this file. Texts are in English in the sources, which is also the
language of the command line. ``make translations`` collects them.

The engine translates in its own processes: QGIS's side hands its language over in :data:`VARIABLE`, and errors,
warnings and pages of the engine arrive translated. The command line follows the variable, too.
"""

from __future__ import annotations

import gettext
import os
import string
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dubai_landcover_plugin.protocol.resources import resource

VARIABLE = "DUBAI_LANDCOVER_LANGUAGE"
"""Environment variable with the language of the engine's messages and pages; QGIS's side sets it."""

_RIGHT_TO_LEFT = ("ar", "fa", "he", "ur")
_DECIMAL_COMMA = ("de", "es", "fr")
_in_use: list[tuple[str, gettext.NullTranslations]] = [("", gettext.NullTranslations())]


def use_language(locale: str) -> None:
    """Translate from now on into the language of a locale; without a catalogue for it, texts stay English.

    Args:
        locale: A locale such as ``ar``, ``de_AT`` or ``pt-BR``; the catalogue of the language alone serves where there
            is none for the country. Empty: English.
    """
    name = locale.replace("-", "_")
    for candidate in (name, name.partition("_")[0]):
        path = Path(resource(f"translations/{candidate}.mo"))
        if candidate and path.is_file():
            with path.open("rb") as stream:
                _in_use[:] = [(candidate, gettext.GNUTranslations(stream))]
            return
    _in_use[:] = [("", gettext.NullTranslations())]


def tr(text: str, /, **fields: object) -> str:
    """Return a text in the language of :func:`use_language`, or as it is where the catalogue lacks it.

    Args:
        text: The text in English, a literal; with fields, a template of :meth:`str.format` that names them.
        fields: Values to put in, such as names, paths and counts. Where the language is written right to left, each
            that is not a number is isolated from the text around it.
    """
    translated = _in_use[0][1].gettext(text) if text else ""
    if not fields:
        return translated
    filled = _TEMPLATES.vformat(translated, (), fields)
    # Qt 5 takes the direction of a paragraph from its first letter, also where that is isolated.
    return f"\u200f{filled}" if filled.lstrip("'«(").startswith("\u2068") else filled


def marked(text: str) -> str:
    """Return a text as it is: it is collected for the catalogues, and :func:`tr` translates it where it is shown."""
    return text


def language() -> str:
    """Return the language in use, as the catalogue is named; empty for English."""
    return _in_use[0][0]


@contextmanager
def english() -> Iterator[None]:
    """Leave texts in English meanwhile: those that are stored in files, such as model cards and metadata."""
    kept = _in_use[0]
    _in_use[:] = [("", gettext.NullTranslations())]
    try:
        yield
    finally:
        _in_use[:] = [kept]


def direction() -> str:
    """Return the writing direction of the language in use, as HTML names it: ``ltr`` or ``rtl``."""
    return "rtl" if language()[:2] in _RIGHT_TO_LEFT else "ltr"


def isolated(text: str) -> str:
    """Return a Latin name to put into a text: marked as a unit of its own where the language is written right to left.

    Source:
        Unicode Standard Annex 9, Unicode bidirectional algorithm, explicit directional isolates.
    """
    return f"\u2068{text}\u2069" if direction() == "rtl" else text


def joined(items: Iterable[object], most: int | None = None, mark: str = ", ") -> str:
    """Return a list as the language in use writes it: in Arabic with its own comma, in order from right to left.

    Args:
        items: Names, values or texts; empty: an empty text.
        most: Only so many are listed, followed by an ellipsis where there are more.
        mark: What separates them, ``, `` or ``; ``.
    """
    texts = [isolated(str(item)) for item in items]
    if most is not None and len(texts) > most:
        texts = [*texts[:most], "…"]
    # The mark of right to left (U+200F) gives the list its direction where its items are Latin.
    return ("\u200f" if texts and direction() == "rtl" else "") + tr(mark).join(texts)


_MARKS = (marked(", "), marked("; "))


def grouped(number: str) -> str:
    """Return a number with commas between thousands as the language in use groups it.

    Where a comma separates decimals, 12,345 could be read as 12.345; a narrow no-break space cannot.
    """
    return number.replace(",", "\u202f") if language()[:2] in _DECIMAL_COMMA else number


class _Templates(string.Formatter):
    """Puts values into templates; those that are not numbers are isolated, numbers grouped as the language does."""

    def format_field(self, value: object, format_spec: str) -> str:
        text: str = super().format_field(value, format_spec)
        text = grouped(text) if "," in format_spec else text
        return text if isinstance(value, (int, float)) else isolated(text)


_TEMPLATES = _Templates()
use_language(os.environ.get(VARIABLE, ""))
