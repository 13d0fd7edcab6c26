"""Caveats in words."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarker.statistics.caveats import few_seeds, no_spread, smallest_signed_rank_p, too_few_for_correction


def test_caveats_name_the_number_of_seeds() -> None:
    assert few_seeds(3) == "3 seeds: a signed-rank test cannot fall below p = 0.25."
    assert few_seeds(6) is None
    assert str(few_seeds(1)).startswith("One seed")
    differences = np.array([1.0, 2.0, 3.0])
    assert smallest_signed_rank_p(3) == pytest.approx(stats.wilcoxon(differences).pvalue)
    assert str(too_few_for_correction(3, 30)).startswith("3 seeds and 30 comparisons")
    assert too_few_for_correction(10, 5) is None
    assert no_spread([1.0, 1.0])
    assert no_spread([1.0, 1.1]) is None
