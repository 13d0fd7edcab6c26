"""Variants that the lists of the radio framework name, against the layers and the sizes of its own code."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarker import Classification
from benchmarker.discovery import installed, options_model, resolve
from benchmarker.testing import check_architecture
from tests.architectures.test_networks import count, words

CLASSES = Classification(classes=("COMP", "FRI", "FRII", "BENT"))

# Layers in the notation of test_networks, and parameters for 300 x 300 pixels, one channel and four classes.
PUBLISHED = {
    "atlas_softmax": ("c32k10 p5 D.25 c32k10 p2 D.25 f g64 D.5 softmax", 1_949_188),
    "conv4_no_reg": ("c16k5 c16k5 p2 c16k5 c16k5 p2 f l500 softmax", 45_022_168),
    "conv8_full_do": (
        (
            "c32k3 D.25 c32k3 p2 D.25 c64k3 D.25 c64k3 p2 D.25 c128k3 D.25 c128k3 p2 D.25 c256k3 D.25 c256k3 p2 D.25 "
            "f l500* D.5 softmax"
        ),
        47_382_184,
    ),
    "conv8_half_do": (
        "c32k3 c32k3 p2 D.5 c64k3 c64k3 p2 D.5 c128k3 c128k3 p2 D.5 c256k3 c256k3 p2 D.5 f l500* D.5 softmax",
        47_382_184,
    ),
    "conv8_no_reg": (
        "c32k3 c32k3 p2 c64k3 c64k3 p2 c128k3 c128k3 p2 c256k3 c256k3 p2 f l500 softmax",
        47_382_184,
    ),
    "conv8_relu": (
        "c32k3 c32k3 p2 D.25 c64k3 c64k3 p2 D.25 c128k3 c128k3 p2 D.25 c256k3 c256k3 p2 D.25 f h500* D.5 softmax",
        47_382_184,
    ),
    "convXpress_leaky": (
        (
            "c32k3/2 c32k3 c32k3 p2 D.25 c64k3/2 c64k3 c64k3 p2 D.25 c128k3 c128k3 c128k3 p2 D.25 c256k3 c256k3 "
            "p2 D.25 f l500* leaky D.5 softmax"
        ),
        None,
    ),
    "first_class_linear": ("c32k3 p2v D.25 c64k3 p2v D.25 c194k3 p2v D.25 f L194* D.5 softmax", 51_655_412),
    "first_class_regularized": ("c32k3 p2v D.25 c64k3 p2v D.25 c194k3 p2v D.25 f h194* D.5 softmax", 51_655_412),
    "fr_deep_real_same": (
        "c6k11 b p2 c16k5 b p3 c24k3 b c24k3 b c16k3 b p5 f h256 D.5 h256 D.5 h256 D.5 softmax",
        558_120,
    ),
    "fr_deep_regularized": (
        "c6k11 p2v D.25 c16k5 p3v D.25 c24k3 c24k3 c16k3 p5v D.25 f h256 D.5 h256 D.5 h256 D.5 softmax",
        557_776,
    ),
    "hosenie_dropout": (
        "c6k11 p3v D.25 c19k5 p3v D.25 c38k3 c26k3 c26k3 p2v D.25 f h40 D.5 h40 D.5 linear D.5 softmax",
        293_249,
    ),
    "mcrgnet_regularized": (
        "c8k3/2 D.25 c8k3/2 D.25 c16k3/2 D.25 c16k3/2 D.25 c32k3/2 D.25 f h64* D.5 softmax",
        213_916,
    ),
    "radio_galaxy_zoo_regularized": (
        "c16k8/3 c32k7/2 p3v D.25 c64k2 p2v D.25 f h1024 D.5 h1024 D.5 softmax",
        5_283_444,
    ),
    "radio_galaxy_zoo_same": ("c16k8/3 c32k7/2 p3 c64k2 p2 f h1024 D.5 h1024 D.5 softmax", 6_397_556),
    "simple_no_do": ("c16k4 c16k4 c16k4 p4 c16k4 c16k4 p4 f softmax", 39_828),
}
WIDE = {  # 16 million weights in one layer alone
    "alexnet_real_regularized": (
        "c96k11/4v p3/2v D.25 c256k5v p3/2v D.25 c384k3v c384k3v c256k3v p3/2v D.25 f h4096 D.4 b h4096 D.4 b softmax",
        37_335_748,
    ),
    "toothless_linear": (
        "c96k11/4v p3/2v D.25 c256k5 p3/2v D.25 c384k3 c384k3 c256k3 p3/2v D.25 f L4096* D.5 h4096 D.5 softmax",
        87_634_628,
    ),
    "toothless_real_regularized": (
        (
            "c96k11/4v~ b r p3/2v D.25 c256k5~ b r p3/2v D.25 c384k3~ b r c384k3~ b r c256k3~ b r p3/2v D.25 f "
            "h4096 D.5 h4096 D.5 softmax"
        ),
        None,
    ),
    "vgg16_d_real_linear": (
        (
            "c64k3 c64k3 p2v c128k3 c128k3 p2v c256k3 c256k3 c256k3 p2v c512k3 c512k3 c512k3 p2v "
            "c512k3 c512k3 c512k3 p2v f l4096* D.5 g4096* D.5 softmax"
        ),
        201_384_644,
    ),
    "vgg16_d_real_regularized": (
        (
            "c64k3 c64k3 p2v D.25 c128k3 c128k3 p2v D.25 c256k3 c256k3 c256k3 p2v D.25 c512k3 c512k3 c512k3 p2v D.25 "
            "c512k3 c512k3 c512k3 p2v D.25 f g4096 D.5 g4096 D.5 softmax"
        ),
        201_384_644,
    ),
    "vgg16_d_real_same": (
        (
            "c64k3 c64k3 p2 c128k3 c128k3 p2 c256k3 c256k3 c256k3 p2 c512k3 c512k3 c512k3 p2 c512k3 c512k3 c512k3 p2 "
            "f g4096 D.5 g4096 D.5 softmax"
        ),
        241_230_532,
    ),
}
EVERY = {**PUBLISHED, **WIDE}
LISTED = ("convXpress_leaky", "first_class_linear", "first_class_regularized", "radio_galaxy_zoo_regularized")
"""Those that the four further lists of the framework name, without the wide ones."""


def build(name: str) -> Any:
    """Build a network for the smallest images that it takes."""
    network = installed().architecture(name)
    options = options_model(network)
    assert options is not None
    return resolve(network.builder)((network.minimum_size,) * 2 + (1,), CLASSES, 8901, options())


def layers_of(model: Any) -> list[str]:
    """Return the layers in the notation of the tables; `*` marks an L2 penalty of 0.01, L a He-normal linear layer."""
    dense = [layer for layer in model.layers if type(layer).__name__ == "Dense" and layer.name.startswith("dense")]
    marked = {}
    for layer in dense:
        config = layer.get_config()
        penalty = config["kernel_regularizer"]
        star = "*" if penalty and penalty["config"]["l2"] == pytest.approx(0.01) else ""
        start = "h" if config["kernel_initializer"]["class_name"] == "HeNormal" else "g"
        letter = {"relu": start, "linear": "L" if start == "h" else "l"}[config["activation"]]
        marked[layer.name] = f"{letter}{config['units']}{star}"
    found = []
    for layer in model.layers:
        if layer.name in marked:
            found.append(marked[layer.name])
        elif type(layer).__name__ == "LeakyReLU":
            assert layer.get_config()["negative_slope"] == pytest.approx(0.3)
            found.append("leaky")
        else:
            found += words_of(layer)
    return found


def words_of(layer: Any) -> list[str]:
    """Return the word of one layer."""

    class Alone:
        layers = (layer,)

    return list(words(Alone))


def counted(table: str) -> int:
    """Return the number of parameters for the images of the paper."""
    plain = table.replace("*", "").replace("L", "l").replace("leaky ", "")
    return count(plain, (300, 300, 1), CLASSES.n_outputs).total


@pytest.mark.parametrize("name", LISTED)
def test_variant_of_the_lists_has_its_published_layers(name: str) -> None:
    assert layers_of(build(name)) == PUBLISHED[name][0].split()


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(EVERY.keys() - {*LISTED}))
def test_other_variant_has_its_published_layers(name: str) -> None:
    assert layers_of(build(name)) == EVERY[name][0].split()


@pytest.mark.parametrize("name", [name for name, (_, size) in EVERY.items() if size is not None])
def test_variant_has_its_published_number_of_parameters(name: str) -> None:
    assert counted(EVERY[name][0]) == EVERY[name][1]


@pytest.mark.long
@pytest.mark.parametrize("name", PUBLISHED)
def test_variant_conforms(name: str) -> None:
    check_architecture(installed().architecture(name))
