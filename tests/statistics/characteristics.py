"""Whole tables of networks whose truth is known: false verdicts and power of the pooled method.

A source is classified correctly where ability - difficulty (sd 1.5 per source) + luck of the seed + quirk (sd 0.45 per
source and network) + noise (sd 0.6 per run) is positive.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from benchmarker import MeanDifference, PooledVariance, Stream
from benchmarker.statistics.comparing import _equivalence
from benchmarker.statistics.multiple_testing import holm
from benchmarker.statistics.paired import agreement_variance, variance_components

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """A table of networks and the world that its runs come from.

    Parameters
    ----------
    luck : sequence of float
        Standard deviation of the luck of a seed for each network; its length is the number of networks.
    seeds : int
        Seeds of each network.
    classes : sequence of int
        Test sources of each class.
    gain : sequence of float
        Ability of each network above the first; latent scale. All equal if empty.
    quirk, noise, difficulty : float
        Standard deviations as in the module's description.
    heavy : bool
        Draw luck from Student's t with 3 degrees of freedom, scaled to the same standard deviation.
    shared : float
        Standard deviation of luck that all networks share under one seed.
    """

    luck: tuple[float, ...]
    seeds: int = 3
    classes: tuple[int, ...] = (50, 50, 50, 50)
    gain: tuple[float, ...] = ()
    quirk: float = 0.45
    noise: float = 0.6
    difficulty: float = 1.5
    heavy: bool = False
    shared: float = 0.0

    def draw(self, generator: np.random.Generator) -> Array:  # noqa: TID251 - a type
        """Return correctness, ndarray of shape (networks, seeds, sources)."""
        networks, sources = len(self.luck), sum(self.classes)
        luck = (
            generator.standard_t(3, (networks, self.seeds)) / np.sqrt(3)
            if self.heavy
            else generator.standard_normal((networks, self.seeds))
        )
        luck = np.array(self.luck)[:, None] * luck + self.shared * generator.standard_normal((1, self.seeds))
        latent = 1.0 - self.difficulty * generator.standard_normal(sources) + luck[:, :, None]
        latent = latent + self.quirk * generator.standard_normal((networks, 1, sources))
        latent = latent + self.noise * generator.standard_normal((networks, self.seeds, sources))
        if self.gain:
            latent = latent + np.array(self.gain)[:, None, None]
        return (latent > 0).astype(np.float64)


def scores(right: Array, classes: Sequence[int]) -> tuple[Array, Array, NDArray[np.int64]]:
    """Return mean per-class accuracies (networks, seeds), the same without each source, and each source's class."""
    strata = np.repeat(np.arange(len(classes)), classes)
    means = np.stack([100 * right[..., strata == k].mean(axis=-1) for k in range(len(classes))], axis=-1)
    value = means.mean(axis=-1)
    size = np.array(classes)[strata]
    without = (means[..., strata] * size - 100 * right) / np.maximum(size - 1, 1)
    left_out = value[..., None] + (without - means[..., strata]) / len(classes)
    return value, left_out, strata


def compare_table(right: Array, classes: Sequence[int], margin: float = 0.0) -> tuple[Array, Array, Array]:
    """Return difference, p and p of equivalence of every pair, as the comparison of a study computes them."""
    value, left_out, strata = scores(right, classes)
    names = [f"network {k}" for k in range(len(value))]
    pool = PooledVariance({name: dict(enumerate(map(float, row))) for name, row in zip(names, value, strict=True)})
    agreement = agreement_variance(strata, 100.0)
    found = []
    for a, b in combinations(range(len(value)), 2):
        components = variance_components(value[a] - value[b], left_out[a] - left_out[b], strata)
        assert components is not None
        if pool.usable:
            pair = pool.pair(names[a], names[b])
            components = type(components)(
                n=components.n,
                seeds=pair.value,
                floor=components.floor,
                sources=components.sources,
                sources_degrees_of_freedom=components.sources_degrees_of_freedom,
                pooled_degrees_of_freedom=pair.degrees_of_freedom,
            )
        estimate = MeanDifference.of(float((value[a] - value[b]).mean()), components)
        same = _equivalence(estimate, margin, agreement) if margin else 1.0
        found.append((estimate.value, estimate.p, same))
    columns = np.array(found).T
    return columns[0], columns[1], columns[2]


def true_differences(table: Table, studies: int = 400) -> Array:
    """Return the true difference of every pair in percentage points, from many studies."""
    generator = Stream("truth of a table", table=str(table)).generator()
    means = np.mean([scores(table.draw(generator), table.classes)[0].mean(axis=1) for _ in range(studies)], axis=0)
    return np.array([means[a] - means[b] for a, b in combinations(range(len(means)), 2)])


def false_tables(table: Table, studies: int, purpose: str = "false tables") -> tuple[float, float]:
    """Return the share of tables of equal networks with a false verdict, and of pairs with one."""
    generator = Stream(purpose, table=str(table)).generator()
    tables = pairs = 0.0
    for _ in range(studies):
        adjusted = np.array(holm(list(compare_table(table.draw(generator), table.classes)[1])), dtype=np.float64)
        tables += bool((adjusted < 0.05).any())
        pairs += float((adjusted < 0.05).mean())
    return tables / studies, pairs / studies


def power(table: Table, low: float, high: float, studies: int) -> float:
    """Return the share of pairs with a true difference in a range (percentage points) that are told apart."""
    truth = true_differences(table)
    chosen = (np.abs(truth) >= low) & (np.abs(truth) <= high)
    assert chosen.any()
    generator = Stream("power of a table", table=str(table)).generator()
    found = 0.0
    for _ in range(studies):
        difference, p, _ = compare_table(table.draw(generator), table.classes)
        adjusted = np.array(holm(list(p)), dtype=np.float64)
        right = (adjusted < 0.05) & (np.sign(difference) == np.sign(truth))
        found += float(right[chosen].mean())
    return found / studies


def false_equivalence(table: Table, studies: int) -> float:
    """Return how often the first two networks are called equivalent although they differ by the margin."""
    margin = abs(float(true_differences(table, 3000)[0]))
    generator = Stream("false equivalence", table=str(table)).generator()
    wrong = 0
    for _ in range(studies):
        right = table.draw(generator)
        wrong += compare_table(right, table.classes, margin)[2][0] < 0.05
    return wrong / studies
