"""Progress on a terminal: cells, epochs, losses, images per second and the time that is left."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from benchmarker.cli.base import console
from benchmarker.cli.progress import (
    SHOWN_ON_TERMINAL,
    data_line,
    epoch_text,
    outcome_text,
    plan_line,
    seconds_since,
    skipped_lines,
)

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from benchmarker.study.observer import CellOutcome, CellView, DataSummary

_REFRESHES_PER_SECOND = 4


@dataclass(slots=True, kw_only=True)
class _Work:
    """A cell at work: its bar, and how far it is."""

    bar: TaskID
    started: float
    details: str
    epochs: int | None = None
    fraction: float = 0.0


class RichObserver:
    """Draws a bar for all cells, and one for each that is at work; what is done scrolls away above.

    With one cell at work there is room for a line about it.

    Parameters
    ----------
    study : Path
        The study's folder, for hints.
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
        """Draw the bars and the line under them."""
        yield self._progress
        working = list(self._working.values())  # drawn by a thread of its own
        if len(working) == 1 and working[0].details:
            yield Text(working[0].details, style="dim", no_wrap=True, overflow="ellipsis")

    def data_progress(self, description: str, done: int, total: int | None) -> None:
        """Move the bar of the data."""
        if self._data is None:
            self._data = self._progress.add_task(description, total=total, count="")
        count = f"{done:,}/{total:,}" if total else f"{done:,}"
        self._progress.update(self._data, description=description, completed=done, total=total, count=count)

    def data_ready(self, summary: DataSummary) -> None:
        """Say what the data hold, and which images were left out."""
        if self._data is not None:
            self._progress.remove_task(self._data)
            self._data = None
        self._print(data_line(summary))
        for line in skipped_lines(summary.skipped, SHOWN_ON_TERMINAL, f"benchmarker show {self._study}"):
            self._print(line)

    def study_started(self, cells: Sequence[CellView], finished: int) -> None:
        """Start the bar of the cells."""
        self._total = len(cells)
        self._print(plan_line(cells, finished))
        self._cells = self._progress.add_task("all cells", total=len(cells) - finished, count=f"0/{len(cells)}")

    def cell_started(self, cell: CellView) -> None:
        """Start the bar of a cell's epochs."""
        bar = self._progress.add_task(cell.name, total=None, count="")
        self._working[cell.key] = _Work(bar=bar, started=time.monotonic(), details="starting a fresh process ...")

    def cell_step(self, cell: CellView, epoch: int, done: int, total: int) -> None:
        """Move on within an epoch."""
        self._advance(cell, epoch - 1 + done / max(total, 1), f"epoch {epoch}, step {done}/{total}")

    def cell_epoch(self, cell: CellView, epoch: int, epochs: int, values: Mapping[str, float]) -> None:
        """Move on to the next epoch."""
        if (work := self._working.get(cell.key)) is not None:
            work.epochs = epochs
            work.details = epoch_text(values) + ("; testing ..." if epoch == epochs else "")
            self._advance(cell, epoch, f"epoch {epoch}/{epochs}")

    def cell_finished(self, cell: CellView, outcome: CellOutcome) -> None:
        """Say how a cell ended, and forget its bar."""
        work = self._working.pop(cell.key, None)
        if work is not None:
            self._progress.remove_task(work.bar)
        self._done += 1
        self._trained += not outcome.reused
        seconds = seconds_since(work.started if work else None)
        style = "" if outcome.status == "ok" else "bold"
        self._print(f"[{self._done}/{self._total}] {cell.name}: {outcome_text(outcome, seconds)}", style)
        self._advance_all()

    def message(self, text: str) -> None:
        """Say what the user should know."""
        self._print(f"note: {text}", "bold")

    def _advance(self, cell: CellView, epochs_done: float, step: str) -> None:
        if (work := self._working.get(cell.key)) is None:
            return
        if work.epochs is None:
            # How many epochs there will be is known after the first; until then steps are all there is to show.
            self._progress.update(work.bar, count=step)
            return
        count = f"epoch {int(epochs_done) + (epochs_done % 1 > 0)}/{work.epochs}"
        self._progress.update(work.bar, total=work.epochs, completed=epochs_done, count=count)
        work.fraction = epochs_done / work.epochs
        self._advance_all()

    def _advance_all(self) -> None:
        if self._cells is not None:
            # Parts of cells count too: otherwise nothing is known of the time left before the second cell.
            done = self._trained + sum(work.fraction for work in self._working.values())
            self._progress.update(self._cells, completed=done, count=f"{self._done}/{self._total}")

    def _print(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style=style))
