"""Power and numbers of seeds against statsmodels."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from statsmodels.stats.power import TTestPower

from benchmarker.statistics.paired import VarianceComponents
from benchmarker.statistics.power import detection_power, plan_seeds, seeds_needed, smallest_detectable


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
