"""Train Model: a model from labelled rasters, compared with the one it started from."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.core.io.files import write_text
from dubai_landcover_plugin.core.io.output_check import check_outputs
from dubai_landcover_plugin.protocol.errors import RunCancelled
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor
from dubai_landcover_plugin.protocol.requests.training import TrainRequest, TrainResult
from dubai_landcover_plugin.protocol.translation import tr

from ..data.ground_samples import ground_samples
from ..data.places import place_names
from ..data.splits import Split, make_split
from ..data.values import are_stretched, value_statistics
from ..errors import TrainingError
from ..exports.export import Remarks, export_model
from ..exports.stac import check_name
from ..exports.trial import check_export
from ..lengths import configuration
from ..loop.checkpoint import BEST, LAST, START
from ..loop.comparison import describe_comparison
from ..loop.disk_space import check_space
from ..loop.estimate import Estimate, estimate
from ..loop.initialization import make_fabric
from ..loop.opening import open_training_data
from ..loop.start import Start, read_start
from ..loop.train import Run
from ..monitoring.training_page import training_page
from .data import data_config
from .learning_curve import describe_curve, learning_curve
from .start import Report, start_files, start_of

_FEW_HELD_OUT = 2
_KEEP = "The trained model is not better than its start: keep that as your default, or label more places."


@dataclass(frozen=True, slots=True)
class Prepared:
    """Data and network of a run, ready to start.

    Args:
        run: The run.
        make: Makes a run with another split, folder and monitor from the same start.
        estimate: Its expected time.
        title: The data in the language in use.
    """

    run: Run
    make: Callable[[Split, Path, Monitor], Run]
    estimate: Estimate
    title: str


def train_model(request: TrainRequest, monitor: Monitor | None = None) -> TrainResult:
    """Train a model, compare it with its start on held-out labels, and write the better one.

    A cancelled training writes the best model so far. Its folder is kept, so that it can be resumed.

    Args:
        request: Rasters, labels, start, length and outputs.
        monitor: Receives progress and messages; may cancel. None: progress and messages are logged.

    Raises:
        LandCoverError: if data, start or outputs cannot be used, or the training diverges.
        RunCancelled: if the monitor cancels before there is anything to keep.
    """
    monitor = monitor or LoggingMonitor()
    check_outputs(request)
    name = check_name(Path(request.output).stem)
    folder = run_folder(request)
    _check_folder(request, folder)
    prepared = _prepare(request, folder, monitor)
    run, expected = prepared.run, prepared.estimate
    minutes = expected.minutes * (_CURVE_FACTOR if request.curve else 1)
    monitor.log("info", describe_estimate(expected, minutes))
    for text in _warnings(run):
        monitor.log("warning", text)
    if request.estimate:
        return _estimated(run, minutes)
    check_space(folder, run.model, request.curve)
    check_export(run.checkpoint(), run.model, name)
    started = time.monotonic()
    run.go()
    cancelled = monitor.cancelled()
    if cancelled and run.step == 0:
        raise RunCancelled(tr("The training was cancelled before its first step; nothing was written."))
    curve = () if cancelled or not request.curve else learning_curve(run, prepared.make, folder, monitor)
    return _result(request, prepared, folder, name, monitor, curve, minutes, (time.monotonic() - started) / 60)


_CURVE_FACTOR = 3  # the learning curve trains twice more


def run_folder(request: TrainRequest) -> Path:
    """Return the folder of a run: the given one, or a hidden one beside the model."""
    output = Path(request.output)
    return Path(request.run) if request.run else output.with_name(f".{output.stem}.training")


def describe_estimate(found: Estimate, minutes: float) -> str:
    """Return an estimate in words."""
    time_text = tr("less than a minute") if minutes < 1 else tr("about {minutes:.0f} minutes", minutes=minutes)
    return tr(
        "This will take {time}: {steps} steps of {step:.1f} s and {validations} validations of {validation:.0f} s on "
        "this computer.",
        time=time_text,
        steps=found.steps,
        step=found.step,
        validations=found.validations,
        validation=found.validation,
    )


def _check_folder(request: TrainRequest, folder: Path) -> None:
    """Refuse to mix a new run with an earlier one.

    Raises:
        TrainingError: naming the folder.
    """
    exists = (folder / LAST).is_file()
    if exists and not request.resume and not request.estimate:
        raise TrainingError(
            tr("{folder} has a training that was not finished.", folder=folder),
            tr("Continue it with Resume, or delete that folder, or choose another name for the model."),
        )
    if request.resume and not exists:
        raise TrainingError(
            tr("There is no training to resume in {folder}.", folder=folder), tr("Start a new one, without Resume.")
        )


def _prepare(request: TrainRequest, folder: Path, monitor: Monitor) -> Prepared:
    """Open the data and the network.

    Raises:
        LandCoverError: if they cannot be used.
    """
    report = Report(monitor)
    resumed = request.resume and (folder / START).is_file()
    start = read_start(folder / START) if resumed else start_of(request.start)
    if resumed and start is not None:
        start = replace(start, name=Path(request.start).name)
    config = replace(
        configuration(request.length, None if start is None else start.model), data=data_config(request.data)
    )
    config = replace(config, run=replace(config.run, seed=request.seed))
    files = start_files(request.data, None if start is None else _without_new(start, request, resumed), request.gsd)
    config, dataset, bands = open_training_data(config, files, start, report)
    split = make_split(dataset, config.split, report)
    values = value_statistics(split.training, are_stretched(dataset.entries, bands))
    place_of = place_names(dataset)
    ground = ground_samples(
        ((place_of.get(image.name, image.name), image.at_model_gsd()) for image in split.training), []
    )
    fabric = make_fabric(config.run)

    def make(part: Split, where: Path, watch: Monitor) -> Run:
        return Run(
            config, part, dataset.scheme, where, request.resume and where == folder, start, dataset.title, fabric,
            report, bands, values, ground, [], watch,
        )  # fmt: skip

    # an estimate starts nothing, so the folder may have another run
    run = make(split, folder / "estimate" if request.estimate else folder, monitor)
    return Prepared(run, make, estimate(run), files.shown)


def _without_new(start: Start, request: TrainRequest, resumed: bool) -> Start:
    """Return the start; the checkpoint of a resumed run has the new classes already."""
    if not resumed:
        return start
    names = {text.partition("=")[0].strip().casefold() for text in request.data.new_classes}
    kept = tuple(entry for entry in start.scheme.classes if entry.name.casefold() not in names)
    return replace(start, scheme=replace(start.scheme, classes=kept))


def _estimated(run: Run, minutes: float) -> TrainResult:
    """Return the result of an estimate."""
    return TrainResult(
        output=None, better=None, before=None, after=None, gain=None, error=None, worse=(), verdict="", steps=0,
        planned=run.config.optimizer.steps, minutes=0.0, estimated=round(minutes, 1), warnings=_warnings(run),
    )  # fmt: skip


def _result(
    request: TrainRequest,
    prepared: Prepared,
    folder: Path,
    name: str,
    monitor: Monitor,
    curve: tuple[dict[str, Any], ...],
    estimated: float,
    minutes: float,
) -> TrainResult:
    """Export the best weights, write the page and return the result."""
    run, cancelled = prepared.run, monitor.cancelled()
    weights = folder / (BEST if (folder / BEST).is_file() else LAST)
    verdict, better = _verdict(run, cancelled)
    monitor.log("info", tr("Writing the model"))
    export_model(
        weights,
        request.output,
        Remarks(title=f"Land cover, {name}, trained on own labels"),
        report=Report(monitor),
        overwrite=request.overwrite,
        graphs=not cancelled,
    )
    if better is False:
        monitor.log("warning", tr(_KEEP))
    elif not run.comparison:  # the export has reported a comparison
        monitor.log("info", verdict)
    found = run.comparison
    after = found["result"]["miou"] if found else run.best
    if request.report:
        texts = {
            "title": tr("Training of {name}", name=name),
            "data": prepared.title,
            "verdict": verdict,
            "split": run.split.shown or run.split.description,
            "curve": describe_curve(curve),
        }
        facts = (
            tr("{step} of {steps} steps", step=run.step, steps=run.config.optimizer.steps),
            tr("{minutes:.1f} min", minutes=minutes),
        )
        write_text(request.report, training_page(folder, run.config, run.scheme, texts, facts, curve))
    keep = cancelled or bool(request.run)
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        text = tr("The training is kept in {folder}, to be resumed.", folder=folder)
        monitor.log("info", text if cancelled else tr("The training is kept in {folder}.", folder=folder))
    return TrainResult(
        output=request.output,
        better=better,
        before=found["start"]["miou"] if found else None,
        after=after,
        gain=found["gain"] if found else None,
        error=found["error"] if found else None,
        worse=tuple(found["worse"]) if found else (),
        verdict=verdict,
        steps=run.step,
        planned=run.config.optimizer.steps,
        minutes=round(minutes, 1),
        estimated=round(estimated, 1),
        cancelled=cancelled,
        curve=curve,
        run=str(folder) if keep else None,
        report=request.report,
        warnings=_warnings(run),
    )


def _verdict(run: Run, cancelled: bool) -> tuple[str, bool | None]:
    """Return the comparison with the start in words, and whether the model is better; None if that is not known."""
    if run.comparison:
        text = describe_comparison(run.comparison)
        if not run.comparison["better"]:
            text += f" {tr(_KEEP)}"
        return text, bool(run.comparison["better"])
    if cancelled:
        text = tr("Cancelled after {steps} steps: the model has the best weights so far.", steps=run.step)
        best = "" if run.best is None else tr("Their mean IoU on the held-out labels is {miou:.3f}.", miou=run.best)
        return f"{text} {best}".strip(), None
    if run.best is None:
        return tr("Nothing was held out: measure the model on other labels before you rely on it."), None
    text = tr("Mean IoU on the held-out labels: {miou:.3f}. There is no start to compare it with.", miou=run.best)
    return text, None


def _warnings(run: Run) -> tuple[str, ...]:
    held = len(run.split.validation)
    if held >= _FEW_HELD_OUT:
        return ()
    if held:
        return (tr("1 image is held out, too few to tell how good the model is: label more places."),)
    return (tr("No image is held out, so it is not known how good the model is: label more places."),)
