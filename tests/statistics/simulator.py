"""Simulated predictions with a known truth, on which intervals and power are tested.

A run classifies a source correctly where ``ability + luck of the seed + quirk of network and source + noise`` exceeds
the source's difficulty. Difficulties are normally distributed, or estimated from how many real networks were right.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import special

from benchmarker import Stream
from benchmarker.statistics.paired import MeanDifference, VarianceComponents, jackknife_covariance, variance_components

if TYPE_CHECKING:
    from benchmarker.randomness import RandomGenerator

Array = NDArray[np.float64]
CLASSES = 4


@dataclass(frozen=True)
class World:
    """True parameters of simulated studies.

    Parameters
    ----------
    seeds, sources : int
        Number of seeds, and of test sources in four classes of equal size.
    seed_effect : float
        Standard deviation of the luck of a seed, on the latent scale (real runs show 0.05 to 0.15).
    quirk : float
        Standard deviation of a network's bias for or against each source under all seeds; 0 for the same network twice.
    noise : float
        Standard deviation of everything else.
    ability : float
        Latent ability of the second network; that of the first is higher by ``gain``.
    gain : float
        Planted difference, on the latent scale.
    real : int or None
        Number of the stored study whose sources give the difficulties.
    """

    seeds: int = 3
    sources: int = 200
    seed_effect: float = 0.1
    quirk: float = 0.0
    noise: float = 0.6
    ability: float = 1.0
    gain: float = 0.0
    real: int | None = None


@cache
def stored_studies() -> list[tuple[NDArray[np.int64], dict[str, NDArray[np.bool_]]]]:
    """Return class by source, and correctness by network, seed and source, of two real studies of 200 sources."""
    content = json.loads((Path(__file__).parent / "stored_predictions.json").read_text(encoding="utf-8"))
    return [
        (
            np.array([int(digit) for digit in study["classes"]]),
            {name: np.array([[c == "1" for c in run] for run in runs]) for name, runs in study["right"].items()},
        )
        for study in content
    ]


def draw(world: World, generator: RandomGenerator, networks: int = 2) -> Array:
    """Return correctness of several networks, ndarray of shape (networks, seeds, sources); classes in order."""
    shape = (networks, world.seeds, world.sources)
    latent = world.ability - _difficulties(world, generator)
    latent = latent + world.seed_effect * generator.standard_normal((networks, world.seeds, 1))
    latent = latent + world.quirk * generator.standard_normal((networks, 1, world.sources))
    latent = latent + world.noise * generator.standard_normal(shape)
    latent[0] += world.gain
    return (latent > 0).astype(np.float64)


def resample(study: int, network: str, seeds: int, generator: RandomGenerator) -> tuple[Array, Array]:
    """Return correctness of a stored network twice: other draws of its runs and, shared by both, of the test sources.

    Parameters
    ----------
    study : int
        Number of a stored study.
    network : str
        One of its networks.
    seeds : int
        Runs of each side, drawn with replacement.
    generator : RandomGenerator
        Where draws come from.

    Returns
    -------
    tuple of ndarray of shape (seeds, sources)
        Sources of one class are adjacent.
    """
    classes, networks = stored_studies()[study]
    right = networks[network].astype(np.float64)
    size = min(np.bincount(classes))
    sources = np.concatenate([generator.choice(np.flatnonzero(classes == k), size) for k in range(CLASSES)])
    runs = generator.integers(len(right), size=(2, seeds, 1))
    return right[runs[0], sources], right[runs[1], sources]


def _difficulties(world: World, generator: RandomGenerator) -> Array:
    if world.real is None:
        return 1.5 * generator.standard_normal(world.sources)
    classes, share = _real_shares(world.real)
    # How hard a real source is, on the scale on which noise is added.
    difficulty = world.ability - world.noise * special.ndtri(share)
    size = world.sources // CLASSES
    return np.concatenate([generator.choice(difficulty[classes == k], size) for k in range(CLASSES)])


@cache
def _real_shares(study: int) -> tuple[NDArray[np.int64], Array]:
    classes, networks = stored_studies()[study]
    right = np.concatenate(list(networks.values())).astype(np.float64)
    return classes, (right.sum(axis=0) + 0.5) / (len(right) + 1)


def per_class(differences: Array) -> tuple[Array, Array, NDArray[np.int64]]:
    """Return mean per-class accuracies in percent, the same without one source each, and the class of each source."""
    seeds, sources = differences.shape
    size = sources // CLASSES
    values = 100 * differences.reshape(seeds, CLASSES, size)
    total = values.sum(axis=2, keepdims=True)
    means = values.mean(axis=2)
    value = means.mean(axis=1)
    without = (total - values) / (size - 1)
    left_out = value[:, None, None] + (without - means[:, :, None]) / CLASSES
    return value, left_out.reshape(seeds, sources), np.repeat(np.arange(CLASSES), size)


def measured(first: Array, second: Array) -> tuple[float, VarianceComponents]:
    """Return the mean difference of two networks in percentage points, and its variance as reports estimate it."""
    value, left_out, strata = per_class(first - second)
    components = variance_components(value, left_out, strata)
    assert components is not None
    return float(value.mean()), components


def compared(first: Array, second: Array, level: float = 0.95) -> MeanDifference:
    """Return a difference with its interval as reports compute it."""
    return MeanDifference.of(*measured(first, second), level)


def excludes_zero(world: World, studies: int, purpose: str, level: float = 0.95) -> tuple[float, float]:
    """Return how often the interval lies above zero, and how often below, over simulated studies."""
    generator = Stream(f"simulation {purpose}", **vars(world)).generator()
    above = below = 0
    for _ in range(studies):
        first, second = draw(world, generator)
        value, found = measured(first, second)
        half = found.half_width(1 - level)
        above += value > half
        below += value < -half
    return above / studies, below / studies


def truth(world: World, studies: int = 2000) -> tuple[float, VarianceComponents]:
    """Return the true difference in percentage points and the true variances, from many studies of a world."""
    generator = Stream("simulation truth", **vars(world)).generator()
    differences, seeds, floors, shared = [], [], [], []
    many = replace(world, seeds=4)
    for _ in range(studies):
        first, second = draw(many, generator)
        value, left_out, strata = per_class(first - second)
        covariance, _ = jackknife_covariance(left_out, strata)
        own = np.trace(covariance) / 4
        c = (covariance.sum() - 4 * own) / 12
        differences.append(value.mean())
        seeds.append(value.var(ddof=1))
        floors.append(own - c)
        shared.append(c)
    return float(np.mean(differences)), VarianceComponents(
        n=world.seeds,
        seeds=float(np.mean(seeds)),
        floor=float(np.mean(floors)),
        sources=max(0.0, float(np.mean(shared))),
        sources_degrees_of_freedom=float(world.sources - CLASSES),
    )
