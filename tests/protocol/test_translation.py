"""Texts in the language of QGIS."""

from __future__ import annotations

import struct

import pytest

from dubai_landcover_plugin.protocol import translation
from dubai_landcover_plugin.protocol.translation import direction, isolated, language, tr, use_language


def write_catalogue(path, text, translated):
    """Write a .mo file, as the manual of GNU gettext describes it, of a header and one text."""
    originals, translations = [b"", text.encode()], [b"Content-Type: text/plain; charset=UTF-8\n", translated.encode()]
    tables, data, place = [], b"", 28 + 16 * len(originals)
    for strings in (originals, translations):
        for string in strings:
            tables += [len(string), place + len(data)]
            data += string + b"\0"
    header = struct.pack("<7I", 0x950412DE, 0, len(originals), 28, 28 + 8 * len(originals), 0, 0)
    path.write_bytes(header + struct.pack(f"<{len(tables)}I", *tables) + data)


@pytest.fixture
def catalogues(tmp_path, monkeypatch):
    (tmp_path / "translations").mkdir()
    monkeypatch.setattr(translation, "resource", lambda name: str(tmp_path / name))
    write_catalogue(tmp_path / "translations" / "de.mo", "Road", "Straße")
    write_catalogue(tmp_path / "translations" / "de_AT.mo", "Road", "Gasse")
    yield tmp_path / "translations"
    use_language("")


@pytest.mark.parametrize(
    ("locale", "text"),
    [("de", "Straße"), ("de_CH", "Straße"), ("de-AT", "Gasse"), ("xx", "Road"), ("", "Road"), ("en_US", "Road")],
)
def test_the_nearest_catalogue_is_used(catalogues, locale, text):
    use_language("de")
    use_language(locale)
    assert tr("Road") == text


def test_texts_that_the_catalogue_lacks_stay_english(catalogues):
    use_language("de")
    assert tr("Water") == "Water"
    assert tr("") == ""  # not the header of the catalogue


def test_language_and_direction(catalogues):
    assert (language(), direction()) == ("", "ltr")
    use_language("de_CH")
    assert (language(), direction(), isolated("world")) == ("de", "ltr", "world")
    write_catalogue(catalogues / "ar.mo", "Road", "طريق")
    use_language("ar_AE")
    assert (language(), direction(), isolated("world")) == ("ar", "rtl", "\u2068world\u2069")
