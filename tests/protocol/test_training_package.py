from __future__ import annotations

import sys

import pytest

from dubai_landcover_plugin.protocol.errors import EngineError
from dubai_landcover_plugin.protocol.training_package import missing_packages, training_package


def test_in_a_checkout_training_is_a_package_of_its_own():
    assert training_package() == "training"


def message_without_a_package(monkeypatch: pytest.MonkeyPatch, pip: bool) -> EngineError:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if name != "pip" or pip else None)
    return missing_packages(ModuleNotFoundError("No module named 'lightning_fabric.x'", name="lightning_fabric.x"))


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch):
    error = message_without_a_package(monkeypatch, pip=True)
    assert "needs the package lightning_fabric," in error.message
    assert sys.executable in error.remedy
    assert "training.txt" in error.remedy


def test_an_environment_without_pip_is_told_no_command_of_pip(monkeypatch: pytest.MonkeyPatch):
    error = message_without_a_package(monkeypatch, pip=False)
    assert "needs the package lightning_fabric," in error.message
    assert error.remedy == "Set up the engine with training: Plugins > Dubai Land Cover > Set up the engine…"
