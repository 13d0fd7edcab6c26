"""Crossed studies whose truth is known: main effects of arms and networks, and intervals for new galaxies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from benchmarker import Stream
from benchmarker.statistics.comparison import ComparisonSettings, ComparisonTable
from benchmarker.statistics.main_effects import _arms, _interactions, _networks, crossed_rows
from benchmarker.statistics.mean_scores import mean_scores
from benchmarker.statistics.multiple_testing import holm
from benchmarker.statistics.network_results import NetworkResults, Score, SeedResult, SourceSums
from benchmarker.statistics.pairing import pooled_variance
from tests.statistics.characteristics import scores

Array = NDArray[np.float64]
METRIC = "mean_per_class_accuracy"
SETTINGS = ComparisonSettings(metric=METRIC, unit="pp", higher_is_better=True, level=0.95, margin=None)


@dataclass(frozen=True)
class Crossed:
    """A study of networks in arms, and the world that its runs come from.

    Parameters
    ----------
    networks, arms, seeds : int
        Size of the study; the first arm is the reference.
    classes : tuple of int
        Test sources of each class.
    ability : float
        Ability of the first network in the reference arm; latent scale.
    gain : tuple of float
        Gain of each arm for every network; none if empty.
    better : tuple of float
        Ability of each network above the first; all equal if empty.
    luck, quirk, noise, difficulty : float
        Standard deviations of seeds (per run), of network and source, of run and source, and of sources.
    taste : float
        Standard deviation of an arm's bias for or against each source, which all networks share.
    generator : float
        Standard deviation of luck that all networks of an arm share under one seed, as those of a generator do.
    """

    networks: int = 5
    arms: int = 3
    seeds: int = 3
    classes: tuple[int, ...] = (50, 50, 50, 50)
    ability: float = 1.0
    gain: tuple[float, ...] = ()
    better: tuple[float, ...] = ()
    luck: float = 0.1
    quirk: float = 0.45
    noise: float = 0.6
    difficulty: float = 1.5
    taste: float = 0.0
    generator: float = 0.0

    def draw(self, generator: np.random.Generator) -> Array:  # noqa: TID251 - a type
        """Return correctness, ndarray of shape (networks, arms, seeds, sources)."""
        shape = (self.networks, self.arms, self.seeds, sum(self.classes))
        latent = self.ability - self.difficulty * generator.standard_normal(shape[-1])
        latent = latent + self.luck * generator.standard_normal(shape[:3])[..., None]
        latent = latent + self.generator * generator.standard_normal((1, *shape[1:3]))[..., None]
        latent = latent + self.quirk * generator.standard_normal((self.networks, 1, 1, shape[-1]))
        latent = latent + self.taste * generator.standard_normal((1, self.arms, 1, shape[-1]))
        latent = latent + self.noise * generator.standard_normal(shape)
        latent = latent + np.array(self.gain or (0.0,) * self.arms)[None, :, None, None]
        latent = latent + np.array(self.better or (0.0,) * self.networks)[:, None, None, None]
        right: Array = (latent > 0).astype(np.float64)
        return right

    def rows(self, generator: np.random.Generator) -> list[NetworkResults]:  # noqa: TID251 - a type
        """Return the rows of one study, in the order of networks and arms."""
        right = self.draw(generator)
        return [
            as_row(right[k, a], self.classes, f"network {k}", f"arm {a}")
            for k in range(self.networks)
            for a in range(self.arms)
        ]

    def truth(self, network: int = 0, arm: int = 0) -> float:
        """Return the accuracy over all seeds and sources, in percent."""
        mean = self.ability + (self.gain or (0.0,) * self.arms)[arm] + (self.better or (0.0,) * self.networks)[network]
        parts = (self.difficulty, self.luck, self.generator, self.quirk, self.taste, self.noise)
        return 100 * float(special.ndtr(mean / np.linalg.norm(parts)))


def as_row(right: Array, classes: tuple[int, ...], network: str, arm: str) -> NetworkResults:
    """Return the result of a network whose correctness under each seed is known, shape (seeds, sources)."""
    values, left_out, strata = scores(right, classes)
    names = tuple(f"source {k}" for k in range(right.shape[1]))
    empty = SourceSums(sources=names, strata=strata, values=np.zeros((len(names), 1, 3)), classes=len(classes))
    seeds = {seed: SeedResult(value=float(value), sums=empty) for seed, value in enumerate(values)}
    found: dict[tuple[int, str, int | None], Score | None] = {
        (seed, METRIC, None): Score(value=float(value), left_out=left_out[seed]) for seed, value in enumerate(values)
    }
    return NetworkResults(network=network, arm=arm, model=network, planned=len(seeds), seeds=seeds, _scores=found)


def tables(rows: list[NetworkResults]) -> tuple[ComparisonTable, ComparisonTable, ComparisonTable]:
    """Return the main effects of arms and of networks, and the interactions."""
    found = crossed_rows(rows, "arm 0")
    assert found is not None
    return _arms(found, SETTINGS, "arm 0"), _networks(found, SETTINGS), _interactions(found, SETTINGS, "arm 0")


def decided(table: ComparisonTable) -> list[bool]:
    """Return which rows of a table are called better or worse."""
    return [row.verdict in {"better", "worse"} for row in table.rows]


def false_effects(world: Crossed, studies: int) -> tuple[float, float, float]:
    """Return the share of studies of equal arms and networks with a false effect of each of the three kinds."""
    generator = Stream("false main effects", world=str(world)).generator()
    found = np.array([[any(decided(table)) for table in tables(world.rows(generator))] for _ in range(studies)])
    return tuple(found.mean(axis=0))


def power_of_arms(world: Crossed, studies: int) -> float:
    """Return how often the effect of the last arm is found."""
    generator = Stream("power of main effects", world=str(world)).generator()
    found = 0
    for _ in range(studies):
        crossed = crossed_rows(world.rows(generator), "arm 0")
        assert crossed is not None
        found += _arms(crossed, SETTINGS, "arm 0").rows[-1].verdict == "better"
    return found / studies


def oracle_power_of_arms(world: Crossed, studies: int) -> float:
    """Return how often a test that knows the true variance of every effect finds that of the last arm.

    No method without this knowledge can find it more often at the same error rate: with all variances known, the best
    estimate of a crossed model with as many runs everywhere is the difference of means, and its z test is the best one.
    Classes must be equally large.
    """
    generator = Stream("oracle of main effects", world=str(world)).generator()
    means = np.array([100 * world.draw(generator).mean(axis=(0, 2, 3)) for _ in range(studies)])
    effects = means[:, 1:] - means[:, :1]
    z = effects / effects.std(axis=0, ddof=1)
    p = 2 * special.ndtr(-np.abs(z))
    found = [(holm(list(row))[-1] or 0.0) < 1 - SETTINGS.level for row in p.tolist()]
    return float(np.mean(found))


def coverage(world: Crossed, studies: int) -> tuple[float, float, float]:
    """Return how often intervals of means contain the truth, and how often the truth is below and above them."""
    generator = Stream("coverage of means", world=str(world)).generator()
    truth, low, high = world.truth(), 0, 0
    for _ in range(studies):
        rows = world.rows(generator)
        first = mean_scores(rows, SETTINGS, pooled_variance(rows, SETTINGS))[0]
        assert first.low is not None
        assert first.high is not None
        assert 0 <= first.low <= first.value + 1e-9
        assert first.value - 1e-9 <= first.high <= 100
        low += truth < first.low
        high += truth > first.high
    return 1 - (low + high) / studies, low / studies, high / studies
