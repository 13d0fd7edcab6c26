"""Memory while training from prepared data that are four times larger than all the memory in use.

The large set is as big as four times the peak of training on a small one. Its file has holes instead of pixels, so that
nothing is written to disk; to the process, holes are pages of zeros like any other.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measure import Figure, hand_over

THREADS = 2
SIZE = 300
BATCH = 32
SMALL = 256
TIMES_LARGER = 4
BYTES_OF_IMAGE = 4 * SIZE * SIZE


def peak_bytes(n: int) -> int:
    """Return the peak resident memory of a process that trains one epoch on ``n`` images."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", str(n)], check=True, stdout=subprocess.PIPE, text=True
    )
    return int(json.loads(done.stdout.splitlines()[-1]))


def train(n: int) -> int:
    """Train one epoch on ``n`` images and return the peak resident memory."""
    import numpy as np

    from benchmarker import LabelledImages, Stream, Training
    from benchmarker.backends import chosen, load
    from benchmarker.evaluation.costs import peak_memory_bytes
    from benchmarker.training.batches import FixedBatches, OrderedBatches
    from benchmarker.training.fit import compile_model, fit
    from benchmarker.training.sets import PartSet
    from benchmarks.material import TASK

    load(chosen()).configure(THREADS, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "images.f32"
        with path.open("wb") as stream:
            stream.truncate(n * BYTES_OF_IMAGE)
        data = LabelledImages(
            task=TASK,
            images=np.memmap(path, dtype="<f4", mode="r", shape=(n, SIZE, SIZE, 1)),
            targets=np.arange(n) % len(TASK.classes),
            source_ids=tuple(map(str, range(n))),
            parts=(None,) * n,
            attributes={},
            skipped=(),
            digest="",
        )
        batches = OrderedBatches(PartSet(data, np.arange(n)), batch_size=BATCH, epochs=1, order=Stream("order"))
        validation = FixedBatches(PartSet(data, np.arange(BATCH)), batch_size=BATCH, targets=True)
        network = _network()
        training = Training(batch_size=BATCH, threads=THREADS)
        compile_model(network, TASK, training, learning_rate=1e-4)
        fit(network, training, epochs=1, train=batches, validation=validation)
    return peak_memory_bytes()


def _network() -> Any:
    """Return a network that costs next to nothing, so that the images dominate."""
    import keras
    from keras import layers

    from benchmarks.material import TASK

    return keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            layers.Conv2D(4, 10, strides=10),
            layers.Flatten(),
            layers.Dense(TASK.n_outputs, activation="softmax"),
        ]
    )


def main() -> None:
    """Measure."""
    small = peak_bytes(SMALL)
    n = TIMES_LARGER * small // BYTES_OF_IMAGE
    large = peak_bytes(n)
    figure = Figure(
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
    hand_over([figure])


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.stdout.write(f"{train(int(sys.argv[1]))}\n")
    else:
        main()
