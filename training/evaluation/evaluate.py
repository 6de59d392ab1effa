"""Evaluates a model against labels through the code of Segment Land Cover.

Each image is segmented by :func:`.segment_raster` to a class raster and a confidence raster in a temporary folder,
which are compared with the labels. The metrics therefore include all differences between training and inference:
windows, blending, half-precision weights, decoding, stretch.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.grid.grid import Grid
from dubai_landcover_plugin.core.grid.windows import Window
from dubai_landcover_plugin.core.segmentation.class_rows import CONFIDENCE_NODATA
from dubai_landcover_plugin.core.segmentation.segment import run_segmentation
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions
from dubai_landcover_plugin.protocol.translation import tr

from ..data.dataset import NOT_CLASS, Dataset, Entry, LabelledImage
from ..data.pixels import read_grid, second_of
from ..data.places import place_names
from ..errors import DatasetError
from .boundary import DISTANCE
from .figures import Evaluation, ImageResult
from .scores import Counts
from .selection import Selection

Pixels = npt.NDArray[np.uint8]
Draw = Callable[[LabelledImage, Pixels, ImageResult], None]
"""Receives an image with labels in the channels of the model, the predicted channels, and the counts."""


@dataclass(frozen=True, slots=True)
class Segmented:
    """Result of the segmentation of an image.

    Args:
        ids: (H, W) uint8 class ids, 0 for nodata.
        confidence: (H, W) uint8 percent, 255 for nodata.
        warnings: Warnings of the run.
    """

    ids: Pixels
    confidence: Pixels
    warnings: tuple[str, ...]


def segment_image(
    entry: Entry, image: LabelledImage, bundle: ModelBundle, options: SegmentOptions, folder: Path
) -> Segmented:
    """Segment an image: its file, the extent of its window in the file or, if that is unknown, its decoded pixels.

    Args:
        entry: Entry of the image.
        image: Decoded image.
        bundle: The model.
        options: Options of the segmentation.
        folder: Folder for temporary files.

    Raises:
        LandCoverError: if the segmentation fails.
    """
    grid = read_grid(entry.image)
    request = SegmentationRequest(
        input=str(entry.image.resolve()),
        output=str(folder / "classes.tif"),
        options=replace(options, overwrite=True),
        extent=None if entry.window is None else _extent(grid, entry.window),
        confidence=str(folder / "confidence.tif"),
    )
    if request.extent is None and (grid.height, grid.width) != image.labels.shape:
        pixels = write_pixels(folder / "image.tif", _raw(image))
        numbers = tuple(range(1, len(bundle.metadata.bands) + 1))
        request = replace(request, input=str(pixels), options=replace(request.options, bands=numbers))
    elif image.bands.second:
        second = str(second_of(entry.image, image.bands.second))
        request = replace(request, options=replace(request.options, second=second))
    size = entry.pixel_size()
    if size is not None and (entry.gsd or grid.crs is None or request.input != str(entry.image.resolve())):
        request = replace(request, options=replace(request.options, gsd=(size[0] * size[1]) ** 0.5))
    result = run_segmentation(request, bundle=bundle)
    return Segmented(_read(folder / "classes.tif"), _read(folder / "confidence.tif"), result.warnings)


def _raw(image: LabelledImage) -> npt.NDArray[Any]:
    """Return the pixels of an image in the units of its bands, from which a run scales them."""
    if image.bands.scaling is None:
        return image.pixels
    low, high = np.array(image.bands.scaling.limits, np.float32).T
    raw: npt.NDArray[np.float32] = low + image.pixels / np.float32(255) * (high - low)
    return raw


def _extent(grid: Grid, window: Window) -> tuple[float, float, float, float] | None:
    """Return xmin, ymin, xmax, ymax of a window; None on a rotated grid, on which the extent has more pixels."""
    if grid.transform.b or grid.transform.d:
        return None
    corners = ((window.col, window.row), (window.col + window.width, window.row + window.height))
    (left, right), (top, bottom) = (sorted(axis) for axis in zip(*(grid.transform @ c for c in corners), strict=True))
    return left, top, right, bottom


def write_pixels(path: Path, values: npt.NDArray[Any], photometric: str = "MINISBLACK") -> Path:
    """Write (H, W, C) values as a GeoTIFF without georeference; return its path.

    Args:
        path: File to write.
        values: Values of any type that GDAL knows.
        photometric: ``RGB`` for bands that are marked as red, green and blue, ``MINISBLACK`` for unmarked ones.
    """
    height, width, bands = values.shape
    profile = {"driver": "GTiff", "height": height, "width": width, "count": bands, "dtype": values.dtype}
    with _without_warnings(), rasterio.open(path, "w", photometric=photometric, **profile) as dataset:
        dataset.write(values.transpose(2, 0, 1))
    return path


def _read(path: Path) -> Pixels:
    with _without_warnings(), rasterio.open(path) as dataset:
        values: Pixels = dataset.read(1)
        return values


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Suppress NotGeoreferencedWarning: many training images are not georeferenced."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def evaluate(
    bundle: ModelBundle,
    dataset: Dataset,
    selection: Selection,
    options: SegmentOptions,
    distance: int = DISTANCE,
    report: Callable[[str], None] = print,
    draw: Draw | None = None,
) -> Evaluation:
    """Evaluate a model on the selected images.

    Args:
        bundle: The model.
        dataset: Dataset of the images.
        selection: Selected images.
        options: Options of the segmentation; the minimum confidence must be 0.
        distance: Distance of the boundary IoU, px.
        report: Receives a line of text for each image.
        draw: Called with each image and its prediction, or None.

    Raises:
        DatasetError: if an image cannot be loaded, or the labels have a class that the model lacks.
        LandCoverError: if a segmentation fails.
    """
    metadata = bundle.metadata
    results, warned = [], dict[str, None]()
    places = place_names(dataset, selection.entries)
    for entry in selection.entries:
        image, segmented, seconds = _segment(entry, bundle, options)
        image = in_channels_of(metadata.scheme, dataset.scheme, image)
        warned.update(dict.fromkeys(segmented.warnings))
        predicted = to_channels(segmented.ids, metadata.scheme)
        confidence = np.where(segmented.confidence == CONFIDENCE_NODATA, 0, segmented.confidence) / 100
        counts = Counts.of(image.labels, predicted, confidence, metadata.spec.classes, distance)
        results.append(ImageResult(entry.name, entry.group, counts, seconds, places[entry.name]))
        headline = counts.headline()
        report(
            tr(
                "{name}: accuracy {accuracy:.3f}, mean IoU {miou:.3f}, {seconds:.1f} s",
                name=entry.name,
                accuracy=headline["accuracy"],
                miou=headline["miou"],
                seconds=seconds,
            )
        )
        if draw is not None:
            draw(image, predicted, results[-1])
    return Evaluation(
        models=(describe(bundle),),
        data=dataset.title,
        split=selection.description,
        settings={
            "tta": options.tta,
            "device": options.device,
            "precision": options.precision,
            "window": options.window,
            "overlap": options.overlap,
            "boundary_px": distance,
        },
        scheme=metadata.scheme,
        images=tuple(results),
        warnings=tuple(warned),
    )


def _segment(entry: Entry, bundle: ModelBundle, options: SegmentOptions) -> tuple[LabelledImage, Segmented, float]:
    image = entry.load()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="landcover-evaluate-") as folder:
        segmented = segment_image(entry, image, bundle, options, Path(folder))
    return image, segmented, time.perf_counter() - started


def describe(bundle: ModelBundle) -> dict[str, Any]:
    """Return name, architecture, hash and temperature of a model for reports."""
    metadata = bundle.metadata
    return {
        "name": metadata.name,
        "architecture": metadata.spec.architecture,
        "sha256": bundle.digest,
        "temperature": metadata.temperature,
    }


def in_channels_of(model: ClassScheme, dataset: ClassScheme, image: LabelledImage) -> LabelledImage:
    """Return an image with labels converted from the channels of a dataset to those of a model, by class name.

    Partial labels are converted likewise.

    Raises:
        DatasetError: if the model lacks a class.
    """
    names = [entry.name.casefold() for entry in model.classes]
    table = np.full(256, IGNORE, np.uint8)
    for channel, entry in enumerate(dataset.classes):
        if entry.name.casefold() not in names:
            raise DatasetError(
                tr(
                    "The labels have the class '{name}', which the model lacks; its classes are {names}.",
                    name=entry.name,
                    names=", ".join(known.name for known in model.classes),
                ),
                tr("Use the same class names, or evaluate a model with these classes."),
            )
        table[channel] = names.index(entry.name.casefold())
        table[NOT_CLASS + channel] = NOT_CLASS + table[channel]
    return replace(image, labels=table[image.labels])


def to_channels(ids: Pixels, scheme: ClassScheme) -> Pixels:
    """Return (H, W) channel indices for class ids; nodata and Unlabeled become ``IGNORE``."""
    table = np.full(256, IGNORE, np.uint8)
    table[list(scheme.ids)] = np.arange(len(scheme.ids))
    return table[ids]
