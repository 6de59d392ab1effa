from __future__ import annotations

import sys

from dubai_landcover_plugin.protocol.training_package import missing_packages, training_package


def test_in_a_checkout_training_is_a_package_of_its_own():
    assert training_package() == "training"


def test_a_missing_package_is_named_with_the_command_that_installs_it():
    error = missing_packages(ModuleNotFoundError("No module named 'lightning_fabric.x'", name="lightning_fabric.x"))
    assert "needs the package lightning_fabric," in error.message
    assert sys.executable in error.remedy
    assert "training.txt" in error.remedy
