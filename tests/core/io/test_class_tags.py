"""Error ratios in GeoTIFF tags."""

import pytest

from dubai_landcover_plugin.core.io.class_tags import error_ratio_tags, error_ratios_from_tags
from dubai_landcover_plugin.protocol.class_tags import class_tags, scheme_from_tags
from dubai_landcover_plugin.protocol.classes import DUBAI


def test_error_ratios_come_back():
    tags = error_ratio_tags(DUBAI, (0.5, 1, 1.25, 2, 0.123456))
    assert tags == {"ERROR_RATIOS": "1:0.5 2:1 3:1.25 4:2 5:0.1235"}
    assert error_ratios_from_tags({**class_tags(DUBAI), **tags}) == {1: 0.5, 2: 1, 3: 1.25, 4: 2, 5: 0.1235}
    assert scheme_from_tags({**class_tags(DUBAI), **tags}) == DUBAI
    assert error_ratio_tags(DUBAI, ()) == {}


@pytest.mark.parametrize("damaged", ["1:0.5 x", "1:-1", "1:nan", "1", ":", "1:99"])
def test_damaged_error_ratios_are_ignored(damaged):
    assert error_ratios_from_tags({"ERROR_RATIOS": damaged}) == {}
