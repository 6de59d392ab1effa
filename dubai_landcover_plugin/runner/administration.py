"""What an administrator sets for all users, in the global settings of QGIS: the section ``[dubai_landcover]``.

Source: https://docs.qgis.org/latest/en/docs/user_manual/introduction/qgis_configuration.html#global-settings-file
"""

from __future__ import annotations

import os
from pathlib import Path

from qgis.core import QgsApplication, QgsSettings
from qgis.PyQt.QtCore import QSettings

from dubai_landcover_plugin.runner.package_sources import Sources

SHARED_ENGINE = "dubai_landcover/shared_engine"
"""Python of an engine for all users."""
SET_UP_ALLOWED = "dubai_landcover/set_up_allowed"
"""Whether users may set up engines of their own."""
WHEELS_FOLDER = "dubai_landcover/wheels_folder"
"""Folder from which engines are set up without a network."""
INDEX_URL = "dubai_landcover/index_url"
"""Address of a mirror of the Python package index."""
PYTHON_MIRROR = "dubai_landcover/python_mirror"
"""Address of a mirror of the Pythons that uv fetches."""


def set_up_is_allowed() -> bool:
    """Return whether users may set up engines of their own."""
    return administered(SET_UP_ALLOWED).lower() not in ("false", "0")


def shared_engine() -> str:
    """Return the Python of the engine for all users; empty without one."""
    return administered(SHARED_ENGINE)


def wheels_folder() -> Path | None:
    """Return the folder from which engines are set up; None for the package index."""
    folder = administered(WHEELS_FOLDER)
    return Path(folder) if folder else None


def sources() -> Sources:
    """Return where packages and Pythons come from."""
    return Sources(administered(INDEX_URL), administered(PYTHON_MIRROR))


def administered(key: str) -> str:
    """Return a setting as text; empty if it is not set.

    ``qgis_process`` does not read the global settings, so they are looked up here.
    """
    settings = QgsSettings()
    if settings.contains(key):
        return str(settings.value(key) or "").strip()
    usual = f"{QgsApplication.pkgDataPath()}/resources/qgis_global_settings.ini"
    path = os.environ.get("QGIS_GLOBAL_SETTINGS_FILE") or usual
    return str(QSettings(path, QSettings.Format.IniFormat).value(key) or "").strip()
