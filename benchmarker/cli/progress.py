"""Shows the progress of a run: bars on a terminal, plain lines in a file."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from benchmarker.cli.output import console, duration, on_terminal, planned
from benchmarker.printing import counted, echo, printable
from benchmarker.results.metrics import metric_label

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from benchmarker.contracts.images import SkippedImage
    from benchmarker.study.observer import CellOutcome, CellView, DataSummary, Observer
    from benchmarker.study.runs import CellMetrics

_SKIPPED_ON_TERMINAL = 10
_REFRESHES_PER_SECOND = 4
_SECONDS_BETWEEN_DATA_LINES = 10.0
_LOSSES = {
    "loss": "loss",
    "validation_loss": "validation loss",
    "d_loss_real": "d-loss real",
    "d_loss_fake": "d-loss fake",
    "g_loss": "g-loss",
}


@contextmanager
def observer(study: Path) -> Iterator[Observer]:
    """Return a context with the observer that suits standard output.

    Parameters
    ----------
    study : Path
        Folder of the study, for hints.
    """
    if on_terminal():
        with LiveObserver(study) as live:
            yield live
    else:
        yield PlainObserver()


class PlainObserver:
    """Writes a line for each event, without escape codes and at once, so that `tail -f` shows it."""

    def __init__(self) -> None:
        self._total = 0
        self._numbers: dict[str, int] = {}  # in the order in which the cells started
        self._started: dict[str, float] = {}
        self._last_data_line = time.monotonic()

    def data_progress(self, description: str, done: int, total: int | None) -> None:
        """Write every few seconds how many images are prepared."""
        if time.monotonic() - self._last_data_line >= _SECONDS_BETWEEN_DATA_LINES:
            self._last_data_line = time.monotonic()
            echo(f"{description}: {done:,}{f' of {total:,}' if total else ''}")

    def data_ready(self, summary: DataSummary) -> None:
        """Write the size of the data set, and every image that was skipped."""
        echo(data_line(summary))
        for line in skipped_lines(summary.skipped):
            echo(line)

    def study_started(self, cells: Sequence[CellView], finished: int) -> None:
        """Write how many cells are planned."""
        self._total = len(cells)
        echo(plan_line(cells, finished))

    def cell_started(self, cell: CellView) -> None:
        """Write that a cell started."""
        self._started[cell.key] = time.monotonic()
        echo(f"{self._name(cell)}: started")

    def cell_step(self, cell: CellView, epoch: int, done: int, total: int) -> None:
        """Write nothing: a file would have too many lines."""

    def cell_epoch(self, cell: CellView, epoch: int, epochs: int, values: Mapping[str, float]) -> None:
        """Write the losses of an epoch."""
        echo(f"{self._name(cell)}: epoch {epoch}/{epochs}, {epoch_text(values)}")

    def cell_finished(self, cell: CellView, outcome: CellOutcome) -> None:
        """Write how a cell ended."""
        echo(f"{self._name(cell)}: {outcome_text(outcome, _seconds_since(self._started.get(cell.key)))}")

    def message(self, text: str) -> None:
        """Write a note."""
        echo(f"note: {text}")

    def _name(self, cell: CellView) -> str:
        number = self._numbers.setdefault(cell.key, len(self._numbers) + 1)
        return f"[{number}/{self._total}] {cell.name}"


@dataclass(slots=True, kw_only=True)
class _Work:
    """A cell that is running: its bar and its progress."""

    bar: TaskID
    started: float
    details: str
    epochs: int | None = None
    fraction: float = 0.0


class LiveObserver:
    """Draws a bar for the study and one for each running cell; finished cells scroll away above them.

    If only one cell is running, a line below the bars shows its losses.

    Parameters
    ----------
    study : Path
        Folder of the study, for hints.
    console : rich.console.Console, optional
        Where to draw; standard output by default.
    """

    def __init__(self, study: Path, console_: Console | None = None) -> None:
        self._study = study
        self._console = console_ or console()
        self._progress = Progress(
            TextColumn("{task.description}", style="bold"),
            BarColumn(bar_width=20, complete_style="cyan", finished_style="cyan"),
            TextColumn("{task.fields[count]}"),
            TimeRemainingColumn(),
            console=self._console,
            auto_refresh=False,
        )
        self._live = Live(
            self, console=self._console, refresh_per_second=_REFRESHES_PER_SECOND, transient=True, redirect_stderr=True
        )
        self._data: TaskID | None = None
        self._cells: TaskID | None = None
        self._working: dict[str, _Work] = {}
        self._total = 0
        self._done = 0
        self._trained = 0

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the bars and the line below them."""
        yield self._progress
        working = list(self._working.values())  # a copy, because another thread draws
        if len(working) == 1 and working[0].details:
            yield Text(printable(working[0].details), style="dim", no_wrap=True, overflow="ellipsis")

    def data_progress(self, description: str, done: int, total: int | None) -> None:
        """Advance the bar of the data."""
        if self._data is None:
            self._data = self._progress.add_task(description, total=total, count="")
        count = f"{done:,}/{total:,}" if total else f"{done:,}"
        self._progress.update(self._data, description=description, completed=done, total=total, count=count)

    def data_ready(self, summary: DataSummary) -> None:
        """Print the size of the data set, and the first images that were skipped."""
        if self._data is not None:
            self._progress.remove_task(self._data)
            self._data = None
        self._print(data_line(summary))
        for line in skipped_lines(summary.skipped, _SKIPPED_ON_TERMINAL, f"benchmarker show {self._study}"):
            self._print(line)

    def study_started(self, cells: Sequence[CellView], finished: int) -> None:
        """Start the bar of the study."""
        self._total = len(cells)
        self._print(plan_line(cells, finished))
        self._cells = self._progress.add_task("all cells", total=len(cells) - finished, count=f"0/{len(cells)}")

    def cell_started(self, cell: CellView) -> None:
        """Start the bar of a cell."""
        bar = self._progress.add_task(cell.name, total=None, count="")
        self._working[cell.key] = _Work(bar=bar, started=time.monotonic(), details="starting a new process ...")

    def cell_step(self, cell: CellView, epoch: int, done: int, total: int) -> None:
        """Advance the bar of a cell within an epoch."""
        self._advance(cell, epoch - 1 + done / max(total, 1), f"epoch {epoch}, step {done}/{total}")

    def cell_epoch(self, cell: CellView, epoch: int, epochs: int, values: Mapping[str, float]) -> None:
        """Advance the bar of a cell to the next epoch, and show its losses."""
        if (work := self._working.get(cell.key)) is not None:
            work.epochs = epochs
            work.details = epoch_text(values) + ("; testing ..." if epoch == epochs else "")
            self._advance(cell, epoch, f"epoch {epoch}/{epochs}")

    def cell_finished(self, cell: CellView, outcome: CellOutcome) -> None:
        """Print how a cell ended, and remove its bar."""
        work = self._working.pop(cell.key, None)
        if work is not None:
            self._progress.remove_task(work.bar)
        self._done += 1
        self._trained += not outcome.reused
        seconds = _seconds_since(work.started if work else None)
        style = "" if outcome.status == "ok" else "bold"
        self._print(f"[{self._done}/{self._total}] {cell.name}: {outcome_text(outcome, seconds)}", style)
        self._advance_all()

    def message(self, text: str) -> None:
        """Print a note."""
        self._print(f"note: {text}", "bold")

    def _advance(self, cell: CellView, epochs_done: float, step: str) -> None:
        if (work := self._working.get(cell.key)) is None:
            return
        if work.epochs is None:
            # The number of epochs is known after the first one; until then only steps can be shown.
            self._progress.update(work.bar, count=step)
            return
        count = f"epoch {int(epochs_done) + (epochs_done % 1 > 0)}/{work.epochs}"
        self._progress.update(work.bar, total=work.epochs, completed=epochs_done, count=count)
        work.fraction = epochs_done / work.epochs
        self._advance_all()

    def _advance_all(self) -> None:
        if self._cells is not None:
            # Fractions of cells count too, so that the remaining time is known before the first cell ends.
            done = self._trained + sum(work.fraction for work in self._working.values())
            self._progress.update(self._cells, completed=done, count=f"{self._done}/{self._total}")

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(Text(printable(text), style=style))


def data_line(summary: DataSummary) -> str:
    """Return a line about the data of a study."""
    size = "x".join(map(str, summary.shape))
    parts = ", ".join(f"{count:,} {name}" for name, count in summary.parts.items())
    classes = "".join(f", {count:,} {name}" for name, count in summary.class_counts.items())
    return f"{summary.name}: {summary.n_images:,} images of {size}{classes} ({parts})"


def skipped_lines(skipped: Sequence[SkippedImage], limit: int | None = None, more: str = "") -> list[str]:
    """Return a line for each image that was skipped, with the reason.

    Parameters
    ----------
    skipped : sequence of SkippedImage
        The images.
    limit : int, optional
        Largest number of images to name; no limit by default.
    more : str
        Command that lists the others.
    """
    if not skipped:
        return []
    lines = [f"skipped {counted(len(skipped), 'image')}:"]
    lines += [f"  {image.name}: {image.reason}" for image in skipped[:limit]]
    left = len(skipped) - len(lines) + 1
    return [*lines, f"  ... {left:,} more: {more}"] if left else lines


def plan_line(cells: Sequence[CellView], finished: int) -> str:
    """Return a line about the plan of a study."""
    found = f", {finished} finished before" if finished else ""
    generators = sum(cell.generator for cell in cells)
    return f"plan: {planned(len(cells) - generators, generators)}{found}"


def epoch_text(values: Mapping[str, float]) -> str:
    """Return the losses and the speed of an epoch."""
    parts = [f"{label} {values[name]:.4f}" for name, label in _LOSSES.items() if name in values]
    if "images_per_second" in values:
        parts.append(f"{values['images_per_second']:,.0f} images/s")
    return ", ".join(parts)


def outcome_text(outcome: CellOutcome, seconds: float | None) -> str:
    """Return how a cell ended, in one line."""
    if outcome.status != "ok":
        before = "failed before" if outcome.reused else "failed"
        return f"{before} ({outcome.kind}): {' '.join(outcome.message.split())}"
    took = "finished before" if outcome.reused else "ok" if seconds is None else f"ok in {duration(seconds)}"
    metrics = outcome.metrics
    if metrics is None or metrics.primary is None:  # nothing is ranked by the metrics of a generator
        return took
    collapsed = metrics.best.collapsed if metrics.best is not None else None
    parts = (took, _scores(metrics), f"collapsed to one class, {collapsed}" if collapsed else "")
    return ", ".join(part for part in parts if part)


def _scores(metrics: CellMetrics) -> str:
    primary = metrics.primary.name
    label = metric_label(primary)
    found = [
        f"{checkpoint} {label.write(evaluation.test[primary])}"
        for checkpoint, evaluation in metrics.checkpoints.items()
        if primary in evaluation.test
    ]
    return f"{label.short} {', '.join(found)}" if found else ""


def _seconds_since(started: float | None) -> float | None:
    return None if started is None else time.monotonic() - started
