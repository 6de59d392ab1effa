"""Classes of rasters and of files that users choose."""

import json

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine

from dubai_landcover_plugin.core.io.attribute_table import entries_xml, legend_xml
from dubai_landcover_plugin.core.io.class_map import ClassifiedSource
from dubai_landcover_plugin.core.io.class_scheme import choose_scheme, read_scheme
from dubai_landcover_plugin.core.io.qml import class_style
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme, LandCoverClass, coloured
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, RasterOpenError
from tests.factories import ONE_METRE, write_class_map, write_raster, write_tiny_model

IDS = np.arange(64, dtype=np.uint8).reshape(8, 8) % 4
OWN = ClassScheme(
    (LandCoverClass(1, "Palm", "#00FF7F"), LandCoverClass(2, "Roof", "#FF0000")),
    LandCoverClass(3, "Unlabeled", "#9B9B9B"),
)


def chosen(path, given=None):
    with rasterio.open(path) as dataset:
        return choose_scheme(dataset, given)


def mosaic(path, parts):
    """Write a virtual raster of parts of 8 × 8 px side by side, as gdalbuildvrt does."""
    sources = "".join(
        f'<SimpleSource><SourceFilename relativeToVRT="1">{name}</SourceFilename><SourceBand>1</SourceBand>'
        f'<SrcRect xOff="0" yOff="0" xSize="8" ySize="8"/><DstRect xOff="{8 * place}" yOff="0" xSize="8" ySize="8"/>'
        "</SimpleSource>"
        for place, name in enumerate(parts)
    )
    path.write_text(
        f'<VRTDataset rasterXSize="{8 * len(parts)}" rasterYSize="8"><SRS>EPSG:32640</SRS>'
        f"<GeoTransform>{', '.join(map(str, ONE_METRE.to_gdal()))}</GeoTransform>"
        f'<VRTRasterBand dataType="Byte" band="1"><NoDataValue>0</NoDataValue>{sources}</VRTRasterBand></VRTDataset>'
    )
    return path


def test_tags_come_before_the_sidecar(tmp_path):
    path = write_class_map(tmp_path / "m.tif", IDS, OWN)
    (tmp_path / "m.tif.aux.xml").write_text(legend_xml(DUBAI, {}))
    assert chosen(path) == (OWN, "")


def test_the_sidecar_of_a_copy_without_tags(tmp_path):
    path = write_raster(tmp_path / "m.tif", IDS[None])
    (tmp_path / "m.tif.aux.xml").write_text(legend_xml(OWN, {}))
    assert chosen(path) == (OWN, "")


def test_a_sidecar_with_codes_that_are_not_ids_is_refused(tmp_path):
    path = write_raster(tmp_path / "m.tif", IDS[None])
    code = type("Code", (), {"id": 523, "name": "Moor", "rgb": (1, 2, 3)})
    (tmp_path / "m.tif.aux.xml").write_text(entries_xml([code], {}))
    with pytest.raises(RasterOpenError, match=r"m\.tif is not a .*: Class ids must be 1 to 254, got 523"):
        ClassifiedSource(path)


def test_a_legend_inside_the_format(tmp_path):
    path = write_raster(tmp_path / "m.tif", IDS[None])
    (tmp_path / "m.tif.aux.xml").write_text(legend_xml(OWN, {}))
    rasterio.shutil.copy(path, tmp_path / "m.img", driver="HFA")
    (tmp_path / "m.img.aux.xml").unlink(missing_ok=True)
    found, note = chosen(tmp_path / "m.img")
    assert [(entry.id, entry.name) for entry in found.entries] == [(1, "Palm"), (2, "Roof"), (3, "Unlabeled")]
    assert note == ""


def test_a_mosaic_has_the_classes_of_its_rasters(tmp_path):
    for place, name in enumerate(("a.tif", "b.tif")):
        write_class_map(tmp_path / name, IDS, OWN, transform=ONE_METRE @ Affine.translation(8 * place, 0))
    path = mosaic(tmp_path / "both.vrt", ["a.tif", "b.tif"])
    assert chosen(path) == (OWN, "")
    with ClassifiedSource(path) as source:
        np.testing.assert_array_equal(source.read(0, 8), np.hstack([IDS, IDS]))
    inner = path.rename(tmp_path / "inner.vrt")
    assert chosen(mosaic(tmp_path / "outer.vrt", [inner.name])) == (OWN, "")


def test_a_mosaic_of_different_classes_needs_a_choice(tmp_path):
    write_class_map(tmp_path / "a.tif", IDS, OWN)
    write_class_map(tmp_path / "b.tif", IDS, DUBAI)
    path = mosaic(tmp_path / "both.vrt", ["a.tif", "b.tif"])
    with pytest.raises(RasterOpenError, match=r"a\.tif has 1 Palm, .*, b\.tif has 1 Water.*--scheme"):
        ClassifiedSource(path)
    with ClassifiedSource(path, str(tmp_path / "a.tif")) as source:
        assert source.scheme == OWN


def test_parts_without_names_or_files_do_not_matter(tmp_path):
    write_raster(tmp_path / "plain.tif", IDS[None])
    write_class_map(tmp_path / "b.tif", IDS, OWN)
    assert chosen(mosaic(tmp_path / "both.vrt", ["plain.tif", "missing.tif", "b.tif"])) == (OWN, "")


@pytest.mark.parametrize("scheme", [DUBAI, coloured(DUBAI)], ids=["dataset", "natural"])
def test_a_palette_of_the_dataset_is_recognized(tmp_path, scheme):
    path = write_raster(tmp_path / "m.tif", IDS[None])
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {entry.id: entry.rgb for entry in scheme.entries})
    found, note = chosen(path)
    assert found == scheme
    assert "assumed: 1 Water, 2 Land" in note


def test_a_palette_of_other_classes_gives_no_names(tmp_path):
    path = write_raster(tmp_path / "m.tif", IDS[None])
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {1: (0, 255, 127), 3: (255, 0, 0)})
    found, note = chosen(path)
    assert [(entry.id, entry.name, entry.colour) for entry in found.classes] == [
        (1, "Class 1", "#00FF7F"),
        (3, "Class 3", "#FF0000"),
    ]
    assert note.startswith("m.tif does not name its classes; they are named by their values.")


def test_the_palette_of_an_image_says_nothing(tmp_path):
    path = write_raster(tmp_path / "m.tif", IDS[None])
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {value: (value, 9, 9) for value in range(256)})
    assert chosen(path)[0] == coloured(DUBAI)


def test_a_palette_colours_the_names_of_a_sidecar(tmp_path):
    path = write_raster(tmp_path / "m.tif", IDS[None])
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {1: (0, 255, 127)})
    names = "<CategoryNames><Category/><Category>Palm</Category></CategoryNames>"
    (tmp_path / "m.tif.aux.xml").write_text(f'<PAMDataset><PAMRasterBand band="1">{names}</PAMRasterBand></PAMDataset>')
    assert chosen(path)[0].classes == (LandCoverClass(1, "Palm", "#00FF7F"),)


def test_files_that_hold_classes(tmp_path):
    (tmp_path / "classes.json").write_text(json.dumps(OWN.to_json()))
    (tmp_path / "style.qml").write_text(class_style(OWN))
    write_class_map(tmp_path / "m.tif", IDS, OWN)
    for name in ("classes.json", "style.qml", "m.tif"):
        assert read_scheme(str(tmp_path / name)) == OWN
    assert read_scheme(str(write_tiny_model(tmp_path / "tiny.safetensors"))) == DUBAI


@pytest.mark.parametrize("name", ["plain.tif", "nothing.tif", "no_style.qml", "no_model.safetensors", "x"])
def test_files_that_do_not_are_refused_by_name(tmp_path, name):
    write_raster(tmp_path / "plain.tif", IDS[None])
    (tmp_path / "no_style.qml").write_text("<qgis/>")
    (tmp_path / "no_model.safetensors").write_bytes(b"1")
    with pytest.raises(ClassSchemeError, match=rf"{name} .*Give a model, a raster or a file with classes"):
        read_scheme(str(tmp_path / name))


@pytest.mark.parametrize(
    ("name", "text", "remedy"),
    [
        ("bad.json", "{", "Correct the file."),
        ("own.csv", "id,title\n1,Roof\n", "Write the header id,name,colour"),
        ("own.csv", "id,name,colour\n1,A,#FF0000\n2,B,#FF0000\n", "Choose distinct colours."),
    ],
)
def test_a_table_with_a_mistake_is_to_be_corrected_not_given_again(tmp_path, name, text, remedy):
    (tmp_path / name).write_text(text)
    with pytest.raises(ClassSchemeError, match=rf"{name} cannot be used") as caught:
        read_scheme(str(tmp_path / name))
    assert caught.value.remedy.startswith(remedy)
