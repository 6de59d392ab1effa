"""Evaluate Model: figures of a model on labelled rasters, as a page and a table."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from PIL import Image

from dubai_landcover_plugin.core.bundle.bundle import load_bundle
from dubai_landcover_plugin.core.io.csv_cells import CsvWriter
from dubai_landcover_plugin.core.io.files import write_text
from dubai_landcover_plugin.core.io.output_check import check_outputs
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from dubai_landcover_plugin.protocol.requests.training import EvaluateRequest, EvaluateResult
from dubai_landcover_plugin.protocol.translation import tr

from ..config import TrainingConfig
from ..data.files import open_files
from ..data.resolution import at_gsd
from ..data.sources import bands_of
from ..errors import DatasetError
from ..evaluation.evaluate import evaluate
from ..evaluation.page import STRIP_WIDTH, page
from ..evaluation.selection import Selection
from ..evaluation.text import CLASS_FIGURES, intervals_of
from ..monitoring.pictures import strip
from .data import data_config, files_of


def evaluate_model(request: EvaluateRequest, monitor: Monitor | None = None) -> EvaluateResult:
    """Compare a model with labels through the code of Segment Land Cover.

    Args:
        request: Model, rasters, labels and outputs.
        monitor: Receives progress and messages; may cancel. None: progress and messages are logged.

    Raises:
        LandCoverError: if the data or the model cannot be used, or an output cannot be written.
        RunCancelled: if the monitor cancels.
    """
    monitor = monitor or LoggingMonitor()
    check_outputs(request)
    bundle = load_bundle(request.model)
    metadata = bundle.metadata
    files = files_of(request.data, metadata.scheme, metadata.name, request.gsd)
    config = TrainingConfig(data=data_config(request.data))
    bands = bands_of(config, metadata)
    if bands.names != metadata.bands:
        raise DatasetError(
            tr("The bands {bands} are given, the model reads {names}.", bands=bands, names=", ".join(metadata.bands)),
            tr("Give them in that order."),
        )
    dataset = open_files(config.data, files, bands)
    dataset = replace(at_gsd(dataset, metadata.gsd), title=files.shown)
    selection = Selection(dataset.entries, tr("All labelled images; the model may have been trained on them."))
    total, strips = len(dataset.entries), dict[str, Image.Image]()

    def draw(image: Any, predicted: Any, result: Any) -> None:
        raise_if_cancelled(monitor)
        strips[result.name] = strip(image, predicted, metadata.scheme, STRIP_WIDTH)
        monitor.report(len(strips), total, tr("images"))

    options = SegmentOptions(model=request.model, bands=bands.numbers if bands.fixed else None, tta=request.tta)
    found = evaluate(bundle, dataset, selection, options, report=lambda text: monitor.log("info", text), draw=draw)
    value = found.to_json()
    if request.report:
        write_text(request.report, page(found, value, (), strips))
    if request.table:
        write_text(request.table, class_table(value))
    intervals = intervals_of(value)
    return EvaluateResult(
        model=metadata.name,
        accuracy=value["accuracy"],
        miou=value["miou"],
        classes=value["classes"],
        intervals={key: list(intervals[key]) for key in ("accuracy", "miou") if intervals.get(key)},
        confusion={"classes": list(value["classes"]), "counts": value["confusion"]},
        images=len(found.images),
        pixels=value["pixels"],
        report=request.report,
        table=request.table,
        warnings=found.warnings,
    )


def class_table(value: Mapping[str, Any]) -> str:
    """Return the figures of each class as CSV: with their 95 % intervals where there are enough places.

    Args:
        value: An evaluation as :meth:`.Evaluation.to_json` gives it.
    """
    heads = ["class"]
    for name in CLASS_FIGURES:
        heads += [name, f"{name}_low", f"{name}_high"]
    text = io.StringIO(newline="")
    writer = CsvWriter(text, "\r\n")
    writer.writerow([*heads, "pixels"])
    by_class = intervals_of(value).get("classes", {})
    for index, (name, figures) in enumerate(value["classes"].items()):
        cells: list[Any] = [name]
        for figure in CLASS_FIGURES:
            low, high = (by_class.get(name, {}).get(figure) or (None, None))[:2]
            cells += ["" if one is None else one for one in (figures[figure], low, high)]
        writer.writerow([*cells, sum(value["confusion"][index])])
    return text.getvalue()
