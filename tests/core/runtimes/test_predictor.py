"""Temperature and test-time augmentation."""

import json

import numpy as np
import rasterio
import rasterio.shutil
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dubai_landcover_plugin.core.runtimes.predictor import Predictor
from tests.core.segmentation.cases import Listener, run
from tests.factories import random_pixels, stub_bundle, whole_image_classes, write_raster


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
