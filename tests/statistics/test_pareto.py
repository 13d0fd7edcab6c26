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


def test_values_within_their_noise_are_ties() -> None:
    accuracy_and_speed = [[91.0, 2324.0], [90.0, 2325.0], [89.0, 3000.0], [np.nan, 9000.0]]
    higher = [True, True]
    assert pareto_front(accuracy_and_speed, higher_is_better=higher).tolist() == [True, True, True, False]
    noise = [[0.0, 20.0]] * 4
    found = pareto_front(accuracy_and_speed, higher_is_better=higher, noise=noise)
    assert found.tolist() == [True, False, True, False]


def test_front_without_noise_is_the_same_by_both_algorithms() -> None:
    values = Stream("pareto with noise").generator().integers(0, 6, (40, 3)).astype(float)
    higher = [True, False, True]
    exact = pareto_front(values, higher_is_better=higher)
    assert pareto_front(values, higher_is_better=higher, noise=np.zeros((40, 3))).tolist() == exact.tolist()
