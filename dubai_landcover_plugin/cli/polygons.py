"""``landcover polygons``: one file of all classes, or a folder with a file for each class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.cli.options import Outcome, command, parameter, parameters_of
from dubai_landcover_plugin.cli.terminal import TerminalMonitor
from dubai_landcover_plugin.cli.values import Argument
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.options import VECTOR_SUFFIXES
from dubai_landcover_plugin.protocol.requests.polygons import (
    ClassFilesRequest,
    ClassFilesResult,
    PolygonizeRequest,
    PolygonizeResult,
)


def _run(values: dict[str, Any], monitor: TerminalMonitor) -> Outcome:
    from dubai_landcover_plugin.core.polygons.polygonize import export_class_polygons, polygonize

    if not values.get("classes"):
        values.pop("classes", None)
    if values["output"].lower().endswith(tuple(VECTOR_SUFFIXES)):
        result = polygonize(PolygonizeRequest.from_options(values), monitor)
        return Outcome(result.to_json(), _lines(result, dict.fromkeys(result.counts, result.file)))
    if suffix := Path(values["output"]).suffix:
        raise RequestError(
            f"{values['output']} is neither a folder nor a vector file that can be written: {suffix} is not among "
            f"{', '.join(VECTOR_SUFFIXES)}.",
            "Choose one of these, or a folder without a dot in its name.",
        )
    request = ClassFilesRequest.from_options({**values, "output_folder": values["output"]})
    written = export_class_polygons(request, monitor)
    return Outcome(written.to_json(), _lines(written, written.files))


def _lines(result: PolygonizeResult | ClassFilesResult, files: Mapping[str, str]) -> Iterator[str]:
    for name, path in files.items():
        yield f"{name:12s} {result.counts[name]:9,} polygons  {path}"
    yield "Areas        raster, after merging small regions, polygons; 0 gaps, 0 overlaps"
    for name, areas in result.conservation["areas"].items():
        yield f"{name:12s} " + " ".join(f"{value:15,.0f}" for value in areas.values())


_OUTPUT = Argument(
    "output", f"A vector file ({', '.join(VECTOR_SUFFIXES)}) for all classes, or a folder for one file per class."
)
_FORMAT = next(item for item in ClassFilesRequest.described() if item.name == "suffix")
_INPUT, *_OPTIONS = parameters_of(PolygonizeRequest, skip=["output"])
POLYGONS = command(
    "polygons",
    "Polygons of a classified raster.\n\nA file gets all classes, a folder Building and Road, unless --classes names "
    "others. --format applies to a folder.",
    [_INPUT, _OUTPUT, *_OPTIONS, parameter(_FORMAT)],
    _run,
)
