"""Observers of a run: plain lines into a file; `benchmarker.cli.live` draws bars on a terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from benchmarker.cli.base import on_terminal, planned
from benchmarker.results.metrics import metric_label

if TYPE_CHECKING:
    from benchmarker.contracts.images import SkippedImage
    from benchmarker.study.observer import CellOutcome, CellView, DataSummary, Observer

SHOWN_ON_TERMINAL = 10
_LOSSES = {
    "loss": "loss",
    "validation_loss": "validation loss",
    "d_loss_real": "d-loss real",
    "d_loss_fake": "d-loss fake",
    "g_loss": "g-loss",
}
_SECONDS_BETWEEN_DATA_LINES = 10.0


@contextmanager
def observer(study: Path) -> Iterator[Observer]:
    """Watch a run in the way that suits standard output.

    Parameters
    ----------
    study : Path
        The study's folder, for hints.
    """
    if on_terminal():
        from benchmarker.cli.live import RichObserver

        with RichObserver(study) as live:
            yield live
    else:
        yield PlainObserver()


class PlainObserver:
    """Writes one line for each thing that happens, without escape codes."""

    def __init__(self) -> None:
        self._total = 0
        self._numbers: dict[str, int] = {}  # in the order in which cells began, several of them at once
        self._started: dict[str, float] = {}
        self._last_data_line = time.monotonic()

    def data_progress(self, description: str, done: int, total: int | None) -> None:
        """Write how far preparation is, every few seconds."""
        if time.monotonic() - self._last_data_line >= _SECONDS_BETWEEN_DATA_LINES:
            self._last_data_line = time.monotonic()
            say(f"{description}: {done:,}{f' of {total:,}' if total else ''}")

    def data_ready(self, summary: DataSummary) -> None:
        """Write what the data hold, and every image that was left out."""
        say(data_line(summary))
        for line in skipped_lines(summary.skipped):
            say(line)

    def study_started(self, cells: Sequence[CellView], finished: int) -> None:
        """Write how much there is to do."""
        self._total = len(cells)
        say(plan_line(cells, finished))

    def cell_started(self, cell: CellView) -> None:
        """Write which cell begins."""
        self._started[cell.key] = time.monotonic()
        say(f"{self._name(cell)}: started")

    def cell_step(self, cell: CellView, epoch: int, done: int, total: int) -> None:
        """Steps are too many for a file."""

    def cell_epoch(self, cell: CellView, epoch: int, epochs: int, values: Mapping[str, float]) -> None:
        """Write the losses of an epoch."""
        say(f"{self._name(cell)}: epoch {epoch}/{epochs}, {epoch_text(values)}")

    def cell_finished(self, cell: CellView, outcome: CellOutcome) -> None:
        """Write how a cell ended."""
        say(f"{self._name(cell)}: {outcome_text(outcome, seconds_since(self._started.get(cell.key)))}")

    def message(self, text: str) -> None:
        """Write what the user should know."""
        say(f"note: {text}")

    def _name(self, cell: CellView) -> str:
        number = self._numbers.setdefault(cell.key, len(self._numbers) + 1)
        return f"[{number}/{self._total}] {cell.name}"


def seconds_since(started: float | None) -> float | None:
    """Return how long ago something was started, if it was."""
    return None if started is None else time.monotonic() - started


def say(text: str) -> None:
    """Write a line at once, so that who follows a log sees it."""
    click.echo(text)


def data_line(summary: DataSummary) -> str:
    """Return one line about the data of a study."""
    size = "x".join(map(str, summary.shape))
    parts = ", ".join(f"{count:,} {name}" for name, count in summary.parts.items())
    return f"{summary.name}: {summary.n_images:,} images of {size} ({parts})"


def skipped_lines(skipped: Sequence[SkippedImage], limit: int | None = None, more: str = "") -> list[str]:
    """Return one line for each image that was left out, with its reason.

    Parameters
    ----------
    skipped : sequence of SkippedImage
        What was left out.
    limit : int, optional
        Name this many at most; all by default.
    more : str
        Where the others are named.
    """
    if not skipped:
        return []
    lines = [f"skipped {len(skipped):,} image{'' if len(skipped) == 1 else 's'}:"]
    lines += [f"  {image.name}: {image.reason}" for image in skipped[:limit]]
    left = len(skipped) - len(lines) + 1
    return [*lines, f"  ... {left:,} more: {more}"] if left else lines


def plan_line(cells: Sequence[CellView], finished: int) -> str:
    """Return one line about what there is to do."""
    found = f", {finished} found finished" if finished else ""
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
    took = "found finished" if outcome.reused else "ok" if seconds is None else f"ok in {duration(seconds)}"
    collapsed = (outcome.metrics.get("best") or {}).get("collapsed")
    parts = (took, _scores(outcome.metrics), f"collapsed to one class, {collapsed}" if collapsed else "")
    return ", ".join(part for part in parts if part)


def duration(seconds: float) -> str:
    """Return a time as people say it."""
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _scores(metrics: Mapping[str, Any]) -> str:
    primary = (metrics.get("primary") or {}).get("name")
    if not primary:
        return ""
    label = metric_label(primary)
    found = [
        f"{checkpoint} {label.write(metrics[checkpoint]['test'][primary])}"
        for checkpoint in ("best", "final")
        if primary in (metrics.get(checkpoint) or {}).get("test", {})
    ]
    return f"{label.short} {', '.join(found)}" if found else ""
