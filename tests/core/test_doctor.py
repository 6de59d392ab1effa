"""The doctor answers whatever is broken: by importing, in processes of their own."""

import json
import subprocess
import sys

import pytest

from dubai_landcover_plugin.core.doctor import PACKAGES, examine
from dubai_landcover_plugin.protocol.messages import PROTOCOL
from tests.factories import ROOT

SCRIPT = "import sys; sys.path[:0] = sys.argv[1:3]; del sys.argv[1:3]; "
WORKER = f"{SCRIPT}from dubai_landcover_plugin.core.worker import main; sys.exit(main())"
SHELL = f"{SCRIPT}from dubai_landcover_plugin.cli.main import main; sys.exit(main())"
FAULTS = ["raise ImportError('libgeos.so is missing')", "raise OSError('a DLL is damaged')", "import no_such_module"]


def command(script, folder, *arguments):
    return [sys.executable, "-I", "-c", script, str(folder), str(ROOT), *arguments]


def run(script, folder, *arguments):
    return subprocess.run(command(script, folder, *arguments), capture_output=True, text=True, check=False)


def ask(folder, task):
    """Send a task to the worker; return its messages. Its input stays open: the end of it would end the worker."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command(WORKER, folder), text=True, **pipes) as process:
        process.stdin.write(json.dumps({"protocol": PROTOCOL, "task": task, "request": {}}) + "\n")
        process.stdin.flush()
        return [json.loads(line) for line in process.stdout]


@pytest.fixture
def breaking(tmp_path):
    """Put packages that cannot be imported before the real ones."""

    def make(*names, fault=FAULTS[0]):
        for name in names:
            (tmp_path / name).mkdir()
            (tmp_path / name / "__init__.py").write_text(fault)
        return tmp_path

    return make


def test_whole_engine_has_no_package_problem():
    found = examine()
    assert not [problem for problem in found["problems"] if "package" in problem]
    assert set(PACKAGES) <= set(found["versions"])
    assert found["device"] != "unknown"


@pytest.mark.parametrize("package", PACKAGES)
def test_broken_package_is_told_with_its_remedy(breaking, package):
    answer = run(SHELL, breaking(package), "doctor", "--json")
    assert answer.returncode == 1, answer.stderr
    found = json.loads(answer.stdout)
    assert found["versions"][package] == "broken"
    told = [problem for problem in found["problems"] if problem.startswith(f"The package {package} cannot be loaded")]
    assert len(told) == 1
    assert "libgeos.so is missing" in told[0]
    assert told[0].endswith("Set up the engine again.")
    assert found["device"] == "unknown"


@pytest.mark.parametrize("fault", FAULTS)
def test_any_fault_in_several_packages_is_told_in_words(breaking, fault):
    answer = run(SHELL, breaking("torch", "rasterio", "shapely", fault=fault), "doctor")
    assert answer.returncode == 1, answer.stderr
    assert [answer.stdout.count(f"The package {name} cannot") for name in ("torch", "rasterio", "shapely")] == [1, 1, 1]
    assert "Everything needed is there" not in answer.stdout


def test_missing_package_is_called_missing(tmp_path, monkeypatch):
    monkeypatch.setattr("dubai_landcover_plugin.core.doctor.PACKAGES", ("no_such_package",))
    found = examine()
    assert found["versions"]["no_such_package"] == "missing"
    assert "The package no_such_package is missing. Set up the engine again." in found["problems"]


def test_an_engine_without_torch_is_sound(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # an import fails as if it were not there
    monkeypatch.setattr("dubai_landcover_plugin.core.runtimes.hardware.has_torch", lambda: False)
    monkeypatch.setattr("dubai_landcover_plugin.core.runtimes.hardware.may_have_gpu", lambda: True)
    found = examine()
    assert found["problems"] == []
    assert found["device"] == "cpu, openvino"


@pytest.mark.parametrize("package", ["torch", "rasterio", "shapely"])
def test_worker_reaches_the_doctor_over_a_broken_package(breaking, package):
    lines = ask(breaking(package), "doctor")
    assert [line["type"] for line in lines] == ["hello", "result"]
    assert ("gdal" in lines[0]["versions"]) == (package != "rasterio")
    assert package in lines[1]["value"]["problems"][0]


def test_other_tasks_tell_that_the_engine_is_broken(breaking):
    error = ask(breaking("rasterio"), "segment_raster")[-1]
    assert (error["type"], error["code"]) == ("error", "engine")
    assert "set it up again" in error["remedy"]
