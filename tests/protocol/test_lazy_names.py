from __future__ import annotations

import sys

import pytest

from dubai_landcover_plugin.protocol.lazy_names import lazy_names


def test_names_are_imported_on_first_use():
    get, listed = lazy_names("xml.dom", {"parseString": "minidom"})
    sys.modules.pop("xml.dom.minidom", None)
    assert {"parseString", "Node"} <= set(listed())
    assert "xml.dom.minidom" not in sys.modules
    assert get("parseString") is sys.modules["xml.dom.minidom"].parseString


def test_other_names_are_no_attributes():
    get, _ = lazy_names("xml.dom", {"parseString": "minidom"})
    with pytest.raises(AttributeError, match="has no attribute 'parse'"):
        get("parse")
