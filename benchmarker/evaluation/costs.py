"""What a network costs: parameters, floating-point operations, time and memory."""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarker.contracts.images import TrainingSet
from benchmarker.study.runs import NetworkParameters

if TYPE_CHECKING:
    import keras

REPEATS = 5
"""Number of times that predicting all images is timed."""


class _UncountableError(Exception):
    """The operations cannot be counted: a shape between layers, or what a layer does, is unknown."""


def parameters(model: keras.Model) -> NetworkParameters:
    """Return the numbers of parameters: all, trainable ones, and those of convolutional and of dense layers.

    Layers inside wrappers, attention and custom layers count in their group. Weights that a custom layer makes itself,
    and those of recurrent layers, count in the totals only.
    """

    def count(weights: list[Any]) -> int:
        return sum(math.prod(weight.shape) for weight in weights)

    layers = list(model._flatten_layers(include_self=False))  # also those inside wrappers and custom layers
    return NetworkParameters(
        total=count(model.weights),
        trainable=count(model.trainable_weights),
        convolutional=sum(count(layer.weights) for layer in layers if isinstance(layer, _convolutions())),
        dense=sum(count(layer.weights) for layer in layers if isinstance(layer, _dense())),
        **_flatten_width(layers),
    )


def _flatten_width(layers: list[Any]) -> dict[str, int]:
    from keras.layers import Flatten

    calls = [call for layer in layers if isinstance(layer, Flatten) for call in layer._inbound_nodes]
    known = [width for call in calls if (width := call.output_tensors[0].shape[-1]) is not None]
    return {"flatten_width": max(known)} if known else {}


def penalties(model: keras.Model) -> float:
    """Return the sum of the penalties, such as L2, that a network adds to its loss, without unit."""
    return math.fsum(float(each) for each in model.losses)


def flops(model: keras.Model) -> int | None:
    r"""Return the floating-point operations of one image's forward pass through convolutional and dense layers.

    A convolution with a kernel of :math:`k_h \times k_w` pixels, :math:`C_i` input and :math:`C_o` output channels in
    :math:`g` groups needs :math:`2 H W k_h k_w C_i C_o / g` operations for an output of :math:`H \times W` pixels, a
    transposed convolution the same for its *input* of :math:`H \times W` pixels, and a dense layer :math:`2 C_i C_o`. A
    bias adds one operation for each output. A layer in `TimeDistributed` counts for each of its steps.

    Parameters
    ----------
    model : keras.Model
        A network for images of a fixed size.

    Returns
    -------
    int or None
        Number of operations; None where they cannot be counted: if Keras does not know the shapes between layers, as in
        a subclassed model, or if a layer multiplies in another way, as attention, recurrent and custom layers do.

    Notes
    -----
    A multiplication and an addition count as two operations; some papers count the pair as one. Pooling, normalisation
    and activations are left out, as is usual. A layer that is used twice counts twice. The number says little about the
    time that a network needs on a given device; `inference_seconds` measures that.

    References
    ----------
    Molchanov et al. 2017, ICLR, arXiv:1611.06440 (operations of convolutional and dense layers).
    """
    try:
        return _flops_of_graph(model)
    except _UncountableError:
        return None


@cache
def _transposed() -> tuple[type[Any], ...]:
    from keras import layers

    return (layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)


@cache
def _convolutions() -> tuple[type[Any], ...]:
    from keras import layers

    return (
        layers.Conv1D,
        layers.Conv2D,
        layers.Conv3D,
        *_transposed(),
        layers.DepthwiseConv1D,
        layers.DepthwiseConv2D,
        layers.SeparableConv1D,
        layers.SeparableConv2D,
    )


@cache
def _dense() -> tuple[type[Any], ...]:
    from keras import layers

    return (layers.Dense, layers.EinsumDense)  # attention is made of the latter


@cache
def _counted() -> tuple[type[Any], ...]:
    from keras import layers

    return (*_convolutions(), layers.Dense)


@cache
def _transparent() -> tuple[type[Any], ...]:
    from keras import layers

    return (layers.TimeDistributed, layers.SpectralNormalization)


_FREE_PACKAGES = ("activations", "merging", "normalization", "pooling", "preprocessing", "regularization", "reshaping")
_FREE_CORE = ("identity", "input_layer", "masking")
_MULTIPLYING = ("attention", "conv", "correlate", "dot", "einsum", "inner", "matmul", "outer")


def _is_free(operation: Any) -> bool:
    """Return whether an operation of a graph is known to need no matrix product or convolution.

    A custom layer may do anything in its ``call``, so only those of Keras are known.
    """
    module, name = type(operation).__module__, type(operation).__name__.lower()
    if any(word in name for word in _MULTIPLYING):
        return False
    free = [f"keras.src.layers.{package}." for package in _FREE_PACKAGES]
    return module.startswith((*free, "keras.src.ops.")) or module in {
        f"keras.src.layers.core.{each}" for each in _FREE_CORE
    }


def _flops_of_graph(model: keras.Model) -> int:
    if getattr(model, "outputs", None) is None:
        raise _UncountableError
    return sum(_flops_of_call(call) for call in _calls(model))


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


def _flops_of_call(call: Any) -> int:
    import keras

    layer = call.operation
    while isinstance(layer, _transparent()):  # applies its layer to each step, or to the same inputs
        layer = layer.layer
    if isinstance(layer, keras.Model):
        if layer is not call.operation:
            raise _UncountableError
        return _flops_of_graph(layer)
    if not isinstance(layer, _counted()):
        if _is_free(layer):
            return 0
        raise _UncountableError
    output = _pixels(call.output_tensors[0])
    # A transposed convolution multiplies each input pixel with the whole kernel.
    moved = _pixels(call.input_tensors[0]) if isinstance(layer, _transposed()) else output
    kernels = sum(math.prod(weight.shape) for weight in layer.weights if "kernel" in weight.name)
    biases = math.prod(output) if getattr(layer, "use_bias", False) else 0
    return int(2 * math.prod(moved[:-1]) * kernels + biases)


def _pixels(tensor: Any) -> tuple[int, ...]:
    """Return the shape of one image at a point of the network."""
    shape = tuple(tensor.shape[1:])
    if None in shape:
        raise _UncountableError
    return shape


def inference_seconds(model: keras.Model, images: TrainingSet, batch_size: int) -> list[float]:
    """Return the durations of five predictions of all images, in seconds, measured after a warm-up.

    Reading the prepared images is part of the time, as it is in use. The radio framework times five passes over the
    test part as well, but without a warm-up, so that its first pass includes the compilation of the network.
    """
    from benchmarker.training.batches import FixedBatches

    batches = FixedBatches(images, batch_size=batch_size, targets=False)
    model.predict(batches, verbose=0)
    durations = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        model.predict(batches, verbose=0)
        durations.append(time.perf_counter() - started)
    return durations


def peak_memory_bytes() -> int:
    """Return the largest resident memory that this process has had, in bytes."""
    # On Linux, getrusage includes the memory of the process that started this one; VmHWM does not.
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
