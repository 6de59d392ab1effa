"""A run loads no package that it does not need: PyTorch alone is seconds of its start and half of its memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import rasterio

from tests.factories import random_pixels, write_raster

ROOT = str(Path(__file__).resolve().parents[3])
CODE = (
    "import sys; from dubai_landcover_plugin.cli.main import main; code = main(sys.argv[1:]);"
    "print(*sorted({'torch', 'pyogrio', 'openvino.tools.ovc'} & sys.modules.keys()), sep=','); sys.exit(code)"
)


def test_the_second_run_of_a_model_loads_neither_pytorch_nor_what_writes_vectors(tmp_path, tiny_model):
    pytest.importorskip("openvino")
    source = write_raster(tmp_path / "in.tif", random_pixels(1500, 1400))
    environment = {**os.environ, "DUBAI_LANDCOVER_CACHE": str(tmp_path / "cache")}
    said = []
    for name in ("first", "second"):
        command = ["segment", str(source), str(tmp_path / f"{name}.tif"), "--model", str(tiny_model)]
        command += ["--runtime", "openvino", "--device", "cpu", "--precision", "float32"]
        done = subprocess.run(
            [sys.executable, "-c", CODE, *command],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        said.append(done.stdout.split("\n")[-2].split(","))
    assert {"torch", "openvino.tools.ovc"} <= set(said[0])
    assert said[1] == [""]
    first, second = (rasterio.open(tmp_path / f"{name}.tif").read(1) for name in ("first", "second"))
    assert (first == second).all()


def test_a_run_without_vectors_loads_no_library_for_them():
    code = (
        "import sys; import dubai_landcover_plugin.core.segmentation.segment;"
        "print({'shapely', 'pyogrio'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_the_command_imports_no_other_commands_and_their_requests():
    code = (
        "import sys; from dubai_landcover_plugin.cli.main import main; main(['segment', 'none.tif', 'out.tif']);"
        "names = 'accuracy corrections change session training'.split();"
        "print(*(name for name in sys.modules if name.rpartition('.')[2] in names and 'dubai' in name))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "none.tif" in done.stderr
    assert done.stdout == "\n"
