"""Errors and pages of training in the language of QGIS; what is stored in files stays in English."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dubai_landcover_plugin.protocol.classes import DUBAI
from dubai_landcover_plugin.protocol.model_metadata import BundleMetadata, ModelSpec
from dubai_landcover_plugin.protocol.requests import CheckLabelsRequest, LabelledData
from dubai_landcover_plugin.protocol.translation import language, use_language
from tests.training.dataset import make_image, write_dataset
from tests.training.evaluation.test_page import evaluation
from training import tasks
from training.bands import parse_bands
from training.config import DataConfig, SplitConfig, TrainingConfig
from training.data.layers import only_layer
from training.data.layouts import open_dataset
from training.data.splits import Split, choose, make_split
from training.errors import ConfigError, DatasetError, in_words
from training.evaluation.page import page as evaluation_page
from training.exports.card import write_card
from training.inspection.findings import inspect_dataset
from training.inspection.page import ContactSheet
from training.inspection.page import page as inspection_page
from training.loop.comparison import describe_comparison
from training.monitoring.training_page import training_page
from training.tasks.learning_curve import part_of

COMPARISON = {
    "name": "world", "new_classes": [], "images": 4, "start": {"accuracy": 0.5, "miou": 0.4}, "alpha": 1,
    "result": {"accuracy": 0.7, "miou": 0.6}, "step": 9, "gain": 0.2, "error": 0.01, "better": True, "worse": ["a – b"],
}  # fmt: skip


@pytest.fixture(autouse=True)
def in_english() -> Iterator[None]:
    yield
    use_language("")


def quiet(text: str) -> None:
    """Say nothing."""


def test_a_hint_for_configurations_is_not_in_what_qgis_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.data.layers.ogr.list_layers", lambda name: [("a", "Polygon"), ("b", "Polygon")])
    with pytest.raises(DatasetError) as caught:
        only_layer(Path("labels.gpkg"), "labels.gpkg")
    shown = "labels.gpkg has 2 layers with geometries: a, b. Choose the layer with the labels."
    assert in_words(caught.value) == shown
    assert str(caught.value) == f'{shown} In a configuration: data.layer = "NAME".'
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize(
    ("locale", "text"),
    [("de", "„x=y“ ist kein Kanal."), ("ar", "\u200f'\u2068x=y\u2069' ليس نطاقًا."), ("", "'x=y' is not a band.")],
)
def test_errors_are_in_the_language_in_use(locale: str, text: str) -> None:
    use_language(locale)
    with pytest.raises(ConfigError) as caught:
        parse_bands(("x=y",))
    assert caught.value.message == text


def test_a_tool_reports_in_the_language_in_use(tmp_path: Path) -> None:
    use_language("es")
    with pytest.raises(DatasetError, match=r"La carpeta .* no existe"):
        tasks.check_labels(CheckLabelsRequest(data=LabelledData(folder=str(tmp_path / "none"), masks=str(tmp_path))))


def page_of_labels(folder: Path) -> str:
    dataset = open_dataset(DataConfig(), write_dataset(folder))
    return inspection_page(inspect_dataset(dataset, report=quiet), ContactSheet(DUBAI, 1))


def page_of_evaluation(folder: Path) -> str:
    found = evaluation("town")
    return evaluation_page(found, found.to_json(), (), {})


def page_of_training(folder: Path) -> str:
    texts = dict.fromkeys(("title", "data", "verdict", "split", "curve"), "town")
    return training_page(folder, TrainingConfig(), DUBAI, texts, ("2",))


@pytest.mark.parametrize(
    ("make", "texts"),
    [
        (page_of_labels, ("البيانات الموسومة", "أكبر فئة", "نسب الفئات")),
        (page_of_evaluation, ("تقييم", "الالتباس", "دقة البكسلات", "الضبط")),
        (page_of_training, ("الفئات", "IoU النموذج")),
    ],
)
def test_pages_are_translated_and_written_right_to_left(
    tmp_path: Path, make: Callable[[Path], str], texts: tuple[str, ...]
) -> None:
    use_language("ar")
    page = make(tmp_path)
    assert '<html lang="ar" dir="rtl">' in page
    for text in texts:
        assert text in page
    use_language("")
    assert '<html lang="en" dir="ltr">' in make(tmp_path / "english")


def test_the_description_of_a_split_is_stored_in_english_and_shown_in_the_language_in_use(tmp_path: Path) -> None:
    dataset = open_dataset(DataConfig(), write_dataset(tmp_path))
    use_language("fr")
    split = make_split(dataset, SplitConfig(kind="quarter"), quiet)
    assert split.description.startswith("A quarter of each image held out")
    assert split.shown.startswith("Un quart de chaque image est mis de côté")
    assert choose(dataset, SplitConfig(kind="location")).description.startswith("By location, fold 0 of ")
    assert part_of(replace(split, training=(make_image(0),)), 0.5).shown == split.shown
    assert Split((), (), "x").shown == ""
    assert language() == "fr"


def test_a_model_card_is_in_english(tmp_path: Path) -> None:
    metadata = BundleMetadata(
        name="small", title="A model", spec=ModelSpec("unet"), scheme=DUBAI, bands=("red", "green", "blue"),
        mean=(0.5,) * 3, std=(0.5,) * 3, gsd=0.6, parameters=12_345,
        training={"started_from": "world", "start": COMPARISON},
    )  # fmt: skip
    cards = []
    for locale in ("", "de"):
        use_language(locale)
        write_card(tmp_path / "small.md", metadata, 2_500_000)
        cards.append((tmp_path / "small.md").read_text(encoding="utf-8"))
    assert cards[0] == cards[1]
    assert "12,345 parameters" in cards[1]
    assert "On 4 held-out images" in cards[1]
    assert describe_comparison(COMPARISON).startswith("Auf 4 zurückgehaltenen Bildern: mittlere IoU 0.400")
