"""Downloads a model file through QGIS's network settings."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Callable

from qgis.core import QgsFileDownloader
from qgis.PyQt.QtCore import QObject, QUrl

from dubai_landcover_plugin.protocol.model_metadata import BUNDLE_SUFFIX
from dubai_landcover_plugin.protocol.translation import joined

_UNNAMED = "model"


def file_name(url: str) -> str:
    """Return the name of the file at the end of an address; that of a model where there is none."""
    name = Path(QUrl(url.strip()).path()).name
    return name if name.endswith(BUNDLE_SUFFIX) and len(name) > len(BUNDLE_SUFFIX) else f"{_UNNAMED}{BUNDLE_SUFFIX}"


def is_address(url: str) -> bool:
    """Return whether a text is an address from which models may be loaded."""
    found = QUrl(url.strip())
    return found.isValid() and ((found.scheme() in ("https", "http") and bool(found.host())) or found.isLocalFile())


class Download(QObject):
    """A download into a temporary folder, which exists as long as this object.

    Args:
        url: The address.
        progress: Receives bytes that were received, and all bytes or -1.
        done: Receives the file, or None and what went wrong; not called after :meth:`cancel`.
        parent: Owner of this object.
    """

    def __init__(
        self,
        url: str,
        progress: Callable[[int, int], None],
        done: Callable[[Path | None, str], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._folder = tempfile.TemporaryDirectory(prefix="landcover_model_")
        self._path = Path(self._folder.name) / file_name(url)
        self._errors: list[str] = []
        self._done = done
        self._cancelled = False
        self._loader = QgsFileDownloader(QUrl(url.strip()), str(self._path), delayStart=True)
        self._loader.downloadProgress.connect(progress)
        self._loader.downloadError.connect(self._errors.extend)
        self._loader.downloadExited.connect(self._end)
        self._loader.startDownload()

    def cancel(self) -> None:
        """Stop the download."""
        self._cancelled = True
        self._loader.cancelDownload()

    def _end(self) -> None:
        if not self._cancelled:
            complete = self._path.is_file() and not self._errors
            self._done(self._path if complete else None, joined(dict.fromkeys(self._errors), mark="; "))
        self._folder.cleanup()
