"""From model file and labels to figures, through the path that a run takes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from PIL import Image

from dubai_landcover_plugin.cli.main import main as landcover
from dubai_landcover_plugin.core.assessment.confusion import Confusion
from dubai_landcover_plugin.core.bundle.bundle import load_bundle
from dubai_landcover_plugin.core.bundle.save import replace_metadata
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentOptions
from tests.pages import ParsedPage, assert_self_contained
from tests.training.dataset import LOOKS, draw_labels, write_image, write_polygons, write_raster
from training.__main__ import main
from training.config import DataConfig, SplitConfig
from training.data.layouts import open_dataset
from training.errors import DatasetError
from training.evaluation.evaluate import evaluate, in_channels_of, segment_image
from training.evaluation.figures import Evaluation, load_evaluation, pool
from training.evaluation.selection import select

MODEL = Callable[[], Path]


def measured(model: Path, data: Path, split: SplitConfig | None = None, **options: object) -> Evaluation:
    dataset = open_dataset(DataConfig(), data)
    return evaluate(
        load_bundle(model), dataset, select(dataset, split), SegmentOptions(**options), report=lambda text: None
    )


@pytest.mark.parametrize("tta", [False, True])
def test_what_is_compared_is_what_a_run_writes(trained: MODEL, data: Path, tmp_path: Path, tta: bool) -> None:
    model, dataset = trained(), open_dataset(DataConfig(), data)
    entry = dataset.entries[0]
    folder = tmp_path / "evaluate"
    folder.mkdir()
    found = segment_image(entry, entry.load(), load_bundle(model), SegmentOptions(tta=tta), folder)
    output, confidence = tmp_path / "run.tif", tmp_path / "confidence.tif"
    arguments = ["segment", str(entry.image), str(output), "--model", str(model), "--confidence", str(confidence)]
    assert landcover([*arguments, "--tta"] if tta else arguments) == 0
    for path, values in ((output, found.ids), (confidence, found.confidence)):
        with rasterio.open(path) as written:
            np.testing.assert_array_equal(written.read(1), values)


def test_figures_are_those_of_the_maps(trained: MODEL, data: Path) -> None:
    model = trained()
    predictions = {}
    dataset = open_dataset(DataConfig(), data)
    evaluation = evaluate(
        load_bundle(model), dataset, select(dataset), SegmentOptions(), report=lambda text: None,
        draw=lambda image, predicted, result: predictions.update({image.name: predicted}),
    )  # fmt: skip
    expected = Confusion.empty(5)
    for entry in dataset.entries:
        expected += Confusion.of(entry.load().labels, predictions[entry.name], 5)
    figures = evaluation.to_json()
    assert figures["confusion"] == expected.counts.tolist()
    assert figures["accuracy"] == pytest.approx(expected.accuracy, abs=1e-4)
    assert 0.4 < figures["accuracy"] < 1
    assert sum(row["pixels"] for row in figures["reliability"]) == figures["pixels"] == 4 * 96 * 80


def test_temperature_changes_calibration_alone(trained: MODEL, data: Path) -> None:
    model = trained()
    before = measured(model, data).to_json()
    replace_metadata(model, replace(load_bundle(model).metadata, temperature=6.0))
    after = measured(model, data).to_json()
    assert after["models"][0]["temperature"] == 6.0
    assert after["ece"] > before["ece"] + 0.05
    assert after["excess_confidence"] < before["excess_confidence"]
    assert after["accuracy"] == pytest.approx(before["accuracy"], abs=0.01)  # overlapping windows weigh anew


class TestLabels:
    def test_classes_are_matched_by_name(self, trained: MODEL, data: Path) -> None:
        dataset = open_dataset(DataConfig(), data)
        image = dataset.entries[0].load()
        turned = ClassScheme(DUBAI.classes[::-1], DUBAI.unlabeled)
        labels = in_channels_of(turned, dataset.scheme, image).labels
        np.testing.assert_array_equal(labels, 4 - image.labels)

    def test_a_class_that_the_model_lacks_is_named(self, data: Path) -> None:
        dataset = open_dataset(DataConfig(), data)
        scheme = ClassScheme((LandCoverClass(1, "Snow", "#FFFFFF"),), DUBAI.unlabeled)
        with pytest.raises(DatasetError, match=r"class 'Water', which the model lacks; its classes are Snow"):
            in_channels_of(scheme, dataset.scheme, dataset.entries[0].load())


class TestParts:
    """Images that are only a part of their file."""

    @pytest.fixture
    def polygons(self, tmp_path: Path) -> Path:
        """A 16-bit raster of 0.25 m, larger than a block, and a polygon for each of its squares."""
        labels = draw_labels(5, 96, 128)
        pixels = (LOOKS[labels].astype(np.uint16) * 40).repeat(4, 0).repeat(4, 1)
        root = tmp_path / "polygons"
        write_raster(root / "images" / "a.tif", pixels, size=0.25)
        squares = [(row, col) for row in range(0, 96, 16) for col in range(0, 128, 16)]
        boxes = [shapely.box(300000 + c, 2800000 - r - 16, 300000 + c + 16, 2800000 - r) for r, c in squares]
        names = [DUBAI.classes[labels[row, col]].name for row, col in squares]
        write_polygons(root / "labels.gpkg", boxes, names)
        return root

    def test_blocks_are_read_from_the_raster_as_in_a_run(self, trained: MODEL, polygons: Path, tmp_path: Path) -> None:
        """So with the stretch of the whole raster, and at the model's ground sampling distance."""
        config = DataConfig(block=256)
        dataset = open_dataset(config, polygons)
        assert len(dataset.entries) == 4
        entry = dataset.entries[1]
        image = entry.load()
        assert image.labels.shape == (192, 256)
        folder = tmp_path / "evaluate"
        folder.mkdir()
        found = segment_image(entry, image, load_bundle(trained()), SegmentOptions(), folder)
        assert not (folder / "image.tif").exists()
        assert found.ids.shape == image.labels.shape
        whole = tmp_path / "whole.tif"
        assert landcover(["segment", str(entry.image), str(whole), "--model", str(trained())]) == 0
        with rasterio.open(whole) as written:
            expected = written.read(1)[:192, 256:]
        inner = np.s_[:160, 32:]  # at its edges the block lacks surroundings
        assert (found.ids == expected)[inner].mean() > 0.98
        assert "pixel size is unknown" not in " ".join(found.warnings)
        with rasterio.open(folder / "classes.tif") as written:
            assert (written.transform.c, written.transform.f) == (300064, 2800000)

    def test_patches_are_segmented_by_their_pixels(self, trained: MODEL, data: Path) -> None:
        evaluation = measured(trained(), data, SplitConfig(kind="patch", patch=32, share=0.25))
        assert len(evaluation.images) == 6  # of 4 × 3 × 2 patches
        assert "leaks" in evaluation.split
        assert evaluation.to_json()["pixels"] == 6 * 32 * 32


class TestSelection:
    def test_all_or_those_of_a_split_or_by_name(self, data: Path) -> None:
        dataset = open_dataset(DataConfig(), data)
        assert len(select(dataset).entries) == 4
        split = SplitConfig(kind="location", fold=1, groups=(("tile1",), ("tile2",)))
        held = select(dataset, split)
        assert {entry.group for entry in held.entries} == {"tile2"}
        assert "fold 1" in held.description
        named = select(dataset, split, names=["tile2/image_part_001"])
        assert [entry.name for entry in named.entries] == ["tile2/image_part_001"]
        assert [entry.group for entry in select(dataset, groups=["tile1"]).entries] == ["tile1", "tile1"]

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            ({"names": ["tile9/x"]}, r"no labelled image tile9/x"),
            ({"groups": ["tile9"]}, r"no labelled group tile9"),
            ({"names": ["tile1/image_part_001"], "groups": ["tile2"]}, "has these names and groups"),
            ({"split": SplitConfig(kind="none")}, "holds out no labelled image"),
        ],
    )
    def test_an_empty_choice_is_refused(self, data: Path, arguments: dict, text: str) -> None:
        with pytest.raises(DatasetError, match=text):
            select(open_dataset(DataConfig(), data), **arguments)


class TestPool:
    def test_folds_give_the_figures_of_all_images(self, trained: MODEL, data: Path) -> None:
        model = trained()
        groups = (("tile1",), ("tile2",))
        folds = [measured(model, data, SplitConfig(kind="location", fold=n, groups=groups)) for n in (0, 1)]
        pooled = pool([Evaluation.from_json(json.loads(json.dumps(fold.to_json()))) for fold in folds]).to_json()
        whole = measured(model, data).to_json()
        for key in ("accuracy", "miou", "boundary_iou", "ece", "classes", "confusion", "intervals", "reliability"):
            assert pooled[key] == pytest.approx(whole[key]) if key == "ece" else pooled[key] == whole[key], key
        assert pooled["split"].count(" held out.") == 2

    def test_what_does_not_fit_is_refused(self, trained: MODEL, data: Path, tmp_path: Path) -> None:
        model = trained()
        one = measured(model, data)
        with pytest.raises(DatasetError, match="occur twice"):
            pool([one, one])
        with pytest.raises(DatasetError, match="tta False and True"):
            pool([one, replace(one, settings={**one.settings, "tta": True})])
        with pytest.raises(DatasetError, match="different classes"):
            pool([one, replace(one, scheme=ClassScheme(DUBAI.classes[::-1], DUBAI.unlabeled))])
        (tmp_path / "other.json").write_text("{}")
        with pytest.raises(DatasetError, match="is not an evaluation: KeyError"):
            load_evaluation(tmp_path / "other.json")


class TestCommand:
    def test_it_writes_figures_text_and_a_page(
        self, trained: MODEL, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        log = tmp_path / "log.csv"
        log.write_text("step,loss,rate,accuracy,miou\n20,1.5,0.1,,\n40,0.7,0.1,0.6,0.4\n60,0.5,0.1,0.7,0.5\n")
        output, pictures = tmp_path / "out" / "figures.json", tmp_path / "pictures"
        arguments = ["evaluate", str(trained()), "--data", str(data), "--validation", "--output", str(output)]
        assert main([*arguments, "--pictures", str(pictures), "--log", str(log), "--boundary", "3"]) == 0
        printed = capsys.readouterr().out
        assert "tile2/image_part_001: accuracy" in printed
        figures = json.loads(output.read_text())
        assert [image["name"] for image in figures["images"]] == ["tile2/image_part_001", "tile2/image_part_002"]
        assert figures["split"].startswith("Own list: tile2")
        assert figures["settings"]["boundary_px"] == 3
        text = output.with_suffix(".md").read_text()
        assert text in printed
        assert f"| Pixel accuracy | {figures['accuracy']:.3f} |" in text
        assert {image["place"] for image in figures["images"]} == {"tile2"}
        assert "No intervals: the images are at one place" in text
        page = output.with_suffix(".html").read_text()
        assert page.count("data:image/jpeg;base64,") == 2
        assert page.count("<svg") == 2  # reliability, curves of the training
        assert not re.search(r'(src|href)="(?!data:|#)', page)
        assert len(re.findall(r"<img[^>]* alt=", page)) == page.count("<img")
        with Image.open(pictures / "tile2_image_part_001.png") as picture:
            assert np.asarray(picture).shape == (96, 4 * 80, 3)

        assert_self_contained(ParsedPage(page))

        pooled = tmp_path / "pooled.json"
        assert main(["evaluate", "--pool", str(output), "--output", str(pooled)]) == 0
        assert json.loads(pooled.read_text())["accuracy"] == figures["accuracy"]

    @pytest.mark.parametrize(
        ("arguments", "text"),
        [
            ([], "no model to evaluate"),
            (["MODEL"], "no data"),
            (["nowhere", "--data", "DATA"], "no model 'nowhere'"),
            (["MODEL", "--data", "DATA", "--output", "figures.txt"], "must be a .json file, got 'figures.txt'"),
            (["MODEL", "--data", "DATA", "--set", "split.fold=1"], "there is none"),
            (["MODEL", "--data", "DATA", "--validation", "--config", "c.toml"], "Give one of them"),
            (["MODEL", "--data", "DATA", "--config", "gone.toml"], "gone.toml cannot be read"),
            (["--pool", "gone.json"], "gone.json is not an evaluation"),
        ],
    )
    def test_wrong_use_is_reported(
        self, trained: MODEL, data: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], text: str
    ) -> None:
        places = {"MODEL": str(trained()), "DATA": str(data)}
        assert main(["evaluate", *(places.get(word, word) for word in arguments)]) == 1
        assert text in capsys.readouterr().err

    def test_a_model_without_its_split_is_refused(
        self, trained: MODEL, data: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        model = trained()
        for training in ({}, {"config": {"data": {"validate_tiles": [2]}}}):
            replace_metadata(model, replace(load_bundle(model).metadata, training=training))
            assert main(["evaluate", str(model), "--data", str(data), "--validation"]) == 1
            assert "does not record which images its training held out" in capsys.readouterr().err

    def test_a_configuration_chooses_the_images(self, trained: MODEL, data: Path, tmp_path: Path) -> None:
        config = tmp_path / "c.toml"
        config.write_text('[split]\nkind = "location"\ngroups = [["tile1"], ["tile2"]]\n')
        output = tmp_path / "f.json"
        arguments = ["evaluate", str(trained()), "--data", str(data), "--config", str(config), "--output", str(output)]
        assert main([*arguments, "--set", "split.fold=1"]) == 0
        assert {image["group"] for image in json.loads(output.read_text())["images"]} == {"tile2"}

    def test_a_log_that_is_none_is_reported_before_any_work(
        self, trained: MODEL, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write_image(tmp_path / "log.png", np.zeros((4, 4), np.uint8))
        arguments = ["evaluate", str(trained()), "--data", str(data), "--output", str(tmp_path / "f.json")]
        assert main([*arguments, "--log", str(tmp_path / "log.png")]) == 1
        printed = capsys.readouterr()
        assert "log.png is not a log of a training run" in printed.err
        assert "accuracy" not in printed.out


def test_figures_replace_no_card_and_a_border_has_a_width(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = tmp_path / "model.md"
    card.write_text("# Model card: model")
    assert main(["evaluate", "model", "--output", str(tmp_path / "model.json")]) == 1
    assert "model.md, which is another text" in capsys.readouterr().err
    assert main(["evaluate", "model", "--boundary=-1"]) == 1
    assert "--boundary must be in 0..1000 px, got -1" in capsys.readouterr().err
