"""Generator ``dcgan``: deep convolutional GANs, one per class or a single unconditional one.

If ``conditions`` of the registry contain the class, as by default, each class has its own GAN, which is trained on the
images of that class only. With ``conditions: []`` a single GAN is trained on all images. Its samples have no class:
they can be inspected, but no network can be trained on them.

References
----------
Radford et al. 2015, *Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks*,
arXiv:1511.06434.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import keras
from keras import initializers, layers

from benchmarker import ConditionSpace, GenerativeModel, layer_seeds
from benchmarker_gan.adversarial import Gan, Networks
from benchmarker_gan.image_sizes import start_and_doublings
from benchmarker_gan.per_class import GanPerClass
from benchmarker_gan.possible import check_dcgan, names
from benchmarker_gan.presets import FILTERS, DcganOptions, recipe

Shape = tuple[int, int, int]


def build(
    image_shape: Shape, conditions: ConditionSpace, seed: int, options: DcganOptions | None = None
) -> GenerativeModel:
    """Return untrained DCGANs.

    Parameters
    ----------
    image_shape : tuple of int
        Height, width (pixels) and channels. The size must be a power of two times 4, 5, 6 or 7 pixels; the preset
        ``radio`` accepts any multiple of 8.
    conditions : ConditionSpace
        Classes, each of which gets its own GAN; a single GAN is built without classes.
    seed : int
        Seed of all initial weights and dropout masks.
    options : DcganOptions, optional
        Preset and overrides.

    Returns
    -------
    Gan or GanPerClass

    Raises
    ------
    ConfigurationError
        If the networks cannot generate images of this size, or if there are continuous conditions.

    Examples
    --------
    >>> model = build((8, 8, 1), ConditionSpace(classes=("FRI", "FRII")), 8901, DcganOptions(filters=4))
    >>> len(model.gans), model.gans[0].generator.output_shape
    (2, (None, 8, 8, 1))
    """
    options = options or DcganOptions()
    check_dcgan(names(conditions), image_shape[:2], options)
    networks, settings = _networks(image_shape, options), recipe(options.preset, options)
    if not conditions.classes:
        return Gan(networks, settings, seed)
    seeds = layer_seeds(seed)
    return GanPerClass([Gan(networks, settings, next(seeds)) for _ in conditions.classes])


def _networks(shape: Shape, options: DcganOptions) -> Networks:
    """Return the builders of the networks of a preset."""
    preset = options.preset
    generator, discriminator = _BUILDERS[preset]
    filters, latent_dim = options.filters or FILTERS[preset], recipe(preset, options).latent_dim
    return Networks(
        generator=partial(generator, shape, latent_dim, filters), discriminator=partial(discriminator, shape, filters)
    )


def radio_generator(shape: Shape, latent_dim: int, filters: int, seeds: Iterator[int]) -> keras.Model:
    """Return the published generator for radio galaxies: three doublings from an eighth of the size.

    Parameters
    ----------
    shape : tuple of int
        Height, width (pixels) and channels of an image.
    latent_dim : int
        Dimension of the latent space.
    filters : int
        Filters of the last hidden layer; the two layers before have twice and four times as many. 64 as published.
    seeds : iterator of int
        Seeds of the initial weights.
    """
    start = shape[0] // 8
    network = keras.Sequential([keras.Input((latent_dim,))], name="radio_generator")
    network.add(layers.Dense(start * start * 4 * filters, use_bias=False, kernel_initializer=_glorot(seeds)))
    network.add(layers.BatchNormalization())
    network.add(layers.LeakyReLU(0.3))
    network.add(layers.Reshape((start, start, 4 * filters)))
    for n in (2 * filters, filters):
        network.add(_doubling(n, 5, _glorot(seeds), use_bias=False))
        network.add(layers.BatchNormalization())
        network.add(layers.LeakyReLU(0.3))
    network.add(_doubling(shape[2], 5, _glorot(seeds), use_bias=False, activation="tanh"))
    return network


def radio_discriminator(shape: Shape, filters: int, seeds: Iterator[int]) -> keras.Model:
    """Return the published discriminator for radio galaxies: two strided convolutions with dropout.

    Parameters
    ----------
    shape : tuple of int
        Height, width (pixels) and channels of an image.
    filters : int
        Filters of the first convolution; the second has twice as many. 64 as published.
    seeds : iterator of int
        Seeds of the initial weights and of dropout.
    """
    network = keras.Sequential([keras.Input(shape)], name="radio_discriminator")
    for n in (filters, 2 * filters):
        network.add(_halving(n, 5, _glorot(seeds)))
        network.add(layers.LeakyReLU(0.3))
        network.add(layers.Dropout(0.3, seed=next(seeds)))
    network.add(layers.Flatten())
    network.add(layers.Dense(1, kernel_initializer=_glorot(seeds)))
    return network


def colour_generator(shape: Shape, latent_dim: int, filters: int, seeds: Iterator[int]) -> keras.Model:
    """Return the published generator for colour images: 256 maps of 4 x 4 pixels, doubled five times to 128 pixels.

    The published diagram shows the number of maps, half of the 256 in every transposed convolution, but no kernels.
    Here those of transposed convolutions are 4 x 4 pixels, a multiple of the stride of 2.

    Parameters
    ----------
    shape : tuple of int
        Height, width (pixels) and channels of an image.
    latent_dim : int
        Dimension of the latent space.
    filters : int
        Maps of the first layer; 256 as published.
    seeds : iterator of int
        Seeds of the initial weights.
    """
    start, doublings = start_and_doublings(shape[0])
    network = keras.Sequential([keras.Input((latent_dim,))], name="colour_generator")
    network.add(layers.Dense(start * start * filters, kernel_initializer=_glorot(seeds)))
    network.add(layers.LeakyReLU(0.2))
    network.add(layers.Reshape((start, start, filters)))
    for _ in range(doublings):
        network.add(_doubling(filters // 2, 4, _glorot(seeds)))
        network.add(layers.LeakyReLU(0.2))
    last = layers.Conv2D(shape[2], 3, padding="same", activation="tanh", kernel_initializer=_glorot(seeds))
    network.add(last)
    return network


def colour_discriminator(shape: Shape, filters: int, seeds: Iterator[int]) -> keras.Model:
    """Return the published discriminator for colour images: one convolution, then one with stride 2 per doubling.

    As in the published diagram the first convolution has a quarter of ``filters``, the last one all of them and those
    between half; dropout precedes the last layer. It has 817,665 parameters for 128 x 128 x 3 pixels. The diagram shows
    neither kernels nor the rate of dropout: here they are 3 x 3 pixels and 0.4. The published sigmoid is part of the
    loss, which is numerically more stable.

    Parameters
    ----------
    shape : tuple of int
        Height, width (pixels) and channels of an image.
    filters : int
        As of the generator.
    seeds : iterator of int
        Seeds of the initial weights.
    """
    _, doublings = start_and_doublings(shape[0])
    network = keras.Sequential([keras.Input(shape)], name="colour_discriminator")
    network.add(layers.Conv2D(filters // 4, 3, padding="same", kernel_initializer=_glorot(seeds)))
    network.add(layers.LeakyReLU(0.2))
    for n in (*[filters // 2] * (doublings - 1), filters):
        network.add(_halving(n, 3, _glorot(seeds)))
        network.add(layers.LeakyReLU(0.2))
    network.add(layers.Flatten())
    network.add(layers.Dropout(0.4, seed=next(seeds)))
    network.add(layers.Dense(1, kernel_initializer=_glorot(seeds)))
    return network


def small_generator(shape: Shape, latent_dim: int, filters: int, seeds: Iterator[int]) -> keras.Model:
    """Return a narrow generator: from 4 to 7 pixels, doubled up to the size.

    Parameters
    ----------
    shape : tuple of int
        Height, width (pixels) and channels of an image.
    latent_dim : int
        Dimension of the latent space.
    filters : int
        Filters of the last hidden layer; each layer before has twice as many, up to eight times.
    seeds : iterator of int
        Seeds of the initial weights.
    """
    start, doublings = start_and_doublings(shape[0])
    widths = [filters * min(2**k, 8) for k in reversed(range(doublings))]
    network = keras.Sequential([keras.Input((latent_dim,))], name="small_generator")
    network.add(layers.Dense(start * start * widths[0], use_bias=False, kernel_initializer=_normal(seeds)))
    network.add(layers.BatchNormalization())
    network.add(layers.ReLU())
    network.add(layers.Reshape((start, start, widths[0])))
    for n in widths[1:]:
        network.add(_doubling(n, 4, _normal(seeds), use_bias=False))
        network.add(layers.BatchNormalization())
        network.add(layers.ReLU())
    network.add(_doubling(shape[2], 4, _normal(seeds)))
    return network


def small_discriminator(shape: Shape, filters: int, seeds: Iterator[int]) -> keras.Model:
    """Return a narrow discriminator: halved down to 4 to 7 pixels.

    Parameters
    ----------
    shape : tuple of int
        Height, width (pixels) and channels of an image.
    filters : int
        Filters of the first convolution; each further layer has twice as many, up to eight times.
    seeds : iterator of int
        Seeds of the initial weights and of dropout.
    """
    _, doublings = start_and_doublings(shape[0])
    network = keras.Sequential([keras.Input(shape)], name="small_discriminator")
    for k in range(doublings):
        network.add(_halving(filters * min(2**k, 8), 4, _normal(seeds)))
        network.add(layers.LeakyReLU(0.2))
    network.add(layers.Flatten())
    network.add(layers.Dropout(0.3, seed=next(seeds)))
    network.add(layers.Dense(1, kernel_initializer=_normal(seeds)))
    return network


_BUILDERS: Mapping[str, tuple[Callable[..., keras.Model], Callable[..., keras.Model]]] = {
    "radio": (radio_generator, radio_discriminator),
    "colour": (colour_generator, colour_discriminator),
    "small": (small_generator, small_discriminator),
}


def _glorot(seeds: Iterator[int]) -> Any:
    return initializers.GlorotUniform(seed=next(seeds))


def _normal(seeds: Iterator[int]) -> Any:
    return initializers.RandomNormal(stddev=0.02, seed=next(seeds))


def _doubling(filters: int, kernel: int, initialiser: Any, **options: Any) -> Any:
    return layers.Conv2DTranspose(filters, kernel, 2, padding="same", kernel_initializer=initialiser, **options)


def _halving(filters: int, kernel: int, initialiser: Any) -> Any:
    return layers.Conv2D(filters, kernel, 2, padding="same", kernel_initializer=initialiser)
