"""Trials with damaged models, checkpoints, compiled networks and journals.

Whatever a file holds: the run ends within 30 s and within 3 GB of memory, with a result of known classes or with one
sentence and no result. What the engine has written for itself (compiled networks, journals) never changes a result and
never makes a run fail.
"""

from __future__ import annotations

import random
import resource
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.faults.contents import contents, files_of
from tests.faults.damage import damaged_bytes, damaged_json, damaged_onnx, damaged_safetensors
from tests.faults.jobs import JOBS, NAMES, SESSION, Job, segment_words
from tests.faults.system_calls import Fault
from tests.faults.trials import BESIDE, judge_end, prepare, run_job

MEMORY = 3 << 30  # bytes beside those of the engine's libraries
COUNTS = {
    "onnx": 600, "onnx in openvino": 300, "safetensors": 600, "session": 300, "checkpoint": 300, "compiled": 200,
    "journal": 200,
}  # fmt: skip
"""Files of each kind in the full campaign."""


@dataclass(frozen=True)
class DamagedFile:
    """A damaged file: its kind and the seed of the damage."""

    kind: str
    seed: int


def write_originals(base: Path) -> None:
    """Write intact files of each kind: ``base`` has the inputs of the jobs."""
    from tests.factories import write_tiny_model

    folder = base / "originals"
    folder.mkdir()
    shutil.copy(base / "new" / "town.onnx", folder / "town.onnx")
    write_tiny_model(folder / "tiny.safetensors")
    _write_checkpoint(folder / "last.ckpt")
    number = next(index for index, job in enumerate(JOBS) if job.name == "segment, openvino")
    trial = prepare(base, number, "new", replace=False)
    run_job(JOBS[number], trial, Fault(), overwrite=False)
    shutil.copytree(trial / "cache", folder / "cache")
    number = next(index for index, job in enumerate(JOBS) if job.name == "segment, resumed")
    trial = prepare(base, number, "new", replace=False)
    calls = run_job(JOBS[number], trial, Fault(), overwrite=False).calls
    trial = prepare(base, number, "new", replace=False)
    run_job(JOBS[number], trial, Fault("kill", len(calls) - 1 - calls[::-1].index("ftruncate")), overwrite=False)
    shutil.copytree(trial / "out" / ".o.tif.unfinished", folder / "journal")


def _write_checkpoint(path: Path) -> None:
    import torch

    from dubai_landcover_plugin.core.networks import build_model
    from training.config import TrainingConfig
    from training.loop.checkpoint import Checkpoint, save_checkpoint

    torch.manual_seed(0)
    network = {"architecture": "unet", "arguments": {"width": 4, "depth": 1}, "pretrained": False, "window": 32}
    config = TrainingConfig.from_mapping({"model": network})
    weights = build_model(config.model.spec(5)).state_dict()
    save_checkpoint(path, Checkpoint(config, 40, weights, weights, {}, 90.0))


def run_damaged(base: Path, case: DamagedFile) -> list[str]:
    """Damage a file, run a job with it and return what is wrong."""
    chosen = random.Random(f"{case.kind} {case.seed}")
    folder = prepare(base, 0, "new", replace=False)
    originals = base / "originals"
    if case.kind == "checkpoint":
        (folder / "in" / "last.ckpt").write_bytes(damaged_bytes((originals / "last.ckpt").read_bytes(), chosen, 2000))
        return _judge(folder, ("export", "in/last.ckpt", "out/model.safetensors"), program="training.__main__")
    if case.kind in ("compiled", "journal"):
        return _run_own(base, case.kind, folder, chosen)
    if case.kind == "session":
        model = folder / "in" / "teachable.safetensors"
        model.write_bytes(damaged_safetensors(model.read_bytes(), chosen))
        return _judge(folder, SESSION, program="tests.faults.session_program")
    model = "tiny.safetensors" if case.kind == "safetensors" else "town.onnx"
    damage = damaged_safetensors if case.kind == "safetensors" else damaged_onnx
    runtime = {"onnx": "onnxruntime", "onnx in openvino": "openvino", "safetensors": "torch"}[case.kind]
    (folder / "in" / model).write_bytes(damage((originals / model).read_bytes(), chosen))
    return _judge(folder, segment_words(runtime=runtime, model=f"in/{model}"))


def _run_own(base: Path, kind: str, folder: Path, chosen: random.Random) -> list[str]:
    """Run with a damaged compiled network or journal: the result is that of an undisturbed run."""
    name = "segment, openvino" if kind == "compiled" else "segment, resumed"
    number = next(index for index, job in enumerate(JOBS) if job.name == name)
    place = folder / "cache" if kind == "compiled" else folder / "out" / ".o.tif.unfinished"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(base / "originals" / ("cache" if kind == "compiled" else "journal"), place)
    files = sorted(path for path in place.rglob("*") if path.is_file())
    path = chosen.choice(files)
    damage = damaged_json if path.suffix == ".json" else lambda raw, chosen: damaged_bytes(raw, chosen, 100)
    path.write_bytes(damage(path.read_bytes(), chosen))
    done = run_job(JOBS[number], folder, Fault(), overwrite=False)
    expected = contents(base / "results" / str(number) / "new")
    found = contents(folder / "out", expected)
    problems = [f"{name} differs" for name in expected if found.get(name) != expected[name]]
    return problems + ([f"exit status {done.code}: {done.output[-500:]}"] if done.code else [])


def _judge(folder: Path, words: tuple[str, ...], program: str = "dubai_landcover_plugin.cli.main") -> list[str]:
    def command() -> int:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
        return 0

    job = Job(" ".join(words), words, prepare=command, program=program)
    done = run_job(job, folder, Fault(), overwrite=False)
    problems = list(judge_end(done, Fault()))
    left = [name for name in files_of(folder / "out") if f"out/{name}" not in BESIDE]
    if done.code and left:
        problems.append(f"fails and leaves {', '.join(left)}")
    elif done.code == 0 and words[0] == "segment":
        problems += _judge_classes(folder / "out" / "o.tif")
    return problems


def _judge_classes(path: Path) -> list[str]:
    import rasterio

    with rasterio.open(path) as dataset:
        highest = int(dataset.read(1).max())
    return [] if highest <= len(NAMES) + 1 else [f"class {highest} in the result"]
