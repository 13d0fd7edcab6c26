"""Where the time of a gradient step of a small network goes: mcrgnet at 64 px, on noise in memory.

Each variant changes one thing, and is measured in three new processes, in turns with the others, so that a busy machine
slows all of them down; the shortest times count. ``python -m benchmarks.step`` prints a line for each variant;
docs/explanation/speed.md says what they mean. Nothing is compared with another program, so `benchmarks.run` leaves it
out.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from benchmarker import Stream, Training
from benchmarker.backends import load, worker_environment
from benchmarker.printing import echo

if TYPE_CHECKING:
    import keras

SIZE, BATCH = 64, 32
WARM_UP, STEPS, REPEATS = 10, 30, 6
TURNS = 3
VARIANTS: dict[str, tuple[str, int]] = {
    "as it is": ("tensorflow", 2),
    "one thread": ("tensorflow", 1),
    "one thread, op determinism off": ("tensorflow", 1),
    "one thread, SGD for Adam": ("tensorflow", 1),
    "one thread, no dropout": ("tensorflow", 1),
    "one thread, no oneDNN": ("tensorflow", 1),
    "one thread, XLA": ("tensorflow", 1),
    "JAX": ("jax", 2),
    "JAX, one thread": ("jax", 1),
}
"""Backend and threads of each variant."""


def environment(variant: str) -> dict[str, str]:
    """Return the variables of the process of a variant."""
    found = worker_environment(*VARIANTS[variant])
    if variant.endswith("no oneDNN"):
        found["TF_ENABLE_ONEDNN_OPTS"] = "0"
    if variant.endswith(("determinism off", "XLA")):
        del found["TF_DETERMINISTIC_OPS"]
    return found


def network(variant: str) -> keras.Model:
    """Return the compiled network of a variant."""
    from benchmarks.inputs import compiled_network

    optimiser = "sgd" if "SGD" in variant else "adam"
    model = compiled_network("mcrgnet", SIZE, Training.model_validate({"batch_size": BATCH, "optimiser": optimiser}))
    if variant.endswith("no dropout"):
        for layer in model.layers:
            if hasattr(layer, "rate"):
                layer.rate = 0.0  # Keras leaves such a layer out
    if variant.endswith("XLA"):
        model.jit_compile = True
    return model


def steps(model: keras.Model) -> Callable[[int], None]:
    """Return a function that takes some gradient steps, always on the same images, and waits for them."""
    import keras
    import numpy as np

    images = Stream("step").generator().random((BATCH, SIZE, SIZE, 1), np.float32)
    classes = keras.utils.to_categorical(np.arange(BATCH) % 4, 4)
    if keras.config.backend() == "jax":

        class Batches(keras.utils.PyDataset):  # type: ignore[misc]
            def __init__(self, n: int) -> None:
                super().__init__()
                self.n = n

            def __len__(self) -> int:
                return self.n

            def __getitem__(self, index: int) -> tuple[Any, Any]:
                return images, classes

        return lambda n: model.fit(Batches(n), verbose=0)
    import tensorflow as tf

    model.make_train_function()
    batches = iter(tf.data.Dataset.from_tensors((images, classes)).repeat())

    def take(n: int) -> None:
        for _ in range(n):
            logs = model.train_function(batches)
        float(logs["loss"])

    return take


def measure(variant: str) -> tuple[float, float]:
    """Return the time and the processor time of a step of a variant in seconds, the shortest of some means."""
    backend, threads = VARIANTS[variant]
    if variant.endswith(("determinism off", "XLA")):
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    else:
        load(backend).configure(threads, 1)
    take = steps(network(variant))
    take(WARM_UP)
    times = []
    for _ in range(REPEATS):
        wall, processor = time.perf_counter(), time.process_time()
        take(STEPS)
        times.append((time.perf_counter() - wall, time.process_time() - processor))
    return min(wall for wall, _ in times) / STEPS, min(processor for _, processor in times) / STEPS


def measure_in_process(variant: str) -> tuple[float, float]:
    """Measure a variant in a new process."""
    command = [sys.executable, "-m", "benchmarks.step", "--variant", variant]
    done = subprocess.run(command, env=environment(variant), stdout=subprocess.PIPE, text=True, check=True)
    wall, processor = json.loads(done.stdout.splitlines()[-1])
    return wall, processor


def main() -> None:
    """Measure all variants, or one in this process."""
    parser = argparse.ArgumentParser(description="Measure a gradient step of a small network.")
    parser.add_argument("--variant", choices=VARIANTS)
    variant = parser.parse_args().variant
    if variant is not None:
        echo(json.dumps(measure(variant)))
        return
    turns = [{name: measure_in_process(name) for name in VARIANTS} for _ in range(TURNS)]
    for name in VARIANTS:
        wall, processor = (min(turn[name][k] for turn in turns) for k in (0, 1))
        shown = f"{1e3 * wall:7.2f} ms {BATCH / wall:7,.0f} images/s {1e3 * processor:7.2f} ms of processor time"
        echo(f"{name:32}{shown}")


if __name__ == "__main__":
    main()
