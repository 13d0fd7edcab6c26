"""Generator ``dcgan``: deep convolutional GANs, one for each class or one for all.

Where a registry's ``conditions`` hold the class, as they do by default, there is a GAN for each class, trained on its
images alone. With ``conditions: []`` there is one for all images; its samples have no class, so that they can be looked
at, but no network can be trained on them.
"""

from __future__ import annotations

from functools import partial

from benchmarker import ConditionSpace, ConfigurationError, GenerativeModel, layer_seeds
from benchmarker_gan.options import DcganOptions
from benchmarker_gan.pair import Networks, Pair
from benchmarker_gan.per_class import PerClass
from benchmarker_gan.recipes import WIDTHS, recipe
from benchmarker_gan.sizes import check_eighth, side, start_and_doublings


def build(
    image_shape: tuple[int, int, int], conditions: ConditionSpace, seed: int, options: DcganOptions | None = None
) -> GenerativeModel:
    """Return untrained DCGANs.

    Parameters
    ----------
    image_shape : tuple of int
        Height, width (pixels) and channels. The size must be a power of two times 4, 5, 6 or 7 pixels; the preset
        ``radio`` takes any multiple of 8.
    conditions : ConditionSpace
        There is one GAN for each class, or one for all without classes.
    seed : int
        All initial weights and dropout masks are derived from it.
    options : DcganOptions, optional
        Preset, and what to change of it.

    Raises
    ------
    ConfigurationError
        If images of this size cannot be made, or shall be made for continuous conditions.
    """
    options = options or DcganOptions()
    if conditions.attributes:
        raise ConfigurationError(
            "dcgan makes images of classes, or of nothing in particular; cgan makes them for continuous conditions. "
            f"Received: conditions {', '.join(conditions.attributes)}; leave them out, or use cgan"
        )
    networks, settings = _networks(image_shape, options), recipe(options.preset, options)
    if not conditions.classes:
        return Pair(networks, settings, seed)
    seeds = layer_seeds(seed)
    return PerClass([Pair(networks, settings, next(seeds)) for _ in conditions.classes])


def _networks(shape: tuple[int, int, int], options: DcganOptions) -> Networks:
    """Check the size, and return how the networks of a preset are built."""
    preset = options.preset
    try:
        check = check_eighth if preset == "radio" else start_and_doublings
        check(side(shape))
    except ConfigurationError as error:
        raise ConfigurationError(f"dcgan with preset {preset!r}: {error}") from error
    from benchmarker_gan import dcgan_networks

    width, latent = options.width or WIDTHS[preset], recipe(preset, options).latent
    generator = getattr(dcgan_networks, f"{preset}_generator")
    discriminator = getattr(dcgan_networks, f"{preset}_discriminator")
    return Networks(
        generator=partial(generator, shape, latent, width), discriminator=partial(discriminator, shape, width)
    )
