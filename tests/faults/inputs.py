"""Recipes of unusual inputs, most from public reports, each with the outcome that is right.

A recipe makes its input small from the town, runs commands in a :class:`Place` and asserts. Every run is checked for a
traceback, an odd exit status and a hang by :meth:`Place.run`.
"""

from __future__ import annotations

import csv
import json
import math
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from affine import Affine
from rasterio.enums import ColorInterp
from rasterio.warp import transform

from tests.factories import read_layer, write_class_map, write_layer, write_raster
from tests.faults.contents import content, contents, files_of
from tests.faults.jobs import BUILDING, COLOURS, EAST, NORTH, Job, segment_words, town, write_model
from tests.faults.system_calls import Fault, Run
from tests.faults.trials import prepare, run_job

RECIPES: dict[str, Callable[[Place], None]] = {}
"""Recipe by name."""


def recipe(function: Callable[[Place], None]) -> Callable[[Place], None]:
    """Add a recipe."""
    RECIPES[function.__name__] = function
    return function


def run_recipe(base: Path, name: str) -> None:
    """Run a recipe; raises AssertionError where the outcome is not the right one."""
    RECIPES[name](Place(base))


class Place:
    """A folder with the new town's inputs in ``in`` and an empty ``out``.

    Args:
        base: Folder with the inputs of both states.
    """

    def __init__(self, base: Path) -> None:
        self.base = base
        self.folder = prepare(base, 0, "new", replace=False)
        for path in (self.folder / "out").iterdir():
            path.unlink()
        self.inputs, self.out = self.folder / "in", self.folder / "out"

    def run(self, *words: str, fault: Fault | None = None, prepare: Callable[[], object] = lambda: None) -> Run:
        """Run a command line."""
        job = Job(words[0], words, prepare=prepare)
        done = run_job(job, self.folder, fault or Fault(), overwrite=False)
        assert not done.hung, f"{words} hangs"
        assert "Traceback" not in done.output, done.output[-300:]
        assert "report it" not in done.output, done.output[-300:]
        assert done.code in (0, 1), f"{words}: exit status {done.code}: {done.output[-300:]}"
        return done

    def succeed(self, *words: str, **values: Any) -> str:
        """Run a command line that must succeed; return its output."""
        done = self.run(*words, **values)
        assert done.code == 0, f"{words}: {done.output[-300:]}"
        return done.output

    def refuse(self, *words: str) -> str:
        """Run a command line that must fail in one sentence and leave nothing; return its output."""
        before = files_of(self.out)
        done = self.run(*words)
        assert done.code == 1, f"{words} succeeds: {done.output[-300:]}"
        assert files_of(self.out) == before, f"left {set(files_of(self.out)) - set(before)}: {done.output[-300:]}"
        return done.output

    def classes(self, image: Path, *words: str) -> np.ndarray:
        """Segment an image; return the class ids."""
        self.succeed(*segment_on(image), *words)
        with rasterio.open(self.out / "o.tif") as dataset:
            return dataset.read(1)

    def image(self) -> np.ndarray:
        """Return the pixels (3, H, W) of the town."""
        return np.moveaxis(COLOURS[town(True) - 1], 2, 0)


def segment_on(image: Path, *outputs: str, runtime: str = "onnxruntime") -> list[str]:
    """Return the command line that segments an image to ``out/o.tif``."""
    words = list(segment_words(*outputs, runtime=runtime))
    words[1] = str(image)
    return [*words, "--overwrite"]


BATCH = ("batch", "in/images", "out", "--model", "in/town.onnx", "--runtime", "onnxruntime", "--precision", "float32")


@recipe
def batch_notices_changed_results(place: Place) -> None:
    """A result that was emptied or replaced after a batch is made again, or named; it is never skipped."""
    place.succeed(*BATCH, "--polygons", "gpkg", "--confidence", "--report")
    right = contents(place.out)
    for name in ("a_landcover.gpkg", "a_landcover.tif", "a_confidence.tif", "a_landcover.html"):
        path = place.out / name
        kept, times = path.read_bytes(), path.stat()
        for damaged in (b"", kept[: len(kept) // 2], kept[:-20] + bytes(20)):
            path.write_bytes(damaged)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
            done = place.run(*BATCH, "--polygons", "gpkg", "--confidence", "--report")
            if done.code == 0:
                assert content(path) == right[name], f"{name} with {len(damaged)} bytes is skipped"
            else:
                assert name in done.output, done.output[-300:]
                path.write_bytes(kept)


@recipe
def batch_notices_a_replaced_image_of_the_same_size_and_time(place: Place) -> None:
    """Equal size and time do not make an equal input."""
    image = place.inputs / "images" / "a.tif"
    times = image.stat()
    other = np.flip(place.image()[:, :64], 2)
    place.succeed(*BATCH)
    old = content(place.out / "a_landcover.tif")
    write_raster(image, other)
    assert image.stat().st_size == times.st_size
    os.utime(image, ns=(times.st_atime_ns, times.st_mtime_ns))
    place.succeed(*BATCH)
    assert content(place.out / "a_landcover.tif") != old


@recipe
def an_image_replaced_during_a_run(place: Place) -> None:
    """Whether replaced or overwritten in place: the result is of one image, and the next batch knows which."""
    image, states = place.inputs / "images" / "a.tif", {}
    (place.inputs / "images" / "b.tif").unlink()
    new, old = image.read_bytes(), (place.base / "old" / "images" / "a.tif").read_bytes()
    for name, raw in (("new", new), ("old", old)):
        image.write_bytes(raw)
        place.succeed(*BATCH, "--redo", "--window", "32")
        states[name] = content(place.out / "a_landcover.tif")
    actions = {
        "replaced": lambda: (image.with_name("b").write_bytes(new), os.replace(image.with_name("b"), image)),
        "overwritten": lambda: image.open("r+b").write(new),
    }
    for how, action in actions.items():
        for at in (0, 3, 8, 14):
            image.write_bytes(old)
            shutil.rmtree(place.out)
            place.out.mkdir()
            done = place.run(*BATCH, "--window", "32", fault=Fault("meanwhile", at, action=action))
            assert done.hit
            present = content(place.out / "a_landcover.tif") if (place.out / "a_landcover.tif").exists() else ""
            assert present in ("", *states.values()), f"{how} at {at}: a mixture of both images: {done.output[-300:]}"
            assert done.code or present, f"{how} at {at}: success without a result"
            place.succeed(*BATCH, "--window", "32", "--redo" if done.code else "--recursive")
            assert content(place.out / "a_landcover.tif") == states["new"], f"{how} at {at}: the next batch skips"


@recipe
def external_weights_belong_to_the_model(place: Place) -> None:
    """Other weights in the file beside an ONNX file give another result, also with a cache."""
    import onnx

    model = place.inputs / "town.onnx"
    onnx.save(onnx.load(model), model, save_as_external_data=True, location="town.bin", size_threshold=0)
    results = {}
    for name in ("right", "reversed"):
        if name == "reversed":
            weights = np.frombuffer((place.inputs / "town.bin").read_bytes(), np.float32)
            (place.inputs / "town.bin").write_bytes(weights[::-1].tobytes())
        for runtime in ("openvino", "onnxruntime"):
            done = place.run(*segment_on(place.inputs / "image.tif", runtime=runtime))
            assert done.code == 0 or ("town.bin" in done.output or "external" in done.output), done.output[-300:]
            results[name, runtime] = content(place.out / "o.tif") if done.code == 0 else None
    for runtime in ("openvino", "onnxruntime"):
        assert results["right", runtime] is None or results["right", runtime] != results["reversed", runtime]


def _side_files(place: Place, stem: str, suffixes: tuple[str, ...]) -> dict[str, bytes]:
    files = {f"{stem}{suffix}": f"the user's {suffix}".encode() for suffix in suffixes}
    for name, text in files.items():
        (place.out / name).write_bytes(text)
    return files


def _unchanged(place: Place, files: dict[str, bytes]) -> bool:
    return all((place.out / name).exists() and (place.out / name).read_bytes() == text for name, text in files.items())


@recipe
def side_files_of_the_user(place: Place) -> None:
    """What a new result would take over is named before work; what it does not need is left alone."""
    mine = {
        "shp": (".qmd", ".dbf", ".prj", ".cpg", ".qix", ".sbn", ".qml", ".tif", ".tif.aux.xml"),
        "geojson": (".qml", ".qmd", ".tif"),
        "gpkg": (".qml", ".qmd", ".tif", ".gpkg-wal", ".gpkg-journal"),
    }
    for suffix, suffixes in mine.items():
        for chosen in ([part] for part in suffixes):
            for overwrite in ((), ("--overwrite",)):
                shutil.rmtree(place.out)
                place.out.mkdir()
                files = _side_files(place, "town", tuple(chosen))
                done = place.run("polygons", "in/map.tif", f"out/town.{suffix}", *overwrite)
                if done.code:
                    assert chosen[0] in done.output, f"{chosen} is not named: {done.output[-300:]}"
                if not overwrite or chosen[0] in (".qmd", ".tif", ".tif.aux.xml"):
                    assert _unchanged(place, files), f"town.{suffix} {overwrite}: {chosen} of the user changed"
    for part in (".aux.xml", ".ovr", ".msk"):
        shutil.rmtree(place.out)
        place.out.mkdir()
        files = _side_files(place, "o.tif", (part,))
        done = place.run(*segment_words())
        assert _unchanged(place, files), f"o.tif{part} of the user changed"
        assert done.code == 1, f"o.tif with {part} of the user's"


ODD_NAMES = (
    "Dubai 2024 final!",
    "a;b",
    "!",
    "a!b!c",
    "100 %",
    "zip+file",
    "ä'\"#?&",
    "a:b",
    "@x",
    "[1]",
    "a|b",
    "$HOME",
)


@recipe
def odd_names_of_vector_files(place: Place) -> None:
    """Any legal name: the file is at that path with the same features, or refused with nothing left."""
    for suffix in ("shp", "gpkg", "fgb", "geojson", "parquet"):
        for name in ODD_NAMES:
            shutil.rmtree(place.out)
            place.out.mkdir()
            done = place.run("polygons", "in/map.tif", f"out/{name}.{suffix}")
            found = files_of(place.out)
            if done.code:
                assert not found, f"{name}.{suffix}: {found} are left: {done.output[-300:]}"
                continue
            assert f"{name}.{suffix}" in found, f"{name}.{suffix} is not there, but {found}"
            assert not [other for other in found if not other.startswith(name)], f"{name}.{suffix}: {found}"
            for path in [place.out / other for other in found]:  # under a plain name GDAL reads them for certain
                path.rename(place.out / f"plain{path.name.removeprefix(name)}")
            assert not content(place.out / f"plain.{suffix}").startswith("unreadable"), f"{name}.{suffix}"


@recipe
def odd_folders(place: Place) -> None:
    """The same for folders, and for every output of a segmentation."""
    for name in ODD_NAMES[:6]:
        (place.out / name).mkdir()
        outputs = ("--polygons", f"out/{name}/p.gpkg", "--roads", f"out/{name}/r.shp", "--report", f"out/{name}/o.html")
        words = list(segment_words("--buildings", f"out/{name}/b.fgb", *outputs))
        words[2] = f"out/{name}/o.tif"
        done = place.run(*words)
        found = files_of(place.out / name)
        assert {"p.gpkg", "r.shp", "b.fgb", "o.html", "o.tif"} <= set(found) if done.code == 0 else not found, name
        shutil.rmtree(place.out / name)


@recipe
def odd_names_of_inputs(place: Place) -> None:
    """Layers and rasters are read under any legal name, or refused."""
    place.succeed("report", "in/map.tif", "out/o.html", "--csv", "out/right.csv", "--zones", "in/zones.gpkg")
    for name in ODD_NAMES:
        shutil.copy(place.inputs / "zones.gpkg", place.inputs / f"{name}.gpkg")
        words = ("report", "in/map.tif", "out/o.html", "--csv", "out/o.csv", "--overwrite")
        done = place.run(*words, "--zones", f"in/{name}.gpkg")
        assert done.code or content(place.out / "o.csv") == content(place.out / "right.csv"), name
        shutil.copy(place.inputs / "image.tif", place.inputs / f"{name}.tif")
        place.succeed(*segment_on(Path("in") / f"{name}.tif"))


@recipe
def names_that_geopackage_layers_must_not_have(place: Place) -> None:
    """A batch with polygons works for rasters of any name."""
    names = (
        "-1",
        "(x)",
        "[a",
        "#1",
        "+1",
        "~a",
        "'a",
        "&a",
        "@a",
        "$a",
        "!a",
        "%a",
        ".a",
        "a\nb",
        "gpkg_x",
        "1",
        "ä b",
    )
    shutil.rmtree(place.inputs / "images")
    for name in names:
        write_raster(place.inputs / "images" / f"{name}.tif", place.image()[:, :40, :40])
    done = place.run(*BATCH, "--polygons", "gpkg")
    for name in names:
        path = place.out / f"{name}_landcover.gpkg"
        if name.startswith("."):
            continue  # hidden files are not taken
        if path.exists():
            assert not content(path).startswith("unreadable"), name
        else:
            assert not path.with_suffix(".tif").exists(), f"{name!r} fails after the raster: {done.output[-300:]}"


@recipe
def crs_with_ellipsoidal_heights(place: Place) -> None:
    """A CRS that GeoTIFF keys cannot hold is kept, or the run fails."""
    image = write_raster(place.inputs / "crs.tif", place.image(), crs="EPSG:32640+4979")
    with rasterio.open(image) as dataset:
        crs = dataset.crs
    done = place.run(*segment_on(image, "--polygons", "out/p.gpkg"))
    if done.code == 0:
        with rasterio.open(place.out / "o.tif") as dataset:
            assert dataset.crs == crs, f"{dataset.crs} instead of {crs}"


@recipe
def overviews_without_pixels(place: Place) -> None:
    """Overviews that do not show the image decide nothing."""
    fine = np.repeat(np.repeat(place.image(), 4, 1), 4, 2)
    settings = {
        "transform": Affine(0.25, 0, EAST, 0, -0.25, NORTH),
        "tiled": True,
        "blockxsize": 128,
        "blockysize": 128,
    }
    image = write_raster(place.inputs / "fine.tif", fine, **settings)
    right = place.classes(image)
    with rasterio.open(image, "r+") as dataset:
        dataset.build_overviews([2, 4], rasterio.enums.Resampling.average)
    assert np.mean(place.classes(image) == right) > 0.97
    for level in range(2):
        with rasterio.open(image, "r+", overview_level=level) as overview:
            overview.write(np.zeros((3, overview.height, overview.width), np.uint8))
    assert np.mean(place.classes(image) == right) > 0.97, "the classes are those of empty overviews"


@recipe
def zones_of_an_undefined_crs(place: Place) -> None:
    """GDAL 3.3 to 3.8 write layers without CRS as 'Undefined geographic SRS': they are not in degrees."""
    words = ("report", "in/map.tif", "out/o.html", "--csv", "out/o.csv", "--overwrite", "--zones", "in/zones.gpkg")
    path, found = place.inputs / "zones.gpkg", []
    for identifier in (-1, 0):
        with closing(sqlite3.connect(path)) as package, package:
            package.execute("UPDATE gpkg_contents SET srs_id = ? WHERE table_name = 'zones'", (identifier,))
            package.execute("UPDATE gpkg_geometry_columns SET srs_id = ?", (identifier,))
            package.execute("UPDATE gpkg_contents SET min_x = 1, min_y = 1, max_x = 1, max_y = 1")
        done = place.run(*words)
        found.append((done.code, content(place.out / "o.csv") if done.code == 0 else done.output))
    assert found[0] == found[1]


@recipe
def nodata_that_gdal_masks(place: Place) -> None:
    """Pixels that GDAL or a rounded tag declare missing are nodata in the result."""
    hole = (slice(None), slice(20, 50), slice(30, 80))
    pixels = place.image()
    pixels[hole] = np.array([255, 0, 255])[:, None, None]
    image = write_raster(place.inputs / "values.tif", pixels)
    with rasterio.open(image, "r+") as dataset:
        dataset.update_tags(NODATA_VALUES="255 0 255")
    smallest = float(np.finfo(np.float32).min)
    floats = place.image().astype(np.float32)
    floats[hole] = smallest
    images = {"NODATA_VALUES": image}
    for name, tag in (("rounded tag", -3.40282e38), ("exact tag", smallest), ("no tag", None)):
        images[name] = write_raster(place.inputs / f"{name}.tif", floats, nodata=tag)
    for name, path in images.items():
        ids = place.classes(path)
        assert not ids[hole[1:]].any(), f"{name}: nodata is classified"
        outside = np.ones(ids.shape, bool)
        outside[hole[1:]] = False
        assert ids[outside].all(), f"{name}: pixels outside are lost"


@recipe
def near_infrared_flagged_as_alpha(place: Place) -> None:
    """A band of many values is not an alpha band; one of 0 and 255 is."""
    generator = np.random.default_rng(0)
    infrared = generator.integers(1, 250, (1, 96, 128), np.uint8)
    infrared[:, 20:50, 30:80] = 0  # a lake
    alpha = np.where(infrared == 0, 0, 255).astype(np.uint8)
    colours = (ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha)
    for name, band, hidden in (("infrared", infrared, False), ("alpha", alpha, True)):
        pixels = np.concatenate([place.image(), band])
        image = write_raster(place.inputs / f"{name}.tif", pixels, photometric="RGB", alpha="YES", colorinterp=colours)
        ids = place.classes(image)
        assert bool((ids[20:50, 30:80] == 0).all()) == hidden, name
        assert hidden or ids.all(), name


@recipe
def bands_named_in_descriptions(place: Place) -> None:
    """Bands are taken by their names before their positions."""
    right = place.classes(place.inputs / "image.tif")
    infrared = np.full((1, 96, 128), 90, np.uint8)
    for names in (("blue", "green", "red", "nir"), ("B2", "B3", "B4", "B8"), ("Blue", "Green", "Red", "NIR")):
        pixels = np.concatenate([place.image()[::-1], infrared])
        image = write_raster(place.inputs / "named.tif", pixels, photometric="MINISBLACK")
        with rasterio.open(image, "r+") as dataset:
            dataset.descriptions = names
        ids = place.classes(image)
        assert np.array_equal(ids, right), f"{names}: {np.mean(ids == right):.0%} equal"


@recipe
def half_copied_raw_rasters(place: Place) -> None:
    """The data of ENVI and PCIDSK files are shorter than the header says."""
    for driver, name in (("ENVI", "raw.img"), ("PCIDSK", "raw.pix"), ("GTiff", "raw.tif"), ("HFA", "hfa.img")):
        image = write_raster(place.inputs / name, place.image(), driver=driver, photometric=None)
        os.truncate(image, image.stat().st_size // 2)
        text = place.refuse(*segment_on(image))
        assert name in text or "raw" in text, text


@recipe
def two_batches_into_one_folder(place: Place) -> None:
    """Both manifests' rows are there, or one batch is refused; no raster is called failed that was made."""
    for turn in range(3):
        shutil.rmtree(place.out)
        place.out.mkdir()
        other = os.fork()
        words = (*BATCH, "--pattern", "a.tif") if other else (*BATCH, "--pattern", "b.tif")
        log = place.folder.parent / f"log-{bool(other)}.txt"
        done = run_job(Job("batch", words, replaces=True), place.folder, Fault(), overwrite=False, log=log)
        if not other:
            os._exit(done.code if done.code >= 0 else 99)
        second = os.waitstatus_to_exitcode(os.waitpid(other, 0)[1])
        with (place.out / "landcover_manifest.csv").open() as stream:
            rows = {Path(row["input"]).name: row["status"] for row in csv.DictReader(stream)}
        codes = {"a.tif": done.code, "b.tif": second}
        for name, code in codes.items():
            made = (place.out / name.replace(".tif", "_landcover.tif")).exists()
            assert code or (made and rows.get(name) == "done"), f"turn {turn}: {name}: {rows}, {codes}"
        items = json.loads((place.out / "landcover_manifest.json").read_text())["items"]
        assert {Path(item["input"]).name for item in items} == set(rows)


@recipe
def areas_are_those_on_the_ground(place: Place) -> None:
    """A projected system may stretch: areas of EPSG:4087 at 52 degrees north are 0.62 of those in its units."""
    ids = np.full((64, 64), BUILDING, np.uint8)
    west, north = 1_000_000, 5_788_000  # 52 degrees north
    write_class_map(place.inputs / "north.tif", ids, crs="EPSG:4087", transform=Affine(1, 0, west, 0, -1, north))
    longitudes, latitudes = transform("EPSG:4087", "EPSG:4326", [west, west + 64], [north, north - 64])
    square = 1 - 0.00669438 * math.sin(math.radians(latitudes[0])) ** 2  # 1 - e² sin² of WGS 84
    width = math.radians(longitudes[1] - longitudes[0]) * 6378137 / square**0.5 * math.cos(math.radians(latitudes[0]))
    height = math.radians(latitudes[0] - latitudes[1]) * 6378137 * (1 - 0.00669438) / square**1.5
    place.succeed("report", "in/north.tif", "out/o.html", "--csv", "out/o.csv")
    with (place.out / "o.csv").open() as stream:
        area = sum(float(row["area_m2"]) for row in csv.DictReader(stream))
    assert abs(area / (width * height) - 1) < 0.01, f"{area} m² instead of {width * height}"
    place.succeed("polygons", "in/north.tif", "out/p.gpkg")
    _, fields = read_layer(place.out / "p.gpkg")
    assert abs(fields["area_m2"].sum() / (width * height) - 1) < 0.01, fields


@recipe
def class_ids_without_tags(place: Place) -> None:
    """A raster of class ids that lost its tags gives the polygons that it gave before."""
    place.succeed("polygons", "in/map.tif", "out/right.gpkg")
    with rasterio.open(place.inputs / "map.tif") as dataset:
        ids = dataset.read()
    for kind in (np.uint8, np.int16, np.float32):
        write_raster(place.inputs / "copy.tif", ids.astype(kind), nodata=0)
        place.succeed("polygons", "in/copy.tif", "out/p.gpkg", "--overwrite")
        right, found = (read_layer(place.out / name)[0] for name in ("right.gpkg", "p.gpkg"))
        assert shapely.equals(right, found).all(), kind


@recipe
def a_damaged_file_among_the_models(place: Place) -> None:
    """It is named; the other models are listed."""
    models = place.folder / "models"
    models.mkdir()
    shutil.copy(place.inputs / "town.onnx", models / "good.onnx")
    (models / "broken.safetensors").write_bytes(b"\x10" + bytes(30))
    (models / "broken.onnx").write_bytes(b"\xff" * 40)
    text = place.run("models", prepare=lambda: os.environ.update(DUBAI_LANDCOVER_MODELS=str(models))).output
    assert "dubai" in text, text


@recipe
def things_that_are_not_files(place: Place) -> None:
    """Folders, pipes and links as rasters, models and outputs: refused, or used without waiting."""
    os.mkfifo(place.inputs / "pipe.tif")
    os.mkfifo(place.inputs / "pipe.onnx")
    (place.inputs / "loop.tif").symlink_to("loop.tif")
    (place.inputs / "dangling.onnx").symlink_to("nowhere.onnx")
    (place.inputs / "folder.tif").mkdir()
    for name in ("pipe.tif", "loop.tif", "folder.tif", "missing.tif"):
        place.refuse(*segment_on(place.inputs / name))
        place.refuse("polygons", f"in/{name}", "out/p.gpkg")
    for name in ("pipe.onnx", "dangling.onnx"):
        place.refuse(*segment_words(model=f"in/{name}"))
    place.refuse("report", "in/map.tif", "out/o.html", "--zones", "in/pipe.tif")
    (place.folder / "elsewhere.tif").write_bytes((place.inputs / "map.tif").read_bytes())
    (place.out / "o.tif").symlink_to("../elsewhere.tif")
    done = place.run(*segment_on(place.inputs / "image.tif"))
    assert done.code or (place.out / "o.tif").is_symlink(), "the link is replaced by a file"


@recipe
def surfaces_as_zones(place: Place) -> None:
    """Triangulated and curved surfaces are refused or counted."""
    triangle = shapely.Polygon([(EAST, NORTH), (EAST + 60, NORTH), (EAST, NORTH - 60)])
    write_layer(place.inputs / "tin.gpkg", [triangle], name=np.array(["roof"], object))
    with closing(sqlite3.connect(place.inputs / "tin.gpkg")) as package, package:
        for (name,) in package.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            package.execute(f'DROP TRIGGER "{name}"')  # they call functions of GDAL
        (blob,) = package.execute("SELECT geom FROM tin").fetchone()
        at = len(blob) - len(shapely.to_wkb(triangle))
        patch = b"\x01\x11\x00\x00\x00" + blob[at + 5 :]  # a triangle
        for kind, body in ((16, patch), (15, blob[at:]), (10, blob[at:])):  # TIN, polyhedral surface, curve polygon
            count = b"\x01\x00\x00\x00" if kind != 10 else b""
            whole = b"\x01" + kind.to_bytes(4, "little") + count + (body if kind != 10 else blob[at + 5 :])
            package.execute("UPDATE tin SET geom = ?", (blob[:at] + whole,))
            package.commit()
            place.run("report", "in/map.tif", "out/o.html", "--overwrite", "--zones", "in/tin.gpkg")
            place.run("buildings", "in/tin.gpkg", "out/b.gpkg", "--overwrite")


@recipe
def broken_georeferences(place: Place) -> None:
    """Transforms and systems that are no numbers or do not exist: refused, or treated as absent."""
    for name, placed in (("nan", Affine(np.nan, 0, 0, 0, np.inf, 0)), ("zero", Affine(0, 0, EAST, 0, 0, NORTH))):
        image = write_raster(place.inputs / f"{name}.tif", place.image(), transform=placed)
        place.run(*segment_on(image, "--polygons", "out/p.gpkg"))
    for text in ("PROJCS[&quot;x", "EPSG:99999999", "LOCAL_CS[&quot;site&quot;]", "/etc/passwd"):
        image = write_raster(place.inputs / "aux.tif", place.image(), crs=None)
        image.with_name("aux.tif.aux.xml").write_text(f"<PAMDataset><SRS>{text}</SRS></PAMDataset>")
        place.run(*segment_on(image, "--polygons", "out/p.gpkg"))


@recipe
def text_that_spreadsheets_run(place: Place) -> None:
    """Cells of tables do not begin with a formula."""
    zones = [shapely.box(EAST, NORTH - 50, EAST + 60, NORTH)] * 4
    names = np.array(["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)"], object)
    write_layer(place.inputs / "formulas.gpkg", zones, name=names)
    place.succeed("report", "in/map.tif", "out/o.html", "--csv", "out/o.csv", "--zones", "in/formulas.gpkg")
    with (place.out / "o.csv").open(newline="") as stream:
        cells = [cell for row in csv.reader(stream) for cell in row]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "@") or cell == "-2"]


@recipe
def environments(place: Place) -> None:
    """No home, no locale, a full standard error."""
    words = segment_on(place.inputs / "image.tif", runtime="openvino")

    def without(*names: str) -> Callable[[], None]:
        return lambda: [os.environ.pop(name, None) for name in ("DUBAI_LANDCOVER_CACHE", *names)] and None

    for names in (("HOME",), ("HOME", "PATH", "LANG", "USER", "LOGNAME")):
        place.succeed(*words, prepare=without(*names))

    def full() -> None:
        os.dup2(os.open("/dev/full", os.O_WRONLY), 2)

    place.succeed(*words, prepare=full)


@recipe
def other_files_through_a_virtual_raster(place: Place) -> None:
    """A virtual raster from elsewhere does not reach the network."""
    write_model(place.inputs / "again.onnx")
    band = "".join(
        f'<VRTRasterBand dataType="Byte" band="{number}"><SimpleSource><SourceFilename>{{}}</SourceFilename>'
        f"<SourceBand>{number}</SourceBand></SimpleSource></VRTRasterBand>"
        for number in (1, 2, 3)
    )
    frame = '<VRTDataset rasterXSize="128" rasterYSize="96">{}</VRTDataset>'
    for name in ("/vsicurl/http://127.0.0.1:9/a.tif", "http://127.0.0.1:9/b.tif", "/etc/passwd", "missing.tif"):
        (place.inputs / "v.vrt").write_text(frame.format(band.format(*[name] * 3)))
        place.refuse(*segment_on(place.inputs / "v.vrt"))
