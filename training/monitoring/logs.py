"""Log of a run: ``log.csv``, TensorBoard, text lines and a progress bar."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from PIL import Image
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from dubai_landcover_plugin.core.io.csv_cells import CsvWriter
from dubai_landcover_plugin.core.io.files import write_text
from dubai_landcover_plugin.protocol.translation import marked, tr

from .curves import read_log

LOG = "log.csv"
_BOARD = "tensorboard"


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the log.

    Args:
        step: Optimizer steps done.
        epoch: Current epoch, from 1; 0 for the start.
        loss: Mean loss since the previous row; None for the start.
        rate: Largest learning rate of the parameter groups.
        speed: Chips/s of all devices since the previous row.
        seconds: Wall time of the run so far, s.
        figures: Validation, as :meth:`Confusion.to_json` returns it; empty if there was none.
    """

    step: int
    epoch: int
    loss: float | None
    rate: float
    speed: float
    seconds: float
    figures: dict[str, Any] = field(default_factory=dict)


class RunLog:
    """Context manager that logs a run; only the process with rank 0 writes.

    Rows after ``step``, written by a run that was killed after its last checkpoint, are removed.

    Args:
        folder: Folder of the run.
        classes: Names of the classes.
        step: Step from which the run starts or resumes.
        steps: Number of steps of the run.
        board: Whether to write TensorBoard logs.
        report: Receives lines of text.
        writes: Whether this process writes.
    """

    def __init__(
        self,
        folder: Path,
        classes: Sequence[str],
        step: int,
        steps: int,
        board: bool = True,
        report: Callable[[str], None] = print,
        writes: bool = True,
    ) -> None:
        self._path, self._classes, self._steps = folder / LOG, list(classes), steps
        self._columns = ["step", "epoch", "loss", "rate", "chips_per_second", "seconds", "accuracy", "miou"]
        self._columns += [f"iou {name}" for name in classes]
        self._report, self._writes = report, writes
        self._first, self._started = step, time.monotonic()
        if writes:
            self._keep_until(step)
        self._board = SummaryWriter(str(folder / _BOARD), purge_step=step + 1) if board and writes else None
        silent = not writes or not sys.stderr.isatty()
        self._bar = tqdm(total=steps, initial=step, unit="step", dynamic_ncols=True, disable=silent, smoothing=0.05)

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
        if self._board is not None:
            self._board.close()

    def tick(self, loss: float, speed: float) -> None:
        """Advance the progress bar by one step."""
        self._bar.set_postfix(loss=f"{loss:.3f}", chips_per_s=f"{speed:.1f}", refresh=False)
        self._bar.update()

    def add(self, row: Row) -> None:
        """Append a row.

        Raises:
            OSError: if it cannot be written.
        """
        if not self._writes:
            return
        values = self._values(row)
        with self._path.open("a", newline="", encoding="utf-8") as stream:
            writer = CsvWriter(stream, "\r\n")
            if stream.tell() == 0:
                writer.writerow(self._columns)
            writer.writerow(values[name] for name in self._columns)
        if self._board is not None:
            for name in ("loss", "rate", "chips_per_second"):
                if values[name]:
                    self._board.add_scalar(f"training/{name}", float(values[name]), row.step)
            for name in self._columns[6:]:
                if values[name] is not None:
                    self._board.add_scalar(f"validation/{name}", float(values[name]), row.step)
            self._board.flush()
        if self._bar.disable or row.figures:
            self.write_line(self._line(row))

    def show(self, picture: Image.Image, step: int) -> None:
        """Add a picture to TensorBoard."""
        if self._board is not None:
            self._board.add_image("predictions", np.asarray(picture), step, dataformats="HWC")

    def write_line(self, text: str) -> None:
        """Report a line of text without disturbing the progress bar."""
        with tqdm.external_write_mode():
            self._report(text)

    def _values(self, row: Row) -> dict[str, Any]:
        classes = row.figures.get("classes", {})
        return {
            "step": row.step,
            "epoch": row.epoch,
            "loss": "" if row.loss is None else f"{row.loss:.5f}",
            "rate": "" if row.loss is None else f"{row.rate:.3g}",
            "chips_per_second": "" if row.loss is None else f"{row.speed:.2f}",
            "seconds": f"{row.seconds:.0f}",
            "accuracy": row.figures.get("accuracy"),
            "miou": row.figures.get("miou"),
        } | {f"iou {name}": classes.get(name, {}).get("iou") for name in self._classes}

    def _line(self, row: Row) -> str:
        if row.loss is None:
            parts = [tr("start")]
        else:
            parts = [
                tr("step {step}/{steps}", step=row.step, steps=self._steps),
                tr("loss {loss:.4f}", loss=row.loss),
                tr("rate {rate:.2g}", rate=row.rate),
                tr("{speed:.1f} chips/s", speed=row.speed),
            ]
        if row.step > self._first:
            left = (time.monotonic() - self._started) / (row.step - self._first) * (self._steps - row.step)
            minutes = tr("{minutes:.0f} min left", minutes=left / 60)
            parts.append(minutes if left >= 90 else tr("{seconds:.0f} s left", seconds=left))
        for text, key in ((marked("accuracy {value:.3f}"), "accuracy"), (marked("mIoU {value:.3f}"), "miou")):
            if row.figures.get(key) is not None:
                parts.append(tr(text, value=row.figures[key]))
        return "  ".join(parts)

    def _keep_until(self, step: int) -> None:
        rows = read_log(self._path) if self._path.is_file() else []
        rows = [row for row in rows if int(row["step"]) <= step]
        if not rows:
            self._path.unlink(missing_ok=True)
            return
        text = io.StringIO(newline="")
        writer = CsvWriter(text, "\r\n")
        writer.writerow(self._columns)
        for row in rows:
            writer.writerow(row.get(name, "") for name in self._columns)
        write_text(self._path, text.getvalue(), make_folders=True)


class Clock:
    """Measures chips/s since the last restart."""

    def __init__(self, chips: int) -> None:
        self._chips = chips
        self.restart()

    def restart(self) -> None:
        """Start to measure anew."""
        self._steps, self._started = 0, time.monotonic()

    def tick(self) -> float:
        """Count a step and return the speed, chips/s."""
        self._steps += 1
        return self._steps * self._chips / max(time.monotonic() - self._started, 1e-9)
