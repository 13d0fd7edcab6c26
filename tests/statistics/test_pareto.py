"""Pareto fronts against a comparison of all pairs."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarker import Stream
from benchmarker.statistics.pareto import PARETO_COSTS, pareto_front


def test_pareto_front_is_that_of_all_pairs() -> None:
    values = Stream("pareto").generator().integers(0, 6, (40, 3)).astype(float)
    higher = [True, False, True]
    signed = values * np.where(higher, 1, -1)
    expected = [not any((other >= own).all() and (other > own).any() for other in signed) for own in signed]
    assert pareto_front(values, higher_is_better=higher).tolist() == expected
    with pytest.raises(ValueError, match="one direction per column"):
        pareto_front(values, higher_is_better=[True])


def test_costs_are_low_and_speed_is_high() -> None:
    assert PARETO_COSTS == {"parameters": False, "flops": False, "inference_images_per_second": True}
