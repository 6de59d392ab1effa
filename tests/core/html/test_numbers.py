import pytest

from dubai_landcover_plugin.core.html.numbers import (
    area_unit,
    decimals,
    hectares,
    percent,
    thousands,
    with_margin,
)

NAN = float("nan")


def test_numbers_have_separators():
    assert thousands(1234567) == "1,234,567"
    assert decimals(1234.567, 2) == "1,234.57"
    assert hectares(12_345_678) == "1,234.57"


@pytest.mark.parametrize(
    ("share", "digits", "text"),
    [(0, 1, "0.0 %"), (0.0004, 1, "< 0.1 %"), (0.0006, 1, "0.1 %"), (0.5, 1, "50.0 %"), (1, 1, "100.0 %"),
     (0.00004, 2, "< 0.01 %"), (0.12345, 2, "12.35 %"), (0.004, 0, "< 1 %"), (NAN, 1, "–")],
)  # fmt: skip
def test_shares_above_zero_are_not_shown_as_zero(share, digits, text):
    assert percent(share, digits) == text


def test_margins_and_values_may_be_undefined():
    assert with_margin(12.345, 0.678, 1) == "12.3 ± 0.7"
    assert with_margin(12.345, NAN, 1) == "12.3"
    assert with_margin(NAN, NAN, 1) == "–"
    assert with_margin(12345, 1000, 0) == "12,345 ± 1,000"


@pytest.mark.parametrize(
    ("total", "unit", "text"),
    [(50.5, "m2", "50.50 m²"), (5e3, "m2", "5,000 m²"), (2e6, "m2", "200.00 ha"), (28_605_339, "m2", "2,860.5 ha"),
     (2e9, "m2", "2,000.00 km²"), (3e10, "m2", "30,000.0 km²"), (123, "px", "123 px")],
)  # fmt: skip
def test_areas_have_units_that_suit_them(total, unit, text):
    chosen = area_unit(total, unit)
    assert f"{chosen.text(total)} {chosen.sign}" == text
