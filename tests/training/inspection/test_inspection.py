"""What `inspect` tells and draws."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
from PIL import Image

from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme, coloured
from tests.pages import HOSTILE, ParsedPage, assert_self_contained
from tests.training.dataset import (
    colours_of,
    draw_labels,
    make_image,
    write_dataset,
    write_image,
    write_pair,
    write_polygons,
    write_raster,
)
from training.__main__ import main
from training.config import DataConfig
from training.data.dataset import NOT_CLASS
from training.data.layouts import open_dataset
from training.data_config import SourceConfig
from training.inspection.findings import Inspection, difference_hash, inspect_dataset
from training.inspection.page import ContactSheet, describe, draw_shares, page
from training.monitoring.pictures import colour, pale


def inspected(root: Path, **settings: object) -> Inspection:
    return inspect_dataset(open_dataset(DataConfig(**settings), root), report=lambda text: None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two tiles, one image without a mask, one of Land alone, one as another, one mask of another size."""
    root = write_dataset(tmp_path / "data")
    write_pair(root, 2, 9, None)
    write_pair(root, 3, 1, Image.fromarray(colours_of(np.full((96, 80), 1, np.uint8))))
    write_pair(root, 3, 2, Image.fromarray(colours_of(draw_labels(1, 96, 64))))
    write_pair(root, 3, 3, Image.fromarray(np.full((96, 80, 3), 77, np.uint8)))
    for part in ("images/image_part_001.jpg", "masks/image_part_001.png"):
        copy = root / "Tile 2" / part.replace("001", "005")
        copy.write_bytes((root / "Tile 1" / part).read_bytes())
    return root


def test_every_problem_is_reported_not_the_first_alone(folder: Path) -> None:
    found = inspected(folder)
    assert len(found.images) == 6
    assert len(found.errors) == 2
    assert "tile3/image_part_002" in found.errors[0]
    assert "image_part_003.png has unknown colours: #4D4D4D" in found.errors[1]
    assert found.problems == (
        "tile3/image_part_001 has only Land: check whether its labels are complete.",
        "tile1/image_part_001 and tile2/image_part_005 are nearly identical: keep them in the same part of a split.",
    )


def test_the_text_has_classes_shares_places_and_sizes(folder: Path) -> None:
    found = inspected(folder)
    text = describe(found)
    counts = sum(np.bincount(draw_labels(seed).ravel(), minlength=5) for seed in (11, 12, 21, 22, 11))
    counts[1] += 96 * 80
    np.testing.assert_array_equal(found.counts, counts)
    for name, count in zip(("Water", "Land", "Road", "Building", "Vegetation"), counts, strict=True):
        (line,) = [line for line in text.splitlines() if line.startswith(name)]
        assert f"{count:,}" in line
        assert f"{count / counts.sum():.1%}" in line
    assert "6 labelled images · 1 without labels · 3 places · 80×96 to 80×96 px" in text
    assert "Parts for a split by location: 0: tile1, tile3 · 1: tile2" in text
    assert "Errors, which stop training:" in text
    assert "tile2/image_part_009" in text


def test_missing_and_lonely_classes_are_reported(tmp_path: Path) -> None:
    for place, upper in (("a", 1), ("b", 1), ("c", 2)):
        labels = np.full((32, 32), upper, np.uint8)
        labels[16:] = 0
        write_image(tmp_path / "images" / place / "x.png", make_image(ord(place), 32, 32).pixels)
        write_image(tmp_path / "masks" / place / "x.png", colours_of(labels))
    problems = inspected(tmp_path).problems
    assert "No image has labels of Building: a model will not predict it." in problems
    assert "Road occurs only in c: it cannot be both trained and validated." in problems
    assert not [problem for problem in problems if "Water" in problem or "Land " in problem]


def test_sparse_labels_and_overlaps_are_reported(tmp_path: Path) -> None:
    write_raster(tmp_path / "images" / "a.tif", make_image(5).pixels)
    box = shapely.box(300010, 2799950, 300020, 2799960)
    write_polygons(tmp_path / "labels.gpkg", [box, box], ["Road", "Land"])
    problems = inspected(tmp_path).problems
    assert problems[0].startswith("Only 1.3% of the pixels are labelled")
    assert "a/r00000c00000: 100 px are in overlapping polygons" in " ".join(problems)
    assert not [problem for problem in problems if "only Land" in problem]


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A configuration of two sources: tiles with all classes, towns with Building, not Building and unlabelled."""
    write_dataset(tmp_path / "tiles")
    for number, name in enumerate(("here_0", "here_1", "there_0")):
        write_image(tmp_path / "towns" / "images" / f"{name}.png", make_image(40 + number, 40, 50).pixels)
        mask = np.full((40, 50), 14, np.uint8)
        mask[:10], mask[30:] = 4, 6
        write_image(tmp_path / "towns" / "labels" / f"{name}.png", mask)
    path = tmp_path / "two.toml"
    path.write_text(
        """
        [[sources]]
        name = "tiles"
        folder = "tiles"
        terms = "Drawn for tests, CC0"
        [[sources]]
        name = "towns"
        folder = "towns"
        layout = "masks"
        masks = "labels"
        labels = { 4 = "Building", 14 = "not Building", 6 = "" }
        place = "^([a-z]+)_"
        gsd = 0.3
        gsds = { there = 0.5 }
        weight = 3.0
        """
    )
    return path


def test_sources_have_a_table_with_partial_labels(sources: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page_path = sources.parent / "page.html"
    assert main(["inspect", str(sources.parent), "--config", str(sources), "--output", str(page_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    (head,) = [number for number, line in enumerate(lines) if line.startswith("source ")]
    assert "not Building  unlabelled" in lines[head]
    tiles, towns = (lines[head + row].split() for row in (1, 2))
    assert tiles[:8] == ["tiles", "4", "2", "0.0", "as", "the", "model", "25%"]
    assert tiles[-2:] == ["–", "0%"]
    assert towns == ["towns", "3", "2", "0.0", "0.3–0.5", "75%", "–", "–", "–", "33%", "–", "67%", "25%"]
    assert "  - tiles: Drawn for tests, CC0" in lines
    assert "  - towns: terms not stated" in lines
    (partial,) = [line.split() for line in lines if line.startswith("not Building")]
    assert partial[:4] == ["not", "Building", "3", "3,000"]
    html = page_path.read_text(encoding="utf-8")
    assert "<h2>Sources</h2>" in html
    assert "not Building" in html


def test_a_sheet_shows_partial_labels_pale_and_names_them() -> None:
    image = make_image(1, 40, 40)
    labels = np.full((40, 40), NOT_CLASS + 3, np.uint8)
    plain, partial = ContactSheet(DUBAI, 1), ContactSheet(DUBAI, 1)
    plain.add(image)
    partial.add(replace(image, labels=labels))
    drawn, before = (np.asarray(sheet.pages()[0]) for sheet in (partial, plain))
    assert tuple(drawn[40, 10 + 42 + 20]) == pale(coloured(DUBAI).classes[3].rgb)
    legend, legend_before = drawn[:20], before[:20]
    assert (legend == pale(coloured(DUBAI).classes[3].rgb)).all(axis=2).any()
    assert not (legend_before == pale(coloured(DUBAI).classes[3].rgb)).all(axis=2).any()


def test_images_alike_have_hashes_alike() -> None:
    draw = np.random.default_rng(1)
    picture = np.kron(draw.integers(0, 255, (8, 9, 3)), np.ones((12, 12, 1), int)).astype(np.uint8)
    small = np.asarray(Image.fromarray(picture).resize((60, 50), Image.Resampling.BILINEAR))
    first, again = difference_hash(picture), difference_hash(small)
    assert (first ^ again).bit_count() <= 4
    assert (first ^ difference_hash(make_image(3).pixels)).bit_count() > 4
    assert difference_hash(np.full((40, 40, 3), 90, np.uint8)) is None


def test_a_sheet_shows_images_beside_their_labels(folder: Path) -> None:
    dataset = open_dataset(DataConfig(), folder)
    image = dataset.entries[0].load()
    sheet = ContactSheet(dataset.scheme, 1)
    sheet.add(image)
    (drawn,) = sheet.pages()
    pixels = np.asarray(drawn)
    top, left = 28, 10
    np.testing.assert_array_equal(pixels[top : top + 96, left : left + 80], image.pixels)
    np.testing.assert_array_equal(pixels[top : top + 96, left + 82 : left + 162], colour(image.labels, DUBAI))


def test_a_long_dataset_gives_evenly_chosen_pages() -> None:
    sheet = ContactSheet(DUBAI, 1000)
    for _ in range(1000):
        sheet.add(make_image(1, 16, 16))
    assert len(sheet.pages()) == 4


def test_the_command_prints_draws_and_fails_where_training_would(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report, pictures = tmp_path / "report.html", tmp_path / "pictures"
    assert main(["inspect", str(folder), "--pictures", str(pictures), "--output", str(report)]) == 1
    printed = capsys.readouterr()
    assert "2 of 8 images cannot be used" in printed.err
    assert sorted(path.name for path in pictures.iterdir()) == ["images_1.png", "shares.png"]
    html = report.read_text(encoding="utf-8")
    assert "tile3/image_part_001 has only Land" in html
    assert html.count("<img ") == 1
    assert not re.findall(r'(?:src|href)="(?!data:|#)', html)  # all of it is in the file


def test_the_command_succeeds_on_sound_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(write_dataset(tmp_path))]) == 0
    text = capsys.readouterr().out
    assert "4 labelled images" in text
    assert "neither image nor mask has a CRS. Give the pixel size. Set model.gsd to it" in text
    assert main(["inspect", str(tmp_path), "--set", "model.gsd=0.5"]) == 0
    assert "Ground sampling distance: 0.5 m/px, as configured." in capsys.readouterr().out
    assert main(["inspect", str(tmp_path / "nowhere")]) == 1
    assert "does not exist" in capsys.readouterr().err
    assert main(["inspect", str(tmp_path), "--set", "data.bands=[1,2,3,4,5,6,7,8,9,10,11,12,13]"]) == 1
    assert "A network reads at most 12 bands, got 13. Choose fewer bands." in capsys.readouterr().err


def test_names_are_escaped_and_empty_inspections_can_be_shown(folder: Path) -> None:
    found = inspected(folder, title="<b>Own & more</b>")
    html = page(found, ContactSheet(found.scheme, 1))
    assert "&lt;b&gt;Own &amp; more&lt;/b&gt;" in html
    nothing = Inspection(found.dataset, (), found.errors, ())
    assert "0 labelled images" in describe(nothing)
    draw_shares(nothing)


@pytest.mark.shared
def test_the_real_tile_7_has_one_image_of_land_alone(shared: Path) -> None:
    dataset = open_dataset(DataConfig(), shared / "dubai")
    tile = replace(dataset, entries=tuple(e for e in dataset.entries if e.group == "tile7"), folds=())
    found = inspect_dataset(tile)
    assert found.errors == ()
    assert found.problems == ("tile7/image_part_008 has only Land: check whether its labels are complete.",)


def test_all_text_of_the_page_is_escaped(folder: Path) -> None:
    def with_text(text: str) -> ParsedPage:
        found = inspected(folder, title=text)
        classes = tuple(replace(entry, name=f"{entry.name} {text}") for entry in found.scheme.classes)
        images = tuple(
            replace(image, name=f"{image.name} {text}", group=f"{image.group} {text}") for image in found.images
        )
        dataset = replace(
            found.dataset,
            scheme=ClassScheme(classes, found.scheme.unlabeled),
            unlabelled=(text,),
            notes=(text,),
            sources=(SourceConfig(text, terms=text),),
        )
        shown = replace(found, dataset=dataset, images=images, errors=(text,), problems=(text,))
        return ParsedPage(page(shown, ContactSheet(shown.scheme, 1)))

    hostile = with_text(HOSTILE)
    assert_self_contained(hostile)
    drawn = {"svg", "g", "defs", "path", "use", "style", "clippath", "rect", "metadata", "rdf:rdf", "cc:work"}
    tags, plain = ([tag for tag in parsed.tags if tag[0] not in drawn] for parsed in (hostile, with_text("x")))
    assert tags == plain
    # title, error, problem, unlabelled and note; classes as rows and twice as heads; a source with name and terms;
    # 3 places; 6 images with place and class
    assert hostile.occurrences(HOSTILE) == 5 + 3 * 5 + 3 + 3 + 3 * 6
