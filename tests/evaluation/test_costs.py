"""Costs of small networks against arithmetic on paper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarker import Classification
from benchmarker.evaluation import costs

layers = keras.layers


def _chain(shape: tuple[int, ...], *chain: Any) -> keras.Model:
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
    "depthwise": (lambda: _chain((8, 6, 3), layers.DepthwiseConv2D(3)), 6 * 4 * 3 * (2 * 9 + 1)),
    "depthwise with multiplier": (
        lambda: _chain((8, 6, 3), layers.DepthwiseConv2D(3, depth_multiplier=2)),
        6 * 4 * 6 * (2 * 9 + 1),
    ),
    "separable": (
        lambda: _chain((8, 6, 3), layers.SeparableConv2D(5, 3)),
        6 * 4 * 3 * 2 * 9 + 6 * 4 * 5 * (2 * 3 + 1),
    ),
    "nothing that multiplies": (
        lambda: _chain((8, 6, 3), layers.MaxPooling2D(2), layers.BatchNormalization(), layers.Flatten()),
        0,
    ),
}


@pytest.mark.parametrize("name", ARITHMETIC)
def test_operations_by_hand(name: str) -> None:
    build, expected = ARITHMETIC[name]
    assert costs.flops(build()) == expected


def test_layers_of_models_within_models_count() -> None:
    inner = _chain((8, 6, 3), layers.Conv2D(5, 3, padding="same"))
    model = _chain((8, 6, 3), inner, layers.Flatten(), layers.Dense(2))
    convolution, dense = 8 * 6 * 5 * (2 * 9 * 3 + 1), 2 * 8 * 6 * 5 * 2 + 2
    assert costs.flops(model) == convolution + dense
    assert costs.parameters(model)["convolutional"] == 9 * 3 * 5 + 5


def test_branches_all_count() -> None:
    images = keras.Input((8, 6, 3))
    branches = [layers.Flatten()(layers.Conv2D(filters, 3, use_bias=False)(images)) for filters in (1, 2)]
    model = keras.Model(images, layers.Dense(2)(layers.Concatenate()(branches)))
    assert costs.flops(model) == 6 * 4 * 3 * 2 * 27 + 2 * 6 * 4 * 3 * 2 + 2


class NoGraph(keras.Model):  # type: ignore[misc]
    """A network that calls its layers in Python."""

    def __init__(self) -> None:
        super().__init__()
        self.last = layers.Dense(2)

    def call(self, images: Any) -> Any:
        return self.last(images)


def test_operations_of_what_is_no_graph_are_not_guessed() -> None:
    model = NoGraph()
    model(np.zeros((1, 10), dtype=np.float32))
    assert costs.flops(model) is None
    assert costs.parameters(model)["dense"] == 22


def test_parameters_by_hand() -> None:
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
    assert costs.parameters(model) == {
        "total": convolutional + dense + 4 * 4,
        "trainable": convolutional + 2 * 4 + 7 * 3 + 3,
        "convolutional": convolutional,
        "dense": dense,
    }


def test_parameters_of_a_network_of_the_paper() -> None:
    """A convxpress-like stem, whose count Keras's own summary gives too."""
    model = _chain((16, 16, 1), layers.Conv2D(32, 3, 2, "same"), layers.Flatten(), layers.Dense(4))
    assert costs.parameters(model)["total"] == model.count_params() == 320 + (8 * 8 * 32 * 4 + 4)


class Counted:
    """Images that count how often they are asked for."""

    def __init__(self) -> None:
        self.task = Classification(classes=("compact", "FRI"))
        self.targets = np.zeros(5, dtype=np.int64)
        self.image_shape = (2, 2, 1)
        self.asked = 0

    def __len__(self) -> int:
        return 5

    def batch(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        self.asked += len(indices)
        return np.zeros((len(indices), 2, 2, 1), dtype=np.float32)


def test_inference_is_timed_five_times_over_all_images_after_a_warm_up() -> None:
    images = Counted()
    taken = costs.inference_seconds(_chain((2, 2, 1), layers.Flatten(), layers.Dense(2)), images, 2)
    assert len(taken) == 5
    assert min(taken) > 0
    assert images.asked >= 6 * 5
