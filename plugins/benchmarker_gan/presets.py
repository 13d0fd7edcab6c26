"""Options of the GANs, and the training recipes that their presets stand for.

A preset is a complete recipe: objective, optimisers, latent distribution, normalisation of pixels and augmentation. An
option that is not null overrides one entry of it. The networks of a preset are in `benchmarker_gan.dcgan` and
`benchmarker_gan.cgan`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from pydantic import Field

from benchmarker import Batches, Options
from benchmarker_gan.objectives import HingeAuxiliary, NonSaturating, NonSaturatingAuxiliary, Objective
from benchmarker_gan.pixels import Scaling

_Count = Annotated[int, Field(strict=True, gt=0)]
_LearningRate = Annotated[float, Field(gt=0, lt=1)]
_LossWeight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class GanOptions(Options):
    """Options of all GANs; null keeps the value of the preset."""

    filters: Annotated[int, Field(strict=True, ge=4)] | None = None
    """Number of convolution filters that sets the width of all layers, see the preset."""

    latent_dim: _Count | None = None
    """Dimension of the latent space."""

    batch_size: _Count | None = None
    """Images per step; with one GAN per class, the mean number of images of each class per step."""

    discriminator_learning_rate: _LearningRate | None = None
    """Learning rate of the discriminator."""

    generator_learning_rate: _LearningRate | None = None
    """Learning rate of the generator."""

    beta_1: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Decay rate of the first moment in both Adam optimisers."""

    augment: bool | None = None
    """Show the discriminator images in random orientations and with random shifts, so that it cannot memorise a small
    training set (arXiv:2006.10738)."""

    ema_decay: Annotated[float, Field(ge=0, lt=1)] | None = None
    """Decay per step of the exponential moving average of the generator that draws samples (arXiv:1806.04498); with 0
    the latest weights draw them."""

    stretch: Annotated[float, Field(gt=0, le=1)] | None = None
    """Exponent applied to pixel values before training: 0.5 emphasises faint structure in linear fluxes, 1 is for
    images that are stretched already."""


class DcganOptions(GanOptions):
    """Options of the generator ``dcgan``."""

    preset: Literal["small", "radio", "colour"] = "small"
    """Networks and training: narrow networks for small training sets, or as published for radio galaxies
    (128 x 128 x 1) or for colour images (128 x 128 x 3). The published ones are unconditional: give
    `conditions: []`."""


class CganOptions(GanOptions):
    """Options of the generator ``cgan``."""

    preset: Literal["projection", "published"] = "projection"
    """Networks, losses and training: a projection discriminator for small training sets that follows its conditions, or
    the published networks (50 x 50 x 3)."""

    class_loss_weight: _LossWeight = 0.3
    """Weight of the cross-entropy of the predicted class in the preset ``projection``. Lower it for classes that are
    hard to distinguish: a generator may otherwise please the classifier with patterns that no galaxy has. With 0 only
    the discriminator, which receives the class as an input, separates the classes."""

    attribute_loss_weight: _LossWeight = 3.0
    """Weight of the squared error of predicted continuous conditions in the preset ``projection``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a GAN is trained.

    Parameters
    ----------
    objective : Objective
        Losses of both networks.
    latent_dim : int
        Dimension of the latent space.
    latent_distribution : {"normal", "uniform"}
        Distribution of latent points: standard normal, or uniform in [-1, 1].
    batch_size : int
        Images per step.
    discriminator_learning_rate, generator_learning_rate, beta_1 : float
        Settings of the two Adam optimisers.
    augment : bool
        Whether images are augmented before the discriminator sees them, see `benchmarker_gan.pixels`. Real images get a
        random orientation, generated images the orientation that three additional latent numbers choose, and both
        random shifts.
    ema_decay : float or None
        Decay per step of the moving average of the generator that draws samples; None samples with the latest weights.
    scaling : {"standardise", "symmetric", "none"}
        Scale of the pixel values that the networks see, see `benchmarker_gan.pixels.PixelNormalisation`.
    stretch : float
        Exponent applied to pixel values before the scaling.
    updates : {"in turn", "together", "halves"}
        Order of the updates of a step, see `benchmarker_gan.adversarial.Gan`. "halves" is for the objective
        `NonSaturating`.
    shared_noise : bool
        Whether both networks learn from the same latent points.
    joint_batch : bool
        Whether the discriminator sees real and generated images as one batch.
    batches : Batches
        Order of the images, and whether an incomplete last batch is used.
    """

    objective: Objective
    latent_dim: int
    latent_distribution: Literal["normal", "uniform"]
    batch_size: int
    discriminator_learning_rate: float
    generator_learning_rate: float
    beta_1: float
    augment: bool
    ema_decay: float | None
    scaling: Scaling
    stretch: float = 1.0
    updates: Literal["in turn", "together", "halves"] = "in turn"
    shared_noise: bool = False
    joint_batch: bool = False
    batches: Batches = field(default_factory=Batches)


_PLAIN = Recipe(
    objective=NonSaturating(),
    latent_dim=100,
    latent_distribution="normal",
    batch_size=256,
    discriminator_learning_rate=1e-4,
    generator_learning_rate=1e-4,
    beta_1=0.9,
    augment=False,
    ema_decay=None,
    scaling="symmetric",
)

RECIPES: Mapping[str, Recipe] = {
    "radio": replace(_PLAIN, updates="together", shared_noise=True, batches=Batches(incomplete=True)),
    "colour": replace(
        _PLAIN,
        updates="halves",
        batches=Batches(order="drawn"),
        batch_size=128,
        discriminator_learning_rate=2e-4,
        generator_learning_rate=2e-4,
        beta_1=0.5,
    ),
    "small": replace(
        _PLAIN,
        latent_dim=64,
        batch_size=32,
        discriminator_learning_rate=2e-4,
        generator_learning_rate=2e-4,
        beta_1=0.5,
        augment=True,
        ema_decay=0.99,
        scaling="standardise",
        stretch=0.5,
    ),
    "published": replace(
        _PLAIN,
        objective=NonSaturatingAuxiliary(adversarial_weight=50.0),
        latent_distribution="uniform",
        batch_size=64,
        generator_learning_rate=4e-4,
        beta_1=0.5,
        scaling="none",
        shared_noise=True,
        joint_batch=True,
        batches=Batches(order="fixed"),
    ),
    "projection": replace(
        _PLAIN,
        objective=HingeAuxiliary(n_classes=0, class_weight=0.1, attribute_weight=3.0),
        latent_dim=64,
        batch_size=16,
        discriminator_learning_rate=1e-3,
        generator_learning_rate=5e-4,
        beta_1=0.0,
        augment=True,
        ema_decay=0.99,
        scaling="standardise",
    ),
}

FILTERS: Mapping[str, int] = {"radio": 64, "colour": 256, "small": 16, "published": 64, "projection": 16}
"""Default of the option `filters` for each preset; the networks document which layer it refers to."""

_OVERRIDES = (
    "latent_dim",
    "batch_size",
    "discriminator_learning_rate",
    "generator_learning_rate",
    "beta_1",
    "augment",
    "ema_decay",
    "stretch",
)


def recipe(preset: str, options: GanOptions) -> Recipe:
    """Return the recipe of a preset with the entries that the options override.

    Examples
    --------
    >>> changed = recipe("radio", DcganOptions(batch_size=8))
    >>> changed.batch_size, changed.latent_dim
    (8, 100)
    """
    given: dict[str, Any] = {name: getattr(options, name) for name in _OVERRIDES}
    overrides = {name: value for name, value in given.items() if value is not None}
    if overrides.get("ema_decay") == 0:
        overrides["ema_decay"] = None
    return replace(RECIPES[preset], **overrides)
