"""Tables of the sources of a dataset: size, resolution, weight, labels and terms of each."""

from __future__ import annotations

from collections.abc import Sequence

from dubai_landcover_plugin.protocol.translation import grouped, tr

from ..config import SourceConfig
from .findings import ImageReport, Inspection, partial_names, sum_counts, sum_partial


def source_heads(found: Inspection) -> tuple[str, ...]:
    """Return the column heads of :func:`source_rows`: partial labels have a column each if they occur."""
    classes = [entry.name for entry in found.scheme.classes]
    partial = [partial_names(found.scheme)[channel] for channel in found.partial_channels]
    heads = tr("source"), tr("images"), tr("places"), "Mpx", tr("GSD, m"), tr("weight")
    return (*heads, *classes, *partial, tr("unlabelled"))


def source_rows(found: Inspection) -> list[tuple[str, ...]]:
    """Return one row per source; shares of classes and partial labels refer to its labelled pixels."""
    total = sum(source.weight for source in found.dataset.sources)
    rows = []
    for source, images in found.by_source():
        pixels, labelled = sum(image.pixels for image in images), sum(image.labelled for image in images)
        partial = sum_partial(images, found.scheme)
        counts = [*sum_counts(images, found.scheme), *(partial[channel] for channel in found.partial_channels)]
        rows.append(
            (
                source.name,
                str(len(images)),
                str(len({image.group for image in images})),
                grouped(f"{pixels / 1e6:,.1f}"),
                ground_sampling_distance(source, images),
                f"{source.weight / total:.0%}",
                *(f"{count / labelled:.0%}" if count else "–" for count in counts),
                f"{1 - labelled / pixels:.0%}" if pixels else "–",
            )
        )
    return rows


def ground_sampling_distance(source: SourceConfig, images: Sequence[ImageReport]) -> str:
    """Return the ground sampling distance of a source or its range over the places, m/px."""
    places = {image.group.partition("/")[2] for image in images}
    distances = sorted({source.gsds.get(place, source.gsd) for place in places} or {source.gsd})
    listed = "–".join(f"{distance:g}" for distance in dict.fromkeys((distances[0], distances[-1])))
    return tr("as the model") if distances == [0.0] else listed


def source_terms(found: Inspection) -> list[str]:
    """Return the terms of each source as ``name: terms``."""
    return [f"{source.name}: {source.terms or tr('terms not stated')}" for source in found.dataset.sources]
