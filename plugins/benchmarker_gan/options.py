"""Options of the GANs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from benchmarker import Options

Count = Annotated[int, Field(strict=True, gt=0)]
Rate = Annotated[float, Field(gt=0, lt=1)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class GanOptions(Options):
    """Options of every GAN; null stands for what the preset says."""

    width: Annotated[int, Field(strict=True, ge=4)] | None = None
    """How wide all layers are, counted in maps of one of them, see the preset."""

    latent: Count | None = None
    """Numbers of a latent point."""

    batch_size: Count | None = None
    """Images per step; with one GAN for each class, images of one class per step on average."""

    discriminator_rate: Rate | None = None
    """Learning rate of the discriminator."""

    generator_rate: Rate | None = None
    """Learning rate of the generator."""

    beta1: Annotated[float, Field(ge=0, lt=1)] | None = None
    """First decay of both Adam optimisers."""

    augmented: bool | None = None
    """Show the discriminator real images mirrored and turned, and all images shifted, at random (arXiv:2006.10738)."""

    average: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Decay per step of the moving average of the generator that draws samples (arXiv:1806.04498); 0 draws with the
    last weights."""

    stretch: Annotated[float, Field(gt=0, le=1)] | None = None
    """Power of brightness that the networks see: 0.5 lets faint structure of linear fluxes count, 1 is for images that
    are stretched already."""


class DcganOptions(GanOptions):
    """Options of the generator ``dcgan``."""

    preset: Literal["small", "radio", "colour"] = "small"
    """Networks and training: narrow ones for small sets, or as published for radio galaxies (128 x 128 x 1) or for
    colour images (128 x 128 x 3)."""


class CganOptions(GanOptions):
    """Options of the generator ``cgan``."""

    preset: Literal["projection", "published"] = "projection"
    """Networks, losses and training: those that suit small sets and follow their conditions, or the published ones
    (50 x 50 x 3)."""

    class_weight: Weight = 0.3
    """Of the error of the predicted class in the preset ``projection``. Less suits classes that are hard to tell apart:
    a generator may please whatever predicts them with patterns that no galaxy has. With 0 the discriminator alone,
    which is told the class, keeps them apart."""

    attribute_weight: Weight = 3.0
    """Of the squared error of predicted continuous conditions in the preset ``projection``."""
