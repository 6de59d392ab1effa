"""Intervals of zero width."""

import numpy as np
import pytest

from dubai_landcover_plugin.core.assessment.estimate import IntervalEstimate
from dubai_landcover_plugin.core.assessment.zero_width import zero_width_notes
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme
from tests.core.assessment.cases import assess, boxes, draw, label, random_map, texts
from tests.factories import write_class_map, write_layer

TWO = ClassScheme(DUBAI.classes[:2], DUBAI.unlabeled)
NAN = float("nan")


def notes(overall, users, producers, counts=(20, (10, 10), (10, 10))):
    """Return the warnings for pairs of value and margin."""
    figures = [[IntervalEstimate(*pair) for pair in pairs] for pairs in (users, producers)]
    return zero_width_notes(
        TWO,
        "points",
        (IntervalEstimate(*overall), counts[0]),
        (figures[0], np.array(counts[1])),
        (figures[1], np.array(counts[2])),
    )


def test_each_figure_without_a_width_is_named_with_its_limit():
    wide = [(0.8, 0.1), (0.9, 0.1)]
    assert notes((0.9, 0.1), wide, wide) == []
    assert notes((1.0, 0.0), wide, wide) == [
        "All 20 points agree. The interval of ± 0 is too narrow: the overall accuracy is at least about 86 %, at 95 % "
        "confidence."
    ]
    (users,) = notes((0.9, 0.1), [(1.0, 0.0), wide[1]], wide)
    assert users.startswith("All 10 points on Water agree.")
    assert "the user's accuracy of Water is at least 74 %" in users
    (producers,) = notes((0.9, 0.1), wide, [wide[0], (1.0, 1e-17)])
    assert producers.startswith("All 10 points of Land in the reference agree.")
    assert "the producer's accuracy of Land is at least about 74 %" in producers
    (none,) = notes((0.9, 0.1), [(0.0, 0.0), wide[1]], wide)
    assert none.startswith("None of the 10 points on Water agrees.")
    assert "at most 26 %" in none


def test_undefined_figures_and_single_units():
    wide = [(0.8, 0.1), (0.9, 0.1)]
    assert notes((NAN, NAN), [(1.0, NAN), (NAN, NAN)], wide, (0, (1, 0), (10, 10))) == []
    (one,) = notes((0.9, 0.1), wide, [wide[0], (1.0, 0.0)], (20, (10, 10), (10, 1)))
    assert one.startswith("The only one of the points of Land in the reference agrees.")
    assert "at least about 5 %" in one


def test_a_producers_accuracy_of_one_from_few_points_is_a_warning(tmp_path):
    """All errors are made on other classes: no point of Water is missed."""
    raster = write_class_map(tmp_path / "m.tif", random_map())
    draw(raster, tmp_path / "p.gpkg", size=60, min_per_class=8)
    changed = iter(range(1000))
    labels = label(tmp_path / "p.gpkg", lambda name: "Land" if name != "Water" and not next(changed) % 4 else name)
    found = assess(raster, labels)
    assert found["classes"]["Water"]["producers"] == {"value": 1.0, "margin": 0.0}
    assert any("the producer's accuracy of Water is at least" in text for text in found["warnings"])
    road = found["classes"]["Road"]["producers"]
    assert road["margin"] == 0
    assert any("the producer's accuracy of Road is at least" in text for text in found["warnings"])
    assert found["classes"]["Land"]["producers"]["margin"] > 0
    assert not any("producer's accuracy of Land is" in text for text in found["warnings"])


@pytest.mark.parametrize("wrong", [False, True])
def test_polygons_that_all_agree_too(tmp_path, wrong):
    ids = np.repeat([[1, 2, 4]], 6, axis=0).repeat(4, axis=1)
    raster = write_class_map(tmp_path / "m.tif", ids)
    places = boxes((0, 0, 4, 3), (0, 3, 4, 6), (4, 0, 8, 6), (8, 0, 12, 6))
    names = ["Water", "Land" if wrong else "Water", "Land", "Building"]
    polygons = write_layer(tmp_path / "p.gpkg", places, reference=texts(names))
    warnings = assess(raster, polygons)["warnings"]
    assert any(text.startswith("All 4 polygons agree.") for text in warnings) != wrong
    assert any("All 2 polygons on Water agree" in text for text in warnings) != wrong
    assert any("The only one of the polygons of Building in the reference agrees" in text for text in warnings)
