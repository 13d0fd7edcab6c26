"""What the harness costs: its epoch against an epoch of bare Keras."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from benchmarker import Stream, Training
from benchmarker.backends import chosen, load
from benchmarker.discovery import installed, options_model
from benchmarker.training.batches import FixedBatches, OrderedBatches, encode_targets
from benchmarker.training.build import build_model
from benchmarker.training.fit import compile_model, fit
from benchmarker.training.sets import PartSet
from benchmarks.material import TASK, prepared_noise
from benchmarks.measure import Figure, hand_over

THREADS = 2
SEED = 8901
BATCH = 32


class Trial(NamedTuple):
    """A network to train, and what its ratio must keep."""

    network: str
    size: int
    images: int
    epochs: int
    turns: int
    limit: float


TRIALS = (
    Trial(network="convxpress", size=150, images=192, epochs=3, turns=3, limit=1.05),
    Trial(network="mcrgnet", size=64, images=1600, epochs=5, turns=4, limit=1.15),
)


class EpochClock(keras.callbacks.Callback):  # type: ignore[misc]
    """Notes how long each epoch takes."""

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


Side = Callable[[], list[float]]


def sides(folder: Path, trial: Trial) -> tuple[Side, Side]:
    """Return two functions that train a network for some epochs and return the seconds of each."""
    _, size, n, epochs, *_ = trial
    training = Training(batch_size=BATCH, threads=THREADS)
    data = prepared_noise(folder, n, size)
    images = PartSet(data, np.arange(n))
    validation = FixedBatches(PartSet(data, np.arange(BATCH)), batch_size=BATCH, targets=True)

    def network() -> keras.Model:
        architecture = installed().architecture(trial.network)
        options = options_model(architecture)
        model = build_model(architecture, options() if options else None, (size, size, 1), TASK, seed=SEED)
        compile_model(model, TASK, training, learning_rate=1e-4)
        return model

    harness_model, bare_model = network(), network()
    batches = OrderedBatches(images, batch_size=BATCH, epochs=epochs, order=Stream("order", seed=SEED))
    arrays = np.array(data.images), encode_targets(TASK, data.targets)

    def harness() -> list[float]:
        return fit(harness_model, training, epochs=epochs, train=batches, validation=validation).progress.seconds

    def bare() -> list[float]:
        clock = EpochClock()
        bare_model.fit(*arrays, batch_size=BATCH, epochs=epochs, shuffle=False, verbose=0, callbacks=[clock])
        return clock.seconds

    return harness, bare


def compare(folder: Path, trial: Trial) -> Figure:
    """Let both train in turns and compare the medians of their epochs.

    The first epoch of a turn is left out on both sides: it sets up what the others use.
    """
    harness, bare = sides(folder, trial)
    harness()
    bare()
    pairs = [(harness()[1:], bare()[1:]) for _ in range(trial.turns)]
    ours, theirs = (statistics.median(s for pair in pairs for s in pair[side]) for side in (0, 1))
    return Figure(
        name=f"harness epoch / bare Keras epoch, {trial.network} at {trial.size} px",
        rival="keras.Model.fit on the same arrays in memory, unshuffled; same batches and network, no validation",
        ratio=ours / theirs,
        bound="at most",
        limit=trial.limit,
        measured={"harness_seconds": ours, "bare_seconds": theirs, "images": trial.images},
    )


def main() -> None:
    """Measure."""
    load(chosen()).configure(THREADS, SEED)
    with tempfile.TemporaryDirectory() as name:
        hand_over([compare(Path(name), trial) for trial in TRIALS])


if __name__ == "__main__":
    main()
