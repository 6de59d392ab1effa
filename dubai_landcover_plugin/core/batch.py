"""A folder of rasters: one request for each, a manifest of what became of them."""

from __future__ import annotations

import csv
import fnmatch
import io
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.core.bundle import ModelBundle, load_bundle
from dubai_landcover_plugin.core.errors import LandCoverError, OutputError, RequestError, RunCancelled
from dubai_landcover_plugin.core.monitor import Monitor, SilentMonitor, raise_if_cancelled
from dubai_landcover_plugin.core.record import input_identity, record_path
from dubai_landcover_plugin.core.request import BatchRequest, SegmentationRequest, SegmentationResult, dumps
from dubai_landcover_plugin.core.segment import segment_raster
from dubai_landcover_plugin.core.writer import write_text

CLASSES_ENDING, CONFIDENCE_ENDING = "_landcover", "_confidence"
_STEPS = 1000  # progress within one raster


@dataclass
class BatchItem:
    """What became of one raster: ``status`` is done, skipped or failed."""

    input: str
    output: str
    status: str
    message: str = ""
    seconds: float = 0.0
    area_m2: dict[str, float] = field(default_factory=dict)
    pixels: dict[str, int] = field(default_factory=dict)


class _Part:
    """The monitor of one raster of many."""

    def __init__(self, monitor: Monitor, name: str, index: int, count: int) -> None:
        self._monitor, self._name, self._index, self._count = monitor, name, index, count

    def report(self, done: int, total: int, text: str = "") -> None:
        share = _STEPS * done // max(total, 1)
        self._monitor.report(self._index * _STEPS + share, self._count * _STEPS, f"{self._name}: {text}")

    def log(self, level: str, text: str) -> None:
        self._monitor.log(level, f"{self._name}: {text}")

    def cancelled(self) -> bool:
        return self._monitor.cancelled()


def find_rasters(request: BatchRequest) -> list[Path]:
    """Return the rasters of the folder, sorted; results of earlier runs are left out.

    Raises:
        RequestError: if the folder is missing or holds none.
    """
    folder, results = Path(request.folder), Path(request.output_folder).resolve()
    if not folder.is_dir():
        raise RequestError(f"The folder {folder} does not exist.", "Choose another folder.")
    patterns = [part.strip().lower() for part in request.pattern.split(";") if part.strip()]
    results_inside = folder.resolve() in results.parents
    found = []
    for path in folder.rglob("*") if request.recursive else folder.glob("*"):
        name = path.name.lower()
        if name.startswith(".") or path.stem.endswith((CLASSES_ENDING, CONFIDENCE_ENDING)) or not path.is_file():
            continue
        if results_inside and results in path.resolve().parents:
            continue
        if any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
            found.append(path)
    if not found:
        where = "or the folders in it " if request.recursive else ""
        raise RequestError(
            f"No file in {folder} {where}matches {request.pattern}.", "Change the pattern, or look into subfolders."
        )
    return sorted(found)


def requests_of(request: BatchRequest) -> Iterator[SegmentationRequest]:
    """Yield one request for each raster; outputs mirror the tree of the folder."""
    rasters = find_rasters(request)
    stems = [path.with_suffix("") for path in rasters]
    for path in rasters:
        relative = path.relative_to(request.folder)
        alone = stems.count(path.with_suffix("")) == 1
        stem = path.stem if alone else path.name.replace(".", "_")
        base = Path(request.output_folder) / relative.parent / stem
        yield SegmentationRequest(
            input=str(path),
            output=f"{base}{CLASSES_ENDING}.tif",
            options=replace(request.options, overwrite=request.options.overwrite or request.redo),
            confidence=f"{base}{CONFIDENCE_ENDING}.tif" if request.confidence else None,
            polygons=f"{base}{CLASSES_ENDING}{request.polygons}" if request.polygons else None,
            report=f"{base}{CLASSES_ENDING}.html" if request.report else None,
        )


def is_done(request: SegmentationRequest, model_hash: str) -> bool:
    """Return whether this very request, model and input have given these outputs already."""
    outputs = [request.output, request.confidence, request.polygons, request.report]
    try:
        record = json.loads(record_path(request.output).read_text(encoding="utf-8"))
        same = (
            _essence(record["request"]) == _essence(request.to_json())
            and record["input"] == input_identity(request.input)
            and record["model"]["sha256"] == model_hash
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return same and all(os.path.isfile(path) for path in outputs if path)


def _essence(request: dict[str, Any]) -> str:
    options = {key: value for key, value in request["options"].items() if key != "overwrite"}
    return dumps({**request, "options": options})


def run_batch(
    request: BatchRequest, monitor: Monitor | None = None, bundle: ModelBundle | None = None
) -> dict[str, Any]:
    """Segment a folder; one failing raster is reported and the others go on.

    Returns:
        Paths of the manifests, how many rasters are done, skipped and failed, and each one's fate.

    Raises:
        LandCoverError: if the folder, the output folder or the model cannot be used.
        RunCancelled: if the user stops; finished rasters and the manifest stay.
    """
    monitor = monitor or SilentMonitor()
    jobs = list(requests_of(request))
    bundle = bundle or load_bundle(request.options.model)
    folder = Path(request.output_folder)
    _make_folder(folder)
    items: list[BatchItem] = []
    for index, job in enumerate(jobs):
        raise_if_cancelled(monitor)
        name = str(Path(job.input).relative_to(request.folder))
        part = _Part(monitor, name, index, len(jobs))
        items.append(_run_one(job, bundle, part, request.redo))
        _write_manifest(folder, request, items)
    monitor.report(1, 1, "")
    counts = {status: sum(item.status == status for item in items) for status in ("done", "skipped", "failed")}
    return {
        "manifest_csv": str(folder / "manifest.csv"),
        "manifest_json": str(folder / "manifest.json"),
        **counts,
        "items": [asdict(item) for item in items],
    }


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be made: {error.strerror}.", "Choose another folder.") from error


def _run_one(job: SegmentationRequest, bundle: ModelBundle, monitor: Monitor, redo: bool) -> BatchItem:
    if not redo and is_done(job, bundle.digest):
        monitor.log("info", "done before with the same input, model and parameters; skipped.")
        earlier = json.loads(record_path(job.output).read_text(encoding="utf-8"))["result"]
        return _item(job, "skipped", SegmentationResult.from_json(earlier))
    try:
        _make_folder(Path(job.output).parent)
        return _item(job, "done", segment_raster(job, monitor, bundle))
    except RunCancelled:
        raise
    except LandCoverError as error:
        monitor.log("warning", f"failed: {error}")
        return BatchItem(job.input, job.output, "failed", str(error))
    except Exception as error:  # a library's surprise with one raster must not stop the night's run
        monitor.log("warning", f"failed: {type(error).__name__}: {error}")
        return BatchItem(job.input, job.output, "failed", f"{type(error).__name__}: {error}")


def _item(job: SegmentationRequest, status: str, result: SegmentationResult) -> BatchItem:
    message = " ".join(result.warnings)
    return BatchItem(job.input, job.output, status, message, result.seconds, result.area_m2 or {}, result.pixels)


def _write_manifest(folder: Path, request: BatchRequest, items: list[BatchItem]) -> None:
    """Write the manifest anew after each raster, so that a killed run leaves a true one."""
    listed = [asdict(item) for item in items]
    write_text(folder / "manifest.json", dumps({"request": request.to_json(), "items": listed}, indent=2))
    names = list(dict.fromkeys(name for item in items for name in item.pixels))
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["input", "output", "status", "seconds", "message", *(f"{name}_m2" for name in names)])
    for item in items:
        areas = [item.area_m2.get(name, "") for name in names]
        rows.writerow([item.input, item.output, item.status, item.seconds, item.message, *areas])
    write_text(folder / "manifest.csv", table.getvalue())
