"""The descriptions of models against the schemas of STAC and its extensions."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dubai_landcover_plugin.protocol.classes import DUBAI, ClassScheme, LandCoverClass
from dubai_landcover_plugin.protocol.errors import OutputError
from dubai_landcover_plugin.protocol.model_file import read_metadata
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata, ModelSpec
from dubai_landcover_plugin.protocol.stac_item import from_stac_item, to_stac_item
from training.errors import TrainingError
from training.exports.stac import check_name, onnx_item, write_stac_item

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed (requirements/dev.txt)")
local = pytest.importorskip("pystac.validation.local_validator", reason="pystac-core is not installed")

HERE = Path(__file__).parents[1]
SHIPPED = HERE.parents[1] / "resources" / "models"
ITEM = "https://schemas.stacspec.org/v1.1.0/item-spec/json-schema/item.json"
MLM = "https://stac-extensions.github.io/mlm/v1.5.0/schema.json"
CLASSIFICATION = "https://stac-extensions.github.io/classification/v2.0.0/schema.json"


def read_schema(name: str) -> Any:
    return json.loads((HERE / "schemas" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def problems() -> Callable[[dict[str, Any]], list[str]]:
    """Return a function that lists what three schemas find wrong in an item."""
    from referencing import Registry, Resource

    schemas = dict(local.get_local_schema_cache())
    text = json.dumps(read_schema("mlm")).replace("/mlm/v1.4.0/", "/mlm/v1.5.0/")
    schemas[MLM] = json.loads(text)
    schemas[CLASSIFICATION] = read_schema("classification")
    # refers to the classes of an older version, which are described alike
    schemas[CLASSIFICATION.replace("v2.0.0", "v1.1.0")] = schemas[CLASSIFICATION]
    for name in ("raster", "processing"):
        schemas[f"https://stac-extensions.github.io/{name}/v1.1.0/schema.json"] = read_schema(name)
    registry = Registry().with_resources([(key, Resource.from_contents(value)) for key, value in schemas.items()])

    def check(item: dict[str, Any]) -> list[str]:
        item = json.loads(json.dumps(item, allow_nan=False))
        found = []
        for schema in (ITEM, MLM, CLASSIFICATION):
            assert schema == ITEM or schema in item["stac_extensions"]
            validator = jsonschema.Draft7Validator(schemas[schema], registry=registry)
            found += [f"{schema}: {error.json_path}: {error.message[:200]}" for error in validator.iter_errors(item)]
        return found

    return check


def describe(scheme: ClassScheme = DUBAI, **values: Any) -> BundleMetadata:
    defaults: dict[str, Any] = {
        "name": "small",
        "title": "A model",
        "spec": ModelSpec("unet", classes=len(scheme.classes)),
        "scheme": scheme,
        "bands": ("red", "green", "blue"),
        "mean": (0.5, 0.4, 0.3),
        "std": (0.2, 0.3, 0.4),
        "gsd": 0.6,
    }
    return BundleMetadata(**(defaults | values))


FOREIGN = ClassScheme(
    (LandCoverClass(7, "Bare soil / rock", "#112233"), LandCoverClass(9, "نخيل", "#445566")),
    LandCoverClass(12, "?", "#000000"),
)
CASES = {
    "bundle": describe(),
    "pretrained": describe(training={"finished": "2026-01-02T03:04:05Z", "encoder": "somebody's weights"}),
    "own classes": describe(FOREIGN, gsd=30.0, metrics={"classes": {}, "miou": None}),
}


@pytest.mark.parametrize("name", CASES)
def test_items_of_bundles_are_valid(name: str, problems: Callable[[dict[str, Any]], list[str]]) -> None:
    item = to_stac_item(CASES[name])
    assert problems(item) == []
    assert from_stac_item(json.loads(json.dumps(item))) == CASES[name]


@pytest.mark.parametrize("window", [None, 256])
@pytest.mark.parametrize("name", CASES)
def test_items_of_onnx_files_are_valid(
    name: str, window: int | None, problems: Callable[[dict[str, Any]], list[str]]
) -> None:
    before = to_stac_item(CASES[name])
    item = onnx_item(CASES[name], Path("small.onnx"), window)
    assert problems(item) == []
    assert item["assets"]["model"]["href"] == "./small.onnx"
    assert item["properties"]["mlm:input"][0]["input"]["shape"] == [-1, 3, window or -1, window or -1]
    assert to_stac_item(CASES[name]) == before


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.safetensors")), ids=lambda path: path.stem)
def test_shipped_models_still_load_and_have_valid_items(
    path: Path, problems: Callable[[dict[str, Any]], list[str]]
) -> None:
    metadata = read_metadata(path)
    assert problems(to_stac_item(metadata)) == []
    assert from_stac_item(to_stac_item(metadata)) == metadata


def test_bands_are_a_dimension_of_the_input_alone() -> None:
    """Version 1.5.0 wants this; 1.4.0 does not look."""
    properties = to_stac_item(describe())["properties"]
    assert "bands" in properties["mlm:input"][0]["input"]["dim_order"]
    assert "bands" not in properties["mlm:output"][0]["result"]["dim_order"]
    assert "bands" not in properties["mlm:output"][0]


def test_names_of_classes_survive_in_titles() -> None:
    (output,) = to_stac_item(describe(FOREIGN))["properties"]["mlm:output"]
    classes = output["classification:classes"]
    assert [(entry["value"], entry["name"], entry["title"]) for entry in classes] == [
        (7, "Bare-soil-rock", "Bare soil / rock"),
        (9, "class-9", "نخيل"),
    ]


BREAKS: dict[str, Callable[[dict[str, Any]], object]] = {
    "older STAC": lambda item: item.update(stac_version="1.0.0"),
    "a bounding box without a geometry": lambda item: item.update(bbox=[0, 0, 1, 1]),
    "no date": lambda item: item["properties"].pop("datetime"),
    "no artifact type": lambda item: item["assets"]["model"].pop("mlm:artifact_type"),
    "no model among the assets": lambda item: item["assets"]["model"].update(roles=["data"]),
    "bands in the properties alone": lambda item: item["assets"]["model"].pop("bands"),
    "bands in no list": lambda item: item["properties"].pop("bands"),
    "unknown key": lambda item: item["properties"].update({"mlm:size": 1}),
    "unknown scaling": lambda item: item["properties"]["mlm:input"][0].update(value_scaling=[{"type": "none"}]),
    "class name with a space": lambda item: item["properties"]["mlm:output"][0]["classification:classes"][0].update(
        name="a b"
    ),
}


@pytest.mark.parametrize("name", BREAKS)
def test_schemas_see_what_is_wrong(name: str, problems: Callable[[dict[str, Any]], list[str]]) -> None:
    item = copy.deepcopy(to_stac_item(describe()))
    BREAKS[name](item)
    assert problems(item)


def test_items_of_both_kinds_lie_beside_the_models(tmp_path: Path) -> None:
    metadata = replace(describe(), name="old")
    bundle = write_stac_item(tmp_path / "new.safetensors", metadata)
    onnx = write_stac_item(tmp_path / "new.onnx", metadata, 64)
    assert (bundle.name, onnx.name) == ("new.json", "new.onnx.json")
    assert json.loads(bundle.read_text())["assets"]["model"]["href"] == "./new.safetensors"
    assert json.loads(onnx.read_text())["properties"]["mlm:framework"] == "ONNX"


@pytest.mark.parametrize("name", ["ab", "1model", "model-", "dübai", "a/b c", "model (1)"])
def test_names_that_stac_forbids_are_refused(name: str) -> None:
    with pytest.raises(TrainingError, match="at least three characters"):
        check_name(name)
    assert check_name("Dubai 2.b_c-d1") == "Dubai 2.b_c-d1"


def test_an_item_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be made"):
        write_stac_item(tmp_path / "file" / "model.onnx", describe())
