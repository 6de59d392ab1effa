"""One trial: run a job, let a fault happen, check the invariant, run the job again, check once more.

The invariant, whatever happens to a run:

- at the path of each result is the complete old or the complete new dataset, or none where there was none before;
- nothing else changes: neither inputs nor files beside the results;
- a run that says it succeeded has written everything; one that fails says so in one sentence, without a traceback;
- it ends within 30 s;
- the next run succeeds, its results are those of an undisturbed run, and nothing else is left.
"""

from __future__ import annotations

import errno
import importlib
import itertools
import json
import os
import random
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.contents import INCOMPLETE, contents, files_of
from tests.faults.jobs import JOBS, Job, write_inputs
from tests.faults.system_calls import Fault, Run, run

BESIDE = ("out/notes.txt", "out/o.txt", "out/p.txt", "out/town.dbf", "in/notes.txt")
"""The user's files beside inputs and results."""
REMOVED_FIRST = (".shp", ".aux.xml", ".run.json", ".qml")
"""Results that may be absent after a kill: a shapefile cannot be replaced in one step, and the others describe it."""
GROWING = ("landcover_manifest.csv", "landcover_manifest.json")
"""Results that are replaced after each raster of a batch."""
MESSAGES = ("landcover: ", "error: ", "failed: ")
"""How messages of errors begin: of a command, of training, of a raster in a batch."""
CRASHES = "/layer.cpg"
"""GDAL crashes where it cannot create the .cpg of a shapefile (DBFCreateLL writes through a null pointer)."""
KILLS, ERRORS, FULL_DISKS = 20, 20, 10
"""Faults of the whole campaign for each job and mode."""
_CONTENTS = ("write", "pwrite64", "writev", "openat")
_ERRORS = (
    ("error", errno.EIO),
    ("error", errno.ENOSPC),
    ("error", errno.EACCES),
    ("broken", errno.EIO),
    ("broken", errno.EROFS),
)


@dataclass(frozen=True)
class Trial:
    """A fault in a job.

    Args:
        job: Number of the job in :data:`JOBS`.
        replace: Whether the results of an earlier run exist.
        fault: The fault.
    """

    job: int
    replace: bool
    fault: Fault

    def __str__(self) -> str:
        return f"{JOBS[self.job].name}, {'replacing' if self.replace else 'new'}, {self.fault}"


@dataclass
class Outcome:
    """What a trial has shown.

    Args:
        trial: The trial.
        hit: The system call at which the fault happened; empty if the run ended before.
        problems: Where the invariant does not hold.
    """

    trial: Trial
    hit: str = ""
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.trial} ({self.hit}):\n    " + "\n    ".join(self.problems)


def start_worker() -> None:
    """Import the engine once, so that forks of this process start at once."""
    for module in (
        "segmentation.batch", "polygons.polygonize", "buildings.regularize", "roads.extract", "report.report",
        "change.compare", "assessment.assess", "assessment.sample", "runtimes.onnx_runtime",
        "runtimes.openvino_runtime", "io.geoparquet",
    ):  # fmt: skip
        importlib.import_module(f"dubai_landcover_plugin.core.{module}")
    for module in ("dubai_landcover_plugin.cli.main", "onnxruntime", "openvino", "pyarrow.parquet"):
        importlib.import_module(module)


def write_references(base: Path) -> None:
    """Write the inputs of both states of the town."""
    for state in ("old", "new"):
        write_inputs(base / state, state == "new")


def make_reference(base: Path, number: int) -> list[Run]:
    """Run a job undisturbed for the old town, for the new one, and replacing the old one; return the last two runs.

    The results are kept below ``base``.

    Raises:
        AssertionError: if a run fails, or if replacing gives another result.
    """
    job, runs = JOBS[number], []
    for state, replace in (("old", False), ("new", False), ("new", True)):
        folder = prepare(base, number, state, replace)
        done = run_job(job, folder, Fault(), overwrite=replace)
        assert done.code == 0, f"{job.name}: {done.output}"
        runs.append(done)
        found = contents(folder / "out", _visible(folder / "out"))
        if replace:
            new = _expected(base, number, "new")
            differing = [name for name in {*new, *found} if new.get(name) != found.get(name)]
            assert not differing, f"{job.name}: replacing gives another {', '.join(differing)}"
            continue
        kept = base / "results" / str(number) / state
        shutil.copytree(folder / "out", kept)
        kept.with_suffix(".json").write_text(json.dumps(found))
    return runs[1:]


def plan(number: int, replace: bool, undisturbed: Run) -> Iterator[Trial]:
    """Choose faults of a job: kills mostly at calls that change names, errors anywhere, disks of all sizes."""
    generator = random.Random(f"{number} {replace}")

    def some(items: Sequence[int], count: int) -> list[int]:
        return generator.sample(items, min(count, len(items)))

    calls = range(len(undisturbed.calls))
    writes = [at for at in calls if undisturbed.calls[at] in _CONTENTS]
    names = [at for at in calls if undisturbed.calls[at] not in _CONTENTS]
    for at in some(names, KILLS * 3 // 4) + some(writes, KILLS // 4):
        yield Trial(number, replace, Fault("kill", at))
    for (kind, error), at in zip(itertools.cycle(_ERRORS), some(calls, ERRORS)):
        yield Trial(number, replace, Fault(kind, at, error))
    for _ in range(FULL_DISKS):
        yield Trial(number, replace, Fault("full", generator.randrange(undisturbed.written)))


def run_trial(base: Path, trial: Trial) -> Outcome:
    """Run a trial and check the invariant; ``base`` has the references."""
    job, outcome = JOBS[trial.job], Outcome(trial)
    folder = prepare(base, trial.job, "new", trial.replace)
    own = _foreign(folder)
    old = _expected(base, trial.job, "old") if trial.replace else {}
    new = _expected(base, trial.job, "new")

    done = run_job(job, folder, trial.fault, overwrite=trial.replace)
    outcome.hit = done.hit
    outcome.problems += judge_end(done, trial.fault)
    present = contents(folder / "out", _visible(folder / "out"))
    outcome.problems += _judge_results(present, old, new, done.code == 0)

    overwrite = trial.replace or bool(set(present) & set(new))
    again = run_job(job, folder, Fault(), overwrite)
    if again.code:
        outcome.problems.append(f"next run: exit status {again.code}: {again.output[-400:].strip()}")
    left = sorted(set(files_of(folder / "out")) - set(files_of(base / "results" / str(trial.job) / "new")))
    left += [name for name in files_of(folder / "cache") + files_of(folder / "tmp") if "partial" in name]
    if unknown := [name for name in left if f"out/{name}" not in BESIDE]:
        outcome.problems.append(f"next run: left {', '.join(unknown)}")
    after = contents(folder / "out", new)
    if wrong := [name for name in new if after.get(name) != new[name]]:
        outcome.problems.append(f"next run: differs in {', '.join(wrong)}")
    kept = _foreign(folder)
    if changed := [name for name in {**own, **kept} if own.get(name) != kept.get(name)]:
        outcome.problems.append(f"the user's {', '.join(changed)} changed")
    return outcome


def prepare(base: Path, number: int, state: str, replace: bool) -> Path:
    """Return the folder of this process for trials: inputs of a state, results of the old one or none."""
    folder = base / f"worker-{os.getpid()}" / "trial"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base / state, folder / "in")
    if replace:
        shutil.copytree(base / "results" / str(number) / "old", folder / "out")
    for name in ("out", "tmp", "cache"):
        (folder / name).mkdir(exist_ok=True)
    for name in BESIDE:
        (folder / name).write_text(f"the user's {name}")
    return folder


def run_job(job: Job, folder: Path, fault: Fault, overwrite: bool, log: Path | None = None) -> Run:
    """Run a job in a folder that :func:`prepare` has made."""
    words = [*job.words, *(["--overwrite"] if overwrite and not job.replaces else [])]

    def command() -> int:
        os.environ["DUBAI_LANDCOVER_CACHE"] = str(folder / "cache")
        tempfile.tempdir = os.environ["TMPDIR"] = str(folder / "tmp")
        job.prepare()
        status: int = importlib.import_module(job.program).main(words)
        return status

    return run(command, folder, fault, log or folder.parent / "log.txt")


def _expected(base: Path, number: int, state: str) -> dict[str, str]:
    values: dict[str, str] = json.loads((base / "results" / str(number) / f"{state}.json").read_text())
    return values


def _foreign(folder: Path) -> dict[str, bytes]:
    """Return the files that a run has no business with."""
    inputs = [f"in/{name}" for name in files_of(folder / "in")]
    paths = {name: folder / name for name in {*inputs, *BESIDE}}
    return {name: path.read_bytes() for name, path in paths.items() if path.is_file()}


def _visible(out: Path) -> list[str]:
    """Return results and what else a user sees in the folder; unfinished files have names with a dot in front."""
    names = [name for name in files_of(out) if not any(part.startswith(".") for part in name.split("/"))]
    return [name for name in names if f"out/{name}" not in BESIDE]


def judge_end(done: Run, fault: Fault) -> Iterator[str]:
    """Yield what is wrong with the way in which a run ended."""
    if done.hung:
        yield "hangs"
    elif fault.kind == "kill" and done.hit:
        return
    if done.code == -signal.SIGSEGV and done.hit.endswith(CRASHES):
        return
    if "Traceback" in done.output or "report it" in done.output:
        yield f"unexpected error: {done.output[-600:].strip()}"
    if done.code not in (0, 1):
        yield f"exit status {done.code}"
    if done.code == 1 and not any(words in done.output for words in MESSAGES):
        yield f"exit status 1 without a message: {done.output[-200:].strip()!r}"


def _is_readable(value: str) -> bool:
    return not value.startswith("unreadable")


def _judge_results(present: dict[str, str], old: dict[str, str], new: dict[str, str], succeeded: bool) -> Iterator[str]:
    for name, value in present.items():
        if name not in {*old, *new}:
            if name.endswith((".dbf", ".shx", ".prj", ".cpg", ".qml")):
                continue  # of a shapefile whose .shp is not there: nothing reads them
            yield f"unknown file {name}"
        elif succeeded and value != new[name]:
            yield f"success is reported, but {name} is {'the old one' if value == old.get(name) else value}"
        elif value not in (old.get(name), new[name], INCOMPLETE) and not (name in GROWING and _is_readable(value)):
            yield f"{name} is neither the old nor the new one: {value}"
    for name in sorted({*old, *new} - set(present)):
        if succeeded or (name in old and not name.endswith(REMOVED_FIRST)):
            yield f"{name} is missing"
