"""A small town, and how its report is read, for the tests of this room."""

import csv
from html.parser import HTMLParser

import shapely

from dubai_landcover_plugin.core.report.report import write_report
from dubai_landcover_plugin.protocol.requests.report import ReportRequest
from tests.factories import ONE_METRE

WEST, NORTH = ONE_METRE.c, ONE_METRE.f


def box(left, top, right, bottom):
    """A rectangle given in pixels of ``ONE_METRE``."""
    return shapely.box(WEST + left, NORTH - bottom, WEST + right, NORTH - top)


def report(tmp_path, path, **options):
    return write_report(ReportRequest(path, str(tmp_path / "r.html"), **options)).to_json()


def table(tmp_path, path, **options):
    """Return the rows of the CSV by zone number and class name."""
    report(tmp_path, path, csv=str(tmp_path / "r.csv"), overwrite=True, **options)
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as stream:
        return {(int(row["zone_id"]), row["class"]): row for row in csv.DictReader(stream)}


def pixels(rows, number):
    return {name: int(row["pixels"]) for (zone, name), row in rows.items() if zone == number}


class Page(HTMLParser):
    """What a page links, and whether its tags are balanced."""

    VOID = ("meta", "br", "col", "image", "rect", "path")

    def __init__(self, text):
        super().__init__()
        self.links, self.stack, self.text = [], [], ""
        self.feed(text)
        assert self.stack == []

    def handle_starttag(self, tag, attrs):
        assert tag != "script"
        self.links += [value for name, value in attrs if name in ("href", "src")]
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.links += [value for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        self.text += data


def page(tmp_path):
    return Page((tmp_path / "r.html").read_text(encoding="utf-8"))
