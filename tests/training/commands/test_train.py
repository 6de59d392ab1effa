"""``python -m training train`` from the command line to the folder of the run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp

import training.loop.train
from dubai_landcover_plugin.cli.main import main as landcover
from dubai_landcover_plugin.protocol.model_file import read_metadata
from tests import factories
from tests.training.dataset import SMALL_RUN, colours_of, make_image, write_dataset, write_image
from training.__main__ import main
from training.bands import parse_bands
from training.config import DataConfig
from training.data.layouts import LabelledImage, open_dataset
from training.data.values import value_statistics
from training.loop.checkpoint import BEST, LAST, load_checkpoint
from training.loop.comparison import describe_comparison
from training.loop.train import Run

CONFIG = f"""{SMALL_RUN}[optimizer]
steps = 4
[run]
accelerator = "cpu"
epoch = 2
tensorboard = false
"""


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(training.loop.train, "draw_curves", lambda *arguments: None)
    data = write_dataset(tmp_path / "data")
    (tmp_path / "small.toml").write_text(CONFIG)
    return ["train", str(tmp_path / "small.toml"), "--data", str(data), "--run", str(tmp_path / "run")]


def test_settings_reach_the_run_and_it_goes_on(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--set", "chips.batch=2", "--set", "model.arguments.width=6"]) == 0
    said = capsys.readouterr().out
    assert "2 training images, 2 validation images" in said
    assert "step 4/4" in said
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["chips"]["batch"], config["model"]["arguments"]) == (2, {"width": 6, "depth": 1})
    checkpoint = load_checkpoint(tmp_path / "run" / LAST)
    assert checkpoint.split == "Own list: tile2 held out."
    assert checkpoint.title
    images = [entry for entry in open_dataset(DataConfig(), tmp_path / "data").entries if entry.group != "tile2"]
    assert checkpoint.value_statistics == value_statistics(entry.load() for entry in images)

    assert main(command) == 1
    assert "error: The folder " in capsys.readouterr().err
    assert main([*command, "--resume"]) == 1
    assert "; chips.batch was 2, now 8. " in capsys.readouterr().err
    more = ["--resume", "--set", "chips.batch=2", "--set", "model.arguments.width=6", "--set", "optimizer.steps=6"]
    assert main([*command, *more]) == 0
    assert load_checkpoint(tmp_path / "run" / LAST).step == 6


def test_faults_end_without_a_traceback(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--set", "optimizer.stepz=2"]) == 1
    assert "error: There is no key 'stepz'" in capsys.readouterr().err
    assert main([*command, "--start-from", str(tmp_path / "none.ckpt")]) == 1
    assert "none.ckpt cannot be read" in capsys.readouterr().err
    command[command.index("--data") + 1] = str(tmp_path / "nowhere")
    assert main(command) == 1
    assert "nowhere does not exist" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("model.window=63", "model.window is 63 px; this network needs a multiple of 2 px. Set model.window = 64."),
        (
            "loss.alpha=1,2",
            "loss.alpha has 2 weights, the data have 5 classes: Water, Land, Road, Building, Vegetation.",
        ),
    ],
)
def test_what_does_not_suit_the_network_or_the_classes_is_reported_before_training(
    command: list[str], setting: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, "--set", setting]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--name", "ab"], "'ab' is not a valid model name: STAC requires at least three characters"),
        (["--name", "9 lives"], "'9 lives' is not a valid model name"),
        (["--set", "model.window=8194"], "a window of 8194 px and 3 bands; the limits are 8192 px"),
        (["--set", "model.gsd=200000"], "a positive GSD of at most 100000 m/px"),
    ],
)
def test_what_the_export_would_refuse_is_refused_before_training(
    command: list[str], more: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, *more]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), MemoryError("8 GB are not there")])
def test_what_the_machine_refuses_is_reported_without_a_traceback(
    command: list[str], error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(self: Run) -> float:
        raise error

    monkeypatch.setattr(Run, "_one_step", fail)
    assert main(command) == 1
    printed = capsys.readouterr().err
    assert str(error.args[-1]) in printed
    assert "train --resume" in printed
    assert "Traceback" not in printed


def test_the_end_of_a_run_names_the_next_command(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command) == 0
    best = Path(command[-1]) / BEST
    assert f"python -m training export {best} run.safetensors" in capsys.readouterr().out


def test_the_next_command_has_the_name_of_the_model(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(command[-1]).with_name("ab")  # not a name of a model
    assert main([*command[:-1], str(folder)]) == 0
    assert f"export {folder / BEST} NAME.safetensors" in capsys.readouterr().out
    assert main([*command, "--name", "palm groves"]) == 0
    assert "'palm groves.safetensors'" in capsys.readouterr().out


def test_an_interrupt_says_how_to_go_on(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(self: Run) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(Run, "_one_step", interrupt)
    assert main(command) == 130
    assert "--resume" in capsys.readouterr().err


class TestStart:
    """Fine-tuning: the network of the start, its bands and pixel size, and what the export says."""

    @pytest.fixture
    def tuning(self, command: list[str], tmp_path: Path) -> list[str]:
        """A command that fine-tunes the last checkpoint of a first run, with the network of that run."""
        assert main(command) == 0
        text = CONFIG.replace('architecture = "unet"', 'architecture = "start"')
        lines = [
            line for line in text.splitlines() if not line.startswith(("arguments", "window", "gsd", "pretrained"))
        ]
        (tmp_path / "tune.toml").write_text("\n".join(lines))
        data = command[command.index("--data") + 1]
        return ["train", str(tmp_path / "tune.toml"), "--data", data, "--run", str(tmp_path / "tuned")]

    def test_from_the_start_to_the_card(
        self, tuning: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        start = ["--start-from", str(tmp_path / "run" / LAST)]
        settings = ["--set", "optimizer.rate=1e-9", "--set", "start.alphas=0.5"]
        assert main([*tuning, *start, *settings]) == 0
        said = capsys.readouterr().out
        assert "Ground sampling distance: 1 m/px, that of the start." in said
        assert "  50% start, 50% result: mean IoU" in said
        config = load_checkpoint(tmp_path / "tuned" / BEST).config.model
        assert (config.architecture, config.arguments) == ("unet", {"width": 4, "depth": 1})
        assert (config.window, config.gsd) == (64, 1.0)
        comparison = json.loads((tmp_path / "tuned" / "validation.json").read_text())["start"]
        assert not comparison["better"]
        sentence = describe_comparison(comparison)
        assert sentence in said
        assert f"has the weights of the start: keep using {LAST}" in said
        assert "Export the model" not in said
        model = tmp_path / "model.safetensors"
        assert main(["export", str(tmp_path / "tuned" / BEST), str(model)]) == 0
        assert sentence in capsys.readouterr().out
        assert sentence in model.with_suffix(".md").read_text()
        assert read_metadata(model).training["start"] == comparison
        # the start is kept in the folder of the run: the option is not needed again
        (tmp_path / "run" / LAST).unlink()
        assert main([*tuning, *settings, "--resume", "--set", "optimizer.steps=6"]) == 0

    def test_without_a_start_there_is_no_network(self, tuning: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert main(tuning) == 1
        assert "the training starts from no model. Name one: --start-from" in capsys.readouterr().err

    def test_other_bands_are_refused(
        self, tuning: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        start = ["--start-from", str(tmp_path / "run" / LAST)]
        assert main([*tuning, *start, "--set", 'data.bands=["nir=1","red=2","green=3"]']) == 1
        assert "reads the bands red, green, blue; the training images have nir, red, green" in capsys.readouterr().err
        assert not (tmp_path / "tuned").exists()
        assert main([*tuning, *start, "--set", 'data.bands=["blue=3","red=1","green=2"]']) == 0
        checkpoint = load_checkpoint(tmp_path / "tuned" / LAST)
        assert (checkpoint.bands, checkpoint.band_numbers) == (("red", "green", "blue"), (1, 2, 3))
        assert checkpoint.config.data.bands == ("red=1", "green=2", "blue=3")


class TestBands:
    """Bands other than red, green and blue, from the configuration to a run."""

    @pytest.fixture
    def cir(self, tmp_path: Path) -> Path:
        """Images whose bands 4, 1 and 2 show the classes, without names; band 3 is noise."""
        for number in range(3):
            image = make_image(number, 64, 64)
            noise = np.random.default_rng(number).integers(0, 256, (64, 64), np.uint8)
            first, second, third = image.pixels.transpose(2, 0, 1)
            grey = [ColorInterp.gray, *[ColorInterp.undefined] * 3]
            pixels = np.stack([second, third, noise, first])
            place = Affine.translation(100 * number, 0) @ factories.ONE_METRE  # different ground
            path = tmp_path / "cir" / "images" / f"{number}.tif"
            factories.write_raster(path, pixels, transform=place, colorinterp=grey)
            write_image(tmp_path / "cir" / "masks" / f"{number}.png", colours_of(image.labels))
        return tmp_path / "cir"

    def test_a_model_reads_them_without_being_told(
        self, command: list[str], cir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        command[command.index("--data") + 1] = str(cir)
        settings = ["data.bands=4,1,2", "split.validation=0", "optimizer.steps=40", "optimizer.rate=0.02"]
        settings += ["optimizer.warmup=2", "optimizer.average=0.5", "chips.batch=4", "run.epoch=40"]
        assert main([*command, *(word for setting in settings for word in ("--set", setting))]) == 0
        model, figures = tmp_path / "cir.safetensors", tmp_path / "figures.json"
        assert main(["export", str(tmp_path / "run" / LAST), str(model), "--data", str(cir)]) == 0
        metadata = read_metadata(model)
        assert (metadata.bands, metadata.band_numbers) == (("band 4", "band 1", "band 2"), (4, 1, 2))
        assert "bands 4, 1, 2 of the training rasters" in model.with_suffix(".md").read_text()
        assert main(["evaluate", str(model), "--data", str(cir), "--output", str(figures), "--names", "0"]) == 0
        image, output = cir / "images" / "0.tif", tmp_path / "classes.tif"
        maps = []
        for bands in ([], ["--bands", "4", "1", "2"], ["--bands", "1", "2", "3"]):
            arguments = ["segment", str(image), str(output), "--model", str(model), "--overwrite", *bands]
            assert landcover(arguments) == 0
            with rasterio.open(output) as written:
                maps.append(written.read(1))
        assert (maps[0] == maps[1]).all()
        assert (maps[0] != maps[2]).any()
        labels = load_image(cir, "0").labels
        accuracy = float((maps[0] == labels + 1).mean())
        assert json.loads(figures.read_text())["accuracy"] == pytest.approx(accuracy, abs=1e-4)
        assert "bands 4, 1, 2 of this raster are read" in capsys.readouterr().err


def load_image(root: Path, name: str) -> LabelledImage:
    dataset = open_dataset(DataConfig(), root, parse_bands((4, 1, 2)))
    return next(entry for entry in dataset.entries if entry.name == name).load()
