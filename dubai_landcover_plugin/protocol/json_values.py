"""Reads JSON that a file of unknown origin contains: parsing, and values of a given type and range.

All functions raise ValueError for a value that does not fit.
"""

from __future__ import annotations

import json
import math
from typing import Any

MAX_DEPTH = 32
"""Levels of nested lists and objects; deeper values cannot be written again within Python's recursion limit."""
DAMAGED = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""Exceptions of code that reads values from malformed data."""


def parse_json(content: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: if it is not JSON, is nested more than :data:`MAX_DEPTH` levels deep, or contains surrogates, which
            UTF-8 cannot encode.
    """
    try:
        value = json.loads(content)
    except RecursionError:
        raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep") from None
    level, depth = [value], 0
    while level:  # breadth first
        depth += 1
        if depth > MAX_DEPTH + 1:
            raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
        level = [part for item in level for part in _parts(item)]
    return value


def _parts(value: Any) -> list[Any]:
    """Return the values in a list or object."""
    if isinstance(value, dict):
        "".join(value).encode()
        return list(value.values())
    if isinstance(value, str):
        value.encode()  # UnicodeEncodeError, a ValueError, for surrogates
    # Model files have many thousands of numbers, which need no check.
    return [item for item in value if type(item) is not float] if isinstance(value, list) else []


def number(value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    """Return a finite number in ``low`` to ``high``.

    Raises:
        ValueError: if ``value`` is not one.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"a number is needed, got {value!r:.60}")
    if not (low <= value <= high and abs(value) <= 1e300):  # also for NaN and for integers that float cannot hold
        raise ValueError(f"a finite number in {low:g} to {high:g} is needed, got {value!r:.60}")
    return float(value)


def numbers(value: Any, low: float, high: float) -> tuple[float, ...]:
    """Return a list of finite numbers in ``low`` to ``high``, at most 1e300.

    Raises:
        ValueError: if ``value`` is not one.
    """
    values = array(value)
    if {float, int}.issuperset(map(type, values)) and all(low <= item <= high for item in values):
        return tuple(map(float, values))
    return tuple(number(item, low, high) for item in values)  # names the one that does not fit


def whole(value: Any, low: int, high: int) -> int:
    """Return a whole number in ``low`` to ``high``.

    Raises:
        ValueError: if ``value`` is not one.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ValueError(f"a whole number in {low} to {high} is needed, got {value!r:.60}")
    return value


def text(value: Any, longest: int = 255) -> str:
    """Return a text of at most ``longest`` characters.

    Raises:
        ValueError: if ``value`` is not one.
    """
    if not isinstance(value, str) or len(value) > longest:
        raise ValueError(f"a text of at most {longest} characters is needed, got {value!r:.60}")
    return value


def array(value: Any) -> list[Any]:
    """Return a list.

    Raises:
        ValueError: if ``value`` is not one.
    """
    if not isinstance(value, list):
        raise ValueError(f"a list is needed, got {value!r:.60}")
    return value


def mapping(value: Any) -> dict[str, Any]:
    """Return an object.

    Raises:
        ValueError: if ``value`` is not one.
    """
    if not isinstance(value, dict):
        raise ValueError(f"an object is needed, got {value!r:.60}")
    return value
