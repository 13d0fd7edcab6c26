"""Networks of the conditional GANs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
from keras import initializers, layers

from benchmarker_gan.layers import BatchDeviation, MinibatchDiscrimination, SpectralConv2D, SpectralDense
from benchmarker_gan.sizes import halvings

Shape = tuple[int, int, int]

_SMALLEST = 4


def _glorot(seeds: Iterator[int]) -> Any:
    return initializers.GlorotUniform(seed=next(seeds))


def published_generator(shape: Shape, latent: int, n_conditions: int, width: int, seeds: Iterator[int]) -> keras.Model:
    """Return the published conditional generator: dense, then twice resized and convolved.

    Resizing before a convolution avoids the checkerboards of transposed ones. At 50 pixels the sides are 16, 32 and 50;
    other sizes keep these proportions.

    Parameters
    ----------
    shape : tuple of int
        Height, width (pixels) and channels of an image.
    latent, n_conditions : int
        Numbers of a latent point, and of a condition.
    width : int
        Maps of the first convolution; 64 as published.
    seeds : iterator of int
        Of the initial weights.
    """
    size = shape[0]
    start, middle = round(0.32 * size), round(0.64 * size)
    noise, conditions = keras.Input((latent,), name="noise"), keras.Input((n_conditions,), name="conditions")
    x = layers.Concatenate()([noise, conditions])
    for units in (16 * width, start * start * 2 * width):
        x = layers.Dense(units, kernel_initializer=_glorot(seeds))(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Reshape((start, start, 2 * width))(x)
    # A valid convolution of 4 x 4 pixels takes three off.
    x = layers.Resizing(middle + 3, middle + 3, interpolation="bilinear")(x)
    x = layers.Conv2D(width, 4, kernel_initializer=_glorot(seeds))(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Resizing(size + 3, size + 3, interpolation="bilinear")(x)
    x = layers.Conv2D(shape[2], 4, kernel_initializer=_glorot(seeds))(x)
    return keras.Model([noise, conditions], x, name="published_generator")


def published_discriminator(shape: Shape, n_conditions: int, width: int, seeds: Iterator[int]) -> keras.Model:
    """Return the published discriminator with two heads: a logit, and predicted conditions.

    Convolutions are padded, and the second head joins the features of the convolutions with 128 kernels of 5 numbers of
    minibatch discrimination on them: the description leaves both open.

    Parameters
    ----------
    shape : tuple of int
        Height, width (pixels) and channels of an image.
    n_conditions : int
        Numbers of a condition.
    width : int
        Maps of the first convolution; 64 as published.
    seeds : iterator of int
        Of the initial weights.
    """
    images = keras.Input(shape, name="images")
    x = layers.Conv2D(width, 4, 2, padding="same", kernel_initializer=_glorot(seeds))(images)
    x = layers.LeakyReLU(0.2)(x)
    x = layers.Conv2D(2 * width, 4, 2, padding="same", kernel_initializer=_glorot(seeds))(x)
    x = layers.LeakyReLU(0.2)(layers.BatchNormalization()(x))
    features = layers.Flatten()(x)
    x = layers.Dense(16 * width, kernel_initializer=_glorot(seeds))(features)
    x = layers.LeakyReLU(0.2)(layers.BatchNormalization()(x))
    predicted = layers.Dense(n_conditions, kernel_initializer=_glorot(seeds), name="predicted")(x)
    closeness = MinibatchDiscrimination(128, 5, seed=next(seeds))(features)
    joined = layers.Concatenate()([features, closeness])
    logit = layers.Dense(1, kernel_initializer=_glorot(seeds), name="logit")(joined)
    return keras.Model(images, [logit, predicted], name="published_discriminator")


def generator(shape: Shape, latent: int, n_conditions: int, width: int, seeds: Iterator[int]) -> keras.Model:
    """Return a narrow conditional generator: doubled up to the size, every layer told the conditions.

    Each batch normalisation is followed by a scale and a shift for each map that depend on latent point and conditions.

    Parameters
    ----------
    shape : tuple of int
        Height, width (pixels) and channels of an image.
    latent, n_conditions : int
        Numbers of a latent point, and of a condition.
    width : int
        Maps of the last but one convolution; each layer before has twice as many, but at most eight times.
    seeds : iterator of int
        Of the initial weights.

    References
    ----------
    Conditional batch normalisation in GANs: Miyato & Koyama 2018, arXiv:1802.05637; Brock et al. 2018,
    arXiv:1809.11096.
    """
    sides = halvings(shape[0], _SMALLEST)[::-1]
    noise, conditions = keras.Input((latent,), name="noise"), keras.Input((n_conditions,), name="conditions")
    joined = layers.Concatenate()([noise, conditions])
    context = layers.Dense(8 * width, kernel_initializer=_glorot(seeds))(joined)
    # The conditions themselves too: beside so many latent numbers they begin as a small part of the context.
    context = layers.Concatenate()([layers.LeakyReLU(0.2)(context), conditions])
    maps = [width * min(2**k, 8) for k in reversed(range(len(sides) - 1))]
    x = layers.Dense(sides[0] ** 2 * maps[0], use_bias=False, kernel_initializer=_glorot(seeds))(context)
    # Number by number: normalised map by map, one pattern may outgrow what latent points change of it.
    x = layers.BatchNormalization(center=False, scale=False)(x)
    x = _told(layers.Reshape((sides[0], sides[0], maps[0]))(x), context, maps[0], seeds)
    for side, each in zip(sides[1:], [*maps[1:], max(width // 2, 4)], strict=True):
        doubling = layers.Conv2DTranspose(each, 4, 2, padding="same", use_bias=False, kernel_initializer=_glorot(seeds))
        x = doubling(x)
        if x.shape[1] > side:
            x = layers.Cropping2D(((0, x.shape[1] - side), (0, x.shape[2] - side)))(x)
        x = _told(x, context, each, seeds)
    # Linear and at first almost flat: images of noise that a hyperbolic tangent would give in the beginning are hidden
    # best by making everything black, and there it has no gradient to come back on.
    flat = initializers.VarianceScaling(0.01, "fan_avg", "uniform", seed=next(seeds))
    x = layers.Conv2D(shape[2], 3, padding="same", kernel_initializer=flat)(x)
    return keras.Model([noise, conditions], x, name="generator")


def _told(x: Any, context: Any, maps: int, seeds: Iterator[int]) -> Any:
    """Normalise, scale and shift each map as the context says, and bend."""
    x = layers.BatchNormalization(center=False, scale=False)(x)
    scale, shift = (layers.Dense(maps, kernel_initializer=_glorot(seeds))(context) for _ in range(2))
    x = layers.Multiply()([x, layers.Reshape((1, 1, maps))(layers.Rescaling(1.0, 1.0)(scale))])
    return layers.LeakyReLU(0.2)(layers.Add()([x, layers.Reshape((1, 1, maps))(shift)]))


def discriminator(
    shape: Shape, n_conditions: int, width: int, seeds: Iterator[int], *, judged: bool = True
) -> keras.Model:
    """Return a narrow discriminator: spectrally normalised, with a projection of the conditions, and a judge of them.

    The logit is a linear function of the features plus the product of features and embedded conditions. The judge
    predicts the conditions from the image alone, with layers of its own.

    Parameters
    ----------
    shape : tuple of int
        Height, width (pixels) and channels of an image.
    n_conditions : int
        Numbers of a condition.
    width : int
        Maps of the first convolution; each layer after it has twice as many, but at most eight times.
    seeds : iterator of int
        Of the initial weights.
    judged : bool
        Whether there is a judge.

    References
    ----------
    Miyato & Koyama 2018, *cGANs with Projection Discriminator*, arXiv:1802.05637; spectral normalisation: Miyato et al.
    2018, arXiv:1802.05957.
    """
    images, conditions = keras.Input(shape, name="images"), keras.Input((n_conditions,), name="conditions")
    x = images
    for k in range(len(halvings(shape[0], _SMALLEST)) - 1):
        maps = width * min(2**k, 8)
        x = SpectralConv2D(maps, 4, 2, padding="same", kernel_initializer=_glorot(seeds), direction_seed=next(seeds))(x)
        x = layers.LeakyReLU(0.2)(x)
    varied = layers.Flatten()(BatchDeviation()(x))
    features = layers.LeakyReLU(0.2)(_spectral(8 * width, seeds)(varied))
    logit = _spectral(1, seeds)(features)
    if not n_conditions:
        return keras.Model([images, conditions], logit, name="discriminator")
    embedded = _spectral(8 * width, seeds, use_bias=False)(conditions)
    logit = layers.Add()([logit, layers.Dot(axes=1)([features, embedded])])
    outputs = [logit, _judge(images, n_conditions, width, seeds)] if judged else logit
    return keras.Model([images, conditions], outputs, name="discriminator")


def _judge(images: Any, n_conditions: int, width: int, seeds: Iterator[int]) -> Any:
    """Predict conditions with layers of its own, from means and maxima over the image.

    On the discriminator's features, which spectral normalisation keeps small, redshift and mass were hardly learnt in
    several hundred steps; flux is a mean over the image, which is learnt in some fifty.
    """
    x = images
    for k in range(len(halvings(int(images.shape[1]), _SMALLEST)) - 1):
        he = initializers.HeNormal(seed=next(seeds))
        x = layers.Conv2D(width * min(2**k, 8), 4, 2, padding="same", kernel_initializer=he)(x)
        x = layers.LeakyReLU(0.2)(x)
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), layers.GlobalMaxPooling2D()(x)])
    x = layers.LeakyReLU(0.2)(layers.Dense(8 * width, kernel_initializer=_glorot(seeds))(x))
    return layers.Dense(n_conditions, kernel_initializer=_glorot(seeds), name="predicted")(x)


def _spectral(units: int, seeds: Iterator[int], *, use_bias: bool = True) -> Any:
    return SpectralDense(units, use_bias=use_bias, kernel_initializer=_glorot(seeds), direction_seed=next(seeds))
