"""Writes the small rasters, classified rasters, vector layers and models that tests of the engine read.

Nothing here asserts. What belongs to a single test module stays there; tests of the QGIS side have no rasterio and use
`tests/processing/qgis_fixtures.py`.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyogrio.raw
import rasterio
import shapely
import torch
from affine import Affine
from torch import nn

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.bundle.save import save_bundle
from dubai_landcover_plugin.core.networks import build_model
from dubai_landcover_plugin.protocol.band_scaling import BandScaling
from dubai_landcover_plugin.protocol.class_tags import class_tags
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata, ModelSpec

ROOT = Path(__file__).resolve().parents[1]
UTM40 = "EPSG:32640"
ONE_METRE = Affine(1, 0, 300_000, 0, -1, 2_780_000)

METADATA = BundleMetadata(
    name="stub",
    title="A model with known answers",
    spec=ModelSpec("stub"),
    scheme=DUBAI,
    bands=("red", "green", "blue"),
    mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25),
    gsd=1.0,
    window=32,
    stride=1,
    receptive_radius=0,
)


class Neighbourhood(nn.Module):
    """Convolutions whose answer looks exactly ``radius`` pixels far; 0 is pixelwise."""

    stride = 1

    def __init__(self, radius: int) -> None:
        super().__init__()
        self.receptive_radius = radius
        generator = torch.Generator().manual_seed(7)
        layers = [nn.Conv2d(3, 8, 1), *(nn.Conv2d(8, 8, 3, padding=1) for _ in range(radius)), nn.Conv2d(8, 5, 1)]
        for layer in layers:
            layer.weight.data.normal_(0, 1.0 / layer.in_channels**0.5, generator=generator)
            layer.bias.data.normal_(0, 0.3, generator=generator)
        self.layers = nn.Sequential(*(part for layer in layers for part in (layer, nn.Tanh())))

    def forward(self, chips: torch.Tensor) -> torch.Tensor:
        return 3 * self.layers(chips)


def stub_bundle(radius: int = 0, **changes: Any) -> ModelBundle:
    """A bundle around :class:`Neighbourhood`."""
    metadata = replace(METADATA, receptive_radius=radius, **changes)
    return ModelBundle(metadata, Neighbourhood(radius).eval(), "0" * 64)


def whole_image_classes(bundle: ModelBundle, pixels: np.ndarray) -> np.ndarray:
    """Class ids (H, W) from one pass over (3, H, W) uint8, with nothing of the project's windows in between."""
    chips = (torch.from_numpy(pixels)[None].float() / 255 - 0.5) / 0.25
    with torch.inference_mode():
        return bundle.model(chips).argmax(1)[0].numpy().astype(np.uint8) + 1


def random_pixels(height: int, width: int, seed: int = 0, bands: int = 3) -> np.ndarray:
    """(bands, H, W) uint8 without zeros."""
    return np.random.default_rng(seed).integers(1, 256, (bands, height, width), np.uint8)


def write_raster(path: Path, pixels: np.ndarray, **profile: Any) -> Path:
    """Write (C, H, W) as a GeoTIFF; the profile's defaults are EPSG:32640 and pixels of 1 m."""
    path.parent.mkdir(parents=True, exist_ok=True)
    interpretation = profile.pop("colorinterp", None)
    settings = {"crs": UTM40, "transform": ONE_METRE, "driver": "GTiff", **profile}
    count, height, width = pixels.shape
    if count == 3 and interpretation is None:
        settings.setdefault("photometric", "RGB")
    with rasterio.open(path, "w", count=count, height=height, width=width, dtype=pixels.dtype, **settings) as dataset:
        dataset.write(pixels)
        if interpretation is not None:
            dataset.colorinterp = interpretation
    return path


def write_class_map(
    path: Path, ids: npt.ArrayLike, scheme: ClassScheme = DUBAI, model: str = "", **profile: Any
) -> str:
    """Write class ids (H, W) as Segment Land Cover does: uint8, nodata 0, names and colours of classes in the tags.

    Args:
        path: GeoTIFF to write.
        ids: Class ids (H, W).
        scheme: Names and colours of the classes.
        model: Name of the model in the record of the run; empty writes no record.
        profile: Passed on to :func:`write_raster`.

    Returns:
        The path as a string, as requests take it.
    """
    write_raster(path, np.asarray(ids, np.uint8)[None], nodata=0, **profile)
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(**class_tags(scheme))
        if model:
            dataset.update_tags(LANDCOVER_RUN=json.dumps({"model": {"name": model}}))
    return str(path)


def write_confidence(path: Path, percents: npt.ArrayLike, **profile: Any) -> str:
    """Write confidence (H, W) in percent as Segment Land Cover does: uint8, nodata 255."""
    return str(write_raster(path, np.asarray(percents, np.uint8)[None], nodata=255, **profile))


def write_layer(
    path: Path,
    geometries: Any,
    crs: str | None = UTM40,
    layer: str | None = None,
    geometry_type: str | None = None,
    append: bool = False,
    **fields: Any,
) -> str:
    """Write features with GDAL alone, in the format of the suffix; the layer has the file's name by default.

    The geometry type is that of the features where all have the same one, else Unknown.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    shapes = np.array(geometries, object)
    kinds = {None if shape is None else shape.geom_type for shape in shapes}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # pyogrio warns where there is no CRS
        pyogrio.raw.write(
            str(path),
            geometry=shapely.to_wkb(shapes),
            field_data=[np.asarray(values) for values in fields.values()],
            fields=list(fields),
            geometry_type=geometry_type or (kinds.pop() if len(kinds) == 1 else None) or "Unknown",
            crs=crs,
            layer=layer,
            append=append,
        )
    return str(path)


def read_layer(path: str | Path, layer: str | None = None) -> tuple[Any, dict[str, Any]]:
    """Read geometries and fields of a layer with GDAL alone; the layer has the file's name by default."""
    meta, _, geometry, values = pyogrio.raw.read(str(path), layer=layer or Path(path).stem)
    return shapely.from_wkb(geometry), dict(zip(meta["fields"].tolist(), values, strict=True))


def write_tiny_model(path: Path) -> Path:
    """Write a real bundle file: an untrained U-Net of width 4."""
    torch.manual_seed(0)
    spec = ModelSpec("unet", arguments={"width": 4})
    save_bundle(path, replace(METADATA, name="tiny", spec=spec, window=64, stride=16), build_model(spec))
    return path


SCALING = BandScaling(((0.0, 2000.0), (0.0, 2500.0), (0.0, 3000.0), (-10.0, 40.0)), ("", "", "", "m"))


def write_scaled_model(path: Path) -> Path:
    """Write an untrained model of red, green, blue in 16 bits and height in metres, which are not stretched."""
    torch.manual_seed(1)
    spec = ModelSpec("unet", in_channels=4, arguments={"width": 4})
    metadata = replace(
        METADATA, name="scaled", spec=spec, window=64, stride=16, bands=("red", "green", "blue", "height"),
        scaling=SCALING, mean=(0.3, 0.35, 0.4, 0.25), std=(0.1, 0.12, 0.15, 0.2),
    )  # fmt: skip
    save_bundle(path, metadata, build_model(spec))
    return path


ONNX_KEYS = {
    "model_type": "Segmentor", "class_names": {"0": "sand", "1": "roof", "2": "palm"}, "resolution": 100.0,
    "tile_size": 64, "tiles_overlap": 15, "seg_thresh": 0.5, "standardization_mean": [0.4, 0.5, 0.6],
    "standardization_std": [0.2, 0.25, 0.3],
}  # fmt: skip
ONNX_WEIGHTS = np.random.default_rng(3).normal(size=(3, 3, 1, 1)).astype(np.float32)


def write_onnx(path: Path, last: str | None = None, classes: int = 3, side: int | None = None, **keys: object) -> Path:
    """Write a pixelwise ONNX network with the metadata of Deepness: a convolution, then ``last``, Softmax or Sigmoid.

    Args:
        path: File to write.
        last: Operator after the convolution; None writes scores.
        classes: Output channels.
        side: The only side of a window, px; None for any.
        keys: Metadata that differ from :data:`ONNX_KEYS`; None leaves an entry out.
    """
    import onnx  # an extra of training; most tests do without
    from onnx import TensorProto, helper, numpy_helper

    sides = [side or "height", side or "width"]
    nodes = [helper.make_node("Conv", ["pixels", "weights"], ["scores"])]
    if last:
        nodes.append(helper.make_node(last, ["scores"], ["given"], **({"axis": 1} if last == "Softmax" else {})))
    graph = helper.make_graph(
        nodes, "pixelwise",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, *sides])],
        [helper.make_tensor_value_info("given" if last else "scores", TensorProto.FLOAT, ["batch", classes, *sides])],
        [numpy_helper.from_array(ONNX_WEIGHTS[:classes], "weights")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    values = {key: value for key, value in {**ONNX_KEYS, **keys}.items() if value is not None}
    helper.set_model_props(model, {key: json.dumps(value) for key, value in values.items()})
    onnx.save(model, path)
    return path


TINY_TEACHABLE = {"widths": [12, 10, 8, 6]}
"""Arguments of the network of :func:`write_teachable_model`."""


def write_teachable_model(path: Path, window: int = 64, **changes: Any) -> Path:
    """Write an untrained model that can be taught; its features differ from pixel to pixel."""
    torch.manual_seed(0)
    spec = ModelSpec("unet_efficientnet", arguments=TINY_TEACHABLE)
    metadata = replace(METADATA, name="teachable", spec=spec, window=window, stride=32, **changes)
    save_bundle(path, metadata, build_model(spec))
    return path
