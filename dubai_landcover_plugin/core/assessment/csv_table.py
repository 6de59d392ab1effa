"""Assessment as CSV: one row for each class and one for the whole map."""

from __future__ import annotations

import io
import math

from dubai_landcover_plugin.core.assessment.estimate import IntervalEstimate
from dubai_landcover_plugin.core.assessment.result import Assessment
from dubai_landcover_plugin.core.io.csv_cells import CsvWriter

TOTAL = "All"


def assessment_csv(found: Assessment) -> str:
    """Return an assessment as CSV; undefined values are empty.

    Columns: class, id, its row of the confusion matrix (``ref_`` and the reference class), accuracy (0..1) and areas,
    each with the half width of its 95 % confidence interval. In the last row, users_accuracy is the overall accuracy.
    """
    entries = found.scheme.entries
    unit = found.unit
    stream = io.StringIO()
    writer = CsvWriter(stream)
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
    total = sum(estimate.value for estimate in found.areas)
    writer.writerow(
        [TOTAL, "", *columns, *_pair(found.overall), "", "", f"{found.mapped.sum():.10g}", f"{total:.10g}", ""]
    )
    return stream.getvalue()


def _pair(estimate: IntervalEstimate) -> list[str]:
    return [f"{number:.10g}" if math.isfinite(number) else "" for number in (estimate.value, estimate.margin)]
