"""Describe a dataset before anything is trained: counts, sizes, ranges of values, attributes and odd images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.images import ImageRecord, LabelledImages, SkippedImage
from benchmarker.contracts.plugins import Dataset
from benchmarker.contracts.tasks import Classification, Regression
from benchmarker.data.caveats import data_caveats
from benchmarker.data.splits import Parts
from benchmarker.record import Record, TaskRecord

PARTS = ("train", "validation", "test")
NO_PART = "no part"


class Quantity(Record):
    """How the known values of an attribute or a target are distributed."""

    unit: str
    """Unit in the notation of `astropy.units`."""

    known: int
    """Number of images whose value is known."""

    minimum: float | None
    """Smallest value; null where none is known."""

    median: float | None
    """Median."""

    maximum: float | None
    """Largest value."""


class PublishedPixels(Record):
    """The images before the preparation."""

    sizes: dict[str, int]
    """Number of images of each shape, written ``height x width`` or ``height x width x channels``."""

    types: dict[str, int]
    """Number of images of each type of pixels, such as ``uint8``."""

    minimum: float | None
    """Smallest finite pixel, in the unit of the files."""

    maximum: float | None
    """Largest finite pixel."""

    missing: float
    """Fraction of pixels that are NaN or infinite."""


class Overview(Record):
    """What ``benchmarker data show`` says about a dataset."""

    name: str
    """Name of the dataset."""

    licence: str
    """Terms of use."""

    citation: str
    """Bibcode or DOI."""

    homepage: str
    """Page where the images are published."""

    digest: str
    """SHA-256 of the prepared images with their targets."""

    task: TaskRecord
    """Meaning of the targets."""

    images: int
    """Number of images that can be used."""

    sources: int
    """Number of sources that they show."""

    shape: tuple[int, int, int]
    """Height, width and channels after the preparation, in pixels."""

    seed: int | None
    """Seed of the parts; null if the dataset cannot be split."""

    parts: dict[str, dict[str, int]]
    """Number of images of each class in each part; the images of a regression are one class, ``all``."""

    published: PublishedPixels
    """The images before the preparation."""

    targets: dict[str, Quantity]
    """Targets of a regression."""

    attributes: dict[str, Quantity]
    """Further quantities of the images."""

    skipped: dict[str, int]
    """Number of images that cannot be used, by reason."""

    caveats: tuple[str, ...]
    """What readers of results should know about the images."""

    split_problem: str = ""
    """Why the dataset cannot be split; left out if it can."""


def describe(
    dataset: Dataset,
    data: LabelledImages,
    records: Iterable[ImageRecord | SkippedImage],
    splits: Mapping[int, Parts],
    *,
    split_problem: str = "",
) -> Overview:
    """Describe a dataset.

    Parameters
    ----------
    dataset : Dataset
        The dataset.
    data : LabelledImages
        Its prepared images.
    records : iterable of ImageRecord or SkippedImage
        The images before the preparation.
    splits : mapping of int to Parts
        The parts under each seed; those of the first are described.
    split_problem : str
        Why there are none.

    Returns
    -------
    Overview
        Counts, ranges and caveats.
    """
    seed, parts = next(iter(splits.items()), (None, None))
    height, width, channels = data.images.shape[1:]
    optional: dict[str, Any] = {"split_problem": split_problem} if split_problem else {}
    return Overview(
        name=dataset.name,
        licence=dataset.licence,
        citation=dataset.citation,
        homepage=dataset.homepage,
        digest=data.digest,
        task=data.task,
        images=len(data),
        sources=len(set(data.source_ids)),
        shape=(height, width, channels),
        seed=seed,
        parts=count_parts(data, parts),
        published=_published(records),
        targets=_targets(data),
        attributes={name: _quantity(found.values, found.unit) for name, found in data.attributes.items()},
        skipped=dict(Counter(image.reason for image in data.skipped).most_common()),
        caveats=data_caveats(data, tuple(splits.values())),
        **optional,
    )


def indices_by_part(data: LabelledImages, parts: Parts | None) -> dict[str, NDArray[np.int64]]:
    """Return the indices of the images in each part, and of those in no part if there are any."""
    everything = np.arange(len(data), dtype=np.int64)
    if parts is None:
        return {NO_PART: everything}
    found = dict(zip(PARTS, (parts.train, parts.validation, parts.test), strict=True))
    rest = np.setdiff1d(everything, np.concatenate(list(found.values())))
    return {**found, NO_PART: rest} if len(rest) else found


def count_parts(data: LabelledImages, parts: Parts | None) -> dict[str, dict[str, int]]:
    """Return the number of images of each class in each part."""
    targets = np.asarray(data.targets)
    counted: dict[str, dict[str, int]] = {}
    for part, indices in indices_by_part(data, parts).items():
        if isinstance(data.task, Classification):
            numbers = np.bincount(targets[indices], minlength=len(data.task.classes)).tolist()
            counted[part] = dict(zip(data.task.classes, numbers, strict=True))
        else:
            counted[part] = {"all": len(indices)}
    return counted


def _published(records: Iterable[ImageRecord | SkippedImage]) -> PublishedPixels:
    sizes: Counter[str] = Counter()
    types: Counter[str] = Counter()
    lowest, highest = np.inf, -np.inf
    pixels = missing = 0
    for record in records:
        if isinstance(record, SkippedImage):
            continue
        image = record.image
        sizes[" x ".join(map(str, image.shape))] += 1
        types[image.dtype.name] += 1
        known = image if image.dtype.kind in "biu" else image[np.isfinite(image)]
        pixels += image.size
        missing += image.size - known.size
        if known.size:
            lowest, highest = min(lowest, float(known.min())), max(highest, float(known.max()))
    found = highest >= lowest
    return PublishedPixels(
        sizes=dict(sizes.most_common()),
        types=dict(types.most_common()),
        minimum=lowest if found else None,
        maximum=highest if found else None,
        missing=missing / pixels if pixels else 0.0,
    )


def _targets(data: LabelledImages) -> dict[str, Quantity]:
    if not isinstance(data.task, Regression):
        return {}
    columns = np.asarray(data.targets, dtype=np.float64).T
    return {
        target.name: _quantity(values, target.unit) for target, values in zip(data.task.targets, columns, strict=True)
    }


def _quantity(values: NDArray[np.float64], unit: str) -> Quantity:
    known = values[np.isfinite(values)]
    if not len(known):
        return Quantity(unit=unit, known=0, minimum=None, median=None, maximum=None)
    lowest, middle, highest = (float(value) for value in np.quantile(known, (0.0, 0.5, 1.0)))
    return Quantity(unit=unit, known=len(known), minimum=lowest, median=middle, maximum=highest)
