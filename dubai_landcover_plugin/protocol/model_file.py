"""Reads the metadata of model files, without PyTorch.

A model file (bundle) is one ``.safetensors`` file. Its string header has the key ``stac_item``: a STAC item as JSON,
see :mod:`.stac_item`, with everything needed to rebuild the network and to prepare its input. ONNX files have metadata
of their own, see :mod:`.onnx_metadata`.
"""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path

from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.json_values import mapping, parse_json, text, whole
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata, ModelSpec
from dubai_landcover_plugin.protocol.onnx_metadata import ONNX_SUFFIX, read_onnx
from dubai_landcover_plugin.protocol.stac_item import (
    MAX_PARAMETERS,
    MAX_RADIUS,
    MAX_TEXT,
    from_stac_item,
    further_metadata,
)
from dubai_landcover_plugin.protocol.translation import tr

HEADER_KEY = "stac_item"
GRAPH_PREFIX = "graph."
"""Prefix of tensors that hold alternative forms of the network, such as ``graph.int8``."""
SCALE_PREFIX = "scale."
"""Prefix of tensors with the scales of weights that are stored in 8 bits."""
_ONNX_STRIDE = 32  # px; a multiple of the total stride of nearly all networks
_MAX_HEADER_BYTES = 10_000_000


def read_metadata(path: str | Path) -> BundleMetadata:
    """Return the metadata of a model file (``.safetensors`` or ``.onnx``) without reading the weights.

    Raises:
        BundleError: if the file is missing, is of another type or has no valid metadata.
    """
    path = Path(path)
    check_file(path)
    if path.suffix.lower() == ONNX_SUFFIX:
        return _onnx_metadata(path)
    remedy = tr("Choose a .safetensors model exported by the training module.")
    try:
        with path.open("rb") as stream:
            prefix = stream.read(8)
            length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
            if not 2 <= length <= min(_MAX_HEADER_BYTES, path.stat().st_size - 8):
                raise BundleError(tr("{path} is not a safetensors file.", path=path), remedy)
            header = stream.read(length)
    except OSError as error:
        raise BundleError(
            tr("The model {path} cannot be read: {error}.", path=path, error=error.strerror), remedy
        ) from error
    try:
        metadata = mapping(mapping(parse_json(header)).get("__metadata__", {}))
        item = parse_json(text(metadata[HEADER_KEY], _MAX_HEADER_BYTES)) if HEADER_KEY in metadata else None
    except ValueError as error:
        raise BundleError(tr("The header of {path} is damaged: {error}.", path=path, error=error), remedy) from error
    if item is None:
        raise BundleError(tr("{path} has no land-cover metadata in its header.", path=path), remedy)
    return from_stac_item(item)


def check_file(path: Path) -> None:
    """Check that a model is a regular file: opening a pipe or a device could block or read without end.

    Raises:
        BundleError: if it is missing or something else.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise BundleError(
            tr("The model {path} cannot be read: {reason}.", path=path, reason=reason), tr("Choose another file.")
        ) from error
    if not stat.S_ISREG(mode):
        raise BundleError(
            tr("The model {path} is not a regular file.", path=path), tr("Choose a file, not a folder, pipe or device.")
        )


def _onnx_metadata(path: Path) -> BundleMetadata:
    """Return the metadata of an ONNX file.

    Raises:
        BundleError: see :func:`~dubai_landcover_plugin.protocol.onnx_metadata.read_onnx`.
    """
    known = read_onnx(path, HEADER_KEY)
    own = {} if known.item is None else known.item["properties"]
    try:
        radius = own.get("landcover:receptive_radius")
        receptive_radius = None if radius is None else whole(radius, 0, MAX_RADIUS)
        parameters = whole(own.get("mlm:total_parameters", 0), 0, MAX_PARAMETERS)
        further = further_metadata(own)
    except BundleError:
        raise
    except (KeyError, ValueError) as error:
        raise BundleError(
            tr("The metadata of {path} are damaged: {error!s:.500}.", path=path, error=error),
            tr("Export the model again."),
        ) from error
    return BundleMetadata(
        name=path.stem,
        title=str(own.get("title", f"{path.name}, an ONNX model"))[:MAX_TEXT],
        spec=ModelSpec("onnx", len(known.bands), len(known.scheme.classes)),
        scheme=known.scheme,
        bands=known.bands,
        # the keys of Deepness scale the raster's values, which the scaling has done
        mean=known.mean if further["scaling"] is None else (0.0,) * len(known.bands),
        std=known.std if further["scaling"] is None else (1.0,) * len(known.bands),
        gsd=known.gsd,
        window=known.window if known.is_fixed else max(known.window // _ONNX_STRIDE, 1) * _ONNX_STRIDE,
        stride=known.window if known.is_fixed else _ONNX_STRIDE,
        receptive_radius=receptive_radius,
        parameters=parameters,
        licence=str(own.get("license", "unknown"))[:MAX_TEXT],
        **further,
    )
