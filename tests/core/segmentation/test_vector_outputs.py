"""Buildings and roads in the same run as the classified raster."""

import os
from dataclasses import replace

import numpy as np
import pyogrio
import pytest
import shapely
from scipy.ndimage import gaussian_filter

from dubai_landcover_plugin.core import export_class_polygons, polygonize, regularize_buildings
from dubai_landcover_plugin.core.polygons import polygonize as polygonize_module
from dubai_landcover_plugin.core.roads import process as process_module
from dubai_landcover_plugin.core.segmentation import vector_outputs
from dubai_landcover_plugin.core.segmentation.vector_outputs import check_classes, write_extras
from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import ClassSchemeError, OutputError
from dubai_landcover_plugin.protocol.monitor import SilentMonitor
from dubai_landcover_plugin.protocol.requests.buildings import BuildingsRequest
from dubai_landcover_plugin.protocol.requests.polygons import ClassFilesRequest, PolygonizeRequest
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions
from tests.factories import read_layer, write_class_map


@pytest.fixture
def town(tmp_path):
    """A classified raster of 200 × 200 m: two houses and a road."""
    ids = np.full((200, 200), 2, np.uint8)
    ids[90:100] = 3
    ids[40:70, 30:80] = 4
    ids[120:150, 100:130] = 4
    return write_class_map(tmp_path / "town.tif", ids)


@pytest.mark.parametrize("suffix", [".gpkg", ".shp"])
def test_buildings_and_roads_of_a_finished_map(town, tmp_path, suffix):
    buildings, roads = tmp_path / f"buildings{suffix}", tmp_path / f"roads{suffix}"
    request = SegmentationRequest("image.tif", town, buildings=str(buildings), roads=str(roads))
    write_extras(request, DUBAI, None, SilentMonitor())
    houses, fields = read_layer(buildings)
    assert sorted(shapely.area(houses).round().tolist()) == [900, 1500]
    assert fields["regular"].tolist() == [1, 1]
    assert fields["class"].tolist() == ["Building", "Building"]
    (line,), fields = read_layer(roads)
    assert shapely.length(line) == pytest.approx(200, abs=3)
    assert not [name for name in os.listdir(tmp_path) if "partial" in name]


def test_a_map_without_buildings_and_roads_gives_empty_files(tmp_path):
    town = write_class_map(tmp_path / "desert.tif", np.full((50, 50), 2, np.uint8))
    buildings, roads = tmp_path / "buildings.gpkg", tmp_path / "roads.gpkg"
    request = SegmentationRequest("image.tif", town, buildings=str(buildings), roads=str(roads))
    write_extras(request, DUBAI, None, SilentMonitor())
    for path in (buildings, roads):
        assert pyogrio.read_info(path, layer=path.stem)["features"] == 0


def test_buildings_that_fail_leave_no_work_behind(town, tmp_path, monkeypatch):
    def fail(*arguments):
        raise OutputError("The disk is full.")

    monkeypatch.setattr("dubai_landcover_plugin.core.buildings.regularize.regularize_checked", fail)
    request = SegmentationRequest("image.tif", town, buildings=str(tmp_path / "b.gpkg"))
    with pytest.raises(OutputError, match="is complete, but a further output failed: The disk is full"):
        write_extras(request, DUBAI, None, SilentMonitor())
    assert os.listdir(tmp_path) == ["town.tif"]


def test_a_model_without_the_class_is_refused_early():
    scheme = ClassScheme(DUBAI.classes[:2], DUBAI.unlabeled)
    check_classes(SegmentationRequest("image.tif", "o.tif", polygons="p.gpkg"), scheme)
    with pytest.raises(ClassSchemeError, match=r"no class Building; it has Water, Land"):
        check_classes(SegmentationRequest("image.tif", "o.tif", buildings="b.gpkg"), scheme)
    with pytest.raises(ClassSchemeError, match="no class Road") as caught:
        check_classes(SegmentationRequest("image.tif", "o.tif", roads="r.shp"), scheme)
    assert "road_class (--road-class, ROAD_CLASS)" in caught.value.remedy
    request = SegmentationRequest("image.tif", "o.tif", buildings="b.gpkg", building_class="Roof")
    with pytest.raises(ClassSchemeError, match=r"no class Roof; it has Water, Land"):
        check_classes(request, scheme)
    check_classes(replace(request, building_class="land"), scheme)


OTHER = ClassScheme(
    (
        LandCoverClass(1, "Sea", "#0000FF"),
        LandCoverClass(2, "Sand", "#FFFF00"),
        LandCoverClass(3, "Tar", "#444444"),
        LandCoverClass(4, "Roof: flat", "#FF0000"),
    ),
    LandCoverClass(9, "Unlabeled", "#9B9B9B"),
)


@pytest.mark.parametrize("names", [("roof: flat", "Tar"), ("4", "3")])
def test_classes_of_other_names_give_buildings_and_roads(tmp_path, names):
    """A road with a gap of 12 m in which a house stands: it is a barrier, whatever its class is called."""
    ids = np.full((200, 200), 2, np.uint8)
    ids[90:100] = 3
    ids[80:110, 100:112] = 4
    ids[20:50, 30:80] = 4
    town = write_class_map(tmp_path / "town.tif", ids, OTHER)
    buildings, roads = tmp_path / "b.gpkg", tmp_path / "r.gpkg"
    request = SegmentationRequest(
        "image.tif", town, buildings=str(buildings), roads=str(roads), building_class=names[0], road_class=names[1]
    )
    check_classes(request, OTHER)
    write_extras(request, OTHER, None, SilentMonitor())
    houses, fields = read_layer(buildings)
    assert sorted(shapely.area(houses).round().tolist()) == [360, 1500]
    assert set(fields["class"]) == {"Roof: flat"}
    lines, fields = read_layer(roads)
    assert set(fields["class"]) == {"Tar"}
    assert len(lines) == 2


def test_the_smallest_area_holds_for_buildings_too(tmp_path):
    rng = np.random.default_rng(4)
    ids = gaussian_filter(rng.normal(size=(3, 150, 150)), (0, 2, 2)).argmax(axis=0).astype(np.uint8) + 2
    town = write_class_map(tmp_path / "town.tif", ids)
    options = SegmentOptions(min_area=60.0)
    request = SegmentationRequest("image.tif", town, options, buildings=str(tmp_path / "b.gpkg"))
    write_extras(request, DUBAI, None, SilentMonitor())
    _, fields = read_layer(tmp_path / "b.gpkg")
    assert len(fields["area_m2"]) > 10
    assert fields["area_m2"].min() >= 60


def same_layers(one, other):
    """Return whether two vector files have the same features."""
    (geometries, fields), (others, other_fields) = read_layer(one), read_layer(other)
    same = shapely.to_wkb(geometries).tolist() == shapely.to_wkb(others).tolist()
    return same and all(
        np.array_equal(values, other_fields[name], equal_nan=values.dtype.kind == "f")
        for name, values in fields.items()
    )


@pytest.fixture
def mixed(tmp_path):
    """A classified raster of 150 × 150 m with ragged houses and roads."""
    rng = np.random.default_rng(5)
    ids = gaussian_filter(rng.normal(size=(3, 150, 150)), (0, 3, 3)).argmax(axis=0).astype(np.uint8) + 2
    return write_class_map(tmp_path / "mixed.tif", ids)


@pytest.mark.parametrize("with_polygons", [True, False])
def test_one_tracing_gives_what_the_tools_give_one_by_one(mixed, tmp_path, monkeypatch, with_polygons):
    tracings, trace = [], polygonize_module.Polygonizer
    monkeypatch.setattr(polygonize_module, "Polygonizer", lambda *a, **k: tracings.append(1) or trace(*a, **k))
    polygons, buildings = tmp_path / "p.gpkg", tmp_path / "b.gpkg"
    request = SegmentationRequest(
        "image.tif", mixed, polygons=str(polygons) if with_polygons else None, buildings=str(buildings)
    )
    write_extras(request, DUBAI, None, SilentMonitor())
    assert len(tracings) == 1
    if with_polygons:
        polygonize(PolygonizeRequest(mixed, str(tmp_path / "p2.gpkg")))
        assert same_layers(polygons, tmp_path / "p2.gpkg")
    assert polygons.exists() == with_polygons
    made = export_class_polygons(ClassFilesRequest(mixed, str(tmp_path / "classes"), ("Building", "Road"), ".gpkg"))
    files = made.files["Building"], made.files["Road"]
    regularize_buildings(BuildingsRequest(files[0], str(tmp_path / "b2.gpkg"), obstacles=files[1], min_area=20.0))
    assert len(read_layer(buildings)[0]) > 10
    assert same_layers(buildings, tmp_path / "b2.gpkg")


@pytest.mark.parametrize("fails", [False, True])
def test_roads_are_the_same_from_a_process_beside(mixed, tmp_path, monkeypatch, fails):
    request = SegmentationRequest("image.tif", mixed, roads=str(tmp_path / "alone.gpkg"))
    write_extras(request, DUBAI, None, SilentMonitor())
    found = []

    class Observed(process_module.NetworkProcess):
        def result(self, monitor):
            if fails:
                self._process.kill()
            found.append(super().result(monitor))
            return found[-1]

    monkeypatch.setattr(process_module, "NetworkProcess", Observed)
    monkeypatch.setattr(vector_outputs, "_may_start_process", lambda steps: True)
    beside = replace(request, roads=str(tmp_path / "beside.gpkg"), buildings=str(tmp_path / "b.gpkg"))
    write_extras(beside, DUBAI, None, SilentMonitor())
    assert [extraction is None for extraction in found] == [fails]
    assert same_layers(tmp_path / "alone.gpkg", tmp_path / "beside.gpkg")


def test_a_process_needs_cores_memory_and_a_raster_that_is_worth_it(mixed, monkeypatch):
    hardware = "dubai_landcover_plugin.core.runtimes.hardware"
    chosen = SegmentationRequest("image.tif", mixed)
    steps = vector_outputs.VectorSteps(mixed, chosen, None, 20.0, 2.0, True, memory=1000)

    def may(**changes):
        with monkeypatch.context() as patch:
            patch.setattr(vector_outputs, "_LEAST_PIXELS", changes.get("least", 1))
            patch.setattr(f"{hardware}.cores", lambda: changes.get("cores", 2))
            patch.setattr(f"{hardware}.used_memory", lambda: changes.get("used", 400) << 20)
            return vector_outputs._may_start_process(steps)

    assert may()
    assert not may(cores=1)
    assert not may(used=900)
    assert not may(least=150 * 150 + 1)
