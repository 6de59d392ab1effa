"""Commands in the documentation exist, with the options and arguments that they are shown with."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from dubai_landcover_plugin.cli.main import landcover
from dubai_landcover_plugin.cli.values import _joined
from training.__main__ import training

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS: dict[str, click.Group] = {
    "landcover": landcover, "landcover-train": training, "python -m training": training,
}  # fmt: skip


def _blocks(text: str) -> list[str]:
    """Return the lines of code blocks, indented or fenced; lines that end in a backslash are joined to the next."""
    lines, fenced = [], False
    for line in text.splitlines():
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            lines.append(line.strip())
    return re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()


def _commands(program: str) -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for line in _blocks(page.read_text(encoding="utf-8")):
            command = line.removeprefix("$ ").removeprefix(".venv/bin/")
            if command.startswith(f"{program} "):
                found.append((page.name, command.removeprefix(f"{program} ")))
    return found


CASES = [(program, *case) for program in PROGRAMS for case in _commands(program)]


def test_commands_are_found():
    assert len(CASES) > 30
    assert {program for program, _, _ in CASES} == set(PROGRAMS)


@pytest.mark.parametrize(("program", "page", "line"), CASES, ids=[f"{page}: {line[:50]}" for _, page, line in CASES])
def test_a_command_is_one_of_the_program(program: str, page: str, line: str):
    name, *arguments = shlex.split(line, comments=True)
    if name.startswith("-"):
        assert name in ("--help", "--version", "-h")
        return
    group = PROGRAMS[program]
    parent = click.Context(group)
    command = group.get_command(parent, name)
    context = click.Context(command, info_name=name, parent=parent)
    values, left, _ = command.make_parser(context).parse_args(
        args=list(_joined(arguments, command.params))
    )  # refuses unknown options
    assert not left, f"{page}: {left} are too many arguments"
    for parameter in command.params:
        if isinstance(parameter, click.Argument) and parameter.required and "--help" not in arguments:
            assert values.get(parameter.name) not in (None, ()), f"{page}: {parameter.name} is missing in '{line}'"


def test_targets_of_make_exist():
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page, line in _commands("make"):
        named = [word for word in shlex.split(line, comments=True) if "=" not in word]
        assert set(named) <= targets, f"{page}: make {line}"
