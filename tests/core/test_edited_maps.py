"""Every tool reads mosaics and edited copies of classified rasters as it reads the rasters themselves."""

import math
from pathlib import Path

import numpy as np
import pytest
import shapely
from affine import Affine

from dubai_landcover_plugin import core
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, OutputError
from dubai_landcover_plugin.protocol.requests import (
    AccuracyRequest,
    AccuracySampleRequest,
    ChangeRequest,
    ClassFilesRequest,
    CorrectionsRequest,
    PolygonizeRequest,
    RecodeRequest,
    ReportRequest,
    RoadsRequest,
)
from tests.factories import ONE_METRE, read_layer, write_class_map, write_layer, write_raster

IDS = np.full((48, 64), 2, np.uint8)
IDS[5:20, 6:30] = 4
IDS[30:36] = 3
IDS[:, 58:] = 0
LATER = IDS.copy()
LATER[38:46, 10:30] = 5
OTHER = ClassScheme(
    (*(LandCoverClass(entry.id + 10, entry.name, entry.colour) for entry in DUBAI.classes),),
    LandCoverClass(16, "Unlabeled", "#9B9B9B"),
)


def as_float(folder: Path) -> str:
    """What a raster calculator leaves: floats with another nodata value, without names."""
    values = np.where(IDS == 0, -3.4028235e38, IDS).astype(np.float32)
    return str(write_raster(folder / "copy.tif", values[None], nodata=-3.4028235e38))


def as_mosaic(folder: Path) -> str:
    """What Build Virtual Raster makes of two rasters that meet in column 32."""
    for name, part in (("left", slice(0, 32)), ("right", slice(32, 64))):
        write_class_map(folder / f"{name}.tif", IDS[:, part], transform=ONE_METRE @ Affine.translation(part.start, 0))
    sources = "".join(
        f'<SimpleSource><SourceFilename relativeToVRT="1">{name}.tif</SourceFilename><SourceBand>1</SourceBand>'
        '<SrcRect xOff="0" yOff="0" xSize="32" ySize="48"/>'
        f'<DstRect xOff="{start}" yOff="0" xSize="32" ySize="48"/></SimpleSource>'
        for name, start in (("left", 0), ("right", 32))
    )
    path = folder / "mosaic.vrt"
    path.write_text(
        '<VRTDataset rasterXSize="64" rasterYSize="48"><SRS>EPSG:32640</SRS>'
        f"<GeoTransform>{', '.join(map(str, ONE_METRE.to_gdal()))}</GeoTransform>"
        f'<VRTRasterBand dataType="Byte" band="1"><NoDataValue>0</NoDataValue>{sources}</VRTRasterBand></VRTDataset>'
    )
    return str(path)


def as_masked(folder: Path) -> str:
    """A copy with an alpha band."""
    pixels = np.stack([np.where(IDS == 0, 2, IDS), np.where(IDS == 0, 0, 255)]).astype(np.uint8)
    return str(write_raster(folder / "alpha.tif", pixels, photometric="MINISBLACK", alpha="YES"))


def polygons(path: str, folder: Path):
    core.polygonize(PolygonizeRequest(path, str(folder / "p.gpkg"), min_area=0))
    geometries, fields = read_layer(folder / "p.gpkg")
    return shapely.to_wkt(geometries).tolist(), list(fields["class"])


def class_files(path: str, folder: Path):
    return core.export_class_polygons(ClassFilesRequest(path, str(folder / "v"), suffix=".gpkg")).counts


def roads(path: str, folder: Path):
    core.extract_roads(RoadsRequest(path, str(folder / "r.gpkg"), min_length=0))
    return shapely.to_wkt(read_layer(folder / "r.gpkg")[0]).tolist()


def report(path: str, folder: Path):
    return core.write_report(ReportRequest(path, str(folder / "r.html"))).areas


def sample(path: str, folder: Path):
    core.draw_accuracy_sample(AccuracySampleRequest(path, str(folder / "s.gpkg"), size=30, min_per_class=5))
    geometries, fields = read_layer(folder / "s.gpkg")
    return shapely.to_wkt(geometries).tolist(), list(fields["map_class"])


def accuracy(path: str, folder: Path):
    truth = write_class_map(folder / "truth.tif", LATER)
    return core.assess_accuracy(AccuracyRequest(path, truth)).confusion


def truth(path: str, folder: Path):
    return core.assess_accuracy(AccuracyRequest(write_class_map(folder / "map.tif", LATER), path)).confusion


def change(path: str, folder: Path):
    later = write_class_map(folder / "later.tif", LATER)
    return core.map_change(ChangeRequest(path, later, str(folder / "c.tif"))).classes


def change_resampled(path: str, folder: Path):
    earlier = write_class_map(
        folder / "earlier.tif", np.kron(LATER, np.ones((2, 2))), transform=ONE_METRE @ Affine.scale(0.5)
    )
    return core.map_change(ChangeRequest(earlier, path, str(folder / "c.tif"))).classes


def truth_resampled(path: str, folder: Path):
    finer = np.kron(LATER, np.ones((2, 2)))
    path_of_map = write_class_map(folder / "map.tif", finer, transform=ONE_METRE @ Affine.scale(0.5))
    return core.assess_accuracy(AccuracyRequest(path_of_map, path)).confusion


def corrections(path: str, folder: Path):
    layer = write_layer(folder / "l.gpkg", [shapely.box(300_005, 2_779_980, 300_030, 2_779_998)], to=np.array([3]))
    return core.apply_corrections(CorrectionsRequest(path, layer, str(folder / "c.tif"))).changes


def recoding(path: str, folder: Path):
    return core.recode_classes(RecodeRequest(path, str(folder / "c.tif"), ("Land=Road",))).pixels


TOOLS = [
    polygons,
    class_files,
    roads,
    report,
    sample,
    accuracy,
    truth,
    truth_resampled,
    change,
    change_resampled,
    corrections,
    recoding,
]


@pytest.mark.parametrize("copy", [as_float, as_mosaic, as_masked])
@pytest.mark.parametrize("tool", TOOLS)
def test_a_copy_gives_the_result_of_the_raster(tmp_path, tool, copy):
    results = []
    for name in ("raster", "copy"):
        folder = tmp_path / name
        folder.mkdir()
        path = write_class_map(folder / "copy.tif", IDS) if name == "raster" else copy(folder)
        results.append(tool(path, folder))
    assert results[0] == results[1]
    assert results[0]


@pytest.mark.parametrize("tool", TOOLS)
def test_values_that_are_not_classes_stop_every_tool(tmp_path, tool):
    values = IDS.astype(np.float32)
    values[47, 3] = math.pi
    path = str(write_raster(tmp_path / "copy.tif", values[None]))
    if tool in (truth, truth_resampled):  # a reference may cover more classes than the map
        assert tool(path, tmp_path)
        return
    with pytest.raises(ClassSchemeError, match=r"values that are not classes: 3\.14159"):
        tool(path, tmp_path)
    (tmp_path / "l.gpkg").unlink(missing_ok=True)
    assert not list(tmp_path.glob("*.gpkg")) + list(tmp_path.glob("*.html")) + list(tmp_path.glob("c.tif*"))


@pytest.mark.parametrize("given", ["model.tif", "classes.csv"])
def test_the_users_scheme_reaches_every_request(tmp_path, given):
    path = str(write_raster(tmp_path / "copy.tif", np.where(IDS, IDS + 10, 0)[None].astype(np.int16)))
    write_class_map(tmp_path / "model.tif", [[11]], OTHER)
    rows = "".join(f"{entry.id},{entry.name},{entry.colour}\n" for entry in OTHER.entries)
    (tmp_path / "classes.csv").write_text(f"id,name,colour\n{rows}")
    scheme = str(tmp_path / given)
    counts = core.polygonize(PolygonizeRequest(path, str(tmp_path / "p.gpkg"), scheme=scheme)).counts
    assert counts["Building"] == 1
    files = ClassFilesRequest(path, str(tmp_path / "v"), classes=("Building",), suffix=".gpkg", scheme=scheme)
    assert core.export_class_polygons(files).counts == {"Building": 1}
    assert core.extract_roads(RoadsRequest(path, str(tmp_path / "r.gpkg"), min_length=0, scheme=scheme)).lines == 1
    assert core.write_report(ReportRequest(path, str(tmp_path / "r.html"), scheme=scheme)).pixels["Building"] == 360
    drawn = core.draw_accuracy_sample(AccuracySampleRequest(path, str(tmp_path / "s.gpkg"), size=20, scheme=scheme))
    assert set(drawn.points) == {"Land", "Road", "Building"}
    truth_path = write_class_map(tmp_path / "truth.tif", IDS)
    assert core.assess_accuracy(AccuracyRequest(path, truth_path, scheme=scheme)).overall["value"] == 1
    request = ChangeRequest(path, truth_path, str(tmp_path / "c.tif"), earlier_scheme=scheme)
    assert core.map_change(request).changed == 0
    request = ChangeRequest(truth_path, path, str(tmp_path / "d.tif"), later_scheme=scheme)
    assert core.map_change(request).changed == 0


def test_assumed_classes_are_in_every_result(tmp_path):
    path = as_float(tmp_path)
    results = [
        core.polygonize(PolygonizeRequest(path, str(tmp_path / "p.gpkg"))),
        core.export_class_polygons(ClassFilesRequest(path, str(tmp_path / "v"), suffix=".gpkg")),
        core.extract_roads(RoadsRequest(path, str(tmp_path / "r.gpkg"))),
        core.write_report(ReportRequest(path, str(tmp_path / "r.html"))),
        core.draw_accuracy_sample(AccuracySampleRequest(path, str(tmp_path / "s.gpkg"), size=20)),
        core.assess_accuracy(AccuracyRequest(path, write_class_map(tmp_path / "later.tif", LATER))),
        core.map_change(ChangeRequest(path, str(tmp_path / "later.tif"), str(tmp_path / "c.tif"))),
        core.recode_classes(RecodeRequest(path, str(tmp_path / "n.tif"), ("Land=Road",))),
    ]
    for result in results:
        assert sum("does not name its classes; assumed: 1 Water" in text for text in result.warnings) == 1, result


def test_a_change_cannot_replace_a_raster_of_a_mosaic(tmp_path):
    path = as_mosaic(tmp_path)
    before = (tmp_path / "left.tif").read_bytes()
    later = write_class_map(tmp_path / "later.tif", LATER)
    with pytest.raises(OutputError, match="is the input itself"):
        core.map_change(ChangeRequest(path, later, str(tmp_path / "left.tif"), overwrite=True))
    assert (tmp_path / "left.tif").read_bytes() == before
