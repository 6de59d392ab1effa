"""Collect the texts of the plugin into resources/translations: a .po file to edit and a .mo file for each language.

Run it after texts have changed: ``make translations``. New texts enter the .po files untranslated, those that are no
longer used are dropped. ``--check`` writes nothing and lists what is missing.

A text is collected where it stands as a literal in ``tr("…")`` or ``marked("…")``; in a module's constant that ``tr``
is called with, as in ``tr(_WORK[name])``; in an ``AlgorithmInfo``; and in an option of a request.
"""

from __future__ import annotations

import ast
import io
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from dubai_landcover_plugin.core.html.environment import environment  # noqa: E402 (after the path is set)
from dubai_landcover_plugin.protocol.requests.tasks import TASKS  # noqa: E402 (after the path is set)

LANGUAGES = ("ar", "de", "es", "fr")
FOLDER = ROOT / "resources" / "translations"
PACKAGE = ROOT / "dubai_landcover_plugin"
TRAINING = ROOT / "training"
_INFO = {"title", "group", "tags", "summary", "help"}
# Modules of training that only its command line and its configurations reach: they are in English, as these are.
_COMMAND_LINE = re.compile(
    r"commands/|(config|config_parser|data_config|start_config)\.py$"
    r"|data/(class_table|dubai|label_layers|layouts|sources)\.py$"
    r"|evaluation/(calibration|cross_calibration|figures|files|selection)\.py$"
    r"|exports/(card|export|graphs|precisions|quantize|statistics)\.py$"
)
# What names a setting of a configuration or an option of the command line.
_SETTING = re.compile(r"\b(chips|data|loss|model|optimizer|run|split|start)\.[a-z_]+|--[a-z]")
# Placeholders and tags, which translations keep.
_FIELDS = re.compile(r"\{[a-z_]*[^{}]*\}|</?[a-z]+[^<>]*>|%\(\w+\)s|%%")


def texts_of_source(source: str, name: str = "") -> set[str]:
    """Return the texts of a module that ``tr`` translates, there or elsewhere.

    Raises:
        ValueError: if ``tr`` is called with a text that is put together at run time, or values are put in afterwards.
    """
    tree = ast.parse(source)
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Attribute) and node.func.attr == "format" and _is_tr(node.func.value):
            raise ValueError(f"{name}:{node.lineno}: give values to tr() as its fields, which isolates them in Arabic.")
        if not isinstance(node.func, ast.Name):
            continue
        if node.func.id in ("tr", "marked") and node.args:
            found.update(_literals(node.args[0], constants, f"{name}:{node.lineno}"))
        elif node.func.id == "AlgorithmInfo":
            for keyword in node.keywords:
                if keyword.arg in _INFO:
                    found.update(_strings(keyword.value))
    return found


def _is_tr(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "tr"


def _literals(node: ast.expr, constants: dict[str, ast.expr], place: str) -> set[str]:
    """Return the texts that an argument of ``tr`` may have; nothing for variables, whose texts stand elsewhere."""
    if isinstance(node, ast.JoinedStr | ast.BinOp):
        raise ValueError(f"{place}: tr() needs a literal; insert values as its fields.")
    if isinstance(node, ast.Constant):
        return _strings(node)
    if isinstance(node, ast.IfExp):
        return _literals(node.body, constants, place) | _literals(node.orelse, constants, place)
    while isinstance(node, ast.Subscript):
        node = node.value
    return _strings(constants[node.id]) if isinstance(node, ast.Name) and node.id in constants else set()


def _strings(node: ast.expr) -> set[str]:
    """Return the strings below a literal; of a dictionary, those of the values."""
    if isinstance(node, ast.Dict):
        return set().union(*(_strings(value) for value in node.values))
    return {part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)}


def plain_errors(source: str, name: str = "") -> list[str]:
    """Return the errors of data and training in a module that are not translated.

    Those that name a setting of a configuration, which QGIS does not have, may be in English.
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
            continue
        if node.func.id not in ("DatasetError", "TrainingError"):
            continue
        texts = [
            text for part in node.args[:2] if isinstance(part, ast.Constant | ast.JoinedStr) for text in _strings(part)
        ]
        if any(re.search("[a-z]{2}", text) and " " in text for text in texts) and not _SETTING.search(
            ast.unparse(node)
        ):
            found.append(f"{name}:{node.lineno}: the error is not translated: {ast.unparse(node.args[0])[:70]}")
    return found


def all_plain_errors() -> list[str]:
    """Return :func:`plain_errors` of the modules of training that the tools in QGIS use."""
    paths = (path for path in sorted(TRAINING.rglob("*.py")) if not _COMMAND_LINE.search(path.as_posix()))
    return [fault for path in paths for fault in plain_errors(path.read_text(encoding="utf-8"), path.name)]


def texts_of_options() -> Iterator[str]:
    """Return titles, sections, units, words and helps of the options that have a parameter in QGIS."""
    for task in TASKS.values():
        for item in task.request.described():
            yield from (item.option.title, item.option.section, item.option.help, item.option.unit, *item.option.words)


def all_texts() -> list[str]:
    """Return all texts of the plugin and of training, sorted."""
    found = set(texts_of_options())
    for path in sorted([*PACKAGE.rglob("*.py"), *TRAINING.rglob("*.py")]):
        found |= texts_of_source(path.read_text(encoding="utf-8"), path.name)
    for path in sorted([*PACKAGE.rglob("*.j2"), *TRAINING.rglob("*.j2")]):
        for _, _, message in environment().extract_translations(path.read_text(encoding="utf-8")):
            found.add(message if isinstance(message, str) else str(message[0]))
    return sorted(text for text in found if text.strip())


def updated(language: str, texts: list[str]) -> Catalog:
    """Return the catalogue of a language with exactly these texts; translations of the .po file are kept."""
    path = FOLDER / f"{language}.po"
    known = read_po(io.BytesIO(path.read_bytes()), language) if path.exists() else Catalog(language)
    fresh = Catalog(language, project="Dubai Land Cover", header_comment="# Translations of Dubai Land Cover.")
    fresh.creation_date = fresh.revision_date = known.creation_date if path.exists() else fresh.creation_date
    for text in texts:
        message = known.get(text)
        fresh.add(text, message.string if message else "")
    return fresh


def written(catalogue: Catalog) -> tuple[bytes, bytes]:
    """Return a catalogue as .po and .mo file."""
    po, mo = io.BytesIO(), io.BytesIO()
    write_po(po, catalogue, width=120, include_previous=False)
    write_mo(mo, catalogue)
    return po.getvalue(), mo.getvalue()


def problems(catalogue: Catalog) -> list[str]:
    """Return what is wrong with a catalogue: texts without translation, placeholders or tags that differ."""
    found = []
    for message in catalogue:
        if not message.id:
            continue
        text, translation = str(message.id), str(message.string)
        if not translation.strip():
            found.append(f"{catalogue.locale}: not translated: {text[:70]}")
        elif sorted(_FIELDS.findall(text)) != sorted(_FIELDS.findall(translation)):
            found.append(f"{catalogue.locale}: other placeholders or tags: {text[:70]}")
    return found


def main() -> int:
    """Write the catalogues, or check them; return the exit status."""
    texts, faults = all_texts(), all_plain_errors()
    for language in LANGUAGES:
        catalogue = updated(language, texts)
        faults += problems(catalogue)
        for suffix, data in zip((".po", ".mo"), written(catalogue)):
            path = FOLDER / f"{language}{suffix}"
            if "--check" not in sys.argv:
                FOLDER.mkdir(exist_ok=True)
                path.write_bytes(data)
            elif not path.exists() or path.read_bytes() != data:
                faults.append(f"{path.relative_to(ROOT)} is not up to date: run 'make translations'.")
    print("\n".join(faults) or f"{len(texts)} texts in {len(LANGUAGES)} languages: complete.")
    return 1 if faults and "--check" in sys.argv else 0


if __name__ == "__main__":
    raise SystemExit(main())
