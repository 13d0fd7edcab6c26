"""What a reader of results should know about the images: odd files, mixed surveys, copies, images without a part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from benchmarker.contracts.images import LabelledImages
from benchmarker.data.positions import SAME_SKY, pairs_within, positions
from benchmarker.data.sky_differences import difference_remarks
from benchmarker.data.splits import Parts

_NAMED = 3


def data_caveats(data: LabelledImages, splits: Sequence[Parts]) -> tuple[str, ...]:
    """Return sentences about what a reader of results should know about the images.

    They are about odd files, images that differ in unit, beam or scale, images with equal pixels, images that no part
    contains, and shared sky.

    Parameters
    ----------
    data : LabelledImages
        The prepared images.
    splits : sequence of Parts
        The parts under each seed. Copies are counted under the seed that spreads most of them over parts.
    """
    return (
        *data.remarks,
        *difference_remarks(data.sky, data.source_ids),
        *_equal_pixels(data, splits),
        *_without_part(data),
        *_neighbours(data, splits),
    )


def _equal_pixels(data: LabelledImages, splits: Sequence[Parts]) -> Iterator[str]:
    if not data.equal_pixels:
        return
    copies = sum(len(group) - 1 for group in data.equal_pixels)
    yield (f"{copies} of {len(data):,} images repeat the pixels of another image: {_examples(data, data.equal_pixels)}")
    relabelled = [group for group in data.equal_pixels if len(np.unique(data.targets[list(group)], axis=0)) > 1]
    if relabelled:
        yield f"{len(relabelled)} group(s) of equal images have different labels: {_examples(data, relabelled)}"
    spread = max((_spread(data, parts) for parts in splits), key=len, default=[])
    if spread:
        yield (
            f"{len(spread)} group(s) of equal images are spread over more than one part, so networks are tested on "
            f"images that they were trained or selected on: {_examples(data, spread)}"
        )


def _neighbours(data: LabelledImages, splits: Sequence[Parts]) -> Iterator[str]:
    """Yield how many test images may show the same sky as an image of another part."""
    where = positions(data)
    if where is None:
        return
    pairs, _ = pairs_within(where, SAME_SKY)
    tested: list[set[int]] = []
    for parts in splits:
        is_test = np.zeros(len(data), dtype=np.bool_)
        is_test[parts.test] = True
        used = is_test.copy()
        used[np.concatenate([parts.train, parts.validation])] = True
        across = pairs[used[pairs].all(axis=1) & (is_test[pairs].sum(axis=1) == 1)]
        tested.append(set(across[is_test[across]].tolist()))
    worst = max(tested, key=len, default=set())
    if worst:
        yield (
            f"{len(worst)} test image(s) lie within {SAME_SKY:g} arcsec of a training or validation image and may show "
            f"the same sky; split.group and split.radius keep such neighbours together, `benchmarker data audit` lists "
            "them"
        )


def _spread(data: LabelledImages, parts: Parts) -> list[tuple[int, ...]]:
    """Return the groups of equal images that are in more than one part."""
    part_of = np.zeros(len(data), dtype=np.int8)
    for number, indices in enumerate((parts.train, parts.validation, parts.test), start=1):
        part_of[indices] = number
    return [group for group in data.equal_pixels if len(set(part_of[list(group)].tolist()) - {0}) > 1]


def _examples(data: LabelledImages, groups: Sequence[tuple[int, ...]]) -> str:
    shown = ["= ".join(f"{data.source_ids[index]} " for index in group[:_NAMED]).strip() for group in groups[:_NAMED]]
    return "; ".join(shown) + (" ..." if len(groups) > _NAMED else "")


def _without_part(data: LabelledImages) -> Iterator[str]:
    without = [source for source, part in zip(data.source_ids, data.parts, strict=True) if part is None]
    if 0 < len(without) < len(data):
        names = ", ".join(without[:_NAMED]) + (" ..." if len(without) > _NAMED else "")
        yield (f"{len(without)} image(s) have no part in the published split and are not used with it: {names}")
