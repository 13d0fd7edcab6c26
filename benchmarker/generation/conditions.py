"""What images are generated for: conditions fitted on the training part, and bootstrapped from its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.generation import ConditionedSet, ConditionSpace
from benchmarker.contracts.tasks import Classification, Task
from benchmarker.errors import ConfigurationError, DataError
from benchmarker.hooks import spelling
from benchmarker.randomness import Stream
from benchmarker.registry.generated import CLASS, unknown_conditions


def fit_conditions(names: Sequence[str], images: ConditionedSet, units: Mapping[str, str]) -> ConditionSpace:
    """Return the condition space of a training part.

    Parameters
    ----------
    names : sequence of str
        ``"class"``, attributes of the dataset, or targets of a regression.
    images : ConditionedSet
        Training part; means and deviations are taken over its images only.
    units : mapping of str to str
        Units of the attributes, in the notation of `astropy.units`.

    Raises
    ------
    ConfigurationError
        If the images lack a condition.
    DataError
        If its value is unknown for some of the images.
    """
    task = images.task
    units = dict(units)
    if not isinstance(task, Classification):
        units |= {target.name: target.unit for target in task.targets}
    attributes = tuple(name for name in names if name != CLASS)
    if unknown := unknown_conditions(task, names, images.attributes):
        raise ConfigurationError(next(iter(unknown.values())))
    for name in attributes:
        if not np.isfinite(images.attributes[name]).all():
            raise DataError(f"the condition {name!r} is unknown for some images of the training part")
    values = [np.asarray(images.attributes[name], dtype=np.float64) for name in attributes]
    return ConditionSpace(
        classes=task.classes if CLASS in names and isinstance(task, Classification) else (),
        attributes=attributes,
        units=tuple(units.get(name, "") for name in attributes),
        means=tuple(float(column.mean()) for column in values),
        deviations=tuple(float(column.std()) for column in values),
    )


def encode(space: ConditionSpace, images: ConditionedSet) -> NDArray[np.float32]:
    """Return the encoded conditions of all images of a set, ndarray of shape (n, size), float32."""
    if not space.size:
        return np.zeros((len(images), 0), dtype=np.float32)
    return space.encode(images.targets, images.attributes)


def fixed_condition(space: ConditionSpace, given: Mapping[str, float | str]) -> NDArray[np.float32]:
    """Return one encoded condition, ndarray of shape (size,), float32.

    Parameters
    ----------
    space : ConditionSpace
        Conditions of a generator.
    given : mapping of str to float or str
        Values by name; what is left out is the first class, or the mean of the training part.

    Raises
    ------
    ConfigurationError
        If a name is no condition, or a value no class or number.

    Examples
    --------
    >>> space = ConditionSpace(classes=("FRI", "FRII"), attributes=("z",), units=("",), means=(1.0,), deviations=(2.0,))
    >>> fixed_condition(space, {"class": "frii", "z": 5}).tolist()
    [0.0, 1.0, 2.0]
    """
    known = [*([CLASS] if space.classes else []), *space.attributes]
    for name, value in given.items():
        if name not in known:
            raise ConfigurationError(f"there is no condition {name!r}; the generator has: {', '.join(known) or 'none'}")
        if name != CLASS and not isinstance(value, int | float):
            raise ConfigurationError(f"{name}: a number was expected. Received: {value!r}")
    row = 0
    if CLASS in given:
        names = [spelling(name) for name in space.classes]
        wanted = spelling(str(given[CLASS]))
        if wanted not in names:
            raise ConfigurationError(f"there is no class {given[CLASS]!r}; known are: {', '.join(space.classes)}")
        row = names.index(wanted)
    values = {
        name: np.array([given.get(name, mean)], dtype=np.float64)
        for name, mean in zip(space.attributes, space.means, strict=True)
    }
    encoded: NDArray[np.float32] = space.encode(np.array([row]), values)[0]
    return encoded


def bootstrap(task: Task, targets: NDArray[Any], counts: Sequence[int], stream: Stream) -> NDArray[np.int64]:
    """Draw rows of the training part with replacement, a given number of each class.

    Parameters
    ----------
    task : Task
        What the targets mean.
    targets : ndarray of shape (n,), int64, or (n, n_targets), float64
        Targets of the training part.
    counts : sequence of int
        Rows of each class; for a regression one number.
    stream : Stream
        Stream that the rows are drawn from.

    Returns
    -------
    ndarray of shape (sum(counts),), int64
        Indices into ``targets``, class by class.
    """
    strata = [np.flatnonzero(targets == k) for k in range(len(counts))] if isinstance(task, Classification) else None
    rows = []
    for k, count in enumerate(counts):
        stratum = np.arange(len(targets)) if strata is None else strata[k]
        if count:
            rows.append(stream.child("rows", stratum=k).generator().choice(stratum, size=count, replace=True))
    return np.concatenate(rows).astype(np.int64) if rows else np.zeros(0, dtype=np.int64)


def shares(sizes: Sequence[int], total: int) -> list[int]:
    """Divide a total in proportion to sizes by the largest-remainder method; among equals the first gets more.

    Examples
    --------
    >>> shares([3, 3, 3], 10)
    [4, 3, 3]
    """
    whole = sum(sizes)
    exact = [total * size / whole for size in sizes]
    found = [int(each) for each in exact]
    by_remainder = sorted(range(len(sizes)), key=lambda k: (found[k] - exact[k], k))
    for k in by_remainder[: total - sum(found)]:
        found[k] += 1
    return found


def class_sizes(task: Task, targets: NDArray[Any]) -> list[int]:
    """Return the number of images of each class; for a regression one number."""
    if isinstance(task, Classification):
        return [int(count) for count in np.bincount(targets, minlength=task.n_outputs)]
    return [len(targets)]
