"""False verdicts and power over thousands of simulated studies: no more than claimed, and as often as claimed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarker import Stream
from benchmarker.statistics.multiple_testing import holm
from benchmarker.statistics.power import detection_power, plan_seeds
from benchmarker.statistics.verdicts import equivalence_p
from tests.statistics.simulator import World, compared, draw, excludes_zero, measured, resample, stored_studies, truth

NOMINAL = 0.05
STUDIES = 2000


def tolerated(rate: float, studies: int) -> float:
    """Three standard errors above a rate: what a right procedure stays below in 999 of 1,000 simulations."""
    return rate + 3 * math.sqrt(rate * (1 - rate) / studies)


def test_the_same_network_twice_rarely_differs() -> None:
    above, below = excludes_zero(World(), 400, "quick")
    assert above + below <= tolerated(NOMINAL, 400)


@pytest.mark.statistics
@pytest.mark.parametrize("real", [None, 0, 1])
@pytest.mark.parametrize("seed_effect", [0.0, 0.1, 0.4])
@pytest.mark.parametrize("seeds", [2, 3, 10])
def test_false_verdicts_of_the_same_network(seeds: int, seed_effect: float, real: int | None) -> None:
    world = World(seeds=seeds, seed_effect=seed_effect, real=real)
    above, below = excludes_zero(world, STUDIES, "same network")
    assert above <= tolerated(NOMINAL / 2, STUDIES)
    assert above + below <= tolerated(NOMINAL, STUDIES)


@pytest.mark.statistics
@pytest.mark.parametrize(("real", "quirk"), [(None, 0.4), (None, 1.0), (1, 0.4)])
@pytest.mark.parametrize("seed_effect", [0.0, 0.15, 0.4])
@pytest.mark.parametrize("seeds", [2, 3, 10])
def test_false_verdicts_of_networks_that_are_equally_good(
    seeds: int, seed_effect: float, quirk: float, real: int | None
) -> None:
    world = World(seeds=seeds, seed_effect=seed_effect, quirk=quirk, real=real)
    above, below = excludes_zero(world, STUDIES, "equally good")
    assert above + below <= tolerated(NOMINAL, STUDIES)


@pytest.mark.statistics
@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize(
    ("study", "network"), [(k, name) for k, study in enumerate(stored_studies()) for name in study[1]]
)
def test_false_verdicts_of_resampled_predictions(study: int, network: str, seeds: int) -> None:
    generator = Stream("resampled predictions", study=study, network=network, seeds=seeds).generator()
    wrong = 0
    for _ in range(STUDIES):
        first, second = resample(study, network, seeds, generator)
        value, found = measured(first, second)
        wrong += abs(value) > found.half_width(NOMINAL)
    assert wrong / STUDIES <= tolerated(NOMINAL, STUDIES)


@pytest.mark.statistics
@pytest.mark.parametrize("sources", [40, 1000])
def test_false_verdicts_with_few_and_many_sources(sources: int) -> None:
    for quirk in (0.0, 0.6):
        above, below = excludes_zero(World(sources=sources, quirk=quirk), STUDIES, "sources")
        assert above + below <= tolerated(NOMINAL, STUDIES)


@pytest.mark.statistics
@pytest.mark.parametrize("seeds", [3, 5])
def test_a_whole_table_keeps_the_error_rate(seeds: int) -> None:
    studies = 600
    generator = Stream("simulation of tables", seeds=seeds).generator()
    wrong = 0
    for _ in range(studies):
        runs = draw(World(seeds=seeds), generator, networks=4)
        p = [compared(runs[a], runs[b]).p for a in range(4) for b in range(a)]
        wrong += any(each is not None and each < NOMINAL for each in holm(p))
    assert wrong / studies <= tolerated(NOMINAL, studies)


@pytest.mark.statistics
@pytest.mark.parametrize("seeds", [3, 10])
@pytest.mark.parametrize("gain", [0.3, 0.6])
@pytest.mark.parametrize("quirk", [0.0, 0.5])
def test_a_planted_difference_is_found_as_often_as_claimed(seeds: int, gain: float, quirk: float) -> None:
    world = World(seeds=seeds, gain=gain, quirk=quirk)
    delta, components = truth(world)
    claimed = detection_power(delta, components)
    found, _ = excludes_zero(world, STUDIES, "planted")
    assert found == pytest.approx(claimed, abs=0.04)


@pytest.mark.statistics
def test_planned_seeds_reach_the_planned_power() -> None:
    world = World(seeds=3, gain=0.25, quirk=0.2)
    delta, components = truth(world)
    needed = plan_seeds(delta, components).needed
    assert needed is not None
    assert needed > 3
    found, _ = excludes_zero(replace(world, seeds=needed), 1500, "planned")
    assert found >= 0.8 - 0.04
    fewer, _ = excludes_zero(replace(world, seeds=needed - 1), 1500, "planned")
    assert fewer <= 0.8 + 0.04


@pytest.mark.statistics
@pytest.mark.parametrize("seeds", [3, 10])
def test_networks_that_differ_by_the_margin_are_rarely_equivalent(seeds: int) -> None:
    world = World(seeds=seeds, gain=0.1, seed_effect=0.02)
    margin, _ = truth(world, 3000)
    generator = Stream("simulation of equivalence", seeds=seeds).generator()
    studies, wrong = 1500, 0
    for _ in range(studies):
        first, second = draw(world, generator)
        wrong += equivalence_p(compared(first, second), abs(margin)) < NOMINAL
    assert wrong / studies <= tolerated(NOMINAL, studies)
    assert np.isfinite(margin)
