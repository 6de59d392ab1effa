"""Fetches files with QGIS's network manager: QGIS's proxy, authentication and certificates count."""

from __future__ import annotations

from qgis.core import QgsBlockingNetworkRequest, QgsFeedback
from qgis.PyQt.QtCore import QUrl
from qgis.PyQt.QtNetwork import QNetworkReply, QNetworkRequest

from dubai_landcover_plugin.protocol.monitor import Monitor, raise_if_cancelled
from dubai_landcover_plugin.protocol.translation import tr
from dubai_landcover_plugin.runner.errors import EngineSetupError
from dubai_landcover_plugin.runner.set_up_causes import cause_of

_ACCEPT = b"application/vnd.pypi.simple.v1+json, text/html;q=0.2, */*;q=0.1"


def fetch(url: str, monitor: Monitor) -> bytes:
    """Return the content of a web address; to be called in any thread.

    Raises:
        EngineSetupError: if the server does not answer with it.
        RunCancelled: if the monitor cancels.
    """
    request = QNetworkRequest(QUrl(url))
    request.setRawHeader(b"Accept", _ACCEPT)
    blocking, feedback = QgsBlockingNetworkRequest(), QgsFeedback()

    def watch(*_: int) -> None:
        if monitor.cancelled():
            feedback.cancel()

    blocking.downloadProgress.connect(watch)
    blocking.get(request, True, feedback)
    raise_if_cancelled(monitor)
    reply = blocking.reply()
    if reply.error() != QNetworkReply.NetworkError.NoError:
        status = reply.attribute(QNetworkRequest.Attribute.HttpStatusCodeAttribute)
        text = f"{blocking.errorMessage() or reply.errorString()} (status {status})"
        monitor.log("warning", f"{url}: {text}")
        reason, remedy = cause_of(text)
        raise EngineSetupError(tr("Setting up the engine failed: {reason}.", reason=reason or text), remedy)
    return bytes(reply.content())
