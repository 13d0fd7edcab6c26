"""Take gradient steps on the backend of this process, and print what changed."""

from __future__ import annotations

import json
import sys
from typing import Any

import keras
import numpy as np

from benchmarker import Stream, digest_arrays
from benchmarker.backends import gradient_step, load
from benchmarker.errors import PluginError

RATE = 0.5


def plain_step() -> dict[str, Any]:
    """Return the largest deviation of steps of a linear network from hand calculation."""
    dense = keras.layers.Dense(1, use_bias=False, kernel_initializer=keras.initializers.GlorotUniform(seed=1))
    scale = keras.Variable(2.0, trainable=False, name="scale")
    dense.build((None, 3))

    def loss(x: Any, y: Any) -> tuple[Any, dict[str, Any]]:
        value = keras.ops.mean((scale * dense(x) - y) ** 2)
        return value, {"loss": value}

    step = gradient_step(loss, keras.optimizers.SGD(learning_rate=RATE), dense.trainable_variables)
    off = []
    # The factor changes between steps, as the other network of a GAN does, and the last batch is smaller.
    for k, (factor, n) in enumerate(((2.0, 8), (3.0, 8), (0.5, 5))):
        scale.assign(factor)
        rng = Stream("probe", k=k).generator()
        x, y = (rng.normal(size=(n, width)).astype(np.float32) for width in (3, 1))
        before = np.array(dense.kernel)
        residual = factor * x @ before - y
        measured = step(x, y)
        expected = before - RATE * 2 * factor * x.T @ residual / n
        off.append(float(np.abs(np.array(dense.kernel) - expected).max()))
        off.append(abs(float(measured["loss"]) - float((residual**2).mean())))
    return {"off": max(off), "scale": float(scale.value)}


def network() -> keras.Model:
    return keras.Sequential(
        [
            keras.layers.Input((4,)),
            keras.layers.Dense(6, kernel_initializer=keras.initializers.GlorotUniform(seed=2)),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5, seed=3),
            keras.layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(seed=4)),
        ]
    )


def trained() -> dict[str, Any]:
    """Return what changed in each of three steps, and a digest of everything."""
    model = network()
    optimiser = keras.optimizers.Adam(0.01)
    state = [variable for variable in model.variables if not any(variable is w for w in model.trainable_variables)]

    def loss(x: Any) -> tuple[Any, dict[str, Any]]:
        value = keras.ops.mean(model(x, training=True) ** 2)
        return value, {"loss": value}

    step = gradient_step(loss, optimiser, model.trainable_variables, state)
    everything = [*model.variables, *optimiser.variables]
    arrays = [np.array(v) for v in everything]
    unchanged = []
    for k in range(3):
        step(Stream("probe", k=k).generator().normal(size=(8, 4)).astype(np.float32))
        now = [np.array(v) for v in everything]
        unchanged += [v.path for v, a, b in zip(everything, arrays, now, strict=True) if np.array_equal(a, b)]
        arrays = now
    return {"unchanged": sorted(set(unchanged)), "digest": digest_arrays((str(k), a) for k, a in enumerate(arrays))}


def unlisted_state() -> str:
    """Return the error message if the loss changes a variable that is not listed."""
    model = network()

    def loss(x: Any) -> tuple[Any, dict[str, Any]]:
        return keras.ops.mean(model(x, training=True) ** 2), {}

    step = gradient_step(loss, keras.optimizers.SGD(0.1), model.trainable_variables)
    try:
        step(np.ones((8, 4), dtype=np.float32))
    except PluginError as error:
        return str(error)
    return ""


if __name__ == "__main__":
    load(keras.config.backend()).configure(2, 1)
    found = {"plain": plain_step(), "first": trained(), "again": trained(), "unlisted": unlisted_state()}
    sys.stdout.write(json.dumps(found))
