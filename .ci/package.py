"""Assemble the plugin as users get it: ``build/dubai_landcover_plugin/`` and its zip.

Runs on any Python 3.9 or newer with the standard library alone. Only files that changed are rewritten, so that a
second run is quick and a QGIS that has the folder open is not disturbed.
"""

from __future__ import annotations

import configparser
import os
import stat
import subprocess  # nosec B404: git alone, with fixed arguments
import sys
import zipfile
from pathlib import Path, PurePosixPath

NAME = "dubai_landcover_plugin"
ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
FOLDERS = (NAME, "resources", "training")
FILES = (
    "requirements/engine.txt",
    "requirements/formats.txt",
    "requirements/torch.txt",
    "requirements/torch-cpu.txt",
    "requirements/training.txt",
    "requirements/uv.txt",
    "metadata.txt",
    "LICENSE",
    "README.md",
    "CHANGELOG.md",
)
HELP = BUILD / "help"
"""Pages that ``make package`` builds first; inside the plugin they are resources."""
LEFT_OUT = (".po", ".ts", "EXPERIMENTS.md")  # sources of translations, notes of developers
LIMIT_BYTES = 25_000_000
REQUIRED_KEYS = (
    "name", "description", "about", "version", "qgisMinimumVersion", "author", "email", "tracker", "repository",
)  # fmt: skip
BINARY_SUFFIXES = {".so", ".dll", ".pyd", ".dylib", ".exe", ".pyc", ".o", ".a"}
BINARY_STARTS = (b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")


def tracked() -> list[str]:
    """Return paths, relative to the repository, of every file that git tracks or does not ignore."""
    command = [
        "git",
        "-C",
        str(ROOT),
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
        *FOLDERS,
        *FILES,
    ]
    try:
        listed = subprocess.run(command, check=True, capture_output=True).stdout.decode()  # nosec B603
    except (OSError, subprocess.CalledProcessError):  # an unpacked archive has no git
        found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if "__pycache__" not in path.parts]
        paths = [path.relative_to(ROOT).as_posix() for path in [*found, *(ROOT / name for name in FILES)]]
    else:
        paths = [path for path in listed.split("\0") if path]
    return sorted({path for path in paths if (ROOT / path).is_file() and not path.endswith(LEFT_OUT)})


def contents() -> dict[str, Path]:
    """Return what goes into the plugin: path inside the plugin folder → file of the repository."""
    inside = {}
    for path in tracked():
        pure = PurePosixPath(path)
        inside[pure.relative_to(NAME).as_posix() if pure.parts[0] == NAME else path] = ROOT / path
    for path in sorted(HELP.rglob("*")):
        if path.is_file():
            inside[f"resources/help/{path.relative_to(HELP).as_posix()}"] = path
    return inside


def problems(inside: dict[str, Path]) -> list[str]:
    """Return what the QGIS plugin repository would refuse, one sentence each."""
    found = [f"{name} is missing." for name in ("metadata.txt", "LICENSE", "__init__.py") if name not in inside]
    if "metadata.txt" in inside:
        metadata = configparser.ConfigParser(interpolation=None)
        metadata.read(inside["metadata.txt"], encoding="utf-8")
        keys = metadata["general"] if metadata.has_section("general") else {}
        found += [f"metadata.txt lacks '{key}'." for key in REQUIRED_KEYS if not keys.get(key, "").strip()]
    for name, source in inside.items():
        parts = PurePosixPath(name).parts
        if any(part.startswith(".") or part == "__MACOSX" for part in parts):
            found.append(f"{name} is hidden.")
        if source.is_symlink():
            found.append(f"{name} is a link.")
        with source.open("rb") as stream:
            start = stream.read(4)
        if PurePosixPath(name).suffix in BINARY_SUFFIXES or start.startswith(BINARY_STARTS):
            found.append(f"{name} is a binary.")
        if source.stat().st_mode & stat.S_IXUSR:
            found.append(f"{name} is executable.")
    return found


def assemble(inside: dict[str, Path], target: Path) -> None:
    """Make ``target`` hold exactly ``inside``; unchanged files are left alone."""
    for path in sorted(target.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if path.name != "__pycache__" and not any(path.iterdir()):
                path.rmdir()
        elif path.relative_to(target).as_posix() not in inside and path.suffix != ".pyc":
            path.unlink()
    for name, source in inside.items():
        path = target / name
        data = source.read_bytes()
        if not path.is_file() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_name(path.name + ".new")
            fresh.write_bytes(data)
            fresh.chmod(0o644)
            os.replace(fresh, path)


def archive(inside: dict[str, Path], target: Path) -> None:
    """Write the zip: sorted names, one date, one mode, so that equal files give equal bytes."""
    fresh = target.with_name(target.name + ".new")
    with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as package:
        for name in sorted(inside):
            entry = zipfile.ZipInfo(f"{NAME}/{name}", date_time=(2020, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            package.writestr(entry, inside[name].read_bytes())
    os.replace(fresh, target)


def main() -> int:
    """Assemble, zip, check; return 1 when the plugin repository would refuse the result."""
    inside = contents()
    folder, package = BUILD / NAME, BUILD / f"{NAME}.zip"
    BUILD.mkdir(exist_ok=True)
    folder.mkdir(exist_ok=True)
    assemble(inside, folder)
    archive(inside, package)
    found = problems(inside)
    if "resources/help/index.html" not in inside:
        found.append("The help is missing: run 'make package'.")
    size = package.stat().st_size
    if size > LIMIT_BYTES:
        found.append(f"The zip has {size / 1e6:.1f} MB, the limit is {LIMIT_BYTES / 1e6:.0f} MB.")
    print(f"build/{NAME}: {len(inside)} files, zip {size / 1e6:.2f} MB")
    for problem in found:
        print(f"  {problem}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
