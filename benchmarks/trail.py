"""Overhead of the trail and of snapshots, against the training that they record."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import numpy as np

from benchmarker import Stream, Training
from benchmarker.backends import chosen, load
from benchmarker.trail import Trail
from benchmarker.training.batches import FixedBatches, OrderedBatches
from benchmarker.training.fit import digest_state, fit
from benchmarker.training.sets import PartSet, digest_set
from benchmarker.training.snapshots import Snapshots
from benchmarks.inputs import SEED, compiled_network, prepared_noise
from benchmarks.measure import Figure, print_figures, seconds

THREADS = 2
BATCH = 32
NETWORK = "convxpress"
SIZE = 150
# A link costs the same for any number of images, so the ratio falls with it; the radio paper has about twice as many.
IMAGES = 512
EPOCHS = 3
REPEATS = 9


def compare(folder: Path) -> Figure:
    """Train a network, and time everything that the trail adds."""
    training = Training(batch_size=BATCH, threads=THREADS)
    data = prepared_noise(folder, IMAGES, SIZE)
    images = PartSet(data, np.arange(IMAGES))
    model = compiled_network(NETWORK, SIZE, training)
    batches = OrderedBatches(images, batch_size=BATCH, epochs=EPOCHS, order=Stream("order", seed=SEED))
    validation = FixedBatches(PartSet(data, np.arange(BATCH)), batch_size=BATCH, targets=True)
    fitted = fit(model, training, epochs=EPOCHS, train=batches, validation=validation)
    epoch = statistics.median(fitted.progress.seconds[1:])  # the first one sets up what the others use

    def add_link() -> None:
        content = {**batches.digests(EPOCHS - 1), **digest_state(model), "metrics": fitted.progress.history[-1]}
        Trail().add("epoch", content)

    snapshots = Snapshots(folder, "benchmark")
    link, digest, snapshot = (
        statistics.median(seconds(action) for _ in range(REPEATS))
        for action in (
            add_link,
            lambda: digest_set(images),
            lambda: snapshots.save(model, fitted.best, fitted.progress),
        )
    )
    return Figure(
        name=f"trail / training, {NETWORK} at {SIZE} px, {EPOCHS} epochs of {IMAGES} images",
        rival="the time of the same epochs without it; the digest of the training set is counted in full",
        ratio=(EPOCHS * link + digest) / (EPOCHS * epoch),
        bound="at most",
        limit=0.02,
        measured={
            "epoch_seconds": epoch,
            "link_seconds": link,
            "training_set_seconds": digest,
            "snapshot_seconds": snapshot,
        },
    )


def main() -> None:
    """Measure."""
    load(chosen()).configure(THREADS, SEED)
    with tempfile.TemporaryDirectory() as name:
        print_figures(compare(Path(name)))


if __name__ == "__main__":
    main()
