"""Generator ``cgan``: one GAN for classes, continuous conditions, or both.

The preset ``published`` is a conditional GAN of optical galaxies as it was published: networks, losses and steps. The
preset ``projection`` suits small training sets and follows its conditions better: it has conditional batch
normalisation in the generator, a spectrally normalised projection discriminator, and an auxiliary network that predicts
the conditions.

References
----------
Miyato & Koyama 2018, *cGANs with Projection Discriminator*, arXiv:1802.05637.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import keras
from keras import initializers, layers

from benchmarker import ConditionSpace, GenerativeModel
from benchmarker_gan.adversarial import Gan, Networks
from benchmarker_gan.image_sizes import halvings
from benchmarker_gan.layers import (
    CornerResizing,
    MinibatchDiscrimination,
    MinibatchStandardDeviation,
    SpectralConv2D,
    SpectralDense,
)
from benchmarker_gan.objectives import HingeAuxiliary
from benchmarker_gan.possible import check_cgan, names
from benchmarker_gan.presets import FILTERS, CganOptions, recipe

Shape = tuple[int, int, int]

_SMALLEST_IMAGE = 16
_SMALLEST_MAP = 4


def build(
    image_shape: Shape, conditions: ConditionSpace, seed: int, options: CganOptions | None = None
) -> GenerativeModel:
    """Return an untrained conditional GAN.

    Parameters
    ----------
    image_shape : tuple of int
        Height, width (pixels) and channels; at least 16 pixels.
    conditions : ConditionSpace
        Classes, continuous conditions, or both.
    seed : int
        Seed of all initial weights.
    options : CganOptions, optional
        Preset and overrides.

    Returns
    -------
    Gan

    Raises
    ------
    ConfigurationError
        If there are no conditions, or the networks cannot generate images of this size.

    Examples
    --------
    >>> space = ConditionSpace(attributes=("redshift",), units=("",), means=(0.1,), deviations=(0.05,))
    >>> build((20, 20, 3), space, 8901, CganOptions(filters=4)).generator.output_shape
    (None, 20, 20, 3)
    """
    options = options or CganOptions()
    check_cgan(names(conditions), image_shape[:2], options)
    settings, filters = recipe(options.preset, options), options.filters or FILTERS[options.preset]
    if options.preset == "published":
        generator, discriminator = published_generator, published_discriminator
    else:
        # An auxiliary network whose errors have no weight would only cost time.
        by_class = conditions.classes and options.class_loss_weight
        auxiliary = bool(by_class or (conditions.attributes and options.attribute_loss_weight))
        generator = projection_generator
        discriminator = partial(projection_discriminator, auxiliary=auxiliary)
        objective = HingeAuxiliary(
            n_classes=len(conditions.classes),
            class_weight=options.class_loss_weight,
            attribute_weight=options.attribute_loss_weight,
        )
        settings = replace(settings, objective=objective)
    networks = Networks(
        generator=partial(generator, image_shape, settings.latent_dim, conditions.size, filters),
        discriminator=partial(discriminator, image_shape, conditions.size, filters),
        conditional_generator=True,
        conditional_discriminator=options.preset != "published",
    )
    return Gan(networks, settings, seed)


def published_generator(
    shape: Shape, latent_dim: int, n_conditions: int, filters: int, seeds: Iterator[int]
) -> keras.Model:
    """Return the published conditional generator: two dense layers, then twice a resizing and a convolution.

    Resizing before a convolution avoids the checkerboard artefacts of transposed convolutions. For 50 pixels the sizes
    of the maps are 16, 32 and 50; other image sizes keep these proportions.

    Parameters
    ----------
    shape : tuple of int
        Height, width (pixels) and channels of an image.
    latent_dim, n_conditions : int
        Dimension of the latent space, and length of an encoded condition.
    filters : int
        Filters of the first convolution; 64 as published.
    seeds : iterator of int
        Seeds of the initial weights.
    """
    size = shape[0]
    start, middle = round(0.32 * size), round(0.64 * size)
    noise, conditions = keras.Input((latent_dim,), name="noise"), keras.Input((n_conditions,), name="conditions")
    x = layers.Concatenate()([noise, conditions])
    for units in (16 * filters, start * start * 2 * filters):
        x = layers.Dense(units, kernel_initializer=_normal(seeds))(x)
        x = layers.ReLU()(_published_normalisation()(x))
    x = layers.Reshape((start, start, 2 * filters))(x)
    # A convolution of 4 x 4 pixels without padding removes three rows and columns.
    x = CornerResizing(middle + 3)(x)
    x = layers.Conv2D(filters, 4, kernel_initializer=_truncated(seeds))(x)
    x = layers.ReLU()(_published_normalisation()(x))
    x = CornerResizing(size + 3)(x)
    x = layers.Conv2D(shape[2], 4, kernel_initializer=_truncated(seeds))(x)
    return keras.Model([noise, conditions], x, name="published_generator")


def published_discriminator(shape: Shape, n_conditions: int, filters: int, seeds: Iterator[int]) -> keras.Model:
    """Return the published discriminator with two outputs: a logit and predicted conditions.

    It takes real and generated images as one batch, in this order and equally many of each: batch normalisation and the
    256 features of minibatch discrimination (128 vectors of length 5) depend on both.

    Parameters
    ----------
    shape : tuple of int
        Height, width (pixels) and channels of an image.
    n_conditions : int
        Length of an encoded condition.
    filters : int
        Filters of the first convolution; 64 as published.
    seeds : iterator of int
        Seeds of the initial weights.
    """
    images = keras.Input(shape, name="images")
    x = layers.Conv2D(filters, 4, 2, padding="same", kernel_initializer=_truncated(seeds))(images)
    x = layers.LeakyReLU(0.2)(x)
    x = layers.Conv2D(2 * filters, 4, 2, padding="same", kernel_initializer=_truncated(seeds))(x)
    x = layers.LeakyReLU(0.2)(_published_normalisation()(x))
    features = layers.Flatten()(x)
    x = layers.Dense(16 * filters, kernel_initializer=_normal(seeds))(features)
    x = layers.LeakyReLU(0.2)(_published_normalisation()(x))
    predicted = layers.Dense(n_conditions, kernel_initializer=_normal(seeds), name="predicted")(x)
    closeness = MinibatchDiscrimination(128, 5, seed=next(seeds))(features)
    joined = layers.Concatenate()([features, closeness])
    logit = layers.Dense(1, kernel_initializer=_normal(seeds), name="logit")(joined)
    return keras.Model(images, [logit, predicted], name="published_discriminator")


def projection_generator(
    shape: Shape, latent_dim: int, n_conditions: int, filters: int, seeds: Iterator[int]
) -> keras.Model:
    """Return a narrow conditional generator: doubled up to the size, with the conditions in every layer.

    Each batch normalisation is followed by a scale and a shift per map that depend on latent point and conditions.

    Parameters
    ----------
    shape : tuple of int
        Height, width (pixels) and channels of an image.
    latent_dim, n_conditions : int
        Dimension of the latent space, and length of an encoded condition.
    filters : int
        Filters of the last convolution but one; each layer before has twice as many, up to eight times.
    seeds : iterator of int
        Seeds of the initial weights.

    References
    ----------
    Conditional batch normalisation in GANs: Miyato & Koyama 2018, arXiv:1802.05637; Brock et al. 2018,
    arXiv:1809.11096.
    """
    sizes = halvings(shape[0], _SMALLEST_MAP)[::-1]
    noise, conditions = keras.Input((latent_dim,), name="noise"), keras.Input((n_conditions,), name="conditions")
    joined = layers.Concatenate()([noise, conditions])
    context = layers.Dense(8 * filters, kernel_initializer=_glorot(seeds))(joined)
    # The conditions are appended because next to so many latent numbers they are a small part of the context at first.
    context = layers.Concatenate()([layers.LeakyReLU(0.2)(context), conditions])
    widths = [filters * min(2**k, 8) for k in reversed(range(len(sizes) - 1))]
    x = layers.Dense(sizes[0] ** 2 * widths[0], use_bias=False, kernel_initializer=_glorot(seeds))(context)
    # Units are normalised one by one: normalised map by map, a fixed pattern may outgrow the effect of latent points.
    x = layers.BatchNormalization(center=False, scale=False)(x)
    x = layers.Reshape((sizes[0], sizes[0], widths[0]))(x)
    x = _conditional_normalisation(x, context, widths[0], seeds)
    for size, n in zip(sizes[1:], [*widths[1:], max(filters // 2, 4)], strict=True):
        x = layers.Conv2DTranspose(n, 4, 2, padding="same", use_bias=False, kernel_initializer=_glorot(seeds))(x)
        if x.shape[1] > size:
            x = layers.Cropping2D(((0, x.shape[1] - size), (0, x.shape[2] - size)))(x)
        x = _conditional_normalisation(x, context, n, seeds)
    # Linear and almost flat at first: with a hyperbolic tangent, initial images would be noise, which is best hidden by
    # making everything black, and from there the vanishing gradient allows no return.
    flat = initializers.VarianceScaling(0.01, "fan_avg", "uniform", seed=next(seeds))
    x = layers.Conv2D(shape[2], 3, padding="same", kernel_initializer=flat)(x)
    return keras.Model([noise, conditions], x, name="generator")


def _conditional_normalisation(x: Any, context: Any, n_maps: int, seeds: Iterator[int]) -> Any:
    """Normalise the maps, scale and shift each as the context determines, and apply the activation."""
    x = layers.BatchNormalization(center=False, scale=False)(x)
    scale, shift = (layers.Dense(n_maps, kernel_initializer=_glorot(seeds))(context) for _ in range(2))
    x = layers.Multiply()([x, layers.Reshape((1, 1, n_maps))(layers.Rescaling(1.0, 1.0)(scale))])
    return layers.LeakyReLU(0.2)(layers.Add()([x, layers.Reshape((1, 1, n_maps))(shift)]))


def projection_discriminator(
    shape: Shape, n_conditions: int, filters: int, seeds: Iterator[int], *, auxiliary: bool = True
) -> keras.Model:
    r"""Return a narrow, spectrally normalised projection discriminator with an auxiliary network.

    With the features :math:`\phi(x)` of an image and the embedded conditions :math:`V c` the logit is

    .. math:: D(x, c) = a^T \phi(x) + b + (V c)^T \phi(x)

    The auxiliary network predicts the conditions from the image alone and shares no layers with the discriminator.

    Parameters
    ----------
    shape : tuple of int
        Height, width (pixels) and channels of an image.
    n_conditions : int
        Length of an encoded condition.
    filters : int
        Filters of the first convolution; each further layer has twice as many, up to eight times.
    seeds : iterator of int
        Seeds of the initial weights.
    auxiliary : bool
        Whether to predict the conditions.

    References
    ----------
    Miyato & Koyama 2018, *cGANs with Projection Discriminator*, arXiv:1802.05637; spectral normalisation: Miyato et al.
    2018, arXiv:1802.05957.
    """
    images, conditions = keras.Input(shape, name="images"), keras.Input((n_conditions,), name="conditions")
    x = images
    for k in range(len(halvings(shape[0], _SMALLEST_MAP)) - 1):
        n = filters * min(2**k, 8)
        x = SpectralConv2D(n, 4, 2, padding="same", kernel_initializer=_glorot(seeds), vector_seed=next(seeds))(x)
        x = layers.LeakyReLU(0.2)(x)
    maps = layers.Flatten()(MinibatchStandardDeviation()(x))
    features = layers.LeakyReLU(0.2)(_spectral_dense(8 * filters, seeds)(maps))
    logit = _spectral_dense(1, seeds)(features)
    embedded = _spectral_dense(8 * filters, seeds, use_bias=False)(conditions)
    logit = layers.Add()([logit, layers.Dot(axes=1)([features, embedded])])
    outputs = [logit, _predicted_conditions(images, n_conditions, filters, seeds)] if auxiliary else logit
    return keras.Model([images, conditions], outputs, name="discriminator")


def _predicted_conditions(images: Any, n_conditions: int, filters: int, seeds: Iterator[int]) -> Any:
    """Predict the conditions from means and maxima over the image, with separate layers.

    Spectral normalisation keeps the discriminator's features small: with them, redshift and mass were hardly learned in
    several hundred steps. Flux is a mean over the image, which these layers learn in about fifty.
    """
    x = images
    for k in range(len(halvings(int(images.shape[1]), _SMALLEST_MAP)) - 1):
        he = initializers.HeNormal(seed=next(seeds))
        x = layers.Conv2D(filters * min(2**k, 8), 4, 2, padding="same", kernel_initializer=he)(x)
        x = layers.LeakyReLU(0.2)(x)
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
    x = layers.LeakyReLU(0.2)(layers.Dense(8 * filters, kernel_initializer=_glorot(seeds))(x))
    return layers.Dense(n_conditions, kernel_initializer=_glorot(seeds), name="predicted")(x)


def _published_normalisation() -> Any:
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)


def _normal(seeds: Iterator[int]) -> Any:
    return initializers.RandomNormal(stddev=0.02, seed=next(seeds))


def _truncated(seeds: Iterator[int]) -> Any:
    return initializers.TruncatedNormal(stddev=0.02, seed=next(seeds))


def _glorot(seeds: Iterator[int]) -> Any:
    return initializers.GlorotUniform(seed=next(seeds))


def _spectral_dense(units: int, seeds: Iterator[int], *, use_bias: bool = True) -> Any:
    return SpectralDense(units, use_bias=use_bias, kernel_initializer=_glorot(seeds), vector_seed=next(seeds))
