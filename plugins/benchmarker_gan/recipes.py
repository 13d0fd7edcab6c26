"""What the presets say, and how options change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from benchmarker_gan.objectives import CrossEntropy, HingeWithJudge, RewardedError
from benchmarker_gan.options import GanOptions
from benchmarker_gan.pair import Recipe

_CLASSIC = Recipe(
    objective=CrossEntropy(),
    latent=100,
    distribution="normal",
    batch_size=256,
    discriminator_rate=1e-4,
    generator_rate=1e-4,
    beta1=0.9,
    augmented=False,
    average=None,
    unit="symmetric",
)

RECIPES: Mapping[str, Recipe] = {
    "radio": _CLASSIC,
    # Its description names no batch size and no latent size: those of the paper on DCGANs, arXiv:1511.06434.
    "colour": replace(_CLASSIC, batch_size=128, discriminator_rate=2e-4, generator_rate=2e-4, beta1=0.5),
    "small": replace(
        _CLASSIC,
        latent=64,
        batch_size=32,
        discriminator_rate=2e-4,
        generator_rate=2e-4,
        beta1=0.5,
        augmented=True,
        average=0.99,
        unit="standard",
        stretch=0.5,
    ),
    "published": replace(
        _CLASSIC,
        objective=RewardedError(weight=50.0),
        distribution="uniform",
        batch_size=64,
        generator_rate=4e-4,
        beta1=0.5,
        unit="prepared",
    ),
    "projection": replace(
        _CLASSIC,
        objective=HingeWithJudge(n_classes=0, class_weight=0.1, attribute_weight=3.0),
        latent=64,
        batch_size=16,
        discriminator_rate=1e-3,
        generator_rate=5e-4,
        beta1=0.0,
        augmented=True,
        average=0.99,
        unit="standard",
    ),
}

WIDTHS: Mapping[str, int] = {"radio": 64, "colour": 256, "small": 16, "published": 64, "projection": 16}
"""Published, or enough for small sets on few cores; see the networks for what is counted."""

_SETTINGS = ("latent", "batch_size", "discriminator_rate", "generator_rate", "beta1", "augmented", "average", "stretch")


def recipe(preset: str, options: GanOptions) -> Recipe:
    """Return the recipe of a preset with what the options change of it."""
    changes: dict[str, Any] = {name: getattr(options, name) for name in _SETTINGS}
    changed = {name: value for name, value in changes.items() if value is not None}
    if changed.get("average") == 0:
        changed["average"] = None
    return replace(RECIPES[preset], **changed)
