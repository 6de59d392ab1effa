"""An HTML page about one run: areas, a bar chart, what was asked and with what."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from dubai_landcover_plugin.core.html.page import PRINT, bar, key, page, table, warning
from dubai_landcover_plugin.protocol.classes import ClassScheme


def report_html(record: dict[str, Any], scheme: ClassScheme) -> str:
    """Return a self-contained page for a run record; see :func:`.run_record`."""
    result, model = record["result"], record["model"]
    facts = (
        f"{result['width']:,} × {result['height']:,} px · {result['seconds']:.1f} s on {result['device']}, "
        f"{result['precision']} · model {model['name']} ({model['architecture']})"
    )
    warnings = "".join(map(warning, result["warnings"]))
    return page(
        "Land cover",
        f"<h1>Land cover</h1>\n<p>{escape(record['request']['input'])}<br>"
        f'<span class="small">{escape(facts)} · {escape(record["finished"])}</span></p>\n'
        f"{warnings}\n<h2>Classes</h2>\n{_class_table(result, scheme)}\n"
        f"<h2>Run record</h2>\n<pre>{escape(json.dumps(record, indent=2, ensure_ascii=False))}</pre>",
        PRINT,
    )


def _class_table(result: dict[str, Any], scheme: ClassScheme) -> str:
    total = max(result["valid_pixels"], 1)
    areas = result["area_m2"]
    most = max([*result["pixels"].values(), 1])
    rows = []
    for entry in scheme.entries:
        pixels = result["pixels"][entry.name]
        area = "–" if areas is None else f"{areas[entry.name] / 1e4:,.2f}"
        name = f"{key(entry.colour)}{escape(entry.name)}"
        rows.append((name, bar(entry.colour, pixels / most), f"{100 * pixels / total:.1f} %", area, f"{pixels:,}"))
    return table(("Class", "", "Share", "Hectares", "Pixels"), rows, left=2, widths=("", "45%"))
