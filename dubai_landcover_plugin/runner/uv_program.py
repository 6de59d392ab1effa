"""The pinned uv, from its wheel on the package index, checked by SHA-256 before it runs."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import re
import sys
import zipfile
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Callable
from urllib.parse import urljoin

from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.errors import EngineSetupError
from dubai_landcover_plugin.runner.package_sources import Sources, installer_environment

Fetch = Callable[[str, Monitor], bytes]
"""Returns the content of a web address; QGIS's network manager does, so that its proxy and certificates count."""

LOCK = "uv.txt"
_INDEX = "https://pypi.org/simple"
_LINK = re.compile(r'<a\s[^>]*href="([^"#]+)[^"]*"[^>]*>\s*([^<\s]+)\s*</a>', re.IGNORECASE)
_MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "aarch64", "aarch64": "aarch64"}
_PLATFORMS = {
    ("linux", "x86_64"): r"manylinux_\d+_\d+_x86_64|manylinux2014_x86_64",
    ("linux", "aarch64"): r"manylinux_\d+_\d+_aarch64|manylinux2014_aarch64",
    ("win32", "x86_64"): "win_amd64",
    ("win32", "aarch64"): "win_arm64",
    ("darwin", "x86_64"): r"macosx_\d+_\d+_x86_64",
    ("darwin", "aarch64"): r"macosx_\d+_\d+_arm64",
}


def program_name() -> str:
    """Return the file name of uv on this system."""
    return "uv.exe" if sys.platform == "win32" else "uv"


def uv_program(
    folder: Path,
    requirements: Path,
    fetch: Fetch,
    monitor: Monitor,
    wheels: Path | None = None,
    sources: Sources | None = None,
) -> str:
    """Return the path of the pinned uv in a folder, where it is put if it is not there.

    Args:
        folder: Folder of the plugin's programs.
        requirements: Folder of the locked requirement files.
        fetch: Fetches the wheel.
        monitor: Receives messages; may cancel.
        wheels: A folder with the wheel, instead of the index.
        sources: Where packages come from; None for the usual places.

    Raises:
        EngineSetupError: if there is no wheel for this computer, or the one found is not the pinned one.
        RunCancelled: if the monitor cancels.
    """
    version, hashes = _pinned(requirements / LOCK)
    program = folder / f"uv-{version}" / program_name()
    if program.is_file():
        return str(program)
    monitor.log("info", tr("Fetching uv {version}", version=version))
    content = _from_folder(wheels, version) if wheels is not None else _from_index(version, fetch, monitor, sources)
    if hashlib.sha256(content).hexdigest() not in hashes:
        raise EngineSetupError(
            tr("The wheel of uv {version} is not the one that this plugin was made with (SHA-256).", version=version),
            tr("Check the package index or the folder of wheels, then try again."),
        )
    return str(_unpacked(content, program))


def _pinned(lock: Path) -> tuple[str, frozenset[str]]:
    """Return the version and the hashes of its wheels."""
    text = lock.read_text(encoding="utf-8")
    found = re.search(r"^uv==(\S+)", text, re.MULTILINE)
    if found is None:
        raise EngineSetupError(tr("{lock} names no version of uv.", lock=lock), tr("Install the plugin again."))
    return found[1], frozenset(re.findall(r"sha256:([0-9a-f]{64})", text))


def _from_folder(folder: Path, version: str) -> bytes:
    for path in sorted(folder.glob(f"uv-{version}-*.whl")):
        if _suits(path.name, version):
            return path.read_bytes()
    raise _missing(version, str(folder))


def _from_index(version: str, fetch: Fetch, monitor: Monitor, sources: Sources | None) -> bytes:
    """Return the wheel for this computer from the package index of the user's settings."""
    page = f"{_index(installer_environment(sources=sources)).rstrip('/')}/uv/"
    listed = fetch(page, monitor).decode("utf-8", errors="replace")
    try:
        files = [(item["filename"], item["url"]) for item in json.loads(listed)["files"]]
    except (ValueError, KeyError, TypeError):  # an index that answers with HTML
        files = [(unescape(name), unescape(link)) for link, name in _LINK.findall(listed)]
    for name, link in files:
        if _suits(name, version):
            return fetch(urljoin(page, link), monitor)
    raise _missing(version, page)


def _index(environment: Mapping[str, str]) -> str:
    return environment.get("UV_DEFAULT_INDEX") or environment.get("UV_INDEX_URL") or _INDEX


def _suits(name: str, version: str) -> bool:
    """Return whether a file is the wheel for this computer."""
    tags = _PLATFORMS.get((sys.platform, _MACHINES.get(platform.machine().lower(), "")), "")
    return (
        bool(tags) and re.fullmatch(rf"uv-{re.escape(version)}-py3-none-[\w.]*?({tags})[\w.]*\.whl", name) is not None
    )


def _missing(version: str, place: str) -> EngineSetupError:
    return EngineSetupError(
        tr(
            "{place} has no wheel of uv {version} for this computer ({platform}, {machine}).",
            place=place,
            version=version,
            platform=sys.platform,
            machine=platform.machine(),
        ),
        tr("Install Python 3.12 from python.org (on Debian and Ubuntu: apt install python3-venv), then try again."),
    )


def _unpacked(content: bytes, program: Path) -> Path:
    """Write the program of a wheel, at once."""
    with zipfile.ZipFile(io.BytesIO(content)) as wheel:
        inside = next(name for name in wheel.namelist() if name.endswith(f"/scripts/{program.name}"))
        program.parent.mkdir(parents=True, exist_ok=True)
        new = program.with_suffix(".new")
        new.write_bytes(wheel.read(inside))
    new.chmod(0o755)
    os.replace(new, program)
    return program
