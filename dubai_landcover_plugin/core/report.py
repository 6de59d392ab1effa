"""An HTML page about one run: areas, a bar chart, what was asked and with what."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from dubai_landcover_plugin.core.classes import ClassScheme

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } th, td { padding: .35rem .6rem; border-bottom: 1px solid #ddd; }
th { text-align: left; } td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.key { display: inline-block; width: .9em; height: .9em; border-radius: 2px; }
.key { margin-right: .5em; vertical-align: -.1em; }
.bar { height: .9em; border-radius: 2px; } .warning { background: #fff4d6; padding: .4rem .8rem; border-radius: 4px; }
pre { background: #f5f5f5; padding: .8rem; overflow-x: auto; font-size: 12px; } .small { color: #666; }
"""


def report_html(record: dict[str, Any], scheme: ClassScheme) -> str:
    """Return a self-contained page for a run record; see :func:`~dubai_landcover_plugin.core.record.run_record`."""
    result, model = record["result"], record["model"]
    facts = (
        f"{result['width']:,} × {result['height']:,} px · {result['seconds']:.1f} s on {result['device']}, "
        f"{result['precision']} · model {model['name']} ({model['architecture']})"
    )
    warnings = "".join(f'<p class="warning">{escape(text)}</p>' for text in result["warnings"])
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Land cover</title>'
        f"<style>{STYLE}</style></head><body>\n"
        f"<h1>Land cover</h1>\n<p>{escape(record['request']['input'])}<br>"
        f'<span class="small">{escape(facts)} · {escape(record["finished"])}</span></p>\n'
        f"{warnings}\n<h2>Classes</h2>\n{_class_table(result, scheme)}\n"
        f"<h2>Run record</h2>\n<pre>{escape(json.dumps(record, indent=2, ensure_ascii=False))}</pre>\n"
        "</body></html>\n"
    )


def _class_table(result: dict[str, Any], scheme: ClassScheme) -> str:
    total = max(result["valid_pixels"], 1)
    areas = result["area_m2"]
    most = max([*result["pixels"].values(), 1])
    rows = []
    for entry in scheme.entries:
        pixels = result["pixels"][entry.name]
        share, length = 100 * pixels / total, 100 * pixels / most
        area = "–" if areas is None else f"{areas[entry.name] / 1e4:,.2f}"
        rows.append(
            f'<tr><td><span class="key" style="background:{entry.colour}"></span>{escape(entry.name)}</td>'
            f'<td style="width:45%"><div class="bar" style="background:{entry.colour};width:{length:.2f}%">'
            f'</div></td><td class="number">{share:.1f} %</td><td class="number">{area}</td>'
            f'<td class="number">{pixels:,}</td></tr>'
        )
    return (
        '<table><tr><th>Class</th><th></th><th class="number">Share</th><th class="number">Hectares</th>'
        f'<th class="number">Pixels</th></tr>\n{"".join(rows)}</table>'
    )
