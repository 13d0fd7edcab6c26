"""What a network costs: parameters, floating-point operations, time and memory."""

from __future__ import annotations

import math
import resource
import sys
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarker.backends import chosen, load
from benchmarker.contracts.images import TrainingSet
from benchmarker.evaluation.operations import UncountableError, convolutions, operations
from benchmarker.study.runs import NetworkParameters

if TYPE_CHECKING:
    import keras

REPEATS = 5
"""Number of times that predicting all images is timed."""


@cache
def _dense() -> tuple[type[Any], ...]:
    from keras import layers

    return (layers.Dense, layers.EinsumDense)  # attention is made of the latter


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
        convolutional=sum(count(layer.weights) for layer in layers if isinstance(layer, convolutions())),
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
    r"""Return the floating-point operations of one image's forward pass.

    Parameters
    ----------
    model : keras.Model
        A network for images of a fixed size.

    Returns
    -------
    int or None
        Number of operations; None where they cannot be counted: if Keras does not know the shapes between layers, as in
        a subclassed model, if a layer multiplies in another way, as attention, recurrent and custom layers do, or if
        the network does nothing that counts.

    Notes
    -----
    A multiplication and an addition count as two operations; some papers count the pair as one. For an output of
    :math:`n` numbers, :math:`H \times W` pixels in :math:`C_o` channels:

    ===========================================================  =========================================
    layer                                                        operations
    ===========================================================  =========================================
    convolution, kernel :math:`k_h \times k_w`, :math:`g` groups  :math:`2 H W k_h k_w C_i C_o / g`
    transposed convolution                                       the same for its *input* of H x W pixels
    dense layer                                                  :math:`2 C_i C_o`
    bias                                                         :math:`n`
    batch normalisation and its like                             :math:`4 n`
    pooling over :math:`k_h \times k_w` pixels                    :math:`k_h k_w n`
    softmax over :math:`n` classes                               :math:`3 n - 1`
    other activations, sums and products of branches             :math:`n`
    dropout, flattening, concatenation                           0
    ===========================================================  =========================================

    These are the numbers of the radio framework, except that an activation counts whether or not it is a layer of its
    own. A layer that is used twice counts twice, and one in `TimeDistributed` for each of its steps. The number says
    little about the time that a network needs on a given device; `inference_seconds` measures that.

    References
    ----------
    Molchanov et al. 2017, ICLR, arXiv:1611.06440 (operations of convolutional and dense layers).
    """
    try:
        return operations(model) or None
    except UncountableError:
        return None


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


def peak_memory() -> dict[str, int]:
    """Return the largest memory that this process has had, in bytes, by the names that costs have for it.

    Returns
    -------
    dict of str to int
        ``peak_memory_bytes``: resident memory; ``peak_device_memory_bytes``: memory of the backend's arrays on its
        first GPU, left out without a GPU. What the backend has reserved there and what its kernels take is not
        included, so a tool such as ``nvidia-smi`` shows more.
    """
    on_device = load(chosen()).peak_device_bytes()
    found = {"peak_memory_bytes": peak_memory_bytes()}
    return found if on_device is None else {**found, "peak_device_memory_bytes": on_device}


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
