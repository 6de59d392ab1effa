from __future__ import annotations

import json
from pathlib import Path

import pytest

from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.requests import ExportRequest
from training.tasks.export import export_model


def test_all_formats_are_written_and_agree(start: str, tmp_path: Path) -> None:
    request = ExportRequest(str(tmp_path / "out"), start, ("stac", "esri", "openvino", "onnx"))
    result = export_model(request)
    names = {Path(file).name for file in result.files}
    assert names == {
        "small.onnx", "small.xml", "small.bin", "small-esri.onnx", "small.emd", "small.py", "small.json",
    }  # fmt: skip
    assert set(result.agreement) == {"onnx", "openvino", "esri"}
    assert all("same class" in text for text in result.agreement.values())
    definition = json.loads((tmp_path / "out" / "small.emd").read_text(encoding="utf-8"))
    assert definition["ModelFile"] == "small-esri.onnx"
    with pytest.raises(OutputError, match=r"has small.*onnx"):
        export_model(request)
