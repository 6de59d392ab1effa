"""What a model file says of itself. Standard library only, so that the plugin can list models without torch.

A bundle is one ``.safetensors`` file. Its string header has the key ``stac_item``: a STAC item with the Machine
Learning Model extension (https://github.com/stac-extensions/mlm, version 1.5) as JSON, which holds everything
needed to rebuild and to feed the model.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dubai_landcover_plugin.protocol.errors import BundleError
from dubai_landcover_plugin.protocol.onnx_metadata import ONNX_SUFFIX

if TYPE_CHECKING:
    pass

import json
import math
import re
import struct
from dataclasses import dataclass, field
from typing import Any

from dubai_landcover_plugin.protocol.classes import ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.onnx_metadata import read_onnx

HEADER_KEY = "stac_item"
GRAPH = "graph."
"""Start of the names under which a file holds other forms of the network besides its weights."""
BUNDLE_SUFFIX = ".safetensors"
_ONNX_STRIDE = 32  # px; what nearly all networks shrink their input by at most
_MAX_HEADER_BYTES = 10_000_000
_MLM_SCHEMA = "https://stac-extensions.github.io/mlm/v1.5.0/schema.json"
_CLASSIFICATION_SCHEMA = "https://stac-extensions.github.io/classification/v2.0.0/schema.json"


@dataclass(frozen=True)
class ModelSpec:
    """The arguments that rebuild a network.

    Args:
        architecture: Name in the registry of ``core.models``.
        in_channels: Bands that the network reads.
        classes: Output channels.
        arguments: Further keyword arguments of the architecture.
    """

    architecture: str
    in_channels: int = 3
    classes: int = 5
    arguments: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return {
            "architecture": self.architecture,
            "in_channels": self.in_channels,
            "classes": self.classes,
            "arguments": dict(self.arguments),
        }


@dataclass(frozen=True)
class BundleMetadata:
    """Everything about a bundle but its weights.

    Args:
        name: What the user sees in lists.
        title: One sentence about the model.
        spec: How to rebuild the network.
        scheme: Classes in the order of the output channels.
        bands: Common names of the input bands, in order, e.g. ``("red", "green", "blue")``.
        mean: Mean of each band, on the scale 0..1.
        std: Standard deviation of each band, on the same scale.
        gsd: Ground sampling distance the model was trained at, m/px.
        window: Side of the window that suits the model, px.
        stride: Total stride of the network, px; windows are multiples of it.
        receptive_radius: How far a pixel's answer looks, px; None where everything counts.
        temperature: What logits are divided by before the softmax, > 0: it makes the confidence as high as the share
            of right pixels, and changes no class. Source: Guo et al. 2017, https://arxiv.org/abs/1706.04599.
        parameters: Number of weights.
        licence: SPDX identifier.
        dataset: What it was trained on.
        metrics: Figures from the evaluation, as measured.
        training: Command, seed, date and other provenance.
    """

    name: str
    title: str
    spec: ModelSpec
    scheme: ClassScheme
    bands: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    gsd: float
    window: int = 512
    stride: int = 32
    receptive_radius: int | None = None
    temperature: float = 1.0
    parameters: int = 0
    licence: str = "GPL-2.0-or-later"
    dataset: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        lengths = {len(self.bands), len(self.mean), len(self.std), self.spec.in_channels}
        if len(lengths) != 1:
            raise BundleError(
                f"The model '{self.name}' contradicts itself: {len(self.bands)} bands, {len(self.mean)} means, "
                f"{len(self.std)} deviations, {self.spec.in_channels} input channels."
            )
        if len(self.scheme.classes) != self.spec.classes:
            raise BundleError(
                f"The model '{self.name}' contradicts itself: {len(self.scheme.classes)} classes, "
                f"{self.spec.classes} output channels."
            )
        if not self.gsd > 0 or self.stride < 1 or self.window < self.stride or self.window % self.stride:
            raise BundleError(
                f"The model '{self.name}' needs a positive GSD and a window that is a multiple of its stride, "
                f"got {self.gsd} m/px, {self.window} px and {self.stride} px."
            )
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise BundleError(
                f"The model '{self.name}' needs a finite temperature above 0, got {self.temperature}.",
                "Use 1 for a model that was not calibrated.",
            )

    def to_stac_item(self) -> dict[str, Any]:
        """Return the STAC item that goes into the bundle's header; valid if ``name`` is one that STAC allows."""
        bands = [{"name": band, "data_type": "uint8"} for band in self.bands]
        encoder = self.training.get("encoder") or None
        properties = {
            "datetime": self.training.get("finished", "1970-01-01T00:00:00Z"),
            "title": self.title,
            "license": self.licence,
            "gsd": self.gsd,
            "bands": bands,
            "mlm:name": self.name,
            "mlm:architecture": self.spec.architecture,
            "mlm:tasks": ["semantic-segmentation"],
            "mlm:framework": "PyTorch",
            "mlm:total_parameters": self.parameters,
            "mlm:pretrained": encoder is not None,
            "mlm:pretrained_source": encoder,
            "mlm:input": [self._input()],
            "mlm:output": [self._output()],
            "landcover:spec": self.spec.to_json(),
            "landcover:scheme": self.scheme.to_json(),
            "landcover:window": self.window,
            "landcover:stride": self.stride,
            "landcover:receptive_radius": self.receptive_radius,
            "landcover:temperature": self.temperature,
            "landcover:dataset": self.dataset,
            "landcover:metrics": self.metrics,
            "landcover:training": self.training,
        }
        return {
            "type": "Feature",
            "stac_version": "1.1.0",
            "stac_extensions": [_MLM_SCHEMA, _CLASSIFICATION_SCHEMA],
            "id": self.name,
            "geometry": None,
            "properties": properties,
            "links": [],
            "assets": {
                "model": {
                    "href": f"./{self.name}{BUNDLE_SUFFIX}",
                    "type": "application/octet-stream; framework=safetensors",
                    "roles": ["mlm:model", "mlm:weights"],
                    "mlm:artifact_type": "safetensors.torch.save_file",
                    "bands": bands,  # STAC allows them in properties only where an asset has them too
                }
            },
        }

    def _input(self) -> dict[str, Any]:
        return {
            "name": "chips",
            "bands": list(self.bands),
            "input": {
                "shape": [-1, self.spec.in_channels, self.window, self.window],
                "dim_order": ["batch", "bands", "height", "width"],
                "data_type": "uint8",
            },
            "value_scaling": [
                {"type": "z-score", "mean": 255 * mean, "stddev": 255 * std} for mean, std in zip(self.mean, self.std)
            ],
        }

    def _output(self) -> dict[str, Any]:
        return {
            "name": "land cover",
            "tasks": ["semantic-segmentation"],
            "result": {
                "shape": [-1, self.spec.classes, self.window, self.window],
                "dim_order": ["batch", "classes", "height", "width"],
                "data_type": "float32",
            },
            "classification:classes": [
                {"value": c.id, "name": _plain(c), "title": c.name, "color_hint": c.colour[1:]}
                for c in self.scheme.classes
            ],
        }

    @classmethod
    def from_stac_item(cls, item: dict[str, Any]) -> BundleMetadata:
        """Rebuild the metadata from :meth:`to_stac_item`.

        Raises:
            BundleError: if something is missing or contradicts.
        """
        try:
            properties = item["properties"]
            (model_input,) = properties["mlm:input"]
            scaling = model_input["value_scaling"]
            radius = properties["landcover:receptive_radius"]
            return cls(
                name=str(properties["mlm:name"]),
                title=str(properties["title"]),
                spec=ModelSpec(**properties["landcover:spec"]),
                scheme=ClassScheme.from_json(properties["landcover:scheme"]),
                bands=tuple(map(str, model_input["bands"])),
                mean=tuple(float(band["mean"]) / 255 for band in scaling),
                std=tuple(float(band["stddev"]) / 255 for band in scaling),
                gsd=float(properties["gsd"]),
                window=int(properties["landcover:window"]),
                stride=int(properties["landcover:stride"]),
                receptive_radius=None if radius is None else int(radius),
                temperature=float(properties.get("landcover:temperature", 1.0)),  # older bundles have none
                parameters=int(properties["mlm:total_parameters"]),
                licence=str(properties["license"]),
                dataset=str(properties["landcover:dataset"]),
                metrics=dict(properties["landcover:metrics"]),
                training=dict(properties["landcover:training"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(
                f"The model's description is damaged: {type(error).__name__}: {error}.",
                "Fetch or export the model again.",
            ) from error


def _plain(entry: LandCoverClass) -> str:
    """Return a class's name in the letters that the classification extension allows."""
    return re.sub(r"[^0-9A-Za-z_-]+", "-", entry.name).strip("-") or f"class-{entry.id}"


def read_metadata(path: str | Path) -> BundleMetadata:
    """Read a bundle's description without reading a weight.

    Raises:
        BundleError: if the file is missing, is of another kind or has no valid description.
    """
    path = Path(path)
    if path.suffix.lower() == ONNX_SUFFIX:
        return _onnx_metadata(path)
    remedy = "Choose a .safetensors model made by this project's training module."
    try:
        with path.open("rb") as stream:
            prefix = stream.read(8)
            length = struct.unpack("<Q", prefix)[0] if len(prefix) == 8 else 0
            if not 2 <= length <= min(_MAX_HEADER_BYTES, path.stat().st_size - 8):
                raise BundleError(f"{path} is no safetensors file.", remedy)
            header = json.loads(stream.read(length))
    except OSError as error:
        raise BundleError(f"The model {path} cannot be read: {error.strerror}.", remedy) from error
    except ValueError as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(f"{path} is no safetensors file: {error}.", remedy) from error
    metadata = header.get("__metadata__", {}) if isinstance(header, dict) else {}
    if HEADER_KEY not in metadata:
        raise BundleError(f"{path} has no land-cover description in its header.", remedy)
    try:
        item = json.loads(metadata[HEADER_KEY])
    except ValueError as error:
        raise BundleError(f"The description in {path} is no JSON: {error}.", remedy) from error
    return BundleMetadata.from_stac_item(item)


def _onnx_metadata(path: Path) -> BundleMetadata:
    """Return what is known of an ONNX file.

    Raises:
        BundleError: as :func:`~dubai_landcover_plugin.protocol.onnx_metadata.read_onnx`.
    """
    known = read_onnx(path, HEADER_KEY)
    own = (known.item or {}).get("properties", {})
    return BundleMetadata(
        name=path.stem,
        title=str(own.get("title", f"{path.name}, an ONNX model")),
        spec=ModelSpec("onnx", len(known.bands), len(known.scheme.classes)),
        scheme=known.scheme,
        bands=known.bands,
        mean=known.mean,
        std=known.std,
        gsd=known.gsd,
        window=known.window if known.is_fixed else max(known.window // _ONNX_STRIDE, 1) * _ONNX_STRIDE,
        stride=known.window if known.is_fixed else _ONNX_STRIDE,
        receptive_radius=own.get("landcover:receptive_radius"),
        parameters=int(own.get("mlm:total_parameters", 0)),
        licence=str(own.get("license", "unknown")),
    )


def model_folders() -> list[Path]:
    """Return the folders searched for bundles: those shipped first, then the user's own."""
    package = Path(__file__).resolve().parents[1]
    shipped = [package / "resources" / "models", package.parent / "resources" / "models"]
    return [folder for folder in (*shipped, user_model_folder()) if folder.is_dir()]


def user_model_folder() -> Path:
    """Return the folder for models that the user adds; it may not exist."""
    return Path.home() / ".dubai_landcover" / "models"


def installed_models() -> dict[str, Path]:
    """Return the bundles found, by file stem; a damaged one is left out here and refused when asked for."""
    found: dict[str, Path] = {}
    for folder in model_folders():
        for path in sorted(folder.glob(f"*{BUNDLE_SUFFIX}")):
            found.setdefault(path.stem, path)
    return found


def find_model(name_or_path: str) -> Path:
    """Return the bundle for an installed name or a path.

    Raises:
        BundleError: if there is neither.
    """
    installed = installed_models()
    if name_or_path in installed:
        return installed[name_or_path]
    path = Path(name_or_path).expanduser()
    if path.is_file():
        return path
    names = ", ".join(installed) or "none"
    raise BundleError(f"There is no model '{name_or_path}'.", f"Give a file or one of those installed: {names}.")
