"""``landcover models`` and ``landcover doctor``: what is installed."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from dubai_landcover_plugin.cli.options import Terminal, add_command, print_json
from dubai_landcover_plugin.protocol.model_metadata import installed_models, read_metadata


def add_commands(commands: Any) -> None:
    """Add what this file runs."""
    add_command(commands, "models", _models, "list the installed models", polls=False)
    add_command(commands, "doctor", _doctor, "tell what is installed and what is missing", polls=False)


def _models(parsed: argparse.Namespace, monitor: Terminal) -> int:
    listed = []
    for name, path in installed_models().items():
        metadata = read_metadata(path)
        listed.append({"name": name, "title": metadata.title, "gsd": metadata.gsd, "path": str(path)})
    if parsed.json:
        print_json(listed)
    else:
        for model in listed:
            sys.stdout.write(f"{model['name']}: {model['title']} ({model['gsd']:g} m/px)\n  {model['path']}\n")
    return 0


def _doctor(parsed: argparse.Namespace, monitor: Terminal) -> int:
    from dubai_landcover_plugin.core.doctor import examine

    found = examine()
    if parsed.json:
        print_json(found)
    else:
        sys.stdout.write(f"Interpreter  {found['python']}\nPackage      {found['package']}\n")
        sys.stdout.write("Versions     " + ", ".join(f"{k} {v}" for k, v in found["versions"].items()) + "\n")
        sys.stdout.write(f"Device       {found['device']}, {found['precision']}\n")
        sys.stdout.write(f"Free disk    {found['free_disk_gb']} GB in the home folder\n")
        for model in found["models"]:
            sys.stdout.write(f"Model        {model['name']}: {model['title']}\n")
        for problem in found["problems"]:
            sys.stdout.write(f"PROBLEM      {problem}\n")
        if not found["problems"]:
            sys.stdout.write("Everything needed is there.\n")
    return 1 if found["problems"] else 0
