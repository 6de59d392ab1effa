"""Images with masks, and class tables."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from PIL import Image
from rasterio.vrt import WarpedVRT

from dubai_landcover_plugin.core.assessment.confusion import IGNORE
from dubai_landcover_plugin.protocol.classes import DUBAI
from tests.training.dataset import colours_of, draw_labels, make_image, write_image, write_raster
from training.config import DataConfig
from training.data.class_table import read_class_table
from training.data.dataset import NOT_CLASS
from training.data.layouts import Dataset, open_dataset
from training.data.masks import read_labels
from training.errors import ConfigError, DatasetError

LABELS = draw_labels(5)
TABLE = "id,name,colour\n3,Roof,#ff0000\n7,Tree,#00FF00\n"


def write_pair(root: Path, name: str = "a", mask: np.ndarray | None = None) -> Path:
    image = make_image(5)
    write_image(root / "images" / f"{name}.png", image.pixels)
    write_image(root / "masks" / f"{name}.png", colours_of(image.labels) if mask is None else mask)
    return root


def opened(root: Path, **settings: object) -> Dataset:
    return open_dataset(DataConfig(**settings), root)


def table(folder: Path, text: str, name: str = "classes.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_rgb_palette_and_transparent_masks_give_the_same_labels(tmp_path: Path) -> None:
    plain = Image.fromarray(colours_of(LABELS))
    palette = plain.quantize(8)
    assert palette.mode == "P"
    plain.save(tmp_path / "plain.png")
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "plain.png")[0], LABELS)
    np.testing.assert_array_equal(read_labels(tmp_path / "palette.png")[0], LABELS)
    plain.putalpha(Image.fromarray(np.where(LABELS == 1, 0, 255).astype(np.uint8)))
    plain.save(tmp_path / "alpha.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "alpha.png")[0], np.where(LABELS == 1, IGNORE, LABELS))


@pytest.mark.parametrize("kind", ["uint8", "uint16", "int32", "float32"])
def test_ids_in_one_band_are_read_whatever_their_type(tmp_path: Path, kind: str) -> None:
    ids = np.array(DUBAI.ids)[LABELS]
    ids[:3, :4] = [0, 255, DUBAI.unlabeled.id, 1]
    path = write_raster(tmp_path / "ids.tif", ids[..., None].astype(kind), photometric="MINISBLACK")
    labels = read_labels(path)[0]
    np.testing.assert_array_equal(labels[3:], LABELS[3:])
    assert labels[0, :4].tolist() == [IGNORE, IGNORE, IGNORE, 0]


def test_nodata_of_a_mask_is_ignored(tmp_path: Path) -> None:
    ids = np.array(DUBAI.ids)[LABELS][..., None].astype(np.int16)
    ids[0, 0] = -1
    path = write_raster(tmp_path / "ids.tif", ids, photometric="MINISBLACK", nodata=-1)
    assert read_labels(path)[0][0, :2].tolist() == [IGNORE, LABELS[0, 1]]


def test_a_palette_of_other_colours_is_a_mask_of_ids(tmp_path: Path) -> None:
    image = Image.fromarray(np.array(DUBAI.ids, np.uint8)[LABELS], "P")
    image.putpalette([0, 0, 0, 250, 1, 1, 2, 250, 2, 3, 3, 250, 7, 7, 7, 9, 9, 9])
    image.save(tmp_path / "ids.png")
    np.testing.assert_array_equal(read_labels(tmp_path / "ids.png")[0], LABELS)


def test_unlabeled_and_black_are_ignored(tmp_path: Path) -> None:
    mask = np.array([[DUBAI.unlabeled.rgb, (0, 0, 0), DUBAI.classes[4].rgb]], np.uint8)
    path = write_image(tmp_path / "mask.png", mask)
    assert read_labels(path)[0].tolist() == [[IGNORE, IGNORE, 4]]


def test_a_colour_or_id_of_no_class_is_named_with_its_file(tmp_path: Path) -> None:
    mask = colours_of(LABELS)
    mask[3, 4] = (1, 2, 3)
    with pytest.raises(DatasetError, match=r"mask\.png has unknown colours: #010203 \(1 px\)"):
        read_labels(write_image(tmp_path / "mask.png", mask))
    palette = Image.fromarray(mask).quantize(8)
    palette.save(tmp_path / "palette.png")
    with pytest.raises(DatasetError, match=r"palette\.png has unknown colours: #010203 \(1 px\)"):
        read_labels(tmp_path / "palette.png")
    ids = np.array([[1, 77, 77]], np.uint8)
    with pytest.raises(DatasetError, match=r"ids\.png has unknown ids: 77 \(2 px\)") as caught:
        read_labels(write_image(tmp_path / "ids.png", ids))
    assert "1 Water" in caught.value.remedy


def test_jpeg_masks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"mask\.jpg has unknown colours: .* and \d+ more") as caught:
        read_labels(write_image(tmp_path / "mask.jpg", colours_of(draw_labels(5)[:, 5:77])))
    assert "lossless compression" in caught.value.remedy


def test_a_folder_of_images_and_masks_is_read(tmp_path: Path) -> None:
    write_pair(tmp_path, "b")
    write_pair(tmp_path, "town/c")
    write_image(tmp_path / "images" / "lonely.jpg", make_image(1).pixels)
    write_image(tmp_path / "masks" / "stray.png", colours_of(LABELS))
    for leftover in ("b.png.aux.xml", "._b.png", "notes.txt"):
        (tmp_path / "images" / leftover).write_text("no image")
    dataset = opened(tmp_path)
    assert [(entry.name, entry.group) for entry in dataset.entries] == [("b", "b"), ("town/c", "town")]
    assert dataset.unlabelled == ("lonely",)
    assert any(note.endswith("stray.png has no image and is not used.") for note in dataset.notes)
    image = dataset.entries[1].load()
    np.testing.assert_array_equal(image.pixels, make_image(5).pixels)
    np.testing.assert_array_equal(image.labels, LABELS)
    assert image.group == "town"


def test_names_must_be_unique_and_pair_up(tmp_path: Path) -> None:
    write_pair(tmp_path, "a")
    write_image(tmp_path / "masks" / "a.tif", colours_of(LABELS))
    with pytest.raises(
        DatasetError, match=r"a\.png and .*a\.tif have the same name|a\.tif and .*a\.png have the same name"
    ):
        opened(tmp_path)
    for path in (tmp_path / "masks").iterdir():
        path.rename(path.with_stem(path.stem + "_mask" + path.suffix[1]))
    with pytest.raises(DatasetError, match=r"No image in .* has a mask of the same name"):
        opened(tmp_path)


def test_image_and_mask_must_have_one_size_and_place(tmp_path: Path) -> None:
    write_pair(tmp_path, mask=colours_of(LABELS[:50]))
    with pytest.raises(DatasetError, match=r"80×96 px, its mask 80×50 px .*images/a\.png, .*masks/a\.png"):
        opened(tmp_path).entries[0].load()
    other = tmp_path / "placed"
    write_raster(other / "images" / "a.tif", make_image(5).pixels)
    write_raster(other / "masks" / "a.tif", colours_of(LABELS), origin=(300100.0, 2800000.0))
    with pytest.raises(DatasetError, match=r"no ground in common .*images/a\.tif"):
        opened(other).entries[0].load()


def small_scheme(folder: Path) -> None:
    table(folder, "id,name,colour\n1,Building,#FF0000\n2,Other,#FFFFFF\n")


@pytest.mark.parametrize("nodata", [None, 0, 255])
@pytest.mark.parametrize("high", [1, 255])
def test_masks_of_one_class_are_read_as_configured(tmp_path: Path, high: int, nodata: int | None) -> None:
    is_building = LABELS == 3
    mask = np.where(is_building, high, 0).astype(np.uint8)[..., None]
    write_raster(tmp_path / "images" / "a.tif", make_image(5).pixels)
    write_raster(tmp_path / "masks" / "a.tif", mask, photometric="MINISBLACK", nodata=nodata)
    small_scheme(tmp_path)
    for zero, label in (("Other", 1), ("not Building", NOT_CLASS), ("", IGNORE)):
        (entry,) = opened(tmp_path, values={"0": zero, str(high): "building"}).entries
        np.testing.assert_array_equal(entry.load().labels, np.where(is_building, 0, label))


def test_a_mask_of_one_class_in_three_equal_bands(tmp_path: Path) -> None:
    write_pair(tmp_path, mask=np.repeat(np.where(LABELS == 3, 255, 0).astype(np.uint8)[..., None], 3, axis=2))
    small_scheme(tmp_path)
    values = {"255": "Building", "0": "Other"}
    np.testing.assert_array_equal(opened(tmp_path, values=values).entries[0].load().labels, LABELS != 3)


def test_a_mask_of_0_and_255_without_a_meaning_is_explained(tmp_path: Path) -> None:
    write_pair(tmp_path, mask=np.where(LABELS == 3, 255, 0).astype(np.uint8))
    with pytest.raises(DatasetError, match=r"a\.png has only 0, 255, which are no labels") as caught:
        opened(tmp_path).entries[0].load()
    assert "255=Water and 0=not Water" in caught.value.remedy
    assert "[data.values] 255 =" in caught.value.hint


@pytest.mark.parametrize("kind", ["uint16", "int32", "float32"])
def test_any_numbers_have_a_meaning(tmp_path: Path, kind: str) -> None:
    numbers = np.array([1000, 2000, 21, 7, 300])[LABELS].astype(kind)
    write_raster(tmp_path / "images" / "a.tif", make_image(5).pixels)
    write_raster(tmp_path / "masks" / "a.tif", numbers[..., None], photometric="MINISBLACK")
    values = {"1000": "Water", "2000": "Land", "21": "Road", "7": "Building", "300": ""}
    labels = opened(tmp_path, values=values).entries[0].load().labels
    np.testing.assert_array_equal(labels, np.where(LABELS == 4, IGNORE, LABELS))
    with pytest.raises(DatasetError, match=r"without a meaning: 300 \(") as caught:
        opened(tmp_path, values={key: values[key] for key in ("1000", "2000", "21", "7")}).entries[0].load()
    assert "defined for 7, 21, 1000, 2000" in caught.value.remedy


def test_colours_have_a_meaning(tmp_path: Path) -> None:
    colours = np.array([[0, 0, 255], [1, 2, 3], [128, 128, 128], [255, 0, 0], [0, 255, 0]], np.uint8)
    write_pair(tmp_path, mask=colours[LABELS])
    values = {"#0000ff": "Water", "#010203": "Land", "#808080": "Road", "#FF0000": "Building", "#00FF00": "not Road"}
    labels = opened(tmp_path, values=values).entries[0].load().labels
    np.testing.assert_array_equal(labels, np.where(LABELS == 4, NOT_CLASS + 2, LABELS))
    del values["#808080"]
    with pytest.raises(DatasetError, match=r"without a meaning: #808080 \(") as caught:
        opened(tmp_path, values=values).entries[0].load()
    assert "#010203" in caught.value.remedy
    with pytest.raises(DatasetError, match="has colours, but its labels are defined for numbers"):
        opened(tmp_path, values={"1": "Water"}).entries[0].load()
    write_image(tmp_path / "masks" / "a.png", LABELS)
    with pytest.raises(DatasetError, match="is not RGB"):
        opened(tmp_path, values=values).entries[0].load()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"1": "Roof"}, "data.values: value 1 means 'Roof', but there is no class 'Roof'"),
        ({"x": "Road"}, "data.values: 'x' is not a mask value"),
        ({"1": "Road", "#FF0000": "Water"}, "has numbers and colours: 1, #FF0000"),
        ({"#ff0000": "Road", "#FF0000": "Water"}, "has a value twice"),
    ],
)
def test_meanings_that_cannot_be_used(tmp_path: Path, values: dict[str, str], message: str) -> None:
    write_pair(tmp_path)
    with pytest.raises(ConfigError, match=message):
        opened(tmp_path, values=values)


@pytest.mark.parametrize("size", [2.0, 1.0, 0.5])
def test_masks_on_another_grid_are_resampled(tmp_path: Path, size: float) -> None:
    """The mask starts 16 m further east and 32 m further south, and has other pixels: it covers the image partly."""
    factor = 1 / size
    rows, cols = np.indices((int(64 * factor), int(64 * factor)))
    part = LABELS[(32 + rows * size).astype(int), (16 + cols * size).astype(int)]
    write_raster(tmp_path / "images" / "a.tif", make_image(5).pixels)
    ids = np.array(DUBAI.ids, np.uint8)[part][..., None]
    write_raster(tmp_path / "masks" / "a.tif", ids, photometric="MINISBLACK", origin=(300016.0, 2799968.0), size=size)
    (entry,) = opened(tmp_path).entries
    wanted = np.full(LABELS.shape, IGNORE)
    wanted[32:, 16:] = LABELS[32:, 16:]
    np.testing.assert_array_equal(entry.load().labels, wanted)
    (note,) = entry.check()
    assert f"a.tif has other pixels ({ids.shape[1]}×{ids.shape[0]} px, {size:g} m)" in note


def test_masks_in_another_crs_are_resampled(tmp_path: Path) -> None:
    ids = np.array(DUBAI.ids, np.uint8)[LABELS][..., None]
    write_raster(tmp_path / "images" / "a.tif", make_image(5).pixels)
    plain = write_raster(tmp_path / "plain.tif", ids, photometric="MINISBLACK")
    (tmp_path / "masks").mkdir()
    with rasterio.open(plain) as dataset, WarpedVRT(dataset, crs="EPSG:4326", nodata=0) as moved:
        rasterio.shutil.copy(moved, tmp_path / "masks" / "a.tif", driver="GTiff")
    labels = opened(tmp_path).entries[0].load().labels
    assert (labels == LABELS).mean() > 0.9
    inner = labels[4:-4, 4:-4]
    assert (inner != IGNORE).mean() > 0.99


@pytest.mark.parametrize("bands", [1, 2])
def test_an_image_that_is_not_rgb_is_refused(tmp_path: Path, bands: int) -> None:
    write_pair(tmp_path)
    grey = make_image(5).pixels[..., :bands]
    write_image(tmp_path / "images" / "a.png", grey[..., 0] if bands == 1 else grey)
    with pytest.raises(DatasetError, match=r"a\.png is not RGB") as caught:
        opened(tmp_path).entries[0].load()
    assert "data.bands" in caught.value.hint


def test_transparent_pixels_are_ignored(tmp_path: Path) -> None:
    write_pair(tmp_path)
    alpha = np.full((*LABELS.shape, 1), 255, np.uint8)
    alpha[:10] = 0
    write_image(tmp_path / "images" / "a.png", np.concatenate([make_image(5).pixels, alpha], axis=2))
    image = opened(tmp_path).entries[0].load()
    assert (image.labels[:10] == IGNORE).all()
    np.testing.assert_array_equal(image.labels[10:], LABELS[10:])


def test_bands_can_be_named(tmp_path: Path) -> None:
    pixels = make_image(5).pixels
    infrared = np.concatenate([np.zeros_like(pixels[..., :1]), pixels[..., ::-1]], axis=2)
    write_raster(tmp_path / "images" / "a.tif", infrared, photometric="MINISBLACK")
    write_image(tmp_path / "masks" / "a.png", colours_of(LABELS))
    image = opened(tmp_path, bands=(4, 3, 2)).entries[0].load()
    np.testing.assert_array_equal(image.pixels, pixels)


def test_sixteen_bits_are_stretched_as_in_a_run(tmp_path: Path) -> None:
    pixels = make_image(5).pixels
    write_raster(tmp_path / "images" / "a.tif", pixels.astype(np.uint16) * 40 + 300)
    write_image(tmp_path / "masks" / "a.png", colours_of(LABELS))
    image = opened(tmp_path).entries[0].load()
    low, high = np.percentile(pixels.reshape(-1, 3), (2, 98), axis=0)
    wanted = np.clip((pixels - low) / (high - low), 0, 1) * 255
    assert np.abs(image.pixels - wanted).max() <= 1
    assert image.pixels.dtype == np.uint8


def test_a_class_table_names_the_classes(tmp_path: Path) -> None:
    write_pair(tmp_path, mask=np.where(LABELS > 2, 3, 7).astype(np.uint8))
    table(tmp_path, TABLE)
    dataset = opened(tmp_path)
    assert [(entry.id, entry.name, entry.colour) for entry in dataset.scheme.classes] == [
        (3, "Roof", "#FF0000"),
        (7, "Tree", "#00FF00"),
    ]
    np.testing.assert_array_equal(dataset.entries[0].load().labels, np.where(LABELS > 2, 0, 1))
    elsewhere = table(tmp_path, TABLE.replace("Tree", "Palm"), "own.csv")
    assert opened(tmp_path, classes="own.csv").scheme.classes[1].name == "Palm"
    elsewhere.rename(tmp_path / "classes.json")
    with pytest.raises(DatasetError, match=r"classes\.csv and classes\.json"):
        opened(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "id,name,colour,unlabeled\n1,Roof,#FF0000,\n2,Tree,#00FF00,\n9,Doubt,#000001,yes",
        "\ufeffID;Name;Color;ignored\r\n1;Roof;#ff0000;\r\n9;Doubt;#000001;1\r\n2;Tree;#00ff00;\r\n\r\n",
        '[{"id": 1, "name": "Roof", "colour": "#FF0000"}, {"id": 2, "name": "Tree", "colour": "#00FF00"},'
        ' {"id": 9, "name": "Doubt", "colour": "#000001", "unlabeled": true}]',
        "name,id,colour,unlabeled,drawn by\nRoof,1.0,#FF0000,,\nTree,2.0,#00FF00,,a student\nDoubt,9.0,#000001,yes,\n",
        '{"classes": [{"id": 1, "name": "Roof", "colour": "#FF0000"}, {"id": 2, "name": "Tree", "colour": "#00FF00"}],'
        ' "unlabeled": {"id": 9, "name": "Doubt", "colour": "#000001"}}',
    ],
    ids=["csv", "semicolons", "json", "more columns", "scheme"],
)
def test_tables_are_read_as_people_write_them(tmp_path: Path, text: str) -> None:
    scheme = read_class_table(table(tmp_path, text, "classes.json" if text[0] in "[{" else "classes.csv"))
    assert json.dumps(scheme.to_json()).count("#") == 3
    assert [(entry.id, entry.name) for entry in scheme.entries] == [(1, "Roof"), (2, "Tree"), (9, "Doubt")]


def test_unlabeled_may_be_absent_or_zero(tmp_path: Path) -> None:
    for text in (TABLE, TABLE + "0,Unlabeled,\n"):
        scheme = read_class_table(table(tmp_path, text))
        assert (scheme.unlabeled.name, scheme.unlabeled.colour) == ("Unlabeled", "#9B9B9B")
        assert scheme.unlabeled.id not in scheme.ids


def test_an_id_between_those_of_the_table_is_unknown(tmp_path: Path) -> None:
    scheme = read_class_table(table(tmp_path, TABLE))
    for value in (1, 2, 4, 8):
        with pytest.raises(DatasetError, match=f"unknown ids: {value} "):
            read_labels(write_image(tmp_path / "ids.png", np.full((2, 2), value, np.uint8)), scheme)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,colour\n1,#FF0000\n", "class 1 has the fields id, colour"),
        (TABLE + "7,Other,#0000FF\n", "ids must differ"),
        (TABLE + "8,Other,#00FF00\n", "several classes the same colour"),
        (TABLE + "x,Other,#0000FF\n", "class 3: the id must be a whole number, got 'x'"),
        (TABLE + "7.5,Other,#0000FF\n", "class 3: the id must be a whole number, got '7.5'"),
        (TABLE + "inf,Other,#0000FF\n", "class 3: the id must be a whole number, got 'inf'"),
        (TABLE + "0,Other,#0000FF\n", "class 3: Class ids must be 1 to 254"),
        (TABLE + "8,Other,blue\n", "class 3: Class colours must have the form"),
        (TABLE + "8,Unlabeled,#0000FF\n9,Ignored,#0000FE\n", "marks 2 classes as unlabeled"),
        ("id,name,colour\n", "does not list any class"),
    ],
)
def test_what_is_wrong_in_a_table_is_reported_with_its_row(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=rf"classes\.csv.*{message}"):
        read_class_table(table(tmp_path, text))


def test_every_id_taken_leaves_none_for_unlabeled(tmp_path: Path) -> None:
    rows = [f"{number},c{number},#{number:06X}" for number in range(1, 255)]
    path = tmp_path / "classes.csv"
    path.write_text("\n".join(["id,name,colour", *rows]))
    with pytest.raises(DatasetError, match="lists 254 classes without one for unlabeled pixels; the limit is 253"):
        read_class_table(path)
    path.write_text("\n".join(["id,name,colour", *rows[:-1]]))
    assert read_class_table(path).unlabeled.id == 254


def test_a_table_nested_too_deep_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "classes.json"
    path.write_text("[" * 100_000)
    with pytest.raises(DatasetError, match="is not valid JSON"):
        read_class_table(path)


def test_a_table_that_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"classes\.json is not valid JSON"):
        read_class_table(table(tmp_path, "[{", "classes.json"))
    with pytest.raises(DatasetError, match=r"classes\.json is not a list"):
        read_class_table(table(tmp_path, '{"a": 1}', "classes.json"))
    with pytest.raises(DatasetError, match=r"classes\.json, class 1 is not a table"):
        read_class_table(table(tmp_path, "[1]", "classes.json"))
    with pytest.raises(DatasetError, match=r"nothing\.csv cannot be read"):
        read_class_table(tmp_path / "nothing.csv")
