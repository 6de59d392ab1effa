"""Files of a data set are placed all or none, wherever a kill comes in between."""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from pathlib import Path

import pytest

from dubai_landcover_plugin.protocol import placement
from dubai_landcover_plugin.protocol.partial_files import make_partial, remove_partial, sweep_partials
from dubai_landcover_plugin.protocol.placement import NOTE, REPLACED, place, recover
from tests.partials import abandon

SHAPEFILE = ["t.shp", "t.dbf", "t.prj", "t.shx"]
INDEX = "t.qix"
CALLS = ("rename", "replace", "link", "unlink", "mkdir", "fsync")


class KilledError(Exception):
    """Stands for a kill."""


def state(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def new_files(folder: Path, names: list[str]) -> Path:
    partial = make_partial(folder / names[0])
    for name in names:
        (partial / name).write_text("new")
    return partial


def killed_at(monkeypatch: pytest.MonkeyPatch, number: int, after: bool) -> list[str]:
    """Raise at a call of the file system, before or after it is made; return the list of calls."""
    calls: list[str] = []
    dead = False
    for name in CALLS:
        real = getattr(os, name)

        def call(*arguments, _real=real, _name=name, **options):
            nonlocal dead
            calls.append(_name)
            dead = dead or len(calls) == number
            if dead and not after:
                raise KilledError
            result = _real(*arguments, **options)
            if dead:
                raise KilledError
            return result

        monkeypatch.setattr(placement.os, name, call)
    return calls


CASES = [
    pytest.param(SHAPEFILE, dict.fromkeys([*SHAPEFILE, "t.cpg", INDEX], "old"), id="shapefile"),
    pytest.param(SHAPEFILE, {**dict.fromkeys(SHAPEFILE, "old"), "t.prj": "new"}, id="same-crs"),
    pytest.param(SHAPEFILE, {}, id="new-shapefile"),
    pytest.param(["t.fgb", "t.qml"], {"t.fgb": "old", "t.qml": "old"}, id="style"),
    pytest.param(["t.fgb", "t.qml"], {"t.fgb": "old", "t.qml": "new"}, id="same-style"),
    pytest.param(["t.fgb", "t.qml"], {}, id="new-style"),
    pytest.param(["t.tif"], {"t.tif": "old"}, id="raster"),
    pytest.param(["t.tif"], {}, id="new-raster"),
]


@pytest.mark.parametrize(("names", "old"), CASES)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_kill_leaves_the_old_set_nothing_or_the_new_one(tmp_path, names, old, after):
    new, outcomes = dict.fromkeys(names, "new"), set()
    stale = ["t.dbf", "t.cpg", INDEX] if names == SHAPEFILE else []
    for number in range(1, 60):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "t.qmd").write_text("the user's")
        for name, content in old.items():
            (folder / name).write_text(content)
        partial = new_files(folder, names)
        with pytest.MonkeyPatch.context() as patched:
            calls = killed_at(patched, number, after)
            with suppress(KilledError):
                place(partial, names, [folder / name for name in stale], bool(old))
        found = state(folder)
        assert found.pop("t.qmd") == "the user's"
        if names == SHAPEFILE and names[0] in found:
            assert found in (old, new)  # never a mixture that can be read
        if names != SHAPEFILE and old:  # a complete file is always there, with its own side files or without
            assert found.items() <= (old if found[names[0]] == "old" else new).items()
        abandon(partial)
        sweep_partials(folder)
        found = state(folder)
        assert found.pop("t.qmd") == "the user's"
        assert found in (old, new)
        assert len(os.listdir(folder)) == len(found) + 1
        outcomes.add(found == new)
        if len(calls) < number:
            break
    assert outcomes == {False, True}
    assert number > len(new.items() - old.items()) + 1


def test_a_second_kill_while_recovering_changes_nothing(tmp_path):
    names, old, new = SHAPEFILE, dict.fromkeys([*SHAPEFILE, INDEX], "old"), dict.fromkeys(SHAPEFILE, "new")
    for first in range(8, 20, 3):
        for second in range(1, 12, 2):
            folder = tmp_path / f"{first}_{second}"
            folder.mkdir()
            for name in old:
                (folder / name).write_text("old")
            partial = new_files(folder, names)
            for number, action in ((first, "place"), (second, "recover")):
                with pytest.MonkeyPatch.context() as patched:
                    killed_at(patched, number, False)
                    with suppress(KilledError):
                        if action == "place":
                            place(partial, names, [folder / INDEX], True)
                        else:
                            recover(partial)
            abandon(partial)
            sweep_partials(folder)
            assert state(folder) in (old, new)


def test_an_error_puts_the_earlier_files_back(tmp_path, monkeypatch):
    for name in SHAPEFILE:
        (tmp_path / name).write_text("old")
    partial = new_files(tmp_path, SHAPEFILE)
    real = os.link

    def refuse(source, target):
        if str(source).endswith("prj"):
            raise OSError(errno.EIO, "Input/output error")
        real(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(placement.os, "link", refuse)
        patched.setattr(placement.os, "name", "posix")
        with pytest.raises(OSError, match="Input/output error"):
            place(partial, SHAPEFILE, [], True)
    remove_partial(partial)
    assert state(tmp_path) == dict.fromkeys(SHAPEFILE, "old")
    assert sorted(os.listdir(tmp_path)) == sorted(SHAPEFILE)


def test_the_earlier_files_are_kept_while_they_cannot_be_put_back(tmp_path, monkeypatch):
    for name in SHAPEFILE:
        (tmp_path / name).write_text("old")
    partial = new_files(tmp_path, SHAPEFILE)

    def refuse(*arguments):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patched:
        for name in ("link", "replace"):
            patched.setattr(placement.os, name, refuse)
        with pytest.raises(OSError, match="Input/output error"):
            place(partial, SHAPEFILE, [], True)
        remove_partial(partial)
        assert (partial / REPLACED / "t.shp").read_text() == "old"
    assert sweep_partials(tmp_path) == [partial]
    assert state(tmp_path) == dict.fromkeys(SHAPEFILE, "old")


def test_side_files_of_a_replaced_raster_go(tmp_path):
    for name in ("t.tif", "t.tif.aux.xml"):
        (tmp_path / name).write_text("old")
    partial = new_files(tmp_path, ["t.tif"])
    place(partial, ["t.tif"], [tmp_path / "t.tif.aux.xml"], overwrite=True)
    remove_partial(partial)
    assert state(tmp_path) == {"t.tif": "new"}


@pytest.mark.parametrize("links", [True, False], ids=["hard-links", "no-hard-links"])
@pytest.mark.parametrize("name", ["t.fgb", "t.qml", "t.qix"])
def test_a_file_that_appears_is_not_replaced(tmp_path, monkeypatch, links, name):
    partial = new_files(tmp_path, ["t.fgb", "t.qml"])
    (tmp_path / name).write_text("the user's")
    if not links:
        monkeypatch.setattr(placement.os, "link", lambda *_: (_ for _ in ()).throw(OSError(errno.EPERM, "none")))
    with pytest.raises(FileExistsError) as caught:
        place(partial, ["t.fgb", "t.qml"], [tmp_path / "t.qix"], overwrite=False)
    assert caught.value.filename2 == str(tmp_path / name)
    remove_partial(partial)
    assert state(tmp_path) == {name: "the user's"}


@pytest.mark.skipif(os.name == "nt", reason="renames there never replace")
def test_a_file_that_appears_at_the_last_moment_is_not_replaced(tmp_path, monkeypatch):
    partial = new_files(tmp_path, ["t.fgb"])
    monkeypatch.setattr(placement, "_sync", lambda path: (tmp_path / "t.fgb").write_text("the user's"))
    with pytest.raises(FileExistsError):
        place(partial, ["t.fgb"], [], overwrite=False)
    remove_partial(partial)
    assert state(tmp_path) == {"t.fgb": "the user's"}


def test_what_the_user_puts_there_after_a_kill_is_kept(tmp_path, monkeypatch):
    partial = new_files(tmp_path, SHAPEFILE)
    with monkeypatch.context() as patched:
        patched.setattr(placement, "_move", lambda source, target, _: _move_then_die(source, target))
        with pytest.raises(KilledError):
            place(partial, SHAPEFILE, [], True)
    (tmp_path / "t.dbf").write_text("the user's")
    abandon(partial)
    sweep_partials(tmp_path)
    assert state(tmp_path) == {"t.dbf": "the user's"}


def _move_then_die(source: Path, target: Path) -> None:
    os.rename(source, target)
    raise KilledError


@pytest.mark.parametrize("name", ["../t.shp", "/t.shp", "", ".."])
def test_a_forged_note_moves_nothing(tmp_path, name):
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "t.shp").write_text("the user's")
    partial = new_files(inner, ["t.dbf"])
    (partial / NOTE).write_text(json.dumps([[name, 0, 0], ["t.dbf", 0, 0]]))
    recover(partial)
    remove_partial(partial)
    assert state(inner) == {}
    assert state(tmp_path) == {"t.shp": "the user's"}


@pytest.mark.parametrize("text", ["", "[", "5", "[5]", "[[]]", "[" * 100_000, "{}"])
def test_a_damaged_note_moves_nothing(tmp_path, text):
    partial = new_files(tmp_path, ["t.dbf"])
    (partial / NOTE).write_text(text)
    recover(partial)
    assert state(tmp_path) == {}
