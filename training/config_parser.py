"""Converts TOML tables and command-line settings to dataclasses with values of the declared types."""

from __future__ import annotations

import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_Section = TypeVar("_Section")


def require(condition: bool, message: str, remedy: str = "", hint: str = "") -> None:
    """Raise a :class:`ConfigError` unless a condition holds."""
    if not condition:
        raise ConfigError(message, remedy, hint)


def build_section(name: str, kind: type[_Section], table: Any) -> _Section:
    """Return an instance of the dataclass ``kind`` with the values of a table.

    Args:
        name: Name of the section, for messages.
        kind: Dataclass that checks the ranges of its values.
        table: Values by key; missing keys keep their defaults.

    Raises:
        ConfigError: for unknown or missing keys, values of a wrong type and values out of range.
    """
    if not isinstance(table, Mapping):
        raise ConfigError(
            f"[{name}] must be a table, got {table!r}.", f"Write [{name}] and, below it, lines key = value."
        )
    hints = get_type_hints(kind)
    known = [item.name for item in fields(kind)]  # type: ignore[arg-type]
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise ConfigError(f"Unknown keys in [{name}]: {', '.join(unknown)}.", f"Known: {', '.join(known)}.")
    missing = [item.name for item in fields(kind) if _is_required(item) and item.name not in table]  # type: ignore[arg-type]
    if missing:
        raise ConfigError(f"[{name}] lacks {', '.join(missing)}.")
    return kind(**{key: _checked(value, hints[key], f"{name}.{key}") for key, value in table.items()})


def _is_required(item: Field[Any]) -> bool:
    return item.default is MISSING and item.default_factory is MISSING


def _checked(value: Any, hint: Any, where: str) -> Any:
    """Return a value converted to the declared type of a field: lists become tuples, integers floats."""
    for kind in get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,):
        fits, converted = _convert(value, kind, where)
        if fits:
            return converted
    raise ConfigError(f"{where} must be {_in_words(hint)}, got {value!r}.")


def _convert(value: Any, kind: Any, where: str) -> tuple[bool, Any]:
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            return False, None
        members = get_args(kind)
        if members[-1] is Ellipsis:
            members = (members[0],) * len(value)
        if len(members) != len(value):
            return False, None
        return True, tuple(_checked(item, member, where) for item, member in zip(value, members, strict=True))
    if kind is Any:
        return True, value
    if get_origin(kind) is dict:
        return isinstance(value, Mapping), value
    if isinstance(value, bool) and kind is not bool:  # bool is a subclass of int
        return False, None
    if kind is float and isinstance(value, int):
        return True, float(value)
    return isinstance(value, kind), value


def _in_words(hint: Any) -> str:
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(_in_words(kind) for kind in get_args(hint))
    if get_origin(hint) is tuple:
        members = get_args(hint)
        if members[-1] is Ellipsis:
            return f"a list, each {_in_words(members[0])}"
        return f"a list of {len(members)}, each {_in_words(members[0])}"
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    return words.get(hint, "a table")


def override(kinds: Mapping[str, Any], tables: Mapping[str, Any], settings: Sequence[str]) -> dict[str, Any]:
    """Return tables with individual values replaced.

    Args:
        kinds: Dataclass of each section.
        tables: Values by section and key; sections and keys may be missing.
        settings: ``section.key=value`` with the value as in TOML; quotes of a text and brackets of a list may be
            omitted. A key inside a table is written with a further dot: ``model.arguments.width=16``.

    Raises:
        ConfigError: if a setting has another form, or its section or key does not exist.
    """
    changed = {name: dict(table) for name, table in tables.items()}
    for setting in settings:
        path, equals, text = setting.partition("=")
        section, _, keys = path.strip().partition(".")
        if not equals or not keys or not all(keys.split(".")):
            raise ConfigError(
                f"'{setting}' is not of the form section.key=value.", "Write, for example, optimizer.steps=200."
            )
        if section not in kinds:
            raise ConfigError(f"There is no section '{section}' ({setting}).", f"Known: {', '.join(kinds)}.")
        key, *inner = keys.split(".")
        hints = get_type_hints(kinds[section])
        if key not in hints:
            raise ConfigError(f"There is no key '{key}' in [{section}] ({setting}).", f"Known: {', '.join(hints)}.")
        if inner and get_origin(hints[key]) is not dict:
            raise ConfigError(f"{section}.{key} is not a table ({setting}).", f"Write {section}.{key}=value.")
        table = changed.setdefault(section, {})
        for name in (key, *inner)[:-1]:
            if not isinstance(table.get(name, {}), Mapping):
                raise ConfigError(
                    f"'{name}' is not a table, so it has no keys ({setting}).", f"Its value is {table[name]!r}."
                )
            table[name] = dict(table.get(name, {}))  # a copy, to leave the caller's tables unchanged
            table = table[name]
        table[(key, *inner)[-1]] = _parse(text.strip(), Any if inner else hints[key])
    return changed


def _parse(text: str, hint: Any) -> Any:
    """Parse a TOML value; quotes of a text and brackets of a list may be omitted."""
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    if str in kinds and len(kinds) == 1 and not isinstance(value, str):
        return text  # a text that looks like a number
    lists = [kind for kind in kinds if get_origin(kind) is tuple]
    if not lists or isinstance(value, list) or (isinstance(value, str) and str in kinds and "," not in value):
        return value
    return [_parse(part.strip(), get_args(lists[0])[0]) for part in text.split(",") if part.strip()]
