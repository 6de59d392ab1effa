"""Estimates against the published example, by hand and by simulation; samples; references of every kind."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st

from dubai_landcover_plugin.cli.main import main
from dubai_landcover_plugin.core.assessment.allocation import allocate, sample_size
from dubai_landcover_plugin.core.assessment.assess import assess_accuracy
from dubai_landcover_plugin.core.assessment.estimate import LabelledSample, estimate_accuracy
from dubai_landcover_plugin.core.assessment.point_form import point_style_qml
from dubai_landcover_plugin.core.assessment.sample import FIELDS, draw_accuracy_sample
from dubai_landcover_plugin.core.io.vector_reader import read_vector
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import (
    ClassSchemeError,
    GeoreferenceError,
    OutputError,
    RasterOpenError,
    RequestError,
    RunCancelled,
)
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests.assessment import (
    AccuracyRequest,
    AccuracySampleRequest,
    expected_accuracies,
)
from tests.factories import ONE_METRE, write_class_map, write_layer, write_raster

# Olofsson et al. (2014), tables 8 and 9: deforestation, forest gain, stable forest, stable non-forest.
PAPER_PIXELS = np.array([200_000, 150_000, 3_200_000, 6_450_000])
PAPER_COUNTS = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
HECTARE_PER_PIXEL = 0.09
ROTATED = Affine.translation(300_000, 2_780_000) @ Affine.rotation(30) @ Affine.scale(2, -2)
NAMES = [entry.name for entry in DUBAI.entries]


def spread(counts: np.ndarray, sizes: float = 1.0) -> LabelledSample:
    """Return points for an error matrix whose rows are strata."""
    mapped, reference = np.divmod(np.repeat(np.arange(counts.size), counts.ravel()), counts.shape[1])
    return LabelledSample(mapped, mapped, reference, np.full(len(mapped), sizes))


def random_map(height: int = 40, width: int = 50, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).choice(6, (height, width), p=[0.05, 0.1, 0.5, 0.1, 0.2, 0.05]).astype(np.uint8)


def texts(values) -> np.ndarray:
    return np.array(list(values), object)


def draw(raster: str, path: Path, **options) -> dict:
    return draw_accuracy_sample(AccuracySampleRequest(raster, str(path), **options)).to_json()


def label(path: Path, reference, out: Path | None = None) -> str:
    """Fill in the reference of a drawn sample: one value for each point, or a function of its attributes."""
    layer = read_vector(str(path))
    if callable(reference):
        reference = [reference(name) for name in layer.fields["map_class"]]
    fields = {**layer.fields, "reference": texts(reference)}
    out = out or path.with_name("labelled.gpkg")
    crs = None if layer.crs is None else layer.crs.to_string()
    return write_layer(out, list(layer.geometries), crs, **fields)


def assess(raster: str, reference: str, **options) -> dict:
    return assess_accuracy(AccuracyRequest(raster, reference, **options)).to_json()


# --- estimates ---


def test_the_published_example():
    found = estimate_accuracy(spread(PAPER_COUNTS), PAPER_PIXELS, 4)
    assert (found.overall.value, found.overall.margin) == pytest.approx((0.947, 0.018), abs=6e-4)
    assert [round(figure.value, 2) for figure in found.users] == [0.88, 0.73, 0.93, 0.96]
    assert [round(figure.margin, 2) for figure in found.users] == [0.07, 0.10, 0.04, 0.02]
    assert [round(figure.value, 2) for figure in found.producers] == [0.75, 0.85, 0.93, 0.96]
    assert [round(figure.margin, 2) for figure in found.producers] == [0.21, 0.25, 0.03, 0.02]
    hectares = [area.scaled(PAPER_PIXELS.sum() * HECTARE_PER_PIXEL) for area in found.areas]
    assert [round(figure.value) for figure in hectares] == [21158, 11686, 285770, 581386]
    assert [round(figure.margin) for figure in hectares] == [6158, 3756, 15510, 16282]
    assert found.counts.tolist() == PAPER_COUNTS.tolist()


def test_the_equations_by_hand():
    """Equations 4 to 10 of the paper, written out."""
    found = estimate_accuracy(spread(PAPER_COUNTS, sizes=900.0), PAPER_PIXELS, 4)
    n, weights = PAPER_COUNTS.sum(axis=1), PAPER_PIXELS / PAPER_PIXELS.sum()
    rows = PAPER_COUNTS / n[:, None]
    shares = weights[:, None] * rows
    users = np.diag(rows)
    assert found.shares == pytest.approx(shares)
    spread_of_users = users * (1 - users) / (n - 1)
    assert [figure.margin for figure in found.users] == pytest.approx(1.96 * np.sqrt(spread_of_users))
    assert found.overall.margin == pytest.approx(1.96 * np.sqrt((weights**2 * spread_of_users).sum()))
    areas = np.sqrt(((weights[:, None] * shares - shares**2) / (n - 1)[:, None]).sum(axis=0))
    assert [figure.margin for figure in found.areas] == pytest.approx(1.96 * areas)
    for j in range(4):
        total = (PAPER_PIXELS * rows[:, j]).sum()
        producers = PAPER_PIXELS[j] * users[j] / total
        others = [i for i in range(4) if i != j]
        variance = (PAPER_PIXELS[j] * (1 - producers)) ** 2 * spread_of_users[j]
        variance += producers**2 * sum(
            PAPER_PIXELS[i] ** 2 * rows[i, j] * (1 - rows[i, j]) / (n[i] - 1) for i in others
        )
        assert found.producers[j].value == pytest.approx(producers)
        assert found.producers[j].margin == pytest.approx(1.96 * np.sqrt(variance) / total)


def test_intervals_cover_the_truth_about_95_times_of_100():
    rng = np.random.default_rng(1)
    truth = np.array([[0.85, 0.10, 0.05], [0.10, 0.80, 0.10], [0.03, 0.02, 0.95]])  # rows: the map
    pixels = np.array([100_000, 300_000, 600_000])
    weights = pixels / pixels.sum()
    shares = weights[:, None] * truth
    wanted = {
        "overall": np.trace(shares),
        "area": shares[:, 0].sum(),
        "users": truth[0, 0],
        "producers": shares[0, 0] / shares[:, 0].sum(),
    }
    hits = dict.fromkeys(wanted, 0)
    runs = 600
    for _ in range(runs):
        counts = np.array([rng.multinomial(n, row) for n, row in zip((100, 150, 250), truth, strict=True)])
        found = estimate_accuracy(spread(counts), pixels, 3)
        figures = {
            "overall": found.overall,
            "area": found.areas[0],
            "users": found.users[0],
            "producers": found.producers[0],
        }
        for name, figure in figures.items():
            hits[name] += abs(figure.value - wanted[name]) <= figure.margin
    for name, count in hits.items():
        assert 0.92 <= count / runs <= 0.98, name


def test_intervals_cover_where_the_points_are_of_another_map():
    """Stehman (2014): strata are not the classes of the map."""
    rng = np.random.default_rng(2)
    population = rng.choice(8, 200_000, p=[0.30, 0.03, 0.02, 0.05, 0.04, 0.06, 0.05, 0.45])
    strata, mapped, reference = population >> 2, (population >> 1) & 1, population & 1
    pixels = np.bincount(strata)
    members = [np.flatnonzero(strata == index) for index in range(2)]
    wanted = np.array(
        [(mapped == reference).mean(), (reference == 1).mean(), (mapped & reference).sum() / mapped.sum()]
    )
    hits, runs = np.zeros(3), 500
    for _ in range(runs):
        drawn = np.concatenate([rng.choice(group, 150, replace=False) for group in members])
        sample = LabelledSample(strata[drawn], mapped[drawn], reference[drawn], np.ones(len(drawn)))
        found = estimate_accuracy(sample, pixels, 2)
        figures = [found.overall, found.areas[1], found.users[1]]
        hits += [abs(figure.value - value) <= figure.margin for figure, value in zip(figures, wanted, strict=True)]
    assert (hits / runs > 0.92).all()
    assert (hits / runs < 0.98).all()


def test_pixels_of_different_size_count_by_their_size():
    """Two rows of pixels, the lower twice as large: half of the pixels are water, a third of the area."""
    sample = LabelledSample(
        np.zeros(400, np.intp), np.zeros(400, np.intp), np.arange(400) % 2, np.where(np.arange(400) % 2, 2.0, 1.0)
    )
    found = estimate_accuracy(sample, np.array([10_000, 0]), 2)
    assert found.areas[0].value == pytest.approx(1 / 3)
    assert found.overall.value == pytest.approx(1 / 3)


def test_one_point_gives_values_but_no_interval_that_depends_on_it():
    found = estimate_accuracy(spread(np.array([[1, 0], [10, 30]])), np.array([50, 50]), 2)
    assert found.overall.value == pytest.approx(0.875)
    assert np.isnan(found.overall.margin)
    assert np.isnan(found.users[0].margin)
    assert np.isfinite(found.users[1].margin)


@st.composite
def matrices(draw_one):
    classes = draw_one(st.integers(1, 5))
    counts = draw_one(
        st.lists(st.lists(st.integers(0, 20), min_size=classes, max_size=classes), min_size=classes, max_size=classes)
    )
    pixels = draw_one(st.lists(st.integers(1, 10**9), min_size=classes, max_size=classes))
    return np.array(counts), np.array(pixels)


@given(matrices())
def test_shares_add_up_and_figures_stay_in_range(drawn):
    counts, pixels = drawn
    if not counts.sum():
        return
    found = estimate_accuracy(spread(counts), pixels, len(counts))
    assert sum(figure.value for figure in found.areas) == pytest.approx(1)
    assert found.shares.sum() == pytest.approx(1)
    assert found.overall.value == pytest.approx(np.trace(found.shares))
    for figure in [found.overall, *found.users, *found.producers, *found.areas]:
        assert np.isnan(figure.value) or -1e-9 <= figure.value <= 1 + 1e-9
        assert np.isnan(figure.margin) or figure.margin >= 0


# --- size and allocation ---


def test_cochran_gives_the_641_points_of_the_paper():
    assert sample_size(PAPER_PIXELS, np.array([0.7, 0.6, 0.9, 0.95]), 0.01) == 641


def test_a_small_map_needs_fewer_points():
    large, small = (sample_size(np.array([n, n]), np.array([0.5, 0.5]), 0.05) for n in (10**8, 50))
    assert large == 100
    assert small == 50


def test_allocations():
    assert allocate(PAPER_PIXELS, 641, "equal", 50).tolist() == [161] * 4
    assert allocate(PAPER_PIXELS, 641, "proportional", 50).tolist() == [13, 10, 205, 413]
    assert allocate(PAPER_PIXELS, 641, "minimum", 75).tolist() == [75, 75, 163, 328]


@given(
    st.lists(st.integers(1, 10**9), min_size=1, max_size=8),
    st.integers(2, 5000),
    st.sampled_from(["minimum", "proportional", "equal"]),
    st.integers(2, 200),
)
def test_allocation_keeps_its_promises(pixels, size, allocation, least):
    pixels = np.array(pixels)
    points = allocate(pixels, size, allocation, least)
    floor = least if allocation == "minimum" else 2
    assert (points <= pixels).all()
    assert (points >= np.minimum(floor if allocation != "equal" else 2, pixels)).all()
    if allocation != "equal" and size >= floor * len(pixels) and (pixels >= size).all():
        assert points.sum() == size


# --- drawing ---


def test_points_lie_on_pixel_centres_of_their_class(tmp_path):
    ids = random_map()
    raster = write_class_map(tmp_path / "m.tif", ids)
    value = draw(raster, tmp_path / "p.gpkg", size=120, min_per_class=10)
    layer = read_vector(value["output"])
    assert list(layer.fields) == list(FIELDS)
    assert len(layer.geometries) == value["size"] == sum(value["points"].values()) == 120
    cols = shapely.get_x(layer.geometries) - 300_000 - 0.5
    rows = 2_780_000 - shapely.get_y(layer.geometries) - 0.5
    assert np.array_equal(cols, cols.round())
    assert len({*zip(rows, cols, strict=True)}) == 120
    assert np.array_equal(ids[rows.astype(int), cols.astype(int)], layer.fields["stratum"])
    assert [NAMES[i - 1] for i in layer.fields["stratum"]] == layer.fields["map_class"].tolist()
    assert layer.fields["point_id"].tolist() == list(range(1, 121))
    assert set(layer.fields["reference"]) == {None}
    for class_id, pixels in zip(layer.fields["stratum"], layer.fields["stratum_px"], strict=True):
        assert pixels == np.count_nonzero(ids == class_id)


def test_the_order_tells_nothing(tmp_path):
    raster = write_class_map(tmp_path / "m.tif", np.repeat([[1], [2]], 1000, axis=0).repeat(20, axis=1))
    draw(raster, tmp_path / "p.gpkg", size=200, allocation="equal")
    layer = read_vector(str(tmp_path / "p.gpkg"))
    first_half = layer.fields["stratum"][:100]
    assert 25 < np.count_nonzero(first_half == 1) < 75
    assert abs(np.corrcoef(np.arange(200), shapely.get_y(layer.geometries))[0, 1]) < 0.3


def test_the_seed_decides(tmp_path):
    raster = write_class_map(tmp_path / "m.tif", random_map())
    drawn = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        draw(raster, tmp_path / f"{name}.gpkg", size=60, min_per_class=5, seed=seed)
        drawn.append(shapely.to_wkt(read_vector(str(tmp_path / f"{name}.gpkg")).geometries).tolist())
    assert drawn[0] == drawn[1] != drawn[2]


def test_every_pixel_may_be_drawn_alike(tmp_path):
    raster = write_class_map(tmp_path / "m.tif", np.full((5, 4), 2))
    hits = np.zeros((5, 4))
    for seed in range(60):
        draw(raster, tmp_path / "p.fgb", size=10, min_per_class=10, seed=seed, overwrite=True)
        layer = read_vector(str(tmp_path / "p.fgb"))
        rows = (2_780_000 - shapely.get_y(layer.geometries)).astype(int)
        hits[rows, (shapely.get_x(layer.geometries) - 300_000).astype(int)] += 1
    assert hits.sum() == 600
    assert hits.min() > 15  # 30 on the average, with a deviation of 4
    assert hits.max() < 45


def test_a_class_of_few_pixels_is_taken_whole(tmp_path):
    ids = np.full((20, 20), 2)
    ids[3, 4], ids[7, :3] = 1, 4
    value = draw(write_class_map(tmp_path / "m.tif", ids), tmp_path / "p.gpkg", size=50, min_per_class=10)
    assert value["points"] == {"Water": 1, "Land": 46, "Building": 3}
    assert [text for text in value["warnings"] if "all of them" in text] == [
        "Water has 1 pixel: all of them are in the sample.",
        "Building has 3 pixels: all of them are in the sample.",
    ]


@pytest.mark.parametrize(
    ("ids", "profile"),
    [
        ([[4]], {}),
        (random_map(), {"transform": ROTATED}),
        (random_map(), {"crs": "EPSG:4326", "transform": Affine(1e-4, 0, 55.0, 0, -1e-4, 25.0)}),
        (random_map(), {"crs": None, "transform": Affine.identity()}),
        (random_map(), {"crs": None, "transform": Affine(1, 0, 50, 0, -1, 90)}),
    ],
)
@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson", ".fgb"])
def test_a_sample_labelled_as_mapped_is_right_everywhere(tmp_path, ids, profile, suffix):
    raster = write_class_map(tmp_path / "m.tif", np.array(ids), **profile)
    draw(raster, tmp_path / f"p{suffix}", size=60, min_per_class=5)
    found = assess(raster, label(tmp_path / f"p{suffix}", str, tmp_path / f"labelled{suffix}"))
    assert found["overall"]["value"] == 1
    assert found["facts"]["outside"] == found["facts"]["on_nodata"] == 0
    assert found["unit"] == ("px" if profile.get("crs", "") is None else "m2")
    for name, figures in found["classes"].items():
        if name != "Unlabeled":
            assert figures["area"]["value"] == pytest.approx(figures["mapped_area"], rel=2e-3)
    assert not [text for text in found["warnings"] if "drawn from" in text]


def test_the_form_has_a_list_of_classes_inside_the_file(tmp_path):
    draw(write_class_map(tmp_path / "m.tif", random_map()), tmp_path / "p.gpkg", size=30)
    assert "layer_styles" in [name for name, _ in pyogrio.list_layers(tmp_path / "p.gpkg")]
    draw(write_class_map(tmp_path / "n.tif", random_map()), tmp_path / "p.shp", size=30)
    style = (tmp_path / "p.qml").read_text(encoding="utf-8")
    assert "ValueMap" in style
    assert all(f'name="{name}"' in style for name in NAMES[:-1])


def test_the_form_takes_any_class_name():
    scheme = ClassScheme((LandCoverClass(1, 'Sea & "sand" <b>', "#000000"),), DUBAI.unlabeled)
    style = ElementTree.fromstring(point_style_qml(scheme, list(FIELDS)).partition("\n")[2])
    names = {option.get("value") for option in style.find("fieldConfiguration").iter("Option")}
    assert scheme.classes[0].name in names


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"expected": {"Swamp": 0.5}}, ClassSchemeError, "Swamp"),
        ({"standard_error": 1e-4, "expected_accuracy": 0.5, "big": True}, RequestError, "larger standard error"),
    ],
)
def test_samples_that_cannot_be_drawn_leave_nothing(tmp_path, options, error, words):
    ids = np.full((2100, 1000), 2) if options.pop("big", False) else random_map()
    raster = write_class_map(tmp_path / "m.tif", ids)
    with pytest.raises(error, match=words):
        draw(raster, tmp_path / "p.gpkg", **options)
    assert [path.name for path in tmp_path.iterdir()] == ["m.tif"]


def test_a_map_without_classes_has_no_sample(tmp_path):
    with pytest.raises(RasterOpenError, match="no classified pixel"):
        draw(write_class_map(tmp_path / "m.tif", np.zeros((3, 3))), tmp_path / "p.gpkg")


def test_nothing_is_overwritten_unasked(tmp_path):
    raster = write_class_map(tmp_path / "m.tif", random_map())
    draw(raster, tmp_path / "p.gpkg", size=20)
    with pytest.raises(OutputError, match="exists"):
        draw(raster, tmp_path / "p.gpkg", size=20)
    (tmp_path / "r.html").write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        assess(raster, str(tmp_path / "p.gpkg"), report=str(tmp_path / "r.html"))
    assert (tmp_path / "r.html").read_text() == "mine"


class Cancelled(SilentMonitor):
    def cancelled(self) -> bool:
        return True


def test_cancelled_runs_leave_nothing(tmp_path):
    raster = write_class_map(tmp_path / "m.tif", random_map())
    with pytest.raises(RunCancelled):
        draw_accuracy_sample(AccuracySampleRequest(raster, str(tmp_path / "p.gpkg")), Cancelled())
    with pytest.raises(RunCancelled):
        assess_accuracy(AccuracyRequest(raster, raster, report=str(tmp_path / "r.html")), Cancelled())
    assert [path.name for path in tmp_path.iterdir()] == ["m.tif"]


@pytest.mark.parametrize(
    "values",
    [
        {"input": "", "output": "p.gpkg"},
        {"input": "m.tif", "output": "p.txt"},
        {"input": "m.tif", "output": "p.gpkg", "standard_error": 0},
        {"input": "m.tif", "output": "p.gpkg", "expected": {"Road": 1.2}},
        {"input": "m.tif", "output": "p.gpkg", "size": 1},
        {"input": "m.tif", "output": "p.gpkg", "allocation": "best"},
        {"input": "m.tif", "output": "p.gpkg", "seed": -1},
    ],
)
def test_samples_that_make_no_sense_are_refused(values):
    with pytest.raises(RequestError):
        AccuracySampleRequest(**values)


@pytest.mark.parametrize(
    "values",
    [{"reference": ""}, {"field": ""}, {"report": "r.pdf"}, {"table": "t.xlsx"}],
)
def test_assessments_that_make_no_sense_are_refused(values):
    with pytest.raises(RequestError):
        AccuracyRequest(**{"input": "m.tif", "reference": "p.gpkg", **values})


def test_requests_survive_json():
    request = AccuracySampleRequest("m.tif", "p.gpkg", expected={"Road": 0.5}, size=None)
    assert AccuracySampleRequest.from_json(json.loads(json.dumps(request.to_json()))) == request


def test_expected_accuracies_as_users_write_them():
    assert expected_accuracies(["Road=0.6", " 4 = .7"]) == {"Road": 0.6, "4": 0.7}
    for wrong in ("Road", "Road=much", "=0.5"):
        with pytest.raises(RequestError, match="Building="):
            expected_accuracies([wrong])


# --- labelled points ---


@pytest.fixture
def sampled(tmp_path):
    """A map and 100 unlabelled points of it."""
    raster = write_class_map(tmp_path / "m.tif", random_map())
    draw(raster, tmp_path / "p.gpkg", size=100, min_per_class=15)
    return raster, tmp_path / "p.gpkg"


def test_names_and_ids_in_any_case(sampled):
    raster, points = sampled
    ids = {name: str(entry.id) for name, entry in zip(NAMES, DUBAI.entries, strict=True)}
    for spelling in (str, str.upper, lambda name: f" {name.lower()} ", lambda name: ids[name]):
        assert assess(raster, label(points, spelling), overwrite=True)["overall"]["value"] == 1
    layer = read_vector(str(points))
    for kind in (np.int32, np.float64):
        own = layer.fields["stratum"].astype(kind)
        path = write_layer(points.with_name("n.gpkg"), list(layer.geometries), truth=own)
        assert assess(raster, path, field="TRUTH")["overall"]["value"] == 1


def test_points_by_hand(tmp_path):
    """Half of the map is water, half land; a quarter of the land points are water."""
    ids = np.repeat([[1], [2]], 10, axis=0).repeat(20, axis=1)
    raster = write_class_map(tmp_path / "m.tif", ids, transform=Affine(10, 0, 300_000, 0, -10, 2_780_000))
    draw(raster, tmp_path / "p.gpkg", size=80, allocation="equal")
    seen = iter(range(40))
    labelled = label(tmp_path / "p.gpkg", lambda name: "Water" if name == "Land" and next(seen) % 4 == 0 else name)
    found = assess(raster, labelled)
    assert found["overall"]["value"] == pytest.approx(0.875)
    assert found["overall"]["margin"] == pytest.approx(1.96 * np.sqrt(0.25 * 0.25 * 0.75 / 39))
    assert found["classes"]["Land"]["users"]["value"] == pytest.approx(0.75)
    assert found["classes"]["Water"]["producers"]["value"] == pytest.approx(0.8)
    assert found["classes"]["Water"]["mapped_area"] == 20_000
    assert found["classes"]["Water"]["area"]["value"] == pytest.approx(25_000)
    assert found["classes"]["Water"]["area"]["margin"] == pytest.approx(40_000 * found["overall"]["margin"])
    assert found["confusion"] == {
        "rows": ["Water", "Land"],
        "columns": ["Water", "Land"],
        "counts": [[40, 0], [10, 30]],
        "shares": [[0.5, 0.0], [0.125, 0.375]],
    }
    assert "at least 93 %" in " ".join(found["warnings"])


def test_skipped_points_are_counted_and_reported(sampled):
    raster, points = sampled
    layer = read_vector(str(points))
    reference = layer.fields["map_class"].copy()
    reference[:4] = [None, "", "Unlabeled", "0"]
    reference[4:9] = None
    geometries = layer.geometries.copy()
    geometries[20] = shapely.Point(0, 0)
    ids = random_map()
    row, col = np.argwhere(ids == 0)[0]
    geometries[21] = shapely.Point(300_000.5 + col, 2_779_999.5 - row)
    fields = {**layer.fields, "reference": reference}
    found = assess(raster, write_layer(points.with_name("q.gpkg"), list(geometries), **fields))
    assert (
        found["facts"]["points"],
        found["facts"]["unlabelled"],
        found["facts"]["outside"],
        found["facts"]["on_nodata"],
    ) == (89, 9, 1, 1)
    told = " ".join(found["warnings"])
    assert "9 of 100 points (9.0 %)" in told
    assert "1 of 100 points are outside" in told
    assert "1 of 100 points are on nodata" in told


def test_few_unlabelled_points_are_no_warning(sampled):
    raster, points = sampled
    layer = read_vector(str(points))
    reference = layer.fields["map_class"].copy()
    reference[:5] = None
    found = assess(raster, label(points, reference))
    assert found["facts"]["unlabelled"] == 5
    assert "have no class" not in " ".join(found["warnings"])


def test_strata_without_points_are_told(sampled):
    raster, points = sampled
    found = assess(raster, label(points, lambda name: None if name == "Water" else name))
    assert any("has no labelled point" in text and text.startswith("Water") for text in found["warnings"])
    assert found["classes"]["Water"]["users"]["value"] is None
    mapped = sum(figures["mapped_area"] for figures in found["classes"].values())
    water = found["classes"]["Water"]["mapped_area"]
    assert sum(figures["area"]["value"] for figures in found["classes"].values()) == pytest.approx(mapped - water)
    seen = []
    once = label(points, lambda name: None if name == "Water" and (seen or seen.append(1)) else name)
    found = assess(raster, once)
    assert any("only one labelled point" in text and text.startswith("Water") for text in found["warnings"])
    assert found["overall"]["margin"] is None


def test_rare_classes_hang_on_few_points(tmp_path):
    ids = np.full((100, 100), 2)
    ids[:5, :10] = 1
    raster = write_class_map(tmp_path / "m.tif", ids)
    draw(raster, tmp_path / "p.gpkg", size=60, min_per_class=20)
    told = assess(raster, label(tmp_path / "p.gpkg", str))["warnings"]
    assert [text for text in told if "more than 10 % of the area of Water: " in text]
    draw(raster, tmp_path / "many.gpkg", size=2500, min_per_class=20)
    told = assess(raster, label(tmp_path / "many.gpkg", str))["warnings"]
    assert not [text for text in told if "represents" in text]


def test_points_of_another_map_keep_their_strata(tmp_path):
    first = random_map()
    raster = write_class_map(tmp_path / "m.tif", first)
    draw(raster, tmp_path / "p.gpkg", size=300, min_per_class=40)
    labelled = label(tmp_path / "p.gpkg", str)
    other = np.where(first == 3, 4, first)  # roads became buildings
    found = assess(write_class_map(tmp_path / "other.tif", other), labelled)
    valid = np.count_nonzero(first)
    assert found["overall"]["value"] == pytest.approx(1 - np.count_nonzero(first == 3) / valid)
    assert found["classes"]["Road"]["area"]["value"] == pytest.approx(np.count_nonzero(first == 3))
    users = np.count_nonzero(first == 4) / np.count_nonzero(other == 4)
    assert found["classes"]["Building"]["users"]["value"] == pytest.approx(users)
    assert found["classes"]["Road"]["users"]["value"] is None


def test_points_without_strata_are_weighted_by_the_map(sampled):
    raster, points = sampled
    labelled = label(points, lambda name: "Land")
    layer = read_vector(labelled)
    bare = write_layer(points.with_name("bare.gpkg"), list(layer.geometries), reference=layer.fields["reference"])
    with_strata, without = assess(raster, labelled), assess(raster, bare)
    assert with_strata["classes"] == without["classes"]
    broken = {**layer.fields, "stratum_px": np.where(np.arange(100) == 0, np.nan, layer.fields["stratum_px"])}
    path = write_layer(points.with_name("broken.gpkg"), list(layer.geometries), **broken)
    assert any("incomplete" in text for text in assess(raster, path)["warnings"])


def test_unlabeled_on_the_map_counts_as_wrong(tmp_path):
    ids = np.repeat([[2], [2], [2], [6]], 10, axis=0).repeat(20, axis=1)
    raster = write_class_map(tmp_path / "m.tif", ids)
    draw(raster, tmp_path / "p.gpkg", size=100, allocation="proportional")
    found = assess(raster, label(tmp_path / "p.gpkg", lambda name: "Land"))
    assert found["overall"]["value"] == pytest.approx(0.75)
    assert found["overall_classified"]["value"] == 1
    assert found["classes"]["Land"]["area"]["value"] == pytest.approx(ids.size)
    assert found["confusion"]["rows"] == ["Land", "Unlabeled"]
    assert found["confusion"]["columns"] == ["Land"]


def test_points_in_another_crs_are_brought_over(sampled):
    raster, points = sampled
    layer = read_vector(label(points, str)).to_crs(rasterio.CRS.from_epsg(4326))
    path = write_layer(points.with_name("wgs.gpkg"), list(layer.geometries), "EPSG:4326", **layer.fields)
    assert assess(raster, path)["overall"]["value"] == 1


def test_areas_in_degrees_are_those_of_the_ellipsoid(tmp_path):
    """Rows from 0° to 60°: the southern half is larger on the ground than the northern one."""
    ids = np.repeat([[1], [2]], 30, axis=0).repeat(4, axis=1)
    raster = write_class_map(tmp_path / "m.tif", ids, crs="EPSG:4326", transform=Affine(1, 0, 10, 0, -1, 60))
    draw(raster, tmp_path / "p.gpkg", size=240, allocation="equal")  # all pixels
    found = assess(raster, label(tmp_path / "p.gpkg", str))
    north, south = (found["classes"][name] for name in ("Water", "Land"))
    zone = np.sin(np.radians([60, 30, 0]))
    assert south["mapped_area"] / north["mapped_area"] == pytest.approx(
        (zone[1] - zone[2]) / (zone[0] - zone[1]), rel=0.01
    )
    assert north["area"]["value"] == pytest.approx(north["mapped_area"], rel=1e-6)


@pytest.mark.parametrize(
    ("geometries", "fields", "error", "words"),
    [
        ([shapely.Point(0, 0)], {"reference": texts(["Land"])}, GeoreferenceError, "None of the 1 points"),
        ([shapely.Point(300_010, 2_779_990)], {"kind": texts(["Land"])}, RequestError, "no attribute 'reference'"),
        ([shapely.Point(300_010, 2_779_990)], {"reference": texts(["Sea"])}, ClassSchemeError, "'Sea'"),
        ([shapely.Point(300_010, 2_779_990)], {"reference": texts([None])}, RequestError, "Label the points"),
        (
            [shapely.LineString([(0, 0), (1, 1)])],
            {"reference": texts(["Land"])},
            RequestError,
            "only points or only polygons",
        ),
        ([shapely.MultiPoint([(0, 0), (1, 1)])], {"reference": texts(["Land"])}, RequestError, "more than one point"),
    ],
)
def test_points_that_cannot_be_used(tmp_path, geometries, fields, error, words):
    raster = write_class_map(tmp_path / "m.tif", np.full((40, 50), 2))
    path = write_layer(tmp_path / "p.gpkg", geometries, **fields)
    with pytest.raises(error, match=words):
        assess(raster, path, report=str(tmp_path / "r.html"))
    assert not (tmp_path / "r.html").exists()


# --- reference rasters ---


def test_a_reference_raster_is_counted(tmp_path):
    raster = write_class_map(tmp_path / "m.tif", [[1, 2, 4, 6, 4, 0]])
    truth = write_class_map(tmp_path / "t.tif", [[1, 1, 4, 4, 6, 4]])
    found = assess(raster, truth)
    assert found["facts"]["pixels"] == 4
    assert found["overall"] == {"value": 0.5, "margin": None}
    assert found["overall_classified"]["value"] == pytest.approx(2 / 3)
    assert found["classes"]["Water"]["producers"]["value"] == 0.5
    assert found["classes"]["Building"]["area"] == {"value": 2.0, "margin": None}
    assert found["confusion"]["rows"] == ["Water", "Land", "Building", "Unlabeled"]


def test_plain_ids_and_other_numbers_in_a_reference(tmp_path):
    raster = write_class_map(tmp_path / "m.tif", [[1, 2, 4, 4]])
    values = np.array([[[1, 2, -7, 77]]], np.int16)
    truth = str(write_raster(tmp_path / "t.tif", values, nodata=-7))
    found = assess(raster, truth)
    assert (found["facts"]["pixels"], found["overall"]["value"]) == (2, 1)
    assert any("skipped: 77" in text for text in found["warnings"])
    real = str(write_raster(tmp_path / "f.tif", np.array([[[1, 2, 4.5, np.nan]]], np.float32)))
    assert assess(raster, real)["facts"]["pixels"] == 2


def test_names_count_where_the_reference_has_them(tmp_path):
    raster = write_class_map(tmp_path / "m.tif", [[1, 4]])
    truth = write_raster(tmp_path / "t.tif", np.array([[[10, 20]]], np.uint8))
    with rasterio.open(truth, "r+") as dataset:
        dataset.update_tags(CLASS_10="water #0000FF", CLASS_20="BUILDING #FF0000", CLASS_30="Other #00FF00")
    assert assess(raster, str(truth))["overall"]["value"] == 1


def test_a_reference_on_other_pixels_is_aligned_with_a_warning(tmp_path):
    ids = np.repeat(np.repeat(random_map(20, 25), 2, axis=0), 2, axis=1)
    raster = write_class_map(tmp_path / "m.tif", ids)
    coarse = write_class_map(tmp_path / "t.tif", random_map(20, 25), transform=ONE_METRE @ Affine.scale(2))
    found = assess(raster, coarse)
    assert found["overall"]["value"] == 1
    assert found["facts"]["pixels"] == np.count_nonzero(ids)
    assert any("nearest" in text for text in found["warnings"])
    part = write_class_map(tmp_path / "part.tif", ids[10:30, 10:40], transform=ONE_METRE @ Affine.translation(10, 10))
    found = assess(raster, part)
    assert found["overall"]["value"] == 1
    assert found["facts"]["pixels"] == np.count_nonzero(ids[10:30, 10:40])


def test_references_elsewhere_are_refused(tmp_path):
    raster = write_class_map(tmp_path / "m.tif", random_map())
    far = write_class_map(tmp_path / "far.tif", random_map(), transform=Affine(1, 0, 0, 0, -1, 0))
    with pytest.raises(GeoreferenceError, match="same area"):
        assess(raster, far)
    plain = write_class_map(tmp_path / "plain.tif", random_map(9, 9), crs=None)
    with pytest.raises(GeoreferenceError, match="no CRS"):
        assess(raster, plain)
    three = str(write_raster(tmp_path / "rgb.tif", np.ones((3, 40, 50), np.uint8)))
    with pytest.raises(RasterOpenError, match="3 band"):
        assess(raster, three)
    with pytest.raises(RasterOpenError, match="cannot read"):
        assess(raster, str(tmp_path / "gone.tif"))


@given(st.integers(0, 10**6))
def test_a_census_agrees_with_numpy(tmp_path_factory, seed):
    folder = tmp_path_factory.mktemp("census")
    ids, truth = random_map(6, 7, seed), random_map(6, 7, seed + 1)
    both = (ids > 0) & (truth > 0)
    if not both.any():
        return
    found = assess(write_class_map(folder / "m.tif", ids), write_class_map(folder / "t.tif", truth))
    assert found["facts"]["pixels"] == np.count_nonzero(both)
    assert found["overall"]["value"] == pytest.approx((ids == truth)[both].mean())


# --- reference polygons ---


def boxes(*corners):
    return [shapely.box(300_000 + x0, 2_780_000 - y1, 300_000 + x1, 2_780_000 - y0) for x0, y0, x1, y1 in corners]


def test_pixels_of_polygons_are_counted(tmp_path):
    ids = np.full((20, 20), 2)
    ids[5:10, 5:10] = 4
    raster = write_class_map(tmp_path / "m.tif", ids)
    geometries = boxes((5, 5, 10, 10), (0, 0, 5, 5), (10, 10, 12, 20), (15, 15, 15.2, 15.2), (0, 12, 2, 14))
    path = write_layer(tmp_path / "p.gpkg", geometries, cover=texts(["building", "Land", "Building", "Land", None]))
    found = assess(raster, path, field="cover")
    assert found["confusion"]["counts"] == [[25, 20], [0, 25]]
    assert (found["facts"]["polygons"], found["facts"]["without_pixels"], found["facts"]["unlabelled"]) == (3, 1, 1)
    assert found["overall"]["value"] == pytest.approx(50 / 70)
    assert found["classes"]["Building"]["producers"]["value"] == pytest.approx(25 / 45)
    assert not [text for text in found["warnings"] if "no polygon" in text]
    buildings = write_layer(tmp_path / "b.gpkg", boxes((0, 0, 9, 9)), reference=texts(["Building"]))
    assert any("no polygon of Land:" in text for text in assess(raster, buildings)["warnings"])
    residual = np.array([25 - 25 * 50 / 70, 25 - 25 * 50 / 70, -20 * 50 / 70])
    assert found["overall"]["margin"] == pytest.approx(1.96 * np.sqrt(3 / 2 * (residual**2).sum()) / 70)


def test_pixels_in_two_polygons_are_left_out(tmp_path):
    raster = write_class_map(tmp_path / "m.tif", np.full((20, 20), 2))
    path = write_layer(tmp_path / "p.gpkg", boxes((0, 0, 6, 2), (4, 0, 8, 2)), reference=texts(["Land", "Road"]))
    found = assess(raster, path)
    assert found["facts"]["shared_pixels"] == 4
    assert found["confusion"]["counts"] == [[8, 4], [0, 0]]


def test_polygons_lie_right_on_rotated_and_plain_rasters(tmp_path):
    ids = random_map()
    for name, profile in {
        "rotated": {"transform": ROTATED},
        "plain": {"crs": None, "transform": Affine.identity()},
    }.items():
        raster = write_class_map(tmp_path / f"{name}.tif", ids, **profile)
        assert main(["polygons", raster, str(tmp_path / name), "--classes", "Land", "--simplify", "0",
                     "--min-area", "0", "--format", "gpkg"]) == 0  # fmt: skip
        found = assess(raster, str(tmp_path / name / "land.gpkg"), field="class")
        assert found["overall"]["value"] == 1
        assert found["facts"]["pixels"] == np.count_nonzero(ids == 2)


def test_bands_do_not_change_the_counts(tmp_path, monkeypatch):
    ids = random_map(90, 30)
    raster = write_class_map(tmp_path / "m.tif", ids)
    rng = np.random.default_rng(0)
    corners = rng.integers(0, 28, (12, 2))
    path = write_layer(
        tmp_path / "p.gpkg", boxes(*((x, y * 3, x + 6, y * 3 + 7) for x, y in corners)),
        reference=texts(rng.choice(NAMES[:5], 12)),
    )  # fmt: skip
    draw(raster, tmp_path / "s.gpkg", size=80, min_per_class=5)
    labelled = label(tmp_path / "s.gpkg", lambda name: "Land")
    once = [assess(raster, source) for source in (path, labelled, raster)]
    monkeypatch.setattr("dubai_landcover_plugin.core.assessment.strata._STRIP_PIXELS", 7 * 30)
    assert [assess(raster, source) for source in (path, labelled, raster)] == once
    draw(raster, tmp_path / "again.gpkg", size=80, min_per_class=5)
    points = [read_vector(str(tmp_path / name)).geometries for name in ("s.gpkg", "again.gpkg")]
    assert shapely.equals(*points).all()


# --- page, table, commands ---


def test_page_and_table(sampled, tmp_path):
    raster, points = sampled
    labelled = label(points, lambda name: "Land" if name == "Road" else name)
    found = assess(raster, labelled, report=str(tmp_path / "r.html"), table=str(tmp_path / "t.csv"))
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert f"{100 * found['overall']['value']:.1f} ± {100 * found['overall']['margin']:.1f} %" in page
    assert "Olofsson" in page
    assert "nan" not in page
    rows = list(csv.DictReader(io.StringIO((tmp_path / "t.csv").read_text(encoding="utf-8"))))
    assert [row["class"] for row in rows] == [*NAMES[:5], "All"]
    assert float(rows[-1]["users_accuracy"]) == pytest.approx(found["overall"]["value"])
    assert sum(int(rows[-1][f"ref_{name}"]) for name in NAMES[:5]) == 100
    assert float(rows[1]["area_m2"]) == pytest.approx(found["classes"]["Land"]["area"]["value"])


@pytest.mark.parametrize("kind", ["raster", "polygons"])
def test_pages_without_a_sample_say_what_their_figures_mean(tmp_path, kind):
    raster = write_class_map(tmp_path / "m.tif", random_map(), crs=None)
    reference = raster
    if kind == "polygons":
        reference = write_layer(tmp_path / "p.gpkg", boxes((0, 0, 9, 9)), None, reference=texts(["Land"]))
    assess(raster, reference, report=str(tmp_path / "r.html"))
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert {"raster": "no intervals", "polygons": "independent sample"}[kind] in page
    assert "px" in page
    assert "nan" not in page


def test_names_are_escaped(tmp_path):
    raster = write_class_map(tmp_path / "a<b>.tif", random_map())
    assess(raster, raster, report=str(tmp_path / "r.html"))
    assert "a&lt;b&gt;.tif" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_commands(tmp_path, capsys):
    raster = write_class_map(tmp_path / "m.tif", random_map())
    points = str(tmp_path / "p.gpkg")
    assert main(["sample", raster, points, "--size", "60", "--min-per-class", "5", "--expected", "Road=0.6"]) == 0
    assert "60 points in" in capsys.readouterr().out
    assert main(["accuracy", points, raster]) == 1
    assert "Label the points" in capsys.readouterr().err
    labelled = label(tmp_path / "p.gpkg", str)
    assert main(["accuracy", labelled, raster, "--report", str(tmp_path / "r.html")]) == 0
    assert "overall accuracy 100.0 ± 0.0 %" in capsys.readouterr().out
    assert main(["accuracy", raster, raster, "--table", str(tmp_path / "t.csv"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "raster"
    assert main(["accuracy", raster, raster]) == 0
    assert "mIoU 1.0" in capsys.readouterr().out
    assert main(["sample", raster, str(tmp_path / "q.gpkg"), "--expected", "Road"]) == 1
