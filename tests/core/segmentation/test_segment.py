"""The invariants of a run, from file to file."""

import json
import os
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import rasterio.shutil
import torch
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.runtimes.predictor import Predictor
from dubai_landcover_plugin.core.segmentation.journal import Journal
from dubai_landcover_plugin.core.segmentation.segment import run_segmentation, segment_raster
from dubai_landcover_plugin.protocol.errors import (
    BandError,
    BundleError,
    DeviceError,
    GeoreferenceError,
    OutputError,
    RasterReadError,
    RequestError,
    RunCancelled,
)
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions
from tests.factories import ONE_METRE, random_pixels, stub_bundle, whole_image_classes, write_raster


class Listener:
    """Keeps what a run says; cancels after ``patience`` progress reports."""

    def __init__(self, patience=None):
        self.lines, self.progress, self.patience = [], [], patience

    def report(self, done, total, text=""):
        self.progress.append((done, total))

    def log(self, level, text):
        self.lines.append((level, text))

    def cancelled(self):
        return self.patience is not None and len(self.progress) >= self.patience


def run(path, bundle, listener=None, extent=None, **options):
    output = path.with_name("classes.tif")
    outputs = {key: options.pop(key) for key in ("confidence", "polygons", "report") if key in options}
    request = SegmentationRequest(
        str(path), str(output), SegmentOptions(**{"overwrite": True, **options}), extent, **outputs
    )
    result = run_segmentation(request, listener, bundle)
    with rasterio.open(output) as dataset:
        return dataset.read(1), result


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


class TestTemperature:
    def test_it_changes_the_confidence_and_no_class(self, tmp_path):
        """Where windows do not overlap; in an overlap two windows that disagree are weighed by their confidence."""
        path = write_raster(tmp_path / "input.tif", random_pixels(40, 40))
        confidence = str(tmp_path / "confidence.tif")
        found = {}
        for temperature in (0.5, 1.0, 3.0):
            bundle = stub_bundle(1, temperature=temperature)
            classes, _ = run(path, bundle, window=64, overlap=0, confidence=confidence)
            with rasterio.open(confidence) as dataset:
                found[temperature] = classes, dataset.read(1).astype(int)
        assert (found[0.5][0] == found[1.0][0]).all()
        assert (found[3.0][0] == found[1.0][0]).all()
        assert found[0.5][1].mean() > found[1.0][1].mean() > found[3.0][1].mean()

    def test_it_divides_the_logits(self):
        chips = random_pixels(20, 24)[None]
        logits = torch.log(torch.from_numpy(Predictor(stub_bundle(), "cpu", "float32")(chips)))
        given = Predictor(stub_bundle(temperature=2.5), "cpu", "float32")(chips)
        torch.testing.assert_close(torch.from_numpy(given), torch.softmax(logits / 2.5, 1))


class TestAugmentation:
    def test_it_is_the_mean_over_quarter_turns(self):
        bundle, chips = stub_bundle(2), np.stack([random_pixels(20, 28, seed) for seed in range(3)])
        plain, averaged = Predictor(bundle, "cpu", "float32"), Predictor(bundle, "cpu", "float32", tta=True)
        views = [np.rot90(plain(np.rot90(chips, turns, (2, 3)).copy()), -turns, (2, 3)) for turns in range(4)]
        np.testing.assert_allclose(averaged(chips), np.mean(views, axis=0), rtol=1e-5, atol=1e-6)
        assert np.abs(averaged(chips) - plain(chips)).max() > 0.01

    def test_a_turned_raster_gives_the_turned_result(self, tmp_path):
        pixels = random_pixels(30, 45)
        turned = np.rot90(pixels, 1, (1, 2))
        there, _ = run(write_raster(tmp_path / "a.tif", pixels), stub_bundle(3), window=64, tta=True)
        back, _ = run(write_raster(tmp_path / "b.tif", turned), stub_bundle(3), window=64, tta=True)
        plain, _ = run(write_raster(tmp_path / "b.tif", turned), stub_bundle(3), window=64)
        assert (np.rot90(there) == back).mean() > 0.999  # sums in another order
        assert (np.rot90(there) == plain).mean() < 0.99

    @settings(max_examples=10)
    @given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 4))
    def test_a_pixelwise_model_still_gives_the_whole_images_result(self, tmp_path_factory, height, width, batch):
        path = tmp_path_factory.mktemp("run") / "input.tif"
        pixels = random_pixels(height, width)
        write_raster(path, pixels)
        bundle, listener = stub_bundle(), Listener()
        classes, _ = run(path, bundle, listener, window=32, overlap=8, batch=batch, tta=True)
        assert (classes == whole_image_classes(bundle, pixels)).all()
        assert any("computed 4 times" in text for _, text in listener.lines)

    @settings(max_examples=8)
    @given(st.integers(20, 60), st.integers(20, 60), st.integers(2, 4), st.integers(0, 16))
    def test_result_does_not_depend_on_batch(self, tmp_path_factory, height, width, batch, overlap):
        path = tmp_path_factory.mktemp("run") / "input.tif"
        write_raster(path, random_pixels(height, width))
        one, _ = run(path, stub_bundle(3), window=32, overlap=overlap, batch=1, tta=True)
        many, _ = run(path, stub_bundle(3), window=32, overlap=overlap, batch=batch, tta=True)
        assert (one == many).all()

    def test_the_record_tells(self, tmp_path):
        run(write_raster(tmp_path / "input.tif", random_pixels(20, 20)), stub_bundle(), tta=True)
        record = json.loads((tmp_path / "classes.run.json").read_text())
        assert record["request"]["options"]["tta"] is True


class TestGroundSamplingDistance:
    def test_blocks_of_fine_pixels_get_the_class_of_their_mean(self, tmp_path):
        coarse = random_pixels(20, 24)
        fine = coarse.repeat(4, axis=1).repeat(4, axis=2)
        path = write_raster(tmp_path / "input.tif", fine, transform=ONE_METRE @ Affine.scale(0.25))
        bundle = stub_bundle()
        listener = Listener()
        classes, result = run(path, bundle, listener)
        expected = whole_image_classes(bundle, coarse)
        # Between the centres of four working pixels classes are interpolated; at the centres they are exact.
        centres = (
            np.add.outer(np.arange(1, 80, 4), np.zeros(24, int)),
            np.add.outer(np.zeros(20, int), np.arange(1, 96, 4)),
        )
        assert (classes[centres] == expected).mean() > 0.9
        assert classes.shape == (80, 96)
        assert result.area_m2 is not None
        assert sum(result.area_m2.values()) == pytest.approx(20 * 24)
        assert any("resampled to 1 m/px (20×24 px)" in text for _, text in listener.lines)

    @pytest.mark.parametrize("scale", [0.3, 0.11, 2.7, 5.0])
    @pytest.mark.parametrize("shape", [(1, 1), (33, 47), (64, 5)])
    def test_every_valid_pixel_gets_a_class(self, tmp_path, scale, shape):
        pixels = random_pixels(*shape)
        pixels[:, ::3, ::2] = 0
        path = write_raster(tmp_path / "input.tif", pixels, transform=ONE_METRE @ Affine.scale(scale), nodata=0)
        classes, _ = run(path, stub_bundle(), window=16, overlap=4)
        assert ((classes > 0) == (pixels[0] > 0)).all()

    def test_undeclared_holes_do_not_become_a_class(self, tmp_path):
        pixels = np.full((3, 160, 160), 90, np.float32)
        holes = pixels.copy()
        holes[:, ::4, ::4] = np.nan
        transform = ONE_METRE @ Affine.scale(0.2)
        limits = ((0.0, 255.0),)
        whole, _ = run(write_raster(tmp_path / "a.tif", pixels, transform=transform), stub_bundle(), limits=limits)
        part, _ = run(write_raster(tmp_path / "b.tif", holes, transform=transform), stub_bundle(), limits=limits)
        valid = np.isfinite(holes[0])
        assert (part[valid] == whole[valid]).all()
        assert not part[~valid].any()

    @pytest.mark.parametrize("scale", [0.37, 3.1])
    def test_windows_do_not_show(self, tmp_path, scale):
        path = write_raster(tmp_path / "input.tif", random_pixels(90, 70), transform=ONE_METRE @ Affine.scale(scale))
        small, _ = run(path, stub_bundle(), window=16, overlap=4)
        large, _ = run(path, stub_bundle(), window=512, overlap=0)
        assert (small == large).mean() > 0.9999

    @pytest.mark.parametrize(
        ("scale", "options", "text"),
        [
            (1.4, {}, "read at its own resolution"),
            (0.25, {"gsd_mode": "never"}, "resampling is switched off"),
            (0.25, {"gsd": 1.0}, "read at its own resolution"),
            (30.0, {}, "times coarser"),
        ],
    )
    def test_pixels_are_taken_as_they_are_where_that_is_right(self, tmp_path, scale, options, text):
        pixels = random_pixels(20, 20)
        path = write_raster(tmp_path / "input.tif", pixels, transform=ONE_METRE @ Affine.scale(scale))
        bundle, listener = stub_bundle(), Listener()
        classes, _ = run(path, bundle, listener, **options)
        assert (classes == whole_image_classes(bundle, pixels)).all()
        assert any(text in line for _, line in listener.lines)


class TestStretch:
    def test_sixteen_bits_are_stretched_once_for_the_raster(self, tmp_path):
        rng = np.random.default_rng(0)
        pixels = rng.integers(200, 4000, (3, 64, 64), np.uint16)
        path = write_raster(tmp_path / "input.tif", pixels)
        bundle, listener = stub_bundle(), Listener()
        classes, _ = run(path, bundle, listener, window=16, overlap=0)
        low, high = np.percentile(pixels.reshape(3, -1), (2, 98), axis=1)
        scaled = (pixels - low[:, None, None]) / (high - low)[:, None, None]
        eight = np.rint(scaled.clip(0, 1) * 255).astype(np.uint8)
        assert (classes == whole_image_classes(bundle, eight)).mean() > 0.999
        assert any("uint16 values are stretched from" in text for _, text in listener.lines)

    def test_explicit_limits(self, tmp_path):
        eight = random_pixels(20, 20)
        path = write_raster(tmp_path / "input.tif", eight.astype(np.float32) * 2 + 7)
        bundle = stub_bundle()
        classes, _ = run(path, bundle, limits=((7.0, 517.0),))
        assert (classes == whole_image_classes(bundle, eight)).all()

    @pytest.mark.parametrize(
        ("kind", "options", "text"),
        [
            (np.float32, {"stretch": "none"}, "float32 has no fixed value range"),
            (np.uint8, {"limits": ((0, 1), (0, 1))}, "each of 3 bands, got 2 pairs"),
        ],
    )
    def test_impossible_stretches_are_refused(self, tmp_path, kind, options, text):
        path = write_raster(tmp_path / "input.tif", random_pixels(20, 20).astype(kind))
        with pytest.raises(RequestError, match=text):
            run(path, stub_bundle(), **options)

    def test_flat_raster_is_told(self, tmp_path):
        path = write_raster(tmp_path / "input.tif", np.full((3, 20, 20), 900, np.uint16))
        _, result = run(path, stub_bundle())
        assert any("is constant" in warning for warning in result.warnings)


class TestOutputs:
    def test_file_names_its_classes_and_its_run(self, tmp_path):
        path = write_raster(tmp_path / "input.tif", random_pixels(300, 40))
        _, result = run(path, stub_bundle(), report=str(tmp_path / "r.html"), polygons=str(tmp_path / "p.gpkg"))
        with rasterio.open(tmp_path / "classes.tif") as dataset:
            tags = dataset.tags()
            assert dataset.overviews(1)
            assert dataset.nodata == 0
            assert dataset.colorinterp[0].name == "palette"
        assert tags["CLASS_4"] == "Building #3C1098"
        record = json.loads((tmp_path / "classes.run.json").read_text())
        tagged = json.loads(tags["LANDCOVER_RUN"])
        for key in ("request", "model", "versions", "input"):
            assert record[key] == tagged[key]
        assert record["result"]["pixels"] == result.pixels
        assert record["versions"]["rasterio"] == rasterio.__version__
        assert "<Category>Building</Category>" in (tmp_path / "classes.tif.aux.xml").read_text()
        assert "Building" in (tmp_path / "r.html").read_text()
        assert sorted(os.listdir(tmp_path)) == [
            "classes.run.json", "classes.tif", "classes.tif.aux.xml", "input.tif", "p.gpkg", "r.html",
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

    def test_areas_in_degrees_are_those_of_the_ellipsoid(self, tmp_path):
        transform = Affine(1e-5, 0, 55, 0, -1e-5, 25)
        path = write_raster(tmp_path / "input.tif", random_pixels(50, 50), crs="EPSG:4326", transform=transform)
        _, result = run(path, stub_bundle())
        # 0.0005° of longitude by 0.0005° of latitude at 25° N
        assert sum(result.area_m2.values()) == pytest.approx(50.452 * 55.389, rel=1e-3)

    def test_progress_ends_at_the_end(self, tmp_path):
        path = write_raster(tmp_path / "input.tif", random_pixels(80, 80))
        listener = Listener()
        run(path, stub_bundle(), listener)
        shares = [done / total for done, total in listener.progress]
        assert shares == sorted(shares)
        assert (shares[0], shares[-1]) == (0, 1)


class TestFailures:
    @pytest.fixture
    def source(self, tmp_path):
        return write_raster(tmp_path / "input.tif", random_pixels(60, 60))

    def refuse(self, request, error, text, listener=None, bundle=None):
        folder = os.path.dirname(request.input)
        before = {name: (os.path.getsize(os.path.join(folder, name))) for name in os.listdir(folder)}
        with pytest.raises(error, match=text):
            run_segmentation(request, listener, bundle or stub_bundle())
        assert {name: (os.path.getsize(os.path.join(folder, name))) for name in os.listdir(folder)} == before

    def test_output_on_the_input(self, source):
        options = SegmentOptions(overwrite=True)
        self.refuse(SegmentationRequest(str(source), str(source), options), OutputError, "is the input itself")
        linked = source.with_name("linked.tif")
        linked.symlink_to(source)
        self.refuse(SegmentationRequest(str(source), str(linked), options), OutputError, "is the input itself")

    @pytest.mark.parametrize("what", ["output", "confidence", "polygons", "report"])
    def test_existing_outputs_are_kept(self, source, what):
        names = {"output": "o.tif", "confidence": "c.tif", "polygons": "p.shp", "report": "r.html"}
        paths = {key: str(source.with_name(name)) for key, name in names.items()}
        source.with_name(names[what]).write_text("mine")
        self.refuse(SegmentationRequest(str(source), **paths), OutputError, "exists")

    def test_cancel_leaves_nothing(self, source):
        request = SegmentationRequest(str(source), str(source.with_name("o.tif")))
        self.refuse(request, RunCancelled, "cancelled", Listener(patience=2))

    def test_damaged_block_leaves_nothing(self, tmp_path):
        path = write_raster(
            tmp_path / "input.tif",
            random_pixels(128, 128),
            tiled=True,
            blockxsize=16,
            blockysize=16,
            compress="deflate",
        )
        content = bytearray(path.read_bytes())
        content[len(content) // 2 : len(content) // 2 + 600] = bytes(600)
        path.write_bytes(content)
        request = SegmentationRequest(str(path), str(tmp_path / "o.tif"), confidence=str(tmp_path / "c.tif"))
        self.refuse(request, RasterReadError, r"input.tif cannot be read at rows \d+–\d+")

    def test_extent_outside(self, source):
        request = SegmentationRequest(str(source), str(source.with_name("o.tif")), extent=(0, 0, 1, 1))
        self.refuse(request, GeoreferenceError, "does not touch")

    def test_bands_missing(self, tmp_path):
        path = write_raster(tmp_path / "input.tif", random_pixels(20, 20, bands=2))
        self.refuse(SegmentationRequest(str(path), str(tmp_path / "o.tif")), BandError, "has 2 band")

    def test_overlap_beyond_the_models_window(self, source):
        request = SegmentationRequest(str(source), str(source.with_name("o.tif")), SegmentOptions(overlap=17))
        self.refuse(request, RequestError, "at most half the window, 16 px, got 17 px")

    def test_unknown_model(self, source):
        request = SegmentationRequest(str(source), str(source.with_name("o.tif")), SegmentOptions(model="nosuch"))
        with pytest.raises(BundleError, match="no model 'nosuch'"):
            segment_raster(request)

    def test_failure_inside_the_network_leaves_nothing(self, source):
        bundle = stub_bundle()
        bundle.model.layers[0] = None
        request = SegmentationRequest(str(source), str(source.with_name("o.tif")))
        self.refuse(request, TypeError, "NoneType", bundle=bundle)

    def test_output_under_two_names(self, source):
        other = source.parent / "." / "sub" / ".." / "o.tif"
        (source.parent / "sub").mkdir()
        request = SegmentationRequest(str(source), str(source.with_name("o.tif")), confidence=str(other))
        self.refuse(request, OutputError, "would be written twice")

    def test_output_on_a_file_behind_a_virtual_raster(self, source):
        virtual = source.with_name("v.vrt")
        rasterio.shutil.copy(source, virtual, driver="VRT")
        request = SegmentationRequest(str(virtual), str(source), SegmentOptions(overwrite=True))
        self.refuse(request, OutputError, "is the input itself")

    def test_network_without_numbers(self, source):
        bundle = stub_bundle()
        bundle.model.layers[0].weight.data[:] = np.nan
        request = SegmentationRequest(str(source), str(source.with_name("o.tif")))
        self.refuse(request, DeviceError, "NaN or infinite", bundle=bundle)

    def test_polygons_that_fail_leave_the_raster(self, source, monkeypatch):
        def fail(*arguments):
            raise OutputError("The disk is full.")

        monkeypatch.setattr("dubai_landcover_plugin.core.segmentation.vector_outputs.write_polygons", fail)
        output = source.with_name("o.tif")
        request = SegmentationRequest(str(source), str(output), polygons=str(source.with_name("p.gpkg")))
        with pytest.raises(OutputError, match=r"o.tif is complete, but a further output failed: The disk is full"):
            run_segmentation(request, bundle=stub_bundle())
        assert output.exists()


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


class TestGoingOn:
    """A run that was stopped goes on where it was, and the result is that of one which was not."""

    @pytest.fixture
    def source(self, tmp_path):
        return write_raster(tmp_path / "input.tif", random_pixels(150, 70), nodata=0)

    @pytest.fixture(autouse=True)
    def save_every_band(self, monkeypatch):
        monkeypatch.setattr(Journal, "is_due", lambda self: True)

    def stop(self, source, patience, **options):
        with pytest.raises(RunCancelled):
            run(source, stub_bundle(3), Listener(patience), window=32, overlap=8, batch=1, keep=True, **options)

    @pytest.mark.parametrize(("gsd", "patience"), [(None, 7), (None, 16), (2.0, 30), (2.0, 70)])
    def test_the_result_is_bit_identical(self, source, patience, gsd):
        confidence = str(source.with_name("confidence.tif"))
        asked = {"window": 32, "overlap": 8, "confidence": confidence, "gsd": gsd}
        whole, wanted = run(source, stub_bundle(3), **asked)
        percent = rasterio.open(confidence).read(1)
        self.stop(source, patience, confidence=confidence, gsd=gsd)
        listener = Listener()
        again, result = run(source, stub_bundle(3), listener, **asked)
        told = [text for _, text in listener.lines if "Resuming an interrupted run" in text]
        assert len(told) == 1
        assert listener.progress[0][0] > 0, "it began where the other had stopped"
        assert (again == whole).all()
        assert (rasterio.open(confidence).read(1) == percent).all()
        assert (result.pixels, result.area_m2, result.windows) == (wanted.pixels, wanted.area_m2, wanted.windows)
        assert not list(source.parent.glob(".*"))

    def test_cancelled_without_keeping_leaves_nothing(self, source):
        with pytest.raises(RunCancelled):
            run(source, stub_bundle(3), Listener(9), window=32, overlap=8, batch=1)
        assert [path.name for path in source.parent.iterdir()] == ["input.tif"]

    @pytest.mark.parametrize("change", ["overlap", "model", "input", "confidence"])
    def test_another_run_begins_anew(self, source, change):
        self.stop(source, 12)
        bundle, options = stub_bundle(3), {"window": 32, "overlap": 8}
        if change == "overlap":
            options["overlap"] = 10
        if change == "model":
            bundle = ModelBundle(bundle.metadata, stub_bundle(2).model, "another")
        if change == "input":
            write_raster(source, random_pixels(150, 70, seed=5), nodata=0)
        if change == "confidence":
            options["confidence"] = str(source.with_name("confidence.tif"))
        listener = Listener()
        classes, _ = run(source, bundle, listener, **options)
        assert not any("Resuming" in text for _, text in listener.lines)
        fresh, _ = run(source, bundle, **options)
        assert (classes == fresh).all()

    def test_a_full_disk_for_the_journal_is_told_and_stops_nothing(self, source, monkeypatch):
        def full(self, progress):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Journal, "save", full)
        listener = Listener()
        classes, _ = run(source, stub_bundle(3), listener, window=32, overlap=8)
        assert any("could not be saved" in text for level, text in listener.lines if level == "warning")
        assert classes.shape == (150, 70)
