"""Processes that run trials, and the references of the jobs."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.faults import damaged_files, trials
from tests.faults.damaged_files import DamagedFile
from tests.faults.jobs import JOBS
from tests.faults.system_calls import Run, unsupported
from tests.faults.trials import Trial

_counted: Counter[str] = Counter()


class Campaign:
    """Runs trials in processes that have imported the engine.

    Args:
        base: Folder for references and trials.
        pool: The processes.
    """

    def __init__(self, base: Path, pool: ProcessPoolExecutor) -> None:
        self.base, self.pool = base, pool
        trials.write_references(base)
        made = pool.map(partial(trials.make_reference, base), range(len(JOBS)))
        self.undisturbed: dict[tuple[int, bool], Run] = {
            (number, replace): done for number, runs in enumerate(made) for replace, done in enumerate(runs)
        }

    def check(self, chosen: list[Trial]) -> None:
        """Run trials; fail with those in which the invariant does not hold."""
        outcomes = list(self.pool.map(partial(trials.run_trial, self.base), chosen, chunksize=2))
        _counted.update(outcome.trial.fault.kind if outcome.hit else "not reached" for outcome in outcomes)
        failed = [str(outcome) for outcome in outcomes if outcome.problems]
        assert not failed, f"{len(failed)} of {len(chosen)}:\n" + "\n".join(failed)

    def check_damaged(self, chosen: list[DamagedFile]) -> None:
        """Run jobs with damaged files; fail with those that break a run."""
        if not (self.base / "originals").exists():
            self.pool.submit(damaged_files.write_originals, self.base).result()
        problems = self.pool.map(partial(damaged_files.run_damaged, self.base), chosen, chunksize=4)
        _counted["damaged files"] += len(chosen)
        failed = [f"{case}: {'; '.join(found)}" for case, found in zip(chosen, problems, strict=True) if found]
        assert not failed, f"{len(failed)} of {len(chosen)}:\n" + "\n".join(failed)


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessPoolExecutor]:
    """As many processes as processors, with the engine imported and one thread each."""
    if reason := unsupported():
        pytest.skip(reason)
    os.environ["OMP_NUM_THREADS"] = "1"
    context = multiprocessing.get_context("spawn")  # a fork of pytest may hold locks of other tests' threads
    with ProcessPoolExecutor(os.cpu_count(), context, trials.start_worker) as processes:
        yield processes


@pytest.fixture(scope="session")
def campaign(pool: ProcessPoolExecutor, tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """The jobs with their references."""
    return Campaign(tmp_path_factory.mktemp("faults"), pool)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many faults were injected."""
    if _counted:
        figures = ", ".join(f"{count:,} {kind}" for kind, count in sorted(_counted.items()))
        terminalreporter.write_line(f"Faults: {figures}")
