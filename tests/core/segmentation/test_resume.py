"""Runs that stopped are resumed from their journal."""

import pytest
import rasterio
import rasterio.shutil

from dubai_landcover_plugin.core.bundle.bundle import ModelBundle
from dubai_landcover_plugin.core.io.files import DISK_REMEDY
from dubai_landcover_plugin.core.io.raster_writer import LandCoverWriter
from dubai_landcover_plugin.core.segmentation.journal import Journal
from dubai_landcover_plugin.protocol.errors import OutputError, RunCancelled
from tests.core.segmentation.cases import Listener, run
from tests.factories import random_pixels, stub_bundle, write_raster


class TestGoingOn:
    """A run that was stopped goes on where it was, and the result is that of one which was not."""

    @pytest.fixture
    def source(self, tmp_path):
        return write_raster(tmp_path / "input.tif", random_pixels(150, 70), nodata=0)

    @pytest.fixture(autouse=True)
    def save_every_band(self, monkeypatch):
        monkeypatch.setattr(Journal, "is_due", lambda self: True)

    def stop(self, source, patience, **options):
        with pytest.raises(RunCancelled):
            run(source, stub_bundle(3), Listener(patience), window=32, overlap=8, batch=1, keep=True, **options)

    @pytest.mark.parametrize(("gsd", "patience"), [(None, 8), (None, 17), (2.0, 31), (2.0, 71)])
    def test_the_result_is_bit_identical(self, source, patience, gsd):
        confidence = str(source.with_name("confidence.tif"))
        probabilities = str(source.with_name("probabilities.tif"))
        asked = {
            "window": 32, "overlap": 8, "confidence": confidence, "probabilities": probabilities, "gsd": gsd,
        }  # fmt: skip
        first = Listener()
        whole, wanted = run(source, stub_bundle(3), first, **asked)
        percent, bands = rasterio.open(confidence).read(1), rasterio.open(probabilities).read()
        assert (bands.argmax(axis=0) + 1 == whole)[whole > 0].all()
        assert (bands.max(axis=0) == percent).all()
        self.stop(source, patience, confidence=confidence, probabilities=probabilities, gsd=gsd)
        listener = Listener()
        again, result = run(source, stub_bundle(3), listener, **asked)
        messages = [text for _, text in listener.lines if "Resuming an interrupted run" in text]
        assert len(messages) == 1
        assert len(listener.progress) < len(first.progress), "it began where the other had stopped"
        assert (again == whole).all()
        assert (rasterio.open(confidence).read(1) == percent).all()
        assert (rasterio.open(probabilities).read() == bands).all()
        assert (result.pixels, result.area_m2, result.windows) == (wanted.pixels, wanted.area_m2, wanted.windows)
        assert not list(source.parent.glob(".*"))

    def test_cancelled_without_keeping_leaves_nothing(self, source):
        with pytest.raises(RunCancelled):
            run(source, stub_bundle(3), Listener(9), window=32, overlap=8, batch=1)
        assert [path.name for path in source.parent.iterdir()] == ["input.tif"]

    @pytest.mark.parametrize("change", ["overlap", "model", "input", "confidence"])
    def test_another_run_begins_anew(self, source, change):
        self.stop(source, 12)
        bundle, options = stub_bundle(3), {"window": 32, "overlap": 8}
        if change == "overlap":
            options["overlap"] = 10
        if change == "model":
            bundle = ModelBundle(bundle.metadata, stub_bundle(2).model, "another")
        if change == "input":
            write_raster(source, random_pixels(150, 70, seed=5), nodata=0)
        if change == "confidence":
            options["confidence"] = str(source.with_name("confidence.tif"))
        listener = Listener()
        classes, _ = run(source, bundle, listener, **options)
        assert not any("Resuming" in text for _, text in listener.lines)
        fresh, _ = run(source, bundle, **options)
        assert (classes == fresh).all()

    def test_a_full_disk_for_the_journal_is_told_and_stops_nothing(self, source, monkeypatch):
        def full(self, progress):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(Journal, "save", full)
        listener = Listener()
        classes, _ = run(source, stub_bundle(3), listener, window=32, overlap=8)
        assert any("could not be saved" in text for level, text in listener.lines if level == "warning")
        assert classes.shape == (150, 70)

    @pytest.mark.parametrize("step", ["_add_overviews", "_optimise", "_verify", "place"])
    def test_a_full_disk_while_the_raster_is_finished_keeps_the_rows(self, source, monkeypatch, step):
        options = {"window": 32, "overlap": 8, "cog": True}
        whole, expected = run(source, stub_bundle(3), **options)
        output = source.with_name("classes.tif")
        earlier = output.read_bytes()

        def full(self, *arguments):
            raise OutputError(f"{self.path} could not be written: No space left on device.", DISK_REMEDY)

        with monkeypatch.context() as patch:
            patch.setattr(LandCoverWriter, step, full)
            with pytest.raises(OutputError, match="a file that existed at the output path is unchanged"):
                run(source, stub_bundle(3), **options)
        assert output.read_bytes() == earlier
        assert [path.name for path in source.parent.glob(".*")] == [".classes.tif.unfinished"]
        listener = Listener()
        again, result = run(source, stub_bundle(3), listener, **options)
        assert any("Resuming an interrupted run" in text for _, text in listener.lines)
        assert (again == whole).all()
        assert (result.pixels, result.area_m2, result.windows) == (expected.pixels, expected.area_m2, expected.windows)
        assert not list(source.parent.glob(".*"))

    def test_a_full_disk_after_the_raster_keeps_the_rows_and_the_next_run_ends(self, source, monkeypatch):
        options = {"window": 32, "overlap": 8}
        whole, _ = run(source, stub_bundle(3), **options)

        place = LandCoverWriter.place

        def place_first_only(writer):
            place(writer)
            raise OutputError("The confidence could not be placed: No space left on device.", DISK_REMEDY)

        with monkeypatch.context() as patch:
            patch.setattr(LandCoverWriter, "place", place_first_only)
            with pytest.raises(OutputError, match="could not be placed"):
                run(source, stub_bundle(3), **options)
        listener = Listener()
        again, _ = run(source, stub_bundle(3), listener, **options)
        messages = [text for _, text in listener.lines if "Resuming" in text]
        assert messages == ["Resuming an interrupted run: 6 of 6 tile rows are finished."]
        assert (again == whole).all()
        assert not list(source.parent.glob(".*"))
