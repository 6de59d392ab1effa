"""Runs a command line: its errors and exit statuses, and the boundary at which every other exception ends."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import click

from dubai_landcover_plugin.protocol.address_space import check_address_space
from dubai_landcover_plugin.protocol.errors import LandCoverError, OutOfMemoryError, OutputError, RunCancelled
from dubai_landcover_plugin.protocol.failures import explained
from dubai_landcover_plugin.protocol.streams import open_standard_streams, silence, write_text

FAILED = 1
WRONG_USE = 2
CANCELLED = 130  # exit status, as of a program that Ctrl+C ended


@dataclass(frozen=True)
class Program:
    """A command line.

    Args:
        name: Name of the program, for its help.
        label: Prefix of error messages.
        commands: The commands, a ``click.Group`` or command.
        interrupted: Message after Ctrl+C; empty for none.
        hint: Sentence added to the remedy if the disk is full or memory is short.
        training: Whether the commands train, so that they lack the options of a run.
    """

    name: str
    label: str
    commands: click.Command
    interrupted: str = ""
    hint: str = ""
    training: bool = False

    def run(
        self, arguments: Sequence[str] | None = None, obj: Any = None, before_message: Callable[[], None] = lambda: None
    ) -> int:
        """Run a command; return the exit status: 0 done, 1 failed, 2 wrong use, 130 cancelled.

        Args:
            arguments: Words of the command line; None for those of this process.
            obj: Object of the click context.
            before_message: Called before an error message is printed.
        """
        # An explicit list: click would expand patterns such as *.tif on Windows.
        words = list(sys.argv[1:] if arguments is None else arguments)
        status, message = self._outcome(words, obj)
        before_message()
        if not write_text(sys.stdout, "") and status == 0:  # text that was printed but not flushed
            status, message = FAILED, f"{self.label}: Standard output cannot be written; redirect it elsewhere."
        if message:
            write_text(sys.stderr, f"{message}\n")
        return status

    def _outcome(self, words: list[str], obj: Any) -> tuple[int, str]:
        """Return exit status and message."""
        try:
            check_address_space()
            status = self.commands.main(words, prog_name=self.name, standalone_mode=False, obj=obj) or 0
            return int(status), ""
        except RunCancelled as error:
            return CANCELLED, f"{self.label}: {error.message}"
        except (KeyboardInterrupt, click.Abort):
            return CANCELLED, self.interrupted
        except click.ClickException as error:
            return WRONG_USE, self._usage(error)
        except Exception as error:
            return FAILED, f"{self.label}: {self._explained(error)}"

    def _explained(self, error: Exception) -> LandCoverError:
        found = explained(error, self.training)
        if found is not error and self.hint and isinstance(found, (OutOfMemoryError, OutputError)):
            found.remedy = f"{found.remedy} {self.hint}".strip()
        return found

    def _usage(self, error: click.ClickException) -> str:
        """Return the message of a wrong use in one line, with the command that shows the help."""
        context = getattr(error, "ctx", None)
        path = context.command_path if context is not None else self.name
        return f"{path}: {' '.join(error.format_message().split())} Try '{path} --help'."


def prepare_streams() -> None:
    """Open closed standard streams, and print file names of any encoding."""
    open_standard_streams()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_result(text: str) -> None:
    """Print a result.

    Raises:
        OutputError: if standard output cannot be written.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise  # click ends the program without a message
    except OSError as error:
        silence(sys.stdout)
        raise OutputError(
            f"The result cannot be printed: {error.strerror}.", "The files are complete; redirect the output elsewhere."
        ) from error
