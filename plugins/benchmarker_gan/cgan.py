"""Generator ``cgan``: one GAN that is told a class, continuous conditions, or both."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from benchmarker import ConditionSpace, ConfigurationError, GenerativeModel
from benchmarker_gan.objectives import HingeWithJudge
from benchmarker_gan.options import CganOptions
from benchmarker_gan.pair import Networks, Pair
from benchmarker_gan.recipes import WIDTHS, recipe
from benchmarker_gan.sizes import side

_SMALLEST = 16


def build(
    image_shape: tuple[int, int, int], conditions: ConditionSpace, seed: int, options: CganOptions | None = None
) -> GenerativeModel:
    """Return an untrained conditional GAN.

    Parameters
    ----------
    image_shape : tuple of int
        Height, width (pixels) and channels; 16 pixels or more.
    conditions : ConditionSpace
        What images are made for.
    seed : int
        All initial weights are derived from it.
    options : CganOptions, optional
        Preset, and what to change of it.

    Raises
    ------
    ConfigurationError
        If there is nothing to make images for, or images of this size cannot be made.
    """
    options = options or CganOptions()
    if not conditions.size:
        raise ConfigurationError("cgan needs classes or attributes to make images for; dcgan needs none")
    if (size := side(image_shape)) < _SMALLEST:
        raise ConfigurationError(f"cgan makes images of {_SMALLEST} pixels or more. Received: {size} pixels")
    settings, width = recipe(options.preset, options), options.width or WIDTHS[options.preset]
    from benchmarker_gan import cgan_networks

    if options.preset == "published":
        generator, discriminator = cgan_networks.published_generator, cgan_networks.published_discriminator
    else:
        # A judge whose errors count for nothing would only cost time.
        by_class = conditions.classes and options.class_weight
        judged = bool(by_class or (conditions.attributes and options.attribute_weight))
        generator = cgan_networks.generator
        discriminator = partial(cgan_networks.discriminator, judged=judged)
        objective = HingeWithJudge(
            n_classes=len(conditions.classes),
            class_weight=options.class_weight,
            attribute_weight=options.attribute_weight,
        )
        settings = replace(settings, objective=objective)
    networks = Networks(
        generator=partial(generator, image_shape, settings.latent, conditions.size, width),
        discriminator=partial(discriminator, image_shape, conditions.size, width),
        conditional_generator=True,
        conditional_discriminator=options.preset != "published",
    )
    return Pair(networks, settings, seed)
