"""Train one network for `benchmarks.gpu_check`, and print a line of JSON for each size.

Arguments: name of the network, number of images in a batch, sizes in pixels; without them, the devices are printed.
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
from benchmarker.evaluation.costs import peak_memory_bytes
from benchmarker.trail import Trail
from benchmarker.training.batches import FixedBatches, OrderedBatches
from benchmarker.training.fit import digest_weights, fit
from benchmarker.training.sets import PartSet
from benchmarks.gpu_check import THREADS
from benchmarks.inputs import SEED, compiled_network, prepared_noise

STEPS = 2
# The first epoch includes compilation; the second one is timed.
EPOCHS = 2


def train(name: str, batch_size: int, size: int, folder: Path) -> dict[str, Any]:
    """Train a network for two epochs of two steps, and return digests of its bits, its speed and its memory."""
    training = Training(batch_size=batch_size, threads=THREADS)
    images = PartSet(prepared_noise(folder, STEPS * batch_size, size), np.arange(STEPS * batch_size))
    model = compiled_network(name, size, training)
    bits = {"initial weights": digest_weights(model)}
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
    """Print the devices, or train the network of the arguments."""
    backend = load(chosen())
    backend.configure(THREADS, SEED)
    if len(sys.argv) == 1:
        _print({"devices": backend.describe()["devices"]})
        return
    name, batch_size, *sizes = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            _print(train(name, int(batch_size), int(size), Path(folder)))


def _print(found: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()  # since a later size may end the process


if __name__ == "__main__":
    main()
