"""Each page with text that is not escaped anywhere else: class names, paths, titles, CRS names, models, warnings."""

import json
from dataclasses import replace

import numpy as np
import pytest
import shapely

from dubai_landcover_plugin.core.assessment.assess import assess
from dubai_landcover_plugin.core.assessment.page import assessment_page
from dubai_landcover_plugin.core.change import compare
from dubai_landcover_plugin.core.change.page import change_page
from dubai_landcover_plugin.core.report import report
from dubai_landcover_plugin.core.report.page import report_page
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests.change import ChangeRequest
from dubai_landcover_plugin.protocol.requests.report import ReportRequest
from tests.factories import ONE_METRE, write_class_map, write_confidence, write_layer
from tests.pages import HOSTILE, ParsedPage, assert_self_contained

PLAIN = "x"
SIDE = 64


def scheme_with(text):
    classes, unlabeled = (
        tuple(replace(entry, name=f"{entry.name} {text}") for entry in entries)
        for entries in (DUBAI.classes, (DUBAI.unlabeled,))
    )
    return ClassScheme(classes, unlabeled[0])


def class_map(path, scheme, seed=0):
    rng = np.random.default_rng(seed)
    ids = np.kron(rng.integers(1, 7, (8, 8)), np.ones((8, 8), int)).astype(np.uint8)
    return write_class_map(path, ids, scheme)


@pytest.fixture
def captured(monkeypatch):
    """Replace a page function of a module; return the arguments of its calls."""

    def capture(module, name):
        calls = []
        monkeypatch.setattr(module, name, lambda *arguments: calls.append(arguments) or "")
        return calls

    return capture


def make_report(text, tmp_path, captured):
    source = class_map(tmp_path / "map.tif", scheme_with(text))
    confidence = write_confidence(tmp_path / "conf.tif", np.full((SIDE, SIDE), 80))
    west, north = ONE_METRE.c, ONE_METRE.f
    shapes = [shapely.box(west, north - SIDE, west + 32, north), shapely.box(west + 32, north - SIDE, west + 64, north)]
    names = np.array([f"{number} {text}" for number in (1, 2)], object)
    zones = write_layer(tmp_path / "zones.gpkg", shapes, name=names)
    calls = captured(report, "report_page")
    request = ReportRequest(
        source, str(tmp_path / "r.html"), zones=zones, zone_field="name", confidence=confidence, title=text,
        overwrite=True,
    )  # fmt: skip
    report.write_report(request, SilentMonitor())
    (provenance, *others), *_ = calls
    provenance = replace(
        provenance, raster=text, crs=text, model=text, model_hash=text, classified=text, confidence=text, zones=text,
        zone_field=text, notes=(text,), facts=(text,),
    )  # fmt: skip
    return report_page(provenance, *others)


def make_change(text, tmp_path, captured):
    scheme = scheme_with(text)
    first, second = (class_map(tmp_path / f"{seed}.tif", scheme, seed) for seed in (0, 1))
    calls = captured(compare, "change_page")
    output, page = str(tmp_path / "c.tif"), str(tmp_path / "c.html")
    compare.map_change(ChangeRequest(first, second, output, report=page, overwrite=True), SilentMonitor())
    outcome = calls[0][0]
    request = replace(outcome.request, earlier=f"1 {text}", later=f"2 {text}")
    return change_page(replace(outcome, request=request, models=(text, text), warnings=(text,)))


def make_assessment(text, tmp_path, _):
    scheme = scheme_with(text)
    first, second = (class_map(tmp_path / f"{seed}.tif", scheme, seed) for seed in (0, 1))
    found = assess(first, second, "reference", SilentMonitor())
    return assessment_page(replace(found, warnings=[text], method=[text]), text, text)


@pytest.mark.parametrize(
    ("make", "least"),
    [
        (make_report, 60),  # legends, bars and tables of 6 classes and 2 zones, and the sources
        (make_change, 60),  # matrix, gains, transitions, and the record
        (make_assessment, 30),  # 2 tables and 2 matrices, each with 5 or 6 classes
    ],
)
def test_all_text_of_a_page_is_escaped(make, least, tmp_path, captured):
    plain = ParsedPage(make(PLAIN, tmp_path, captured))
    text = make(HOSTILE, tmp_path, captured)
    hostile = ParsedPage(text)
    assert "<script" not in text
    assert hostile.tags == plain.tags
    as_json = json.dumps(HOSTILE)[1:-1]  # in the records of runs
    assert hostile.occurrences(HOSTILE) + hostile.occurrences(as_json) >= least
    assert_self_contained(hostile, allowed=("https://doi.org/",))
