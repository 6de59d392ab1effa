"""Drawing on the plan: shapes, classes, shadows and what covers what."""

from __future__ import annotations

import numpy as np
import pytest

from training.synthetic.canvas import (
    BUILDING,
    LAND,
    ROAD,
    VEGETATION,
    WATER,
    Canvas,
    band,
    circle,
    rectangle,
    shaded,
)
from training.synthetic.streets import Street, tinted

SIZE, GSD = 64, 2.0


def area(points: np.ndarray) -> float:
    x, y = points.T
    return abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


@pytest.fixture
def canvas() -> Canvas:
    ground = np.full((SIZE, SIZE, 3), 200, np.float32)
    return Canvas(np.random.default_rng(1), SIZE, GSD, ground, np.full((SIZE, SIZE), 50, np.float32))


def test_shapes_have_their_size() -> None:
    assert area(rectangle(3, 4, 10, 6)) == pytest.approx(60)
    assert rectangle(3, 4, 10, 6).mean(axis=0).tolist() == [3, 4]
    assert area(circle(0, 0, 10)) == pytest.approx(np.pi * 100, rel=0.01)
    line = np.column_stack([np.arange(0.0, 50), np.zeros(50)])
    assert area(band(line, 4)) == pytest.approx(4 * 49)
    assert band(line, 4, offset=3)[:, 1].mean() == pytest.approx(3)


def test_colours_stay_in_range() -> None:
    assert shaded((100, 50, 10), 0.5) == (50, 25, 5)
    for seed in range(30):
        assert all(4 <= value <= 250 for value in tinted(np.random.default_rng(seed), (0, 128, 255), 0.3))


def test_a_canvas_starts_as_bare_land(canvas: Canvas) -> None:
    picture, truth = canvas.finish()
    assert (truth == LAND).all()
    assert picture.shape == (SIZE, SIZE, 3)
    assert np.abs(picture - 200).max() < 1


def test_a_fill_has_its_area_and_changes_the_truth_if_asked(canvas: Canvas) -> None:
    canvas.fill(rectangle(0, 0, 60, 40), (90, 90, 90), ROAD)
    canvas.fill(rectangle(0, 0, 20, 20), (250, 250, 250))
    canvas.stroke(np.array([[-30.0, 0], [30, 0]]), (10, 10, 10), 2)
    picture, truth = canvas.finish()
    assert (truth == ROAD).sum() * GSD**2 == pytest.approx(60 * 40, rel=0.25)  # the plan is bent a little
    assert set(np.unique(truth)) == {LAND, ROAD}
    assert picture[truth == ROAD].mean() > 90


def test_buildings_cover_roads_and_trees_cover_buildings(canvas: Canvas) -> None:
    canvas.crown(0, 0, 6, (30, 90, 30))
    canvas.roof(rectangle(0, 0, 40, 30), (240, 240, 240), 10)
    canvas.fill(rectangle(0, 0, 100, 8), (90, 90, 90), ROAD)
    _, truth = canvas.finish()
    counts = {name: int((truth == name).sum()) for name in (ROAD, BUILDING, VEGETATION)}
    assert counts[VEGETATION] * GSD**2 == pytest.approx(np.pi * 36, rel=0.4)
    assert (counts[BUILDING] + counts[VEGETATION]) * GSD**2 == pytest.approx(1200, rel=0.25)
    assert counts[ROAD] > 0


def test_high_buildings_cast_longer_shadows_on_the_ground(canvas: Canvas) -> None:
    dark = {}
    for height in (4, 16):
        fresh = Canvas(np.random.default_rng(1), SIZE, GSD, np.full((SIZE, SIZE, 3), 200, np.float32), canvas.shore)
        fresh.roof(rectangle(0, 0, 20, 20), (255, 255, 255), height)
        picture, truth = fresh.finish()
        dark[height] = int(((picture.mean(axis=2) < 120) & (truth == LAND)).sum())
    assert 0 < 2 * dark[4] < dark[16]


def test_water_is_where_the_shore_is_negative_except_under_a_bridge() -> None:
    shore = np.full((SIZE, SIZE), 50, np.float32)
    shore[:, : SIZE // 2] = -50
    made = Canvas(np.random.default_rng(2), SIZE, GSD, np.full((SIZE, SIZE, 3), 200, np.float32), shore)
    bridge = made.mask([rectangle(0, 0, 200, 10)])
    made.lay_water(np.full((SIZE, SIZE, 3), 30, np.float32), bridge)
    picture, truth = made.finish()
    wet = truth == WATER
    assert not wet[:, SIZE // 2 + 2 :].any()
    assert 0.7 < wet[:, : SIZE // 2 - 2].mean() < 1
    assert picture[wet].mean() < 60
    assert not wet[np.asarray(bridge)[1::3, 1::3] > 0].any()


def test_points_of_the_plan_are_seen_and_know_their_shore(canvas: Canvas) -> None:
    assert canvas.visible(0, 0)
    assert not canvas.visible(5000, 0)
    canvas.shore[:] = 7
    assert canvas.shore_distance(np.array([[0.0, 0], [9000, 0]])).tolist() == [7, 7]  # outside: of the nearest pixel


@pytest.mark.parametrize(("median", "width", "centres"), [(0, 8, (0.0,)), (4, 20, (-6.0, 6.0))])
def test_a_street_with_a_median_has_two_carriageways(median: float, width: float, centres: tuple[float, ...]) -> None:
    street = Street((0, 0), (100, 0), 8, median, (90, 90, 90))
    assert (street.width, street.centres) == (width, centres)
    assert street.line()[[0, -1]].tolist() == [[0, 0], [100, 0]]
