"""Classes from the probabilities of a run: the same ones without rules, others with weights and thresholds."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from dubai_landcover_plugin.core import reclassify_probabilities
from dubai_landcover_plugin.core.corrections.reclassify import make_rules, uncertainty_of
from dubai_landcover_plugin.core.io.class_map import ClassifiedSource
from dubai_landcover_plugin.core.segmentation.class_rows import ClassDecision
from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, OutputError, RasterOpenError, RequestError
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests import ReclassifyRequest
from tests.core.segmentation.cases import run
from tests.factories import random_pixels, stub_bundle, write_layer, write_raster

MONITOR = SilentMonitor()
BUILDING, UNLABELED = 4, 6


@pytest.fixture
def probabilities(tmp_path):
    """Probabilities of a run of 90 × 70 px, and the folder of its classes and confidence."""
    pixels = random_pixels(90, 70)
    pixels[:, :6] = 0
    path = write_raster(tmp_path / "input.tif", pixels, nodata=0)
    found = str(tmp_path / "probabilities.tif")
    run(path, stub_bundle(2), probabilities=found, confidence=str(tmp_path / "confidence.tif"), window=32, overlap=8)
    return found


def read(path) -> np.ndarray:
    with rasterio.open(path) as dataset:
        return dataset.read().squeeze()


def reclassify(source, tmp_path, **changes):
    output = tmp_path / "again.tif"
    return reclassify_probabilities(
        ReclassifyRequest(source, str(output), overwrite=True, **changes), MONITOR
    ), read(output)  # fmt: skip


def test_without_rules_it_is_the_raster_of_the_run(probabilities, tmp_path):
    result, classes = reclassify(probabilities, tmp_path, confidence=str(tmp_path / "c.tif"))
    assert (classes == read(tmp_path / "classes.tif")).all()
    assert (read(tmp_path / "c.tif") == read(tmp_path / "confidence.tif")).all()
    assert (result.changed, result.changes, result.models) == (0, {}, ("stub",))
    assert (tmp_path / "again.qml").read_text() == (tmp_path / "classes.qml").read_text()
    with rasterio.open(tmp_path / "again.tif") as new, rasterio.open(tmp_path / "classes.tif") as old:
        assert new.colormap(1) == old.colormap(1)
        assert (new.transform, new.crs, new.nodata, new.descriptions) == (old.transform, old.crs, 0, old.descriptions)
        tags = new.tags()
        assert json.loads(tags["LANDCOVER_RUN"])["model"] == json.loads(old.tags()["LANDCOVER_RUN"])["model"]
        assert {key: value for key, value in tags.items() if key.startswith("CLASS_")} == {
            key: value for key, value in old.tags().items() if key.startswith("CLASS_")
        }
        (edit,) = json.loads(tags["LANDCOVER_EDITS"])
        assert (edit["tool"], edit["changed"]) == ("reclassify_probabilities", 0)
    with ClassifiedSource(tmp_path / "again.tif") as source:
        assert [entry.name for entry in source.scheme.entries] == [entry.name for entry in DUBAI.entries]


def test_weights_and_minimums(probabilities, tmp_path):
    percents, usual = read(probabilities).astype(float), read(tmp_path / "classes.tif")
    valid = usual > 0
    result, classes = reclassify(
        probabilities, tmp_path, weights={"building": 1.5, "1": 0}, minimums={"Vegetation": 0.35},
        confidence=str(tmp_path / "c.tif"),
    )  # fmt: skip
    scores = percents * np.array([0, 1, 1, 1.5, 1])[:, None, None]
    total = scores.sum(axis=0)
    scores[0] = -1
    scores[4][percents[4] < 35] = -1
    expected = np.where(valid, scores.argmax(axis=0) + 1, 0)
    assert (classes == expected).all()
    share = scores.max(axis=0) / total * percents.sum(axis=0)
    assert np.abs(read(tmp_path / "c.tif") - share)[valid].max() <= 0.51
    assert (read(tmp_path / "c.tif")[~valid] == 255).all()
    assert not (classes == 1).any()
    assert (classes == BUILDING).sum() > (usual == BUILDING).sum()
    assert result.changed == (classes != usual).sum() == sum(result.changes.values()) > 0
    assert result.pixels["Building"] == (classes == BUILDING).sum()
    assert sum(result.area_m2.values()) == pytest.approx(valid.sum())


def test_pixels_without_an_allowed_class_are_unlabeled(probabilities, tmp_path):
    minimums = dict.fromkeys(("Water", "Land", "Road", "Building", "Vegetation"), 0.5)
    result, classes = reclassify(probabilities, tmp_path, minimums=minimums)
    percents, usual = read(probabilities), read(tmp_path / "classes.tif")
    assert (classes == np.where(usual == 0, 0, np.where(percents.max(axis=0) >= 50, usual, UNLABELED))).all()
    assert 0 < result.pixels["Unlabeled"] < 90 * 70
    _, same = reclassify(probabilities, tmp_path, min_confidence=0.5)
    assert (same == classes).all()


def test_the_mean_of_two_models(probabilities, tmp_path):
    again = str(tmp_path / "other.tif")
    pixels = random_pixels(90, 70, seed=3)
    pixels[:, :, :5] = 0
    run(write_raster(tmp_path / "input.tif", pixels, nodata=0), stub_bundle(1), probabilities=again)
    one, two = read(probabilities).astype(int), read(again).astype(int)
    result, classes = reclassify(probabilities, tmp_path, average=(again,))
    known = (one[0] < 255) & (two[0] < 255)
    assert (classes == np.where(known, (one + two).argmax(axis=0) + 1, 0)).all()
    assert not classes[:, :5].any()
    assert not classes[:6].any()
    assert result.models == ("stub", "stub")


def test_uncertainty_is_zero_where_one_class_has_all(tmp_path):
    sums = np.array([[100, 50, 20, 40], [0, 50, 20, 35], [0, 0, 20, 25], [0, 0, 20, 0], [0, 0, 20, 0]], np.uint16)
    sums = sums[:, None]
    assert uncertainty_of(sums, "margin").tolist() == [[0, 100, 100, 95]]
    entropy = uncertainty_of(sums, "entropy")
    assert entropy.tolist() == [[0, 43, 100, 67]]
    assert (uncertainty_of(sums * 3, "entropy") == entropy).all()


@pytest.mark.parametrize("measure", ["margin", "entropy"])
def test_the_raster_of_uncertainty(probabilities, tmp_path, measure):
    place = str(tmp_path / "u.tif")
    reclassify(probabilities, tmp_path, uncertainty=place, measure=measure, weights={"Road": 3.0})
    percents = read(probabilities)
    expected = np.where(percents[0] == 255, 255, uncertainty_of(percents.astype(np.uint16), measure))
    assert (read(place) == expected).all()
    with rasterio.open(place) as dataset:
        assert dataset.nodata == 255
        assert dataset.descriptions == (f"Uncertainty, {measure} (percent)",)


def test_vectors_are_those_of_the_new_classes(probabilities, tmp_path):
    layer = tmp_path / "p.gpkg"
    result, classes = reclassify(
        probabilities, tmp_path, weights={"Building": 2.0}, polygons=str(layer), min_area=0, simplify=0
    )
    import pyogrio.raw

    names = pyogrio.raw.read(str(layer), layer="p", columns=["class_id"])[3][0]
    assert set(names) == set(np.unique(classes)) - {0}
    assert result.polygons == str(layer)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"weights": {"Street": 2.0}}, ClassSchemeError, "weights have values that are not classes of the raster"),
        ({"weights": {"Road": 2.0, "3": 1.0}}, ClassSchemeError, "weights have a class twice"),
        ({"minimums": {"0": 0.5}}, ClassSchemeError, "id 0, which is no data"),
        ({"minimums": {"Unlabeled": 0.5}}, ClassSchemeError, "not classes of the raster: 'Unlabeled'"),
        ({"average": ("classes.tif",)}, RasterOpenError, "is not a probability raster"),
        ({"average": ("small.tif",)}, RasterOpenError, r"other pixels \(20 × 20\) than"),
        ({"average": ("foreign.tif",)}, RasterOpenError, "has the classes Water, Land, Road, Building, Lawn"),
        ({"buildings": "b.gpkg", "building_class": "Roof"}, ClassSchemeError, "no class Roof"),
    ],
)  # fmt: skip
def test_what_cannot_be_used(probabilities, tmp_path, changes, error, message, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small = write_raster(tmp_path / "s" / "input.tif", random_pixels(20, 20)) if "small" in str(changes) else None
    if small:
        run(small, stub_bundle(), probabilities=str(tmp_path / "small.tif"))
    if "foreign" in str(changes):
        with rasterio.open(probabilities) as dataset:
            values, tags, profile = dataset.read(), dataset.tags(), dataset.profile
        with rasterio.open(tmp_path / "foreign.tif", "w", **profile) as dataset:
            dataset.write(values)
            dataset.update_tags(**{**tags, "CLASS_5": "Lawn #00FF00"})
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(error, match=message):
        reclassify(probabilities, tmp_path, **changes)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_other_rasters_and_the_input_as_output_are_refused(probabilities, tmp_path):
    for name in ("classes.tif", "confidence.tif", "input.tif"):
        with pytest.raises(RasterOpenError, match="is not a probability raster"):
            reclassify(str(tmp_path / name), tmp_path)
    before = read(probabilities)
    for changes in ({}, {"average": (probabilities,)}):
        source = probabilities if not changes else str(tmp_path / "classes.tif")
        with pytest.raises(OutputError, match="is the input itself"):
            reclassify_probabilities(ReclassifyRequest(source, probabilities, overwrite=True, **changes), MONITOR)
    assert (read(probabilities) == before).all()
    with pytest.raises(RequestError, match=r"weights.* must be in 0\.\.1000"):
        ReclassifyRequest("a.tif", "b.tif", weights={"Road": -1.0})
    layer = write_layer(tmp_path / "l.gpkg", [])
    with pytest.raises(RasterOpenError):
        reclassify(layer, tmp_path)


@given(st.integers(0, 2**16), st.integers(1, 3))
def test_the_first_highest_band_is_the_class(seed, sharpness):
    """Whatever the probabilities: rounding to percent changes no class."""
    draw = np.random.default_rng(seed)
    values = draw.random((5, 6, 40)) ** sharpness
    values[:, :, ::3] = np.round(values[:, :, ::3], 1) + 1e-3 * draw.random((5, 6, 14))  # close to ties
    values /= values.sum(axis=0)
    probabilities, valid = values.astype(np.float32), draw.random((6, 40)) < 0.8
    labels, confidence, percents = ClassDecision(DUBAI)(probabilities, valid, True, True)
    assert (percents.argmax(axis=0) + 1 == labels)[valid].all()
    assert (percents.max(axis=0) == confidence)[valid].all()
    assert np.abs(percents - 100 * probabilities)[:, valid].max() <= 1.5
    assert (percents[:, ~valid] == 255).all()
    rules = make_rules(ReclassifyRequest("a.tif", "b.tif"), DUBAI)
    again, percent, usual = rules.classify(percents.astype(np.uint16) * valid, valid)
    assert (again == labels).all()
    assert (usual == labels).all()
    assert (percent == confidence).all()
