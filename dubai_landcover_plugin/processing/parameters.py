"""Parameters that several algorithms share, and what they mean for the engine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingParameterBand,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFile,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
)

from dubai_landcover_plugin.processing.algorithm import LandCoverAlgorithm, tr
from dubai_landcover_plugin.protocol.errors import BundleError, RequestError
from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX, user_model_folder
from dubai_landcover_plugin.protocol.onnx_metadata import ONNX_SUFFIX
from dubai_landcover_plugin.protocol.requests.segmentation import (
    DEFAULT_MODEL,
    DEVICES,
    LEAST_MEMORY,
    PRECISIONS,
    RUNTIMES,
    STRETCHES,
    SegmentOptions,
)
from dubai_landcover_plugin.runner.settings import available_models

_INTEGER = QgsProcessingParameterNumber.Type.Integer
_DOUBLE = QgsProcessingParameterNumber.Type.Double


def add_model(algorithm: LandCoverAlgorithm) -> None:
    """Add the choice of a model: one of those installed, or a file."""
    names = list(available_models())
    default = DEFAULT_MODEL if DEFAULT_MODEL in names else (names[0] if names else None)
    algorithm.add(
        QgsProcessingParameterEnum(
            "MODEL", tr("Model"), options=names, defaultValue=default, optional=not names, usesStaticStrings=True
        ),
        tr(
            "An installed model. Models lie in the plugin, in {folder} and in the folder of the plugin's settings."
        ).format(folder=user_model_folder()),
    )
    algorithm.add(
        QgsProcessingParameterFile(
            "MODEL_FILE",
            tr("Model file"),
            optional=True,
            fileFilter=f"{tr('Models')} (*{BUNDLE_SUFFIX} *{ONNX_SUFFIX})",
        ),
        tr(
            "A model that is not in the list, such as one you have trained, or an ONNX file made for the plugin "
            "Deepness; it is used instead of the one chosen above."
        ),
        advanced=True,
    )


def add_min_confidence(algorithm: LandCoverAlgorithm) -> None:
    """Add the confidence below which a pixel becomes Unlabeled."""
    algorithm.add(
        number_parameter("MIN_CONFIDENCE", tr("Minimum confidence"), _DOUBLE, 0.0, 1.0, default=0.0),
        tr(
            "Pixels whose most probable class is less probable than this become Unlabeled. 0 labels every pixel; "
            "0.6 leaves out what the model is unsure of."
        ),
    )


def add_advanced(algorithm: LandCoverAlgorithm) -> None:
    """Add how the engine works, what it computes on and how it reads pixels."""
    _add_computation(algorithm)
    _add_resolution(algorithm)
    _add_values(algorithm)


def _add_computation(algorithm: LandCoverAlgorithm) -> None:
    algorithm.add(
        number_parameter("WINDOW", tr("Window size (px)"), _INTEGER, 16, 8192),
        tr(
            "Side of the squares that the raster is computed in. Empty takes one near the model's that fits the "
            "raster. Lower it if memory runs out."
        ),
        advanced=True,
    )
    algorithm.add(
        number_parameter("OVERLAP", tr("Overlap (px)"), _INTEGER, 0, 4096),
        tr("What neighbouring windows share, at most half a window; it hides seams. Empty takes what suffices for it."),
        advanced=True,
    )
    algorithm.add(
        number_parameter("BATCH", tr("Batch size (windows)"), _INTEGER, 1, 1024),
        tr("Windows that are computed at once. Empty chooses one that suits the device. Lower it if memory runs out."),
        advanced=True,
    )
    algorithm.add(
        number_parameter("MEMORY", tr("Memory (MB)"), _INTEGER, LEAST_MEMORY, 1_000_000),
        tr("What the run may take. Empty takes half of what is free. With little it takes longer; no class changes."),
        advanced=True,
    )
    algorithm.add(
        QgsProcessingParameterEnum(
            "DEVICE", tr("Device"), options=list(DEVICES), defaultValue="auto", usesStaticStrings=True
        ),
        tr(
            "Where to compute: auto takes a graphics card of NVIDIA (cuda), Apple (mps) or Intel (intel-gpu) where "
            "there is one that proves faster, else cpu."
        ),
        advanced=True,
    )
    algorithm.add(
        QgsProcessingParameterEnum(
            "RUNTIME", tr("Runtime"), options=list(RUNTIMES), defaultValue="auto", usesStaticStrings=True
        ),
        tr(
            "What computes the network. auto tries those that are installed on a few windows of the raster and takes "
            "the fastest whose classes are those of PyTorch in float32; the log tells."
        ),
        advanced=True,
    )
    algorithm.add(
        QgsProcessingParameterEnum(
            "PRECISION", tr("Precision"), options=list(PRECISIONS), defaultValue="auto", usesStaticStrings=True
        ),
        tr(
            "Arithmetic of the network. auto takes the fastest that the device computes well; float32 is the reference."
        ),
        advanced=True,
    )
    algorithm.add(
        QgsProcessingParameterBoolean("TTA", tr("Test-time augmentation"), defaultValue=False),
        tr(
            "Average the model's answers for each window and its three quarter turns. The classes get a little better; "
            "it takes about four times as long."
        ),
        advanced=True,
    )


def _add_resolution(algorithm: LandCoverAlgorithm) -> None:
    algorithm.add(
        QgsProcessingParameterBoolean(
            "MATCH_GSD", tr("Read at the model's ground sampling distance"), defaultValue=True
        ),
        tr(
            "A raster whose pixels are more than 1.5 times finer or coarser than those the model has learnt from is "
            "resampled while it is read. The result has the raster's own pixels either way."
        ),
        advanced=True,
    )
    algorithm.add(
        number_parameter("GSD", tr("Ground sampling distance of the raster (m/px)"), _DOUBLE, 0.0001),
        tr("For rasters that do not tell, or tell wrong. Empty takes it from the raster's georeference."),
        advanced=True,
    )


def _add_values(algorithm: LandCoverAlgorithm) -> None:
    algorithm.add(
        QgsProcessingParameterEnum(
            "STRETCH",
            tr("Stretch of 16-bit and float rasters"),
            options=list(STRETCHES),
            defaultValue="auto",
            usesStaticStrings=True,
        ),
        tr("auto stretches each band from its 2nd to its 98th percentile; none takes the full range of the data type."),
        advanced=True,
    )
    algorithm.add(
        QgsProcessingParameterString("LIMITS", tr("Stretch limits"), optional=True),
        tr("A low and a high value for each band, such as 0,3000;0,3000;0,2500. Replaces the stretch above."),
        advanced=True,
    )
    algorithm.add(
        number_parameter("NODATA", tr("Additional nodata value"), _DOUBLE),
        tr("Pixels with this value in all bands are left out, on top of the nodata value that the file names."),
        advanced=True,
    )
    algorithm.add(
        QgsProcessingParameterBoolean(
            "PIXEL_SPACE", tr("Accept rasters with ground control points only"), defaultValue=False
        ),
        tr(
            "Such a raster is not warped yet. If this is checked it is classified in pixel coordinates, and the result "
            "has no CRS and no areas; if not, it is refused."
        ),
        advanced=True,
    )
    algorithm.add(
        QgsProcessingParameterBoolean("COG", tr("Cloud-optimised GeoTIFF"), defaultValue=False),
        tr("Lay the rasters out so that they can be read over the network, a part at a time."),
        advanced=True,
    )
    algorithm.add(
        QgsProcessingParameterBoolean("KEEP", tr("Keep unfinished work when cancelled"), defaultValue=False),
        tr(
            "The same run, with the same output file, then goes on where it was. After a crash or a power cut it does "
            "so in any case."
        ),
        advanced=True,
    )


def add_polygon_shape(algorithm: LandCoverAlgorithm, advanced: bool) -> None:
    """Add the minimum mapping unit and the tolerance of outlines."""
    algorithm.add(
        number_parameter("MIN_AREA", tr("Minimum mapping unit (m²)"), _DOUBLE, 0.0, default=SegmentOptions.min_area),
        tr(
            "Smaller regions take the class of the neighbour with the longest common border, so that no gaps open. In "
            "pixels where the raster has no CRS."
        ),
        advanced=advanced,
    )
    algorithm.add(
        number_parameter("SIMPLIFY", tr("Simplification tolerance (m)"), _DOUBLE, 0.0, default=SegmentOptions.simplify),
        tr(
            "Vertices go as long as less than the square of this would change sides; neighbours keep sharing their "
            "borders. 0 keeps the pixel edges. In pixels where there is no CRS."
        ),
        advanced=advanced,
    )


def add_corners(algorithm: LandCoverAlgorithm) -> None:
    """Add whether corners connect."""
    algorithm.add(
        QgsProcessingParameterBoolean("CORNERS", tr("Join pixels that touch at a corner"), defaultValue=False),
        tr("Pixels of one class that touch at a corner become one (multi)polygon: 8- instead of 4-connected."),
        advanced=True,
    )


def add_bands(algorithm: LandCoverAlgorithm) -> None:
    """Add the choice of bands, in the order that the model reads them."""
    algorithm.add(
        QgsProcessingParameterBand(
            "BANDS",
            tr("Bands, in the order red, green, blue"),
            parentLayerParameterName="INPUT",
            optional=True,
            allowMultiple=True,
        ),
        tr(
            "Empty finds the bands by their colour interpretation, else takes the first. Choose them for rasters whose "
            "bands are stored in another order."
        ),
    )


def number_parameter(
    name: str, description: str, kind: Any, low: float = -math.inf, high: float = math.inf, default: float | None = None
) -> QgsProcessingParameterNumber:
    """Return a number parameter; without a default it is optional."""
    parameter = QgsProcessingParameterNumber(name, description, kind, default, optional=default is None)
    if low > -math.inf:
        parameter.setMinimum(low)
    if high < math.inf:
        parameter.setMaximum(high)
    if kind == _DOUBLE:
        parameter.setMetadata({"widget_wrapper": {"decimals": 2 if default is not None else 4}})
    return parameter


def chosen_model(algorithm: LandCoverAlgorithm, parameters: Mapping[str, Any], context: QgsProcessingContext) -> Path:
    """Return the model file that the parameters name.

    Raises:
        BundleError: if the model is not installed or none was chosen.
    """
    file = algorithm.parameterAsFile(parameters, "MODEL_FILE", context)
    if file:
        return Path(file)
    installed = available_models()
    given = parameters.get("MODEL")  # read as it is: QGIS replaces a name that it does not know by the default
    name = given if isinstance(given, str) and given else algorithm.parameterAsEnumString(parameters, "MODEL", context)
    if name in installed:
        return installed[name]
    names = ", ".join(installed) or tr("none")
    if not name:
        raise BundleError(
            tr("No model was chosen. Installed: {names}.").format(names=names),
            tr("Choose a model or give a model file; models can be put into {folder}.").format(
                folder=user_model_folder()
            ),
        )
    raise BundleError(
        tr("The model '{name}' is not installed.").format(name=name),
        tr("Choose one of those installed ({names}) or give a model file.").format(names=names),
    )


def segment_options(
    algorithm: LandCoverAlgorithm, parameters: Mapping[str, Any], context: QgsProcessingContext, crs_override: str = ""
) -> SegmentOptions:
    """Return the engine's options for the parameters.

    Raises:
        BundleError: if there is no such model.
        RequestError: if a value is out of range.
    """

    def number(name: str) -> float | None:
        given = algorithm.parameterDefinition(name) is not None and parameters.get(name) is not None
        return algorithm.parameterAsDouble(parameters, name, context) if given and parameters[name] != "" else None

    def whole(name: str) -> int | None:
        value = number(name)
        return None if value is None else int(value)

    has_bands = algorithm.parameterDefinition("BANDS") is not None
    bands = tuple(algorithm.parameterAsInts(parameters, "BANDS", context)) if has_bands else ()
    return SegmentOptions(
        model=str(chosen_model(algorithm, parameters, context)),
        bands=bands or None,
        min_confidence=algorithm.parameterAsDouble(parameters, "MIN_CONFIDENCE", context),
        window=whole("WINDOW"),
        overlap=whole("OVERLAP"),
        batch=whole("BATCH"),
        memory=whole("MEMORY"),
        device=algorithm.parameterAsEnumString(parameters, "DEVICE", context),
        runtime=algorithm.parameterAsEnumString(parameters, "RUNTIME", context),
        precision=algorithm.parameterAsEnumString(parameters, "PRECISION", context),
        tta=algorithm.parameterAsBool(parameters, "TTA", context),
        gsd_mode="auto" if algorithm.parameterAsBool(parameters, "MATCH_GSD", context) else "never",
        gsd=number("GSD"),
        crs=crs_override or None,
        nodata=number("NODATA"),
        stretch=algorithm.parameterAsEnumString(parameters, "STRETCH", context),
        limits=stretch_limits(algorithm.parameterAsString(parameters, "LIMITS", context)),
        pixel_space=algorithm.parameterAsBool(parameters, "PIXEL_SPACE", context),
        min_area=algorithm.parameterAsDouble(parameters, "MIN_AREA", context),
        simplify=algorithm.parameterAsDouble(parameters, "SIMPLIFY", context),
        overwrite=True,  # Processing has asked the user already
        cog=algorithm.parameterAsBool(parameters, "COG", context),
        keep=algorithm.parameterAsBool(parameters, "KEEP", context),
    )


def stretch_limits(text: str) -> tuple[tuple[float, float], ...] | None:
    """Return the stretch in ``low,high;low,high;…``, or None for an empty text.

    Raises:
        RequestError: if the text is something else or a low value is not below its high one.
    """
    if not text.strip():
        return None
    try:
        pairs = [tuple(float(value) for value in part.split(",")) for part in text.strip().strip(";").split(";")]
    except ValueError:
        pairs = [()]
    if any(len(pair) != 2 or not pair[0] < pair[1] for pair in pairs):
        raise RequestError(
            tr("The stretch limits '{text}' are not pairs of a low and a higher value.").format(text=text),
            tr("Write one pair for each band, such as 0,3000;0,3000;0,2500."),
        )
    return tuple((pair[0], pair[1]) for pair in pairs)
