"""Names of unfinished files: every process finds its own ones and no others."""

import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dubai_landcover_plugin.protocol.partial_files import partial_name, partial_owner

NAMES = st.text(st.characters(exclude_categories=("C",), exclude_characters="/\\"), min_size=1)
HOST = socket.gethostname()


@given(NAMES, st.sampled_from([None, "", ".tif", ".folder"]))
def test_a_process_finds_its_own_files(name, suffix):
    unfinished = partial_name(name, suffix)
    assert unfinished.startswith(".")
    assert partial_owner(unfinished) == partial_owner(unfinished, name) == os.getpid()
    assert partial_owner(unfinished, name + "x") is None
    assert partial_owner(f"{unfinished}.aux.xml", name) == os.getpid()


@given(NAMES)
def test_finished_files_belong_to_nobody(name):
    assert partial_owner(name) is None or ".partial" in name


def test_the_suffix_is_that_of_the_finished_file():
    assert partial_name("map.tif").endswith(".partial.tif")
    assert partial_name("map").endswith(".partial")
    assert partial_name("map.tif", ".folder").endswith(".partial.folder")


@pytest.mark.parametrize(
    "name",
    [
        f"a.tif.{HOST}-12.partial.tif", f".a.tif.{HOST}x-12.partial.tif", f".a.tif.x{HOST}-12.partial.tif",
        f".a.tif.{HOST}-x12.partial.tif", f".a.tif.{HOST}-12.partially.tif", f".a.tif.{HOST}-12", "",
    ],
)  # fmt: skip
def test_other_names_and_computers_are_left_alone(name):
    assert partial_owner(name, "a.tif") is None


def test_a_target_is_no_pattern():
    assert partial_owner(f".axtif.{HOST}-12.partial.tif", "a.tif") is None
    assert partial_owner(f".glob[1]*.tif.{HOST}-12.partial.tif", "glob[1]*.tif") == 12
