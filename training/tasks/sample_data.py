"""Make Sample Data: a synthetic town and labels of some places of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import rasterio.crs
import rasterio.features
import shapely
from affine import Affine

from dubai_landcover_plugin.core.io.output_check import check_outputs
from dubai_landcover_plugin.core.io.vector_writer import VectorWriter
from dubai_landcover_plugin.core.teaching.label_form import LABEL_FIELDS, label_style_qml
from dubai_landcover_plugin.protocol.classes import DUBAI, coloured
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.requests.training import SampleDataRequest, SampleDataResult
from dubai_landcover_plugin.protocol.translation import tr

from ..synthetic.scenes import CRS, ORIGIN, draw_scene, write_image, write_truth

_GAP = 32  # px between places
Pixels = npt.NDArray[np.uint8]


def make_sample_data(request: SampleDataRequest, monitor: Monitor | None = None) -> SampleDataResult:
    """Write a synthetic image, and if wanted polygons of the classes in some squares, as a person would label them.

    Args:
        request: Outputs, size and number of places.
        monitor: Receives progress; may cancel. None: progress is logged.

    Raises:
        RequestError: if the places do not fit into the image.
        OutputError: if a file exists or cannot be written.
        RunCancelled: if the monitor cancels.
    """
    monitor = monitor or LoggingMonitor()
    check_outputs(request)
    places = choose_squares(request.size, request.place, request.count, request.seed) if request.labels else []
    monitor.report(0, 3, tr("drawing the town"))
    scene = draw_scene(request.seed, request.size)
    raise_if_cancelled(monitor)
    write_image(request.output, scene.image)
    if request.truth:
        write_truth(request.truth, scene.truth)
    polygons = 0
    if request.labels:
        monitor.report(9, 10, tr("Drawing the labels"))
        polygons = _write_labels(request.labels, scene.truth, places, request, monitor)
    monitor.report(10, 10, "")
    pixels = np.zeros(256, np.int64)
    for row, col in places:
        pixels += np.bincount(scene.truth[row : row + request.place, col : col + request.place].ravel(), minlength=256)
    counts = {entry.name: int(pixels[entry.id]) for entry in DUBAI.classes}
    return SampleDataResult(request.output, request.labels, request.truth, polygons, counts)


def _write_labels(
    path: str, truth: Pixels, places: list[tuple[int, int]], request: SampleDataRequest, monitor: Monitor
) -> int:
    """Write the labels of places and return how many they are."""
    transform = Affine.translation(*ORIGIN) @ Affine.scale(1, -1)
    shapes, names = label_polygons(truth, places, request.place, transform)
    style = label_style_qml(coloured(DUBAI))
    crs = rasterio.crs.CRS.from_string(CRS)
    with VectorWriter(path, "Polygon", crs, LABEL_FIELDS, style, request.overwrite) as file:
        file.write(shapes, {"class": names, "note": np.full(len(names), None, object)})
        file.finish(monitor)
    return len(names)


def choose_squares(size: int, side: int, count: int, seed: int) -> list[tuple[int, int]]:
    """Return upper left corners, row and column, of random squares that do not touch, on a grid.

    Raises:
        RequestError: if there are more squares than fit.
    """
    across = (size + _GAP) // (side + _GAP)
    if count > across**2:
        raise RequestError(
            tr(
                "{count} places of {side} px do not fit into {size} px; {fitting} do.",
                count=count,
                side=side,
                size=size,
                fitting=across**2,
            ),
            tr("Choose fewer or smaller ones."),
        )
    chosen = np.sort(np.random.default_rng([21, seed]).choice(across**2, count, replace=False))
    return [(int(cell) // across * (side + _GAP), int(cell) % across * (side + _GAP)) for cell in chosen]


def label_polygons(
    truth: Pixels, places: list[tuple[int, int]], side: int, transform: Affine
) -> tuple[npt.NDArray[np.object_], npt.NDArray[np.object_]]:
    """Return the regions of one class in some squares as polygons, and the names of their classes.

    Args:
        truth: (H, W) class ids.
        places: Upper left corners, row and column.
        side: Side of the squares, px.
        transform: From pixels to coordinates.
    """
    shapes, names = [], []
    by_id = {entry.id: entry.name for entry in DUBAI.classes}
    for row, col in places:
        part = np.ascontiguousarray(truth[row : row + side, col : col + side])
        here = transform @ Affine.translation(col, row)
        for geometry, value in rasterio.features.shapes(part, mask=part > 0, transform=here):
            shapes.append(shapely.geometry.shape(geometry))
            names.append(by_id[int(value)])
    return np.array(shapes, object), np.array(names, object)
