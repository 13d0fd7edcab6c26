"""Trains small networks in lanes, together and alone, and prints what of them is equal, as JSON.

``test_lanes.py`` starts it in a process of its own, on JAX.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import time
from typing import Any

import keras
import numpy as np

from benchmarker import Stream
from benchmarker.backends import make_lanes

OF = 3
IMAGES, BATCH = 24, 8


class Projection(keras.layers.Layer):  # type: ignore[misc]
    """Multiplies with numbers that are no variables."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.numbers = Stream("numbers", seed=seed).generator().normal(size=(6, 6)).astype("float32")

    def call(self, inputs: Any) -> Any:
        return inputs @ keras.ops.convert_to_tensor(self.numbers)


def network(seed: int, *, projected: bool) -> keras.Model:
    """Return a compiled network with dropout and statistics of batches."""
    start = keras.initializers.GlorotUniform(seed)
    model = keras.Sequential(
        [
            keras.layers.Input((5,)),
            keras.layers.Dense(6, activation="relu", kernel_initializer=start),
            *([Projection(seed)] if projected else []),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.3, seed=seed),
            keras.layers.Dense(2, activation="softmax", kernel_initializer=start),
        ]
    )
    model.compile(keras.optimizers.Adam(0.01), "categorical_crossentropy", metrics=["accuracy"], jit_compile=True)
    return model


def data(seed: int) -> tuple[Any, Any]:
    """Return inputs and one-hot targets."""
    draws = Stream("data", seed=seed).generator()
    return draws.random((IMAGES, 5), dtype=np.float32), np.eye(2, dtype=np.float32)[draws.integers(0, 2, IMAGES)]


def train(seeds: dict[int, int], *, epochs: dict[int, int], projected: bool = False, fails: int = -1) -> dict[int, str]:
    """Train the seeds of some lanes together; return a digest of the weights, or the error, of each lane."""
    lanes = make_lanes("jax", OF)
    models = {lane: network(seed, projected=projected) for lane, seed in seeds.items()}
    found: dict[int, str] = {}

    def fit(lane: int, model: keras.Model) -> None:
        x, y = data(seeds[lane])

        def check(epoch: int, _logs: Any) -> None:
            if lane == fails and epoch == 0:
                raise ValueError("fails")

        callback = keras.callbacks.LambdaCallback(on_epoch_end=check)
        try:
            with lanes.training(lane, model):
                model.fit(
                    *(x, y, BATCH, epochs[lane]),
                    validation_data=(x, y),
                    shuffle=False,
                    verbose=0,
                    callbacks=[callback],
                )
        except ValueError as error:
            found[lane] = str(error)
            return
        found[lane] = hashlib.sha256(b"".join(array.tobytes() for array in model.get_weights())).hexdigest()

    for lane in seeds:
        lanes.expect(lane)
    threads = [threading.Thread(target=fit, args=item) for item in models.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def paused() -> list[int]:
    """Return how many steps a lane had made before others were paused, at the end of that, and at the end."""
    lanes, model, steps = make_lanes("jax", OF), network(30, projected=False), 0
    begun, goes_on = threading.Event(), threading.Event()
    x, y = data(30)

    def count() -> None:
        nonlocal steps
        steps += 1
        if steps == 1:
            begun.set()
            goes_on.wait(60)

    def fit() -> None:
        with lanes.training(0, model):
            callbacks = [keras.callbacks.LambdaCallback(on_train_batch_end=lambda *_, **__: count())]
            model.fit(x, y, BATCH, epochs=2, verbose=0, callbacks=callbacks)

    lanes.expect(0)
    thread = threading.Thread(target=fit)
    thread.start()
    begun.wait(60)
    found = [steps]
    with lanes.paused():
        goes_on.set()
        time.sleep(0.5)
        found.append(steps)
    thread.join()
    return [*found, steps]


def taken() -> list[str]:
    """Return what is said of lanes that cannot be had."""
    lanes = make_lanes("jax", OF)
    lanes.expect(0)
    found = []
    for number in (0, OF, -1):
        try:
            lanes.expect(number)
        except ValueError as error:
            found.append(str(error))
    lanes.leave(0)
    lanes.expect(0)
    return found


class Ending:
    """A network whose step ends the process when it is compiled with those of other lanes, but not alone."""

    def __init__(self) -> None:
        self.compiled = 0
        self.train_function: Any = None
        self.test_function: Any = None

    def train_step(self, state: Any, batch: Any) -> tuple[Any, Any]:
        self.compiled += 1
        if self.compiled == 2:
            raise SystemExit(3)
        return batch, state

    test_step = train_step


def ended() -> list[str]:
    """Return what lanes get whose common program cannot be compiled."""
    lanes, found = make_lanes("jax", OF), []

    def fit(lane: int) -> None:
        model = Ending()
        try:
            with lanes.training(lane, model):
                model.train_function(np.zeros(2), iter([np.zeros(2)]))
        except SystemExit as error:
            found.append(str(error))

    for lane in range(2):
        lanes.expect(lane)
    threads = [threading.Thread(target=fit, args=(lane,), daemon=True) for lane in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


def main() -> None:
    """Print everything."""
    seeds, epochs = {0: 30, 1: 31, 2: 32}, {0: 4, 1: 2, 2: 4}
    found = {
        "together": train(seeds, epochs=epochs),
        "alone": {lane: train({lane: seed}, epochs=epochs)[lane] for lane, seed in seeds.items()},
        "projected": train(seeds, epochs=epochs, projected=True),
        "projected alone": train({2: 32}, epochs=epochs, projected=True)[2],
        "failing": train(seeds, epochs=epochs, fails=1),
        "taken": taken(),
        "ended": ended(),
        "paused": paused(),
    }
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
