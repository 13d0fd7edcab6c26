"""All networks of the project, checked against their layer tables and the rules for architectures."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from benchmarker import Architecture, Classification, Regression, RegressionTarget
from benchmarker.discovery import installed, options_model, resolve
from benchmarker.hooks import spelling
from benchmarker.testing import check_architecture

CLASSES = Classification(classes=("COMP", "FRI", "FRII", "BENT"))
INCLINATION = Regression(targets=(RegressionTarget(name="inclination", unit="deg", minimum=45, maximum=90),))

NETWORKS: dict[str, Architecture] = {
    owner.plugin.name: owner.plugin
    for owner in installed().all("architecture")
    if isinstance(owner.plugin, Architecture)
    and owner.plugin.builder.startswith("benchmarker_architectures.")
    and not owner.plugin.builder.startswith("benchmarker_architectures.variants:")
}

# The published layer tables, written independently of the code. c32k3/2v: 32 filters of 3x3, stride 2, valid padding
# (same without v), ReLU (none with ~). p: max pooling. b: batch normalisation. r: ReLU. D: dropout. f: flatten. Dense
# layers: h He-normal with ReLU; Glorot-uniform: g with ReLU, s with sigmoid, l linear with an L2 penalty of 0.01. The
# last word is the last layer with its activation.
ALEXNET = (
    "c96k11/4v p3/2v {b} c256k5v p3/2v {b} c384k3v {b} c384k3v {b} c256k3v p3/2v {b} f h4096 D.4 b h4096 D.4 b softmax"
)
TABLES = {
    "alexnet": ALEXNET.format(b=""),
    "alexnet_bn": ALEXNET.format(b="b"),
    "atlas": "c32k10 p5 D.25 c32k10 p2 D.25 f s64 D.5 sigmoid",
    "conv4": "c16k5 c16k5 D.25 p2 c16k5 c16k5 D.25 p2 f l500 D.5 softmax",
    "conv8": "c32k3 c32k3 p2 D.25 c64k3 c64k3 p2 D.25 c128k3 c128k3 p2 D.25 c256k3 c256k3 p2 D.25 f l500 D.5 softmax",
    "convxpress": "c32k3/2 c32k3 c32k3 p2 D.25 c64k3/2 c64k3 c64k3 p2 D.25 c128k3 c128k3 c128k3 p2 D.25 "
    "c256k3 c256k3 p2 D.25 f l500 D.5 softmax",
    "first_classifier": "c32k3 p2v c64k3 p2v c194k3 p2v f h194 D.5 softmax",
    "fr_deep": "c6k11 b p2v c16k5 b p3v c24k3 b c24k3 b c16k3 b p5v f h256 D.5 h256 D.5 h256 D.5 softmax",
    "hosenie": "c6k11 b p3v c19k5 b p3v c38k3 b c26k3 b c26k3 b p2v f h40 h40 D.5 linear D.5 softmax",
    "maslej": "c128k3/2v f | c64k4v p2v f | c64k2v p2v f | D.2 g128 softmax",
    "mcrgnet": "c8k3/2 D.25 c8k3/2 D.25 c16k3/2 D.25 c16k3/2 D.25 c32k3/2 D.25 f h64 D.25 softmax",
    "radio_galaxy_zoo": "c16k8/3 c32k7/2 p3v c64k2 p2v f h1024 D.5 h1024 D.5 softmax",
    "simple_net": "c16k4 c16k4 c16k4 p4 D.25 c16k4 c16k4 p4 D.25 f softmax",
    "toothless": "c96k11/4v~ b r p3/2v c256k5~ b r p3/2v c384k3~ b r c384k3~ b r c256k3~ b r p3/2v f "
    "h4096 D.5 h4096 D.5 softmax",
    "vgg16d": "c64k3 c64k3 p2v c128k3 c128k3 p2v c256k3 c256k3 c256k3 p2v c512k3 c512k3 c512k3 p2v "
    "c512k3 c512k3 c512k3 p2v f g4096 D.5 g4096 D.5 softmax",
}

# Spellings in the published lists of the comparison.
PUBLISHED_SPELLINGS = {
    "convXpress": "convxpress",
    "ConvXpress": "convxpress",
    "conv4": "conv4",
    "ConvNet4": "conv4",
    "ConvNet-8": "conv8",
    "vgg16_d_real": "vgg16d",
    "VGG16D": "vgg16d",
    "alexnet_real_do_seed": "alexnet",
    "AlexNet": "alexnet",
    "alexnet_adapted": "alexnet_bn",
    "alexnetBN": "alexnet_bn",
    "simple": "simple_net",
    "SimpleNet": "simple_net",
    "MCRGNet": "mcrgnet",
    "hosenie": "hosenie",
    "ATLAS": "atlas",
    "fr_deep_real": "fr_deep",
    "FR-Deep": "fr_deep",
    "frdeep": "fr_deep",
    "first_class": "first_classifier",
    "FIRST Classifier": "first_classifier",
    "radio_galaxy_zoo": "radio_galaxy_zoo",
    "RGZ": "radio_galaxy_zoo",
    "toothless_real": "toothless",
    "Toothless": "toothless",
    "maslej": "maslej",
}

INITIALISERS = {"HeNormal": "h", "GlorotUniform": "g"}


class Parameters(NamedTuple):
    """Number of parameters of a network."""

    total: int
    trainable: int


def count(table: str, shape: tuple[int, int, int], n_outputs: int) -> Parameters:
    """Count the parameters of a layer table without Keras."""
    *branches, trunk = (part.split() for part in table.split("|"))
    weights, fixed = 0, 0
    widths: list[int] = []
    for chain in branches:
        more, more_fixed, width = count_chain(chain, shape, n_outputs)
        weights, fixed, widths = weights + more, fixed + more_fixed, [*widths, width]
    start = (1, 1, sum(widths)) if branches else shape
    more, more_fixed, _ = count_chain(trunk, start, n_outputs)
    return Parameters(weights + more + fixed + more_fixed, weights + more)


def count_chain(chain: list[str], shape: tuple[int, int, int], n_outputs: int) -> tuple[int, int, int]:
    """Return trainable and fixed parameters of a chain of layers, and the size of its output for one image."""
    height, width, channels = shape
    weights = fixed = 0
    for word in chain:
        if match := re.fullmatch(r"(?:c(\d+)k|p)(\d+)(?:/(\d+))?(v?)~?", word):
            filters, kernel = match[1] and int(match[1]), int(match[2])
            stride = int(match[3] or (1 if filters else kernel))
            lost = kernel - 1 if match[4] else 0
            height, width = -(-(height - lost) // stride), -(-(width - lost) // stride)
            if filters:
                weights += filters * (kernel * kernel * channels + 1)
                channels = filters
        elif word == "b":
            weights, fixed = weights + 2 * channels, fixed + 2 * channels
        elif word == "f":
            height, width, channels = 1, 1, height * width * channels
        elif word == "linear" or (word in {"softmax", "sigmoid"} and "linear" not in chain):
            weights, channels = weights + n_outputs * (channels + 1), n_outputs
        elif match := re.fullmatch(r"[hgls](\d+)", word):
            weights, channels = weights + int(match[1]) * (channels + 1), int(match[1])
    return weights, fixed, height * width * channels


def words(model: Any) -> Iterator[str]:
    """Yield the layers of a Keras model in the notation of the tables."""
    for layer in model.layers:
        config = layer.get_config()
        kind = type(layer).__name__
        valid = "v" if config.get("padding") == "valid" else ""
        if kind == "Conv2D":
            assert config["kernel_initializer"]["class_name"] == "HeNormal"
            stride = f"/{config['strides'][0]}" if config["strides"][0] > 1 else ""
            bare = "~" if config["activation"] == "linear" else ""
            yield f"c{config['filters']}k{config['kernel_size'][0]}{stride}{valid}{bare}"
        elif kind == "MaxPooling2D":
            size, stride = config["pool_size"][0], config["strides"][0]
            yield f"p{size}{f'/{stride}' if stride != size else ''}{valid}"
        elif kind == "Dense":
            yield dense_word(layer.name, config)
        elif kind == "Dropout":
            yield f"D{config['rate']:g}".replace("0.", ".")
        elif kind == "Activation":
            yield {"relu": "r"}.get(config["activation"], config["activation"])
        elif kind in {"BatchNormalization", "Flatten"}:
            yield kind[0].lower()
        else:
            assert kind in {"InputLayer", "Concatenate"}


def dense_word(name: str, config: dict[str, Any]) -> str:
    """Return a dense layer in the notation of the tables."""
    initialiser = INITIALISERS[config["kernel_initializer"]["class_name"]]
    assert config["bias_initializer"]["class_name"] == "Zeros"
    if name in {"output", "logits"}:
        assert initialiser == "g"
        return str(config["activation"])
    letter = {"relu": initialiser, "sigmoid": "s", "linear": "l"}[config["activation"]]
    assert (letter in "sl") <= (initialiser == "g")
    if letter == "l":
        assert config["kernel_regularizer"]["config"]["l2"] == pytest.approx(0.01)
    else:
        assert config["kernel_regularizer"] is None
    return f"{letter}{config['units']}"


def build(name: str, shape: tuple[int, int, int], task: Any = CLASSES, seed: int = 8901, **options: Any) -> Any:
    """Build a network with the given options."""
    network = NETWORKS[name]
    model_of_options = options_model(network)
    assert model_of_options is not None
    return resolve(network.builder)(shape, task, seed, model_of_options(**options))


@pytest.fixture(scope="module", autouse=True)
def _float32() -> Iterator[None]:
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    yield
    keras.config.set_dtype_policy(before)


@pytest.fixture(scope="module", params=sorted(NETWORKS))
def name(request: pytest.FixtureRequest) -> str:
    """Each network in turn."""
    return str(request.param)


@pytest.fixture(scope="module")
def shape(name: str) -> tuple[int, int, int]:
    """An input shape that leaves several pixels to flatten, with different height and width."""
    smallest = NETWORKS[name].minimum_size
    return (smallest + 36, smallest + 32, 1)


@pytest.fixture(scope="module")
def model(name: str, shape: tuple[int, int, int]) -> Any:
    """The network with the options of its paper."""
    return build(name, shape)


def test_fifteen_networks_are_registered() -> None:
    assert set(NETWORKS) >= set(TABLES)
    assert len(TABLES) == 15


def test_network_has_citation_and_summary(name: str) -> None:
    network = NETWORKS[name]
    assert re.fullmatch(r"\d{4}[A-Za-z.&]+[\d.]+[A-Z]|(doi|arXiv|hdl):\S+", network.citation)
    assert network.summary
    assert name in network.builder


def test_network_has_the_layers_of_its_table(name: str, model: Any) -> None:
    expected = TABLES[name].replace("|", " ").split()
    found = list(words(model))
    # Keras lists the layers of branches by their depth.
    assert (sorted(found), sorted(expected)) == (sorted(expected), sorted(found))
    assert "|" in TABLES[name] or found == expected


def test_network_has_the_parameters_of_its_table(name: str, model: Any, shape: tuple[int, int, int]) -> None:
    expected = count(TABLES[name], shape, CLASSES.n_outputs)
    trainable = sum(math.prod(weight.shape) for weight in model.trainable_weights)
    assert Parameters(model.count_params(), trainable) == expected


def test_parameter_count_agrees_with_the_published_size_of_vgg16() -> None:
    assert count(TABLES["vgg16d"], (224, 224, 3), 1000).total == 138_357_544  # arXiv:1409.1556: 138 million


def test_network_returns_probabilities_for_each_image(name: str, model: Any, shape: tuple[int, int, int]) -> None:
    import numpy as np

    from benchmarker import Stream

    images = Stream("images").generator().random((3, *shape)).astype("float32")
    rows = np.asarray(model(images, training=False))
    assert rows.shape == (3, 4)
    assert (name == "atlas") != np.allclose(rows.sum(axis=1), 1, atol=1e-5)


def test_initial_kernels_differ(model: Any) -> None:
    kernels = [weight for weight in model.get_weights() if weight.ndim > 1]
    for first, second in itertools.combinations(kernels, 2):
        assert first.shape != second.shape or (first != second).any()


def test_layer_names_are_the_same_in_every_build(name: str, model: Any, shape: tuple[int, int, int]) -> None:
    if sum(weight.size for weight in model.get_weights()) < 5_000_000:
        assert [layer.name for layer in build(name, shape).layers] == [layer.name for layer in model.layers]
    assert model.name == name
    assert model.layers[-1].name == "output"
    assert all(re.fullmatch(r"[a-z]+(_\d+)?", layer.name) for layer in model.layers)


def test_network_conforms(name: str) -> None:
    check_architecture(NETWORKS[name])


@pytest.mark.parametrize("name", ["atlas", "hosenie", "mcrgnet"])
def test_network_conforms_for_a_regression_on_colour_images(name: str) -> None:
    check_architecture(NETWORKS[name], task=INCLINATION, channels=3)
    assert build(name, (32, 32, 3), INCLINATION).layers[-1].get_config()["activation"] == "linear"


def test_names_and_aliases_are_unique() -> None:
    spellings = [spelling(text) for network in NETWORKS.values() for text in (network.name, *network.aliases)]
    assert len(spellings) == len(set(spellings))


@pytest.mark.parametrize(("published", "name"), PUBLISHED_SPELLINGS.items())
def test_published_spellings_are_understood(published: str, name: str) -> None:
    assert installed().architecture(published).name == name
