"""Sizes that the headers of raw formats describe: GDAL reads zeros, without an error, behind the end of such files."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import rasterio

_PCIDSK_GROWTH = 16 * 8192  # bytes by which tiled files grow; the last ones may be counted and not written
_HFA_DEPTH = 100_000  # entries of a damaged tree
_HFA_ENTRY = struct.Struct("<6I64s32s")  # next, previous, parent, child, data, size of data; name, type
_HFA_STATE = struct.Struct("<iiiHII")  # blocks, objects, next object, compression; number and place of block records
_HFA_BLOCK = struct.Struct("<HIIHH")  # file, offset, size, whether it is written, compression


def sizes_needed(dataset: rasterio.DatasetReader) -> Iterator[tuple[Path, int]]:
    """Yield the local files of a raster in ENVI, PCIDSK, PCRaster, ERDAS Imagine or SQLite format, with the least size.

    Source: PCIDSK Database File Specification, PCI Geomatics; ERDAS IMAGINE .img files,
    https://home.gdal.org/projects/imagine/iau_docu2.pdf; https://www.sqlite.org/fileformat2.html.
    """
    file = Path(dataset.files[0]) if dataset.files else Path()
    if not file.is_file():  # in an archive, or remote
        return
    pixels: int = dataset.width * dataset.height * sum(np.dtype(kind).itemsize for kind in dataset.dtypes)
    if dataset.driver == "ENVI":
        header = dataset.tags(ns="ENVI")
        offset = header.get("header_offset", "0")
        if header.get("file_compression", "0") == "0":
            yield file, pixels + (int(offset) if offset.isdigit() else 0)
    elif dataset.driver == "PCRaster":
        yield file, pixels
    elif dataset.driver == "PCIDSK":
        yield file, _pcidsk(file) - (_PCIDSK_GROWTH if dataset.block_shapes[0][0] > 1 else 0)
    elif dataset.driver == "HFA":
        yield file, _hfa(file)
        for spill in map(Path, dataset.files):
            if spill.suffix.lower() == ".ige" and spill.is_file():
                yield spill, _spilled(dataset)
    elif dataset.driver in ("GPKG", "MBTiles"):
        yield file, _sqlite(file)


def may_be_cut(file: Path) -> bool:
    """Return whether a source of a virtual raster has a format of :func:`sizes_needed`, or is virtual itself."""
    if file.with_suffix(".hdr").is_file() or Path(f"{file}.hdr").is_file():
        return True
    try:
        with file.open("rb") as stream:
            head = stream.read(256)
    except OSError:
        return False
    return head.startswith((b"PCIDSK", b"RUU CROS", b"EHFA_HEADER_TAG", b"SQLite")) or b"<vrtdataset" in head.lower()


def _pcidsk(file: Path) -> int:
    with file.open("rb") as stream:
        blocks = stream.read(32)[16:]  # of 512 bytes, as text
    return 512 * int(blocks) if blocks.strip().isdigit() else 0


def _sqlite(file: Path) -> int:
    """Return the size of all pages of a SQLite database; 0 if its header does not state it."""
    with file.open("rb") as stream:
        header = stream.read(100)
    if len(header) < 100:
        return 100
    page, changes, pages, valid_for = (
        struct.unpack_from(kind, header, place)[0] for kind, place in ((">H", 16), (">I", 24), (">I", 28), (">I", 92))
    )
    return (65536 if page == 1 else page) * pages if changes == valid_for else 0


def _spilled(dataset: rasterio.DatasetReader) -> int:
    """Return the size of the pixels in a spill file of ERDAS Imagine (.ige): whole blocks, uncompressed."""
    return sum(
        math.ceil(dataset.height / height) * height * math.ceil(dataset.width / width) * width * np.dtype(kind).itemsize
        for (height, width), kind in zip(dataset.block_shapes, dataset.dtypes)
    )


def _hfa(file: Path) -> int:
    """Return the end of the last block of pixels that an ERDAS Imagine file lists."""
    content = np.memmap(file, np.uint8, "r").data
    end = 0
    try:
        (header,) = struct.unpack_from("<I", content, 16)
        (root,) = struct.unpack_from("<I", content, header + 8)
        waiting = [root]
        for _ in range(_HFA_DEPTH):
            if not waiting:
                break
            following, _, _, child, data, size, _, kind = _HFA_ENTRY.unpack_from(content, waiting.pop())
            waiting += [place for place in (following, child) if place]
            if kind.startswith(b"Edms_State\0") and size >= _HFA_STATE.size:
                *_, count, place = _HFA_STATE.unpack_from(content, data)
                for index in range(count):
                    _, offset, length, is_written, _ = _HFA_BLOCK.unpack_from(content, place + index * _HFA_BLOCK.size)
                    end = max(end, offset + length if is_written else 0)
    except struct.error:  # the tree itself is cut
        return len(content) + 1
    return end
