"""Which files a request writes, those beside the named ones too, and the check of all of them before any work."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from dubai_landcover_plugin.core.io.files import check_writable
from dubai_landcover_plugin.core.io.vector_writer import check_vector_writable, vector_files
from dubai_landcover_plugin.protocol.errors import OutputError


def record_path(output: str | Path) -> Path:
    """Return the path of the run record of a classified raster."""
    output = Path(output)
    return output.with_name(f"{output.stem}.run.json")


def legend_path(path: str | Path) -> Path:
    """Return where GDAL looks for the legend of a raster."""
    return Path(f"{path}.aux.xml")


def output_files(files: Iterable[str | Path], vectors: Iterable[str | Path]) -> list[str]:
    """Return every file that outputs may consist of, vector files with all their parts."""
    return [*map(str, files), *(str(part) for path in vectors for part in vector_files(path))]


def check_outputs(
    files: Iterable[str | Path],
    vectors: Iterable[str | Path],
    overwrite: bool,
    inputs: tuple[str, ...] = (),
    leftovers: Iterable[str | Path] = (),
) -> None:
    """Refuse outputs that cannot be written, or that are one another or an input under another name.

    Args:
        files: Rasters, tables, pages and whatever else is one file.
        vectors: Vector files, which may have parts.
        overwrite: Whether what exists may be replaced.
        inputs: Files that are read.
        leftovers: Files that are replaced in any case: without what they belong to they lie about whatever comes.

    Raises:
        OutputError: if one is refused.
    """
    files, vectors, leftovers = list(files), list(vectors), list(leftovers)
    for path in files:
        check_writable(path, overwrite, inputs)
    for path in leftovers:
        check_writable(path, True, inputs)
    for path in vectors:
        check_vector_writable(path, overwrite, inputs)
    paths = output_files([*files, *leftovers], vectors)
    places = [os.path.normcase(os.path.realpath(path)) for path in paths]
    for path, place in zip(paths, places, strict=True):
        if places.count(place) > 1:
            raise OutputError(f"{path} would be written twice.", "Give each output a path of its own.")
