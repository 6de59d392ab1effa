"""Values of options: lists of any length, pairs of numbers, file formats."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import click

JOIN = "\x1f"  # joins the words of a list; no argument of a shell contains it
_NEGATIVE = re.compile(r"-\.?\d")


def pair(text: str) -> tuple[float, float]:
    """Parse ``LOW:HIGH``.

    Raises:
        ValueError: for a text of another form.
    """
    low, colon, high = text.partition(":")
    if not colon:
        raise ValueError(f"'{text}' is not LOW:HIGH")
    return float(low), float(high)


def is_assignment(text: str) -> bool:
    """Return whether ``text`` has the form ``NAME=VALUE``."""
    return "=" in text


class Values(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """A list of values, separated by spaces or commas.

    Args:
        name: Name of one value in error messages.
        parse: Parses one value; raises ValueError for a text of another form.
        belongs: Whether a value after the first one belongs to the list; None takes all that can be parsed.
    """

    def __init__(self, name: str, parse: Callable[[str], Any], belongs: Callable[[str], bool] | None = None) -> None:
        self.name = name
        self.parse = parse
        self.belongs = belongs

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the values as a tuple."""
        if not isinstance(value, str):
            return value
        try:
            return tuple(self.parse(part) for word in value.split(JOIN) for part in _parts(word))
        except ValueError:
            self.fail(f"'{value.replace(JOIN, ' ')}' is not a list of {self.name}s.", param, ctx)

    def accepts(self, word: str) -> bool:
        """Return whether ``word`` can belong to the list."""
        if self.belongs is not None and not self.belongs(word):
            return False
        try:
            return bool([self.parse(part) for part in _parts(word)])
        except ValueError:
            return False


class ValuesOption(click.Option):
    """Option that takes the words after it as long as they are values: ``--bands 4 1 2`` or ``--bands 4,1,2``."""

    def take(self, words: deque[str]) -> list[str]:
        """Remove the values of this option from the start of ``words`` and return them."""
        values: list[str] = []
        while words and not _is_option(words[0]):
            if values and not (self._is_open(values[-1]) and self.accepts(words[0])):
                break
            values.append(words.popleft())
        return values

    def accepts(self, word: str) -> bool:
        """Return whether ``word`` can be one of the values."""
        return isinstance(self.type, Values) and self.type.accepts(word)

    @staticmethod
    def _is_open(word: str) -> bool:
        """Return whether a list can go on after ``word``: ``a`` and ``a,`` can, ``a,b`` is complete."""
        return "," not in word.rstrip(",")


class Suffix(click.Choice[str]):
    """A file format by its suffix, with or without the dot."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the suffix with its dot."""
        return f".{super().convert(str(value).lstrip('.'), param, ctx)}"


class Command(click.Command):
    """Command whose options may take lists, and whose help describes its arguments."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; see :class:`ValuesOption`."""
        return super().parse_args(ctx, list(_joined(args, self.params)))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the arguments above the options."""
        described = [(item.make_metavar(ctx), item.text) for item in self.params if isinstance(item, Argument)]
        if described:
            with formatter.section("Arguments"):
                formatter.write_dl(described)
        super().format_options(ctx, formatter)


class Argument(click.Argument):
    """Positional argument with a description."""

    def __init__(self, name: str, text: str, **settings: Any) -> None:
        super().__init__([name], **settings)
        self.text = text


def _joined(arguments: Iterable[str], params: Sequence[click.Parameter]) -> Iterator[str]:
    """Yield the arguments with the words of each list joined to one; click reads options with a fixed number only.

    A list whose option is given again goes on: click would take the last one only.
    """
    known = {name: item for item in params if isinstance(item, click.Option) for name in item.opts}
    lists: dict[str, list[str]] = {}
    rest = deque(arguments)
    while rest and rest[0] != "--":
        word = rest.popleft()
        name, equals, value = word.partition("=")
        option = known.get(name)
        if isinstance(option, ValuesOption):
            lists.setdefault(option.opts[0], []).extend([value] if equals else option.take(rest))
            continue
        yield word
        if option is not None and not equals and not option.is_flag and rest:
            yield rest.popleft()  # a value may look like an option
    yield from (f"{name}={JOIN.join(words)}" for name, words in lists.items())
    yield from rest


def _parts(word: str) -> list[str]:
    return [part.strip() for part in word.split(",") if part.strip()]


def _is_option(word: str) -> bool:
    return len(word) > 1 and word.startswith("-") and not _NEGATIVE.match(word)
