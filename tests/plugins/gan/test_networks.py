"""Networks of the GANs, layer by layer, and the image sizes they can generate."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from benchmarker import ConfigurationError, layer_seeds
from benchmarker_gan.image_sizes import halvings, start_and_doublings
from benchmarker_gan.layers import CornerResizing

# Layers with weights, in order: class, shape of the output without the batch axis, parameters including statistics.
Table = list[tuple[str, tuple[int, ...], int]]

RADIO_GENERATOR: Table = [
    ("Dense", (16 * 16 * 256,), 100 * 65536),
    ("BatchNormalization", (16 * 16 * 256,), 4 * 65536),
    ("Conv2DTranspose", (32, 32, 128), 5 * 5 * 256 * 128),
    ("BatchNormalization", (32, 32, 128), 4 * 128),
    ("Conv2DTranspose", (64, 64, 64), 5 * 5 * 128 * 64),
    ("BatchNormalization", (64, 64, 64), 4 * 64),
    ("Conv2DTranspose", (128, 128, 1), 5 * 5 * 64),
]
RADIO_DISCRIMINATOR: Table = [
    ("Conv2D", (64, 64, 64), 5 * 5 * 64 + 64),
    ("Conv2D", (32, 32, 128), 5 * 5 * 64 * 128 + 128),
    ("Dense", (1,), 32 * 32 * 128 + 1),
]
COLOUR_GENERATOR: Table = [
    ("Dense", (4 * 4 * 256,), 100 * 4096 + 4096),
    ("Conv2DTranspose", (8, 8, 128), 4 * 4 * 256 * 128 + 128),
    *[("Conv2DTranspose", (side, side, 128), 4 * 4 * 128 * 128 + 128) for side in (16, 32, 64, 128)],
    ("Conv2D", (128, 128, 3), 3 * 3 * 128 * 3 + 3),
]
COLOUR_DISCRIMINATOR: Table = [
    ("Conv2D", (128, 128, 64), 3 * 3 * 3 * 64 + 64),
    ("Conv2D", (64, 64, 128), 3 * 3 * 64 * 128 + 128),
    *[("Conv2D", (side, side, 128), 3 * 3 * 128 * 128 + 128) for side in (32, 16, 8)],
    ("Conv2D", (4, 4, 256), 3 * 3 * 128 * 256 + 256),
    ("Dense", (1,), 4 * 4 * 256 + 1),
]
PUBLISHED_GENERATOR: Table = [
    ("Dense", (1024,), 102 * 1024 + 1024),
    ("BatchNormalization", (1024,), 4 * 1024),
    ("Dense", (16 * 16 * 128,), 1024 * 32768 + 32768),
    ("BatchNormalization", (16 * 16 * 128,), 4 * 32768),
    ("Conv2D", (32, 32, 64), 4 * 4 * 128 * 64 + 64),
    ("BatchNormalization", (32, 32, 64), 4 * 64),
    ("Conv2D", (50, 50, 3), 4 * 4 * 64 * 3 + 3),
]
PUBLISHED_DISCRIMINATOR: Table = [
    ("Conv2D", (25, 25, 64), 4 * 4 * 3 * 64 + 64),
    ("Conv2D", (13, 13, 128), 4 * 4 * 64 * 128 + 128),
    ("BatchNormalization", (13, 13, 128), 4 * 128),
    ("Dense", (1024,), 13 * 13 * 128 * 1024 + 1024),
    ("BatchNormalization", (1024,), 4 * 1024),
    ("MinibatchDiscrimination", (256,), 13 * 13 * 128 * 128 * 5 + 128 * 5),
    ("Dense", (2,), 1024 * 2 + 2),
    ("Dense", (1,), 13 * 13 * 128 + 256 + 1),
]


def weighted(network: Any) -> Table:
    """Return the layers with weights."""
    return [
        (type(layer).__name__, tuple(layer.output.shape[1:]), layer.count_params())
        for layer in network.layers
        if layer.count_params()
    ]


@functools.cache
def built(name: str) -> Any:
    from benchmarker_gan import cgan, dcgan

    seeds = layer_seeds(1)
    if name.startswith("published"):
        build = getattr(cgan, name)
        return build((50, 50, 3), *([100, 2] if name.endswith("generator") else [2]), 64, seeds)
    shape, filters = ((128, 128, 1), 64) if name.startswith("radio") else ((128, 128, 3), 256)
    return getattr(dcgan, name)(shape, *([100] if name.endswith("generator") else []), filters, seeds)


@pytest.mark.parametrize(
    ("name", "table"),
    [
        ("radio_generator", RADIO_GENERATOR),
        ("radio_discriminator", RADIO_DISCRIMINATOR),
        ("colour_generator", COLOUR_GENERATOR),
        ("colour_discriminator", COLOUR_DISCRIMINATOR),
        ("published_generator", PUBLISHED_GENERATOR),
        ("published_discriminator", PUBLISHED_DISCRIMINATOR),
    ],
)
def test_published_networks_have_the_layers_of_their_tables(name: str, table: Table) -> None:
    network = built(name)
    found = weighted(network)
    # Keras lists the outputs of a branched network in another order.
    assert sorted(found) == sorted(table) if name == "published_discriminator" else found == table
    assert network.count_params() == sum(parameters for *_, parameters in table)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("radio_generator", 7_842_112),
        ("radio_discriminator", 337_665),
        ("colour_generator", 1_990_659),
        ("colour_discriminator", 817_665),
        ("published_generator", 33_962_307),
        ("published_discriminator", 36_160_195),
    ],
)
def test_published_networks_have_the_published_parameters(name: str, parameters: int) -> None:
    assert built(name).count_params() == parameters


def test_published_networks_have_the_activations_dropout_and_resizing_of_their_papers() -> None:
    import keras

    generator, discriminator = built("radio_generator"), built("radio_discriminator")
    activations = [layer for layer in generator.layers if isinstance(layer, keras.layers.LeakyReLU)]
    assert len(activations) == 3
    assert generator.layers[-1].activation is keras.activations.tanh
    rates = [layer.rate for layer in discriminator.layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == [0.3, 0.3]
    colour = built("colour_discriminator")
    assert [layer.rate for layer in colour.layers if isinstance(layer, keras.layers.Dropout)] == [0.4]
    resized = [layer.size for layer in built("published_generator").layers if isinstance(layer, CornerResizing)]
    assert resized == [35, 53]
    slopes = {layer.negative_slope for layer in built("published_discriminator").layers if "leaky" in layer.name}
    assert slopes == {0.2}


@pytest.mark.parametrize(
    ("size", "expected"), [(64, (4, 4)), (128, (4, 5)), (96, (6, 4)), (40, (5, 3)), (28, (7, 2)), (8, (4, 1))]
)
def test_possible_size_is_a_small_start_times_a_power_of_two(size: int, expected: tuple[int, int]) -> None:
    assert start_and_doublings(size) == expected


@pytest.mark.parametrize(("size", "nearest"), [(150, "128 and 160"), (50, "48 and 56"), (7, "8"), (4, "8")])
def test_impossible_size_is_refused_with_the_nearest_ones(size: int, nearest: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"nearest are {nearest}\. Received: {size} pixels"):
        start_and_doublings(size)


def test_halvings_are_rounded_up() -> None:
    assert halvings(50, 8) == [50, 25, 13, 7]
    assert halvings(64, 8) == [64, 32, 16, 8]
