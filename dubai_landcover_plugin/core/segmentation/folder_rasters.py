"""The rasters of a folder that a batch classifies, and the files that it leaves out."""

from __future__ import annotations

import fnmatch
import os
from dataclasses import dataclass
from pathlib import Path

import rasterio
from rasterio.errors import RasterioError

from dubai_landcover_plugin.core.io.outputs import RESULT_TAGS
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.monitor import Monitor
from dubai_landcover_plugin.protocol.partial_files import is_partial
from dubai_landcover_plugin.protocol.requests.folder import FolderRequest
from dubai_landcover_plugin.protocol.requests.options import SUFFIXES
from dubai_landcover_plugin.protocol.translation import joined, tr

_IMAGES = (".tif", ".tiff", ".vrt", ".jp2", ".img", ".png", ".jpg", ".jpeg", ".ecw", ".sid", ".bil", ".nc")
"""Files that a user may take for rasters of the folder, although the pattern does not."""
_NAMES = 20  # in the log


@dataclass(frozen=True)
class FolderRasters:
    """Rasters of a folder.

    Args:
        rasters: Those to classify, sorted.
        left_out: Path and reason of the other images, sorted by path.
    """

    rasters: tuple[Path, ...]
    left_out: tuple[tuple[str, str], ...]

    def log_left_out(self, monitor: Monitor) -> None:
        """Log which files are left out, and why."""
        for path, reason in self.left_out[:_NAMES]:
            monitor.log("info", tr("Left out: {path}, {reason}.", path=path, reason=reason))
        if len(self.left_out) > _NAMES:
            monitor.log("info", tr("Left out: {count} further files.", count=len(self.left_out) - _NAMES))


def find_rasters(request: FolderRequest) -> FolderRasters:
    """Return the rasters of the folder; results of this tool are known by their tags, whatever their names.

    Raises:
        RequestError: if the folder does not exist or has no raster to classify.
    """
    folder, results = Path(request.folder), Path(request.output_folder).resolve()
    if not folder.is_dir():
        raise RequestError(tr("The folder {folder} does not exist.", folder=folder), tr("Choose another folder."))
    patterns = [part.strip().lower() for part in request.pattern.split(";") if part.strip()]
    results_inside = folder.resolve() in results.parents
    rasters, left_out = [], []
    for path in folder.rglob("*") if request.recursive else folder.glob("*"):
        name = path.name.lower()
        if is_partial(path.parent.name):
            continue
        if not path.is_file() and (path.exists() or not path.is_symlink()):  # a link to a missing file is reported
            continue
        if results_inside and results in Path(os.path.realpath(path)).parents:
            continue
        matches = any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
        if not matches and not name.endswith(_IMAGES):
            continue
        reason = _reason(path, matches, request.pattern)
        if reason:
            left_out.append((str(path), reason))
        else:
            rasters.append(path)
    if not rasters:
        text = (
            tr("No file in {folder} or its subfolders matches {pattern}.", folder=folder, pattern=request.pattern)
            if request.recursive
            else tr("No file in {folder} matches {pattern}.", folder=folder, pattern=request.pattern)
        )
        if left_out:
            example = joined(left_out[0], mark="; ")
            others = tr("{count} images are left out, such as {example}.", count=len(left_out), example=example)
            text = f"{text} {others}"
        raise RequestError(text, tr("Change the pattern, or search subfolders."))
    return FolderRasters(tuple(sorted(rasters)), tuple(sorted(left_out)))


def _reason(path: Path, matches: bool, pattern: str) -> str:
    """Return why an image is left out; empty if it is not."""
    if not matches:
        return tr("its name does not match {pattern}", pattern=pattern)
    if path.name.startswith("."):
        return tr("it is hidden")
    return tr("it is a result of this tool") if _is_result(path) else ""


def _is_result(path: Path) -> bool:
    """Return whether a raster has the tags of a result; one that cannot be opened has none."""
    if not path.name.lower().endswith(SUFFIXES["raster"]):
        return False
    try:
        with rasterio.open(path) as dataset:
            return not RESULT_TAGS.isdisjoint(dataset.tags())
    except (RasterioError, OSError, UnicodeEncodeError):  # rasterio opens no name that is not UTF-8
        return False
