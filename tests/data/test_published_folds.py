"""Published folds: each cell leaves one of them out of training, the same under every seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from benchmarker import Attribute, Classification, LabelledImages, Part, Split
from benchmarker.contracts.folds import fold_seeds
from benchmarker.data.splits import Parts, split_sources
from benchmarker.errors import SplitError

FOLDS = Split(published=True, folds=3)
CELLS = fold_seeds([8901], 3)


def labelled(folds: Sequence[float], *, tested: int = 0, per_fold: int = 8) -> LabelledImages:
    """Return images of two classes in folds with the given numbers, and some of a published test part."""
    values = [fold for fold in folds for _ in range(per_fold)] + [float("nan")] * tested
    parts: list[Part | None] = [None for _ in values]
    parts[len(values) - tested :] = ["test" for _ in range(tested)]
    return LabelledImages(
        task=Classification(classes=("FRI", "FRII")),
        images=np.zeros((len(values), 1, 1, 1), np.float32),
        targets=np.arange(len(values)) % 2,
        source_ids=tuple(f"J{k:04d}" for k in range(len(values))),
        parts=tuple(parts),
        attributes={"fold": Attribute(values=np.array(values), unit="")},
        skipped=(),
        digest="",
    )


def held_out(data: LabelledImages, indices: np.ndarray) -> set[float]:
    return set(data.attributes["fold"].values[indices].tolist())


def cells(data: LabelledImages, seed: int = 8901) -> list[Parts]:
    return [split_sources(data, FOLDS, cell) for cell in fold_seeds([seed], 3)]


def test_each_published_fold_is_the_validation_part_of_one_cell_where_a_test_part_is_published() -> None:
    data = labelled([0, 1, 2], tested=6)
    for number, parts in enumerate(cells(data)):
        assert held_out(data, parts.validation) == {number}
        assert held_out(data, parts.train) == {0, 1, 2} - {number}
        assert parts.test.tolist() == list(range(24, 30))
        assert len(parts.train) == 16


def test_each_published_fold_is_tested_by_one_cell_without_a_test_part() -> None:
    data = labelled([7, 3, 5])  # in ascending order of their numbers, whatever these are
    for number, parts in zip((3, 5, 7), cells(data), strict=True):
        assert held_out(data, parts.test) == {number}
        assert number not in held_out(data, np.concatenate([parts.train, parts.validation]))
        assert (len(parts.train), len(parts.validation), len(parts.test)) == (12, 4, 8)


def test_published_folds_are_the_same_under_every_seed() -> None:
    data = labelled([0, 1, 2], tested=6)
    assert [parts.digest for parts in cells(data, 1)] == [parts.digest for parts in cells(data, 2)]


def test_a_source_in_two_folds_is_not_in_training_where_one_of_them_is_tested() -> None:
    data = labelled([0, 1, 2])
    twice = (*data.source_ids[:-1], data.source_ids[0])
    parts = split_sources(data_with(data, source_ids=twice), FOLDS, CELLS[0])
    assert len(data) - 1 not in parts.train
    assert parts.shared_sources == (twice[0],)


def data_with(data: LabelledImages, source_ids: tuple[str, ...]) -> LabelledImages:
    return LabelledImages(
        task=data.task,
        images=data.images,
        targets=data.targets,
        source_ids=source_ids,
        parts=data.parts,
        attributes=data.attributes,
        skipped=(),
        digest="",
    )


@pytest.mark.parametrize(
    ("folds", "message"),
    [([0, 1], "publishes 2 folds: 0, 1"), ([0, 1, 2, 3], "publishes 4"), ([0, 1, float("nan")], "8 image")],
)
def test_folds_other_than_the_published_ones_are_refused(folds: list[float], message: str) -> None:
    with pytest.raises(SplitError, match=message):
        split_sources(labelled(folds), FOLDS, CELLS[0])


def test_a_dataset_without_published_folds_is_refused() -> None:
    data = labelled([0, 1, 2], tested=6)
    data.attributes.pop("fold")  # type: ignore[attr-defined]
    with pytest.raises(SplitError, match="attribute 'fold'"):
        split_sources(data, FOLDS, CELLS[0])


def test_folds_alone_are_drawn_although_some_are_published() -> None:
    data = labelled([0, 1, 2], tested=6)
    (one, *_), (other, *_) = (
        [split_sources(data, Split(folds=3), cell) for cell in fold_seeds([seed], 3)] for seed in (1, 2)
    )
    assert one.digest != other.digest
    assert len(one.test) == 10
