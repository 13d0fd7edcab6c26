"""What a network costs: parameters, floating-point operations and time."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import keras

from benchmarker.contracts.images import TrainingSet
from benchmarker.training.batches import FixedBatches

REPEATS = 5
_CONVOLUTIONS = (
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.Conv3D,
    keras.layers.Conv2DTranspose,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv2D,
)


def parameters(model: keras.Model) -> dict[str, int]:
    """Return the numbers of parameters: total, trainable, and those of convolutional and of dense layers."""

    def count(weights: list[Any]) -> int:
        return sum(math.prod(weight.shape) for weight in weights)

    layers = list(_leaves(model))
    return {
        "total": count(model.weights),
        "trainable": count(model.trainable_weights),
        "convolutional": sum(count(layer.weights) for layer in layers if isinstance(layer, _CONVOLUTIONS)),
        "dense": sum(count(layer.weights) for layer in layers if isinstance(layer, keras.layers.Dense)),
    }


def flops(model: keras.Model) -> int | None:
    """Return the floating-point operations of one image's forward pass through convolutional and dense layers.

    A multiplication and an addition count as two, a bias as one for each output; pooling, normalisation and activations
    are left out, as is usual. A layer that a network uses twice counts once. None where Keras knows no shapes, as of
    the layers of a network that is no graph.
    """
    try:
        return sum(_flops_of(layer) for layer in _leaves(model))
    except (AttributeError, ValueError):  # what `output` of a layer raises that was never called symbolically
        return None


def _leaves(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer


def _flops_of(layer: keras.layers.Layer) -> int:
    if isinstance(layer, keras.layers.Dense):
        positions = math.prod(layer.output.shape[1:-1])
    elif isinstance(layer, keras.layers.Conv2DTranspose):
        positions = math.prod(layer.input.shape[1:-1])
    elif isinstance(layer, _CONVOLUTIONS):
        positions = math.prod(layer.output.shape[1:-1])
    else:
        return 0
    kernels = sum(math.prod(weight.shape) for weight in layer.weights if "kernel" in weight.name)
    biases = math.prod(layer.output.shape[1:]) if getattr(layer, "use_bias", False) else 0
    return int(2 * positions * kernels + biases)


def inference_seconds(model: keras.Model, images: TrainingSet, batch_size: int) -> list[float]:
    """Return the seconds that predicting all images took, five times after a warm-up."""
    batches = FixedBatches(images, batch_size=batch_size, targets=False)
    model.predict(batches, verbose=0)
    taken = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        model.predict(batches, verbose=0)
        taken.append(time.perf_counter() - started)
    return taken
