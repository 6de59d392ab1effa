"""``landcover segment`` and ``landcover batch``."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.cli.options import Terminal, add_command, add_polygon_options, print_json
from dubai_landcover_plugin.protocol.errors import RequestError
from dubai_landcover_plugin.protocol.requests.request import VECTOR_SUFFIXES
from dubai_landcover_plugin.protocol.requests.segmentation import (
    DEFAULT_MODEL,
    DEVICES,
    GSD_MODES,
    PRECISIONS,
    RUNTIMES,
    STRETCHES,
    FolderRequest,
    SegmentationRequest,
    SegmentOptions,
)


def add_commands(commands: Any) -> None:
    """Add what this file runs."""
    segment = add_command(commands, "segment", _segment, "classify one raster")
    segment.add_argument("input", nargs="?", help="anything GDAL reads")
    segment.add_argument("output", nargs="?", help="the classified GeoTIFF")
    segment.add_argument("--request", metavar="FILE", help="a request as JSON; other arguments are ignored then")
    segment.add_argument("--extent", nargs=4, type=float, metavar=("XMIN", "YMIN", "XMAX", "YMAX"))
    segment.add_argument("--confidence", metavar="FILE.tif", help="confidence raster, percent")
    segment.add_argument("--polygons", metavar="FILE", help=f"vector file ({', '.join(VECTOR_SUFFIXES)})")
    segment.add_argument("--buildings", metavar="FILE", help="vector file of buildings with right angles")
    segment.add_argument("--roads", metavar="FILE", help="vector file of the road network, as centre lines")
    segment.add_argument("--report", metavar="FILE.html", help="report with areas and a chart")
    _add_options(segment)
    _add_cluster(segment)

    batch = add_command(commands, "batch", _batch, "classify a folder of rasters")
    batch.add_argument("folder")
    batch.add_argument("output_folder")
    batch.add_argument(
        "--pattern", default=FolderRequest.pattern, help="file name patterns, separated by ; (%(default)s)"
    )
    batch.add_argument("--recursive", action="store_true", help="look into subfolders")
    batch.add_argument("--polygons", metavar="SUFFIX", choices=tuple(VECTOR_SUFFIXES), help="polygons for each raster")
    batch.add_argument("--confidence", action="store_true", help="a confidence raster for each")
    batch.add_argument("--report", action="store_true", help="a report for each")
    batch.add_argument("--redo", action="store_true", help="do again what is done already")
    _add_options(batch)
    _add_cluster(batch)


def _read_request(path: str) -> SegmentationRequest:
    """Read a request from a JSON file.

    Raises:
        RequestError: if the file cannot be read, is no JSON or no request.
    """
    try:
        return SegmentationRequest.from_json(json.loads(Path(path).read_text(encoding="utf-8-sig")))
    except RequestError as error:
        raise RequestError(f"The request in {path} cannot be used: {error.message}", error.remedy) from error
    except OSError as error:
        raise RequestError(f"The request {path} cannot be read: {error.strerror}.", "Give another file.") from error
    except (ValueError, RecursionError) as error:
        raise RequestError(
            f"The request {path} is no JSON: {error}.", "Save it again from the log of Segment Land Cover."
        ) from error


def _segment(parsed: argparse.Namespace, monitor: Terminal) -> int:
    from dubai_landcover_plugin.core.segmentation.segment import segment_raster

    if parsed.request:
        request = _read_request(parsed.request)
    else:
        request = SegmentationRequest(
            input=parsed.input or "",
            output=parsed.output or "",
            options=_options(parsed),
            extent=None if parsed.extent is None else tuple(parsed.extent),
            confidence=parsed.confidence,
            polygons=parsed.polygons,
            report=parsed.report,
            buildings=parsed.buildings,
            roads=parsed.roads,
        )
    with _cluster(parsed, request.options.model) as cluster:
        if cluster is None:
            result = segment_raster(request, monitor)
        else:
            from dubai_landcover_plugin.core.cluster.executor import cluster_engine

            result = segment_raster(request, monitor, engine=cluster_engine(cluster))
    monitor.finish()
    if parsed.json:
        print_json(result.to_json())
        return 0
    total = max(result.valid_pixels, 1)
    for name, pixels in result.pixels.items():
        area = "" if result.area_m2 is None else f"  {result.area_m2[name] / 1e4:12,.2f} ha"
        sys.stdout.write(f"{name:12s} {100 * pixels / total:5.1f} %{area}\n")
    megapixels = result.height * result.width / 1e6
    sys.stdout.write(f"{megapixels:.1f} Mpx in {result.seconds:.1f} s ({megapixels / result.seconds:.2f} Mpx/s)\n")
    vectors = (result.polygons, result.buildings, result.roads)
    for path in (result.output, result.record, result.confidence, *vectors, result.report):
        if path:
            sys.stdout.write(f"{path}\n")
    return 0


def _batch(parsed: argparse.Namespace, monitor: Terminal) -> int:
    from dubai_landcover_plugin.core.segmentation.batch import segment_folder

    request = FolderRequest(
        folder=parsed.folder,
        output_folder=parsed.output_folder,
        pattern=parsed.pattern,
        recursive=parsed.recursive,
        polygons=parsed.polygons,
        confidence=parsed.confidence,
        report=parsed.report,
        redo=parsed.redo,
        options=_options(parsed),
    )
    with _cluster(parsed, request.options.model) as cluster:
        if cluster is None:
            outcome = segment_folder(request, monitor)
        else:
            from dubai_landcover_plugin.core.cluster.executor import map_rasters

            outcome = segment_folder(request, monitor, run_rasters=map_rasters(cluster))
    monitor.finish()
    if parsed.json:
        print_json(outcome.to_json())
    else:
        sys.stdout.write(
            f"{outcome.done} done, {outcome.skipped} skipped, {outcome.failed} failed: {outcome.manifest_csv}\n"
        )
    return 1 if outcome.failed else 0


@contextmanager
def _cluster(parsed: argparse.Namespace, model: str) -> Iterator[Any]:
    """Yield the cluster that was asked for, or None."""
    if parsed.scheduler is None and parsed.workers is None:
        yield None
        return
    from dubai_landcover_plugin.core.cluster.connection import open_cluster

    with open_cluster(parsed.scheduler, parsed.workers, model) as cluster:
        yield cluster


def _options(parsed: argparse.Namespace) -> SegmentOptions:
    return SegmentOptions(
        model=parsed.model,
        bands=None if parsed.bands is None else tuple(parsed.bands),
        min_confidence=parsed.min_confidence,
        window=parsed.window,
        overlap=parsed.overlap,
        batch=parsed.batch,
        memory=parsed.memory,
        device=parsed.device,
        runtime=parsed.runtime,
        precision=parsed.precision,
        tta=parsed.tta,
        gsd_mode=parsed.gsd_mode,
        gsd=parsed.gsd,
        crs=parsed.crs,
        nodata=parsed.nodata,
        stretch=parsed.stretch,
        limits=None if parsed.limits is None else tuple(parsed.limits),
        pixel_space=parsed.pixel_space,
        min_area=parsed.min_area,
        simplify=parsed.simplify,
        overwrite=parsed.overwrite,
        cog=parsed.cog,
        keep=parsed.keep,
    )


def _pair(text: str) -> tuple[float, float]:
    low, _, high = text.partition(":")
    try:
        return float(low), float(high)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not LOW:HIGH") from None


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 1 on")
    return int(text)


def _add_cluster(parser: argparse.ArgumentParser) -> None:
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--workers", type=_count, metavar="N", help="compute in N processes on this machine")
    place.add_argument("--scheduler", metavar="ADDRESS", help="compute on a Dask cluster, e.g. tcp://10.0.0.1:8786")


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default=DEFAULT_MODEL, help="installed model or file (%(default)s)")
    parser.add_argument("--bands", nargs="+", type=int, metavar="N", help="band numbers in the model's order")
    parser.add_argument("--min-confidence", type=float, default=0.0, metavar="P", help="below it: Unlabeled (0..1)")
    parser.add_argument("--window", type=int, metavar="PX")
    parser.add_argument("--overlap", type=int, metavar="PX")
    parser.add_argument("--batch", type=int, metavar="N")
    parser.add_argument("--memory", type=int, metavar="MB", help="what the run may take; default half of what is free")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument(
        "--runtime",
        choices=RUNTIMES,
        default="auto",
        help="what computes the network; auto takes the fastest",
    )
    parser.add_argument("--precision", choices=PRECISIONS, default="auto")
    parser.add_argument("--cog", action="store_true", help="write cloud-optimised GeoTIFFs")
    parser.add_argument(
        "--keep", action="store_true", help="when stopped, keep what is finished; the same command goes on from there"
    )
    parser.add_argument("--tta", action="store_true", help="test-time augmentation: four times slower, a little better")
    parser.add_argument("--gsd-mode", choices=GSD_MODES, default="auto", help="read at the model's GSD, or never")
    parser.add_argument("--gsd", type=float, metavar="M", help="ground sampling distance of the input, m/px")
    parser.add_argument("--crs", help="override the CRS, e.g. EPSG:32640")
    parser.add_argument("--nodata", type=float, help="a further nodata value")
    parser.add_argument("--stretch", choices=STRETCHES, default="auto", help="16-bit and float: 2–98 %% or full range")
    parser.add_argument("--limits", nargs="+", type=_pair, metavar="LOW:HIGH", help="explicit stretch of each band")
    parser.add_argument("--pixel-space", action="store_true", help="accept ground control points without CRS")
    add_polygon_options(parser)
