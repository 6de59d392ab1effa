"""The synthetic town: the same for the same seed, all classes present, picture and truth about the same thing."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio

from dubai_landcover_plugin.protocol.classes import DUBAI, coloured
from training.synthetic.scenes import CRS, draw_scene, write_scene

SIZE = 320  # big enough for a few blocks and the lagoon, drawn in half a second


@pytest.fixture(scope="module")
def scene():
    return draw_scene(3, SIZE, 2.0)


def test_equal_seeds_give_equal_scenes(scene):
    again = draw_scene(3, SIZE, 2.0)
    np.testing.assert_array_equal(scene.image, again.image)
    np.testing.assert_array_equal(scene.truth, again.truth)
    assert (draw_scene(4, SIZE, 2.0).truth != scene.truth).mean() > 0.1


def test_shapes_types_and_ids(scene):
    assert scene.image.shape == (SIZE, SIZE, 3)
    assert scene.image.dtype == scene.truth.dtype == np.uint8
    assert set(np.unique(scene.truth)) == set(DUBAI.ids)


@pytest.mark.parametrize("seed", [7, 11])
def test_every_class_covers_a_share(seed):
    truth = draw_scene(seed, 512, 2.0).truth
    shares = np.bincount(truth.ravel(), minlength=7)[1:6] / truth.size
    assert (shares > 0.01).all(), dict(zip((entry.name for entry in DUBAI.classes), shares, strict=True))


def test_picture_and_truth_agree(scene):
    """Colours as on the ground: roofs and sand bright, asphalt grey and dark, plants green, water darkest."""
    mean = {entry.name: scene.image[scene.truth == entry.id].mean(axis=0) for entry in DUBAI.classes}
    assert mean["Land"].mean() > mean["Road"].mean() + 40
    assert mean["Building"].mean() > mean["Road"].mean() + 40
    assert mean["Water"].mean() < mean["Land"].mean() - 60
    assert mean["Vegetation"][1] > mean["Vegetation"][0]
    assert np.ptp(mean["Road"]) < 25


def test_truth_edges_are_where_the_picture_has_them(scene):
    """Shifting the truth by two pixels makes roads less uniform: picture and truth lie on the same grid."""
    grey = scene.image.astype(float).mean(axis=2)
    road = scene.truth == DUBAI.by_name("Road").id
    spreads = {(row, col): grey[np.roll(road, (row, col), (0, 1))].std() for row in (-2, 0, 2) for col in (-2, 0, 2)}
    assert min(spreads, key=spreads.get) == (0, 0)


@pytest.mark.parametrize(("size", "gsd"), [(32, 1.0), (9000, 1.0), (256, 0.1)])
def test_sizes_out_of_range_are_refused(size, gsd):
    with pytest.raises(ValueError, match=r"64\.\.8192"):
        draw_scene(1, size, gsd)


def test_files_are_georeferenced_alike(tmp_path):
    image_path, truth_path = write_scene(tmp_path / "a town.tif", 5, 128, 2.0)
    drawn = draw_scene(5, 128, 2.0)
    with rasterio.open(image_path) as image, rasterio.open(truth_path) as truth:
        assert image.crs == truth.crs == rasterio.crs.CRS.from_string(CRS)
        assert image.transform == truth.transform
        assert image.res == (2.0, 2.0)
        np.testing.assert_array_equal(np.moveaxis(image.read(), 0, -1), drawn.image)
        np.testing.assert_array_equal(truth.read(1), drawn.truth)
        assert truth.colormap(1)[1][:3] == coloured(DUBAI).by_name("Water").rgb
