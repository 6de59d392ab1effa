"""An assessment as CSV: one row for each class, one for the whole map."""

from __future__ import annotations

import csv
import io
import math

from dubai_landcover_plugin.core.assessment.estimate import Figure
from dubai_landcover_plugin.core.assessment.result import Assessment

TOTAL = "All"


def assessment_csv(found: Assessment) -> str:
    """Return the figures as CSV; what is not defined stays empty.

    Columns: class, id, its row of the confusion matrix (``ref_`` and the class on the ground), accuracy (0..1) and
    areas, each with half the width of its 95 % interval. In the last row, users_accuracy is the overall accuracy.
    """
    entries = found.scheme.entries
    unit = found.unit
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        [
            "class", "id", *(f"ref_{entries[index].name}" for index in found.labelled),
            "users_accuracy", "users_margin", "producers_accuracy", "producers_margin",
            f"mapped_{unit}", f"area_{unit}", "area_margin",
        ]
    )  # fmt: skip
    for index in found.shown:
        writer.writerow(
            [
                entries[index].name, entries[index].id, *found.counts[index, found.labelled].tolist(),
                *_pair(found.users[index]), *_pair(found.producers[index]),
                f"{found.mapped[index]:.10g}", *_pair(found.areas[index]),
            ]
        )  # fmt: skip
    columns = found.counts[:, found.labelled].sum(axis=0).tolist()
    total = sum(figure.value for figure in found.areas)
    writer.writerow(
        [TOTAL, "", *columns, *_pair(found.overall), "", "", f"{found.mapped.sum():.10g}", f"{total:.10g}", ""]
    )
    return stream.getvalue()


def _pair(figure: Figure) -> list[str]:
    return [f"{number:.10g}" if math.isfinite(number) else "" for number in (figure.value, figure.margin)]
