"""Training on four bands of 8 and 16 bits, from the command line to a run of the exported model.

The scene has meadow and bare land of equal colour, which only near infrared tells apart.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

import training.loop.train
from dubai_landcover_plugin.core import segment_raster
from dubai_landcover_plugin.protocol.errors import BandError
from dubai_landcover_plugin.protocol.model_file import read_metadata
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions
from tests import factories
from training.__main__ import main
from training.loop.checkpoint import LAST, load_checkpoint

NAMES = ("red", "green", "blue", "nir")
CLASSES = "id,name,colour\n1,Meadow,#00AA00\n2,Bare,#AA8800\n3,Road,#777777\n"
COLOURS = np.array([(110, 105, 90, 190), (110, 105, 90, 80), (60, 62, 66, 70)], np.float64)
CONFIG = """
[data]
{data}
[split]
kind = "list"
validation = ["image3"]
[model]
architecture = "unet"
arguments = {{ width = 8, depth = 2 }}
pretrained = false
window = 64
[chips]
size = 48
batch = 4
blur = 0.5
haze = 0.1
style = 0.2
saturation = 0.2
grey = 0.1
noise = 0.02
[optimizer]
steps = 60
rate = 6e-3
warmup = 5
average = 0.9
[run]
accelerator = "cpu"
threads = 1
epoch = 60
pictures = 1
tensorboard = false
"""


def scene(seed: int, side: int = 96) -> tuple[np.ndarray, np.ndarray]:
    """Return (4, side, side) uint8 pixels and class ids of blocks of 12 px."""
    draw = np.random.default_rng(seed)
    channels = np.kron(draw.integers(3, size=(side // 12, side // 12)), np.ones((12, 12), int))
    noise = draw.normal(0, 12, (side, side, 4))
    pixels = np.clip(np.rint(COLOURS[channels] + noise), 1, 255).astype(np.uint8)
    return pixels.transpose(2, 0, 1), (channels + 1).astype(np.uint8)


def place(number: int) -> Affine:
    """Return the transform of an image that shares no ground with the others."""
    return factories.ONE_METRE @ Affine.translation(1000 * number, 0)


def write_named(path: Path, values: np.ndarray, names: tuple[str, ...] = NAMES, number: int = 0) -> Path:
    factories.write_raster(path, values, transform=place(number))
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = names
    return path


def write_data(root: Path, factor: int = 1, dtype: type = np.uint8) -> Path:
    for number in range(4):
        pixels, ids = scene(number)
        write_named(root / "images" / f"image{number}.tif", pixels.astype(dtype) * dtype(factor), number=number)
        factories.write_raster(root / "masks" / f"image{number}.tif", ids[None], transform=place(number))
    (root / "classes.csv").write_text(CLASSES)
    return root


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory):
    """Train once for each name and return the exported model."""
    root = tmp_path_factory.mktemp("bands")
    folders = {
        "bytes": write_data(root / "bytes"),
        "words": write_data(root / "words", 257, np.uint16),
        "floats": write_data(root / "floats", 1, np.float32),
    }
    made: dict[tuple[str, str], Path] = {}

    def train(folder: str, data: str, *more: str) -> Path:
        if (folder, data) not in made:
            name = f"model{len(made)}"
            config = root / f"{name}.toml"
            config.write_text(CONFIG.format(data=data))
            run = root / name
            options = ["--data", str(folders[folder]), "--run", str(run)]
            assert main(["train", str(config), *options, *more]) == 0
            model = root / f"{name}.safetensors"
            assert main(["export", str(run / LAST), str(model)]) == 0
            made[folder, data] = model
        return made[folder, data]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.loop.train, "draw_curves", lambda *arguments: None)
        yield train


FOUR = f"bands = {list(NAMES)}"
THREE = 'bands = ["red", "green", "blue"]'


def classes_of(model: Path, image: Path, tmp_path: Path, **options: object) -> np.ndarray:
    settings = {"model": str(model), "device": "cpu", "runtime": "torch", "overwrite": True, **options}
    segment_raster(SegmentationRequest(str(image), str(tmp_path / "classes.tif"), SegmentOptions(**settings)))
    with rasterio.open(tmp_path / "classes.tif") as dataset:
        return dataset.read(1)


def iou(ids: np.ndarray, truth: np.ndarray, value: int = 1) -> float:
    return float(((ids == value) & (truth == value)).sum() / ((ids == value) | (truth == value)).sum())


def test_near_infrared_tells_meadow_from_bare_land(trained, tmp_path: Path) -> None:
    pixels, truth = scene(9)
    image = write_named(tmp_path / "new.tif", pixels)
    four = iou(classes_of(trained("bytes", FOUR), image, tmp_path), truth)
    three = iou(classes_of(trained("bytes", THREE), image, tmp_path), truth)
    assert four > 0.8
    assert four > three + 0.3


def test_sixteen_bits_are_as_good_as_eight(trained, tmp_path: Path) -> None:
    pixels, _ = scene(9)
    eight = classes_of(trained("bytes", FOUR), write_named(tmp_path / "new8.tif", pixels), tmp_path)
    wide = write_named(tmp_path / "new16.tif", pixels.astype(np.uint16) * 257)
    sixteen = classes_of(trained("words", FOUR), wide, tmp_path)
    assert (eight == sixteen).mean() >= 0.995
    floats = write_named(tmp_path / "new32.tif", pixels.astype(np.float32))
    assert (classes_of(trained("floats", FOUR), floats, tmp_path) == eight).mean() >= 0.995


def test_the_model_knows_its_bands(trained) -> None:
    metadata = read_metadata(trained("bytes", FOUR))
    assert (metadata.bands, metadata.band_numbers) == (NAMES, (1, 2, 3, 4))
    assert metadata.scaling is not None
    means = metadata.scaling.raw(metadata.mean)
    truth = np.concatenate([scene(number)[0].reshape(4, -1) for number in range(3)], axis=1)  # without validation
    assert means == pytest.approx(truth.mean(axis=1), rel=1e-6)
    assert metadata.scaling.raw(metadata.std, spread=True) == pytest.approx(truth.std(axis=1), rel=1e-6)
    card = trained("bytes", FOUR).with_suffix(".md").read_text()
    assert "red, green, blue, nir (bands 1, 2, 3, 4 of the training rasters), of any type, scaled as the" in card
    assert read_metadata(trained("bytes", THREE)).scaling is None


def test_every_runtime_and_format(trained, tmp_path: Path) -> None:
    model = trained("words", FOUR)
    pixels, _ = scene(9)
    image = write_named(
        tmp_path / "new.tif", pixels[[3, 1, 0, 2]].astype(np.uint16) * 257, ("nir", "green", "red", "blue")
    )
    expected = classes_of(model, image, tmp_path)
    assert (classes_of(model, image, tmp_path, runtime="openvino") == expected).mean() > 0.999
    onnx = tmp_path / "model.onnx"
    assert main(["export", str(model), str(onnx)]) == 0
    assert read_metadata(onnx).scaling == read_metadata(model).scaling
    assert (classes_of(onnx, image, tmp_path, runtime="onnxruntime") == expected).mean() > 0.999
    nameless = write_named(tmp_path / "nameless.tif", pixels[:3], ("", "", ""))
    with pytest.raises(BandError, match="band 4"):
        classes_of(model, nameless, tmp_path)


def test_evaluation_and_fine_tuning(trained, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = trained("words", FOUR)
    data = write_data(tmp_path / "data", 257, np.uint16)
    assert main(["evaluate", str(model), "--data", str(data)]) == 0
    assert main(["inspect", str(data), "--set", "data.bands=nir,red,green,blue"]) == 0
    config = tmp_path / "tune.toml"
    config.write_text(CONFIG.format(data="").replace("steps = 60", "steps = 2").replace("warmup = 5", "warmup = 0"))
    command = ["train", str(config), "--data", str(data), "--run", str(tmp_path / "run"), "--start-from", str(model)]
    assert main(command) == 0
    tuned = load_checkpoint(tmp_path / "run" / LAST).input_bands
    known = read_metadata(model)
    assert (tuned.names, tuned.scaling) == (known.bands, known.scaling)
    assert tuned.mean == pytest.approx(known.mean)
    capsys.readouterr()
    assert main([*command[:-4], "--run", str(tmp_path / "other"), *command[-2:], "--set", "data.scaling=stretch"]) == 1
    assert "data.scaling is 'stretch', but" in capsys.readouterr().err


def write_heights(path: Path, ids: np.ndarray, number: int = 0) -> Path:
    """Write a height model with pixels of 3 m, in which bare land is 10 m higher."""
    heights = np.where(ids[1::3, 1::3] == 2, 10.0, 0.0) + np.random.default_rng(number).normal(0, 0.3, (32, 32))
    transform = place(number) @ Affine.scale(3)
    factories.write_raster(path, heights[None].astype(np.float32), transform=transform)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions, dataset.units = ("nDSM",), ("m",)
    return path


def test_a_second_raster_and_a_derived_band(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_data(tmp_path / "data", 7, np.uint16)
    for number in range(4):
        write_heights(data / "heights" / f"image{number}.tif", scene(number)[1], number)
    config = tmp_path / "own.toml"
    config.write_text(
        CONFIG.format(data='bands = ["red", "height", "ndwi"]\nscaling = "standardize"\nsecond = "heights"')
    )
    run = tmp_path / "run"
    assert main(["train", str(config), "--data", str(data), "--run", str(run)]) == 0
    model = tmp_path / "model.safetensors"
    assert main(["export", str(run / LAST), str(model)]) == 0
    metadata = read_metadata(model)
    assert metadata.bands == ("red", "height", "ndwi")
    assert metadata.scaling is not None
    assert metadata.scaling.units == ("", "m", "")
    pixels, truth = scene(9)
    image = write_named(tmp_path / "new.tif", pixels.astype(np.uint16) * 7)
    second = write_heights(tmp_path / "second.tif", truth)
    settings = SegmentOptions(model=str(model), device="cpu", runtime="torch", overwrite=True)
    request = SegmentationRequest(str(image), str(tmp_path / "classes.tif"), replace(settings, second=str(second)))
    result = segment_raster(request)
    with rasterio.open(request.output) as dataset:
        assert iou(dataset.read(1), truth, 2) > 0.8
    assert "ndwi is computed from bands 2 (green) and 4 (nir)." in result.bands
    with pytest.raises(BandError, match="height"):
        classes_of(model, image, tmp_path)
    assert main(["evaluate", str(model), "--data", str(data), "--config", str(config)]) == 0
    (data / "heights" / "image2.tif").unlink()
    assert main(["train", str(config), "--data", str(data), "--run", str(tmp_path / "other")]) == 1
    assert "has no second raster: there is no image2.tif" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("chips.stretch=0.5", "it imitates the stretch to 8 bits"),
        ("data.scene_share=0.5", "draws red, green and blue of 8 bits"),
    ],
)
def test_what_other_bands_cannot_have(
    tmp_path: Path, setting: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "own.toml"
    config.write_text(CONFIG.format(data=FOUR + '\nscenes = ".synthetic.scenes:draw_scene"'))
    options = ["--data", str(write_data(tmp_path / "data")), "--run", str(tmp_path / "run"), "--set", setting]
    assert main(["train", str(config), *options]) == 1
    assert words in capsys.readouterr().err
