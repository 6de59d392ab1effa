"""A cluster gives what one process gives, whatever the number of shards, and whoever dies on the way."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.features
import shapely
from rasterio._err import CPLE_FileIOError

from dubai_landcover_plugin.cli.main import main
from dubai_landcover_plugin.core.bundle.bundle import load_bundle
from dubai_landcover_plugin.core.cluster import connection, tasks
from dubai_landcover_plugin.core.cluster.connection import Cluster, open_cluster
from dubai_landcover_plugin.core.cluster.executor import cluster_executors, map_rasters, split_tile_rows
from dubai_landcover_plugin.core.segmentation.batch import run_folder, segment_folder
from dubai_landcover_plugin.core.segmentation.segment import run_segmentation
from dubai_landcover_plugin.protocol.errors import ClusterError, LandCoverError, RasterReadError, RunCancelled
from dubai_landcover_plugin.protocol.requests.folder import FolderRequest
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions
from dubai_landcover_plugin.protocol.value_statistics import ValueStatistics
from tests.core.segmentation.cases import GROUND_SAMPLES
from tests.factories import ONE_METRE, random_pixels, write_layer, write_raster

distributed = pytest.importorskip("distributed")


class Listener:
    """Keeps what a run says; cancels when told."""

    def __init__(self) -> None:
        self.lines, self.progress, self.stopped = [], [], False

    def report(self, done, total, text=""):
        self.progress.append(done / total)

    def log(self, level, text):
        self.lines.append((level, text))

    def cancelled(self):
        return self.stopped


@pytest.fixture(scope="module")
def cluster(tiny_model) -> Iterator[Cluster]:
    with open_cluster(None, 2, str(tiny_model)) as opened:
        yield opened


def options(tiny_model, **changes) -> SegmentOptions:
    return SegmentOptions(**{"model": str(tiny_model), "device": "cpu", "window": 64, "overlap": 12, **changes})


def segment(source: Path, name: str, asked: SegmentOptions, listener=None, make_executor=None):
    output = source.with_name(f"{name}.tif")
    confidence = source.with_name(f"{name}_confidence.tif")
    probabilities = source.with_name(f"{name}_probabilities.tif")
    request = SegmentationRequest(
        str(source), str(output), asked, confidence=str(confidence), probabilities=str(probabilities)
    )
    result = run_segmentation(request, listener, **({"make_executor": make_executor} if make_executor else {}))
    return [rasterio.open(path).read().squeeze() for path in (output, confidence, probabilities)], result


@pytest.mark.parametrize("bands", [1, 2, 7, 36])
@pytest.mark.parametrize("count", [1, 2, 3, 5, 40])
@pytest.mark.parametrize("sharing", [True, False])
def test_bands_are_split_without_gaps_and_evenly(bands, count, sharing):
    ranges = split_tile_rows(3, 3 + bands, count, sharing)
    assert ranges[0][0] == 3
    assert ranges[-1][1] == 3 + bands
    assert all(before[1] == after[0] for before, after in pairwise(ranges))
    work = [end - start + (index > 0 and not sharing) for index, (start, end) in enumerate(ranges)]
    assert max(work) - min(work) <= 1 or len(ranges) < count


class TestShards:
    @pytest.mark.parametrize("gsd", [None, 2.5, 0.4])
    def test_any_number_of_shards_gives_the_same_file(self, cluster, tmp_path, tiny_model, gsd):
        source = write_raster(tmp_path / "in.tif", random_pixels(420, 150), nodata=0)
        asked = options(tiny_model, gsd=gsd)
        wanted, alone = segment(source, "alone", asked)
        for shards in (1, 2, 3, 5):
            given, result = segment(source, f"shards{shards}", asked, make_executor=cluster_executors(cluster, shards))
            assert all((a == b).all() for a, b in zip(given, wanted, strict=True))
            assert (result.pixels, result.windows, result.runtime) == (alone.pixels, alone.windows, alone.runtime)
            assert result.area_m2 == pytest.approx(alone.area_m2)

    def test_workers_take_the_stretch_of_the_client(self, cluster, tmp_path, tiny_model):
        """The client's model has statistics, the one that the workers open has not: they would stretch otherwise."""
        source = write_raster(tmp_path / "in.tif", random_pixels(420, 150).astype(np.uint16))
        bundle = load_bundle(tiny_model)
        image = ((20, 40, 60, 80, 100, 120, 140),) * 3
        bundle.metadata = replace(bundle.metadata, values=ValueStatistics((image,)))
        confidence = []
        for name, own, further in (
            ("alone", bundle, ()), ("shared", bundle, (cluster_executors(cluster, 3),)), ("plain", None, ()),
        ):  # fmt: skip
            outputs = {"output": str(tmp_path / f"{name}.tif"), "confidence": str(tmp_path / f"{name}_confidence.tif")}
            request = SegmentationRequest(str(source), options=options(tiny_model), **outputs)
            run_segmentation(request, Listener(), own, *further)
            confidence.append(rasterio.open(outputs["confidence"]).read(1))
        alone, shared, plain = confidence
        assert (alone == shared).all()
        assert (alone != plain).any()

    def test_the_novelty_raster_is_that_of_one_process(self, cluster, tmp_path, tiny_model):
        source = write_raster(tmp_path / "in.tif", random_pixels(420, 150))
        bundle = load_bundle(tiny_model)
        bundle.metadata = replace(bundle.metadata, ground=GROUND_SAMPLES)
        found = []
        for name, further in (("alone", ()), ("shared", (cluster_executors(cluster, 3),))):
            outputs = {"output": str(tmp_path / f"{name}.tif"), "novelty": str(tmp_path / f"{name}_novelty.tif")}
            request = SegmentationRequest(str(source), options=options(tiny_model), **outputs)
            run_segmentation(request, Listener(), bundle, *further)
            found.append(rasterio.open(outputs["novelty"]).read(1))
        assert (found[0] == found[1]).all()
        assert (found[0] > 95).all()

    @pytest.mark.parametrize("gsd", [None, 2.5])
    def test_an_area_of_interest_is_that_of_one_process(self, cluster, tmp_path, tiny_model, gsd):
        source = write_raster(tmp_path / "in.tif", random_pixels(420, 150), nodata=0)
        areas = [shapely.Point(300_070, 2_779_800).buffer(60), shapely.box(300_000, 2_779_590, 300_030, 2_779_610)]
        asked = options(tiny_model, gsd=gsd)
        whole, _ = segment(source, "whole", asked)
        found = []
        for name, further in (("alone", ()), ("shared", (cluster_executors(cluster, 3),))):
            output = str(tmp_path / f"{name}.tif")
            within = write_layer(tmp_path / "areas.gpkg", areas)
            request = SegmentationRequest(str(source), output, asked, within=within)
            result = run_segmentation(request, Listener(), None, *further)
            found.append((rasterio.open(output).read(1), result.windows, result.area_hash))
        inside = rasterio.features.rasterize(areas, whole[0].shape, transform=ONE_METRE)
        assert (found[0][0] == np.where(inside, whole[0], 0)).all()
        assert (found[0][0] == found[1][0]).all()
        assert found[0][1:] == found[1][1:]

    def test_progress_and_notes_arrive(self, cluster, tmp_path, tiny_model):
        source = write_raster(tmp_path / "in.tif", random_pixels(300, 150))
        listener = Listener()
        segment(source, "out", options(tiny_model), listener, cluster_executors(cluster))
        assert any(text.startswith("Cluster: 2 tasks at once on ") for _, text in listener.lines)
        assert listener.progress[-1] == 1

    def test_a_worker_that_dies_is_replaced(self, tmp_path, tiny_model):
        source = write_raster(tmp_path / "in.tif", random_pixels(1500, 1400))
        asked = options(tiny_model, runtime="torch")
        wanted, _ = segment(source, "alone", asked)
        with open_cluster(None, 2, str(tiny_model)) as cluster:
            pids = list(cluster.client.run(os.getpid).values())

            class Killing(Listener):
                killed = False

                def report(self, done, total, text=""):
                    if total > 1 and done > 0 and not self.killed:  # the trial of the runtimes is one step
                        self.killed = True
                        os.kill(pids[0], signal.SIGKILL)

            monitor = Killing()
            given, _ = segment(source, "killed", asked, monitor, cluster_executors(cluster, 6))
            assert monitor.killed
        assert all((a == b).all() for a, b in zip(given, wanted, strict=True))

    def test_cancelling_is_quick_and_leaves_nothing(self, cluster, tmp_path, tiny_model, stretched):
        source = write_raster(tmp_path / "in.tif", random_pixels(3000, 2000))

        class Stopping(Listener):
            def report(self, done, total, text=""):
                self.stopped = self.stopped or (total > 1 and done > 0)  # the trial of the runtimes is one step

        with pytest.raises(RunCancelled):
            segment(source, "out", options(tiny_model, runtime="torch"), Stopping(), cluster_executors(cluster))
        cancelled = time.monotonic()
        assert [path.name for path in tmp_path.iterdir()] == ["in.tif"]
        small = write_raster(tmp_path / "small.tif", random_pixels(60, 60))
        segment(
            small, "next", options(tiny_model), make_executor=cluster_executors(cluster)
        )  # the workers are free again
        assert time.monotonic() - cancelled < stretched(8)

    def test_a_run_does_not_hear_what_is_left_of_the_one_before(self, cluster):
        topics = [
            topic
            for _ in range(2)
            for _, topic in cluster.run(lambda threads, topic, task: topic, [()], Listener(), [1])
        ]
        assert topics[0] != topics[1]

    def test_what_was_kept_is_gone_on_from_on_one_machine(self, cluster, tmp_path, tiny_model, monkeypatch):
        monkeypatch.setattr("dubai_landcover_plugin.core.segmentation.journal.Journal.is_due", lambda self: True)
        source = write_raster(tmp_path / "in.tif", random_pixels(900, 100))
        asked = options(tiny_model, runtime="torch", keep=True)
        wanted, _ = segment(source, "wanted", asked)
        segment(source, "warm", asked, make_executor=cluster_executors(cluster, 12))  # both workers load PyTorch

        class Stopping(Listener):
            def report(self, done, total, text=""):
                self.stopped = (tmp_path / ".out.tif.unfinished" / "state.json").exists()

        with pytest.raises(RunCancelled):
            segment(source, "out", asked, Stopping(), cluster_executors(cluster, 12))
        listener = Listener()
        given, _ = segment(source, "out", asked, listener)
        assert any("Resuming an interrupted run" in text for _, text in listener.lines)
        assert all((a == b).all() for a, b in zip(given, wanted, strict=True))

    def test_an_error_of_a_worker_is_that_of_the_run(self, cluster, tmp_path, tiny_model):
        source = write_raster(tmp_path / "in.tif", random_pixels(400, 100), compress="deflate")
        content = bytearray(source.read_bytes())
        content[-len(content) // 4 :] = bytes(len(content) // 4)
        source.write_bytes(content)
        with pytest.raises(RasterReadError, match="cannot be read at rows") as caught:
            segment(source, "out", options(tiny_model), make_executor=cluster_executors(cluster, 2))
        assert "copy it again" in caught.value.remedy
        assert [path.name for path in tmp_path.iterdir()] == ["in.tif"]


class TestFolder:
    def test_each_raster_is_a_task(self, cluster, tmp_path, tiny_model):
        folder = tmp_path / "in"
        folder.mkdir()
        for number in range(5):
            write_raster(folder / f"r{number}.tif", random_pixels(90, 70 + number, number))
        (folder / "bad.tif").write_bytes(b"no raster")
        request = FolderRequest(str(folder), str(tmp_path / "out"), options=options(tiny_model))
        alone = segment_folder(FolderRequest(str(folder), str(tmp_path / "alone"), options=options(tiny_model)))
        listener = Listener()
        outcome = run_folder(request, listener, run_rasters=map_rasters(cluster))
        assert (outcome.done, outcome.failed) == (alone.done, alone.failed) == (5, 1)
        for number in range(5):
            name = f"r{number}_landcover.tif"
            one, other = (rasterio.open(tmp_path / place / name).read(1) for place in ("out", "alone"))
            assert (one == other).all()
        assert any(text.startswith("bad.tif: failed") for _, text in listener.lines)
        again = run_folder(request, run_rasters=map_rasters(cluster))
        assert (again.skipped, again.failed) == (5, 1)

    def test_the_command_line_takes_workers(self, tmp_path, tiny_model, capsys):
        source = write_raster(tmp_path / "in.tif", random_pixels(200, 80))
        command = ["segment", str(source), str(tmp_path / "o.tif"), "--model", str(tiny_model), "--device", "cpu"]
        assert main([*command, "--workers", "2"]) == 0
        assert "Cluster: 2 tasks at once" in capsys.readouterr().err
        assert main([*command, "--workers", "0"]) == 2


class TestWorkers:
    def test_nobody_at_an_address_is_told(self, tiny_model):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ClusterError, match=address), open_cluster(address, None, str(tiny_model)):
            pass

    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            ({}, "has no workers"),
            ({"w": {"error": "ImportError: no rasterio"}}, "cannot compute: ImportError"),
            ({"w": {"versions": {"dubai_landcover": "0.0.9"}, "model": "x"}}, r"has version 0\.0\.9"),
            ({"w": {"versions": None, "model": "another"}}, "a different model"),
        ],
    )
    def test_workers_that_do_not_suit_are_refused(self, monkeypatch, tiny_model, answer, message):
        for worker in answer.values():
            if "versions" in worker:
                worker["versions"] = worker["versions"] or connection.versions()
        monkeypatch.setattr(connection, "_identify_workers", lambda client, model: answer)
        with pytest.raises(ClusterError, match=message):
            Cluster(None, str(tiny_model))

    def test_cores_are_shared_out_by_machine(self, monkeypatch, tiny_model):
        of_all = {"versions": connection.versions(), "model": connection.open_bundle(str(tiny_model)).digest}
        known = {
            "a": {**of_all, "host": "one", "cores": 16, "numbers": [*range(16)], "slots": 4},
            "b": {**of_all, "host": "one", "cores": 16, "numbers": [*range(16)], "slots": 1},
            "c": {**of_all, "host": "two", "cores": 2, "numbers": [0, 1], "slots": 8},
            "d": {**of_all, "host": "parted", "cores": 4, "numbers": [0, 1, 2, 3], "slots": 1},
            "e": {**of_all, "host": "parted", "cores": 4, "numbers": [8, 9, 10, 11], "slots": 1},
        }
        monkeypatch.setattr(connection, "_identify_workers", lambda client, model: known)
        cluster = Cluster(None, str(tiny_model))
        assert (cluster.threads, cluster.slots) == ({"one": 3, "two": 1, "parted": 4}, 15)

    def test_a_model_that_workers_lack_is_told(self, tiny_model, tmp_path):
        copy = shutil.copy(tiny_model, tmp_path / "mine.safetensors")
        with open_cluster(None, 1, str(copy)) as cluster:
            os.unlink(copy)
            with pytest.raises(LandCoverError, match=r"no model '.*mine\.safetensors'"):
                Cluster(cluster.client, str(copy))

    def test_errors_keep_their_remedy_across_processes(self):
        import pickle

        error = pickle.loads(pickle.dumps(RasterReadError("It is cut short.", "Copy it again.")))
        assert (type(error), error.message, error.remedy) == (RasterReadError, "It is cut short.", "Copy it again.")

    @pytest.mark.parametrize(
        "error", [RasterReadError("Short.", "Copy it."), KeyError("x"), CPLE_FileIOError(3, 3, "x")]
    )
    def test_any_error_of_a_task_can_be_sent(self, error):
        import pickle

        def fail() -> None:
            raise error

        with pytest.raises(LandCoverError) as caught:
            tasks._with_plain_errors(fail)()
        assert caught.value.__cause__ is None
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_rows_are_not_lost_where_windows_are_many(cluster, tmp_path, tiny_model):
    """More shards than tasks at once; the later ones may end before the first."""
    source = write_raster(tmp_path / "in.tif", random_pixels(1200, 64))
    wanted, _ = segment(source, "alone", options(tiny_model))
    given, _ = segment(source, "many", options(tiny_model), make_executor=cluster_executors(cluster, 11))
    assert np.array_equal(given[0], wanted[0])
