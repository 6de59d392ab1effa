"""Which files a raster may make GDAL open: local raster files, and the network only for a raster that is remote itself.

A raster from elsewhere can name other places: a virtual raster its sources, overviews and masks beside a file theirs.
:func:`check_path` follows these names before GDAL opens anything.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from xml.parsers import expat

from dubai_landcover_plugin.protocol.errors import RasterOpenError
from dubai_landcover_plugin.protocol.translation import tr

_HEAD = 1024  # bytes by which a file that names other files is recognised
_DEPTH = 16  # virtual rasters inside virtual rasters
_NETWORK = re.compile(r"/vsi(curl|s3|gs|az|adls|oss|swift|hdfs|webhdfs)")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_LOCAL_SCHEMES = {"file", "zip", "tar", "gzip", "vrt"}
_VSI = re.compile(r"/vsi\w+")
_LOCAL_VSI = {"/vsizip", "/vsigzip", "/vsitar", "/vsi7z", "/vsirar", "/vsimem"}
_PREFIX = re.compile(r"([A-Za-z]\w+):")  # of a connection string; a drive has one letter
_LOCAL_PREFIXES = ("NETCDF", "HDF", "GTIFF_DIR", "GPKG", "NITF_", "SENTINEL2_", "ZARR", "GRIB", "BAG", "RASTERLITE")
_SIDECARS = (".ovr", ".msk", ".aux", ".aux.xml", ".OVR", ".MSK")
_FILE_TAG = re.compile(r"file|dataset|dem|href|url", re.IGNORECASE)  # elements and keys whose text is a path
_REMEDY = "Use a raster file on this computer, or make a GeoTIFF of it with a program that you trust with the source."


def is_remote(path: str) -> bool:
    """Return whether GDAL fetches a raster over the network."""
    if path.lstrip().startswith("<"):  # a virtual raster as text
        return False
    schemes = {part.lower() for scheme in _SCHEME.findall(path) for part in scheme.split("+")}
    return bool(_NETWORK.search(path) or schemes - _LOCAL_SCHEMES)


def check_path(path: str) -> None:
    """Refuse a raster that is not a file or makes GDAL open the network, a pipe, a device or any kind of bytes.

    Paths that are remote themselves pass: the user has named the network.

    Raises:
        RasterOpenError: naming the reference.
    """
    if not is_remote(path):
        _check(path, path, ())


def check_metadata(path: str, overview_file: str | None, description: str) -> None:
    """Refuse what only an open raster shows: the file of its overviews, and a virtual raster inside an archive.

    Raises:
        RasterOpenError: naming the reference.
    """
    if is_remote(path):
        return
    if overview_file:
        name = overview_file.replace(":::BASE:::", "")
        _check(name if name == overview_file else str(Path(path).parent / name), path, (path,))
    if description:
        _check_text(description.encode(), path, Path(), (path,))


def _check(reference: str, path: str, parents: tuple[str, ...]) -> None:
    """Check one reference of ``path``, and the references in it."""
    if len(parents) > _DEPTH:
        raise _refused(path, reference, tr("nested in more than {limit} virtual rasters", limit=_DEPTH))
    if reference.lstrip().startswith("<"):
        _check_text(reference.encode(), path, Path(), parents)
        return
    if reference.startswith("vrt://"):
        _check(reference[len("vrt://") :].partition("?")[0], path, parents)
        return
    if is_remote(reference):
        raise _refused(path, reference, tr("on the network"))
    if any(part not in _LOCAL_VSI for part in _VSI.findall(reference)):
        raise _refused(path, reference, tr("not a raster file"))
    file = reference.removeprefix("file://")
    mode = _mode(file)
    if mode is None:  # an archive, a subdataset, a missing file
        prefix = _PREFIX.match(reference)
        if prefix and parents and not prefix[1].upper().startswith(_LOCAL_PREFIXES):
            raise _refused(path, reference, tr("not a raster file"))
    elif not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise _refused(path, reference, tr("a pipe, a device or a socket"))
    elif file in parents and _is_text(_head(file)):
        raise RasterOpenError(
            tr("{path} is a virtual raster that contains itself.", path=path[:200]),
            tr("Make the virtual raster again."),
        )
    elif stat.S_ISREG(mode) and file not in parents:
        _check_file(file, path, (*parents, file))


def _check_file(file: str, path: str, parents: tuple[str, ...]) -> None:
    """Check the references in a file and in the files that GDAL reads with it."""
    for suffix in _SIDECARS:
        beside = file + suffix
        mode = _mode(beside)
        if mode is None:
            continue
        if not stat.S_ISREG(mode):
            raise _refused(path, beside, tr("a pipe, a device or a socket"))
        if suffix != ".aux.xml" and _is_text(_head(beside)):
            raise _refused(path, beside, tr("not an image"))
    head = _head(file)
    if _is_text(head):
        if b"<vrtdataset" not in head.lower() and len(parents) > 1:
            raise _refused(path, file, tr("a description and not an image"))
        _check_text(Path(file).read_bytes(), path, Path(file).parent, parents)


def _check_text(text: bytes, path: str, folder: Path, parents: tuple[str, ...]) -> None:
    """Check all references in the text of a virtual raster."""
    if b"<vrtdataset" not in text[:_HEAD].lower():
        return  # a description in another format: the list of formats decides
    seen = set()
    for tag, attributes, value in _file_names(text, path):
        relative = attributes.get("relativetovrt") == "1"
        reference = str(folder / value) if relative and not value.startswith(("<", "/vsi")) else value
        if reference in seen:
            continue
        seen.add(reference)
        if tag == "pixelfunctionlanguage" and value.lower() != "c":
            raise _refused(path, tr("a pixel function"), tr("written in {value}", value=value))
        if tag != "pixelfunctionlanguage":
            if attributes.get("raw") and not _is_inside(Path(reference), folder):
                raise _refused(path, reference, tr("read as raw bytes from outside the raster's folder"))
            _check(reference, path, parents or ("",))


def _file_names(text: bytes, path: str) -> Iterator[tuple[str, dict[str, str], str]]:
    """Yield the elements of a virtual raster that name a file: tag and attributes in lower case, text.

    Raises:
        RasterOpenError: if the text is not XML or declares entities.
    """
    found: list[tuple[str, dict[str, str], list[str]]] = []
    stack: list[tuple[str, dict[str, str], list[str]]] = []

    def start(tag: str, given: dict[str, str]) -> None:
        attributes = {name.lower(): value for name, value in given.items()} if given else given
        if "rawrasterband" in attributes.get("subclass", "").lower() or (stack and "raw" in stack[-1][1]):
            attributes["raw"] = "1"  # inherited by the elements inside
        stack.append((tag.lower(), attributes, []))

    def end(_: str) -> None:
        tag, attributes, parts = stack.pop()
        if parts and (_FILE_TAG.search(f"{tag} {attributes.get('key', '')}") or tag == "pixelfunctionlanguage"):
            found.append((tag, attributes, parts))

    def refuse(*_: object) -> None:
        raise RasterOpenError(tr("{path} declares XML entities.", path=path), tr("Make the virtual raster again."))

    def read(data: str) -> None:
        stack[-1][2].append(data)

    parser = expat.ParserCreate(encoding="iso-8859-1" if not _is_utf8(text) else None)
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = read
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise RasterOpenError(
            tr("{path} is not valid XML: {error}.", path=path, error=error), tr("Make the virtual raster again.")
        ) from error
    for tag, attributes, parts in found:
        value = "".join(parts).strip()
        if value:
            yield tag, attributes, value


def _mode(file: str) -> int | None:
    """Return the type and the permissions of a file; None where there is none."""
    try:
        return os.stat(file).st_mode
    except (OSError, ValueError):  # ValueError: a zero byte in the name
        return None


def _head(file: str) -> bytes:
    try:
        with open(file, "rb") as stream:
            return stream.read(_HEAD)
    except OSError:
        return b""


def _is_text(head: bytes) -> bool:
    """Return whether a file begins as XML or JSON."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"<", b"{", b"[")


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_inside(file: Path, folder: Path) -> bool:
    return folder.resolve() in file.resolve().parents


def _refused(path: str, reference: str, state: str) -> RasterOpenError:
    shown = path[:200]
    if reference == path:
        return RasterOpenError(
            tr("{shown} cannot be read: it is {state}.", shown=shown, state=state), tr("Choose a raster file.")
        )
    return RasterOpenError(
        tr(
            "{shown} is not read: it refers to {reference}, which is {state}.",
            shown=shown,
            reference=reference[:200],
            state=state,
        ),
        tr(_REMEDY),
    )
