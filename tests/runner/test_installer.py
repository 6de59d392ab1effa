"""Finding and building the engine's environment, without a network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dubai_landcover_plugin.protocol.errors import RunCancelled
from dubai_landcover_plugin.runner import environment_tool, installer
from dubai_landcover_plugin.runner.environment_tool import Installer, find_installer
from dubai_landcover_plugin.runner.errors import EngineMissingError, EngineSetupError
from dubai_landcover_plugin.runner.installer import (
    CPU_TORCH,
    CUDA_TORCH,
    FORMATS,
    KINDS,
    STANDARD,
    SetUp,
    install_engine,
    installed_kind,
    is_outdated,
)
from dubai_landcover_plugin.runner.interpreter import (
    COMPLETE_MARK,
    VARIABLE,
    engine_folder,
    engine_folders,
    environment_python,
    find_interpreter,
)
from tests.runner.test_run import RecordingMonitor

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements"
# A shebang cannot hold a path with spaces; a shell can.
SCRIPT = """#!/bin/sh
"exec" "{python}" "$0" "$@"
import pathlib, sys, time
step = "venv" if "venv" in sys.argv else pathlib.Path(sys.argv[-1]).name
print("step", step, flush=True)
if step == "venv":
    target = pathlib.Path(sys.argv[-1]) / "bin" / "python"
    target.parent.mkdir(parents=True)
    target.write_text(pathlib.Path(__file__).read_text())
    target.chmod(0o755)
if step == {failing!r}:
    print("no such package", flush=True)
    sys.exit(1)
if step == {slow!r}:
    time.sleep(60)
"""
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the fake programs are scripts")


def fake_program(path: Path, failing: str = "", slow: str = "") -> Path:
    """Write a program that acts like venv, pip and the environment's Python."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SCRIPT.format(python=sys.executable, failing=failing, slow=slow))
    path.chmod(0o755)
    return path


def build(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    monitor: RecordingMonitor | None = None,
    kind: str = CPU_TORCH,
    **broken: str,
) -> Path:
    program = fake_program(tmp_path / "programs" / "python", **broken)
    monkeypatch.setattr(installer, "find_installer", lambda *_: Installer("", str(program)))
    monkeypatch.setattr(installer, "NEEDED_MB", dict.fromkeys(KINDS, 1))
    monkeypatch.setattr("shutil.which", lambda _: None)
    return install_engine(tmp_path / "profile", REQUIREMENTS, monitor or RecordingMonitor(), SetUp(kind))


def steps(monitor: RecordingMonitor) -> list[str]:
    return [text.split()[1] for _, text in monitor.lines if text.startswith("step ")]


def test_a_build_takes_the_small_torch_and_is_found_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monitor = RecordingMonitor()
    python = build(tmp_path, monkeypatch, monitor)
    assert steps(monitor)[:4] == ["venv", "engine.txt", "formats.txt", "torch-cpu.txt"]
    assert "torch.txt" not in steps(monitor)
    found = find_interpreter("", tmp_path / "profile", {})
    assert (found.path, found.origin) == (str(python), "the set-up")
    assert json.loads((engine_folder(tmp_path / "profile") / COMPLETE_MARK).read_text())["python"] == str(python)
    assert monitor.progress[-1][:2] == (500, 500)


def test_the_standard_engine_has_no_more_than_it_needs_and_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monitor, profile = RecordingMonitor(), tmp_path / "profile"
    python = build(tmp_path, monkeypatch, monitor, STANDARD)
    assert [step for step in steps(monitor) if step.endswith(".txt")] == ["engine.txt"]
    assert installed_kind(profile) == STANDARD
    assert not is_outdated(profile, REQUIREMENTS)
    fake_program(python, failing="torch.txt")
    with pytest.raises(EngineSetupError):
        build(tmp_path, monkeypatch, kind=CUDA_TORCH)
    assert (find_interpreter("", profile, {}).path, installed_kind(profile)) == (str(python), STANDARD)
    fake_program(python)
    for kind, added in ((FORMATS, "formats.txt"), (CPU_TORCH, "torch-cpu.txt")):
        monitor = RecordingMonitor()
        assert build(tmp_path, monkeypatch, monitor, kind) == python
        assert [step for step in steps(monitor) if step.endswith(".txt")] == [added]
        assert installed_kind(profile) == kind
    assert [path.name for path in engine_folders(profile)] == ["engine"]


@pytest.mark.parametrize(
    ("mark", "kind"),
    [({"torch": "none"}, FORMATS), ({"torch": "cuda"}, CUDA_TORCH), ({}, CPU_TORCH), ({"kind": "more"}, STANDARD)],
)
def test_engines_of_earlier_versions_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mark: dict[str, str], kind: str
):
    build(tmp_path, monkeypatch, kind=STANDARD)
    (engine_folder(tmp_path / "profile") / COMPLETE_MARK).write_text(json.dumps({"python": "x", **mark}))
    assert installed_kind(tmp_path / "profile") == kind


def test_what_no_run_needs_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    base = tmp_path / "profile"
    packages = engine_folder(base) / "lib" / "python3.12" / "site-packages"
    kept, removed = packages / "numpy" / "testing", [packages / "numpy" / "core" / "tests", packages / "ov" / "include"]
    for folder in (engine_folder(base).parent / "cache", engine_folder(base).parent / "tools"):
        folder.mkdir(parents=True)

    def make(steps: object, command: list[str]) -> None:
        if "venv" in command:
            for folder in (kept, *removed):
                folder.mkdir(parents=True)
                (folder / "a.py").touch()

    monkeypatch.setattr(installer._Steps, "command", make)
    build(tmp_path, monkeypatch, kind=STANDARD)
    assert (kept / "a.py").is_file()
    assert not any(folder.exists() for folder in removed)
    assert sorted(path.name for path in engine_folder(base).parent.iterdir()) == ["engine", "set-up.lock"]


def test_a_second_set_up_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = engine_folder(tmp_path / "profile").parent
    folder.mkdir(parents=True)
    with installer.lock_set_up(folder), pytest.raises(EngineSetupError, match="being set up already"):
        build(tmp_path, monkeypatch)
    build(tmp_path, monkeypatch)


def test_the_engine_in_the_profile_works_until_the_new_one_is_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    build(tmp_path, monkeypatch)
    profile, base = tmp_path / "profile", tmp_path / "local"
    found = find_interpreter("", base, {}, profile)
    assert found.origin == "the QGIS profile"
    install_engine(base, REQUIREMENTS, RecordingMonitor(), SetUp(earlier_folder=profile))
    assert find_interpreter("", base, {}, profile).origin == "the set-up"
    assert not engine_folders(profile)


def test_what_programs_keep_is_beside_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("UV_CACHE_DIR", "PIP_FIND_LINKS", "UV_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    found = SetUp().environment(tmp_path / "engine")
    assert found["UV_CACHE_DIR"] == str(tmp_path / "cache")
    assert found["UV_PYTHON_INSTALL_DIR"] == str(tmp_path / "python")
    offline = SetUp(wheels=tmp_path).environment(tmp_path / "engine")
    assert (offline["UV_FIND_LINKS"], offline["UV_NO_INDEX"]) == (str(tmp_path), "1")
    monkeypatch.setenv("UV_CACHE_DIR", "/own/cache")
    assert SetUp().environment(tmp_path / "engine")["UV_CACHE_DIR"] == "/own/cache"


def test_without_a_small_torch_the_large_one_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monitor = RecordingMonitor()
    build(tmp_path, monkeypatch, monitor, failing="torch-cpu.txt")
    assert steps(monitor)[:5] == ["venv", "engine.txt", "formats.txt", "torch-cpu.txt", "torch.txt"]


def test_a_uv_in_the_environment_looks_further_for_the_small_torch(tmp_path: Path):
    python = environment_python(tmp_path)
    fake_program(python.with_name("uv"))
    pip = Installer("", "/usr/bin/python3")
    attempts = installer._torch_attempts(pip, tmp_path)
    assert attempts[0] == (pip, False)
    tool, cpu_torch = attempts[1]
    assert "--torch-backend" in tool.install(tmp_path, [tmp_path / "torch-cpu.txt"], False, cpu_torch)


def test_a_failing_step_leaves_nothing_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(EngineSetupError, match="no such package"):
        build(tmp_path, monkeypatch, failing="engine.txt")
    assert not engine_folder(tmp_path / "profile").exists()


def test_cancel_ends_the_build_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monitor = RecordingMonitor(cancel=True)
    start = time.monotonic()
    with pytest.raises(RunCancelled):
        build(tmp_path, monkeypatch, monitor, slow="engine.txt")
    assert time.monotonic() - start < 20
    assert not engine_folder(tmp_path / "profile").exists()


def test_a_full_disk_is_noticed_before_the_old_engine_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    python = build(tmp_path, monkeypatch)
    monkeypatch.setattr(installer, "NEEDED_MB", dict.fromkeys(KINDS, 10**12))
    with pytest.raises(EngineSetupError, match="MB free"):
        install_engine(tmp_path / "profile", REQUIREMENTS, RecordingMonitor())
    assert python.is_file()


def test_the_check_of_an_environment_reports_nothing_to_the_makers_of_openvino():
    """Importing the package by itself would send an event over the network, and leave a folder in the user's."""
    pytest.importorskip("openvino")
    lines = (
        f"{installer._imports(STANDARD)}; import openvino.tools.ovc.telemetry_utils as used; print(used.tm.__name__)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", lines], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["openvino.tools.ovc.telemetry_stub"]


@pytest.mark.parametrize("failing", ["venv", "engine.txt", "formats.txt", installer._imports(CPU_TORCH)])
def test_a_set_up_that_fails_leaves_the_earlier_engine_working(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
):
    python = build(tmp_path, monkeypatch)
    with pytest.raises(EngineSetupError):
        build(tmp_path, monkeypatch, failing=failing)
    assert find_interpreter("", tmp_path / "profile", {}).path == str(python)
    assert [path.name for path in engine_folders(tmp_path / "profile")] == ["engine"]


def test_a_cancelled_set_up_leaves_the_earlier_engine_working(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    python = build(tmp_path, monkeypatch)
    with pytest.raises(RunCancelled):
        build(tmp_path, monkeypatch, RecordingMonitor(cancel=True), slow="engine.txt")
    assert find_interpreter("", tmp_path / "profile", {}).path == str(python)


def test_a_new_engine_replaces_the_earlier_one_once_it_is_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first, profile = build(tmp_path, monkeypatch), tmp_path / "profile"
    (profile / "dubai_landcover" / "engine-7").mkdir()  # left by a set-up that was killed
    (profile / "dubai_landcover" / "engine-notes").mkdir()
    second = build(tmp_path, monkeypatch)
    assert second != first
    assert not first.exists()
    assert find_interpreter("", profile, {}).path == str(second)
    assert [path.name for path in engine_folders(profile)] == ["engine-2"]
    assert (profile / "dubai_landcover" / "engine-notes").is_dir()
    third = build(tmp_path, monkeypatch)
    assert find_interpreter("", profile, {}).path == str(third) == str(first)


def test_an_earlier_engine_that_cannot_be_removed_does_not_stop_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    first = build(tmp_path, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", lambda *arguments, **options: None)
        monitor = RecordingMonitor()
        second = build(tmp_path, patch, monitor)
    assert find_interpreter("", tmp_path / "profile", {}).path == str(second)
    assert any("could not be removed" in text for level, text in monitor.lines if level == "warning")
    assert first.exists()


def test_a_newer_lock_makes_the_engine_outdated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    profile = tmp_path / "profile"
    assert not is_outdated(profile, REQUIREMENTS)  # there is none
    build(tmp_path, monkeypatch)
    assert not is_outdated(profile, REQUIREMENTS)
    newer = tmp_path / "requirements"
    shutil.copytree(REQUIREMENTS, newer)
    with (newer / "engine.txt").open("a") as stream:
        stream.write("another==1.0\n")
    assert is_outdated(profile, newer)
    mark = engine_folder(profile) / COMPLETE_MARK
    mark.write_text(json.dumps({"python": "x"}))  # of an earlier version of the plugin
    assert is_outdated(profile, REQUIREMENTS)
    mark.write_text("damaged")
    assert is_outdated(profile, REQUIREMENTS)


def test_every_locked_file_that_is_installed_ships():
    for name in ("engine.txt", "formats.txt", "training.txt", "torch-cpu.txt", "torch.txt", "uv.txt"):
        text = (REQUIREMENTS / name).read_text()
        assert "--hash=sha256:" in text, name


def test_uv_and_pip_insist_on_hashes(tmp_path: Path):
    for tool in (Installer("/bin/uv", "/usr/bin/python3"), Installer("", "/usr/bin/python3")):
        assert "--require-hashes" in tool.install(tmp_path, [tmp_path / "engine.txt"])


def test_a_python_that_cannot_make_environments_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    useless = tmp_path / "python3"
    useless.write_text("#!/bin/sh\nexit 1\n")
    useless.chmod(0o755)
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\necho 3.8\n")
    old.chmod(0o755)
    monkeypatch.setattr(environment_tool, "_find_uv", lambda: "")
    monkeypatch.setattr(environment_tool, "_candidates", lambda: [str(useless), str(old)])
    with pytest.raises(EngineSetupError, match=r"No Python 3\.10 to 3\.13"):
        find_installer(RecordingMonitor())
    own = find_installer(RecordingMonitor(), lambda: "/own/uv")  # which fetches a Python
    assert own == Installer("/own/uv", "")
    assert own.make_environment(tmp_path / "engine")[:4] == ["/own/uv", "venv", "--python", "3.12"]
    monkeypatch.setattr(environment_tool, "_candidates", lambda: [str(useless), str(old), sys.executable])
    assert find_installer(RecordingMonitor()).python == sys.executable

    def fail() -> str:
        raise EngineSetupError("no uv in this index")

    assert find_installer(RecordingMonitor(), fail).python == sys.executable


def test_the_setting_wins_over_the_variable_and_that_over_the_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    build(tmp_path, monkeypatch)
    first, second = fake_program(tmp_path / "first"), fake_program(tmp_path / "second")
    variables = {VARIABLE: str(second)}
    profile = tmp_path / "profile"
    assert find_interpreter(str(first), profile, variables).path == str(first)
    assert find_interpreter("", profile, variables).path == str(second)
    assert find_interpreter("", profile, {}).path == str(environment_python(engine_folder(profile)))


def test_an_unfinished_environment_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    build(tmp_path, monkeypatch)
    os.unlink(engine_folder(tmp_path / "profile") / COMPLETE_MARK)
    with pytest.raises(EngineMissingError, match="not set up"):
        find_interpreter("", tmp_path / "profile", {})


@pytest.mark.parametrize("where", ["setting", "variable"])
def test_a_named_interpreter_that_is_gone_is_an_error_not_a_fall_back(tmp_path: Path, where: str):
    gone = str(tmp_path / "gone")
    with pytest.raises(EngineMissingError, match="gone"):
        find_interpreter(gone if where == "setting" else "", None, {VARIABLE: gone} if where == "variable" else {})
