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

from dubai_landcover_plugin.protocol.requests import FolderRequest, SegmentOptions  # noqa: E402 (after the path is set)
from dubai_landcover_plugin.protocol.requests.options import Described, number_text  # noqa: E402
from dubai_landcover_plugin.protocol.requests.tasks import TASKS  # noqa: E402

_SIGNS = {"at least ": "≥ ", "at most ": "≤ ", "above ": "> ", "in ": "", "..": " to "}
_RANGES = re.compile("|".join(map(re.escape, _SIGNS)))
TARGET = ROOT / "docs" / "options.md"
TOOLS = {
    "segment_raster": ("Segment Land Cover", "landcover segment"),
    "segment_folder": ("Segment Folder", "landcover batch"),
    "polygonize": ("Classified Raster to Polygons", "landcover polygons"),
    "export_class_polygons": ("Export Class Polygons", "landcover polygons"),
    "regularize_buildings": ("Regularize Buildings", "landcover buildings"),
    "extract_roads": ("Extract Road Network", "landcover roads"),
    "write_report": ("Land Cover Report", "landcover report"),
    "draw_accuracy_sample": ("Draw Accuracy Sample", "landcover sample"),
    "assess_accuracy": ("Accuracy Assessment", "landcover accuracy"),
    "map_change": ("Change Between Dates", "landcover change"),
    "apply_corrections": ("Apply Corrections", "landcover correct"),
    "recode_classes": ("Recode Classes", "landcover recode"),
    "reclassify_probabilities": ("Reclassify Probabilities", "landcover reclassify"),
    "teach_model": ("Model from Samples", "landcover teach"),
    "preview_land_cover": ("Preview Land Cover", "landcover preview"),
    "create_label_layer": ("Create Label Layer", "landcover label-layer"),
    "check_labels": ("Check Labels", "landcover-train check-labels"),
    "train_model": ("Train Model", "landcover-train train-model"),
    "evaluate_model": ("Evaluate Model", "landcover-train evaluate-model"),
    "export_model": ("Export Model", "landcover-train export-model"),
    "make_sample_data": ("Make Sample Data", "landcover-train sample-data"),
}
"""By function in Python: name in QGIS and command."""
INTRODUCTION = """# Options

<!-- Written by .ci/options.py from dubai_landcover_plugin/protocol/requests/; do not edit. -->

All options of the tools in Python, on the command line and in QGIS. `landcover COMMAND --help` shows
them too. Options that have no parameter in QGIS are set by the plugin itself: results replace existing files after
Processing has asked, and the CRS is the layer's.
"""
SEGMENTATION = """
## Options of both segmentations

In Python they are the fields of `SegmentOptions`, the request's `options`. They apply to `landcover segment` and
`landcover batch`, Segment Land Cover and Segment Folder (which has no `BANDS`). `landcover teach` and
`landcover preview` have those about reading and the network.
"""


def page() -> str:
    """Return the page as Markdown."""
    shared = {item.name for item in SegmentOptions.described()}
    parts = [INTRODUCTION]
    for function, (title, command) in TOOLS.items():
        request = TASKS[function].request
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
