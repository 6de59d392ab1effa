"""The algorithms inside a model, in batch mode and from ``qgis_process``."""

from __future__ import annotations

import inspect
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from osgeo import gdal
from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterRasterLayer,
    QgsProject,
)
from qgis.PyQt import sip

from tests.processing.conftest import BUILD
from tests.processing.qgis_fixtures import RecordingFeedback, town, write_classes, write_raster

pytestmark = pytest.mark.qgis
PROGRAM = shutil.which("qgis_process.bin") or shutil.which("qgis_process")


def build_model(folder: str) -> QgsProcessingModelAlgorithm:
    """Return a model that segments a raster and exports its buildings and roads."""
    source = QgsProcessingModelChildParameterSource
    model = QgsProcessingModelAlgorithm("town to vectors", "tests")
    model.addModelParameter(QgsProcessingParameterRasterLayer("image", "image"), QgsProcessingModelParameter("image"))
    segment = QgsProcessingModelChildAlgorithm("dubailandcover:segmentlandcover")
    segment.setChildId("segment")
    segment.addParameterSources("INPUT", [source.fromModelParameter("image")])
    segment.addParameterSources("WINDOW", [source.fromStaticValue(64)])
    result = QgsProcessingModelOutput("classes", "classes")
    result.setChildId("segment")
    result.setChildOutputName("OUTPUT")
    segment.setModelOutputs({"classes": result})
    model.addChildAlgorithm(segment)
    export = QgsProcessingModelChildAlgorithm("dubailandcover:exportclasspolygons")
    export.setChildId("export")
    export.addParameterSources("INPUT", [source.fromChildOutput("segment", "OUTPUT")])
    export.addParameterSources("CLASSES", [source.fromStaticValue(["Building", "Land", "Road"])])
    export.addParameterSources("MIN_AREA", [source.fromStaticValue(0)])
    export.addParameterSources("OUTPUT_FOLDER", [source.fromStaticValue(folder)])
    model.addChildAlgorithm(export)
    return model


def test_segment_and_export_in_a_model(provider: Any, context: QgsProcessingContext, raster: str, tmp_path: Path):
    feedback = RecordingFeedback()
    saved = str(tmp_path / "town.model3")
    assert build_model(str(tmp_path / "vectors")).toFile(saved)
    model = QgsProcessingModelAlgorithm()
    assert model.fromFile(saved)
    model.initAlgorithm()
    assert model.canExecute() == (True, "")
    name = next(p.name() for p in model.destinationParameterDefinitions())
    results, done = model.run({"image": raster, name: str(tmp_path / "o.tif")}, context, feedback)
    assert done, feedback.lines
    assert results[name] == str(tmp_path / "o.tif")
    made = sorted(os.listdir(tmp_path / "vectors"))
    assert [file for file in made if file.endswith(".shp")], made


def test_batch_mode(provider: Any, tmp_path: Path):
    from processing.gui.BatchAlgorithmDialog import BatchAlgorithmDialog

    rasters = [write_raster(tmp_path / f"{name}.tif", town(48, 40, seed)) for name, seed in (("a", 1), ("b", 2))]
    rows = [{"INPUT": path, "OUTPUT": path.replace(".tif", "_classes.tif"), "WINDOW": 64} for path in rasters]
    dialog = BatchAlgorithmDialog(provider.algorithm("segmentlandcover").create())
    names = []
    try:
        panel = dialog.mainWidget()
        while panel.batchRowCount() < len(rows):
            panel.addRow()
        fill_rows(panel, rows)
        for number in range(len(rows)):
            context, feedback = QgsProcessingContext(), RecordingFeedback()
            context.setProject(QgsProject.instance())
            _, done = dialog.algorithm().run(row_parameters(panel, number, context), context, feedback)
            assert done, feedback.lines
            names += [details.name for details in context.layersToLoadOnCompletion().values()]
    finally:
        sip.delete(dialog)  # a window that outlives the application crashes QGIS
    for row in rows:
        assert (gdal.Open(row["OUTPUT"]).ReadAsArray() > 0).all()
    assert names == ["Land cover: a", "Land cover: b"]


def row_parameters(panel: Any, number: int, context: QgsProcessingContext) -> dict[str, Any]:
    """Return a row of the table as the batch dialog hands it to the algorithm."""
    known = inspect.signature(panel.parametersForRow).parameters
    more = {"context": context} if "context" in known else {}
    parameters, valid = panel.parametersForRow(row=number, destinationProject=QgsProject.instance(), **more)
    assert valid
    return parameters


def fill_rows(panel: Any, rows: list[dict[str, Any]]) -> None:
    """Enter values into the table of the batch dialog; outputs that are not named stay empty."""
    context = QgsProcessingContext()
    outputs = {definition.name() for definition in panel.alg.destinationParameterDefinitions()}
    for number, row in enumerate(rows):
        for name in outputs:
            widget = panel.tblParameters.cellWidget(number + 1, panel.parameter_to_column[name])
            widget.setValue(row.get(name, ""))
        for name in set(row) - outputs:
            panel.wrappers[number][panel.parameter_to_column[name]].setParameterValue(row[name], context)


@pytest.fixture
def qgis_process(tmp_path: Path, engine: str) -> Callable[..., subprocess.CompletedProcess]:
    """Run ``qgis_process`` with the plugin folder that users get and a profile of its own."""
    if PROGRAM is None:
        pytest.skip("qgis_process is not installed")
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "dubai_landcover_plugin").symlink_to(BUILD / "dubai_landcover_plugin")
    environment = {
        **os.environ,
        "QT_QPA_PLATFORM": "offscreen",
        "QGIS_CUSTOM_CONFIG_PATH": str(tmp_path / "profile"),
        "QGIS_PLUGINPATH": str(plugins),
        "DUBAI_LANDCOVER_PYTHON": engine,
    }

    def call(*arguments: str, **variables: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [str(PROGRAM), *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=300,
            env={**environment, **variables},
            cwd=tmp_path,
        )

    assert call("plugins", "enable", "dubai_landcover_plugin").returncode == 0
    return call


def test_qgis_process(qgis_process: Callable, raster: str, tmp_path: Path):
    listed = qgis_process("list").stdout
    for name in ("segmentlandcover", "segmentfolder", "exportclasspolygons"):
        assert name in listed
    helped = qgis_process("help", "dubailandcover:segmentlandcover").stdout
    assert "MIN_CONFIDENCE" in helped
    done = qgis_process(
        "run", "dubailandcover:segmentlandcover", "--", f"INPUT={raster}", "OUTPUT=classes.tif",
        "POLYGONS=polygons.gpkg", "MODEL=dubai", "WINDOW=64", "BANDS=1", "BANDS=2", "BANDS=3",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (gdal.Open(str(tmp_path / "classes.tif")).ReadAsArray() > 0).all()
    assert (tmp_path / "polygons.gpkg").is_file()


def test_corrections_in_qgis_process(qgis_process: Callable, tmp_path: Path):
    classes = write_classes(tmp_path / "classes.tif")
    corrections = {
        "type": "FeatureCollection",
        "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32640"}},
        "features": [
            {
                "type": "Feature",
                "properties": {"from": "Building", "to": "Land"},
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [[[3e5, 2779980], [300030, 2779980], [300030, 278e4], [3e5, 278e4], [3e5, 2779980]]],
                },
            }
        ],
    }
    (tmp_path / "corrections.geojson").write_text(json.dumps(corrections))
    done = qgis_process(
        "--json", "run", "dubailandcover:applycorrections", "--", f"INPUT={classes}",
        "CORRECTIONS=corrections.geojson", "OUTPUT=corrected.tif",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(json.loads(done.stdout)["results"]["CHANGES"]) == {"Building → Land": 200}
    assert not (gdal.Open(str(tmp_path / "corrected.tif")).ReadAsArray() == 4).any()


def test_qgis_process_without_an_engine_fails_with_the_remedy(qgis_process: Callable, raster: str, tmp_path: Path):
    arguments = ["run", "dubailandcover:segmentlandcover", "--", f"INPUT={raster}", f"OUTPUT={tmp_path / 'o.tif'}"]
    failed = qgis_process(*arguments, DUBAI_LANDCOVER_PYTHON="")
    assert failed.returncode != 0
    assert "set DUBAI_LANDCOVER_PYTHON to its Python" in failed.stdout + failed.stderr
    assert not (tmp_path / "o.tif").exists()


def test_the_result_of_qgis_process_is_json(qgis_process: Callable, tmp_path: Path):
    raster = write_raster(tmp_path / "small.tif", town(32, 32))
    done = qgis_process(
        "--json",
        "run",
        "dubailandcover:segmentlandcover",
        "--",
        f"INPUT={raster}",
        "OUTPUT=TEMPORARY_OUTPUT",
        "WINDOW=32",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(done.stdout)["results"]
    assert results["VALID_PIXELS"] == 32 * 32
    assert QgsProcessing.TEMPORARY_OUTPUT not in results["OUTPUT"]
