"""Options shared by the commands, and options that take a list of words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from dubai_landcover_plugin.cli.values import JOIN, Argument, Values, ValuesOption

CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

_Function = TypeVar("_Function", bound=Callable[..., Any])


class Words(Values):
    """A list of words such as file names, which may contain commas."""

    def __init__(self, name: str) -> None:
        super().__init__(name, str)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the words as a tuple."""
        return tuple(value.split(JOIN)) if isinstance(value, str) else value

    def accepts(self, word: str) -> bool:
        """Return True: every word can belong to the list."""
        return True


class WordsOption(ValuesOption):
    """Option that takes all words up to the next option: ``--groups tile1 tile3``."""

    @staticmethod
    def _is_open(word: str) -> bool:
        return True


class _Described(Argument):
    """Positional argument with a description, as :func:`click.argument` creates it."""

    def __init__(self, declarations: Sequence[str], text: str, **settings: Any) -> None:
        super().__init__(declarations[0], text, **settings)


def argument(name: str, text: str, required: bool = True) -> Callable[[_Function], _Function]:
    """Return a decorator that adds a positional argument with a description."""
    return click.argument(name, cls=_Described, text=text, required=required)


def words_option(name: str, metavar: str, text: str) -> Callable[[_Function], _Function]:
    """Return a decorator that adds a :class:`WordsOption`; its value is a tuple, empty if it is not given."""
    return click.option(
        name, cls=WordsOption, type=Words(metavar.lower()), metavar=f"{metavar}...", default=(), help=text
    )


def setting_option(text: str) -> Callable[[_Function], _Function]:
    """Return a decorator that adds ``--set SECTION.KEY=VALUE``, which may be repeated."""
    return click.option("--set", "settings", multiple=True, metavar="SECTION.KEY=VALUE", help=text)
