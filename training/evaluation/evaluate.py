"""How well a model agrees with labels, through the very path that a run of Segment Land Cover takes.

Each image is segmented by :func:`.segment_raster` into a class raster and a
confidence raster in a temporary folder, and these are compared with the labels. So what differs between training and a
run (windows, blending, half-precision weights, decoding, stretch) is in the figures.
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
from dubai_landcover_plugin.core.segmentation.segment import segment_raster
from dubai_landcover_plugin.protocol.classes import ClassScheme
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions

from ..data.dataset import Dataset, Entry, LabelledImage
from ..data.pixels import open_image
from ..errors import DatasetError
from .boundary import DISTANCE
from .figures import Evaluation, ImageResult
from .scores import Counts
from .selection import Selection

Pixels = npt.NDArray[np.uint8]
Draw = Callable[[LabelledImage, Pixels, ImageResult], None]
"""Receives an image with labels in the model's channels, the predicted channels, and what was counted."""


@dataclass(frozen=True, slots=True)
class Segmented:
    """What a run wrote for an image.

    Args:
        ids: (H, W) uint8 class ids, 0 for no data.
        confidence: (H, W) uint8 percent, 255 for no data.
        warnings: Of the run.
    """

    ids: Pixels
    confidence: Pixels
    warnings: tuple[str, ...]


def segment_image(
    entry: Entry, image: LabelledImage, bundle: ModelBundle, options: SegmentOptions, folder: Path
) -> Segmented:
    """Segment the file of an image, or the extent of it that the image is; where that is not known, its pixels.

    Args:
        entry: Where the image is from.
        image: The image.
        bundle: The model.
        options: How to segment.
        folder: For temporary files.

    Raises:
        LandCoverError: whatever stops the run.
    """
    with open_image(entry.image, options.bands or ()) as source:
        grid = source.grid
    request = SegmentationRequest(
        input=str(entry.image.resolve()),
        output=str(folder / "classes.tif"),
        options=replace(options, overwrite=True),
        extent=None if entry.window is None else _extent(grid, entry.window),
        confidence=str(folder / "confidence.tif"),
    )
    if request.extent is None and (grid.height, grid.width) != image.labels.shape:
        pixels = _write_pixels(folder / "image.tif", image.pixels)
        request = replace(request, input=str(pixels), options=replace(request.options, bands=None))
    result = segment_raster(request, bundle=bundle)
    return Segmented(_read(folder / "classes.tif"), _read(folder / "confidence.tif"), result.warnings)


def _extent(grid: Grid, window: Window) -> tuple[float, float, float, float] | None:
    """Return xmin, ymin, xmax, ymax of a window; None on a rotated grid, where it would hold more pixels."""
    if grid.transform.b or grid.transform.d:
        return None
    corners = ((window.col, window.row), (window.col + window.width, window.row + window.height))
    (left, right), (top, bottom) = (sorted(axis) for axis in zip(*(grid.transform @ c for c in corners), strict=True))
    return left, top, right, bottom


def _write_pixels(path: Path, pixels: Pixels) -> Path:
    height, width, bands = pixels.shape
    profile = {"driver": "GTiff", "height": height, "width": width, "count": bands, "dtype": "uint8"}
    with _without_warnings(), rasterio.open(path, "w", photometric="RGB", **profile) as dataset:
        dataset.write(pixels.transpose(2, 0, 1))
    return path


def _read(path: Path) -> Pixels:
    with _without_warnings(), rasterio.open(path) as dataset:
        values: Pixels = dataset.read(1)
        return values


@contextmanager
def _without_warnings() -> Iterator[None]:
    """Images without a place on the ground are usual here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def evaluate(
    bundle: ModelBundle,
    dataset: Dataset,
    selection: Selection,
    options: SegmentOptions,
    distance: int = DISTANCE,
    say: Callable[[str], None] = print,
    draw: Draw | None = None,
) -> Evaluation:
    """Compare a model with the labels of the chosen images.

    Args:
        bundle: The model.
        dataset: Where the images are from.
        selection: The images.
        options: How to segment; the minimum confidence must be 0.
        distance: Of the boundary IoU, px.
        say: Receives a line for each image.
        draw: Receives each image and its prediction, or None.

    Raises:
        DatasetError: if an image cannot be loaded, or the labels have a class that the model does not know.
        LandCoverError: whatever stops a run.
    """
    metadata = bundle.metadata
    results, told = [], dict[str, None]()
    for entry in selection.entries:
        image, segmented, seconds = _segment(entry, bundle, options)
        image = in_channels_of(metadata.scheme, dataset.scheme, image)
        told.update(dict.fromkeys(segmented.warnings))
        predicted = _to_channels(segmented.ids, metadata.scheme)
        confidence = np.where(segmented.confidence == CONFIDENCE_NODATA, 0, segmented.confidence) / 100
        counts = Counts.of(image.labels, predicted, confidence, metadata.spec.classes, distance)
        results.append(ImageResult(entry.name, entry.group, counts, seconds))
        headline = counts.headline()
        say(f"{entry.name}: accuracy {headline['accuracy']:.3f}, mIoU {headline['miou']:.3f}, {seconds:.1f} s")
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
        warnings=tuple(told),
    )


def _segment(entry: Entry, bundle: ModelBundle, options: SegmentOptions) -> tuple[LabelledImage, Segmented, float]:
    image = entry.load()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="landcover-evaluate-") as folder:
        segmented = segment_image(entry, image, bundle, options, Path(folder))
    return image, segmented, time.perf_counter() - started


def describe(bundle: ModelBundle) -> dict[str, Any]:
    """Return what a report says of a model."""
    metadata = bundle.metadata
    return {
        "name": metadata.name,
        "architecture": metadata.spec.architecture,
        "sha256": bundle.digest,
        "temperature": metadata.temperature,
    }


def in_channels_of(model: ClassScheme, dataset: ClassScheme, image: LabelledImage) -> LabelledImage:
    """Return an image whose labels count the model's channels instead of the dataset's; classes match by name.

    Raises:
        DatasetError: if the model lacks a class.
    """
    names = [entry.name.casefold() for entry in model.classes]
    table = np.full(256, IGNORE, np.uint8)
    for channel, entry in enumerate(dataset.classes):
        if entry.name.casefold() not in names:
            raise DatasetError(
                f"The labels have the class '{entry.name}', which the model does not know: it knows "
                f"{', '.join(known.name for known in model.classes)}.",
                "Name the classes alike, or evaluate a model of these classes.",
            )
        table[channel] = names.index(entry.name.casefold())
    return replace(image, labels=table[image.labels])


def _to_channels(ids: Pixels, scheme: ClassScheme) -> Pixels:
    table = np.full(256, IGNORE, np.uint8)
    table[list(scheme.ids)] = np.arange(len(scheme.ids))
    return table[ids]
