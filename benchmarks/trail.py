"""What the trail of a run costs, and its snapshots, against the training that they record."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarker import Stream, Training
from benchmarker.backends import chosen, load
from benchmarker.discovery import installed, options_model
from benchmarker.trail import Trail
from benchmarker.training.batches import FixedBatches, OrderedBatches
from benchmarker.training.build import build_model
from benchmarker.training.fit import compile_model, digest_state, fit
from benchmarker.training.sets import PartSet, digest_set
from benchmarker.training.snapshots import Snapshots
from benchmarks.material import TASK, prepared_noise
from benchmarks.measure import Figure, hand_over, seconds

THREADS = 2
SEED = 8901
BATCH = 32
NETWORK = "convxpress"
SIZE = 150
# A link costs the same whatever the images, so the ratio falls as they grow; the radio paper has about twice as many.
IMAGES = 512
EPOCHS = 3
REPEATS = 5


def compare(folder: Path) -> Figure:
    """Train, and time each thing that a trail adds to that."""
    training = Training(batch_size=BATCH, threads=THREADS)
    data = prepared_noise(folder, IMAGES, SIZE)
    images = PartSet(data, np.arange(IMAGES))
    architecture = installed().architecture(NETWORK)
    options = options_model(architecture)
    model = build_model(architecture, options() if options else None, (SIZE, SIZE, 1), TASK, seed=SEED)
    compile_model(model, TASK, training, learning_rate=1e-4)
    batches = OrderedBatches(images, batch_size=BATCH, epochs=EPOCHS, order=Stream("order", seed=SEED))
    validation = FixedBatches(PartSet(data, np.arange(BATCH)), batch_size=BATCH, targets=True)
    fitted = fit(model, training, epochs=EPOCHS, train=batches, validation=validation)
    epoch = statistics.median(fitted.progress.seconds[1:])  # the first one sets up what the others use

    def link() -> None:
        content: dict[str, Any] = {**batches.digests(EPOCHS - 1), **digest_state(model)}
        Trail().add("epoch", {**content, "metrics": fitted.progress.history[-1]})

    snapshots = Snapshots(folder, "benchmark")
    of_link = statistics.median(seconds(link) for _ in range(REPEATS))
    of_set = statistics.median(seconds(lambda: digest_set(images)) for _ in range(REPEATS))
    of_snapshot = statistics.median(
        seconds(lambda: snapshots.save(model, fitted.best, fitted.progress)) for _ in range(REPEATS)
    )
    return Figure(
        name=f"trail / training, {NETWORK} at {SIZE} px, {EPOCHS} epochs of {IMAGES} images",
        rival="the time of the same epochs without it; the digest of the training set is counted in full",
        ratio=(EPOCHS * of_link + of_set) / (EPOCHS * epoch),
        bound="at most",
        limit=0.02,
        measured={
            "epoch_seconds": epoch,
            "link_seconds": of_link,
            "training_set_seconds": of_set,
            "snapshot_seconds": of_snapshot,
        },
    )


def main() -> None:
    """Measure."""
    load(chosen()).configure(THREADS, SEED)
    with tempfile.TemporaryDirectory() as name:
        hand_over([compare(Path(name))])


if __name__ == "__main__":
    main()
