"""Who can reach a cluster: loopback only on one machine, and TLS with certificates between machines."""

from __future__ import annotations

import http.client
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import rasterio

from dubai_landcover_plugin.core.cluster import connection
from dubai_landcover_plugin.core.cluster.connection import open_cluster
from dubai_landcover_plugin.core.cluster.executor import cluster_executors
from dubai_landcover_plugin.core.segmentation.segment import run_segmentation
from dubai_landcover_plugin.protocol.errors import ClusterError
from dubai_landcover_plugin.protocol.requests.segmentation import SegmentationRequest, SegmentOptions
from tests.factories import random_pixels, write_raster

distributed = pytest.importorskip("distributed")
dask_config = pytest.importorskip("dask.config")


def listening() -> set[tuple[str, int]]:
    """Addresses on which this process and its children listen."""
    own = psutil.Process()
    return {
        (entry.laddr.ip, entry.laddr.port)
        for process in (own, *own.children(recursive=True))
        for entry in process.net_connections("inet")
        if entry.status == psutil.CONN_LISTEN
    }


def test_workers_on_this_machine_listen_on_loopback_without_pages(tiny_model: Path) -> None:
    before = listening()
    with open_cluster(None, 1, str(tiny_model)):
        opened = listening() - before
        assert len(opened) > 3
        assert {address for address, _ in opened} == {"127.0.0.1"}
        for _, port in opened:
            for page in ("/status", "/info/main/workers.html", "/metrics", "/api/v1", "/health", "/json/counts.json"):
                assert status(port, page) in (None, 404)


def status(port: int, page: str) -> int | None:
    """HTTP status of a page; None where something else than HTTP listens."""
    server = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        server.request("GET", page)
        return server.getresponse().status
    except (http.client.HTTPException, OSError):
        return None
    finally:
        server.close()


def make_authority(folder: Path) -> dict[str, str]:
    """Make a certificate authority with one certificate, and return Dask's configuration that uses them."""
    folder.mkdir()
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    for command in (
        ["req", "-x509", *new_key, "-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.pem"],
        ["req", *new_key, "-subj", "/CN=node", "-keyout", "node.key", "-out", "node.csr"],
        ["x509", "-req", "-in", "node.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
         "-out", "node.pem"],
    ):  # fmt: skip
        subprocess.run(["openssl", *command], cwd=folder, check=True, capture_output=True)
    tls = {
        f"distributed.comm.tls.{role}.{part}": str(folder / file)
        for role in ("scheduler", "worker", "client")
        for part, file in (("cert", "node.pem"), ("key", "node.key"))
    }
    return {**tls, "distributed.comm.tls.ca-file": str(folder / "ca.pem")}


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], dict[str, str]]:
    """Configurations of two certificate authorities."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the program openssl")
    folder = tmp_path_factory.mktemp("tls")
    return make_authority(folder / "ours"), make_authority(folder / "theirs")


@pytest.fixture(scope="module")
def address(authorities: tuple[dict[str, str], dict[str, str]]) -> Iterator[str]:
    """Address of a scheduler with one worker that accept TLS with certificates of the first authority only."""
    with dask_config.set({**authorities[0], "distributed.comm.require-encryption": True}):
        cluster = distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, memory_limit=0, protocol="tls://", dashboard_address=None,
            security=distributed.Security(),
        )  # fmt: skip
    with cluster:
        yield cluster.scheduler_address


def test_a_run_over_tls_gives_the_same_classes(
    address: str, authorities: tuple[dict[str, str], dict[str, str]], tiny_model: Path, tmp_path: Path
) -> None:
    assert address.startswith("tls://")
    source = write_raster(tmp_path / "a.tif", random_pixels(150, 70))
    options = SegmentOptions(model=str(tiny_model), device="cpu", window=64, overlap=12, runtime="torch")
    alone = SegmentationRequest(str(source), str(tmp_path / "alone.tif"), options)
    shared = SegmentationRequest(str(source), str(tmp_path / "shared.tif"), options)
    run_segmentation(alone)
    with dask_config.set(authorities[0]), open_cluster(address, None, str(tiny_model)) as cluster:
        run_segmentation(shared, make_executor=cluster_executors(cluster, shards=2))
    with rasterio.open(alone.output) as first, rasterio.open(shared.output) as second:
        assert np.array_equal(first.read(), second.read())


@pytest.mark.parametrize("kind", ["no certificate", "another authority", "no encryption"])
def test_without_a_certificate_of_the_authority_nobody_gets_in(
    address: str, authorities: tuple[dict[str, str], dict[str, str]], tiny_model: Path, kind: str, monkeypatch
) -> None:
    monkeypatch.setattr(connection, "_CONNECT_TIMEOUT", 1)
    clients = []  # a client that cannot connect may block forever when it is collected
    monkeypatch.setattr(distributed, "Client", lambda *arguments, **options: clients.append(arguments))
    used = authorities[1] if kind == "another authority" else {}
    reached = address.replace("tls://", "tcp://") if kind == "no encryption" else address
    with (
        dask_config.set(used),
        pytest.raises(ClusterError, match="No Dask scheduler answers at") as caught,
        open_cluster(reached, None, str(tiny_model)),
    ):
        pass
    assert "certificates" in caught.value.remedy
    assert not clients
