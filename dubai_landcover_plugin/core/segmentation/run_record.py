"""The run record: request, input, model, software versions and result. In the GeoTIFF's tags and as JSON beside it."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from dubai_landcover_plugin.core.runtimes.versions import versions
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentationResult


def input_identity(path: str) -> dict[str, Any] | None:
    """Return size (bytes) and modification time (s since 1970) of an input file; None if it is not a local file."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return {"size": status.st_size, "modified": round(status.st_mtime, 3)}


def run_record(request: SegmentationRequest, metadata: BundleMetadata, result: SegmentationResult) -> dict[str, Any]:
    """Return the record of a finished run, JSON-ready."""
    return {
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "request": request.to_json(),
        "input": input_identity(request.input),
        "model": {
            "name": metadata.name,
            "architecture": metadata.spec.architecture,
            "gsd": metadata.gsd,
            "sha256": result.model_hash,
        },
        "versions": versions(),
        "result": result.to_json(),
    }
