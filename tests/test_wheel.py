"""The project as a wheel installs it: one package, with training and the shipped files inside, in any folder."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from dubai_landcover_plugin import __version__
from dubai_landcover_plugin.protocol.classes import DUBAI
from training.synthetic.scenes import draw_scene

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "dubai_landcover_plugin"
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TARGET = SETTINGS["tool"]["hatch"]["build"]["targets"]["wheel"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of the wheel, placed as pyproject.toml says."""
    folder = tmp_path_factory.mktemp("site")
    for name in TARGET["only-include"]:
        shutil.copytree(
            ROOT / name, folder / TARGET["sources"].get(name, name), ignore=shutil.ignore_patterns("__pycache__")
        )
    return folder


def run(installed: Path, *arguments: str) -> str:
    """Run Python in the folder of the wheel's files, which hides the checkout; return its standard output."""
    start = f"import runpy, sys; sys.path.insert(0, {str(installed)!r}); sys.argv = sys.argv[1:]; "
    code = start + "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
    command = [sys.executable, "-I", "-c", code, *arguments]
    done = subprocess.run(command, cwd=installed, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_is_one_package(installed):
    assert [path.name for path in installed.iterdir()] == [PACKAGE]
    assert (installed / PACKAGE / "resources" / "models" / "dubai.safetensors").is_file()


def test_pages_find_their_templates(installed):
    code = """
from dubai_landcover_plugin.core.html.environment import environment
from dubai_landcover_plugin.training.evaluation.page import _TEMPLATES
for folder, name in (None, "report"), (_TEMPLATES, "inspection"), (_TEMPLATES, "evaluation"), (_TEMPLATES, "base"):
    print(environment(folder).get_template(name + ".html.j2").filename)
"""
    (installed / "list_templates.py").write_text(code, encoding="utf-8")
    try:
        found = run(installed, "list_templates").splitlines()
    finally:
        (installed / "list_templates.py").unlink()
    own, training = (installed / PACKAGE / folder / "templates" for folder in ("core/html", "training"))
    expected = [own / "report.html.j2", training / "inspection.html.j2", training / "evaluation.html.j2"]
    assert [Path(path) for path in found] == [*expected, own / "base.html.j2"]


def test_the_command_line_finds_the_shipped_model(installed):
    assert run(installed, PACKAGE, "--version") == f"landcover {__version__}\n"
    assert str(installed) in run(installed, PACKAGE, "models")


def test_training_runs_inside_the_package(installed):
    assert f"{PACKAGE}.training" in run(installed, f"{PACKAGE}.training", "--help")
    code = "from dubai_landcover_plugin.protocol.training_package import training_package; print(training_package())"
    (installed / "name.py").write_text(code, encoding="utf-8")
    try:
        assert run(installed, "name").strip() == f"{PACKAGE}.training"
    finally:
        (installed / "name.py").unlink()


@pytest.mark.slow
def test_the_first_step_of_the_shipped_recipe_runs(installed, tmp_path):
    for number in range(2):
        scene = draw_scene(number, 128)
        for folder, pixels in (("images", scene.image), ("masks", scene.truth)):
            path = tmp_path / "data" / folder / f"scene{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    table = "".join(f"{entry.id},{entry.name},{entry.colour}\n" for entry in DUBAI.classes)
    (tmp_path / "data" / "classes.csv").write_text(f"id,name,colour\n{table}", encoding="utf-8")
    settings = (
        "optimizer.steps=1", "run.epoch=1", "split.kind=list", "split.validation=scene1", "split.exclude=",
        "chips.size=64", "chips.batch=4", "data.scene_share=0.9", "model.pretrained=false", "model.frozen=0",
    )  # fmt: skip
    arguments = [part for setting in settings for part in ("--set", setting)]
    run(
        installed, f"{PACKAGE}.training", "train", "dubai", "--data", str(tmp_path / "data"),
        "--run", str(tmp_path / "run"), *arguments,
    )  # fmt: skip
    assert (tmp_path / "run" / "last.ckpt").is_file()
