"""Commands of the campaign, with their inputs: a small town in two states, old and new, on one grid.

A job is run in a folder that holds ``in`` and ``out``; paths are relative to it. The town's colours are recognized
exactly by a pixelwise model, so a classified raster is known in advance.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely

from tests.factories import write_class_map, write_confidence, write_layer, write_raster, write_teachable_model

WATER, LAND, ROAD, BUILDING, VEGETATION = range(1, 6)
COLOURS = np.array([[20, 60, 200], [220, 190, 140], [110, 110, 110], [200, 40, 40], [40, 160, 50]], np.uint8)
NAMES = ("Water", "Land", "Road", "Building", "Vegetation")
EAST, NORTH = 300_000, 2_780_000
SHAPE = (96, 128)


def town(new: bool) -> np.ndarray:
    """Return class ids (96, 128) of the town: roads, houses, a park and a pond; old and new differ everywhere."""
    ids = np.full(SHAPE, LAND, np.uint8)
    ids[60:90, 70:120] = VEGETATION
    ids[68:80, 80:100] = WATER
    street = 40 if new else 30
    ids[street : street + 7] = ROAD
    ids[:, 56:62] = ROAD
    for row in (8, 66) if new else (4, 52):
        for col in range(6, 50, 16):
            ids[row : row + 11, col : col + 9 + 2 * new] = BUILDING
    return ids


def write_inputs(folder: Path, new: bool) -> None:
    """Write image, classified rasters, layers and the model of a state of the town."""
    folder.mkdir(parents=True)
    ids = town(new)
    pixels = np.moveaxis(COLOURS[ids - 1], 2, 0)
    write_raster(folder / "image.tif", pixels)
    for name, rows in (("a", slice(0, 64)), ("b", slice(32, 96))):
        write_raster(folder / "images" / f"{name}.tif", pixels[:, rows])
    write_class_map(folder / "map.tif", ids)
    write_class_map(folder / "other.tif", town(not new))
    write_confidence(folder / "confidence.tif", 50 + ids * 5)
    houses = [shapely.box(EAST + x, NORTH - 40, EAST + x + 12 + 3 * new, NORTH - 20) for x in (5, 30, 60)]
    write_layer(folder / "houses.gpkg", houses)
    zones = [shapely.box(EAST + x, NORTH - 90, EAST + x + 50, NORTH - 10) for x in (0, 60)]
    write_layer(folder / "zones.gpkg", zones, name=np.array(["west", "east"], object))
    corrections = {"from": np.array(["Building", ""], object), "to": np.array(["Land", "Road"], object)}
    write_layer(folder / "corrections.gpkg", zones, **corrections)
    write_model(folder / "town.onnx")
    write_teachable_model(folder / "teachable.safetensors")


def write_model(path: Path) -> None:
    """Write the pixelwise model: the class whose colour is the nearest one has the highest score."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    # |x - c|² is smallest where 2 c·x - |c|² is largest; the factor makes probabilities of about 0.9.
    colours = COLOURS.astype(np.float32) / 255
    weights, bias = 60 * colours[:, :, None, None], -30 * (colours**2).sum(1)
    sides = ["height", "width"]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["pixels", "weights", "bias"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["given"], axis=1),
        ],
        "town",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, *sides])],
        [helper.make_tensor_value_info("given", TensorProto.FLOAT, ["batch", len(NAMES), *sides])],
        [numpy_helper.from_array(weights.astype(np.float32), "weights"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    keys = {
        "model_type": "Segmentor", "class_names": dict(enumerate(NAMES)), "resolution": 100.0, "tile_size": 64,
        "tiles_overlap": 0, "standardization_mean": [0.0] * 3, "standardization_std": [1.0] * 3,
    }  # fmt: skip
    helper.set_model_props(model, {key: json.dumps(value) for key, value in keys.items()})
    onnx.save(model, path)


@dataclass(frozen=True)
class Job:
    """A command whose results are checked.

    Args:
        name: For reports.
        words: The command line, without ``--overwrite``.
        replaces: Whether the results of an earlier run are replaced without ``--overwrite`` (batch).
        prepare: Runs in the process before the command.
        program: Module with the function ``main`` that takes the words.
    """

    name: str
    words: tuple[str, ...]
    replaces: bool = False
    prepare: Callable[[], object] = lambda: None
    program: str = "dubai_landcover_plugin.cli.main"


def segment_words(*outputs: str, runtime: str = "onnxruntime", model: str = "in/town.onnx") -> tuple[str, ...]:
    """Return the command line of ``landcover segment`` on the image of the town."""
    words = ("segment", "in/image.tif", "out/o.tif", "--model", model, "--device", "cpu")
    return (*words, "--runtime", runtime, "--precision", "float32", *outputs)


def _save_every_row() -> None:
    """Save finished rows after each tile row: by default only runs longer than 20 s do so."""
    from dubai_landcover_plugin.core.segmentation.journal import Journal

    Journal.is_due = lambda self: True  # type: ignore[method-assign]


SESSION = ("in/image.tif", "in/teachable.safetensors", "out/view.tif", "out/taught.tif", "out/confidence.tif",
           "out/own.safetensors")  # fmt: skip
"""Words of :mod:`tests.faults.session_program`."""
_POLYGONS = ("polygons", "in/map.tif", "--confidence", "in/confidence.tif")
JOBS = (
    Job(
        "segment, every output",
        segment_words("--confidence", "out/c.tif", "--polygons", "out/p.gpkg", "--buildings", "out/b.shp", "--roads",
                 "out/r.gpkg", "--report", "out/o.html"),
    ),
    Job(
        "segment, cog and other formats",
        segment_words("--cog", "--confidence", "out/c.tif", "--polygons", "out/p.geojson", "--buildings", "out/b.fgb",
                 "--roads", "out/r.parquet"),
    ),
    Job("segment, shapefiles", segment_words("--polygons", "out/p.shp", "--roads", "out/r.shp")),
    Job("segment, openvino", segment_words("--confidence", "out/c.tif", runtime="openvino")),
    Job("segment, resumed", segment_words("--confidence", "out/c.tif", "--window", "32"), prepare=_save_every_row),
    *(Job(f"polygons {suffix}", (*_POLYGONS, f"out/p.{suffix}")) for suffix in ("shp", "gpkg", "fgb", "geojson",
                                                                              "parquet")),
    Job("polygons of each class", ("polygons", "in/map.tif", "out", "--format", "shp")),
    Job("buildings", ("buildings", "in/houses.gpkg", "out/b.shp")),
    Job("roads", ("roads", "in/map.tif", "out/r.shp", "--nodes", "out/n.gpkg")),
    Job(
        "report",
        ("report", "in/map.tif", "out/o.html", "--csv", "out/o.csv", "--zones", "in/zones.gpkg", "--zones-layer",
         "out/z.gpkg", "--confidence", "in/confidence.tif"),
    ),
    Job(
        "change",
        ("change", "in/other.tif", "in/map.tif", "out/ch.tif", "--report", "out/ch.html", "--csv", "out/ch.csv",
         "--polygons", "out/ch.shp"),
    ),
    Job(
        "correct",
        ("correct", "in/map.tif", "in/corrections.gpkg", "out/co.tif", "--polygons", "out/co.gpkg", "--roads",
         "out/co.shp"),
    ),
    Job("recode", ("recode", "in/map.tif", "out/re.tif", "--classes", "Land=Vegetation", "--within", "in/zones.gpkg")),
    Job("segment, probabilities", segment_words("--probabilities", "out/p.tif", "--within", "in/zones.gpkg")),
    Job("accuracy", ("accuracy", "in/other.tif", "in/map.tif", "--report", "out/a.html", "--table", "out/a.csv")),
    Job("sample", ("sample", "in/map.tif", "out/points.gpkg", "--size", "40")),
    Job(
        "batch",
        ("batch", "in/images", "out", "--polygons", "shp", "--confidence", "--report", "--model", "in/town.onnx",
         "--runtime", "onnxruntime", "--precision", "float32"),
        replaces=True,
    ),
    Job("session", SESSION, program="tests.faults.session_program"),
)  # fmt: skip
