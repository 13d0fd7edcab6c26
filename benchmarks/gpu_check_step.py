"""Trains one network in a process of its own for `benchmarks.gpu_check`, and prints a line of JSON for each size.

Takes the network, the images in a batch, and sizes in pixels; without them it says what devices there are.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarker import Stream, Training
from benchmarker.backends import chosen, load
from benchmarker.discovery import installed, options_model
from benchmarker.evaluation.costs import peak_memory_bytes
from benchmarker.trail import Trail
from benchmarker.training.batches import FixedBatches, OrderedBatches
from benchmarker.training.build import build_model
from benchmarker.training.fit import compile_model, digest_weights, fit
from benchmarker.training.sets import PartSet
from benchmarks.gpu_check import THREADS
from benchmarks.material import TASK, prepared_noise

SEED = 8901
STEPS = 2
# The first epoch also compiles; the second one is timed.
EPOCHS = 2


def train(name: str, batch_size: int, size: int, folder: Path) -> dict[str, Any]:
    """Train a network for two epochs of two steps, and return its bits, speed and memory."""
    training = Training(batch_size=batch_size, threads=THREADS)
    images = PartSet(prepared_noise(folder, STEPS * batch_size, size), np.arange(STEPS * batch_size))
    architecture = installed().architecture(name)
    options = options_model(architecture)
    model = build_model(architecture, options() if options else None, (size, size, 1), TASK, seed=SEED)
    bits = {"initial weights": digest_weights(model)}
    compile_model(model, TASK, training, learning_rate=1e-4)
    trail = Trail()
    fitted = fit(
        model,
        training,
        epochs=EPOCHS,
        train=OrderedBatches(images, batch_size=batch_size, epochs=EPOCHS, order=Stream("order", seed=SEED)),
        validation=FixedBatches(images, batch_size=batch_size, targets=True),
        trail=trail,
    )
    for link in trail.links:
        bits |= {f"{link.name}: {key}": str(digest) for key, digest in link.content.items()}
    return {
        "size": size,
        "bits": bits,
        "images_per_second": STEPS * batch_size / fitted.progress.seconds[-1],
        "device_bytes": load(chosen()).peak_device_bytes(),
        "process_bytes": peak_memory_bytes(),
    }


def main() -> None:
    """Do what the arguments say."""
    backend = load(chosen())
    backend.configure(THREADS, SEED)
    if len(sys.argv) == 1:
        _hand_over({"devices": backend.describe()["devices"]})
        return
    name, batch_size, *sizes = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            _hand_over(train(name, int(batch_size), int(size), Path(folder)))


def _hand_over(found: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()  # a later size may end the process


if __name__ == "__main__":
    main()
