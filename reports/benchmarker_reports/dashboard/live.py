"""What the dashboard shows of a study at one moment; knows no Streamlit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from benchmarker import RunProgress, StudyResults, digest_json, live_history, read_progress
from benchmarker_reports.content.readable import history_of

if TYPE_CHECKING:
    from benchmarker import CellRecord, GeneratorRecord, History

MOST_CURVES = 8
"""Runs whose learning curves are drawn together, each in a colour."""

_WORDS: Mapping[str, str] = {
    "ok": "finished", "failed": "failed", "unreadable": "unreadable", "begun": "training", "pending": "waiting",
}  # fmt: skip
_ORDER = ("training", "failed", "unreadable", "waiting", "finished")
_QUIET_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """How far one run is.

    Parameters
    ----------
    name : str
        Name that commands take, such as ``"convxpress/real/8901"``.
    state : str
        ``"training"``, ``"failed"``, ``"unreadable"``, ``"waiting"`` or ``"finished"``.
    share : float or None
        Share of its epochs that are done, between 0 and 1; None where it is unknown.
    epochs : str
        Epochs done and planned: ``"3 of 12"``.
    remark : str
        Message of a failure, or how long a run has been silent.
    """

    name: str
    state: str
    share: float | None
    epochs: str
    remark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CurvePoint:
    """One value of a learning curve.

    Parameters
    ----------
    run, part : str
        Name of the run, and ``"training"`` or ``"validation"``.
    epoch : int
        Epoch, counted from 1.
    value : float
        Value of the metric.
    """

    run: str
    part: str
    epoch: int
    value: float


class LiveStudy:
    """A study as it is now.

    Parameters
    ----------
    results : StudyResults
        Study, just read from its folder.
    """

    def __init__(self, results: StudyResults) -> None:
        self.results = results

    @cached_property
    def progress(self) -> tuple[RunProgress, ...]:
        """How far each generator and cell is, in the order of the plan."""
        return tuple(read_progress(self.results.study))

    @cached_property
    def stamp(self) -> str:
        """Digest of what has finished so far: while it stays the same, so do leaderboard and verdicts."""
        return digest_json([[str(self.results.folder)], *([each.record.key, each.state] for each in self.progress)])

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """Number of runs in each state that occurs, those in training first."""
        found = Counter(_WORDS[each.state] for each in self.progress)
        return {word: found[word] for word in _ORDER if found[word]}

    @property
    def ended(self) -> bool:
        """Whether no run is in training or waits, so that what the study says is final."""
        return not self.counts.keys() & {"training", "waiting"}

    @property
    def share(self) -> float:
        """Share of the planned epochs that are done or were given up, between 0 and 1."""
        shares = [1.0 if each.state in {"ok", "failed", "unreadable"} else _share(each) for each in self.progress]
        return float(np.mean(shares)) if shares else 0.0

    @cached_property
    def rows(self) -> tuple[RunRow, ...]:
        """All runs, those in training first."""
        rows = [_row(each) for each in self.progress]
        return tuple(sorted(rows, key=lambda row: _ORDER.index(row.state)))

    @cached_property
    def curved(self) -> Mapping[str, CellRecord | GeneratorRecord]:
        """Runs that may have a learning curve by name, those in training first."""
        having = [each for each in self.progress if each.state in {"begun", "ok", "failed"}]
        having.sort(key=lambda each: each.state != "begun")
        return {each.record.name: each.record for each in having}

    def histories(self, names: Sequence[str]) -> dict[str, History]:
        """Return what runs have recorded after each epoch so far, by name; those without an epoch are left out."""
        found = {name: self._history(self.curved[name]) for name in names if name in self.curved}
        return {name: history for name, history in found.items() if history is not None}

    def _history(self, record: CellRecord | GeneratorRecord) -> History | None:
        finished = history_of(self.results, record)
        return live_history(self.results.study, record) if finished is None else finished


def curve_metrics(histories: Mapping[str, History]) -> list[str]:
    """Return the metrics that learning curves can show: the loss first, without speeds and times."""
    names = {name.removeprefix("validation_") for history in histories.values() for name in history.columns}
    names -= {"seconds", "images_per_second"}
    return sorted(names, key=lambda name: (name != "loss", name == "learning_rate", name))


def curve_points(histories: Mapping[str, History], metric: str) -> list[CurvePoint]:
    """Return the finite values of a metric by run, part and epoch."""
    return [
        CurvePoint(run=name, part=part, epoch=epoch, value=value)
        for name, history in histories.items()
        for part, column in (("validation", f"validation_{metric}"), ("training", metric))
        if column in history.columns
        for epoch, value in zip(history.epochs.tolist(), history.columns[column].tolist(), strict=True)
        if np.isfinite(value)
    ]


def _share(progress: RunProgress) -> float:
    return progress.epoch / progress.epochs if progress.epochs else 0.0


def _row(progress: RunProgress) -> RunRow:
    record, word = progress.record, _WORDS[progress.state]
    share = 1.0 if progress.state == "ok" else _share(progress) if progress.state == "begun" else None
    epochs = f"{progress.epoch} of {progress.epochs}" if progress.epochs else ""
    remark = f"{record.kind}: {record.message}" if progress.state in {"failed", "unreadable"} else ""
    if progress.state == "begun" and (progress.seconds or 0.0) > _QUIET_SECONDS:
        remark = (
            f"no news for {(progress.seconds or 0.0) / 60:.0f} minutes; an interrupted run resumes when it is run again"
        )
    return RunRow(name=record.name, state=word, share=share, epochs=epochs, remark=remark)
