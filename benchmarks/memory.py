"""Memory while training on a set that is four times larger than all the memory in use.

The large set is four times as large as the peak memory of training on a small one. Its file is sparse, so nothing is
written to disk; the process reads its holes as pages of zeros.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measure import Figure, peak_bytes, print_figures

MODULE = "benchmarks.memory"
THREADS = 2
SIZE = 300
BATCH = 32
SMALL = 256
TIMES_LARGER = 4
BYTES_OF_IMAGE = 4 * SIZE * SIZE


def train(n: int) -> int:
    """Train one epoch on ``n`` images, and return the peak resident memory in bytes."""
    import numpy as np

    from benchmarker import Stream, Training
    from benchmarker.backends import chosen, load
    from benchmarker.evaluation.costs import peak_memory_bytes
    from benchmarker.training.batches import FixedBatches, OrderedBatches
    from benchmarker.training.fit import compile_model, fit
    from benchmarker.training.sets import PartSet
    from benchmarks.inputs import TASK, prepared_zeros

    load(chosen()).configure(THREADS, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        data = prepared_zeros(Path(folder), n, SIZE)
        batches = OrderedBatches(PartSet(data, np.arange(n)), batch_size=BATCH, epochs=1, order=Stream("order"))
        validation = FixedBatches(PartSet(data, np.arange(BATCH)), batch_size=BATCH, targets=True)
        training = Training(batch_size=BATCH, threads=THREADS)
        network = _small_network(TASK.n_outputs)
        compile_model(network, TASK, training, learning_rate=1e-4)
        fit(network, training, epochs=1, train=batches, validation=validation)
    return peak_memory_bytes()


def _small_network(n_outputs: int) -> Any:
    """Return a network that needs next to no memory, so that the images dominate."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            layers.Conv2D(4, 10, strides=10),
            layers.Flatten(),
            layers.Dense(n_outputs, activation="softmax"),
        ]
    )


def main() -> None:
    """Measure."""
    small = peak_bytes(MODULE, SMALL)
    n = TIMES_LARGER * small // BYTES_OF_IMAGE
    large = peak_bytes(MODULE, n)
    print_figures(
        Figure(
            name=f"peak memory, training set {TIMES_LARGER} times larger than it / small training set",
            rival=f"the same training on {SMALL} images",
            ratio=large / small,
            bound="at most",
            limit=1.1,
            measured={
                "peak_bytes": large,
                "small_peak_bytes": small,
                "set_bytes": n * BYTES_OF_IMAGE,
                "small_set_bytes": SMALL * BYTES_OF_IMAGE,
            },
        )
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stdout.write(f"{train(int(sys.argv[1]))}\n")
    else:
        main()
