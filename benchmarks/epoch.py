"""Overhead of the harness: one of its epochs, against an epoch of bare Keras."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from benchmarker import Stream, Training
from benchmarker.backends import chosen, load
from benchmarker.training.batches import FixedBatches, OrderedBatches, encode_targets
from benchmarker.training.fit import fit
from benchmarker.training.sets import PartSet
from benchmarks.inputs import SEED, TASK, compiled_network, prepared_noise
from benchmarks.measure import Figure, print_figures

THREADS = 2
BATCH = 32

Side = Callable[[], list[float]]
"""Trains some epochs, and returns the duration of each in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A network to train, and the limit of its ratio."""

    network: str
    size: int
    images: int
    epochs: int
    turns: int
    limit: float


TRIALS = (
    Trial(network="convxpress", size=150, images=192, epochs=3, turns=7, limit=1.05),
    Trial(network="mcrgnet", size=64, images=1600, epochs=5, turns=4, limit=1.15),
)


class EpochClock(keras.callbacks.Callback):  # type: ignore[misc]
    """Measures the duration of each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._started = 0.0

    def on_epoch_begin(self, _epoch: int, _logs: Any = None) -> None:
        """Start the clock."""
        self._started = time.perf_counter()

    def on_epoch_end(self, _epoch: int, _logs: Any = None) -> None:
        """Stop the clock."""
        self.seconds.append(time.perf_counter() - self._started)


def sides(folder: Path, trial: Trial) -> tuple[Side, Side]:
    """Return two functions that train a network, through the harness and with bare Keras."""
    training = Training(batch_size=BATCH, threads=THREADS)
    data = prepared_noise(folder, trial.images, trial.size)
    images = PartSet(data, np.arange(trial.images))
    validation = FixedBatches(PartSet(data, np.arange(BATCH)), batch_size=BATCH, targets=True)
    harness_model, bare_model = (compiled_network(trial.network, trial.size, training) for _ in range(2))
    batches = OrderedBatches(images, batch_size=BATCH, epochs=trial.epochs, order=Stream("order", seed=SEED))
    arrays = np.array(data.images), encode_targets(TASK, data.targets)

    def harness() -> list[float]:
        return fit(harness_model, training, epochs=trial.epochs, train=batches, validation=validation).progress.seconds

    def bare() -> list[float]:
        clock = EpochClock()
        bare_model.fit(*arrays, batch_size=BATCH, epochs=trial.epochs, shuffle=False, verbose=0, callbacks=[clock])
        return clock.seconds

    return harness, bare


def compare(folder: Path, trial: Trial) -> Figure:
    """Let both sides train in turns, and compare the medians of their epochs.

    The first epoch of each turn is left out on both sides, since it sets up what the others use.
    """
    harness, bare = sides(folder, trial)
    harness()
    bare()
    pairs = [(harness()[1:], bare()[1:]) for _ in range(trial.turns)]
    ours, rival = (statistics.median(s for pair in pairs for s in pair[side]) for side in (0, 1))
    return Figure(
        name=f"harness epoch / bare Keras epoch, {trial.network} at {trial.size} px",
        rival="keras.Model.fit on the same arrays in memory, unshuffled; same batches and network, no validation",
        ratio=ours / rival,
        bound="at most",
        limit=trial.limit,
        measured={"harness_seconds": ours, "bare_seconds": rival, "images": trial.images},
    )


def main() -> None:
    """Measure."""
    load(chosen()).configure(THREADS, SEED)
    with tempfile.TemporaryDirectory() as name:
        print_figures(*(compare(Path(name), trial) for trial in TRIALS))


if __name__ == "__main__":
    main()
