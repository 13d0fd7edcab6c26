"""How synthetic images are added to real ones: so many of each class, behind the real ones or in their place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.images import TrainingSet
from benchmarker.contracts.tasks import Classification, Task
from benchmarker.errors import ConfigurationError
from benchmarker.generation.conditions import class_sizes, shares
from benchmarker.registry.generated import NOT_BALANCED


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """How synthetic images are added to real ones.

    Parameters
    ----------
    ratio : float, optional
        Synthetic images for each real one; each class keeps its share.
    balance : bool
        Instead: as many as make every class as large as the largest one.
    real : bool
        Whether the real images stay.
    """

    ratio: float | None = None
    balance: bool = False
    real: bool = True

    @classmethod
    def from_spec(cls, generated: Mapping[str, Any]) -> Mixture:
        """Read what an arm's spec says."""
        return cls(
            ratio=generated.get("ratio"),
            balance=bool(generated.get("balance", False)),
            real=bool(generated.get("real", True)),
        )

    def counts(self, task: Task, targets: NDArray[Any]) -> list[int]:
        """Return how many synthetic images of each class there will be; of a regression one number.

        Raises
        ------
        ConfigurationError
            If the classes of a regression shall be balanced, or nothing would be left to train on.
        """
        sizes = class_sizes(task, targets)
        if self.balance:
            if not isinstance(task, Classification):
                raise ConfigurationError(NOT_BALANCED)
            counts = [max(sizes) - size if size else 0 for size in sizes]
        else:
            counts = shares(sizes, round((self.ratio or 0.0) * sum(sizes)))
        if not self.real and not sum(counts):
            raise ConfigurationError("an arm without real images needs synthetic ones; raise its ratio")
        return counts


class MixedSet:
    """Two training sets, one after the other.

    Parameters
    ----------
    first, second : TrainingSet
        For example the real images and the synthetic ones.
    """

    def __init__(self, first: TrainingSet, second: TrainingSet) -> None:
        self._first = first
        self._second = second
        self.task: Task = first.task
        self.image_shape: tuple[int, int, int] = first.image_shape
        self.targets: NDArray[Any] = np.concatenate([first.targets, second.targets])

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    def batch(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the images at ``indices``, ndarray of shape (len(indices), height, width, channels)."""
        images = np.empty((len(indices), *self.image_shape), dtype=np.float32)
        later = indices >= len(self._first)
        for part, chosen, start in ((self._first, ~later, 0), (self._second, later, len(self._first))):
            if chosen.any():
                images[chosen] = part.batch(indices[chosen] - start)
        return images
