"""Networks of the deep convolutional GANs.

References
----------
Radford et al. 2015, *Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks*,
arXiv:1511.06434.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
from keras import initializers, layers

from benchmarker_gan.sizes import start_and_doublings

Shape = tuple[int, int, int]


def _glorot(seeds: Iterator[int]) -> Any:
    return initializers.GlorotUniform(seed=next(seeds))


def _normal(seeds: Iterator[int]) -> Any:
    return initializers.RandomNormal(stddev=0.02, seed=next(seeds))


def radio_generator(shape: Shape, latent: int, width: int, seeds: Iterator[int]) -> keras.Model:
    """Return the generator of the radio system: three doublings from an eighth of the size.

    Parameters
    ----------
    shape : tuple of int
        Height, width (pixels) and channels of an image.
    latent : int
        Numbers of a latent point.
    width : int
        Maps of the last hidden layer; there are twice and four times as many before. 64 as published.
    seeds : iterator of int
        Of the initial weights.
    """
    start = shape[0] // 8
    network = keras.Sequential([keras.Input((latent,))], name="radio_generator")
    network.add(layers.Dense(start * start * 4 * width, use_bias=False, kernel_initializer=_glorot(seeds)))
    network.add(layers.BatchNormalization())
    network.add(layers.LeakyReLU(0.3))
    network.add(layers.Reshape((start, start, 4 * width)))
    for maps in (2 * width, width):
        network.add(_doubling(maps, 5, _glorot(seeds), use_bias=False))
        network.add(layers.BatchNormalization())
        network.add(layers.LeakyReLU(0.3))
    network.add(_doubling(shape[2], 5, _glorot(seeds), use_bias=False, activation="tanh"))
    return network


def radio_discriminator(shape: Shape, width: int, seeds: Iterator[int]) -> keras.Model:
    """Return the discriminator of the radio system: two strided convolutions with dropout.

    Parameters
    ----------
    shape : tuple of int
        Height, width (pixels) and channels of an image.
    width : int
        Maps of the first convolution; the second has twice as many. 64 as published.
    seeds : iterator of int
        Of the initial weights and of dropout.
    """
    network = keras.Sequential([keras.Input(shape)], name="radio_discriminator")
    for maps in (width, 2 * width):
        network.add(_halving(maps, 5, _glorot(seeds)))
        network.add(layers.LeakyReLU(0.3))
        network.add(layers.Dropout(0.3, seed=next(seeds)))
    network.add(layers.Flatten())
    network.add(layers.Dense(1, kernel_initializer=_glorot(seeds)))
    return network


def colour_generator(shape: Shape, latent: int, width: int, seeds: Iterator[int]) -> keras.Model:
    """Return the generator of the colour system: from 256 maps of 4 x 4 pixels, doubled five times to 128.

    Its description leaves the maps of the transposed convolutions and the kernels open; here they have half of the
    256, and 4 x 4 pixels, which the stride of 2 divides.

    Parameters
    ----------
    shape : tuple of int
        Height, width (pixels) and channels of an image.
    latent : int
        Numbers of a latent point.
    width : int
        Maps of the first layer; 256 as published.
    seeds : iterator of int
        Of the initial weights.
    """
    start, doublings = start_and_doublings(shape[0])
    network = keras.Sequential([keras.Input((latent,))], name="colour_generator")
    network.add(layers.Dense(start * start * width, kernel_initializer=_glorot(seeds)))
    network.add(layers.LeakyReLU(0.2))
    network.add(layers.Reshape((start, start, width)))
    for _ in range(doublings):
        network.add(_doubling(width // 2, 4, _glorot(seeds)))
        network.add(layers.LeakyReLU(0.2))
    last = layers.Conv2D(shape[2], 3, padding="same", activation="tanh", kernel_initializer=_glorot(seeds))
    network.add(last)
    return network


def colour_discriminator(shape: Shape, width: int, seeds: Iterator[int]) -> keras.Model:
    """Return the discriminator of the colour system: one convolution, then one with stride 2 for each doubling.

    It ends in a logit; the published sigmoid is part of the loss, where it loses no digits. Maps and kernels, which the
    description leaves open, are a quarter and a half of ``width``, and 3 x 3 pixels.

    Parameters
    ----------
    shape : tuple of int
        Height, width (pixels) and channels of an image.
    width : int
        As of the generator.
    seeds : iterator of int
        Of the initial weights.
    """
    _, doublings = start_and_doublings(shape[0])
    network = keras.Sequential([keras.Input(shape)], name="colour_discriminator")
    network.add(layers.Conv2D(width // 4, 3, padding="same", kernel_initializer=_glorot(seeds)))
    network.add(layers.LeakyReLU(0.2))
    for _ in range(doublings):
        network.add(_halving(width // 2, 3, _glorot(seeds)))
        network.add(layers.LeakyReLU(0.2))
    network.add(layers.Flatten())
    network.add(layers.Dense(1, kernel_initializer=_glorot(seeds)))
    return network


def small_generator(shape: Shape, latent: int, width: int, seeds: Iterator[int]) -> keras.Model:
    """Return a narrow generator: from 4 to 7 pixels, doubled up to the size.

    Parameters
    ----------
    shape : tuple of int
        Height, width (pixels) and channels of an image.
    latent : int
        Numbers of a latent point.
    width : int
        Maps of the last hidden layer; each layer before has twice as many, but at most eight times.
    seeds : iterator of int
        Of the initial weights.
    """
    start, doublings = start_and_doublings(shape[0])
    maps = [width * min(2**k, 8) for k in reversed(range(doublings))]
    network = keras.Sequential([keras.Input((latent,))], name="small_generator")
    network.add(layers.Dense(start * start * maps[0], use_bias=False, kernel_initializer=_normal(seeds)))
    network.add(layers.BatchNormalization())
    network.add(layers.ReLU())
    network.add(layers.Reshape((start, start, maps[0])))
    for each in maps[1:]:
        network.add(_doubling(each, 4, _normal(seeds), use_bias=False))
        network.add(layers.BatchNormalization())
        network.add(layers.ReLU())
    network.add(_doubling(shape[2], 4, _normal(seeds)))
    return network


def small_discriminator(shape: Shape, width: int, seeds: Iterator[int]) -> keras.Model:
    """Return a narrow discriminator: halved down to 4 to 7 pixels.

    Parameters
    ----------
    shape : tuple of int
        Height, width (pixels) and channels of an image.
    width : int
        Maps of the first convolution; each layer after it has twice as many, but at most eight times.
    seeds : iterator of int
        Of the initial weights and of dropout.
    """
    _, doublings = start_and_doublings(shape[0])
    network = keras.Sequential([keras.Input(shape)], name="small_discriminator")
    for k in range(doublings):
        network.add(_halving(width * min(2**k, 8), 4, _normal(seeds)))
        network.add(layers.LeakyReLU(0.2))
    network.add(layers.Flatten())
    network.add(layers.Dropout(0.3, seed=next(seeds)))
    network.add(layers.Dense(1, kernel_initializer=_normal(seeds)))
    return network


def _doubling(maps: int, kernel: int, initialiser: Any, **options: Any) -> Any:
    return layers.Conv2DTranspose(maps, kernel, 2, padding="same", kernel_initializer=initialiser, **options)


def _halving(maps: int, kernel: int, initialiser: Any) -> Any:
    return layers.Conv2D(maps, kernel, 2, padding="same", kernel_initializer=initialiser)
