"""A collapse is distinguished from a uniform start, from noise, and from classes that differ."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarker.errors import DivergedError
from benchmarker.generation.collapse import STEPS, STEPS_AT_END, THRESHOLD, check_collapse, diversity
from benchmarker.randomness import Stream

RNG = Stream("test").generator()


def test_diversity_is_the_spread_within_classes() -> None:
    """Two classes that differ much, each of images that differ little, are not diverse."""
    groups = np.array([0, 1] * 50)
    images = np.zeros((100, 8, 8, 1), dtype=np.float32)
    images[groups == 1] = 1
    assert diversity([images], groups) == 0
    images += RNG.normal(0, 0.25, (100, 1, 1, 1)).astype(np.float32)
    spread = [images[groups == k, 0, 0, 0].astype(float).var(ddof=1) for k in (0, 1)]
    assert diversity([images[:30], images[30:]], groups) == pytest.approx(np.sqrt(np.mean(spread)))


def test_noise_of_single_pixels_counts_for_little() -> None:
    """A generator rightly leaves it out, and in large images it would outweigh the sources."""
    noise = RNG.normal(0, 0.1, (64, 64, 64, 1)).astype(np.float32)
    groups = np.zeros(64, dtype=np.int64)
    assert diversity([noise], groups) == pytest.approx(0.1 / 4, rel=0.1)
    odd = RNG.normal(0, 0.1, (64, 50, 37, 3)).astype(np.float32)
    assert 0 < diversity([odd], groups) < 0.1


def test_one_image_of_a_class_has_no_diversity() -> None:
    assert diversity([np.ones((2, 4, 4, 1), dtype=np.float32)], np.array([0, 1])) == 0


LOW, HIGH = THRESHOLD / 2, 0.8


@pytest.mark.parametrize(
    ("ratios", "last", "collapsed"),
    [
        ([HIGH] * 5 + [LOW] * 20, False, True),  # twenty epochs of 100 steps
        ([HIGH] * 5 + [LOW] * 19, False, False),  # it may come back
        ([LOW] * 19 + [HIGH], False, False),  # a slow start
        ([HIGH] * 20 + [LOW], True, True),  # what is handed on is what counts
        ([LOW] * 4, True, False),  # too short to be judged
        ([LOW] * 5, True, True),
        ([LOW] * 20, False, True),  # it never began to learn
        ([LOW, HIGH] * 20, True, False),
    ],
)
def test_collapse_lasts_or_is_at_the_end(ratios: list[float], last: bool, collapsed: bool) -> None:
    assert (STEPS, STEPS_AT_END) == (2000, 500)
    if not collapsed:
        check_collapse(ratios, 100, last=last)
        return
    with pytest.raises(DivergedError, match=r"collapsed: its images have 0\.050 of the diversity") as raised:
        check_collapse(ratios, 100, last=last)
    assert raised.value.kind == "diverged"
