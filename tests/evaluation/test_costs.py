"""Costs of small networks against hand calculation."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarker import Classification
from benchmarker.evaluation import costs
from benchmarker.evaluation.operations import UncountableError, activations

layers = keras.layers


def _chain(shape: tuple[int | None, ...], *chain: Any) -> keras.Model:
    return keras.Sequential([keras.Input(shape), *chain])


# Each: a network, its floating-point operations (two for each multiplication with its addition, one for each bias).
ARITHMETIC: dict[str, tuple[Callable[[], Any], int]] = {
    "dense": (lambda: _chain((10,), layers.Dense(4)), 2 * 10 * 4 + 4),
    "dense without bias": (lambda: _chain((10,), layers.Dense(4, use_bias=False)), 2 * 10 * 4),
    "dense on each of three": (lambda: _chain((3, 10), layers.Dense(4)), 3 * (2 * 10 * 4 + 4)),
    "same": (lambda: _chain((8, 6, 3), layers.Conv2D(5, 3, padding="same")), 8 * 6 * 5 * (2 * 9 * 3 + 1)),
    "valid": (lambda: _chain((8, 6, 3), layers.Conv2D(5, 3)), 6 * 4 * 5 * (2 * 9 * 3 + 1)),
    "strided": (lambda: _chain((8, 6, 3), layers.Conv2D(5, 3, 2, "same")), 4 * 3 * 5 * (2 * 9 * 3 + 1)),
    "oblong": (lambda: _chain((8, 6, 3), layers.Conv2D(5, (1, 4), use_bias=False)), 8 * 3 * 5 * 2 * 4 * 3),
    "groups": (lambda: _chain((8, 6, 4), layers.Conv2D(6, 3, padding="same", groups=2)), 8 * 6 * 6 * (2 * 9 * 2 + 1)),
    "one axis": (lambda: _chain((8, 3), layers.Conv1D(5, 3)), 6 * 5 * (2 * 3 * 3 + 1)),
    "three axes": (lambda: _chain((4, 4, 4, 2), layers.Conv3D(3, 2)), 27 * 3 * (2 * 8 * 2 + 1)),
    # Each input pixel is multiplied with the whole kernel.
    "transposed": (
        lambda: _chain((4, 5, 3), layers.Conv2DTranspose(2, 3, 2, "same")),
        4 * 5 * (2 * 9 * 3 * 2) + 8 * 10 * 2,
    ),
    "transposed, one axis": (
        lambda: _chain((4, 3), layers.Conv1DTranspose(2, 3, 2, "same")),
        4 * (2 * 3 * 3 * 2) + 8 * 2,
    ),
    "depthwise, one axis": (lambda: _chain((8, 3), layers.DepthwiseConv1D(3)), 6 * 3 * (2 * 3 + 1)),
    "separable, one axis": (
        lambda: _chain((8, 3), layers.SeparableConv1D(5, 3)),
        6 * 3 * 2 * 3 + 6 * 5 * (2 * 3 + 1),
    ),
    "each of four images": (
        lambda: _chain((4, 8, 6, 3), layers.TimeDistributed(layers.Conv2D(5, 3))),
        4 * 6 * 4 * 5 * (2 * 9 * 3 + 1),
    ),
    "spectral normalisation": (lambda: _chain((10,), layers.SpectralNormalization(layers.Dense(4))), 2 * 10 * 4 + 4),
    "depthwise": (lambda: _chain((8, 6, 3), layers.DepthwiseConv2D(3)), 6 * 4 * 3 * (2 * 9 + 1)),
    "depthwise with multiplier": (
        lambda: _chain((8, 6, 3), layers.DepthwiseConv2D(3, depth_multiplier=2)),
        6 * 4 * 6 * (2 * 9 + 1),
    ),
    "separable": (
        lambda: _chain((8, 6, 3), layers.SeparableConv2D(5, 3)),
        6 * 4 * 3 * 2 * 9 + 6 * 4 * 5 * (2 * 3 + 1),
    ),
    # As the radio framework counts: k^2 for each pooled number, 4 for each normalised one, 3 n - 1 for a softmax.
    "pooling": (lambda: _chain((8, 6, 3), layers.MaxPooling2D(2)), 4 * 3 * 3 * 2**2),
    "overlapping pooling": (lambda: _chain((9, 7, 3), layers.MaxPooling2D(3, 2)), 4 * 3 * 3 * 3**2),
    "pooling to one pixel": (lambda: _chain((8, 6, 3), layers.GlobalAveragePooling2D()), 8 * 6 * 3),
    "batch normalisation": (lambda: _chain((8, 6, 3), layers.BatchNormalization()), 4 * 8 * 6 * 3),
    "softmax": (lambda: _chain((10,), layers.Dense(4), layers.Softmax()), 2 * 10 * 4 + 4 + 3 * 4 - 1),
    "softmax of a layer": (lambda: _chain((10,), layers.Dense(4, "softmax")), 2 * 10 * 4 + 4 + 3 * 4 - 1),
    "rectifier": (lambda: _chain((8, 6, 3), layers.ReLU()), 8 * 6 * 3),
    "activation": (lambda: _chain((10,), layers.Dense(4), layers.Activation("tanh")), 2 * 10 * 4 + 4 + 4),
    "activation of a layer": (lambda: _chain((10,), layers.Dense(4, "relu")), 2 * 10 * 4 + 4 + 4),
    "nothing but moving": (
        lambda: _chain((8, 6, 3), layers.Dropout(0.5), layers.Flatten(), layers.Dense(1, use_bias=False)),
        2 * 8 * 6 * 3,
    ),
}


@pytest.mark.parametrize("name", ARITHMETIC)
def test_flops_match_hand_calculation(name: str) -> None:
    build, expected = ARITHMETIC[name]
    assert costs.flops(build()) == expected


def test_flops_of_a_network_that_computes_nothing_are_unknown() -> None:
    assert costs.flops(_chain((8, 6, 3), layers.Dropout(0.5), layers.Flatten())) is None


def test_flops_include_sums_of_branches() -> None:
    images = keras.Input((8, 6, 3))
    model = keras.Model(images, layers.Add()([images, layers.ReLU()(images), images]))
    assert costs.flops(model) == 3 * 8 * 6 * 3


def test_flops_include_nested_models() -> None:
    inner = _chain((8, 6, 3), layers.Conv2D(5, 3, padding="same"))
    model = _chain((8, 6, 3), inner, layers.Flatten(), layers.Dense(2))
    convolution, dense = 8 * 6 * 5 * (2 * 9 * 3 + 1), 2 * 8 * 6 * 5 * 2 + 2
    assert costs.flops(model) == convolution + dense
    assert costs.parameters(model).convolutional == 9 * 3 * 5 + 5


def test_activations_match_hand_calculation() -> None:
    inner = _chain((8, 6, 3), layers.Conv2D(5, 3, padding="same"), layers.ReLU())
    model = _chain((8, 6, 3), inner, layers.Flatten(), layers.Dense(2))
    image, maps = 8 * 6 * 3, 8 * 6 * 5
    assert activations(inner) == image + 2 * maps
    assert activations(model) == image + (image + 2 * maps) + maps + 2
    network = NoGraph()
    network(np.zeros((1, 10), dtype=np.float32))
    with pytest.raises(UncountableError):
        activations(network)


def test_flops_include_every_branch() -> None:
    images = keras.Input((8, 6, 3))
    branches = [layers.Flatten()(layers.Conv2D(filters, 3, use_bias=False)(images)) for filters in (1, 2)]
    model = keras.Model(images, layers.Dense(2)(layers.Concatenate()(branches)))
    assert costs.flops(model) == 6 * 4 * 3 * 2 * 27 + 2 * 6 * 4 * 3 * 2 + 2


def _shared_layer() -> keras.Model:
    """A convolution that is applied to images of two sizes, and a dense layer that is applied to both results."""
    images = keras.Input((8, 6, 3))
    convolution, dense = layers.Conv2D(3, 3, 2, "same"), layers.Dense(4)
    large = convolution(images)
    flat = [layers.Flatten()(dense(each)) for each in (large, convolution(large))]
    return keras.Model(images, layers.Concatenate()(flat))


def _shared_model() -> keras.Model:
    """A network that is applied to two images, as for comparing galaxies."""
    inner = _chain((8, 6, 3), layers.Conv2D(5, 3, padding="same"), layers.Flatten())
    pair = [keras.Input((8, 6, 3)) for _ in range(2)]
    return keras.Model(pair, layers.Dense(2)(layers.Concatenate()([inner(image) for image in pair])))


CONVOLUTION = 2 * 9 * 3 + 1
SHARED = {
    "layer": (_shared_layer, (4 * 3 + 2 * 2) * (3 * CONVOLUTION + 2 * 3 * 4 + 4)),
    "model": (_shared_model, 2 * 8 * 6 * 5 * CONVOLUTION + 2 * 480 * 2 + 2),
}


@pytest.mark.parametrize("name", SHARED)
def test_flops_count_a_shared_layer_for_each_use(name: str) -> None:
    build, expected = SHARED[name]
    model = build()
    assert costs.flops(model) == expected
    assert _profiled(model) == expected


def _profiled(model: keras.Model) -> int:
    """Return the operations that TensorFlow's own profiler counts, pooling and activations included."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    shapes = [tf.TensorSpec((1, *each.shape[1:]), "float32") for each in model.inputs]
    traced = tf.function(lambda *images: model(list(images) if len(images) > 1 else images[0], training=False))
    graph = convert_variables_to_constants_v2(traced.get_concrete_function(*shapes)).graph
    builder = tf.compat.v1.profiler.ProfileOptionBuilder
    options = builder(builder.float_operation()).with_empty_output().build()
    return int(tf.compat.v1.profiler.profile(graph, options=options).total_float_ops)


def test_flatten_width_is_that_of_the_maps() -> None:
    model = _chain((8, 6, 3), layers.Conv2D(5, 3), layers.Flatten(), layers.Dense(2))
    assert costs.parameters(model).flatten_width == 6 * 4 * 5
    assert "flatten_width" not in costs.parameters(_chain((10,), layers.Dense(4))).to_json()


def test_flops_ignore_other_networks_that_share_a_layer() -> None:
    dense = layers.Dense(4)
    model = _chain((10,), dense)
    keras.Model(other := keras.Input((7, 10)), dense(other))
    assert costs.flops(model) == 2 * 10 * 4 + 4


def test_flops_of_a_part_of_a_network_end_at_its_outputs() -> None:
    images = keras.Input((8, 6, 3))
    middle = layers.Conv2D(5, 3, padding="same")(images)
    keras.Model(images, layers.Dense(2)(layers.Flatten()(middle)))
    assert costs.flops(keras.Model(images, middle)) == 8 * 6 * 5 * CONVOLUTION


def test_flops_are_unknown_for_a_nested_model_of_any_size() -> None:
    inner = _chain((None, None, 3), layers.Conv2D(5, 3, padding="same"), layers.GlobalAveragePooling2D())
    assert costs.flops(_chain((8, 6, 3), inner)) is None


class NoGraph(keras.Model):  # type: ignore[misc]
    """A network that calls its layers in Python."""

    def __init__(self) -> None:
        super().__init__()
        self.last = layers.Dense(2)

    def call(self, images: Any) -> Any:
        return self.last(images)


def test_flops_are_unknown_for_a_subclassed_model() -> None:
    model = NoGraph()
    model(np.zeros((1, 10), dtype=np.float32))
    assert costs.flops(model) is None
    assert costs.parameters(model).dense == 22
    assert costs.flops(_chain((10,), model)) is None


class Custom(layers.Layer):  # type: ignore[misc, name-defined]
    """A layer with a convolution inside."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = layers.Conv2D(2, 3)

    def call(self, images: Any) -> Any:
        return self.inner(images)


def _attended() -> keras.Model:
    tokens = keras.Input((6, 4))
    return keras.Model(tokens, layers.MultiHeadAttention(2, 3)(tokens, tokens))


def _multiplied() -> keras.Model:
    tokens = keras.Input((4, 4))
    return keras.Model(tokens, keras.ops.matmul(tokens, tokens))


UNCOUNTABLE: dict[str, Callable[[], Any]] = {
    "attention": _attended,
    "attention without weights": lambda: keras.Model(t := keras.Input((6, 4)), layers.Attention()([t, t])),
    "custom": lambda: _chain((8, 6, 3), Custom()),
    "recurrent": lambda: _chain((6, 4), layers.LSTM(3)),
    "both directions": lambda: _chain((6, 4), layers.Bidirectional(layers.GRU(3))),
    "einsum": lambda: _chain((6, 4), layers.EinsumDense("abc,cd->abd", (None, 5))),
    "dot": lambda: keras.Model(t := keras.Input((6, 4)), layers.Dot(axes=(1, 1))([t, t])),
    "function": lambda: _chain((6, 4), layers.Lambda(lambda tokens: tokens * 2)),
    "matrix product": _multiplied,
    "model on each of four": lambda: _chain((4, 10), layers.TimeDistributed(_chain((10,), layers.Dense(2)))),
}


@pytest.mark.parametrize("name", UNCOUNTABLE)
def test_flops_are_unknown_where_a_layer_multiplies_in_its_own_way(name: str) -> None:
    assert costs.flops(UNCOUNTABLE[name]()) is None


def test_parameters_descend_into_wrappers_and_custom_layers() -> None:
    convolution = 9 * 3 * 2 + 2
    assert costs.parameters(_chain((8, 6, 3), Custom())).convolutional == convolution
    assert (
        costs.parameters(_chain((4, 8, 6, 3), layers.TimeDistributed(layers.Conv2D(2, 3)))).convolutional == convolution
    )
    assert costs.parameters(_chain((8, 3), layers.SeparableConv1D(5, 3))).convolutional == 3 * 3 + 3 * 5 + 5
    attended = costs.parameters(_attended())
    assert attended.dense == attended.total == 3 * (4 * 6 + 6) + 6 * 4 + 4


def test_parameters_match_hand_calculation() -> None:
    frozen = layers.Dense(7)
    frozen.trainable = False
    model = _chain(
        (8, 8, 2),
        layers.Conv2D(4, 3),
        layers.BatchNormalization(),
        layers.DepthwiseConv2D(3),
        layers.SeparableConv2D(5, 3),
        layers.Conv2DTranspose(3, 2),
        layers.Flatten(),
        frozen,
        layers.Dense(3),
    )
    convolutional = (9 * 2 * 4 + 4) + (9 * 4 + 4) + (9 * 4 + 4 * 5 + 5) + (4 * 5 * 3 + 3)
    pixels = 3 * 3 * 3  # 8, 6, 4, 2 pixels wide, and 3 after the transposed convolution
    dense = (pixels * 7 + 7) + (7 * 3 + 3)
    assert costs.parameters(model).to_json() == {
        "total": convolutional + dense + 4 * 4,
        "trainable": convolutional + 2 * 4 + 7 * 3 + 3,
        "convolutional": convolutional,
        "dense": dense,
        "flatten_width": pixels,
    }


def test_parameters_match_the_summary_of_keras() -> None:
    """A stem like that of convxpress, whose parameters Keras counts as well."""
    model = _chain((16, 16, 1), layers.Conv2D(32, 3, 2, "same"), layers.Flatten(), layers.Dense(4))
    assert costs.parameters(model).total == model.count_params() == 320 + (8 * 8 * 32 * 4 + 4)


class Counted:
    """Images that count how many of them were requested."""

    def __init__(self) -> None:
        self.task = Classification(classes=("compact", "FRI"))
        self.targets = np.zeros(5, dtype=np.int64)
        self.image_shape = (2, 2, 1)
        self.requested = 0

    def __len__(self) -> int:
        return 5

    def batch(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        self.requested += len(indices)
        return np.zeros((len(indices), 2, 2, 1), dtype=np.float32)


def test_inference_is_timed_five_times_after_a_warm_up() -> None:
    images = Counted()
    taken = costs.inference_seconds(_chain((2, 2, 1), layers.Flatten(), layers.Dense(2)), images, 2)
    assert len(taken) == 5
    assert min(taken) > 0
    assert images.requested >= 6 * 5


PEAK_MEMORY = """
import subprocess, sys
from benchmarker.evaluation.costs import peak_memory_bytes
before = peak_memory_bytes()
ballast = bytearray(200 * 2**20)
ballast[::4096] = b"x" * len(ballast[::4096])
during = peak_memory_bytes()
child = "from benchmarker.evaluation.costs import peak_memory_bytes; print(peak_memory_bytes())"
started = subprocess.run([sys.executable, "-c", child], stdout=subprocess.PIPE, check=True)
del ballast
print(before, during, peak_memory_bytes(), int(started.stdout))
"""
MEBIBYTE = 2**20


def test_peak_memory_is_that_of_this_process_in_bytes() -> None:
    found = subprocess.run([sys.executable, "-c", PEAK_MEMORY], stdout=subprocess.PIPE, check=True)
    before, during, later, child = map(int, found.stdout.split())
    assert 2 * MEBIBYTE < before < 100 * MEBIBYTE
    assert 190 * MEBIBYTE < during - before < 210 * MEBIBYTE
    assert later > during - MEBIBYTE  # the kernel counts pages in batches
    assert child < 100 * MEBIBYTE
