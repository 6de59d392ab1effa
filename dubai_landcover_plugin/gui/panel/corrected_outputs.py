"""What Apply Corrections makes again: polygons, buildings and roads, where they were made from the raster before."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.gui.panel.classified import Classified
from dubai_landcover_plugin.processing.layer_nodata import open_source

_VECTORS = ("polygons", "buildings", "roads")
_OPTIONS = ("building_class", "road_class", "min_area", "simplify")
_RUN, _EDITS = "LANDCOVER_RUN", "LANDCOVER_EDITS"


def corrected_outputs(raster: Classified, corrected: Path) -> dict[str, Any]:
    """Return parameters of Apply Corrections: new vector files for those that were made of a raster, and their options.

    The raster's tags record the run, and later edits. The files are beside the corrected raster and do not exist yet.

    Args:
        raster: The classified raster.
        corrected: The path of the corrected one.
    """
    dataset = open_source(raster.source)
    requests = recorded_requests({} if dataset is None else dataset.GetMetadata())
    asked = {name: path for one in requests for name in _VECTORS if (path := _text(one.get(name)))}
    if not asked:
        return {}
    found: dict[str, Any] = {}
    for name in _VECTORS:
        if name in asked:
            found[name.upper()] = _new_file(asked[name], corrected.parent, list(found.values()))
    options = {name: one[name] for one in requests for name in _OPTIONS if _is_value(one.get(name))}
    confidence = [path for one in requests if os.path.isfile(path := _text(one.get("confidence")))]
    found.update({name.upper(): value for name, value in options.items()})
    return {**found, "CONFIDENCE": confidence[-1]} if confidence else found


def recorded_requests(tags: Mapping[str, str]) -> list[Mapping[str, Any]]:
    """Return the requests of the run and of the edits that a raster's tags record; damaged ones are left out."""
    run, edits = _json(tags.get(_RUN)), _json(tags.get(_EDITS))
    steps = [run, *(edits if isinstance(edits, list) else [])]
    requests = [step.get("request") for step in steps if isinstance(step, dict)]
    return [one for one in requests if isinstance(one, dict)]


def _new_file(made: str, folder: Path, taken: list[str]) -> str:
    """Return a path for a file like one that was made before; it neither exists nor is it taken."""
    place = Path(made.replace("\\", "/"))
    numbers = ("", *(f"_{number}" for number in range(2, 1000)))
    names = (f"{place.stem}_corrected{number}{place.suffix}" for number in numbers)
    return next(path for name in names if (path := str(folder / name)) not in taken and not os.path.exists(path))


def _is_value(value: Any) -> bool:
    return isinstance(value, (int, float, str)) and not isinstance(value, bool)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _json(text: str | None) -> Any:
    try:
        return json.loads(text or "null")
    except (ValueError, RecursionError):
        return None
