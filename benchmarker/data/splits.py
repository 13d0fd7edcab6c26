"""Divide sources into training, validation and test part: by seed, the same for every network and arm.

Sources are divided, never images: all images of one source are in the same part. The order of the records, and so of
the files, does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.folds import PUBLISHED_FOLDS, fold_of, tested
from benchmarker.contracts.images import LabelledImages, Part
from benchmarker.contracts.settings import Split
from benchmarker.contracts.tasks import Classification
from benchmarker.data.positions import pairs_within, positions
from benchmarker.digests import digest_json
from benchmarker.errors import SplitError
from benchmarker.randomness import Stream, python_shuffle

DEFAULT_TRAIN = 0.7
DEFAULT_VALIDATION = 0.15
DEFAULT_VALIDATION_OF_PUBLISHED = 0.2
_MOST_SHOWN = 12

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Indices of the images of each part.

    Parameters
    ----------
    train, validation, test : ndarray of shape (n,), int64
        Indices into the images, in ascending order; with ``draw: manifest`` in the order of the shuffled manifest.
    digest : str
        SHA-256 of the names of the sources in each part.
    shared_sources : tuple of str
        Sources that the published split puts into more than one part.
    """

    train: Indices
    validation: Indices
    test: Indices
    digest: str
    shared_sources: tuple[str, ...] = ()


def split_sources(data: LabelledImages, split: Split | None, seed: int) -> Parts:
    r"""Divide the sources of a dataset into training, validation and test part.

    Of the :math:`N_c` sources of class :math:`c`, a random :math:`n` are used for training and another :math:`m` for
    validation, where a fraction :math:`f` means the integer nearest to :math:`f N_c`; all others are the test part. The
    sources of a regression form one class. With a published split, the test part is kept as published, and so is the
    validation part; where none was published, it is drawn from the training part.

    Parameters
    ----------
    data : LabelledImages
        The dataset.
    split : Split, optional
        Numbers or fractions of each class, or the published split. By default the published split if there is one, and
        otherwise 70 % of each class for training and 15 % for validation; of a published training part, 20 % for
        validation.
    seed : int
        Seed of the cell.

    Returns
    -------
    Parts
        Indices of the images of each part. Images without a published part are in none.

    Raises
    ------
    SplitError
        If a class has too few sources, or a published split is requested for a dataset without one.

    Notes
    -----
    Each class is shuffled by its own stream, which depends on the seed and the name of the class. Adding a class to a
    dataset does not change how the others are divided.

    A source whose images have different labels counts for the first of these classes. Fractions of each class keep the
    frequencies of the classes; equal *numbers* do not, so the test part may be less balanced than the training part.

    A source that a published split uses twice is removed from the less strict part: sources of the test part are not
    used for training or validation, and sources of the validation part are not used for training.

    ``draw: manifest`` gives the partitions of the radio framework instead: Python's shuffle under the seed (Mersenne
    Twister) of all rows of the manifest; each source in turn belongs to the training part while its class has fewer
    than ``train`` there, then to the validation part, then to the test part. Rows whose images cannot be used take part
    in the shuffle and count for no part. It needs the attribute ``manifest_row`` of the sources, and
    ``manifest_rows``, their number.

    ``bagging`` then draws a fraction of the training sources of each class without replacement ("subagging"),
    another one for each seed. With ``test_seed``, the test part is the one that a cell of that seed would have; the
    other sources are divided between training and validation by the cell's own seed. Together, the cells of several
    seeds are then the members of a bagged ensemble (Breiman 1996) with a test part in common.

    ``folds: k`` is k-fold cross-validation, repeated under each seed of the registry: the sources of each class are
    divided into k folds by a stream that depends on that seed and the class, one fold is tested, and the validation
    part is drawn from the others (by default 15 % of each class). The last two digits of a cell's seed are the number
    of the fold that it tests. With ``published``, the folds are those of the attribute ``fold``, in ascending order of
    its values, the same under every seed. Where a test part is published besides, it is the test part of every cell,
    and the cell's fold is its validation part; otherwise the fold is tested, and the validation part is drawn from the
    others as from a published training part.

    ``group: position`` divides groups of neighbours on the sky instead of sources: two sources are in one group if they
    are at most ``radius`` apart, or connected by other sources that are. A group counts for the class of its first
    source by name. A source without a position is a group of its own.

    Scores of seeds that draw their own test part also vary with the test part, and the test parts overlap; the
    statistics take that into account.

    References
    ----------
    Bagging: Breiman 1996, Machine Learning 24, 123, doi:10.1007/BF00058655. Subagging: Bühlmann & Yu 2002, Ann. Stat.
    30, 927, doi:10.1214/aos/1031689014.

    Examples
    --------
    >>> import numpy as np
    >>> from benchmarker import Classification, LabelledImages, Split
    >>> names = ("3C 31", "3C 66B", "3C 84", "3C 449", "3C 47", "3C 61.1", "3C 98", "3C 212")
    >>> data = LabelledImages(
    ...     task=Classification(classes=("FRI", "FRII")), images=np.zeros((8, 64, 64, 1), np.float32),
    ...     targets=np.array([0, 0, 0, 0, 1, 1, 1, 1]), source_ids=names, parts=(None,) * 8,
    ...     attributes={}, skipped=(), digest="",
    ... )
    >>> parts = split_sources(data, Split(train=2, validation=1), seed=8901)
    >>> len(parts.train), len(parts.validation), len(parts.test)
    (4, 2, 2)
    >>> data.targets[parts.test].tolist()
    [0, 1]
    """
    split = split or Split()
    named_data = data
    if split.radius is not None:
        data = _grouped(data, split.radius)
    published = _uses_published(data, split)
    if published and split.folds is not None:
        data = replace(data, parts=_parts_of_fold(named_data, split.folds, seed))
    if split.draw == "manifest":
        train, validation, test = _manifest_parts(data, split, seed)
    elif published:
        train, validation, test = _published_parts(data, split, seed)
    elif split.folds is not None:
        train, validation, test = (_images_of(data, sources) for sources in _fold_parts(data, split, seed))
    else:
        train, validation, test = (_images_of(data, sources) for sources in _drawn_parts(data, split, seed))
    if split.bagging is not None:
        train = _bag(data, train, split.bagging, seed)
    named = {"train": train, "validation": validation, "test": test}
    return Parts(
        **named,
        digest=digest_json(
            {part: sorted(named_data.source_ids[k] for k in indices) for part, indices in named.items()}
        ),
        shared_sources=_shared_sources(data),
    )


def _uses_published(data: LabelledImages, split: Split) -> bool:
    """Return whether a split starts from parts or folds that the dataset publishes; refuse what contradicts itself."""
    has_published = any(part is not None for part in data.parts)
    unsaid = has_published and split.train is None and split.folds is None
    published = split.published if split.published is not None else unsaid
    if split.radius is not None and split.draw == "manifest":
        raise SplitError("split.draw: manifest draws single sources; leave split.group and split.radius out")
    if published and not has_published and split.folds is None:
        raise SplitError("the dataset has no published split; give split.train and split.validation instead")
    if published and split.train is not None:
        raise SplitError("split.published and split.train exclude each other; leave one of them out")
    if published and split.test_seed is not None:
        raise SplitError("the published split has a test part of its own; leave split.test_seed out")
    return published


def _grouped(data: LabelledImages, radius: float) -> LabelledImages:
    """Return the images with each source named after the first source of its group of neighbours."""
    where = positions(data)
    if where is None:
        raise SplitError(
            "split.group: position needs the positions of sources: attributes ra and dec in degrees, or names such as "
            "J103603.5+000606; this dataset has neither"
        )
    first: dict[str, str] = {source: source for source in data.source_ids}

    def root(source: str) -> str:
        while first[source] != source:
            first[source] = source = first[first[source]]
        return source

    pairs, _ = pairs_within(where, radius)
    for one, other in pairs.tolist():
        low, high = sorted((root(data.source_ids[one]), root(data.source_ids[other])))
        first[high] = low
    return replace(data, source_ids=tuple(root(source) for source in data.source_ids))


def _parts_of_fold(data: LabelledImages, folds: int, seed: int) -> tuple[Part | None, ...]:
    """Return the part of each image in a cell that is one of the published folds."""
    if PUBLISHED_FOLDS not in data.attributes:
        raise SplitError(
            f"split.folds with split.published: true needs the attribute {PUBLISHED_FOLDS!r} of each source, which "
            "this dataset does not give; leave split.published out to draw folds"
        )
    of_test = np.array([part == "test" for part in data.parts])
    of_image = data.attributes[PUBLISHED_FOLDS].values
    without = np.flatnonzero(np.isnan(of_image) & ~of_test)
    if without.size:
        raise SplitError(
            f"split.folds: {without.size} image(s) have no {PUBLISHED_FOLDS!r}, the first of them that of the source "
            f"{data.source_ids[without[0]]!r}"
        )
    known = np.unique(of_image[~of_test])
    if len(known) != folds:
        shown = ", ".join(f"{value:g}" for value in known[:_MOST_SHOWN].tolist())
        raise SplitError(f"split.folds is {folds}, but the dataset publishes {len(known)} folds: {shown}")
    ours = known[fold_of(seed, folds)[1] - 1]
    held_out: Part = "validation" if of_test.any() else "test"
    return tuple(
        "test" if test else held_out if fold == ours else "train" for fold, test in zip(of_image, of_test, strict=True)
    )


def _published_parts(data: LabelledImages, split: Split, seed: int) -> tuple[Indices, Indices, Indices]:
    """Keep the published test part as it is, and use none of its sources for training or validation."""
    found: dict[Part, set[str]] = {"train": set(), "validation": set(), "test": set()}
    for source, part in zip(data.source_ids, data.parts, strict=True):
        if part is not None:
            found[part].add(source)
    required: tuple[Part, ...] = ("train", "test")
    for name in required:
        if not found[name]:
            raise SplitError(f"the published split has no {name} part; give split.train and split.validation instead")
    train = _images_of(data, found["train"] - found["validation"] - found["test"], "train")
    if not found["validation"]:
        train, validation = _carve_validation(data, train, split, seed)
    elif split.validation is not None:
        raise SplitError("the published split has a validation part; leave split.validation out")
    else:
        validation = _images_of(data, found["validation"] - found["test"], "validation")
    for name, indices in (("train", train), ("validation", validation)):
        if not len(indices):
            raise SplitError(f"every source of the published {name} part is also in a stricter part")
    return train, validation, _images_of(data, found["test"], "test")


def _carve_validation(data: LabelledImages, train: Indices, split: Split, seed: int) -> tuple[Indices, Indices]:
    """Draw a validation part from a published training part; return the remaining training part and the new part."""
    drawn: list[str] = []
    problems: list[str] = []
    for label, sources in _by_class(data, {data.source_ids[k] for k in train}).items():
        n = _count(split.validation or DEFAULT_VALIDATION_OF_PUBLISHED, len(sources))
        if not 1 <= n < len(sources):
            problems.append(f"{label} has {len(sources)} source(s) in the training part, {n} of them for validation")
        drawn += _shuffled(sources, seed, label)[:n]
    if problems:
        raise SplitError("the published split leaves a part without sources: " + "; ".join(problems))
    validation = _images_of(data, drawn, "train")
    return np.setdiff1d(train, validation), validation


def _drawn_parts(data: LabelledImages, split: Split, seed: int) -> tuple[list[str], list[str], list[str]]:
    """Draw the sources of all three parts, class by class."""
    train: list[str] = []
    validation: list[str] = []
    test: list[str] = []
    problems: list[str] = []
    for label, sources in _by_class(data, set(data.source_ids)).items():
        n_train = _count(split.train or DEFAULT_TRAIN, len(sources))
        n_validation = _count(split.validation or DEFAULT_VALIDATION, len(sources))
        if min(n_train, n_validation) < 1 or n_train + n_validation >= len(sources):
            problems.append(
                f"{label} has {len(sources)} source(s): {n_train} for training and {n_validation} for validation leave "
                f"{max(0, len(sources) - n_train - n_validation)} for testing"
            )
            continue
        shuffled = _shuffled(sources, seed if split.test_seed is None else split.test_seed, label)
        if split.test_seed is not None:
            rest = sorted(shuffled[: n_train + n_validation])
            shuffled[: n_train + n_validation] = _shuffled(rest, seed, label)
        train += shuffled[:n_train]
        validation += shuffled[n_train : n_train + n_validation]
        test += shuffled[n_train + n_validation :]
    if problems:
        raise SplitError(
            "every part needs a source of each class; lower split.train and split.validation (-t and -v): "
            + "; ".join(problems)
        )
    return train, validation, test


def _fold_parts(data: LabelledImages, split: Split, seed: int) -> tuple[set[str], set[str], set[str]]:
    """Test one fold, and draw the validation part from the others, class by class."""
    groups = _by_class(data, set(data.source_ids))
    test = tested(groups, seed, split.folds or 0)
    validation: set[str] = set()
    problems: list[str] = []
    for label, sources in groups.items():
        rest = [source for source in sources if source not in test]
        n = _count(split.validation or DEFAULT_VALIDATION, len(rest))
        if not 1 <= n < len(rest):
            problems.append(f"{label} has {len(rest)} source(s) in the other folds, {n} of them for validation")
        validation |= set(_shuffled(rest, seed, label)[:n])
    if problems:
        raise SplitError("split.folds leaves a part without sources: " + "; ".join(problems))
    return set(data.source_ids) - test - validation, validation, test


def _manifest_parts(data: LabelledImages, split: Split, seed: int) -> tuple[Indices, Indices, Indices]:
    """Walk through Python's shuffle of the manifest, as the radio framework does."""
    train_size, validation_size = split.train, split.validation
    excluded = split.published or split.bagging is not None or split.test_seed is not None
    if not isinstance(train_size, int) or not isinstance(validation_size, int) or excluded:
        raise SplitError(
            "split.draw: manifest needs whole numbers for split.train and split.validation, and excludes "
            "split.published, split.bagging and split.test_seed"
        )
    if not isinstance(data.task, Classification):
        raise SplitError("split.draw: manifest divides classes, but the dataset has a regression; leave it out")
    if not {"manifest_row", "manifest_rows"} <= set(data.attributes):
        raise SplitError(
            "split.draw: manifest needs the order of the manifest; give the dataset the option manifest_order: true"
        )
    sizes = train_size, validation_size
    image_of = {int(row): k for k, row in enumerate(data.attributes["manifest_row"].values.tolist())}
    rows = python_shuffle(int(data.attributes["manifest_rows"].values.max()), seed)
    found: tuple[list[int], list[int], list[int]] = ([], [], [])
    counts = np.zeros((data.task.n_outputs, len(sizes)), np.int64)
    targets = np.asarray(data.targets)
    for index in (image_of[row] for row in rows if row in image_of):
        free = next((part for part, size in enumerate(sizes) if counts[targets[index], part] < size), None)
        if free is None:
            found[-1].append(index)
        else:
            counts[targets[index], free] += 1
            found[free].append(index)
    _refuse_empty(data.task, targets[found[-1]], counts, sizes)
    train, validation, test = (np.array(part, np.int64) for part in found)
    return train, validation, test


def _refuse_empty(
    task: Classification, tested: NDArray[np.int64], counts: NDArray[np.int64], sizes: tuple[int, int]
) -> None:
    short = [
        f"{label} has {drawn} for training, {checked} for validation and {left} for testing"
        for label, (drawn, checked), left in zip(
            task.classes, counts.tolist(), np.bincount(tested, minlength=task.n_outputs).tolist(), strict=True
        )
        if (drawn, checked) != sizes or not left
    ]
    if short:
        raise SplitError(
            "every part needs a source of each class; lower split.train and split.validation (-t and -v): "
            + "; ".join(short)
        )


def _by_class(data: LabelledImages, sources: set[str]) -> dict[str, list[str]]:
    """Sort sources into classes, in the order of the classes; a regression is one group."""
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
    """Keep a random fraction of the training sources of each class."""
    chosen: list[str] = []
    for label, sources in _by_class(data, {data.source_ids[k] for k in train}).items():
        n = max(1, round(fraction * len(sources)))
        order = Stream("bagging", seed=seed, group=label).generator().permutation(len(sources))
        chosen += [sources[k] for k in order[:n]]
    return np.intersect1d(train, _images_of(data, chosen))


def _images_of(data: LabelledImages, sources: Iterable[str], part: Part | None = None) -> Indices:
    """Return the indices of the images of some sources, all of them or those of one published part."""
    wanted = set(sources)
    return np.array(
        [
            index
            for index, (source, published) in enumerate(zip(data.source_ids, data.parts, strict=True))
            if source in wanted and part in {None, published}
        ],
        dtype=np.int64,
    )


def _shared_sources(data: LabelledImages) -> tuple[str, ...]:
    published: dict[str, set[Part | None]] = {}
    for source, part in zip(data.source_ids, data.parts, strict=True):
        published.setdefault(source, set()).add(part)
    return tuple(sorted(source for source, parts in published.items() if len(parts) > 1))
