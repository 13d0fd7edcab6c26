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

_COUNTED = (*_CONVOLUTIONS, keras.layers.Dense)


class _UnknownShapeError(Exception):
    """Keras does not know the shapes between the layers."""


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
    are left out, as is usual. A layer that a network uses twice counts twice. None where Keras knows no shapes, as of
    the layers of a network that is no graph.
    """
    try:
        return _flops_of_graph(model)
    except _UnknownShapeError:
        return None


def _leaves(model: keras.Model) -> Iterator[keras.layers.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer


def _flops_of_graph(model: keras.Model) -> int:
    if getattr(model, "outputs", None) is None:
        if any(isinstance(layer, _COUNTED) for layer in _leaves(model)):
            raise _UnknownShapeError
        return 0
    return sum(_flops_of_call(call) for call in _calls(model))


def _calls(model: keras.Model) -> Iterator[Any]:
    """Yield each call of a layer, or of a model within the model, between a model's inputs and outputs.

    A layer knows all its calls, but not which of them belong to this model: so the way back from the outputs is gone.
    """
    reached = {id(tensor) for tensor in model.inputs}
    waiting = list(model.outputs)
    seen = set()
    while waiting:
        tensor = waiting.pop()
        layer, number, _ = tensor._keras_history  # Keras has no public name for it
        call = layer._inbound_nodes[number]
        if id(tensor) not in reached and id(call) not in seen:
            seen.add(id(call))
            waiting.extend(call.input_tensors)
            yield call


def _flops_of_call(call: Any) -> int:
    layer = call.operation
    if isinstance(layer, keras.Model):
        return _flops_of_graph(layer)
    if not isinstance(layer, _COUNTED):
        return 0
    output = _pixels(call.output_tensors[0])
    # A transposed convolution multiplies each pixel that comes in with the whole kernel.
    moved = _pixels(call.input_tensors[0]) if isinstance(layer, keras.layers.Conv2DTranspose) else output
    kernels = sum(math.prod(weight.shape) for weight in layer.weights if "kernel" in weight.name)
    biases = math.prod(output) if getattr(layer, "use_bias", False) else 0
    return int(2 * math.prod(moved[:-1]) * kernels + biases)


def _pixels(tensor: Any) -> tuple[int, ...]:
    """Return the shape of one image at a place of the network."""
    shape = tuple(tensor.shape[1:])
    if None in shape:
        raise _UnknownShapeError
    return shape


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
