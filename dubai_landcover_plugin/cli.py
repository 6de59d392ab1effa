"""The command line: ``landcover segment|batch|polygons|accuracy|models|doctor``."""

from __future__ import annotations

import argparse
import io
import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from dubai_landcover_plugin.core.errors import LandCoverError, RequestError, RunCancelled
from dubai_landcover_plugin.core.model_spec import installed_models, read_metadata
from dubai_landcover_plugin.core.request import (
    DEFAULT_MODEL,
    DEVICES,
    GSD_MODES,
    PRECISIONS,
    RUNTIMES,
    STRETCHES,
    VECTOR_SUFFIXES,
    BatchRequest,
    PolygonsRequest,
    SegmentationRequest,
    SegmentOptions,
)

CANCELLED = 130  # exit status, as of a program that Ctrl+C ended


class TerminalMonitor:
    """Progress on standard error; Ctrl+C asks the run to stop, and so do the signals that end a process."""

    def __init__(self) -> None:
        self._cancelled = False
        self._live = sys.stderr.isatty()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Take signals as a wish to stop; those that the caller of the process ignores stay ignored (nohup)."""
        numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
        earlier = {number: signal.getsignal(number) for number in numbers}
        heard = [number for number in numbers if earlier[number] not in (signal.SIG_IGN, None)]
        for number in heard:
            signal.signal(number, self._interrupt)
        try:
            yield
        finally:
            for number in heard:
                signal.signal(number, earlier[number])

    def report(self, done: int, total: int, text: str = "") -> None:
        """Redraw the progress line, where there is a terminal."""
        if self._live:
            self._write(f"\r\033[K{100 * done / max(total, 1):5.1f} %  {text}")

    def log(self, level: str, text: str) -> None:
        """Print a message on a line of its own."""
        start = "\r\033[K" if self._live else ""
        self._write(f"{start}{'Warning: ' if level == 'warning' else ''}{text}\n")

    def cancelled(self) -> bool:
        """Return whether somebody asked the run to stop."""
        return self._cancelled

    def finish(self) -> None:
        """Clear the progress line."""
        if self._live:
            self._write("\r\033[K")

    @staticmethod
    def _write(text: str) -> None:
        with suppress(OSError):  # the terminal may be gone
            sys.stderr.write(text)
            sys.stderr.flush()

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._cancelled:
            raise KeyboardInterrupt
        self._cancelled = True


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0 done, 1 failed, 2 wrong use, 130 cancelled."""
    parsed = _parser().parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may be anything
    monitor = TerminalMonitor()
    try:
        if not parsed.polls:
            return _run(parsed, monitor)
        with monitor.listening():
            return _run(parsed, monitor)
    except RunCancelled as error:
        monitor.finish()
        monitor.log("error", f"landcover: {error.message}")
        return CANCELLED
    except KeyboardInterrupt:
        monitor.finish()
        return CANCELLED
    except LandCoverError as error:
        monitor.finish()
        monitor.log("error", f"landcover: {error.message}")
        if error.remedy:
            monitor.log("error", f"           {error.remedy}")
        return 1


def _run(parsed: argparse.Namespace, monitor: TerminalMonitor) -> int:
    status: int = parsed.run(parsed, monitor)
    return status


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


def _segment(parsed: argparse.Namespace, monitor: TerminalMonitor) -> int:
    from dubai_landcover_plugin.core.segment import segment_raster

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
        )
    with _cluster(parsed, request.options.model) as cluster:
        if cluster is None:
            result = segment_raster(request, monitor)
        else:
            from dubai_landcover_plugin.core.cluster.engine import cluster_engine

            result = segment_raster(request, monitor, engine=cluster_engine(cluster))
    monitor.finish()
    if parsed.json:
        _print_json(result.to_json())
        return 0
    total = max(result.valid_pixels, 1)
    for name, pixels in result.pixels.items():
        area = "" if result.area_m2 is None else f"  {result.area_m2[name] / 1e4:12,.2f} ha"
        sys.stdout.write(f"{name:12s} {100 * pixels / total:5.1f} %{area}\n")
    megapixels = result.height * result.width / 1e6
    sys.stdout.write(f"{megapixels:.1f} Mpx in {result.seconds:.1f} s ({megapixels / result.seconds:.2f} Mpx/s)\n")
    for path in (result.output, result.record, result.confidence, result.polygons, result.report):
        if path:
            sys.stdout.write(f"{path}\n")
    return 0


def _batch(parsed: argparse.Namespace, monitor: TerminalMonitor) -> int:
    from dubai_landcover_plugin.core.batch import run_batch

    request = BatchRequest(
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
            outcome = run_batch(request, monitor)
        else:
            from dubai_landcover_plugin.core.cluster.engine import map_rasters

            outcome = run_batch(request, monitor, run_rasters=map_rasters(cluster))
    monitor.finish()
    if parsed.json:
        _print_json(outcome)
    else:
        sys.stdout.write(
            f"{outcome['done']} done, {outcome['skipped']} skipped, {outcome['failed']} failed: "
            f"{outcome['manifest_csv']}\n"
        )
    return 1 if outcome["failed"] else 0


@contextmanager
def _cluster(parsed: argparse.Namespace, model: str) -> Iterator[Any]:
    """Yield the cluster that was asked for, or None."""
    if parsed.scheduler is None and parsed.workers is None:
        yield None
        return
    from dubai_landcover_plugin.core.cluster.connection import open_cluster

    with open_cluster(parsed.scheduler, parsed.workers, model) as cluster:
        yield cluster


def _polygons(parsed: argparse.Namespace, monitor: TerminalMonitor) -> int:
    from dubai_landcover_plugin.core.polygons import export_polygons

    outcome = export_polygons(
        PolygonsRequest(
            input=parsed.input,
            output_folder=parsed.output_folder,
            classes=tuple(parsed.classes),
            suffix=f".{parsed.format}",
            min_area=parsed.min_area,
            simplify=parsed.simplify,
            overwrite=parsed.overwrite,
        ),
        monitor,
    )
    monitor.finish()
    if parsed.json:
        _print_json(outcome)
    else:
        for name, path in outcome["files"].items():
            sys.stdout.write(f"{name}: {outcome['counts'][name]} polygons, {path}\n")
    return 0


def _accuracy(parsed: argparse.Namespace, monitor: TerminalMonitor) -> int:
    from dubai_landcover_plugin.core.accuracy import compare_maps

    figures = compare_maps(parsed.truth, parsed.classified)
    if parsed.json:
        _print_json(figures)
        return 0
    sys.stdout.write(f"accuracy {figures['accuracy']}  mIoU {figures['miou']}  ({figures['pixels']:,} px)\n")
    for name, of_class in figures["classes"].items():
        sys.stdout.write(f"{name:12s} " + "  ".join(f"{key} {value}" for key, value in of_class.items()) + "\n")
    return 0


def _models(parsed: argparse.Namespace, monitor: TerminalMonitor) -> int:
    listed = []
    for name, path in installed_models().items():
        metadata = read_metadata(path)
        listed.append({"name": name, "title": metadata.title, "gsd": metadata.gsd, "path": str(path)})
    if parsed.json:
        _print_json(listed)
    else:
        for model in listed:
            sys.stdout.write(f"{model['name']}: {model['title']} ({model['gsd']:g} m/px)\n  {model['path']}\n")
    return 0


def _doctor(parsed: argparse.Namespace, monitor: TerminalMonitor) -> int:
    from dubai_landcover_plugin.core.doctor import examine

    found = examine()
    if parsed.json:
        _print_json(found)
    else:
        sys.stdout.write(f"Interpreter  {found['python']}\nPackage      {found['package']}\n")
        sys.stdout.write("Versions     " + ", ".join(f"{k} {v}" for k, v in found["versions"].items()) + "\n")
        sys.stdout.write(f"Device       {found['device']}, {found['precision']}\n")
        sys.stdout.write(f"Free disk    {found['free_disk_gb']} GB in the home folder\n")
        for model in found["models"]:
            sys.stdout.write(f"Model        {model['name']}: {model['title']}\n")
        for problem in found["problems"]:
            sys.stdout.write(f"PROBLEM      {problem}\n")
        if not found["problems"]:
            sys.stdout.write("Everything needed is there.\n")
    return 1 if found["problems"] else 0


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2) + "\n")  # ASCII is JSON in every encoding


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="landcover", description="Land-cover maps from aerial and satellite images.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    segment = _command(commands, "segment", _segment, "classify one raster")
    segment.add_argument("input", nargs="?", help="anything GDAL reads")
    segment.add_argument("output", nargs="?", help="the classified GeoTIFF")
    segment.add_argument("--request", metavar="FILE", help="a request as JSON; other arguments are ignored then")
    segment.add_argument("--extent", nargs=4, type=float, metavar=("XMIN", "YMIN", "XMAX", "YMAX"))
    segment.add_argument("--confidence", metavar="FILE.tif", help="confidence raster, percent")
    segment.add_argument("--polygons", metavar="FILE", help=f"vector file ({', '.join(VECTOR_SUFFIXES)})")
    segment.add_argument("--report", metavar="FILE.html", help="report with areas and a chart")
    _add_options(segment)
    _add_cluster(segment)

    batch = _command(commands, "batch", _batch, "classify a folder of rasters")
    batch.add_argument("folder")
    batch.add_argument("output_folder")
    batch.add_argument(
        "--pattern", default=BatchRequest.pattern, help="file name patterns, separated by ; (%(default)s)"
    )
    batch.add_argument("--recursive", action="store_true", help="look into subfolders")
    batch.add_argument("--polygons", metavar="SUFFIX", choices=tuple(VECTOR_SUFFIXES), help="polygons for each raster")
    batch.add_argument("--confidence", action="store_true", help="a confidence raster for each")
    batch.add_argument("--report", action="store_true", help="a report for each")
    batch.add_argument("--redo", action="store_true", help="do again what is done already")
    _add_options(batch)
    _add_cluster(batch)

    polygons = _command(commands, "polygons", _polygons, "class polygons of a classified raster")
    polygons.add_argument("input")
    polygons.add_argument("output_folder")
    polygons.add_argument(
        "--classes", nargs="+", default=list(PolygonsRequest.classes), help="names or ids (%(default)s)"
    )
    polygons.add_argument("--format", default="shp", choices=[suffix[1:] for suffix in VECTOR_SUFFIXES])
    _add_polygon_options(polygons)

    accuracy = _command(commands, "accuracy", _accuracy, "compare a classified raster with the truth")
    accuracy.add_argument("truth")
    accuracy.add_argument("classified")
    _command(commands, "models", _models, "list the installed models")
    _command(commands, "doctor", _doctor, "tell what is installed and what is missing")
    return parser


_POLLING = ("segment", "batch", "polygons")  # these look at the monitor; the others Ctrl+C ends at once


def _command(
    commands: Any, name: str, run: Callable[[argparse.Namespace, TerminalMonitor], int], text: str
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text.capitalize() + ".")
    command.add_argument("--json", action="store_true", help="print the outcome as JSON")
    command.set_defaults(run=run, polls=name in _POLLING)
    return command


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
    _add_polygon_options(parser)


def _add_polygon_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--min-area", type=float, default=SegmentOptions.min_area, help="smallest polygon, m² (%(default)s)"
    )
    parser.add_argument("--simplify", type=float, default=SegmentOptions.simplify, help="tolerance, m (%(default)s)")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
