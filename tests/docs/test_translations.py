"""Collecting the texts that are translated, and checking the catalogues."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_SPEC = importlib.util.spec_from_file_location("translations_script", ROOT / ".ci" / "translations.py")
script = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(script)


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ('tr("a " "b")', {"a b"}),
        ('tr("a" if x else "b")', {"a", "b"}),
        ('W = {"key": "value"}\ntr(W[name])', {"value"}),
        ('AlgorithmInfo(name="n", title="T", help="h")', {"T", "h"}),
        ('W = {"key": ("value", "other")}\ntr(W[name][0])', {"value", "other"}),
        ('marked("a")', {"a"}),
        ('tr("{n} a", n=1)', {"{n} a"}),
        ("tr(option.title)", set()),
        ('other("a")', set()),
    ],
)
def test_texts_are_found(source, texts):
    assert script.texts_of_source(source) == texts


def test_a_text_put_together_before_translation_is_refused():
    with pytest.raises(ValueError, match=r"m\.py:1: tr\(\) needs a literal"):
        script.texts_of_source('tr(f"{name} is missing")', "m.py")


def test_values_put_in_after_translation_are_refused():
    with pytest.raises(ValueError, match=r"m\.py:1: give values to tr\(\) as its fields"):
        script.texts_of_source('tr("{name} is missing").format(name=name)', "m.py")


def test_titles_helps_and_descriptions_are_collected():
    texts = script.all_texts()
    assert {"Segment Land Cover", "Shortest edge", "Set up now", "Segmentation"} <= set(texts)
    assert {"There is no labelled training image.", "Would more labels help?", "Labelled data"} <= set(
        texts
    )  # training
    assert "" not in texts


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ('raise DatasetError(f"{path} is empty.")', 1),
        ('raise DatasetError(tr("{path} is empty.", path=path), "Give another one.")', 1),
        ('raise TrainingError(tr("{path} is empty.", path=path), tr("Give another one."), "Set it.")', 0),
        ('raise TrainingError("There is no window.", "Set model.window.")', 0),
        ('raise TrainingError(f"{symptom} {kept}")', 0),
        ('raise ValueError("a bug")', 0),
    ],
)
def test_errors_of_training_that_are_not_translated_are_found(source, lines):
    assert len(script.plain_errors(source)) == lines


def test_errors_of_training_are_translated():
    assert script.all_plain_errors() == []


def test_faults_of_a_catalogue_are_found():
    catalogue = script.Catalog("fr")
    for text, translation in (
        ("fine {name}", "bien {name}"),
        ("none", ""),
        ("lost {name}", "perdu"),
        ("<p>tag</p>", "<p>balise"),
    ):
        catalogue.add(text, translation)
    found = script.problems(catalogue)
    assert [line.rpartition(": ")[2] for line in found] == ["none", "lost {name}", "<p>tag</p>"]


@pytest.mark.parametrize("language", script.LANGUAGES)
def test_catalogues_are_up_to_date_and_keep_placeholders_and_tags(language: str):
    catalogue = script.updated(language, script.all_texts())
    for suffix, data in zip((".po", ".mo"), script.written(catalogue), strict=True):
        assert (script.FOLDER / f"{language}{suffix}").read_bytes() == data, "run 'make translations'"
    assert not [fault for fault in script.problems(catalogue) if "not translated" not in fault]


@pytest.mark.parametrize("language", script.LANGUAGES)
def test_nearly_all_texts_are_translated(language: str):
    catalogue = script.updated(language, script.all_texts())
    missing = [message.id for message in catalogue if message.id and not message.string]
    assert len(missing) <= 0.02 * len(catalogue), missing
