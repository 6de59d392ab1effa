"""``landcover segment`` and ``landcover batch``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from dubai_landcover_plugin.cli.options import Outcome, command, parameter, parameters_of
from dubai_landcover_plugin.cli.terminal import TerminalMonitor
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.folder import FolderRequest
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentationResult


def _read_request(path: str) -> SegmentationRequest:
    """Read a request from a JSON file.

    Raises:
        RequestError: if the file cannot be read, is not JSON or not a request.
    """
    try:
        return SegmentationRequest.from_json(json.loads(Path(path).read_text(encoding="utf-8-sig")))
    except RequestError as error:
        raise RequestError(f"The request in {path} cannot be used: {error.message}", error.remedy) from error
    except OSError as error:
        raise RequestError(f"The request {path} cannot be read: {error.strerror}.", "Give another file.") from error
    except (ValueError, RecursionError) as error:
        raise RequestError(
            f"The request {path} is not JSON: {error}.", "Save it again from the log of Segment Land Cover."
        ) from error


def _segment(values: dict[str, Any], monitor: TerminalMonitor) -> Outcome:
    from dubai_landcover_plugin.core.segmentation.segment import segment_raster

    path = values.pop("request", None)
    if path is None and not {"input", "output"} <= set(values):
        raise RequestError("An input and an output path are needed.", "Give both, or a request with --request FILE.")
    request = SegmentationRequest.from_options(values) if path is None else _read_request(path)
    with _cluster(values, request.options.model) as cluster:
        if cluster is None:
            result = segment_raster(request, monitor)
        else:
            from dubai_landcover_plugin.core.cluster.executor import cluster_executors
            from dubai_landcover_plugin.core.segmentation.segment import run_segmentation

            result = run_segmentation(request, monitor, make_executor=cluster_executors(cluster))
    return Outcome(result.to_json(), _lines(result))


def _lines(result: SegmentationResult) -> Iterator[str]:
    total = max(result.valid_pixels, 1)
    for name, pixels in result.pixels.items():
        area = "" if result.area_m2 is None else f"  {result.area_m2[name] / 1e4:12,.2f} ha"
        yield f"{name:12s} {100 * pixels / total:5.1f} %{area}"
    megapixels = result.height * result.width / 1e6
    yield f"{megapixels:.1f} Mpx in {result.seconds:.1f} s ({megapixels / result.seconds:.2f} Mpx/s)"
    vectors = (result.polygons, result.buildings, result.roads)
    rasters = (result.output, result.record, result.confidence, result.novelty_raster, result.probabilities)
    yield from (path for path in (*rasters, *vectors, result.report) if path)


def _batch(values: dict[str, Any], monitor: TerminalMonitor) -> Outcome:
    from dubai_landcover_plugin.core.segmentation.batch import segment_folder

    request = FolderRequest.from_options(values)
    with _cluster(values, request.options.model) as cluster:
        if cluster is None:
            result = segment_folder(request, monitor)
        else:
            from dubai_landcover_plugin.core.cluster.executor import map_rasters
            from dubai_landcover_plugin.core.segmentation.batch import run_folder

            result = run_folder(request, monitor, run_rasters=map_rasters(cluster))
    text = f"{result.done} done, {result.skipped} skipped, {result.failed} failed: {result.manifest_csv}"
    return Outcome(result.to_json(), [text], 1 if result.failed else 0)


@contextmanager
def _cluster(values: dict[str, Any], model: str) -> Iterator[Any]:
    """Yield the cluster of ``--workers`` or ``--scheduler``; None without these options."""
    workers, scheduler = values.get("workers"), values.get("scheduler")
    if workers is not None and scheduler is not None:
        raise click.UsageError("--workers and --scheduler exclude each other.", click.get_current_context())
    if workers is None and scheduler is None:
        yield None
        return
    from dubai_landcover_plugin.core.cluster.connection import open_cluster

    with open_cluster(scheduler, workers, model) as cluster:
        yield cluster


def _cluster_options() -> list[click.Parameter]:
    return [
        click.Option(
            ["--workers"],
            type=click.IntRange(min=1),
            metavar="N",
            help="Compute in N processes on this machine.",
        ),
        click.Option(
            ["--scheduler"], metavar="ADDRESS", help="Compute on a Dask cluster, for example tcp://10.0.0.1:8786."
        ),
    ]


_REQUEST = click.Option(
    ["--request"], metavar="FILE", help="Run a request from a JSON file; the other arguments are ignored."
)
SEGMENT = command(
    "segment",
    "Classify one raster.",
    [
        *(parameter(item, required=False) for item in SegmentationRequest.described()),
        *_cluster_options(),
        _REQUEST,
    ],
    _segment,
)
BATCH = command("batch", "Classify a folder of rasters.", [*parameters_of(FolderRequest), *_cluster_options()], _batch)
