"""What is left of a run that was killed can be gone on from, or is not used at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from dubai_landcover_plugin.core.io.outputs import journal_folder
from dubai_landcover_plugin.core.segmentation.journal import DamagedJournalError, Journal, Progress
from dubai_landcover_plugin.protocol.partial_files import make_partial, remove_partial

KEY = {"model": "abc", "window": 512}


def rows(seed, count=4, width=10):
    draw = np.random.default_rng(seed)
    labels, confidence, *probabilities = draw.integers(0, 7, (5, count, width)).astype(np.uint8)
    return labels, confidence, np.stack(probabilities)


def saved(tmp_path, saves=2):
    """Return a journal that saved so often, two blocks of rows each."""
    journal = Journal(tmp_path / "out.tif", KEY)
    for number in range(saves):
        journal.add_rows(*rows(2 * number))
        journal.add_rows(*rows(2 * number + 1, 3))
        journal.save(Progress(number, 10 * number))
    return journal


def test_the_same_run_finds_rows_and_state_again(tmp_path):
    saved(tmp_path)
    journal = Journal(tmp_path / "out.tif", KEY)
    assert journal.load() == Progress(1, 10)
    wanted = [rows(0), rows(1, 3), rows(2), rows(3, 3)]
    for found, expected in zip(journal.rows(), wanted, strict=True):
        assert all((a == b).all() for a, b in zip(found, expected, strict=True))


def test_what_was_not_given_is_none(tmp_path):
    journal = Journal(tmp_path / "out.tif", KEY)
    labels, confidence, probabilities = rows(0)
    for given in ((labels, None, None), (labels, confidence, None), (labels, None, probabilities)):
        journal.add_rows(*given)
    journal.save(Progress(1, 1))
    found = [[part is not None for part in parts] for parts in journal.rows()]
    assert found == [[True, False, False], [True, True, False], [True, False, True]]


def test_going_on_appends(tmp_path):
    saved(tmp_path, 1)
    journal = Journal(tmp_path / "out.tif", KEY)
    journal.load()
    journal.add_rows(*rows(9))
    journal.save(Progress(5, 0))
    again = Journal(tmp_path / "out.tif", KEY)
    assert again.load() == Progress(5, 0)
    assert len(list(again.rows())) == 3


@pytest.mark.parametrize("key", [{"model": "abc", "window": 256}, {}])
def test_another_run_does_not_use_them(tmp_path, key):
    saved(tmp_path)
    assert Journal(tmp_path / "out.tif", key).load() is None
    assert Journal(tmp_path / "other.tif", KEY).load() is None


def test_rows_that_the_state_does_not_know_are_dropped(tmp_path):
    """The rows are written before the state: a kill between the two leaves more rows than belong to it."""
    saved(tmp_path, 1)
    with (tmp_path / ".out.tif.unfinished" / "rows").open("ab") as stream:
        stream.write(b"half a block")
    journal = Journal(tmp_path / "out.tif", KEY)
    assert journal.load() == Progress(0, 0)
    assert len(list(journal.rows())) == 2


@pytest.mark.parametrize("name", ["rows", "state.json"])
@pytest.mark.parametrize(
    "harm", [lambda data: data[: len(data) // 2], lambda data: b"", lambda data: data[:40] + b"x" + data[41:]]
)
def test_damaged_files_are_not_used(tmp_path, name, harm):
    saved(tmp_path)
    path = tmp_path / ".out.tif.unfinished" / name
    path.write_bytes(harm(path.read_bytes()))
    with pytest.raises(DamagedJournalError):
        Journal(tmp_path / "out.tif", KEY).load()


@pytest.mark.parametrize("field", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("value", ["1e400", "NaN", "-1", "9" * 30, "9" * 6000, "null", '"3"', "[1]", "true", "2.0"])
def test_edited_numbers_are_noticed(tmp_path, field, value):
    saved(tmp_path)
    path = tmp_path / ".out.tif.unfinished" / "state.json"
    stored = json.loads(path.read_text())
    stored["state"][field] = "VALUE"
    path.write_text(json.dumps(stored).replace('"VALUE"', value))
    with pytest.raises(DamagedJournalError):
        Journal(tmp_path / "out.tif", KEY).load()


@pytest.mark.parametrize(
    "text",
    ["", "3", "null", "[]", "{}", '{"state": 3}', "[" * 100_000, '{"a":' * 50_000, '{"digest": "x", "bands": 1}'],
)
def test_other_json_is_noticed(tmp_path, text):
    saved(tmp_path)
    (tmp_path / ".out.tif.unfinished" / "state.json").write_text(text)
    with pytest.raises(DamagedJournalError):
        Journal(tmp_path / "out.tif", KEY).load()


def test_a_link_in_place_of_the_folder_is_removed_and_its_target_is_not_touched(tmp_path):
    saved(tmp_path).remove()
    target = tmp_path / "users"
    target.mkdir()
    (target / "rows").write_text("the user's")
    (tmp_path / ".out.tif.unfinished").symlink_to(target)
    journal = Journal(tmp_path / "out.tif", KEY)
    with pytest.raises(DamagedJournalError):
        journal.load()
    journal.remove()
    journal.add_rows(*rows(1))
    journal.save(Progress(1, 0))
    assert [(path.name, path.read_text()) for path in target.iterdir()] == [("rows", "the user's")]


def test_a_full_disk_leaves_the_earlier_save(tmp_path, monkeypatch):
    journal = saved(tmp_path, 1)
    journal.add_rows(*rows(9))
    with monkeypatch.context() as patch:
        patch.setattr(
            Path, "write_bytes", lambda *a, **k: (_ for _ in ()).throw(OSError(28, "No space left on device"))
        )
        with pytest.raises(OSError, match="No space"):
            journal.save(Progress(7, 0))
    again = Journal(tmp_path / "out.tif", KEY)
    assert again.load() == Progress(0, 0)
    assert len(list(again.rows())) == 2


def test_nothing_is_on_disk_before_it_is_due_or_after_the_end(tmp_path):
    journal = Journal(tmp_path / "out.tif", KEY, every=60)
    journal.add_rows(*rows(1))
    assert not journal.is_due()
    assert Journal(tmp_path / "out.tif", KEY, every=0).is_due()
    assert list(tmp_path.iterdir()) == []
    journal.save(Progress(1, 0))
    journal.remove()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_in_the_folder_is_removed_with_it(tmp_path):
    folder = journal_folder(tmp_path / "o.tif")
    folder.mkdir()
    left = make_partial(folder / "state.json")
    remove_partial(left)
    left.mkdir()
    Journal(tmp_path / "o.tif", {}).remove()
    assert not folder.exists()
