from __future__ import annotations

import sys
import xml.dom

import pytest

from dubai_landcover_plugin.protocol.lazy_names import lazy_names


def test_names_are_imported_on_first_use(monkeypatch):
    get, listed = lazy_names("xml.dom", {"parseString": "minidom"})
    monkeypatch.delitem(sys.modules, "xml.dom.minidom", raising=False)
    assert {"parseString", *vars(xml.dom)} == set(listed())
    assert "xml.dom.minidom" not in sys.modules
    assert get("parseString") is sys.modules["xml.dom.minidom"].parseString


def test_other_names_are_no_attributes():
    get, _ = lazy_names("xml.dom", {"parseString": "minidom"})
    with pytest.raises(AttributeError, match="has no attribute 'parse'"):
        get("parse")
