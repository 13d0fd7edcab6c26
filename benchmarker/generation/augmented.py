"""The training part of a generator with augmentations: expanded once, transformed anew in each epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.containment import PluginErrors
from benchmarker.contracts.generation import ConditionedSet
from benchmarker.contracts.images import TrainingSet
from benchmarker.contracts.tasks import Classification, Task
from benchmarker.errors import ConfigurationError, PluginError
from benchmarker.registry.generated import CLASS
from benchmarker.training.sets import AppliedAugmentation, ExpandedSet, PartSet, Transform, expand, transforms

GENERATOR_PART = "generator"
"""Part in the streams of a generator's augmentations, which are not those of an arm."""


class AugmentedSet:
    """An expanded training part with the conditions of every image.

    Parameters
    ----------
    expanded : TrainingSet
        The training part after all expansions.
    attributes : mapping of str to ndarray of shape (n,), float64
        Conditions of its images, in their units.
    """

    def __init__(self, expanded: TrainingSet, attributes: Mapping[str, NDArray[np.float64]]) -> None:
        self._expanded = expanded
        self.attributes = dict(attributes)
        self.task: Task = expanded.task
        self.targets: NDArray[Any] = expanded.targets
        self.image_shape: tuple[int, int, int] = expanded.image_shape

    def __len__(self) -> int:
        return len(self._expanded)

    def batch(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the images at ``indices``, ndarray of shape (len(indices), height, width, channels)."""
        return self._expanded.batch(indices)


def augmented(
    part: PartSet, applied: Sequence[AppliedAugmentation], conditions: Sequence[str], seed: int
) -> tuple[ConditionedSet, tuple[Transform, ...]]:
    """Return what a generator learns from, and the transforms of each batch.

    Parameters
    ----------
    part : PartSet
        Training part.
    applied : sequence of AppliedAugmentation
        Augmentations of the generator, in order.
    conditions : sequence of str
        What its images are generated for.
    seed : int
        Seed of the generator.

    Raises
    ------
    ConfigurationError
        If an expansion does not say which image an image is made of, and so which conditions it has.
    PluginError
        If an expansion fails, or returns something else than a larger set of the same kind.
    """
    changes = transforms(applied, seed, GENERATOR_PART)
    expanded = expand(part, applied, seed, GENERATOR_PART)
    if expanded is part:
        return part, changes
    attributes = _targets(expanded)
    if not {name for name in conditions if name != CLASS} <= attributes.keys():
        rows = _rows(expanded, part)
        attributes = {name: values[rows] for name, values in part.attributes.items()}
    return AugmentedSet(expanded, attributes), changes


def _targets(images: TrainingSet) -> dict[str, NDArray[np.float64]]:
    """Return the targets of a regression by name."""
    task = images.task
    if isinstance(task, Classification):
        return {}
    return {target.name: np.asarray(images.targets[:, k]) for k, target in enumerate(task.targets)}


def _rows(expanded: TrainingSet, part: TrainingSet) -> NDArray[np.int64]:
    """Return the image of the training part that each image of the expanded set is made of."""
    rows = np.arange(len(expanded))
    step = expanded
    while isinstance(step, ExpandedSet):
        with PluginErrors(f"the rows of {step.owner}"):
            found = getattr(step.made, "rows", None)
            made_of = None if found is None else np.asarray(found)
        if made_of is None:
            raise ConfigurationError(
                f"{step.owner} does not say which image each of its images is made of, so that their conditions are "
                "unknown; use 'class' or the targets as conditions, or another augmentation"
            )
        if made_of.shape != (len(step),) or made_of.dtype.kind not in "iu" or not _indices(made_of, len(step.base)):
            raise PluginError(
                f"the rows of {step.owner} must be {len(step)} indices below {len(step.base)}. "
                f"Received: {made_of.dtype} of shape {made_of.shape}"
            )
        rows, step = made_of[rows], step.base
    if step is not part:
        raise PluginError("an expanded set must be made of the training part")
    return rows.astype(np.int64)


def _indices(values: NDArray[Any], n: int) -> bool:
    return bool(values.min() >= 0 and values.max() < n)
