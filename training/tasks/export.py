"""Export Model: a model in forms that other programs read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dubai_landcover_plugin.core.bundle.bundle import load_bundle
from dubai_landcover_plugin.core.io.files import make_folder
from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.model_folders import find_model
from dubai_landcover_plugin.protocol.monitor import LoggingMonitor, Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.requests.training import FORMATS, ExportRequest, ExportResult
from dubai_landcover_plugin.protocol.translation import tr

from ..errors import TrainingError
from ..exports.esri import write_esri
from ..exports.onnx_file import ONNX_SUFFIX, export_onnx
from ..exports.openvino_file import IR_SUFFIX, export_openvino
from ..exports.stac import check_name, write_stac_item
from .start import Report


def export_model(request: ExportRequest, monitor: Monitor | None = None) -> ExportResult:
    """Write a model for other programs and compare what they compute with the network.

    Args:
        request: Model, folder and formats.
        monitor: Receives progress and messages; may cancel between formats. None: they are logged.

    Raises:
        BundleError: if the model cannot be read.
        TrainingError: if a package is missing, or a form does not agree with the network.
        OutputError: if a file exists or cannot be written.
        RunCancelled: if the monitor cancels.
    """
    monitor = monitor or LoggingMonitor()
    path, folder = find_model(request.model), Path(request.output)
    bundle = load_bundle(str(path))
    if bundle.is_onnx:
        raise TrainingError(tr("{path} is an ONNX file already.", path=path), tr("Choose a .safetensors model."))
    name = check_name(path.stem)
    formats = [one for one in FORMATS if one in request.formats]
    planned = [folder / file for one in formats for file in _names(one, name)]
    existing = sorted({file.name for file in planned if file.exists()})
    if existing and not request.overwrite:
        raise OutputError(
            tr("{folder} has {names}.", folder=folder, names=", ".join(existing)),
            tr("Choose another folder, or allow overwriting."),
        )
    make_folder(folder)
    files: list[Path] = []
    agreement: dict[str, str] = {}
    for number, kind in enumerate(formats):
        raise_if_cancelled(monitor)
        monitor.report(number, len(formats), kind)
        if kind in ("onnx", "esri"):
            fixed = kind == "esri" or not request.any_size
            onnx = folder / f"{name}{'-esri' if kind == 'esri' else ''}{ONNX_SUFFIX}"
            metadata = replace(bundle.metadata, name=onnx.stem)
            agreement[kind] = str(export_onnx(onnx, metadata, bundle.model, metadata.window if fixed else None))
            files.append(onnx)
        if kind == "esri":
            files += write_esri(folder / f"{name}.emd", bundle.metadata, onnx, overwrite=True)
        if kind == "openvino":
            graph = folder / f"{name}{IR_SUFFIX}"
            agreement[kind] = str(export_openvino(graph, bundle, overwrite=True))
            files += [graph, graph.with_suffix(".bin")]
        if kind == "stac":
            files.append(write_stac_item(folder / path.name, bundle.metadata))
    report = Report(monitor)
    for kind, text in agreement.items():
        report(f"{kind}: {text}")
    for file in files:
        report(str(file))
    monitor.report(len(formats), len(formats), "")
    return ExportResult(request.output, tuple(map(str, files)), agreement)


def _names(kind: str, name: str) -> tuple[str, ...]:
    """Return the names of the files of a format."""
    return {
        "onnx": (f"{name}{ONNX_SUFFIX}",),
        "openvino": (f"{name}{IR_SUFFIX}", f"{name}.bin"),
        "esri": (f"{name}-esri{ONNX_SUFFIX}", f"{name}.emd", f"{name}.py"),
        "stac": (f"{name}.json",),
    }[kind]
