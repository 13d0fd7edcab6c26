"""Divides sources into training, validation and test part: by seed, the same for every network and arm.

Sources are divided, never images: all images of one source land in the same part. The order of the records, and so of
the files, plays no role.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.images import LabelledImages
from benchmarker.contracts.settings import Split
from benchmarker.contracts.tasks import Classification
from benchmarker.digests import digest_json
from benchmarker.errors import SplitError
from benchmarker.randomness import Stream

DEFAULT_TRAIN = 0.7
DEFAULT_VALIDATION = 0.15
DEFAULT_VALIDATION_OF_PUBLISHED = 0.2

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Indices of the images of each part, ascending.

    Parameters
    ----------
    train, validation, test : ndarray of shape (n,), int64
        Indices into the images.
    digest : str
        SHA-256 of the sources in each part.
    shared_sources : tuple of str
        Sources that a published split puts into more than one part.
    """

    train: Indices
    validation: Indices
    test: Indices
    digest: str
    shared_sources: tuple[str, ...] = ()


def split_sources(data: LabelledImages, split: Split | None, seed: int) -> Parts:
    """Divide the sources of a dataset.

    Parameters
    ----------
    data : LabelledImages
        What to divide.
    split : Split or None
        Counts or fractions for each class, or the published split; 70 % train, 15 % validation without.
    seed : int
        The cell's seed.

    Raises
    ------
    SplitError
        If a class holds too few sources, or a published split is asked for where there is none.
    """
    split = split or Split()
    has_published = any(part is not None for part in data.parts)
    published = split.published if split.published is not None else has_published and split.train is None
    if published and not has_published:
        raise SplitError("the dataset has no published split; give split.train and split.validation instead")
    if published and split.train is not None:
        raise SplitError("split.published and split.train exclude each other: leave one of them out")
    if published:
        train, validation, test = _published(data, split, seed)
    else:
        train, validation, test = (_images_of(data, sources) for sources in _drawn(data, split, seed))
    if split.bagging is not None:
        train = _bag(data, train, split.bagging, seed)
    return _described(data, train, validation, test)


def _published(data: LabelledImages, split: Split, seed: int) -> tuple[Indices, Indices, Indices]:
    """Keep the published test part as it is, and train on no source that it holds."""
    found: dict[str, set[str]] = {"train": set(), "validation": set(), "test": set()}
    for source, part in zip(data.source_ids, data.parts, strict=True):
        if part is not None:
            found[part].add(source)
    for required in ("train", "test"):
        if not found[required]:
            raise SplitError(
                f"the published split has no {required} part; give split.train and split.validation instead"
            )
    train = _images_of(data, found["train"] - found["validation"] - found["test"], "train")
    if found["validation"] and split.validation is not None:
        raise SplitError("the published split has a validation part of its own: leave split.validation out")
    if found["validation"]:
        validation = _images_of(data, found["validation"] - found["test"], "validation")
    else:
        drawn: list[str] = []
        problems: list[str] = []
        for label, sources in _by_class(data, {data.source_ids[k] for k in train}).items():
            n = _count(split.validation or DEFAULT_VALIDATION_OF_PUBLISHED, len(sources))
            if not 1 <= n < len(sources):
                problems.append(f"{label} has {len(sources)} sources to train on; {n} of them cannot validate")
            drawn += _shuffled(sources, seed, label)[:n]
        if problems:
            raise SplitError("the published split leaves too few images: " + "; ".join(problems))
        validation = _images_of(data, drawn, "train")
        train = np.setdiff1d(train, validation)
    for name, indices in (("train", train), ("validation", validation)):
        if not len(indices):
            raise SplitError(f"the published {name} part holds no source that is not also validated or tested on")
    return train, validation, _images_of(data, found["test"], "test")


def _drawn(data: LabelledImages, split: Split, seed: int) -> tuple[list[str], list[str], list[str]]:
    train: list[str] = []
    validation: list[str] = []
    test: list[str] = []
    problems: list[str] = []
    for label, sources in _by_class(data, set(data.source_ids)).items():
        n_train = _count(split.train or DEFAULT_TRAIN, len(sources))
        n_validation = _count(split.validation or DEFAULT_VALIDATION, len(sources))
        if min(n_train, n_validation) < 1 or n_train + n_validation >= len(sources):
            problems.append(
                f"{label} has {len(sources)} sources: {n_train} to train on and {n_validation} to validate leave "
                f"{max(0, len(sources) - n_train - n_validation)} to test"
            )
            continue
        shuffled = _shuffled(sources, seed, label)
        train += shuffled[:n_train]
        validation += shuffled[n_train : n_train + n_validation]
        test += shuffled[n_train + n_validation :]
    if problems:
        raise SplitError(
            "too few images for the split; lower split.train and split.validation (-t and -v), every part needs one: "
            + "; ".join(problems)
        )
    return train, validation, test


def _by_class(data: LabelledImages, sources: set[str]) -> dict[str, list[str]]:
    """Sort sources into classes, in the order of the classes; one group for a regression."""
    if not isinstance(data.task, Classification):
        return {"all": sorted(sources)}
    label_of: dict[str, int] = {}
    for source, target in sorted(zip(data.source_ids, np.asarray(data.targets).tolist(), strict=True)):
        if source in sources:
            label_of.setdefault(source, target)
    groups: dict[str, list[str]] = {name: [] for name in data.task.classes}
    for source in sorted(label_of):
        groups[data.task.classes[label_of[source]]].append(source)
    return groups


def _count(size: float, n: int) -> int:
    return size if isinstance(size, int) else round(size * n)


def _shuffled(sources: Sequence[str], seed: int, label: str) -> list[str]:
    order = Stream("split", seed=seed, group=label).generator().permutation(len(sources))
    return [sources[k] for k in order]


def _bag(data: LabelledImages, train: Indices, fraction: float, seed: int) -> Indices:
    chosen: list[str] = []
    for label, sources in _by_class(data, {data.source_ids[k] for k in train}).items():
        n = max(1, round(fraction * len(sources)))
        order = Stream("bagging", seed=seed, group=label).generator().permutation(len(sources))
        chosen += [sources[k] for k in order[:n]]
    return np.intersect1d(train, _images_of(data, chosen))


def _images_of(data: LabelledImages, sources: Iterable[str], part: str | None = None) -> Indices:
    """Return the indices of the images of some sources, of one published part or of all."""
    wanted = set(sources)
    return np.array(
        [
            index
            for index, (source, published) in enumerate(zip(data.source_ids, data.parts, strict=True))
            if source in wanted and part in {None, published}
        ],
        dtype=np.int64,
    )


def _described(data: LabelledImages, train: Indices, validation: Indices, test: Indices) -> Parts:
    published: dict[str, set[Any]] = {}
    for source, part in zip(data.source_ids, data.parts, strict=True):
        published.setdefault(source, set()).add(part)
    named = {"train": train, "validation": validation, "test": test}
    return Parts(
        **named,
        digest=digest_json({part: sorted(data.source_ids[k] for k in indices) for part, indices in named.items()}),
        shared_sources=tuple(sorted(source for source, parts in published.items() if len(parts) > 1)),
    )
