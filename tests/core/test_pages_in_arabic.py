"""Pages in the language of QGIS: every word that a page shows is translated, and it is written from right to left."""

from __future__ import annotations

import re

import numpy as np
import pytest

from dubai_landcover_plugin.core import assess_accuracy, map_change, write_report
from dubai_landcover_plugin.protocol.requests import AccuracyRequest, ChangeRequest, ReportRequest
from dubai_landcover_plugin.protocol.translation import use_language
from tests.core.assessment.cases import boxes, texts
from tests.factories import write_class_map, write_layer

_NAMES = {"Water", "Land", "Road", "Building", "Vegetation", "Unlabeled", "dubai", "world", "tif", "gpkg"} | {
    "EPSG", "WGS", "UTM", "zone", "Dubai", "Cover",
}  # fmt: skip
"""Names that pages keep: classes, files, models, the CRS and the program; sources too, see below."""
_SOURCES = re.compile(r"doi:\S+|Olofsson et al\.|Cochran|Stehman|Sampling Techniques|RPC|HTML|CSV|SHA-\d+|IoU")
_SHOWN = re.compile(r"<(style|pre|script)\b.*?</\1>|<[^>]*>", re.S)


@pytest.fixture
def arabic():
    use_language("ar")
    yield
    use_language("")


def english_words(page: str, folder: str) -> set[str]:
    """Return the words in Latin letters that a page shows, without names."""
    shown = _SOURCES.sub(" ", _SHOWN.sub(" ", page).replace(folder, ""))
    return set(re.findall(r"[A-Za-z]{3,}", shown)) - _NAMES


def two_maps(tmp_path):
    """Write two maps of 60 × 60 px, of which the later one is shifted; return their paths."""
    ids = np.kron(np.random.default_rng(5).integers(1, 6, (10, 10)), np.ones((6, 6), int))
    ids[:2] = 6
    later = np.roll(ids, (2, 3), (0, 1))
    return (
        write_class_map(tmp_path / "a.tif", ids, model="dubai"),
        write_class_map(tmp_path / "b.tif", later, model="world"),
    )


def check(path, tmp_path):
    page = path.read_text(encoding="utf-8")
    assert '<html lang="ar" dir="rtl">' in page
    assert english_words(page, str(tmp_path)) == set()


@pytest.mark.parametrize("kind", ["raster", "polygons", "points"])
def test_accuracy_assessment(tmp_path, arabic, kind):
    first, second = two_maps(tmp_path)
    reference = second
    if kind == "polygons":
        reference = write_layer(
            tmp_path / "p.gpkg", boxes((0, 0, 9, 9), (20, 20, 40, 40)), None, reference=texts(["Land", "Road"])
        )
    if kind == "points":
        corners = [(5, 5, 6, 6), (25, 25, 26, 26), (45, 45, 46, 46), (50, 10, 51, 11)]
        points = [box.centroid for box in boxes(*corners)]
        reference = write_layer(tmp_path / "p.gpkg", points, None, reference=texts(["Land", "Road", "Land", "Water"]))
    assess_accuracy(AccuracyRequest(first, reference, "reference", report=str(tmp_path / "r.html")))
    check(tmp_path / "r.html", tmp_path)


@pytest.mark.parametrize("correct", [False, True])
def test_change(tmp_path, arabic, correct):
    first, second = two_maps(tmp_path)
    request = ChangeRequest(
        first, second, str(tmp_path / "c.tif"), report=str(tmp_path / "r.html"), correct_shift=correct
    )
    map_change(request)
    check(tmp_path / "r.html", tmp_path)


def test_land_cover_report(tmp_path, arabic):
    first, _ = two_maps(tmp_path)
    write_report(ReportRequest(first, str(tmp_path / "r.html")))
    check(tmp_path / "r.html", tmp_path)
