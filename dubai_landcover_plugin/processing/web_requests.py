"""Requests that fail while a web layer is drawn: QGIS draws nothing in their place and reports no error."""

from __future__ import annotations

import re
import threading
from types import TracebackType

from osgeo import gdal
from qgis.core import (
    QgsApplication,
    QgsNetworkAccessManager,
    QgsNetworkReplyContent,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsRasterBlockFeedback,
)
from qgis.PyQt.QtCore import QObject, Qt, QThread, QUrl, pyqtSignal
from qgis.PyQt.QtNetwork import QNetworkRequest

from dubai_landcover_plugin.protocol.translation import tr

# The main thread imports this module, in QGIS and qgis_process; there is no application where it is only imported.
_MAIN = QgsNetworkAccessManager.instance() if QgsApplication.instance() else None
_HTTP = QNetworkRequest.Attribute.HttpStatusCodeAttribute
_ABSENT = (204, 404, 410)
"""Status of a tile that a server does not have, which may be right at the rim of its area."""
_SETTLED = 2.0  # s to wait for the main thread, which may be waiting for this one
_MOST_FAILURES = 12  # replies; QGIS itself asks again for a tile that failed
_SIDE = 64  # px of the squares that are tested for blank tiles
_FEW = 0.02  # share of blank squares that is not worth a word


class _MainThread(QObject):
    """An object of the main thread that other threads can wait for."""

    _asked = pyqtSignal(object)

    def __init__(self) -> None:
        super().__init__()
        self._asked.connect(threading.Event.set)

    def wait(self) -> None:
        """Wait until the main thread has handled the signals that were sent to it before."""
        if QThread.currentThread() is not self.thread():
            handled = threading.Event()
            self._asked.emit(handled)
            handled.wait(_SETTLED)


_MAIN_THREAD = _MainThread()


class WebRequests:
    """Failed requests of the current thread while the block runs.

    Args:
        name: The layer's name.
        drawing: Cancelled when many requests have failed, so that the run does not wait for a server that is down.
    """

    def __init__(self, name: str, drawing: QgsRasterBlockFeedback) -> None:
        self._name = name
        self._drawing = drawing
        self._failed: dict[str, str] = {}
        self._absent: set[str] = set()
        self._replies = 0
        self._answered = 0

    def __enter__(self) -> WebRequests:
        # Requests go out of the thread that draws or, since QGIS 3.40, of one that loads tiles; the manager of the main
        # thread repeats the signals of all.
        managers = {id(one): one for one in (QgsNetworkAccessManager.instance(), _MAIN) if one}.values()
        self._signals = [one.finished[QgsNetworkReplyContent] for one in managers]
        for signal in self._signals:
            signal.connect(self._note, Qt.ConnectionType.DirectConnection)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _MAIN_THREAD.wait()  # signals that its manager repeats may still be on their way
        for signal in self._signals:
            signal.disconnect(self._note)

    def check(self, feedback: QgsProcessingFeedback) -> None:
        """Refuse an image with failed requests; warn of tiles that the server does not have.

        Raises:
            QgsProcessingException: naming status and URL, without its query, which may hold a key.
        """
        if self._failed or (self._absent and not self._answered):
            failures = self._failed or {key: tr("status 404, not found") for key in self._absent}
            url, reason = next(iter(failures.items()))
            raise QgsProcessingException(
                tr(
                    "The server of the layer '{name}' did not answer {count} requests: {reason} ({url}). Try again "
                    "later, check the layer's access, or choose a smaller extent.",
                    name=self._name,
                    count=len(failures),
                    reason=reason,
                    url=_without_query(url),
                )
            )
        if self._absent:
            feedback.pushWarning(
                tr(
                    "The server of the layer '{name}' does not have {count} tiles of the extent; they are no data.",
                    name=self._name,
                    count=len(self._absent),
                )
            )

    def _note(self, reply: QgsNetworkReplyContent) -> None:
        """Remember a reply; a request that succeeds at last has not failed."""
        url = reply.request().url().toString()
        status = reply.attribute(_HTTP)
        if status in _ABSENT:
            self._absent.add(url)
        elif reply.error():
            self._failed[url] = tr("status {status}", status=status) if status else reply.errorString().split(url)[0]
            self._replies += 1
            if self._replies >= _MOST_FAILURES:
                self._drawing.cancel()
        else:
            self._answered += 1
            self._failed.pop(url, None)


def check_blank(path: str, name: str, feedback: QgsProcessingFeedback) -> None:
    """Refuse an image of a single colour, and warn of squares of one colour.

    Servers draw them where they have no image, or not at this resolution.

    Args:
        path: The drawn image.
        name: The layer's name.
        feedback: Receives the warning.

    Raises:
        QgsProcessingException: if the whole image has one colour or is transparent.
    """
    dataset = gdal.Open(path)
    columns, rows = dataset.RasterXSize, dataset.RasterYSize
    blank = [
        _is_blank(dataset, column, row, min(_SIDE, columns - column), min(_SIDE, rows - row))
        for row in range(0, rows, _SIDE)
        for column in range(0, columns, _SIDE)
    ]
    share = sum(blank) / len(blank)
    if share == 1:
        raise QgsProcessingException(
            tr(
                "The server of the layer '{name}' drew an empty image. Choose an extent with images, or a coarser "
                "resolution for web layers.",
                name=name,
            )
        )
    if share > _FEW:
        feedback.pushWarning(
            tr(
                "{share:.0f} % of the image drawn from '{name}' is blank: the server has no image there, or not at "
                "this resolution. Its classes mean nothing there.",
                share=100 * share,
                name=name,
            )
        )


def _is_blank(dataset: gdal.Dataset, column: int, row: int, columns: int, rows: int) -> bool:
    """Return whether a square has one value in every band, or is transparent."""
    bands = [
        bytes(dataset.GetRasterBand(number).ReadRaster(column, row, columns, rows))
        for number in range(1, dataset.RasterCount + 1)
    ]
    is_transparent = len(bands) == 4 and not any(bands[3])
    return is_transparent or all(band.count(band[:1]) == len(band) for band in bands)


def _without_query(url: str) -> str:
    """Return a URL without its query, also one whose question mark is escaped, as some layers have it."""
    shown = QUrl(url).toString(QUrl.UrlFormattingOption.RemoveQuery | QUrl.UrlFormattingOption.RemoveUserInfo)
    return re.split("%3f", shown, maxsplit=1, flags=re.IGNORECASE)[0]
