"""Nominal levels of several looks, against simulated walks, and what they cost."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from benchmarker import Stream
from benchmarker.statistics.boundaries import nominal_level, spent_share

LOOKS = tuple(range(3, 11))


def levels(looks: tuple[int, ...], most: int, error_rate: float) -> list[float]:
    return [nominal_level(looks[: k + 1], most, error_rate) for k in range(len(looks))]


def test_all_looks_together_spend_the_error_rate_once() -> None:
    shares = [spent_share(n, 10) for n in LOOKS]
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)


@pytest.mark.parametrize("looks", [LOOKS, (2, 3, 5, 9, 10)])
def test_walks_cross_the_boundaries_as_often_as_is_spent(looks: tuple[int, ...]) -> None:
    walks = 200_000
    generator = Stream("walks and boundaries", looks=list(looks)).generator()
    steps = np.sqrt(np.diff([0, *looks])) * generator.standard_normal((walks, len(looks)))
    z = np.abs(steps.cumsum(axis=1)) / np.sqrt(looks)
    inside = np.ones(walks, dtype=bool)
    for k, level in enumerate(levels(looks, 10, 0.05)):
        inside &= z[:, k] < -special.ndtri(level / 2)
        spent = 0.05 * spent_share(looks[k], 10)
        assert 1 - inside.mean() == pytest.approx(spent, abs=4 * np.sqrt(spent / walks))


def test_a_single_look_may_use_the_whole_error_rate() -> None:
    assert nominal_level((5,), 5, 0.05) == pytest.approx(0.05)


def test_later_looks_may_use_more_than_what_they_add() -> None:
    """Bonferroni's inequality would give each look the difference of what is spent before and after it."""
    found = levels(LOOKS, 10, 0.05)
    added = 0.05 * np.diff([spent_share(n, 10) for n in LOOKS])
    assert found[0] == pytest.approx(0.05 * spent_share(3, 10))
    assert (np.array(found[1:]) > 2 * added).all()


def test_strict_levels_lose_a_larger_part_to_looking() -> None:
    """So the part of the strictest level may be used in every step of Holm's correction."""
    shares = np.array([[level / rate for level in levels(LOOKS, 10, rate)] for rate in (0.05, 0.01, 1e-3, 1e-5)])
    assert (np.diff(shares, axis=0)[:, 1:] < 0).all()
