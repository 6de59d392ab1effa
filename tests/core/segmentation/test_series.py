"""The rasters of a folder share the network, and are judged by their total size."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest
import rasterio

from dubai_landcover_plugin.core.runtimes.predictor import Predictor
from dubai_landcover_plugin.core.segmentation import executor
from dubai_landcover_plugin.core.segmentation.batch import run_folder
from dubai_landcover_plugin.core.segmentation.series import Series
from dubai_landcover_plugin.protocol.errors import RasterReadError
from dubai_landcover_plugin.protocol.requests.folder import FolderRequest
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from tests.core.segmentation.cases import Listener, run
from tests.factories import random_pixels, stub_bundle, write_raster


class Loaded(Predictor):
    """A predictor that counts."""

    made: ClassVar[list[Loaded]] = []
    closed: ClassVar[list[Loaded]] = []

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self.made.append(self)

    def close(self) -> None:
        super().close()
        self.closed.append(self)


@pytest.fixture(autouse=True)
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUBAI_LANDCOVER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(executor, "Predictor", Loaded)
    monkeypatch.setattr(Loaded, "made", [])
    monkeypatch.setattr(Loaded, "closed", [])


def folder_of(tmp_path: Path, *sides: int) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for index, side in enumerate(sides):
        write_raster(folder / f"{index}.tif", random_pixels(side, side, index))
    return folder


def segment(folder: Path, listener: Listener | None = None, **options: object):
    request = FolderRequest(
        str(folder), str(folder.parent / "out"), options=SegmentOptions(window=64, device="cpu", **options)
    )
    return run_folder(request, listener, stub_bundle(2))


def test_rasters_with_equal_windows_share_the_network_and_get_the_same_classes(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 80, 70, 90)
    assert segment(folder).done == 3
    assert (len(Loaded.made), len(Loaded.closed)) == (1, 1)
    for index in range(3):
        alone, _ = run(folder / f"{index}.tif", stub_bundle(2), window=64, device="cpu")
        with rasterio.open(tmp_path / "out" / f"{index}_landcover.tif") as dataset:
            assert (dataset.read(1) == alone).all()


def test_a_raster_that_fails_leaves_no_network_to_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_of(tmp_path, 80, 80, 80)
    compute = executor.LocalExecutor.compute

    def fail(self: executor.LocalExecutor, *arguments: object) -> int:
        if self._job.request.input.endswith("1.tif"):
            raise RasterReadError("A block cannot be read.")
        return compute(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(executor.LocalExecutor, "compute", fail)
    outcome = segment(folder)
    assert (outcome.done, outcome.failed) == (2, 1)
    assert len(Loaded.made) == len(Loaded.closed) == 2  # the first two rasters, the third


def test_messages_of_a_kept_network_go_to_the_raster_that_uses_it() -> None:
    lines: list[list[tuple[str, str]]] = [[], []]
    with Series(["a", "b"]) as series:
        first = series.predictor(("key",), lambda *line: lines[0].append(line), lambda: Loaded(stub_bundle(), "cpu"))
        series.give_back(first, failed=False)
        second = series.predictor(("key",), lambda *line: lines[1].append(line), lambda: pytest.fail("loaded"))
        second._log("info", "here")
        assert second is first
        assert lines == [[], [("info", "here")]]
        series.give_back(second, failed=False)
        third = series.predictor(("other",), print, lambda: Loaded(stub_bundle(), "cpu"))
        assert first in Loaded.closed
        series.give_back(third, failed=False)
    assert Loaded.closed == Loaded.made


def test_a_folder_is_judged_by_its_total(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino")
    folder = folder_of(tmp_path, 80, 80)
    monkeypatch.setattr(executor, "WORTH_TRYING", 2 * 80 * 80)
    alone = Listener()
    run(folder / "0.tif", stub_bundle(2), alone, window=64, device="cpu")
    assert not [text for _, text in alone.lines if "agreement" in text]
    both = Listener()
    segment(folder, both)
    tried = [text for _, text in both.lines if "agreement" in text]
    assert tried
    assert all(text.startswith("0.tif: ") for text in tried)
    again = Listener()  # a raster that is too small for a trial uses the stored one
    run(folder / "0.tif", stub_bundle(2), again, window=64, device="cpu")
    assert [text for _, text in again.lines if text.endswith("agreement with float32, as measured earlier")]


def test_pixels_are_counted_until_there_are_enough(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, 10, 20, 30)
    (folder / "1.tif").write_bytes(b"broken")
    paths = [str(folder / f"{index}.tif") for index in range(3)]
    series = Series(paths)
    assert [series.pixels_after(path, 1e9) for path in paths] == [900, 900, 0]
    assert series.pixels_after("elsewhere.tif", 1e9) == 0
    assert Series([*paths, "missing.tif"]).pixels_after(paths[1], 900) == 900
