"""Caveats in words, and the numbers from which they are given."""

from __future__ import annotations

import pytest
from scipy import special

from benchmarker.statistics.caveats import no_spread, one_seed, too_few_for_correction, unfinished


def level_of(t: float, degrees_of_freedom: float, tests: int = 1) -> float:
    """Return the level at which the smallest p of a table must come from a value of Student's t."""
    return 1 - 2 * tests * float(special.stdtr(degrees_of_freedom, -t))


def test_one_seed_is_named() -> None:
    assert str(one_seed(1)).startswith("One seed")
    assert one_seed(2) is None
    assert one_seed(3) is None


def test_missing_seeds_are_counted() -> None:
    assert unfinished(2, 3) == "2 of 3 seeds finished"
    assert unfinished(3, 3) is None
    assert unfinished(1000, 999 + 1) is None
    assert unfinished(4, 3) is None


def test_too_many_comparisons_for_the_seeds_are_named() -> None:
    assert str(too_few_for_correction(3, 2, 30)).startswith("3 seeds and 30 comparisons")
    assert str(too_few_for_correction(2, 1, 1)).startswith("2 seeds and 1 comparisons")
    assert too_few_for_correction(3, 60, 435) is None
    assert too_few_for_correction(10, 9, 5) is None
    assert too_few_for_correction(3, 2, 0) is None
    assert too_few_for_correction(1, 2, 30) is None
    assert too_few_for_correction(0, 2, 30) is None


@pytest.mark.parametrize(("degrees_of_freedom", "tests"), [(2, 1), (2, 4), (9, 30)])
def test_caveat_of_the_correction_begins_at_a_t_of_ten(degrees_of_freedom: float, tests: int) -> None:
    for t, caveat in ((9.8, False), (10.2, True)):
        found = too_few_for_correction(3, degrees_of_freedom, tests, level_of(t, degrees_of_freedom, tests))
        assert (found is not None) is caveat
        if found is not None:
            assert "t = 10 or more" in found


def test_equal_differences_are_named() -> None:
    assert "all 2 seeds" in str(no_spread([1.0, 1.0]))
    assert "all 3 seeds" in str(no_spread([1.0, 1.0, 1.0]))
    assert no_spread([1.0, 1.1]) is None
    assert no_spread([1.0]) is None
    assert no_spread([]) is None
