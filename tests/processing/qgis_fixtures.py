"""Fixtures of the QGIS tests: the plugin in a running QGIS, a feedback that remembers, small rasters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from osgeo import gdal, osr
from qgis.core import QgsLayerTreeModel, QgsProcessingContext, QgsProcessingFeedback, QgsProject, QgsSettings
from qgis.gui import QgsLayerTreeView

from dubai_landcover_plugin.protocol.classes import DUBAI

gdal.UseExceptions()


class RecordingFeedback(QgsProcessingFeedback):
    """Remembers every line."""

    def __init__(self) -> None:
        super().__init__(False)
        self.lines: list[tuple[str, str]] = []

    def pushInfo(self, info: str) -> None:  # noqa: N802
        self.lines.append(("info", info))

    def pushWarning(self, warning: str) -> None:  # noqa: N802
        self.lines.append(("warning", warning))

    def pushCommandInfo(self, info: str) -> None:  # noqa: N802
        self.lines.append(("command", info))

    def reportError(self, error: str, fatalError: bool = False) -> None:  # noqa: N802, N803
        self.lines.append(("error", error))

    def setProgressText(self, text: str) -> None:  # noqa: N802
        self.lines.append(("progress", text))

    def texts(self, kind: str) -> list[str]:
        return [text for what, text in self.lines if what == kind]


@pytest.fixture
def feedback() -> RecordingFeedback:
    return RecordingFeedback()


@pytest.fixture(autouse=True)
def no_settings(qgis_app: Any) -> Iterator[None]:
    """Start without settings of the plugin and with an empty project, and leave it so."""
    QgsSettings().remove("dubai_landcover")
    yield
    QgsSettings().remove("dubai_landcover")
    QgsProject.instance().clear()


@pytest.fixture(autouse=True)
def layer_tree(qgis_iface: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the interface of the tests a tree of layers; QGIS 3.44 passes it on to C++, which takes no stand-in."""
    view = QgsLayerTreeView()
    view.setModel(QgsLayerTreeModel(QgsProject.instance().layerTreeRoot(), view))
    monkeypatch.setattr(qgis_iface, "layerTreeView", lambda: view, raising=False)


@pytest.fixture
def provider(qgis_app: Any, qgis_processing: Any, monkeypatch: pytest.MonkeyPatch, engine: str) -> Iterator[Any]:
    """The provider, registered by the plugin as ``qgis_process`` does it; the engine is that of ``make setup``."""
    from dubai_landcover_plugin.plugin import DubaiLandCoverPlugin

    monkeypatch.setenv("DUBAI_LANDCOVER_PYTHON", engine)
    plugin = DubaiLandCoverPlugin(None)
    plugin.initProcessing()
    yield qgis_app.processingRegistry().providerById("dubailandcover")
    plugin.unload()


@pytest.fixture
def algorithm(provider: Any) -> Callable[[str], Any]:
    """Make an algorithm of the provider by name."""
    return lambda name: provider.algorithm(name).create()


@pytest.fixture
def context(qgis_app: Any) -> Iterator[QgsProcessingContext]:
    made = QgsProcessingContext()
    made.setProject(QgsProject.instance())
    yield made
    made.temporaryLayerStore().removeAllMapLayers()  # layers that outlive the application crash QGIS


def write_raster(
    path: Path | str, values: np.ndarray, epsg: int | None = 32640, origin: tuple = (300000, 2780000)
) -> str:
    """Write (C, H, W) values as a GeoTIFF of 1 m pixels; without ``epsg`` it has no georeference."""
    kind = gdal.GDT_Byte if values.dtype == np.uint8 else gdal.GDT_UInt16
    bands, rows, cols = values.shape
    dataset = gdal.GetDriverByName("GTiff").Create(str(path), cols, rows, bands, kind)
    if epsg is not None:
        reference = osr.SpatialReference()
        reference.ImportFromEPSG(epsg)
        dataset.SetProjection(reference.ExportToWkt())
        dataset.SetGeoTransform((origin[0], 1.0, 0.0, origin[1], 0.0, -1.0))
    for number, band in enumerate(values, 1):
        dataset.GetRasterBand(number).WriteArray(band)
    dataset.FlushCache()
    del dataset
    return str(path)


def write_class_map(path: Path | str, ids: np.ndarray, **place: Any) -> str:
    """Write class ids (H, W) as Segment Land Cover does: nodata 0, names and colours of classes in the tags."""
    write_raster(path, ids[np.newaxis], **place)
    dataset = gdal.Open(str(path), gdal.GA_Update)
    dataset.SetMetadata({f"CLASS_{entry.id}": f"{entry.name} {entry.colour}" for entry in DUBAI.entries})
    dataset.GetRasterBand(1).SetNoDataValue(0)
    dataset.FlushCache()
    del dataset
    return str(path)


def write_classes(path: Path) -> str:
    """Write a classified raster of 60 × 40 px: land, a building of 200 px and a road of 300 px."""
    classes = np.full((40, 60), 2, np.uint8)
    classes[5:15, 5:25] = 4
    classes[25:30, :] = 3
    return write_class_map(path, classes)


def town(rows: int = 80, cols: int = 96, seed: int = 3) -> np.ndarray:
    """Return a (3, H, W) uint8 picture of sand, water, a road and roofs."""
    rng = np.random.default_rng(seed)
    picture = np.empty((rows, cols, 3), np.float64)
    picture[:] = (205, 180, 140)
    picture[: rows // 3, : cols // 3] = (40, 90, 110)
    picture[rows // 2 : rows // 2 + 8] = (110, 110, 115)
    picture[rows // 2 + 14 : rows // 2 + 30, 20:50] = (225, 215, 210)
    picture += rng.normal(0, 6, picture.shape)
    return picture.clip(0, 255).astype(np.uint8).transpose(2, 0, 1)


@pytest.fixture
def raster(tmp_path: Path) -> str:
    """A georeferenced RGB raster of 96 × 80 px."""
    return write_raster(tmp_path / "town.tif", town())


@pytest.fixture
def grid_of() -> Callable[[str], tuple]:
    """Read size, transform and projection of a raster."""

    def read(path: str) -> tuple:
        dataset = gdal.Open(path)
        reference = dataset.GetSpatialRef()
        code = None if reference is None else reference.GetAuthorityCode(None)
        return dataset.RasterXSize, dataset.RasterYSize, dataset.GetGeoTransform(), code

    return read


@pytest.fixture
def values_of() -> Callable[[str], np.ndarray]:
    """Read the first band of a raster."""

    def read(path: str) -> np.ndarray:
        dataset = gdal.Open(path)  # a band does not keep its dataset alive
        return dataset.GetRasterBand(1).ReadAsArray()

    return read
