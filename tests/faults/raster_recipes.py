"""Rasters: systems, nodata, bands, overviews and damaged files."""

from __future__ import annotations

import csv
import math
import os

import numpy as np
import rasterio
import shapely
from affine import Affine
from rasterio.enums import ColorInterp
from rasterio.warp import transform

from tests.factories import read_layer, write_class_map, write_raster
from tests.faults.jobs import BUILDING, EAST, NORTH, write_model
from tests.faults.recipes import Place, recipe, segment_on


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
