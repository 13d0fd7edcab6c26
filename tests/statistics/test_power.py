"""Power and numbers of seeds against statsmodels."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from scipy import integrate, special, stats
from statsmodels.stats.power import TTestPower

from benchmarker.statistics.paired import VarianceComponents
from benchmarker.statistics.power import (
    detection_power,
    expected,
    plan_seeds,
    seeds_needed,
    smallest_detectable,
    with_seeds,
)


@pytest.mark.parametrize("n", [3, 5, 12, 40])
def test_power_without_source_variance_is_that_of_statsmodels(n: int) -> None:
    ours = detection_power(1.5, VarianceComponents(n=n, seeds=4.0))
    theirs = TTestPower().power(0.75, n, 0.05, alternative="two-sided")
    other_side = TTestPower().power(0.75, n, 0.025, alternative="smaller")
    assert ours == pytest.approx(theirs - other_side, abs=2e-3)


def test_seeds_needed_and_smallest_detectable_agree_with_power() -> None:
    components = VarianceComponents(n=3, seeds=4.0, floor=1.0, sources=0.3, sources_degrees_of_freedom=196)
    n = seeds_needed(2.5, components)
    assert n is not None
    assert detection_power(2.5, replace(components, n=n)) >= 0.8
    assert detection_power(2.5, replace(components, n=n - 1)) < 0.8
    smallest = smallest_detectable(components)
    assert smallest is not None
    assert detection_power(smallest, components) == pytest.approx(0.8, abs=1e-6)
    theirs = TTestPower().solve_power(effect_size=0.75, alpha=0.05, power=0.8, alternative="two-sided")
    assert seeds_needed(1.5, VarianceComponents(n=3, seeds=4.0)) == math.ceil(theirs)


def test_a_difference_too_small_for_the_test_sources_asks_for_more_of_them() -> None:
    components = VarianceComponents(n=3, seeds=4.0, floor=1.0, sources=1.0, sources_degrees_of_freedom=math.inf)
    made = plan_seeds(1.0, components)
    assert made.needed is None
    assert made.more is None
    assert made.limit < 0.8
    assert made.sources_factor == pytest.approx((1.959964 + 0.841621) ** 2, rel=1e-5)
    enough = plan_seeds(5.0, components)
    assert enough.needed is not None
    assert enough.needed_high is not None
    assert enough.needed <= enough.needed_high
    assert enough.sources_factor == 1
    with pytest.raises(ValueError, match="positive difference"):
        plan_seeds(0, VarianceComponents(n=3, seeds=1.0))


def test_splits_that_overlap_too_much_ask_for_no_number_of_sources() -> None:
    alone = plan_seeds(1.0, VarianceComponents(n=3, seeds=4.0, overlap=0.4))
    assert alone.needed is None
    assert alone.sources_factor is None
    both = VarianceComponents(n=3, seeds=0.2, floor=0.1, sources=1.0, overlap=0.4)
    factor = plan_seeds(1.0, both).sources_factor
    assert factor is not None
    enough = plan_seeds(1.0, replace(both, sources=both.sources / factor))
    assert enough.limit == pytest.approx(0.8, abs=1e-6)


FULL = VarianceComponents(
    n=4, seeds=4.0, floor=1.5, sources=0.6, sources_degrees_of_freedom=80, overlap=0.2, pooled_degrees_of_freedom=9.0
)
PLAIN = VarianceComponents(n=2, seeds=3.0, sources=0.5, sources_degrees_of_freedom=40)
FLOORED = VarianceComponents(n=3, seeds=1.0, floor=2.0, sources=0.2)


def by_quadrature(delta: float, components: VarianceComponents, level: float) -> float:
    """Integrate the power over the distribution of the measured variance, as the top of the module defines it."""
    freedom = components.seeds_degrees_of_freedom
    few = float(special.stdtrit(freedom, (1 + level) / 2))
    many = components.sources_quantile((1 + level) / 2)

    def integrand(ratio: float) -> float:
        measured = max(few**2 * components.seeds * ratio, many**2 * components.floor)
        half = math.sqrt(measured * (1 / components.n + components.overlap) + many**2 * components.sources)
        density = float(stats.chi2.pdf(ratio * freedom, freedom)) * freedom
        return density * float(special.ndtr((abs(delta) - half) / components.standard_error))

    return float(integrate.quad(integrand, 0, 12, limit=400)[0])


@pytest.mark.parametrize("components", [FULL, PLAIN, FLOORED])
@pytest.mark.parametrize(("delta", "level"), [(3.0, 0.95), (6.0, 0.95), (-6.0, 0.9), (9.0, 0.99)])
def test_power_is_the_integral_over_the_measured_variance(
    delta: float, level: float, components: VarianceComponents
) -> None:
    assert detection_power(delta, components, level) == pytest.approx(by_quadrature(delta, components, level), abs=4e-3)


@pytest.mark.parametrize("components", [FULL, PLAIN, FLOORED])
@pytest.mark.parametrize(("target", "level"), [(0.8, 0.95), (0.5, 0.9), (0.99, 0.95)])
def test_smallest_detectable_difference_has_the_power_asked_for(
    target: float, level: float, components: VarianceComponents
) -> None:
    smallest = smallest_detectable(components, target=target, level=level)
    assert smallest is not None
    assert detection_power(smallest, components, level) == pytest.approx(target, abs=1e-6)


def test_one_seed_has_no_power_and_no_variance_is_certainty() -> None:
    one = replace(FULL, n=1)
    assert (detection_power(5.0, one), smallest_detectable(one)) == (0, None)
    made = plan_seeds(5.0, VarianceComponents(n=1, seeds=4.0))
    assert (made.power_now, made.now) == (None, 1)
    assert made.needed == made.needed_high  # a single seed measures no variance to doubt
    certain = VarianceComponents(n=3, seeds=0.0)
    assert detection_power(0.1, certain) == 1
    assert plan_seeds(0.1, certain).limit == 1


@pytest.mark.parametrize("n", [2, 5, 40])
def test_pooled_degrees_of_freedom_grow_with_the_seeds(n: int) -> None:
    grown = with_seeds(FULL, n)
    assert grown == replace(FULL, n=n, pooled_degrees_of_freedom=9.0 * (n - 1) / 3)
    assert with_seeds(PLAIN, n) == replace(PLAIN, n=n)
    single = replace(FULL, n=1)
    assert with_seeds(single, n) == replace(single, n=n)


@pytest.mark.parametrize(("delta", "target", "level"), [(5.0, 0.8, 0.95), (6.0, 0.9, 0.9)])
def test_plan_holds_the_numbers_of_its_equations(delta: float, target: float, level: float) -> None:
    for components in (FULL, PLAIN, FLOORED):
        likely = expected(components)
        assert likely.seeds == max(components.seeds, components.floor)
        made = plan_seeds(delta, components, target=target, level=level)
        assert (made.delta, made.target, made.level, made.now) == (delta, target, level, components.n)
        assert made.power_now == detection_power(delta, likely, level)
        assert made.needed == seeds_needed(delta, likely, target=target, level=level)
        freedom = likely.seeds_degrees_of_freedom
        high = replace(likely, seeds=max(likely.seeds * freedom / float(stats.chi2.ppf(0.2, freedom)), likely.floor))
        assert made.needed_high == seeds_needed(delta, high, target=target, level=level)
        quantile = likely.sources_quantile((1 + level) / 2)
        rest = likely.sources + likely.overlap * likely.seeds
        assert made.limit == pytest.approx(float(special.ndtr(delta / math.sqrt(rest) - quantile)))
        room = (delta / (quantile + float(special.ndtri(target)))) ** 2 - likely.overlap * likely.seeds
        assert made.sources_factor == pytest.approx(max(1.0, likely.sources / room)) if room > 0 else True
        assert made.more == (None if made.needed is None else max(0, made.needed - components.n))


@pytest.mark.parametrize(
    ("components", "obstacle"),
    [
        (VarianceComponents(n=3, seeds=4.0, sources=1.0), "sources"),
        (VarianceComponents(n=3, seeds=4.0, overlap=0.4), "splits"),
        (VarianceComponents(n=3, seeds=4000.0), "seeds"),
        (VarianceComponents(n=3, seeds=0.1), None),
    ],
)
def test_obstacle_is_named_where_no_number_of_seeds_is_enough(
    components: VarianceComponents, obstacle: str | None
) -> None:
    assert plan_seeds(1.0, components).obstacle == obstacle


def test_fewest_seeds_are_found_at_both_ends() -> None:
    assert seeds_needed(50.0, VarianceComponents(n=3, seeds=0.01)) == 2
    assert seeds_needed(1.0, VarianceComponents(n=3, seeds=4000.0)) is None
