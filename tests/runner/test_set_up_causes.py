"""The cause of a failed set-up, and the progress of downloads, from what uv and pip print."""

import pytest

from dubai_landcover_plugin.runner.download_progress import Downloads
from dubai_landcover_plugin.runner.set_up_causes import cause_of


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("  Caused by: dns error: failed to lookup address information: Name or service not known", "reached"),
        ("ERROR: HTTP 407 Proxy Authentication Required", "proxy"),
        ("Caused by: invalid peer certificate: UnknownIssuer", "certificate"),
        ("error sending request: invalid peer certificate: UnknownIssuer", "certificate"),
        ("error: No space left on device (os error 28)", "disk is full"),
        ("error: Access is denied. (os error 5)", "antivirus"),
        ("error: Hash mismatch for `numpy==2.4.6`", "tested with"),
        ("ERROR: No matching distribution found for openvino", "no package for this computer"),
        ("error: Permission denied (os error 13)", "cannot run"),
    ],
)
def test_each_cause_is_one_sentence_with_a_remedy(line: str, reason: str):
    found, remedy = cause_of(f"Resolved 35 packages in 706ms\nDownloading numpy (4.7MiB)\n{line}")
    assert reason in found
    assert remedy.endswith(("try again.", "check it."))


def test_an_unknown_cause_is_empty():
    assert cause_of("Resolved 35 packages in 407ms")[0] == ""


def test_progress_is_by_bytes_and_never_falls():
    downloads, shares = Downloads(), []
    assert not downloads.note("Resolved 35 packages in 706ms")
    assert downloads.text == ""
    for line in (
        "Downloading a (30.0MiB)",
        "Downloading b (10.0MiB)",
        " Downloaded b",
        "Downloading c (60 kB)",
        " Downloaded a",
    ):
        assert downloads.note(line)
        shares.append(downloads.share)
    assert shares == sorted(shares)
    assert shares[2] == pytest.approx(0.225)
    assert downloads.text == "40 of 40 MB, 2 of 3 large packages"
    downloads.note("Prepared 35 packages in 10.39s")
    assert downloads.share == pytest.approx(0.9)
