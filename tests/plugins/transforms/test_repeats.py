"""Expansion `repeats`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from benchmarker import Classification, Stream, Task
from benchmarker_transforms.repeats import RepeatOptions, expand


class Numbered:
    """Ten images, each filled with its number."""

    @property
    def task(self) -> Task:
        return Classification(classes=("FRI", "FRII"))

    @property
    def targets(self) -> NDArray[Any]:
        return np.arange(10) % 2

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return 2, 2, 1

    def batch(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.broadcast_to(indices.astype(np.float32)[:, None, None, None], (len(indices), 2, 2, 1)).copy()

    def __len__(self) -> int:
        return 10


def numbers(ratio: float | None, seed: int = 1) -> NDArray[np.int64]:
    """Return the number of each image after checking that the targets match."""
    everything = expand(Numbered(), None if ratio is None else RepeatOptions(ratio=ratio), Stream("t", seed=seed))
    found = everything.batch(np.arange(len(everything)))[:, 0, 0, 0].astype(np.int64)
    np.testing.assert_array_equal(everything.targets, found % 2)
    assert everything.image_shape == (2, 2, 1)
    assert everything.task == Numbered().task
    return found


@pytest.mark.parametrize(("ratio", "copies"), [(None, 2), (0, 1), (1, 2), (3, 4)])
def test_whole_ratios_repeat_every_image_equally(ratio: float | None, copies: int) -> None:
    np.testing.assert_array_equal(numbers(ratio), np.tile(np.arange(10), copies))


def test_ratio_of_one_half_repeats_half_of_the_images() -> None:
    found = numbers(0.5)
    np.testing.assert_array_equal(found[:10], np.arange(10))
    assert len(np.unique(found[10:])) == len(found[10:]) == 5
    assert found.tolist() == numbers(0.5).tolist()
    assert any(found.tolist() != numbers(0.5, seed).tolist() for seed in (2, 3, 4))


def test_fractional_ratio_above_one_repeats_some_images_once_more() -> None:
    counts = np.bincount(numbers(1.3))
    assert sorted(counts.tolist()) == [2] * 7 + [3] * 3


@pytest.mark.parametrize("ratio", [-0.1, float("inf")])
def test_impossible_ratios_are_refused(ratio: float) -> None:
    with pytest.raises(ValidationError, match="ratio"):
        RepeatOptions(ratio=ratio)
