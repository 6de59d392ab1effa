import numpy as np
import pytest
import torch

from dubai_landcover_plugin.core.segmentation.preprocessing import Standardize, Stretch
from dubai_landcover_plugin.protocol.errors import RequestError


def test_identity_passes_bytes_through_untouched():
    values = np.arange(48, dtype=np.uint8).reshape(3, 4, 4)
    assert Stretch.identity(3)(values) is values


def test_limits_become_black_and_white():
    values = np.array([0, 100, 150, 200, 900], np.uint16).reshape(1, 1, 5)
    assert Stretch(((100, 200),))(values).ravel().tolist() == [0, 0, 128, 255, 255]


def test_nan_and_infinity_become_bytes():
    values = np.array([np.nan, np.inf, -np.inf, 0.5], np.float32).reshape(1, 1, 4)
    assert Stretch(((0, 1),))(values).ravel().tolist() == [0, 255, 0, 128]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nodata_values_are_stretched_without_a_warning(dtype):
    values = np.array([np.finfo(dtype).min, 0.0, np.finfo(dtype).max], dtype).reshape(1, 1, 3)
    assert Stretch(((0.0, 0.01),))(values).ravel().tolist() == [0, 0, 255]


def test_percentiles_come_from_valid_pixels_alone():
    sample = np.full((1, 10, 101), 60_000, np.uint16)
    valid = np.zeros((10, 101), bool)
    sample[0, 0], valid[0] = np.arange(101), True
    assert Stretch.from_sample(sample, valid).limits == ((2.0, 98.0),)


@pytest.mark.parametrize("value", [0.0, 7.0, 1e9])
def test_flat_band_gets_a_finite_slope(value):
    stretch = Stretch.from_sample(np.full((1, 4, 4), value), np.ones((4, 4), bool))
    assert np.isfinite(stretch(np.full((1, 2, 2), value))).all()


def test_sparse_band_falls_back_to_its_range():
    sample = np.zeros((1, 10, 100), np.uint16)
    sample[0, 0, 0] = 500
    assert Stretch.from_sample(sample, np.ones((10, 100), bool)).limits == ((0.0, 500.0),)


@pytest.mark.parametrize("limits", [(1, 1), (2, 1), (0, float("nan"))])
def test_limits_that_do_not_rise_are_refused(limits):
    with pytest.raises(RequestError, match="the lower below the upper"):
        Stretch((limits,))


def test_standardize_gives_zero_mean_and_unit_variance():
    chips = torch.tensor([[0, 255]], dtype=torch.uint8).view(1, 1, 1, 2)
    assert Standardize((0.5,), (0.25,))(chips).flatten().tolist() == [-2.0, 2.0]


def test_standardize_needs_one_deviation_for_each_mean():
    with pytest.raises(RequestError):
        Standardize((0.5, 0.5), (0.2,))
