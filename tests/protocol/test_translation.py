"""Texts in the language of QGIS."""

from __future__ import annotations

import os
import struct
import subprocess
import sys

import pytest

from dubai_landcover_plugin.protocol import translation
from dubai_landcover_plugin.protocol.translation import (
    direction,
    english,
    grouped,
    isolated,
    joined,
    language,
    marked,
    tr,
    use_language,
)


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


def test_fields_are_put_in(catalogues):
    assert tr("{name}: {count:,} of {share:.1%}", name="Road", count=1234, share=0.5) == "Road: 1,234 of 50.0%"
    assert tr("{'kept'}") == "{'kept'}"  # without fields, a text is no template


def test_fields_are_isolated_in_a_language_written_right_to_left(catalogues):
    write_catalogue(catalogues / "ar.mo", "{count} in {path!r}", "في {path!r} {count}")
    use_language("ar")
    assert tr("{count} in {path!r}", count=3, path="/tmp/a.tif") == "في \u2068'/tmp/a.tif'\u2069 3"


def test_a_text_that_begins_with_a_name_runs_from_the_right(catalogues):
    write_catalogue(catalogues / "ar.mo", "{path} exists.", "{path} موجود.")
    use_language("ar")
    assert tr("{path} exists.", path="a.tif") == "\u200f\u2068a.tif\u2069 موجود."


@pytest.mark.parametrize(("locale", "text"), [("de", "1\u202f234"), ("ar", "1,234"), ("", "1,234")])
def test_thousands_are_not_taken_for_decimals(catalogues, locale, text):
    write_catalogue(catalogues / "ar.mo", "Road", "طريق")
    use_language(locale)
    assert (tr("{count:,}", count=1234), grouped("1,234")) == (text, text)


def test_lists_are_joined_as_the_language_does(catalogues):
    assert joined(["a", 2]) == "a, 2"
    assert joined("abc", 2) == "a, b, …"
    assert joined(("a", "b"), mark="; ") == "a; b"
    write_catalogue(catalogues / "ar.mo", ", ", "، ")
    use_language("ar")
    assert joined(["a", 2]) == "\u200f\u2068a\u2069، \u20682\u2069"
    assert joined([]) == ""


def test_texts_of_files_stay_english(catalogues):
    use_language("de")
    with english():
        assert (tr("Road"), language(), grouped("1,234")) == ("Road", "", "1,234")
    assert (tr("Road"), language()) == ("Straße", "de")


def test_a_marked_text_is_the_text(catalogues):
    use_language("de")
    assert marked("Road") == "Road"
    assert tr(marked("Road")) == "Straße"


@pytest.mark.parametrize(("locale", "text"), [("de", "existiert"), ("", "exists")])
def test_a_process_takes_the_language_of_its_environment(locale, text):
    code = "from dubai_landcover_plugin.protocol.translation import tr; print(tr('{path} exists.', path='a'))"
    environment = {**os.environ, translation.VARIABLE: locale, "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"a {text}."
