"""A session in this process: views equal runs, teaching, undo and redo, saved models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

from dubai_landcover_plugin.core.bundle.bundle import open_bundle
from dubai_landcover_plugin.core.bundle.save import save_bundle, storage_of
from dubai_landcover_plugin.core.segmentation.segment import segment_raster
from dubai_landcover_plugin.core.teaching import feature_store, lesson, view
from dubai_landcover_plugin.core.teaching import session_features as features_module
from dubai_landcover_plugin.core.teaching.features import open_features
from dubai_landcover_plugin.core.teaching.lesson import History
from dubai_landcover_plugin.core.teaching.model import read_head, taught_metadata
from dubai_landcover_plugin.core.teaching.session import TeachingSession
from dubai_landcover_plugin.protocol.classes import DUBAI, LandCoverClass, coloured
from dubai_landcover_plugin.protocol.errors import (
    BundleError,
    ClassSchemeError,
    GeoreferenceError,
    LandCoverError,
    RasterReadError,
    RequestError,
    RunCancelled,
)
from dubai_landcover_plugin.protocol.model_file import read_metadata
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions
from dubai_landcover_plugin.protocol.requests.session import (
    OpenSession,
    ProbeRequest,
    SaveModel,
    TeachSamples,
    ViewRequest,
)
from tests.factories import random_pixels, write_raster, write_teachable_model

WHOLE = (300_000.0, 2_779_900.0, 300_130.0, 2_780_000.0)
MONITOR = SilentMonitor()
NEW = {"id": 7, "name": "Solar panel", "colour": "#112233"}


def town() -> np.ndarray:
    """Patches of even colour, with noise, (3, 100, 130); the lower left corner has no data."""
    draw = np.random.default_rng(3)
    pixels = draw.integers(40, 220, (3, 5, 5)).repeat(20, 1).repeat(26, 2) + draw.integers(-20, 20, (3, 100, 130))
    pixels[:, 90:, :20] = 0
    return pixels.astype(np.uint8)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("teaching")
    model = write_teachable_model(folder / "teachable.safetensors")
    return write_raster(folder / "town.tif", town(), nodata=0), model


@pytest.fixture
def options(files):
    return SegmentOptions(model=str(files[1]), runtime="torch", precision="float32", overwrite=True)


@pytest.fixture
def session(files, options):
    with TeachingSession(OpenSession(str(files[0]), options), MONITOR) as opened:
        yield opened


def sample(name: str, class_id: int, x: float, y: float, brush: float = 9) -> dict:
    """A point in pixels from the upper left corner."""
    return {"id": name, "class_id": class_id, "geometry": f"POINT ({300_000 + x} {2_780_000 - y})", "brush": brush}


def look(session: TeachingSession, folder: Path, extent=WHOLE, **options) -> np.ndarray:
    """Classes and confidence of a view, (2, H, W)."""
    request = ViewRequest(extent, str(folder / "v.tif"), confidence=str(folder / "c.tif"), **options)
    session.view(request, MONITOR)
    with rasterio.open(request.output) as classes, rasterio.open(request.confidence) as confidence:
        return np.stack([classes.read(1), confidence.read(1)])


def run(raster, options, folder: Path) -> np.ndarray:
    request = SegmentationRequest(str(raster), str(folder / "o.tif"), options, confidence=str(folder / "oc.tif"))
    segment_raster(request, MONITOR)
    with rasterio.open(request.output) as classes, rasterio.open(request.confidence) as confidence:
        return np.stack([classes.read(1), confidence.read(1)])


@pytest.mark.parametrize("gsd", [1.0, 0.5, 1.6])
def test_views_equal_the_run_and_so_does_the_saved_model(files, options, tmp_path, gsd):
    options = replace(options, gsd=gsd)
    with TeachingSession(OpenSession(str(files[0]), options), MONITOR) as session:
        assert np.array_equal(look(session, tmp_path), run(files[0], options, tmp_path))
        session.teach(TeachSamples((sample("a", 1, 30, 30), sample("b", 7, 100, 70)), classes=(NEW,)), MONITOR)
        taught = look(session, tmp_path)
        session.save(SaveModel(str(tmp_path / "taught.safetensors")), MONITOR)
    assert (taught[0] == 7).any()
    ran = run(files[0], replace(options, model=str(tmp_path / "taught.safetensors")), tmp_path)
    assert (taught[0] == ran[0]).mean() > 0.999
    assert np.abs(taught[1].astype(int) - ran[1]).max() <= 1


def test_parts_equal_the_whole_and_are_placed_on_the_raster(session, tmp_path):
    whole = look(session, tmp_path)
    part = look(session, tmp_path, (300_040.2, 2_779_930.0, 300_090.0, 2_779_969.5))
    assert np.array_equal(part, whole[:, 30:70, 40:90])
    with rasterio.open(tmp_path / "v.tif") as dataset:
        assert tuple(dataset.bounds) == (300_040, 2_779_930, 300_090, 2_779_970)
        assert dataset.crs.to_epsg() == 32640
        assert dataset.colormap(1)[4] == (*coloured(DUBAI).classes[3].rgb, 255)
    coarse = look(session, tmp_path, pixel_size=4.1)
    assert np.array_equal(coarse, whole[:, 2::4, 2::4])
    beyond = look(session, tmp_path, (299_000.0, 2_779_990.0, 300_010.0, 2_790_000.0))
    assert np.array_equal(beyond, whole[:, :10, :10])


def test_panning_computes_new_windows_only(session, tmp_path):
    left = ViewRequest((300_000.0, 2_779_950.0, 300_030.0, 2_780_000.0), str(tmp_path / "v.tif"))
    first = session.view(left, MONITOR)
    assert first.computed == first.windows > 0
    assert session.view(left, MONITOR).computed == 0
    whole = session.view(ViewRequest(WHOLE, str(tmp_path / "v.tif")), MONITOR)
    assert whole.computed == whole.windows - first.windows
    session.release()
    again = session.view(left, MONITOR)
    assert again.computed == first.computed


def test_small_rasters_are_computed_in_float32_as_runs_do(files, options, monkeypatch):
    asked = []

    def record(bundle, shape, runtime, precision, threads, log):
        asked.append(precision)
        return open_features(bundle, shape, "torch", "float32", 1, log)

    monkeypatch.setattr(features_module, "open_features", record)
    for precision, limit in (("auto", 10**9), ("auto", 1), ("bfloat16", 10**9), ("float32", 1)):
        monkeypatch.setattr(features_module, "WORTH_TRYING", limit)
        with TeachingSession(OpenSession(str(files[0]), replace(options, precision=precision)), MONITOR) as session:
            session.features.add_overview(MONITOR)
    assert asked == ["float32", "auto", "bfloat16", "float32"]


def test_features_stay_within_the_limit_and_the_answer_is_the_same(session, tmp_path):
    expected = look(session, tmp_path)
    session.release()
    session.features._limit = 1
    assert np.array_equal(look(session, tmp_path), expected)
    assert len(session.features._store._held) == 1


def test_a_taught_pixel_takes_its_class_and_undo_gives_the_answer_before(session, tmp_path):
    before = look(session, tmp_path)
    state = session.teach(TeachSamples((sample("a", 4, 30, 30),)), MONITOR)
    assert (state.samples, state.counts["Building"], state.can_undo, state.can_redo) == (("a",), 1, True, False)
    first = look(session, tmp_path)
    assert (first[0, 27:34, 27:34] == 4).all()
    session.teach(TeachSamples((sample("b", 5, 100, 50),)), MONITOR)
    second = look(session, tmp_path)
    assert (second[0, 47:54, 97:104] == 5).all()
    assert not np.array_equal(first, second)
    assert session.undo().samples == ("a",)
    assert np.array_equal(look(session, tmp_path), first)
    assert not session.undo().can_undo
    assert np.array_equal(look(session, tmp_path), before)
    session.redo()
    assert session.redo().samples == ("a", "b")
    assert np.array_equal(look(session, tmp_path), second)


def test_samples_are_replaced_and_removed(session, tmp_path):
    look(session, tmp_path)
    session.teach(TeachSamples((sample("a", 4, 30, 30),)), MONITOR)
    expected = look(session, tmp_path)
    session.teach(TeachSamples((sample("b", 1, 90, 20), sample("a", 5, 30, 30))), MONITOR)
    assert (look(session, tmp_path)[0, 27:34, 27:34] == 5).all()
    state = session.teach(TeachSamples((sample("a", 4, 30, 30),), remove=("b",)), MONITOR)
    assert state.samples == ("a",)
    assert np.array_equal(look(session, tmp_path), expected)


STEPS = st.one_of(
    st.tuples(st.just("teach"), st.sampled_from("abc"), st.sampled_from([1, 4, 5])),
    st.tuples(st.just("remove"), st.sampled_from("abc"), st.none()),
    st.tuples(st.sampled_from(["undo", "redo"]), st.none(), st.none()),
)
PLACES = {"a": (30, 30), "b": (100, 50), "c": (60, 80)}


@pytest.fixture(scope="module")
def known(files):
    """A session that has computed the whole raster."""
    options = SegmentOptions(model=str(files[1]), runtime="torch", precision="float32")
    with TeachingSession(OpenSession(str(files[0]), options), MONITOR) as opened:
        opened.features.add_overview(MONITOR)
        yield opened


@given(st.lists(STEPS, max_size=8))
@settings(max_examples=15, deadline=None)
def test_any_sequence_of_steps_keeps_the_samples_and_gives_their_fit(known, steps):
    known.history = History(known.history.states[:1])
    states, position = [{}], 0  # expected classes by sample
    for kind, name, class_id in steps:
        before, now = known.history.current, dict(states[position])
        try:
            if kind == "teach":
                known.teach(TeachSamples((sample(name, class_id, *PLACES[name]),)), MONITOR)
                now[name] = class_id
            elif kind == "remove":
                known.teach(TeachSamples(remove=(name,)), MONITOR)
                del now[name]
            else:
                getattr(known, kind)()
                position += 1 if kind == "redo" else -1
        except RequestError:
            assert known.history.current is before
            continue
        if kind in ("teach", "remove"):
            states[position + 1 :] = [now]
            position += 1
        found = {key: one.sample.class_id for key, one in known.history.current.samples.items()}
        assert found == states[position]
        assert (known.history.can_undo, known.history.can_redo) == (position > 0, position + 1 < len(states))
    # The samples that are left give the same layers whatever came before.
    layers = known.history.current.head.weights
    known.history = History(known.history.states[:1])
    kept = tuple(sample(name, class_id, *PLACES[name]) for name, class_id in states[position].items())
    known.teach(TeachSamples(kept), MONITOR)
    assert all(map(np.array_equal, known.history.current.head.weights, layers))


def test_agreement_judges_each_sample_by_a_fit_without_it(session):
    samples = [sample(f"{x}", 4, x, 30, 5) for x in (28, 36, 44)] + [
        sample(f"{x}v", 5, x, 50, 5) for x in (84, 94, 100)
    ]
    with pytest.raises(RequestError, match="at least 2 samples"):
        session.agreement(MONITOR)
    session.teach(TeachSamples(tuple(samples)), MONITOR)
    found = session.agreement(MONITOR)
    assert found.samples == 6
    assert found.after > found.before
    assert set(found.classes) == {"Building", "Vegetation"}


def test_a_saved_model_describes_its_teaching_and_can_be_taught_again(files, options, session, tmp_path):
    path = tmp_path / "own.safetensors"
    with pytest.raises(RequestError, match="nothing to save"):
        session.save(SaveModel(str(path)), MONITOR)
    session.teach(TeachSamples((sample("a", 4, 30, 30), sample("b", 7, 90, 30)), classes=(NEW,)), MONITOR)
    digest = session.save(SaveModel(str(path), title="Roofs"), MONITOR).model_hash
    bundle = open_bundle(path)
    facts = bundle.metadata.training["teaching"]
    assert (bundle.digest, bundle.metadata.name, bundle.metadata.title) == (digest, "own", "Roofs")
    assert (facts["source"], facts["source_hash"]) == ("teachable", open_bundle(files[1]).digest)
    assert {name: count for name, count in facts["samples"].items() if count} == {"Building": 1, "Solar panel": 1}
    assert bundle.metadata.scheme.classes[-1] == LandCoverClass(**NEW)
    assert bundle.graph("int8") is None
    assert storage_of(path) == storage_of(files[1])
    taught = look(session, tmp_path)
    with pytest.raises(BundleError, match="exists"):
        session.save(SaveModel(str(path)), MONITOR)
    with TeachingSession(OpenSession(str(files[0]), replace(options, model=str(path))), MONITOR) as again:
        assert np.array_equal(look(again, tmp_path), taught)
        again.teach(TeachSamples((sample("c", 1, 60, 80),)), MONITOR)
        again.save(SaveModel(str(tmp_path / "twice.safetensors")), MONITOR)
        twice = look(again, tmp_path)
    assert read_metadata(tmp_path / "twice.safetensors").training["teaching"]["earlier"]["source"] == "teachable"
    ran = run(files[0], replace(options, model=str(tmp_path / "twice.safetensors")), tmp_path)
    assert (ran[0] == twice[0]).mean() > 0.999


def test_metadata_of_the_old_weights_are_not_inherited(files):
    source = replace(
        read_metadata(files[1]), metrics={"miou": 0.9}, error_ratios=(1.0,) * 5, training={"int8": {}, "split": "a"}
    )
    found = taught_metadata(source, "0" * 64, "own", source.scheme, {"samples": {"Water": 1}})
    assert (found.metrics, found.error_ratios, sorted(found.training)) == ({}, (), ["split", "teaching"])
    assert found.training["teaching"]["source_metrics"] == {"miou": 0.9}
    assert (found.gsd, found.window, found.bands) == (source.gsd, source.window, source.bands)


@pytest.mark.parametrize(
    ("request_", "error", "message"),
    [
        (TeachSamples((sample("a", 4, 500, 30),)), RequestError, "outside of the raster"),
        (TeachSamples((sample("a", 4, 5, 96, 3),)), RequestError, "without data"),
        (TeachSamples((sample("a", 9, 30, 30),)), ClassSchemeError, "the class 9, which the model does not have"),
        (TeachSamples(({"id": "a", "class_id": 1, "geometry": "POINT"},)), RequestError, "not WKT"),
        (TeachSamples(({"id": "a", "class_id": 1},)), RequestError, "Missing keys"),
        (TeachSamples((sample("a", 4, 5, 9, -1),)), RequestError, r"brush must be in 0\.\.1000 px"),
        (TeachSamples(remove=("z",)), RequestError, "no sample 'z'"),
        (TeachSamples(classes=({"id": 7},)), ClassSchemeError, "needs id, name and colour"),
        (TeachSamples(classes=({"id": 3, "name": "Tent", "colour": "#000000"},)), ClassSchemeError, "must differ"),
    ],
)
def test_bad_samples_are_refused_and_change_nothing(session, request_, error, message):
    session.teach(TeachSamples((sample("kept", 4, 30, 30),)), MONITOR)
    with pytest.raises(error, match=message):
        session.teach(request_, MONITOR)
    assert list(session.history.current.samples) == ["kept"]
    assert session.history.position == 1


def test_contradicting_samples_are_reported(session):
    state = session.teach(TeachSamples((sample("a", 4, 30, 30), sample("b", 5, 32, 30))), MONITOR)
    assert "'a' and 'b' of different classes share" in state.warnings[0]


def test_views_that_cannot_be_answered(session, tmp_path, monkeypatch):
    with pytest.raises(GeoreferenceError, match="does not touch"):
        look(session, tmp_path, (0.0, 0.0, 1.0, 1.0))
    monkeypatch.setattr(view, "MAX_VIEW", 1000)
    with pytest.raises(RequestError, match="Zoom in"):
        look(session, tmp_path)


def test_undo_and_redo_have_ends(session):
    for step in (session.undo, session.redo):
        with pytest.raises(RequestError, match="nothing to"):
            step()


class Cancelling(SilentMonitor):
    def cancelled(self) -> bool:
        return True


def test_cancel_changes_nothing(session, tmp_path):
    with pytest.raises(RunCancelled):
        session.view(ViewRequest(WHOLE, str(tmp_path / "v.tif")), Cancelling())
    with pytest.raises(RunCancelled):
        session.teach(TeachSamples((sample("a", 4, 30, 30),)), Cancelling())
    assert not (tmp_path / "v.tif").exists()
    assert not session.history.can_undo


def test_a_raster_that_is_replaced_is_noticed(files, options, tmp_path):
    raster = write_raster(tmp_path / "changing.tif", random_pixels(40, 40))
    with TeachingSession(OpenSession(str(raster), options), MONITOR) as session:
        write_raster(raster, random_pixels(40, 40, seed=1))
        with pytest.raises(RasterReadError):
            look(session, tmp_path)


def test_models_that_cannot_be_taught(files, tiny_model):
    with pytest.raises(BundleError, match="cannot be taught: it is a network of the type unet"):
        TeachingSession(OpenSession(str(files[0]), SegmentOptions(model=str(tiny_model))), MONITOR)
    with pytest.raises(LandCoverError, match="test-time augmentation"):
        TeachingSession(OpenSession(str(files[0]), SegmentOptions(model=str(files[1]), tta=True)), MONITOR)


def test_weights_in_full_precision_are_kept(files, tmp_path, options):
    bundle = open_bundle(files[1])
    path = tmp_path / "full.safetensors"
    model = bundle.model
    weight = model.get_submodule("decoder.0.convolve.0").weight
    weight.data[0, 0, 0, 0] = 0.1  # not a float16
    save_bundle(path, bundle.metadata, model, "float32")
    assert read_head(open_bundle(path)).weights[0].shape == (5, 12)
    with TeachingSession(OpenSession(str(files[0]), replace(options, model=str(path))), MONITOR) as session:
        session.teach(TeachSamples((sample("a", 4, 30, 30),)), MONITOR)
        session.save(SaveModel(str(tmp_path / "taught.safetensors")), MONITOR)
    saved = open_bundle(tmp_path / "taught.safetensors").model.get_submodule("decoder.0.convolve.0").weight
    assert float(saved[0, 0, 0, 0]) == pytest.approx(0.1, abs=1e-8)


def test_anchors_leave_out_the_pixels_of_samples(session):
    session.teach(TeachSamples((sample("a", 4, 30, 30, 60),)), MONITOR)
    samples = session.history.current.samples
    width = session.job.plan.tiles.width
    everywhere = lesson.anchor_pixels(session.features.anchors, {}, width)
    assert len(lesson.anchor_pixels(session.features.anchors, samples, width)) < len(everywhere)
    assert len(everywhere) <= feature_store.ANCHORS * len(session.features.anchors)


@pytest.mark.parametrize("gsd", [None, 0.4])
def test_probabilities_of_a_place_are_those_of_the_view(files, options, tmp_path, gsd):
    with TeachingSession(OpenSession(str(files[0]), replace(options, gsd=gsd)), MONITOR) as session:
        session.teach(TeachSamples((sample("a", 4, 30, 30), sample("b", 1, 90, 40))), MONITOR)
        paths = str(tmp_path / "view.tif"), str(tmp_path / "confidence.tif")
        session.view(ViewRequest(WHOLE, paths[0], None, paths[1]), MONITOR)
        with rasterio.open(paths[0]) as classes, rasterio.open(paths[1]) as confidence:
            ids, percents = classes.read(1), confidence.read(1)
        for col, row in ((0, 0), (30, 30), (64, 50), (129, 99)):
            place = ProbeRequest(WHOLE[0] + col + 0.5, WHOLE[3] - row - 0.5)
            found = session.probe(place, MONITOR).probabilities
            assert sum(found.values()) == pytest.approx(1, abs=0.001)
            best = max(found, key=found.get)
            assert session.scheme.by_name(best).id == ids[row, col]
            assert 100 * found[best] == pytest.approx(percents[row, col], abs=1)
        assert session.probe(ProbeRequest(WHOLE[0] + 5, WHOLE[1] + 5), MONITOR).probabilities == {}  # no data
        assert session.probe(ProbeRequest(0, 0), MONITOR).probabilities == {}
