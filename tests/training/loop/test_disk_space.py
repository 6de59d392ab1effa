"""Whether the checkpoints of a training fit on the disk."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path

import pytest
import torch

from training.errors import TrainingError
from training.loop.checkpoint import BEST, LAST
from training.loop.disk_space import check_space

_MODEL = torch.nn.Linear(500_000, 1, bias=False)  # 2 MB


def _free(monkeypatch: pytest.MonkeyPatch, megabytes: float) -> None:
    usage = namedtuple("Usage", "free")(int(megabytes * 1e6))
    monkeypatch.setattr("training.loop.disk_space.shutil.disk_usage", lambda path: usage)


def test_last_best_and_start_must_fit_while_one_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "new" / "run"
    _free(monkeypatch, 27.9)
    with pytest.raises(TrainingError, match=r"need about 28 MB in .*run, 28 MB are free. Free some space, or choose"):
        check_space(folder, _MODEL)
    _free(monkeypatch, 28)
    check_space(folder, _MODEL)
    with pytest.raises(TrainingError, match="about 48 MB"):
        check_space(folder, _MODEL, curve=True)
    assert not folder.exists()


def test_checkpoints_of_a_resumed_run_are_there_already(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _free(monkeypatch, 12)
    for name in (LAST, BEST):
        (tmp_path / name).write_bytes(bytes(8_000_000))
    check_space(tmp_path, _MODEL)
    (tmp_path / BEST).unlink()
    with pytest.raises(TrainingError, match="about 20 MB"):
        check_space(tmp_path, _MODEL)
