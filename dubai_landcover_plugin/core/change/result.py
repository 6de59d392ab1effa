"""Result of a comparison, as JSON, as a CSV table and as GeoTIFF tags."""

from __future__ import annotations

import io
from dataclasses import dataclass

from dubai_landcover_plugin.core.change.change_codes import UNCERTAIN, ChangeCoding, Code
from dubai_landcover_plugin.core.change.coregistration import Shift
from dubai_landcover_plugin.core.change.transitions import TransitionMatrix
from dubai_landcover_plugin.core.io.csv_cells import CsvWriter
from dubai_landcover_plugin.protocol.requests.change import ChangeRequest, ChangeResult


@dataclass(frozen=True)
class Comparison:
    """Change between two classified rasters, with the contents of all outputs.

    Args:
        request: The request.
        coding: Classes and codes.
        transitions: Pixels and areas of each transition.
        shift: Estimated shift; None if it could not be estimated.
        corrected: Columns and rows of shift that were corrected.
        models: Names of the models of the earlier and of the later raster; empty if unknown.
        height: Rows of the result.
        width: Columns of the result.
        polygons: Number of polygons written; None without a polygon file.
        warnings: Warnings for the user.
    """

    request: ChangeRequest
    coding: ChangeCoding
    transitions: TransitionMatrix
    shift: Shift | None
    corrected: tuple[int, int]
    models: tuple[str, str]
    height: int
    width: int
    polygons: int | None
    warnings: tuple[str, ...]

    def pixels_by_code(self) -> dict[int, int]:
        """Return the pixels of each code that occurs."""
        transitions = self.transitions
        uncertain = int(transitions.uncertain_pixels.sum()) + transitions.unlabeled_pixels
        codes, counts = self.coding.codes.ravel().tolist(), transitions.pixels.ravel().tolist()
        return {code: count for code, count in [(UNCERTAIN, uncertain), *zip(codes, counts, strict=True)] if count}

    def legend(self) -> list[Code]:
        """Return the codes that occur, in ascending order."""
        pixels = self.pixels_by_code()
        return [code for code in self.coding.legend() if code.id in pixels]

    def areas_by_code(self) -> dict[int, float]:
        """Return the area of each code that occurs, m², or px without a CRS."""
        areas = dict(zip(self.coding.codes.ravel().tolist(), self.transitions.areas.ravel().tolist(), strict=True))
        areas[UNCERTAIN] = self.transitions.uncertain
        return {code: areas[code] for code in self.pixels_by_code()}

    def result(self) -> ChangeResult:
        """Return the result of the request."""
        pixels, areas, transitions = self.pixels_by_code(), self.areas_by_code(), self.transitions
        shift = self.shift
        return ChangeResult(
            request=self.request.to_json(),
            output=self.request.output,
            polygons=self.request.polygons,
            csv=self.request.csv,
            report=self.request.report,
            height=self.height,
            width=self.width,
            unit=transitions.unit,
            legend=tuple(
                {**code.to_json(), "pixels": pixels[code.id], "area": round(areas[code.id], 3)}
                for code in self.legend()
            ),
            classes={
                one.name: {
                    "before": round(one.before, 3),
                    "after": round(one.after, 3),
                    "gain": round(one.gain, 3),
                    "loss": round(one.loss, 3),
                    "net": round(one.net, 3),
                    "swap": round(one.swap, 3),
                }
                for one in transitions.by_class(self.coding.names)
            },
            compared=round(transitions.compared, 3),
            changed=round(transitions.changed, 3),
            unchanged=round(transitions.unchanged, 3),
            uncertain=round(transitions.uncertain, 3),
            polygon_count=self.polygons,
            shift=None
            if shift is None
            else {
                "cols": shift.cols,
                "rows": shift.rows,
                "pixels": round(shift.pixels, 2),
                "metres": shift.metres,
                "samples": shift.samples,
                "agreement": shift.agreement,
            },
            corrected=self.corrected,
            models=self.models,
            warnings=self.warnings,
        )

    def tags(self) -> dict[str, str]:
        """Return GeoTIFF tags that explain the codes."""
        named = {f"CHANGE_{code.id}": code.name for code in self.legend()}
        coding = f"{self.coding.base} × number of the earlier class + number of the later class; 0 no data"
        numbers = {
            f"CHANGE_CLASS_{number}": name for number, name in zip(self.coding.numbers, self.coding.names, strict=True)
        }
        return {**named, **numbers, "CHANGE_CODING": coding}

    def table(self) -> str:
        """Return the from–to matrix as CSV, one row for each pair of classes."""
        transitions, coding = self.transitions, self.coding
        stream = io.StringIO()
        writer = CsvWriter(stream)
        unit = "m2" if transitions.unit == "m²" else "px"
        head = ["from", "to", "code", "changed", "pixels", f"area_{unit}", "percent", "uncertain_pixels"]
        writer.writerow([*head, f"uncertain_{unit}"])
        whole = transitions.compared or 1.0
        for row, before in enumerate(coding.names):
            for column, after in enumerate(coding.names):
                area = transitions.areas[row, column]
                writer.writerow(
                    [
                        before,
                        after,
                        int(coding.codes[row, column]),
                        "no" if row == column else "yes",
                        int(transitions.pixels[row, column]),
                        f"{area:.2f}",
                        f"{100 * area / whole:.4f}",
                        int(transitions.uncertain_pixels[row, column]),
                        f"{transitions.uncertain_areas[row, column]:.2f}",
                    ]
                )
        writer.writerow(
            [
                *("", "Unlabeled", UNCERTAIN, "", 0, "0.00", "0.0000"),
                transitions.unlabeled_pixels,
                f"{transitions.unlabeled_area:.2f}",
            ]
        )
        return stream.getvalue()
