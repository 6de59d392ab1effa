"""The base classes of requests and results: JSON in, JSON out, and the checks of types, ranges and choices.

Standard library only: QGIS's own Python reads these files.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, fields
from functools import cache
from typing import Any, Callable, TypeVar

from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.options import Described, description_of
from dubai_landcover_plugin.protocol.translation import joined, marked, tr

_Request = TypeVar("_Request", bound="Request")
_Check = Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    whole_or_real = isinstance(value, (int, float)) and not isinstance(value, bool)
    return whole_or_real and abs(value) <= sys.float_info.max  # no NaN passes


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and _is_number(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _list_of(check: _Check, length: int | None = None) -> _Check:
    def is_list(value: Any) -> bool:
        return isinstance(value, (tuple, list)) and length in (None, len(value)) and all(map(check, value))

    return is_list


def _table_of(check: _Check) -> _Check:
    return lambda value: isinstance(value, Mapping) and all(map(_is_text, value)) and all(map(check, value.values()))


_KINDS: dict[str, tuple[_Check, str]] = {  # by annotation: the check and its name in messages
    "str": (_is_text, marked("a text")),
    "bool": (lambda value: isinstance(value, bool), marked("true or false")),
    "int": (_is_whole, marked("a whole number")),
    "float": (_is_number, marked("a finite number")),
    "None": (lambda value: value is None, marked("null")),
    "tuple[int, int]": (_list_of(_is_whole, 2), marked("a list of 2 whole numbers")),
    "tuple[str, str]": (_list_of(_is_text, 2), marked("a list of 2 texts")),
    "tuple[int, ...]": (_list_of(_is_whole), marked("a list of whole numbers")),
    "tuple[str, ...]": (_list_of(_is_text), marked("a list of texts")),
    "tuple[float, float, float, float]": (_list_of(_is_number, 4), marked("a list of 4 finite numbers")),
    "tuple[tuple[float, float], ...]": (_list_of(_list_of(_is_number, 2)), marked("a list of pairs of finite numbers")),
    "dict[str, str]": (_table_of(_is_text), marked("an object of texts")),
    "dict[str, Any]": (_table_of(lambda value: True), marked("an object")),
    "tuple[float, ...]": (_list_of(_is_number), marked("a list of finite numbers")),
    "tuple[dict[str, Any], ...]": (_list_of(_table_of(lambda value: True)), marked("a list of objects")),
    "dict[str, int]": (_table_of(_is_whole), marked("an object of whole numbers")),
    "dict[str, float]": (_table_of(_is_number), marked("an object of finite numbers")),
}
_NESTED: dict[str, type[Request]] = {}


class Request:
    """A task for the engine, as JSON between processes; the base of frozen dataclasses.

    Creating one checks the type, range and choices of every field, as its :func:`.option` describes them, and that
    outputs have different paths.
    """

    def __post_init__(self) -> None:
        outputs: list[str] = []
        for item in fields(self):  # type: ignore[arg-type]
            value = getattr(self, item.name)
            _check_type(item, value)
            option = description_of(item.metadata)
            if option is not None and value is not None:
                option.check(item.name, value)
                outputs += [value] if option.writes and value else []
        if len(set(outputs)) != len(outputs):
            raise RequestError(tr("Outputs need different paths, got {paths}.", paths=joined(outputs)))

    @classmethod
    @cache
    def described(cls) -> tuple[Described, ...]:
        """Return the options in the order of the fields; those of a nested request take its place."""
        found: list[Described] = []
        for item in fields(cls):  # type: ignore[arg-type]
            kinds = str(item.type).split(" | ")
            nested_class = _NESTED.get(kinds[0])
            option = description_of(item.metadata)
            if nested_class is not None:
                found += nested_class.described()
            elif option is not None:
                factory = item.default_factory
                default = item.default if factory is MISSING else factory()
                found.append(Described(item.name, kinds[0], "None" in kinds, default, option))
        return tuple(found)

    @classmethod
    def from_options(cls: type[_Request], values: Mapping[str, Any]) -> _Request:
        """Return a request with these values by option name; the others keep their defaults.

        Raises:
            RequestError: for values of another type or out of range.
        """
        arguments = {}
        for item in fields(cls):  # type: ignore[arg-type]
            nested_class = _NESTED.get(str(item.type))
            if nested_class is not None:
                arguments[item.name] = nested_class.from_options(values)
            elif item.name in values:
                arguments[item.name] = values[item.name]
        return cls(**arguments)

    def option_values(self) -> dict[str, Any]:
        """Return the values by option name; those of a nested request take its place."""
        found: dict[str, Any] = {}
        for item in fields(self):  # type: ignore[arg-type]
            value = getattr(self, item.name)
            if str(item.type) in _NESTED and isinstance(value, Request):
                found.update(value.option_values())
            else:
                found[item.name] = value
        return found

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return asdict(self)  # type: ignore[call-overload,no-any-return]

    @classmethod
    def from_json(cls: type[_Request], value: Mapping[str, Any]) -> _Request:
        """Rebuild a request from the result of :meth:`to_json`; lists become tuples.

        Raises:
            RequestError: for unknown keys, missing keys and values out of range.
        """
        if not isinstance(value, Mapping):
            raise _of_other_type(cls.__name__, tr("an object"), value)
        known = {item.name: item for item in fields(cls)}  # type: ignore[arg-type]
        unknown = sorted(map(str, set(value) - set(known)))
        if unknown:
            raise RequestError(
                tr("Unknown keys in {name}: {keys}.", name=cls.__name__, keys=joined(unknown)),
                tr("Known: {keys}.", keys=joined(sorted(known))),
            )
        needed = [name for name, item in known.items() if item.default is MISSING and item.default_factory is MISSING]
        missing = [name for name in needed if name not in value]
        if missing:
            raise RequestError(
                tr("Missing keys in {name}: {keys}.", name=cls.__name__, keys=joined(missing)), tr("Add them.")
            )
        arguments = {key: _frozen(item) for key, item in value.items()}
        for name, item in known.items():
            kind = _NESTED.get(str(item.type))
            if kind is not None and isinstance(arguments.get(name), Mapping):
                arguments[name] = kind.from_json(arguments[name])
        return cls(**arguments)


class Result(Request):
    """Findings and output paths of a tool; the base of frozen dataclasses."""

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description; tuples become lists."""
        return {item.name: _thawed(getattr(self, item.name)) for item in fields(self)}  # type: ignore[arg-type]


def nested(cls: type[_Request]) -> type[_Request]:
    """Register a request as the type of a field of others."""
    _NESTED[cls.__name__] = cls
    _KINDS[cls.__name__] = (lambda value: isinstance(value, cls), marked("an object of options"))
    return cls


def _check_type(item: Field[Any], value: Any) -> None:
    """Refuse a value that does not fit the field's annotation."""
    kinds = [_KINDS[kind] for kind in str(item.type).split(" | ")]
    if not any(check(value) for check, _ in kinds):
        raise _of_other_type(item.name, tr(" or ").join(tr(text) for _, text in kinds), value)


def _of_other_type(name: str, expected: str, value: Any) -> RequestError:
    return RequestError(tr("{name} must be {expected}, got {value!r:.100}.", name=name, expected=expected, value=value))


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, (list, tuple)) else value


def _thawed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _thawed(item) for key, item in value.items()}
    return [_thawed(item) for item in value] if isinstance(value, (list, tuple)) else value


def dumps(value: Any, indent: int | None = None) -> str:
    """Return key-sorted JSON, compact unless indented: equal requests give equal text.

    Raises:
        ValueError: for NaN and infinity, which JSON does not allow.
    """
    separators = (",", ":") if indent is None else None
    return json.dumps(value, sort_keys=True, separators=separators, indent=indent, ensure_ascii=False, allow_nan=False)
