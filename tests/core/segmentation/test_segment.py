"""The invariants of a run, from file to file."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.enums import ColorInterp

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.segmentation.segment import run_segmentation
from dubai_landcover_plugin.protocol.classes import DUBAI, coloured
from dubai_landcover_plugin.protocol.errors import BandError
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest
from tests.core.segmentation.cases import Listener, run
from tests.factories import ONE_METRE, random_pixels, stub_bundle, whole_image_classes, write_raster


@settings(max_examples=40)
@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.sampled_from([16, 24, 32]),
    st.integers(1, 3),
    st.integers(0, 2),
    st.data(),
)
def test_result_is_that_of_the_whole_image(tmp_path_factory, height, width, window, batch, radius, data):
    """Whatever shape, window, overlap and batch: each pixel once, and as if the network had seen all at once."""
    overlap = data.draw(st.integers(2 * radius, window // 2))
    path = tmp_path_factory.mktemp("run") / "input.tif"
    pixels = random_pixels(height, width, seed=height * 71 + width)
    write_raster(path, pixels)
    bundle = stub_bundle(radius)
    classes, result = run(path, bundle, window=window, overlap=overlap, batch=batch)
    assert (classes == whole_image_classes(bundle, pixels)).all()
    assert result.valid_pixels == height * width == sum(result.pixels.values())
    assert result.area_m2 == {name: float(count) for name, count in result.pixels.items()}


@settings(max_examples=15)
@given(st.integers(20, 60), st.integers(20, 60), st.integers(1, 4), st.integers(0, 16))
def test_result_does_not_depend_on_batch_even_where_windows_disagree(tmp_path_factory, height, width, batch, overlap):
    """A network that looks farther than the overlap gives window edges that differ; batches must not add to it."""
    path = tmp_path_factory.mktemp("run") / "input.tif"
    write_raster(path, random_pixels(height, width))
    bundle = stub_bundle(3)
    one, _ = run(path, bundle, window=32, overlap=overlap, batch=1)
    many, _ = run(path, bundle, window=32, overlap=overlap, batch=batch)
    assert (one == many).all()


@settings(max_examples=25)
@given(st.integers(1, 60), st.integers(1, 60), st.floats(0, 1), st.integers(0, 2**31))
def test_invalid_pixels_come_out_as_nodata_and_valid_ones_do_not(tmp_path_factory, height, width, share, seed):
    pixels = random_pixels(height, width, seed)
    valid = np.random.default_rng(seed).random((height, width)) < share
    pixels[:, ~valid] = 0
    path = tmp_path_factory.mktemp("run") / "input.tif"
    write_raster(path, pixels, nodata=0)
    bundle = stub_bundle()
    classes, result = run(path, bundle, window=16, overlap=4)
    assert ((classes > 0) == valid).all()
    assert (classes[valid] == whole_image_classes(bundle, pixels)[valid]).all()
    assert result.valid_pixels == valid.sum()


@pytest.mark.parametrize(
    "transform",
    [ONE_METRE, Affine(1, 0, 500, 0, 1, 900), Affine.translation(500, 900) @ Affine.rotation(25)],
    ids=["north-up", "south-up", "rotated"],
)
def test_output_lies_on_the_input(tmp_path, transform):
    path = write_raster(tmp_path / "input.tif", random_pixels(40, 30), transform=transform)
    run(path, stub_bundle())
    with rasterio.open(path) as source, rasterio.open(tmp_path / "classes.tif") as output:
        assert output.transform.almost_equals(source.transform)
        assert output.crs == source.crs
        assert output.shape == source.shape


def test_empty_windows_are_not_computed(tmp_path):
    pixels = random_pixels(96, 96)
    pixels[:, 32:] = 0
    path = write_raster(tmp_path / "input.tif", pixels, nodata=0)
    _, result = run(path, stub_bundle(), window=32, overlap=0)
    assert result.windows == 3


def test_raster_without_a_valid_pixel_is_all_nodata_and_told(tmp_path):
    path = write_raster(tmp_path / "input.tif", np.zeros((3, 40, 40), np.uint8), nodata=0)
    classes, result = run(path, stub_bundle())
    assert not classes.any()
    assert any("no valid pixels" in warning for warning in result.warnings)


def test_minimum_confidence_makes_unlabeled(tmp_path):
    path = write_raster(tmp_path / "input.tif", random_pixels(40, 40))
    confidence = str(tmp_path / "confidence.tif")
    classes, result = run(path, stub_bundle(), min_confidence=0.6, confidence=confidence)
    with rasterio.open(confidence) as dataset:
        percent = dataset.read(1)
        assert dataset.nodata == 255
    assert (classes[percent < 60] == 6).all()
    assert (classes[percent > 60] < 6).all()
    assert 0 < result.pixels["Unlabeled"] == (classes == 6).sum() < 1600


def test_extent_gives_the_same_classes_as_the_whole(tmp_path):
    path = write_raster(tmp_path / "input.tif", random_pixels(60, 50))
    whole, _ = run(path, stub_bundle())
    part, result = run(path, stub_bundle(), extent=(300_010, 2_779_960, 300_030, 2_779_990))
    assert (part == whole[10:40, 10:30]).all()
    assert (result.height, result.width) == (30, 20)


class TestOutputs:
    def test_file_names_its_classes_and_its_run(self, tmp_path):
        path = write_raster(tmp_path / "input.tif", random_pixels(300, 40))
        _, result = run(path, stub_bundle(), report=str(tmp_path / "r.html"), polygons=str(tmp_path / "p.gpkg"))
        with rasterio.open(tmp_path / "classes.tif") as dataset:
            tags = dataset.tags()
            assert dataset.overviews(1)
            assert dataset.nodata == 0
            assert dataset.colorinterp[0].name == "palette"
        assert tags["CLASS_4"] == "Building #B5533C"
        record = json.loads((tmp_path / "classes.run.json").read_text())
        tagged = json.loads(tags["LANDCOVER_RUN"])
        for key in ("request", "model", "versions", "input"):
            assert record[key] == tagged[key]
        assert record["result"]["pixels"] == result.pixels
        assert record["versions"]["rasterio"] == rasterio.__version__
        assert "<Category>Building</Category>" in (tmp_path / "classes.tif.aux.xml").read_text()
        page = (tmp_path / "r.html").read_text()
        assert "<h1>Land cover: input</h1>" in page
        assert "<h2>Map</h2>" in page
        assert sorted(os.listdir(tmp_path)) == [
            "classes.qml", "classes.run.json", "classes.tif", "classes.tif.aux.xml", "input.tif", "p.gpkg", "r.html",
        ]  # fmt: skip

    def test_libraries_do_not_talk_about_a_raster_without_a_place(self, tmp_path, recwarn):
        path = write_raster(tmp_path / "input.tif", random_pixels(20, 20), crs=None, transform=Affine.identity())
        recwarn.clear()
        run_segmentation(SegmentationRequest(str(path), str(tmp_path / "o.tif")), bundle=stub_bundle())
        assert [str(warning.message) for warning in recwarn.list] == []

    def test_without_crs_there_are_no_areas(self, tmp_path):
        path = write_raster(tmp_path / "input.tif", random_pixels(20, 20), crs=None)
        _, result = run(path, stub_bundle(), report=str(tmp_path / "r.html"))
        assert result.area_m2 is None
        assert any("no CRS" in warning for warning in result.warnings)
        assert "areas are counted in pixels" in (tmp_path / "r.html").read_text()

    def test_areas_in_degrees_are_those_of_the_ellipsoid(self, tmp_path):
        transform = Affine(1e-5, 0, 55, 0, -1e-5, 25)
        path = write_raster(tmp_path / "input.tif", random_pixels(50, 50), crs="EPSG:4326", transform=transform)
        _, result = run(path, stub_bundle())
        # 0.0005° of longitude by 0.0005° of latitude at 25° N
        assert sum(result.area_m2.values()) == pytest.approx(50.452 * 55.389, rel=1e-3)

    def test_the_record_has_the_surface_of_the_areas(self, tmp_path):
        surfaces = []
        for crs in ("EPSG:32640", "EPSG:4087", None):
            transform = Affine(1, 0, 1_113_195, 0, -1, 5_788_614)  # 10° E, 52° N in EPSG:4087
            path = write_raster(tmp_path / "input.tif", random_pixels(20, 20), crs=crs, transform=transform)
            _, result = run(path, stub_bundle(), overwrite=True)
            record = json.loads(Path(result.record).read_text(encoding="utf-8"))["result"]
            surfaces.append((record["measured_on"], record["area_m2"] and sum(record["area_m2"].values())))
        assert surfaces[0] == ("plane", 400)
        assert surfaces[1] == ("ellipsoid", pytest.approx(400 * 0.6166, rel=1e-3))
        assert surfaces[2] == (None, None)

    def test_progress_ends_at_the_end(self, tmp_path):
        path = write_raster(tmp_path / "input.tif", random_pixels(80, 80))
        listener = Listener()
        run(path, stub_bundle(), listener)
        shares = [done / total for done, total in listener.progress]
        assert shares == sorted(shares)
        assert (shares[0], shares[-1]) == (0, 1)


def test_an_awkward_class_scheme_is_kept(tmp_path):
    """Ids that are not 1..5 in order come out as the scheme says."""
    bundle = stub_bundle()
    classes = tuple(replace(entry, id=entry.id * 10) for entry in bundle.metadata.scheme.classes)
    scheme = replace(bundle.metadata.scheme, classes=classes)
    bundle = ModelBundle(replace(bundle.metadata, scheme=scheme), bundle.model, bundle.digest)
    pixels = random_pixels(30, 30)
    path = write_raster(tmp_path / "input.tif", pixels)
    ids, _ = run(path, bundle)
    assert (ids == whole_image_classes(bundle, pixels) * 10).all()


CIR = {"bands": ("nir", "red", "green"), "band_numbers": (4, 1, 2)}


class TestBandsOfTheModel:
    """The bands that a model was trained on are read without being chosen."""

    @pytest.mark.parametrize("tagged", [(), ("blue", "green", "red", "nir")], ids=["by number", "by name"])
    def test_they_are_read(self, raster, tagged):
        pixels = random_pixels(40, 50, bands=4)
        path = raster(pixels)
        with rasterio.open(path, "r+") as dataset:
            dataset.descriptions = tagged or (None,) * 4
        bundle = stub_bundle(**CIR)
        classes, result = run(path, bundle)
        order = [3, 2, 1] if tagged else [3, 0, 1]
        assert (classes == whole_image_classes(bundle, pixels[order])).all()
        assert any("training rasters" in warning for warning in result.warnings) == (not tagged)

    def test_chosen_ones_count(self, raster):
        pixels = random_pixels(40, 50, bands=4)
        bundle, listener = stub_bundle(**CIR), Listener()
        grey = [ColorInterp.gray, *[ColorInterp.undefined] * 3]
        classes, _ = run(raster(pixels, colorinterp=grey), bundle, listener, bands=(1, 2, 3))
        assert (classes == whole_image_classes(bundle, pixels[:3])).all()
        assert any("training read 4, 1, 2" in text for _, text in listener.lines)

    def test_a_raster_without_them_is_refused(self, raster):
        path = raster(random_pixels(40, 50))
        with pytest.raises(BandError, match="band 4"):
            run(path, stub_bundle(**CIR))
        assert sorted(file.name for file in path.parent.iterdir()) == ["input.tif"]


class TestColours:
    """The stub's model has the colours of the Dubai dataset, as the shipped ones."""

    @pytest.mark.parametrize("colours", ["natural", "dataset"])
    def test_they_are_in_palette_tags_style_and_report(self, tmp_path, colours):
        write_raster(tmp_path / "input.tif", random_pixels(40, 60))
        given = {} if colours == "natural" else {"colours": colours}
        report = str(tmp_path / "r.html")
        run(tmp_path / "input.tif", stub_bundle(1), window=32, report=report, **given)
        building = coloured(DUBAI, colours).by_name("Building")
        with rasterio.open(tmp_path / "classes.tif") as dataset:
            assert dataset.colormap(1)[4][:3] == building.rgb
            assert dataset.tags()["CLASS_4"] == f"Building {building.colour}"
        assert f'color="{building.colour.lower()}"' in (tmp_path / "classes.qml").read_text()
        assert building.colour in Path(report).read_text()

    def test_polygons_keep_the_style_where_both_have_one_name(self, tmp_path):
        write_raster(tmp_path / "input.tif", random_pixels(40, 60))
        for _ in range(2):  # the second run replaces all files
            run(tmp_path / "input.tif", stub_bundle(1), window=32, polygons=str(tmp_path / "classes.shp"))
            text = (tmp_path / "classes.qml").read_text()
            assert "class_id" in text
            assert "rasterrenderer" not in text
        run(tmp_path / "input.tif", stub_bundle(1), window=32, polygons=str(tmp_path / "classes.gpkg"))
