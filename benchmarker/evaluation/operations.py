"""Counts the floating-point operations of a Keras graph, layer by layer; `costs.flops` says what counts how much."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

_NORMALISATION = 4
"""Operations for each number: subtract, divide, multiply, add."""
_SOFTMAX = 3
"""Operations for each class: exponential, sum, division; the sum has one addition less."""


class UncountableError(Exception):
    """The operations cannot be counted: a shape between layers, or what a layer does, is unknown."""


@cache
def transposed_convolutions() -> tuple[type[Any], ...]:
    """Return the classes of transposed convolutions."""
    from keras import layers

    return (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)


@cache
def convolutions() -> tuple[type[Any], ...]:
    """Return the classes of all convolutions."""
    from keras import layers

    return (
        layers.Conv1D,
        layers.Conv2D,
        layers.Conv3D,
        *transposed_convolutions(),
        layers.DepthwiseConv1D,
        layers.DepthwiseConv2D,
        layers.SeparableConv1D,
        layers.SeparableConv2D,
    )


@cache
def _transparent() -> tuple[type[Any], ...]:
    from keras import layers

    return (layers.TimeDistributed, layers.SpectralNormalization)


_LAYERS = "keras.src.layers."
_MOVING = ("core.identity", "core.input_layer", "core.masking", "preprocessing.", "regularization.", "reshaping.")
_OPERATIONS = "keras.src.ops."
_MOVING_OPERATIONS = frozenset({
    "BroadcastTo", "Cast", "Concatenate", "Copy", "ExpandDims", "Flip", "GetItem", "Identity", "Moveaxis", "Pad",
    "Ravel", "Repeat", "Reshape", "Roll", "Split", "Squeeze", "Stack", "StopGradient", "Swapaxes", "Take", "Tile",
    "Transpose",
})  # fmt: skip
_MULTIPLYING = ("attention", "conv", "correlate", "dot", "einsum", "inner", "matmul", "outer")


def operations(model: keras.Model) -> int:
    """Return the number of operations of a model with known shapes, 0 if it does nothing that counts.

    Raises
    ------
    UncountableError
        If a shape, or what a layer does, is unknown.
    """
    if getattr(model, "outputs", None) is None:
        raise UncountableError
    return sum(_of_call(call) for call in _calls(model))


def activations(model: keras.Model) -> int:
    """Return how many numbers the layers of a model give for one image, the image included.

    Parameters
    ----------
    model : keras.Model
        A network for images of a fixed size.

    Raises
    ------
    UncountableError
        If a shape is unknown, as in a subclassed model.
    """
    if getattr(model, "outputs", None) is None:
        raise UncountableError
    return sum(map(_size, model.inputs)) + _given(model)


def _given(model: keras.Model) -> int:
    import keras

    nested = [call.operation for call in _calls(model) if isinstance(call.operation, keras.Model)]
    own = [
        tensor
        for call in _calls(model)
        if not isinstance(call.operation, keras.Model)
        for tensor in call.output_tensors
    ]
    return sum(map(_size, own)) + sum(map(activations, nested))


def _calls(model: keras.Model) -> Iterator[Any]:
    """Yield each call of a layer, or of a nested model, between the inputs and the outputs of a model.

    A layer knows all its calls, but not which of them belong to this model, so the graph is followed back from the
    outputs.
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


def _of_call(call: Any) -> int:
    import keras

    layer = call.operation
    while isinstance(layer, _transparent()):  # applies its layer to each step, or to the same inputs
        layer = layer.layer
    if isinstance(layer, keras.Model):
        if layer is not call.operation:
            raise UncountableError
        return operations(layer)
    if isinstance(layer, (*convolutions(), keras.layers.Dense)):
        return _of_weights(layer, call) + _of_activation(layer, call)
    # A custom layer may do anything in its `call`, so only those of Keras are known.
    module, name = type(layer).__module__, type(layer).__name__
    if any(word in name.lower() for word in _MULTIPLYING):
        raise UncountableError
    if module.startswith(_LAYERS):
        return _of_layer(layer, module.removeprefix(_LAYERS), call)
    if module.startswith(_OPERATIONS):
        return 0 if name in _MOVING_OPERATIONS else _size(call.output_tensors[0])
    raise UncountableError


def _of_weights(layer: Any, call: Any) -> int:
    """Return the operations of a convolution or dense layer without its activation."""
    output = _shape(call.output_tensors[0])
    # A transposed convolution multiplies each input pixel with the whole kernel.
    moved = _shape(call.input_tensors[0]) if isinstance(layer, transposed_convolutions()) else output
    kernels = sum(math.prod(weight.shape) for weight in layer.weights if "kernel" in weight.name)
    biases = math.prod(output) if getattr(layer, "use_bias", False) else 0
    return int(2 * math.prod(moved[:-1]) * kernels + biases)


def _of_activation(layer: Any, call: Any) -> int:
    """Return the operations of the activation of a layer."""
    from keras import activations

    activation = getattr(layer, "activation", None)
    if activation is None or activation is activations.linear:
        return 0
    output = call.output_tensors[0]
    return _softmax(output) if activation in (activations.softmax, activations.log_softmax) else _size(output)


def _of_layer(layer: Any, module: str, call: Any) -> int:
    """Return the operations of a layer of Keras without a kernel."""
    from keras import layers

    output = call.output_tensors[0]
    if module.startswith(_MOVING) or isinstance(layer, layers.Concatenate):
        return 0
    if module.startswith("normalization."):
        return _NORMALISATION * _size(output)
    if module.startswith("pooling."):
        window = getattr(layer, "pool_size", None)
        return _size(call.input_tensors[0]) if window is None else math.prod(window) * _size(output)
    if isinstance(layer, layers.Activation):
        return _of_activation(layer, call)
    if module.startswith("activations."):
        return _softmax(output) if isinstance(layer, layers.Softmax) else _size(output)
    if module.startswith("merging."):
        return (len(call.input_tensors) - 1) * _size(output)
    raise UncountableError


def _softmax(tensor: Any) -> int:
    """Return the operations of a softmax over the last axis."""
    shape = _shape(tensor)
    return math.prod(shape[:-1]) * (_SOFTMAX * shape[-1] - 1)


def _size(tensor: Any) -> int:
    return math.prod(_shape(tensor))


def _shape(tensor: Any) -> tuple[int, ...]:
    """Return the shape of one image at a point of the network."""
    shape = tuple(tensor.shape[1:])
    if None in shape:
        raise UncountableError
    return shape
