"""Why a set-up failed, in one sentence, from the output of its programs."""

from __future__ import annotations

import re

from dubai_landcover_plugin.protocol.translation import marked, tr

_CAUSES = (
    (
        r"\b407\b|proxy auth",
        marked("the proxy asks for a name and a password"),
        marked("Enter them in Settings > Options > Network, or set HTTPS_PROXY, then try again."),
    ),
    (
        r"certificate|unknownissuer|CERTIFICATE_VERIFY|ssl handshake",
        marked("the certificate of the server is not trusted"),
        marked("If your network inspects connections, set SSL_CERT_FILE to its certificates, then try again."),
    ),
    (
        r"no space left|os error 28\b|os error 112\b|not enough space|disk quota",
        marked("the disk is full"),
        marked("Free disk space, then try again."),
    ),
    (
        r"hash mismatch|do not match the hashes",
        marked("a downloaded package is not the one that this plugin was tested with"),
        marked("Try again; if a mirror is set for pip or uv, check it."),
    ),
    (
        r"access is denied|os error 5\b|os error 32\b|being used by another process",
        marked("another program, often an antivirus, keeps a file of the engine open"),
        marked("Close programs that use the engine, or exclude its folder from the antivirus, then try again."),
    ),
    (
        r"exec format|noexec|permission denied|os error 13\b|operation not permitted",
        marked("programs cannot run in the engine's folder, or it cannot be written"),
        marked("Check the permissions of the folder, then try again."),
    ),
    (
        r"os error 206|file ?name too long|path too long",
        marked("the path of the engine's folder is too long"),
        marked("Allow long paths in Windows, then try again."),
    ),
    (
        r"dns error|could not resolve|failed to resolve|lookup address|name or service|network is unreachable|"
        r"host .*not found|connection refused|timed? ?out|error sending request|connection reset|newconnectionerror",
        marked("the package index cannot be reached"),
        marked("Check the internet connection, and the proxy in Settings > Options > Network, then try again."),
    ),
    (
        r"no matching distribution|no solution found|not a supported wheel|no wheels? with a matching",
        marked("there is no package for this computer or its Python"),
        marked("Remove other versions of Python from the path, so that the plugin fetches its own, then try again."),
    ),
)


def cause_of(output: str) -> tuple[str, str]:
    """Return the cause, as a clause, and the remedy.

    Args:
        output: Last lines of the output of a program, or an error message.

    Returns:
        An empty cause and a general remedy where the output is not known.
    """
    for pattern, reason, remedy in _CAUSES:
        if re.search(pattern, output, re.IGNORECASE):
            return tr(reason), tr(remedy)
    return "", tr("Check the internet connection and the free space, then try again.")
