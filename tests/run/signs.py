"""Moments at which a run is killed, seen in its folder."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarker import Stream

STAGES = ("start", "training", "snapshot", "results")
# In the order in which a run writes them; the manifest's rename ends it.
RESULTS = (
    "history.csv",
    "weights_best.weights.h5",
    "weights_final.weights.h5",
    "predictions_best.csv",
    "predictions_final.csv",
    "metrics.json",
    "trail.json",
    "costs.json",
    "manifest.json",
)

RESULTS_OF_A_GENERATOR = (
    "history.csv",
    "conditions.npz",
    "trail.json",
    "training.json",
    "metrics.json",
    "costs.json",
    "manifest.json",
)

_SNAPSHOT = re.compile(r"\.snapshot-\d+\.npz\.\d+\.[0-9a-f]+\.partial")
_EPOCH = b'"event": "epoch"'
_EVENTS = "events.jsonl"
_PATIENT_POLL_SECONDS = 0.02

Signature = tuple[int, int, int]


class Sign:
    """Something to wait for in the working folder of a run.

    Parameters
    ----------
    stage : str
        One of `STAGES`.
    folder : Path
        Working folder of the run.
    stream : Stream
        Says how many epochs, which file, and how long to wait after it.
    results : sequence of str
        Files that end the run, in the order in which they are written.
    """

    def __init__(self, stage: str, folder: Path, stream: Stream, results: Sequence[str] = RESULTS) -> None:
        draws = stream.generator()
        self.stage = stage
        self._folder = folder
        self._results = results
        self._before = signatures(folder)
        self._events_before = self._before.get(_EVENTS, (0, 0, 0))[2]
        self._epochs = int(draws.integers(1, 5))
        self._file = str(draws.choice(results))
        self._awake = stage == "start"
        self._next_look = 0.0
        self._due: float | None = None
        uniform = float(draws.random())
        self._delays = {
            "start": 4 * uniform,
            "training": 0.3 * uniform,
            "snapshot": 0.008 * max(0.0, uniform - 0.5),  # at once, every second time
            "results": 10 ** (3 * uniform - 4),  # from 0.1 to 100 ms
        }
        self._delay = self._delays[stage]

    @property
    def name(self) -> str:
        """What is waited for."""
        return {
            "start": "its process",
            "training": f"{self._epochs} epoch(s)",
            "snapshot": ".snapshot-*.partial",
            "results": self._file,
        }[self.stage]

    @property
    def is_near(self) -> bool:
        """Whether it, or what follows it, may come at any moment, so that polling should be frequent."""
        return self._due is not None or (self._awake and self.stage != "training")

    def is_due(self) -> bool:
        """Look for the sign, and tell whether the time after it has passed."""
        now = time.monotonic()
        if self._due is None and now >= self._next_look:
            # Before its first event a worker only imports; and no window of an epoch is narrow.
            self._awake = self._awake or self._signature_of_events() != self._before.get(_EVENTS)
            self._next_look = now + (_PATIENT_POLL_SECONDS if not self._awake or self.stage == "training" else 0)
            if self._awake and self._seen():
                self._due = time.monotonic() + self._delay
        return self._due is not None and time.monotonic() >= self._due

    def changed(self) -> set[str]:
        """Return the files that were written since this was made."""
        return {name for name, found in signatures(self._folder).items() if self._before.get(name) != found}

    def was_inside(self) -> bool:
        """Tell, when all is over, whether it had been in the middle of its stage."""
        if self.stage == "snapshot":
            return any(_SNAPSHOT.fullmatch(name) for name in self.changed())
        return self._folder.is_dir()

    def _seen(self) -> bool:
        if self.stage == "start":
            return True
        changed = self.changed()
        if self.stage != "results" and not changed.isdisjoint(self._results):
            self.stage, self._delay = "results", self._delays["results"]  # training was over before
        if self.stage == "snapshot":
            return any(_SNAPSHOT.fullmatch(name) for name in changed)
        if self.stage == "training":
            return _EVENTS in changed and self._count_epochs() >= self._epochs
        return self._file in changed

    def _signature_of_events(self) -> Signature | None:
        with contextlib.suppress(FileNotFoundError):
            return _signature((self._folder / _EVENTS).stat())
        return None

    def _count_epochs(self) -> int:
        with contextlib.suppress(FileNotFoundError), (self._folder / _EVENTS).open("rb") as stream:
            stream.seek(self._events_before)
            return stream.read().count(_EPOCH)
        return 0


def _signature(state: os.stat_result) -> Signature:
    return state.st_ino, state.st_mtime_ns, state.st_size


def signatures(folder: Path) -> dict[str, Signature]:
    """Return what distinguishes each file of a folder from an earlier state of it."""
    found: dict[str, Signature] = {}
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                found[entry.name] = _signature(entry.stat())
    return found
