"""``python -m tests.benchmarks robustness MODEL``: how the metrics change with the radiometry of labelled images.

Each image is changed, written as a raster and segmented as in a run; the classes are compared with the labels. The runs
compute in float32 with PyTorch on the CPU, so that the table can be repeated.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from dubai_landcover_plugin.cli.values import Command
from dubai_landcover_plugin.core.assessment.confusion import IGNORE, Confusion
from dubai_landcover_plugin.core.bundle.bundle import ModelBundle, load_bundle
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from training.commands.evaluate import Choice, choice_options, choose_images
from training.commands.options import CONTEXT, argument
from training.data.dataset import Dataset, Entry, LabelledImage
from training.evaluation.evaluate import in_channels_of, segment_image, to_channels, write_pixels

Pixels = npt.NDArray[np.uint8]
Values = npt.NDArray[Any]
OPTIONS = SegmentOptions(device="cpu", runtime="torch", precision="float32")


@dataclass(frozen=True)
class Variation:
    """A change of images, or of the options of a run.

    Args:
        name: Name in the table.
        change: Returns (h, w, 3) values of any type for (H, W, 3) uint8 pixels.
        loss: Target: largest decrease of the mean IoU; None without one.
        pixel: Size of the changed pixels relative to the original ones.
        tagged: Write the colour interpretation red, green, blue.
        options: Options of the run.
    """

    name: str
    change: Callable[[Pixels], Values] = np.asarray
    loss: float | None = None
    pixel: float = 1.0
    tagged: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)


def to_bytes(values: npt.NDArray[np.floating]) -> Pixels:
    """Return values on 0..255, rounded and clipped."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def brightness(factor: float) -> Callable[[Pixels], Values]:
    """Multiply all values."""
    return lambda pixels: to_bytes(pixels * factor)


def gamma(exponent: float) -> Callable[[Pixels], Values]:
    """Raise values on 0..1 to a power; above 1 the image becomes darker."""
    return lambda pixels: to_bytes(255 * (pixels / 255) ** exponent)


def haze(share: float) -> Callable[[Pixels], Values]:
    """Mix with white."""
    return lambda pixels: to_bytes(pixels * (1 - share) + 255 * share)


def contrast(factor: float) -> Callable[[Pixels], Values]:
    """Scale the differences from the mean of the image."""
    return lambda pixels: to_bytes((pixels - pixels.mean()) * factor + pixels.mean())


def grey(pixels: Pixels) -> Values:
    """Give all bands their mean."""
    return to_bytes(pixels.mean(axis=2, keepdims=True)).repeat(3, axis=2)


def noise(deviation: float) -> Callable[[Pixels], Values]:
    """Add Gaussian noise, the same for each image size."""
    return lambda pixels: to_bytes(pixels + np.random.default_rng(0).normal(0, deviation, pixels.shape))


def blur(deviation: float) -> Callable[[Pixels], Values]:
    """Smooth with a Gaussian, px."""
    return lambda pixels: np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(deviation)))


def jpeg(quality: int) -> Callable[[Pixels], Values]:
    """Compress and decompress."""

    def change(pixels: Pixels) -> Values:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file))

    return change


def resample(pixel: float) -> Callable[[Pixels], Values]:
    """Resample to pixels of ``pixel`` times the size: bilinear, averaged where they become larger."""

    def change(pixels: Pixels) -> Values:
        height, width = (max(round(side / pixel), 1) for side in pixels.shape[:2])
        return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))

    return change


def to_16_bit(pixels: Pixels) -> Values:
    """Spread the values over the range of uint16."""
    return pixels.astype(np.uint16) * np.uint16(257)


def to_float(pixels: Pixels) -> Values:
    """Return float32 on 0..1."""
    return (pixels / 255).astype(np.float32)


UNCHANGED = Variation("unchanged")
VARIATIONS = (
    UNCHANGED,
    *(Variation(f"brightness × {f:g}", brightness(f), 0.06 if f < 0.6 else 0.03) for f in (0.5, 0.6, 0.8, 1.2, 1.4)),
    *(Variation(f"gamma {g:g}", gamma(g), 0.03) for g in (0.75, 0.8, 1.25, 1.35)),
    *(Variation(f"haze {share:g}", haze(share), 0.03 if share <= 0.3 else None) for share in (0.1, 0.2, 0.3, 0.4)),
    *(Variation(f"contrast × {factor:g}", contrast(factor)) for factor in (0.8, 1.2)),
    Variation("grey", grey, 0.06),
    Variation("16 bit, default stretch", to_16_bit, 0.03),
    Variation("float, default stretch", to_float, 0.03),
    Variation("16 bit, no stretch", to_16_bit, options={"stretch": "none"}),
    Variation("float, limits 0:1", to_float, options={"limits": ((0.0, 1.0),)}),
    Variation("bands blue, green, red, untagged", lambda pixels: pixels[..., ::-1], tagged=False),
    Variation("JPEG, quality 30", jpeg(30)),
    Variation("blur, 1 px", blur(1)),
    Variation("noise, 10", noise(10)),
    *(Variation(f"pixels × {size:g}", resample(size), pixel=size) for size in (0.25, 0.5, 2, 3, 4)),
    Variation("minimum confidence 0.7", options={"min_confidence": 0.7}),
)


@dataclass(frozen=True)
class Row:
    """Counts of a variation, summed over the images.

    Args:
        variation: The variation.
        confusion: Labelled pixels that have a class in the result.
        labelled: Number of labelled pixels.
    """

    variation: Variation
    confusion: Confusion
    labelled: int

    @property
    def miou(self) -> float:
        """Mean IoU over the classes."""
        return self.confusion.headline()["miou"]


def measure(
    bundle: ModelBundle, dataset: Dataset, entries: Sequence[Entry], variations: Iterable[Variation]
) -> list[Row]:
    """Segment the images with each variation and count the pixels."""
    scheme = bundle.metadata.scheme
    images = [in_channels_of(scheme, dataset.scheme, entry.load()) for entry in entries]
    labelled = sum(int((image.labels != IGNORE).sum()) for image in images)
    rows = []
    for variation in variations:
        total = Confusion.empty(bundle.metadata.spec.classes)
        for entry, image in zip(entries, images, strict=True):
            predicted = to_channels(segment_varied(entry, image, bundle, variation), scheme)
            total += Confusion.of(image.labels, predicted, bundle.metadata.spec.classes)
        rows.append(Row(variation, total, labelled))
    return rows


def segment_varied(entry: Entry, image: LabelledImage, bundle: ModelBundle, variation: Variation) -> Pixels:
    """Return the class ids of a changed image at the pixels of its labels, (H, W), nearest where it was resampled."""
    values = variation.change(image.pixels)
    size = entry.pixel_size()
    gsd = 0.0 if size is None else (size[0] * size[1]) ** 0.5
    if variation.pixel != 1:  # an image without georeference has the pixels of the model, as in a run
        gsd = (gsd or bundle.metadata.gsd) * variation.pixel
    with tempfile.TemporaryDirectory(prefix="landcover-robustness-") as name:
        path = write_pixels(Path(name) / "changed.tif", values, "RGB" if variation.tagged else "MINISBLACK")
        changed = Entry(entry.name, entry.group, path, entry.load, gsd=gsd)
        blank = LabelledImage(entry.name, np.zeros(values.shape, np.uint8), np.zeros(values.shape[:2], np.uint8))
        ids = segment_image(changed, blank, bundle, replace(OPTIONS, **variation.options), Path(name)).ids
    rows, cols = (
        ((np.arange(side) + 0.5) * length / side).astype(int)
        for side, length in zip(image.labels.shape, ids.shape, strict=True)
    )
    return ids[rows[:, None], cols]


def table(rows: Sequence[Row]) -> str:
    """Return rows as a Markdown table; differences are from the first row."""
    lines = ["| images | mIoU | accuracy | difference in mIoU | target | |", "|---|---|---|---|---|---|"]
    for row in rows:
        difference, loss = row.miou - rows[0].miou, row.variation.loss
        left_out = 1 - row.confusion.counts.sum() / row.labelled
        name = row.variation.name + (f" ({left_out:.0%} left out)" if left_out >= 0.005 else "")
        target = "" if loss is None else f"≥ −{loss:.2f}"
        met = "" if loss is None else "met" if round(difference, 3) >= -loss else "**missed**"
        change = "" if row is rows[0] else f"{difference:+.3f}".replace("-", "−")
        lines.append(f"| {name} | {row.miou:.3f} | {row.confusion.accuracy:.3f} | {change} | {target} | {met} |")
    return "\n".join(lines)


@click.command(cls=Command, context_settings=CONTEXT)
@argument("model", "Model file, or name of an installed model.")
@choice_options
def robustness(model: str, **choice: Any) -> None:
    """Print how the metrics change with the radiometry of labelled images."""
    bundle = load_bundle(model)
    _, dataset, selection = choose_images(Choice(**choice), bundle)
    rows = measure(bundle, dataset, selection.entries, VARIATIONS)
    listed = ", ".join(entry.name for entry in selection.entries)
    print(f"Model {bundle.metadata.name} ({bundle.digest[:12]}). {selection.description} Images: {listed}.\n")
    print(table(rows))
