"""Write docs/options.md: a table of the options of every tool, from the requests.

Run it after an option has changed: ``.venv/bin/python .ci/options.py``, or ``make options``.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from dubai_landcover_plugin.protocol.requests import (  # noqa: E402 (after the path is set)
    AccuracyRequest,
    AccuracySampleRequest,
    BuildingsRequest,
    ChangeRequest,
    ClassFilesRequest,
    FolderRequest,
    PolygonizeRequest,
    ReportRequest,
    Request,
    RoadsRequest,
    SegmentationRequest,
    SegmentOptions,
)
from dubai_landcover_plugin.protocol.requests.options import Described, number_text  # noqa: E402

_SIGNS = {"at least ": "≥ ", "at most ": "≤ ", "above ": "> ", "in ": "", "..": " to "}
_RANGES = re.compile("|".join(map(re.escape, _SIGNS)))
TARGET = ROOT / "docs" / "options.md"
TOOLS: tuple[tuple[str, str, str, type[Request]], ...] = (
    ("Segment Land Cover", "landcover segment", "segment_raster", SegmentationRequest),
    ("Segment Folder", "landcover batch", "segment_folder", FolderRequest),
    ("Classified Raster to Polygons", "landcover polygons", "polygonize", PolygonizeRequest),
    ("Export Class Polygons", "landcover polygons", "export_class_polygons", ClassFilesRequest),
    ("Regularize Buildings", "landcover buildings", "regularize_buildings", BuildingsRequest),
    ("Extract Road Network", "landcover roads", "extract_roads", RoadsRequest),
    ("Land Cover Report", "landcover report", "write_report", ReportRequest),
    ("Draw Accuracy Sample", "landcover sample", "draw_accuracy_sample", AccuracySampleRequest),
    ("Accuracy Assessment", "landcover accuracy", "assess_accuracy", AccuracyRequest),
    ("Change Between Dates", "landcover change", "map_change", ChangeRequest),
)
"""Name in QGIS, command, function in Python, request."""
INTRODUCTION = """# Options

<!-- Written by .ci/options.py from dubai_landcover_plugin/protocol/requests/; do not edit. -->

All options of the tools in Python, on the command line and in QGIS. `landcover COMMAND --help` shows
them too. Options that have no parameter in QGIS are set by the plugin itself: results replace existing files after
Processing has asked, and the CRS is the layer's.
"""
SEGMENTATION = """
## Options of both segmentations

In Python they are the fields of `SegmentOptions`, the request's `options`. They apply to `landcover segment` and
`landcover batch`, Segment Land Cover and Segment Folder (which has no `BANDS`).
"""


def page() -> str:
    """Return the page as Markdown."""
    shared = {item.name for item in SegmentOptions.described()}
    parts = [INTRODUCTION]
    for title, command, function, request in TOOLS:
        items = request.described()
        nests = shared <= {item.name for item in items}
        own = [item for item in items if not (nests and item.name in shared)]
        parts.append(f"\n## {title}\n\n`{command}`, `{function}({request.__name__})`\n\n{table(own)}")
        if request is FolderRequest:
            parts.append(f"{SEGMENTATION}\n{table(SegmentOptions.described())}")
    return "".join(parts)


def table(items: Any) -> str:
    """Return a table of options as Markdown."""
    lines = ["| Python | command line | QGIS | default | values | meaning |", "|---|---|---|---|---|---|"]
    lines += ["| " + " | ".join(cells(item)) + " |" for item in items]
    return "\n".join(lines) + "\n"


def cells(item: Described) -> tuple[str, ...]:
    """Return the row of an option."""
    option = item.option
    command = f"`{item.name.upper()}`" if item.required else f"`{item.flag}`"
    values = ", ".join(f"`{choice}`" for choice in option.choices) or " ".join(
        part for part in (_RANGES.sub(lambda word: _SIGNS[word[0]], option.range_text), option.unit) if part
    )
    return (
        f"`{item.name}`",
        command,
        f"`{item.key}`" if item.key else "",
        default(item),
        values,
        option.help.replace("|", "\\|"),
    )


def default(item: Described) -> str:
    """Return the default value as text."""
    if item.required:
        return "required"
    if item.kind == "bool":
        return "on" if item.default else "off"
    if item.default in (None, (), {}):
        return ""
    text = " ".join(item.default) if isinstance(item.default, tuple) else str(item.default)
    return f"`{number_text(item.default) if isinstance(item.default, float) else text}`"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
