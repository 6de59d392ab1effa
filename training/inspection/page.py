"""The results of an inspection as text, as pictures and as an HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from dubai_landcover_plugin.core.html.environment import render
from dubai_landcover_plugin.core.html.images import chart, jpeg_uri, literal
from dubai_landcover_plugin.core.html.numbers import thousands
from dubai_landcover_plugin.core.html.table import Cell, Named, Table, columns
from dubai_landcover_plugin.core.io.files import atomic_path, make_folder, write_text
from dubai_landcover_plugin.protocol.classes import ClassScheme, coloured
from dubai_landcover_plugin.protocol.translation import grouped, isolated, tr

from ..config import SplitConfig
from ..data.dataset import NOT_CLASS, LabelledImage
from ..data.places import folds_of
from ..errors import DatasetError
from ..monitoring.pictures import colour, pale
from .findings import ImageReport, Inspection, partial_names, sum_counts
from .sources import source_heads, source_rows, source_terms

_SIDE = 200  # px of a thumbnail
_ACROSS = 4  # pairs of thumbnails in a row
_ROWS = 10
_MARGIN, _CAPTION = 10, 18
_LONGEST = 100  # entries of a list
_NAMED = 12  # places of a fold
_PARTIAL = set(range(NOT_CLASS, 255))  # partial labels
_TEMPLATES = Path(__file__).resolve().parents[1] / "templates"


def describe(found: Inspection) -> str:
    """Return the whole inspection as text."""
    dataset, images = found.dataset, found.images
    lines = [dataset.title, _overview(found), ""]
    lines += _table([_class_heads(), *_class_rows(found)], left=3)
    if found.dataset.sources:
        lines += ["", *_table([source_heads(found), *source_rows(found)], left=1)]
        lines += ["", tr("Terms:"), *(f"  - {text}" for text in source_terms(found))]
    lines += ["", *_table([_group_heads(found.scheme), *_group_rows(found)], left=1)]
    lines += ["", _folds(found)]
    if len(images) <= 100:
        lines += ["", *_table([_image_heads(), *_image_rows(found)], left=2)]
    for title, texts in _findings(found):
        lines += ["", f"{title}:", *(f"  - {text}" for text in texts)]
    return "\n".join(lines)


def _folds(found: Inspection) -> str:
    folds = [
        ", ".join(fold)
        if len(fold) <= _NAMED
        else tr("{first} … {last} ({count} places)", first=fold[0], last=fold[-1], count=len(fold))
        for fold in folds_of(found.dataset, SplitConfig())
    ]
    listed = " · ".join(f"{index}: {isolated(fold)}" for index, fold in enumerate(folds))
    return tr("Parts for a split by location: {listed}", listed=listed)


def _overview(found: Inspection) -> str:
    images = found.images
    parts = [
        tr("{count} labelled images", count=len(images)),
        tr("{count} without labels", count=len(found.dataset.unlabelled)),
    ]
    if images:
        small, large = (choice(images, key=lambda image: image.pixels) for choice in (min, max))
        parts.append(tr("{count} places", count=len({image.group for image in images})))
        parts.append(
            tr(
                "{smallest} to {largest} px",
                smallest=f"{small.width}×{small.height}",
                largest=f"{large.width}×{large.height}",
            )
        )
        parts.append(f"{_mpx(found.pixels)} Mpx")
    return " · ".join(map(isolated, parts))


def _mpx(pixels: int) -> str:
    return grouped(f"{pixels / 1e6:,.1f}") if pixels >= 1e6 else f"{pixels / 1e6:.2g}"


def _class_heads() -> tuple[str, ...]:
    names = tr("class"), tr("id"), tr("colour"), tr("images"), tr("pixels")
    return (*names, tr("of labelled"), tr("of all"))


def _class_rows(found: Inspection) -> list[tuple[str, ...]]:
    counts = found.counts
    labelled, everything = max(found.labelled, 1), max(found.pixels, 1)
    rows: list[tuple[str, ...]] = []
    for channel, entry in enumerate(coloured(found.scheme).classes):
        count, seen = int(counts[channel]), sum(bool(image.counts[channel]) for image in found.images)
        share = (f"{count / labelled:.1%}", f"{count / everything:.1%}")
        rows.append((entry.name, str(entry.id), isolated(entry.colour), str(seen), thousands(count), *share))
    for channel in found.partial_channels:
        count, seen = int(found.partial[channel]), sum(bool(image.partial[channel]) for image in found.images)
        share = (f"{count / labelled:.1%}", f"{count / everything:.1%}")
        rows.append((partial_names(found.scheme)[channel], "", "", str(seen), thousands(count), *share))
    rest = found.pixels - found.labelled
    seen = sum(image.labelled < image.pixels for image in found.images)
    rows.append((tr("unlabelled"), "", "", str(seen), thousands(rest), "", f"{rest / everything:.1%}"))
    return rows


def _shares(images: Sequence[ImageReport], scheme: ClassScheme) -> tuple[str, ...]:
    """Return the share of each class in the labelled pixels, then the share of unlabelled pixels in all."""
    counts, pixels = sum_counts(images, scheme), sum(image.pixels for image in images)
    labelled = sum(image.labelled for image in images)
    return (*(f"{count / labelled:.0%}" if count else "–" for count in counts), f"{1 - labelled / pixels:.1%}")


def _group_heads(scheme: ClassScheme) -> tuple[str, ...]:
    return (tr("place"), tr("images"), "Mpx", *(entry.name for entry in scheme.classes), tr("unlabelled"))


def _group_rows(found: Inspection) -> list[tuple[str, ...]]:
    return [
        (group, str(len(images)), _mpx(sum(image.pixels for image in images)), *_shares(images, found.scheme))
        for group, images in found.by_group()
    ]


def _image_heads() -> tuple[str, ...]:
    return (tr("image"), tr("place"), tr("px"), tr("largest class"), tr("unlabelled"))


def _image_rows(found: Inspection) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for image in found.images:
        largest, labelled = int(np.argmax(image.counts)), image.labelled
        name = found.scheme.classes[largest].name
        text = f"{name} {image.counts[largest] / labelled:.0%}" if image.counts[largest] else "–"
        size = f"{image.width}×{image.height}"
        rows.append((image.name, image.group, size, text, f"{1 - labelled / image.pixels:.1%}"))
    return rows


def _findings(found: Inspection) -> list[tuple[str, tuple[str, ...]]]:
    unlabelled = found.dataset.unlabelled
    lists = (
        (tr("Errors, which stop training"), _capped(found.errors)),
        (tr("Problems"), _capped(found.problems)),
        (tr("Without labels, not used"), (", ".join(unlabelled),) if unlabelled else ()),
        (tr("Notes"), _capped(found.dataset.notes)),
    )
    return [(title, texts) for title, texts in lists if texts]


def _capped(texts: tuple[str, ...]) -> tuple[str, ...]:
    if len(texts) <= _LONGEST:
        return texts
    return (*texts[:_LONGEST], tr("and {count} more", count=len(texts) - _LONGEST))


def _table(rows: Sequence[Sequence[str]], left: int) -> list[str]:
    """Align columns; the first ``left`` to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


class ContactSheet:
    """Collects thumbnails of images beside their labels.

    Args:
        scheme: For the colours of labels.
        total: Number of images; if they do not fit, evenly spaced ones are kept.
    """

    def __init__(self, scheme: ClassScheme, total: int) -> None:
        most = 4 * _ACROSS * _ROWS
        self._chosen = set(np.linspace(0, total - 1, most).round().astype(int).tolist()) if total > most else None
        self._scheme, self._seen = coloured(scheme), 0
        self._partial: set[int] = set()  # channels with partial labels
        self._pairs: list[tuple[str, Image.Image, Image.Image]] = []

    def add(self, image: LabelledImage) -> None:
        """Add an image."""
        if self._chosen is None or self._seen in self._chosen:
            shrink = min(_SIDE / max(image.labels.shape), 1.0)
            size = tuple(max(round(shrink * length), 1) for length in reversed(image.labels.shape))
            picture = Image.fromarray(image.picture).resize((size[0], size[1]), Image.Resampling.BOX)
            self._partial |= set(np.unique(image.labels).tolist()) & _PARTIAL
            labels = Image.fromarray(colour(image.labels, self._scheme))
            self._pairs.append((image.name, picture, labels.resize((size[0], size[1]), Image.Resampling.NEAREST)))
        self._seen += 1

    def pages(self) -> list[Image.Image]:
        """Return the sheets."""
        step = _ACROSS * _ROWS
        return [self._page(self._pairs[first : first + step]) for first in range(0, len(self._pairs), step)]

    def _page(self, pairs: Sequence[tuple[str, Image.Image, Image.Image]]) -> Image.Image:
        wide, high = 2 * _SIDE + 3 * _MARGIN, _SIDE + _CAPTION + _MARGIN
        rows = -(-len(pairs) // _ACROSS)
        sheet = Image.new("RGB", (_ACROSS * wide + _MARGIN, rows * high + _MARGIN + _CAPTION), "white")
        draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
        left = _MARGIN
        legend = [(entry.name, entry.rgb) for entry in (*self._scheme.classes, self._scheme.unlabeled)]
        for label in sorted(self._partial):
            entry = self._scheme.classes[label - NOT_CLASS]
            legend.append((f"not {entry.name}", pale(entry.rgb)))
        for name, rgb in legend:
            draw.rectangle((left, 6, left + 12, 18), fill=rgb, outline="#888")
            draw.text((left + 18, 4), name, "#222", font)
            left += 40 + round(draw.textlength(name, font))
        for index, (name, pixels, labels) in enumerate(pairs):
            x = _MARGIN + index % _ACROSS * wide
            y = _MARGIN + _CAPTION + index // _ACROSS * high
            sheet.paste(pixels, (x, y))
            sheet.paste(labels, (x + pixels.width + 2, y))
            draw.text((x, y + pixels.height + 1), _cut(name, 56), "#222", font)
        return sheet


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"…{text[1 - length :]}"


def draw_shares(found: Inspection) -> Figure:
    """Return a chart of the class shares in the labelled pixels of each place and of all."""
    places = list(found.by_group())[:40]
    bars = [(f"{tr('all')} ({len(found.images)})", list(found.images))]
    bars += [(literal(f"{group} ({len(images)})"), images) for group, images in places]
    figure = Figure(figsize=(9, 1.4 + 0.36 * len(bars)), layout="constrained")
    axes = figure.subplots()
    left = np.zeros(len(bars))
    counts = np.array([sum_counts(images, found.scheme) for _, images in bars])  # (N, K)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    for channel, entry in enumerate(coloured(found.scheme).classes):
        axes.barh(
            [name for name, _ in bars], shares[:, channel], left=left, color=entry.colour, label=literal(entry.name)
        )
        left += shares[:, channel]
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel=tr("share of the labelled pixels, by place (images)"))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=6, frameon=False)
    return figure


def save_pictures(found: Inspection, sheet: ContactSheet, folder: Path) -> list[Path]:
    """Write ``shares.png`` and the contact sheets; return their paths.

    Raises:
        DatasetError: if the folder cannot be written.
    """
    written = [folder / "shares.png"]
    try:
        make_folder(folder)
        with atomic_path(written[0]) as partial:
            draw_shares(found).savefig(partial, dpi=100)
        for number, page in enumerate(sheet.pages(), 1):
            written.append(folder / f"images_{number}.png")
            with atomic_path(written[-1]) as partial:
                page.save(partial)
    except OSError as error:
        raise DatasetError(
            tr("The pictures cannot be written to {folder}: {error}.", folder=folder, error=error),
            tr("Choose another folder."),
        ) from error
    return written


def save_page(found: Inspection, sheet: ContactSheet, path: Path) -> None:
    """Write :func:`page`.

    Raises:
        TrainingError: if it cannot be written.
    """
    write_text(path, page(found, sheet), make_folders=True)


def page(found: Inspection, sheet: ContactSheet) -> str:
    """Return a self-contained HTML page."""
    rows = _class_rows(found)
    colours = [entry.colour for entry in coloured(found.scheme).classes]
    colours += [""] * (len(rows) - len(colours))  # partial and unlabelled pixels have none
    classes: list[Sequence[Cell]] = [
        (Named(name, colour), *cells) for (name, *cells), colour in zip(rows, colours, strict=True)
    ]
    sources = None
    if found.dataset.sources:
        sources = Table(columns(source_heads(found)), tuple(source_rows(found)), row_heads=True)
    return render(
        "inspection.html.j2",
        _TEMPLATES,
        title=tr("Labelled data"),
        dataset=found.dataset.title,
        overview=_overview(found),
        findings=_findings(found),
        classes=Table(columns(_class_heads(), text=3), tuple(classes), row_heads=True),
        sources=sources,
        terms=source_terms(found),
        shares=chart(draw_shares(found), tr("Shares of the classes")),
        places=Table(columns(_group_heads(found.scheme)), tuple(_group_rows(found)), row_heads=True),
        folds=_folds(found),
        sheets=[jpeg_uri(image) for image in sheet.pages()],
        images=Table(columns(_image_heads(), text=2), tuple(_image_rows(found)), row_heads=True),
    )
