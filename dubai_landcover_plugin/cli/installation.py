"""``landcover models`` and ``landcover doctor``: installed models and packages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dubai_landcover_plugin.cli.options import Outcome, command
from dubai_landcover_plugin.cli.terminal import TerminalMonitor
from dubai_landcover_plugin.protocol.model_folders import installed_models, readable_models


def _models(values: dict[str, Any], monitor: TerminalMonitor) -> Outcome:
    installed = installed_models()
    readable, problems = readable_models(installed)
    for problem in problems:
        monitor.log("warning", problem)
    listed = [
        {"name": name, "title": metadata.title, "gsd": metadata.gsd, "path": str(installed[name])}
        for name, metadata in readable.items()
    ]
    return Outcome(listed, (f"{one['name']}: {one['title']} ({one['gsd']:g} m/px)\n  {one['path']}" for one in listed))


def _doctor(values: dict[str, Any], monitor: TerminalMonitor) -> Outcome:
    from dubai_landcover_plugin.core import doctor

    found = doctor.examine()
    return Outcome(found, _findings(found), 1 if found["problems"] else 0)


def _findings(found: dict[str, Any]) -> Iterator[str]:
    yield f"Interpreter  {found['python']}"
    yield f"Package      {found['package']}"
    yield "Versions     " + ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    yield f"Device       {found['device']}, {found['precision']}"
    free = found["free_disk_gb"]
    yield f"Free disk    {'unknown: no home folder' if free is None else f'{free} GB in the home folder'}"
    for model in found["models"]:
        yield f"Model        {model['name']}: {model['title']}"
    for problem in found["problems"]:
        yield f"PROBLEM      {problem}"
    if not found["problems"]:
        yield "Everything needed is there."


MODELS = command("models", "List the installed models.", [], _models, polls=False)
DOCTOR = command("doctor", "Check the installation.", [], _doctor, polls=False)
