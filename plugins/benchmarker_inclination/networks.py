"""The three networks of the inclination pipeline, for regression and for accepting or rejecting images.

All convolutions are 3x3 without padding and start from Keras' default initialisers (Glorot-uniform kernels, zero
biases). At 128 x 128 x 3 and with one output they have 1,631,169, 2,522,705 and 1,680,369 parameters.
"""

from __future__ import annotations

from typing import Any

from benchmarker import Task, layer_seeds


def model4(input_shape: tuple[int, int, int], task: Task, seed: int) -> Any:
    """Build model 4: two blocks of 16 and 32 filters, then 256, 32 and 8 units."""
    network = _Inclinet("inclinet_model4", seed)
    network.block(16, pool=2, dropout=True)
    network.block(32, pool=4, normalise=True, dropout=True)
    return network.finish(input_shape, task, (256, 32, 8))


def model5(input_shape: tuple[int, int, int], task: Task, seed: int) -> Any:
    """Build model 5: three blocks of 128, 256 and 256 filters, then 256, 128, 64 and 8 units."""
    network = _Inclinet("inclinet_model5", seed)
    network.block(128, pool=2, dropout=True)
    network.block(256, pool=4, normalise=True, dropout=True)
    network.block(256, pool=4, normalise=True)
    return network.finish(input_shape, task, (256, 128, 64, 8))


def model6(input_shape: tuple[int, int, int], task: Task, seed: int) -> Any:
    """Build model 6: two blocks of 32 and 64 filters, then 128, 64 and 8 units."""
    network = _Inclinet("inclinet_model6", seed)
    network.block(32, pool=2, dropout=True)
    network.block(64, pool=4, normalise=True, dropout=True)
    return network.finish(input_shape, task, (128, 64, 8))


class _Inclinet:
    """A network that grows block by block; every initialiser and dropout has a seed of its own."""

    def __init__(self, name: str, seed: int) -> None:
        self._name = name
        self._seeds = layer_seeds(seed)
        self._layers: list[Any] = []

    def block(self, filters: int, *, pool: int, normalise: bool = False, dropout: bool = False) -> None:
        """Add two convolutions, batch normalisation if asked for, pooling, and a dropout of 0.25 if asked for."""
        from keras import initializers, layers

        for _ in range(2):
            start = initializers.GlorotUniform(seed=next(self._seeds))
            self._layers.append(layers.Conv2D(filters, 3, activation="relu", kernel_initializer=start))
        if normalise:
            self._layers.append(layers.BatchNormalization())
        self._layers.append(layers.MaxPooling2D(pool))
        if dropout:
            self._layers.append(layers.Dropout(0.25, seed=next(self._seeds)))

    def finish(self, input_shape: tuple[int, int, int], task: Task, units: tuple[int, ...]) -> Any:
        """Add the dense layers and the output: a hyperbolic tangent for a regression, softmax for classes."""
        from keras import Input, Sequential, initializers, layers

        activation = "tanh" if task.kind == "regression" else task.output_activation
        dense = [layers.Flatten()]
        for n in units:
            start = initializers.GlorotUniform(seed=next(self._seeds))
            dense.append(layers.Dense(n, activation="relu", kernel_initializer=start))
        start = initializers.GlorotUniform(seed=next(self._seeds))
        dense.append(layers.Dense(task.n_outputs, activation, kernel_initializer=start, dtype="float32"))
        return Sequential([Input(input_shape), *self._layers, *dense], name=self._name)
