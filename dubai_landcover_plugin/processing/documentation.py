"""The pages of the documentation that come with the plugin."""

from __future__ import annotations

import os

from qgis.PyQt.QtCore import QUrl

from dubai_landcover_plugin.protocol.resources import resource

PUBLIC = "https://github.com/dubai-landcover/dubai-landcover-qgis/blob/main/docs/"


def help_url(page: str) -> QUrl:
    """Return the address of a page: the file inside the plugin, or the public one where the pages are not built.

    Args:
        page: File name below ``docs/``, with ``#`` and the id of a section if wanted.
    """
    name, _, section = page.partition("#")
    path = resource(f"help/{os.path.splitext(name)[0]}.html")
    if not os.path.isfile(path):
        return QUrl(PUBLIC + page)
    url = QUrl.fromLocalFile(path)
    url.setFragment(section or None)
    return url
