"""Caveats in words."""

from __future__ import annotations

from benchmarker.statistics.caveats import no_spread, one_seed, too_few_for_correction


def test_caveats_name_the_number_of_seeds() -> None:
    assert one_seed(3) is None
    assert str(one_seed(1)).startswith("One seed")
    assert str(too_few_for_correction(3, 2, 30)).startswith("3 seeds and 30 comparisons")
    assert too_few_for_correction(3, 60, 435) is None
    assert too_few_for_correction(10, 9, 5) is None
    assert no_spread([1.0, 1.0])
    assert no_spread([1.0, 1.1]) is None
