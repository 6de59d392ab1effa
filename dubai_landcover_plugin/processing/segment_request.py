"""Segmentation in Processing: choice of the model, options, checks and results."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingParameterFile,
)

from dubai_landcover_plugin.processing.algorithm import LandCoverAlgorithm
from dubai_landcover_plugin.processing.band_choice import COLOURS, chosen_bands
from dubai_landcover_plugin.processing.destinations import check_destinations, check_not_input, is_skipped
from dubai_landcover_plugin.processing.feedback import class_line
from dubai_landcover_plugin.processing.inputs import engine_path, is_classified
from dubai_landcover_plugin.processing.message_bar import warn_in_message_bar
from dubai_landcover_plugin.processing.parameters import enumeration, label, option_values
from dubai_landcover_plugin.processing.raster_copies import has_pixels
from dubai_landcover_plugin.processing.second_raster import check_enough_bands, second_layer
from dubai_landcover_plugin.protocol.derived_bands import inputs_of
from dubai_landcover_plugin.protocol.errors import BandError, BundleError, RequestError
from dubai_landcover_plugin.protocol.model_file import read_metadata
from dubai_landcover_plugin.protocol.model_folders import readable_models, user_model_folder
from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX, BundleMetadata
from dubai_landcover_plugin.protocol.onnx_metadata import ONNX_SUFFIX
from dubai_landcover_plugin.protocol.requests.options import Described
from dubai_landcover_plugin.protocol.requests.request import Request, dumps
from dubai_landcover_plugin.protocol.requests.segmentation import (
    SegmentationResult,
    SegmentOptions,
)
from dubai_landcover_plugin.protocol.translation import isolated, joined, tr
from dubai_landcover_plugin.runner.settings import available_models, colours, default_model

_NAMES = 3  # of rasters in a message


def add_model(algorithm: LandCoverAlgorithm, item: Described) -> None:
    """Add the choice of a model: an installed one, or a file."""
    readable, problems = readable_models(available_models())
    names = list(readable)
    default = next((name for name in (default_model(), item.default, *names) if name in names), None)
    words = [model_words(name, metadata) for name, metadata in readable.items()]
    algorithm.add(
        enumeration(str(item.key), label(item), names, words, default, optional=not names),
        tr(
            "An installed model. Models are looked for in the plugin, in {folder} and in the folder of the plugin's "
            "settings.",
            folder=user_model_folder(),
        )
        + "".join(f"\n{name}: {metadata.title}" for name, metadata in readable.items())
        + "".join(f"\n{tr('Not listed:')} {problem}" for problem in problems),
    )
    algorithm.add(
        QgsProcessingParameterFile(
            "MODEL_FILE",
            tr("Model file"),
            optional=True,
            fileFilter=f"{tr('Models')} (*{BUNDLE_SUFFIX} *{ONNX_SUFFIX})",
        ),
        tr(
            "A model that is not in the list, for example one that you trained or an ONNX file made for the plugin "
            "Deepness. It replaces the model chosen above."
        ),
        advanced=True,
    )


def model_words(name: str, metadata: BundleMetadata) -> str:
    """Return the line that says what a model is for."""
    purposes = {
        "dubai": tr("cities at the Gulf (pixels of about 1 m)"),
        "world": tr("most places (pixels of about 0.6 m)"),
    }
    words = f"{isolated(name)}: {purposes.get(name) or metadata.title}"
    if sorted(metadata.bands) != sorted(COLOURS):
        words += " " + tr("(bands: {names})", names=joined(metadata.bands))
    return words


def chosen_model(algorithm: LandCoverAlgorithm, parameters: Mapping[str, Any], context: QgsProcessingContext) -> Path:
    """Return the model file that the parameters name.

    Raises:
        BundleError: if the model is not installed or none was chosen.
    """
    file = algorithm.parameterAsFile(parameters, "MODEL_FILE", context)
    if file:
        return Path(file)
    name = chosen_name(algorithm, "MODEL", parameters, context)
    if not name:
        raise BundleError(
            tr("No model was chosen. Installed: {names}.", names=joined(available_models()) or tr("none")),
            tr("Choose a model or give a model file; models can be put into {folder}.", folder=user_model_folder()),
        )
    return installed_model(name)


def chosen_name(
    algorithm: LandCoverAlgorithm, key: str, parameters: Mapping[str, Any], context: QgsProcessingContext
) -> str:
    """Return the name of a model as it is given: QGIS replaces a name that it does not know by the default."""
    given = parameters.get(key)
    return given if isinstance(given, str) and given else algorithm.parameterAsEnumString(parameters, key, context)


def installed_model(name: str) -> Path:
    """Return the file of an installed model.

    Raises:
        BundleError: if there is none of this name.
    """
    installed = available_models()
    if name not in installed:
        raise BundleError(
            tr("The model '{name}' is not installed.", name=name),
            tr("Choose one of those installed ({names}) or give a model file.", names=joined(installed) or tr("none")),
        )
    return installed[name]


def segment_options(
    algorithm: LandCoverAlgorithm,
    parameters: Mapping[str, Any],
    context: QgsProcessingContext,
    crs_override: str = "",
    nodata: float | None = None,
) -> SegmentOptions:
    """Return the engine's options for the parameters.

    Args:
        algorithm: The algorithm.
        parameters: Values of its parameters.
        context: Processing's context.
        crs_override: CRS set on the layer; empty for that of the file.
        nodata: No data value set on the layer; None leaves that of the parameters.

    Raises:
        BundleError: if there is no such model.
        RequestError: if a value is out of range.
    """
    model = chosen_model(algorithm, parameters, context)
    bands = chosen_bands(algorithm, parameters, context, read_metadata(model).bands)
    values = option_values(algorithm, SegmentOptions, parameters, context, skip=("model", "bands"))
    return SegmentOptions.from_options(
        {
            **values,
            "nodata": values.get("nodata") if nodata is None else nodata,
            "model": str(model),
            "bands": bands,
            "crs": crs_override or None,
            "colours": colours(),
            "overwrite": True,  # Processing has asked the user
        }
    )


def check_parameters(
    algorithm: LandCoverAlgorithm,
    request: type[Request],
    parameters: Mapping[str, Any],
    context: QgsProcessingContext,
) -> None:
    """Refuse what the engine would refuse later.

    Raises:
        LandCoverError: naming the value, the limit and the remedy.
    """
    check_destinations(algorithm, request, parameters)
    options = segment_options(algorithm, parameters, context)
    model = read_metadata(options.model)
    layer = algorithm.parameterAsRasterLayer(parameters, "INPUT", context)
    if not is_skipped(parameters.get("NOVELTY_RASTER"), context):
        model.require_ground()
    inputs = inputs_of(model.bands)
    if options.bands and len(options.bands) != len(inputs):
        raise BandError(
            tr(
                "The model reads {n} bands ({names}), {given} are chosen.",
                n=len(inputs),
                names=joined(inputs),
                given=len(options.bands),
            ),
            tr("Choose one for each, in that order, or none."),
        )
    if layer is None:
        return  # QGIS says so itself
    second = second_layer(algorithm, parameters, context)
    count = layer.bandCount() + (second.bandCount() if second is not None else 0)
    if options.bands and max(options.bands) > count:
        raise BandError(
            tr("Band {band} is chosen, the raster has {n}.", band=max(options.bands), n=count),
            tr("Choose among those."),
        )
    if not options.bands:
        check_enough_bands(model.bands, layer, second)
    path = engine_path(layer)
    if is_classified(layer):
        raise RequestError(
            tr("The layer '{name}' is a classified raster, a result, and no image.", name=layer.name()),
            tr("Choose the image as input."),
        )
    has_extent = algorithm.parameterDefinition("EXTENT") is not None
    if has_extent and not has_pixels(layer.dataProvider()) and parameters.get("EXTENT") in (None, ""):
        raise RequestError(
            tr("The web layer '{name}' needs an extent.", name=layer.name()),
            tr("Choose one in the dialog, for example that of the map canvas."),
        )
    for name in (str(item.key) for item in request.described() if item.option.writes == "raster"):
        check_not_input(parameters, name, path)


def outputs(result: SegmentationResult, paths: Mapping[str, str]) -> dict[str, Any]:
    """Return the results that QGIS, models and scripts see."""
    return {
        **paths,
        "AREAS": dumps(result.area_m2 or {}),
        "PIXELS": dumps(result.pixels),
        "VALID_PIXELS": result.valid_pixels,
        "NOVELTY": result.novelty,
        "SECONDS": result.seconds,
        "MODEL_HASH": result.model_hash,
        "RECORD": result.record,
    }


def warn_of_novelty(result: SegmentationResult, model: str, source: str) -> None:
    """Show in the message bar that the ground is unlike the training images, where the run found it so.

    Args:
        result: The result; the log has its warnings.
        model: Name of the model.
        source: Name of the raster.
    """
    if not result.is_novel:
        return
    text = tr(
        "{share:.0f} % of the ground is unlike the training images of the model {model}: expect more errors than the "
        "confidence says. Choose another model, teach this one, or train one with labels of this area."
    )
    warn_in_message_bar(source, text.format(model=model, share=result.unlike_ground or 0))


def warn_of_novel_rasters(items: Sequence[Mapping[str, Any]], model: str, folder: str) -> None:
    """Show in the message bar how many rasters of a folder are unlike the training images.

    Args:
        items: Outcome of each raster, see :class:`.FolderResult`.
        model: Name of the model.
        folder: Name of the folder.
    """
    novel = [os.path.basename(item["input"]) for item in items if item["is_novel"]]
    if not novel:
        return
    text = tr(
        "{count} of {all} rasters are unlike the training images of the model {model}: expect more errors than the "
        "confidence says ({names}). Choose another model, teach this one, or train one with labels of this area."
    )
    names = joined(novel, _NAMES)
    warn_in_message_bar(folder, text.format(count=len(novel), all=len(items), model=model, names=names))


def report_areas(result: SegmentationResult, feedback: QgsProcessingFeedback) -> None:
    """Write a table of classes into the log; the engine has logged its warnings."""
    total = max(result.valid_pixels, 1)
    for name, pixels in result.pixels.items():
        area = None if result.area_m2 is None else result.area_m2.get(name, 0.0)
        feedback.pushInfo(class_line(name, pixels=pixels, area=area, share=pixels / total))
    speed = result.height * result.width / 1e6 / max(result.seconds, 1e-9)
    feedback.pushInfo(
        tr(
            "Windows: {windows}, on {device} ({runtime}, {precision}) in {seconds:.1f} s, {speed:.2f} Mpx/s",
            windows=result.windows,
            device=result.device,
            runtime=result.runtime,
            precision=result.precision,
            seconds=result.seconds,
            speed=speed,
        )
    )
