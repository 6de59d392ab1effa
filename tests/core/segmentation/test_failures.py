"""Failed runs say what to do and leave nothing."""

import os

import numpy as np
import pytest
import rasterio
import rasterio.shutil

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
from tests.core.segmentation.cases import Listener
from tests.factories import random_pixels, stub_bundle, write_raster


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
