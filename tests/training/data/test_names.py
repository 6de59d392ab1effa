"""Names in messages."""

from __future__ import annotations

import pytest

from training.data.names import check_names, listing
from training.errors import ConfigError


def test_an_unknown_name_is_reported_with_similar_ones() -> None:
    check_names(["tile1"], {"tile1", "tile2"}, "split.exclude")
    with pytest.raises(
        ConfigError, match=r"split\.exclude contains 'tile3', which does not exist.*Did you mean tile[12], tile[12]\?"
    ):
        check_names(["tile1", "tile3"], {"tile1", "tile2", "x"}, "split.exclude")


def test_long_lists_are_cut() -> None:
    assert listing(["a", "b"]) == "a, b"
    assert listing([str(number) for number in range(15)]) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 3 more"
