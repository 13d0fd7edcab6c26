"""Variants of the radio networks that the lists of the radio framework name besides its fifteen networks.

Each is a list of layers, since most differ from their network in several small things at
once: where dropout and batch normalisation are, how pooling is padded, which dense layer is linear or penalised. The
options of every other network apply to them, too.

References
----------
Becker et al. 2021, MNRAS 503, 1828 (2021MNRAS.503.1828B), and the code published with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from benchmarker import Task
from benchmarker_architectures.network import ConvolutionOptions, Network, Padding

if TYPE_CHECKING:
    import keras

_LEAK = 0.3
"""Slope of the leaky rectifier for negative numbers."""


@dataclass(frozen=True, slots=True)
class _Convolution:
    filters: int
    kernel: int
    stride: int = 1
    padding: Padding = "same"
    normalise: Literal["after", "before"] = "after"

    def add(self, network: Network) -> None:
        network.convolution(
            self.filters,
            self.kernel,
            stride=self.stride,
            padding=self.padding,
            normalise=self.normalise,
        )


@dataclass(frozen=True, slots=True)
class _Pooling:
    size: int
    stride: int | None = None
    padding: Padding = "valid"

    def add(self, network: Network) -> None:
        network.pooling(self.size, stride=self.stride, padding=self.padding)


@dataclass(frozen=True, slots=True)
class _Dropout:
    rate: float

    def add(self, network: Network) -> None:
        network.dropout(self.rate)


@dataclass(frozen=True, slots=True)
class _Dense:
    units: int
    initialiser: Literal["he_normal", "glorot_uniform"] = "he_normal"
    activation: Literal["relu", "linear"] = "relu"
    l2: float = 0.0

    def add(self, network: Network) -> None:
        network.dense(self.units, initialiser=self.initialiser, activation=self.activation, l2=self.l2)


@dataclass(frozen=True, slots=True)
class _Call:
    """A layer without numbers."""

    name: Literal["flatten", "normalisation"]

    def add(self, network: Network) -> None:
        getattr(network, self.name)()


@dataclass(frozen=True, slots=True)
class _Leaky:
    def add(self, network: Network) -> None:
        network.leaky_relu(_LEAK)


_Layer = _Convolution | _Pooling | _Dropout | _Dense | _Call | _Leaky
_FLATTEN = _Call("flatten")
_NORMALISE = _Call("normalisation")


def _hidden(units: int, n: int, rate: float = 0.5) -> list[_Layer]:
    """Return hidden dense layers, each with dropout."""
    return [layer for _ in range(n) for layer in (_Dense(units), _Dropout(rate))]


def _toothless(normalise: Literal["after", "before"]) -> list[_Layer]:
    """Return the convolutions of Toothless with dropout after each pooling, up to its flattened maps."""
    pooled: list[_Layer] = [_Pooling(3, 2), _Dropout(0.25)]
    return [
        _Convolution(96, 11, 4, "valid", normalise), *pooled,
        _Convolution(256, 5, normalise=normalise), *pooled,
        *(_Convolution(filters, 3, normalise=normalise) for filters in (384, 384, 256)), *pooled,
        _FLATTEN,
    ]  # fmt: skip


def _first(activation: Literal["relu", "linear"]) -> list[_Layer]:
    layers: list[_Layer] = []
    for filters in (32, 64, 194):
        layers += [_Convolution(filters, 3), _Pooling(2), _Dropout(0.25)]
    return [*layers, _FLATTEN, _Dense(194, activation=activation, l2=0.01), _Dropout(0.5)]


def _radio_galaxy_zoo(padding: Padding, rate: float | None) -> list[_Layer]:
    dropped: list[_Layer] = [] if rate is None else [_Dropout(rate)]
    return [
        _Convolution(16, 8, 3), _Convolution(32, 7, 2), _Pooling(3, padding=padding), *dropped,
        _Convolution(64, 2), _Pooling(2, padding=padding), *dropped,
        _FLATTEN, *_hidden(1024, 2),
    ]  # fmt: skip


def _vgg16(padding: Padding, rate: float | None, head: Sequence[_Dense]) -> list[_Layer]:
    layers: list[_Layer] = []
    for filters, convolutions in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        layers += [_Convolution(filters, 3)] * convolutions
        layers += [_Pooling(2, padding=padding), *([] if rate is None else [_Dropout(rate)])]
    return [*layers, _FLATTEN, *(layer for dense in head for layer in (dense, _Dropout(0.5)))]


def _fr_deep(padding: Padding, rate: float | None) -> list[_Layer]:
    layers: list[_Layer] = []
    for group, pool in ((((6, 11),), 2), (((16, 5),), 3), (((24, 3), (24, 3), (16, 3)), 5)):
        layers += [_Convolution(filters, kernel) for filters, kernel in group]
        layers += [_Pooling(pool, padding=padding), *([] if rate is None else [_Dropout(rate)])]
    return [*layers, _FLATTEN, *_hidden(256, 3)]


def _conv8(inner: float | None, outer: float | None, head: Sequence[_Layer]) -> list[_Layer]:
    """Return the eight convolutions with dropout within each pair (inner) and after each pooling (outer)."""
    layers: list[_Layer] = []
    for filters in (32, 64, 128, 256):
        layers += [_Convolution(filters, 3), *([] if inner is None else [_Dropout(inner)]), _Convolution(filters, 3)]
        layers += [_Pooling(2, padding="same"), *([] if outer is None else [_Dropout(outer)])]
    return [*layers, _FLATTEN, *head]


def _convxpress_leaky() -> list[_Layer]:
    layers: list[_Layer] = []
    for filters, convolutions, stride in ((32, 3, 2), (64, 3, 2), (128, 3, 1), (256, 2, 1)):
        layers += [_Convolution(filters, 3, stride if k == 0 else 1) for k in range(convolutions)]
        layers += [_Pooling(2, padding="same"), _Dropout(0.25)]
    return [*layers, _FLATTEN, _Dense(500, "glorot_uniform", "linear", 0.01), _Leaky(), _Dropout(0.5)]


def _mcrgnet() -> list[_Layer]:
    layers: list[_Layer] = []
    for filters in (8, 8, 16, 16, 32):
        layers += [_Convolution(filters, 3, 2), _Dropout(0.25)]
    return [*layers, _FLATTEN, _Dense(64, l2=0.01), _Dropout(0.5)]


def _hosenie() -> list[_Layer]:
    return [
        _Convolution(6, 11), _Pooling(3), _Dropout(0.25),
        _Convolution(19, 5), _Pooling(3), _Dropout(0.25),
        *(_Convolution(filters, 3) for filters in (38, 26, 26)), _Pooling(2), _Dropout(0.25),
        _FLATTEN, *_hidden(40, 2),
    ]  # fmt: skip


def _alexnet() -> list[_Layer]:
    pooled: list[_Layer] = [_Pooling(3, 2), _Dropout(0.25)]
    dense: list[_Layer] = [_Dense(4096), _Dropout(0.4), _NORMALISE]
    return [
        _Convolution(96, 11, 4, "valid"), *pooled, _Convolution(256, 5, padding="valid"), *pooled,
        *(_Convolution(filters, 3, padding="valid") for filters in (384, 384, 256)), *pooled,
        _FLATTEN, *dense, *dense,
    ]  # fmt: skip


_LINEAR: list[_Layer] = [_Dense(500, "glorot_uniform", "linear", 0.01), _Dropout(0.5)]
_PLAIN: list[_Layer] = [_Dense(500, "glorot_uniform", "linear")]
_VGG16_RELU = [_Dense(4096, "glorot_uniform")] * 2
_VGG16_LINEAR = [_Dense(4096, "glorot_uniform", "linear", 0.01), _Dense(4096, "glorot_uniform", "relu", 0.01)]

_CONV4: list[_Layer] = [_Convolution(16, 5), _Convolution(16, 5), _Pooling(2, padding="same")]

_LAYERS: dict[str, Sequence[_Layer]] = {
    "alexnet_real_regularized": _alexnet(),
    "atlas_softmax": [
        _Convolution(32, 10), _Pooling(5, padding="same"), _Dropout(0.25),
        _Convolution(32, 10), _Pooling(2, padding="same"), _Dropout(0.25),
        _FLATTEN, _Dense(64, "glorot_uniform"), _Dropout(0.5),
    ],
    "conv4_no_reg": [*_CONV4, *_CONV4, _FLATTEN, *_PLAIN],
    "conv8_full_do": _conv8(0.25, 0.25, _LINEAR),
    "conv8_half_do": _conv8(None, 0.5, _LINEAR),
    "conv8_no_reg": _conv8(None, None, _PLAIN),
    "conv8_relu": _conv8(None, 0.25, [_Dense(500, l2=0.01), _Dropout(0.5)]),
    "convxpress_leaky": _convxpress_leaky(),
    "first_class_linear": _first("linear"),
    "first_class_regularized": _first("relu"),
    "fr_deep_real_same": _fr_deep("same", None),
    "fr_deep_regularized": _fr_deep("valid", 0.25),
    "hosenie_dropout": _hosenie(),
    "mcrgnet_regularized": _mcrgnet(),
    "radio_galaxy_zoo_regularized": _radio_galaxy_zoo("valid", 0.25),
    "radio_galaxy_zoo_same": _radio_galaxy_zoo("same", None),
    "simple_no_do": [
        *[_Convolution(16, 4)] * 3, _Pooling(4, padding="same"),
        *[_Convolution(16, 4)] * 2, _Pooling(4, padding="same"), _FLATTEN,
    ],
    "toothless_linear": [
        *_toothless("after"), _Dense(4096, activation="linear", l2=0.01), _Dropout(0.5), *_hidden(4096, 1),
    ],
    "toothless_real_regularized": [*_toothless("before"), *_hidden(4096, 2)],
    "vgg16_d_real_linear": _vgg16("valid", None, _VGG16_LINEAR),
    "vgg16_d_real_regularized": _vgg16("valid", 0.25, _VGG16_RELU),
    "vgg16_d_real_same": _vgg16("same", None, _VGG16_RELU),
}  # fmt: skip


def _build(
    name: str, input_shape: tuple[int, int, int], task: Task, seed: int, options: ConvolutionOptions
) -> keras.Model:
    """Build a variant by its name; the builders below are this function with the name filled in."""
    network = Network(name, input_shape, task, seed, options)
    for layer in _LAYERS[name]:
        layer.add(network)
    return network.model(dropout=0.5 if name == "hosenie_dropout" else 0.0)


Builder = Callable[[tuple[int, int, int], Task, int, ConvolutionOptions], "keras.Model"]

alexnet_real_regularized: Builder = partial(_build, "alexnet_real_regularized")
atlas_softmax: Builder = partial(_build, "atlas_softmax")
conv4_no_reg: Builder = partial(_build, "conv4_no_reg")
conv8_full_do: Builder = partial(_build, "conv8_full_do")
conv8_half_do: Builder = partial(_build, "conv8_half_do")
conv8_no_reg: Builder = partial(_build, "conv8_no_reg")
conv8_relu: Builder = partial(_build, "conv8_relu")
convxpress_leaky: Builder = partial(_build, "convxpress_leaky")
first_class_linear: Builder = partial(_build, "first_class_linear")
first_class_regularized: Builder = partial(_build, "first_class_regularized")
fr_deep_real_same: Builder = partial(_build, "fr_deep_real_same")
fr_deep_regularized: Builder = partial(_build, "fr_deep_regularized")
hosenie_dropout: Builder = partial(_build, "hosenie_dropout")
mcrgnet_regularized: Builder = partial(_build, "mcrgnet_regularized")
radio_galaxy_zoo_regularized: Builder = partial(_build, "radio_galaxy_zoo_regularized")
radio_galaxy_zoo_same: Builder = partial(_build, "radio_galaxy_zoo_same")
simple_no_do: Builder = partial(_build, "simple_no_do")
toothless_linear: Builder = partial(_build, "toothless_linear")
toothless_real_regularized: Builder = partial(_build, "toothless_real_regularized")
vgg16_d_real_linear: Builder = partial(_build, "vgg16_d_real_linear")
vgg16_d_real_regularized: Builder = partial(_build, "vgg16_d_real_regularized")
vgg16_d_real_same: Builder = partial(_build, "vgg16_d_real_same")
