"""Real images once more: the control that takes as many gradient steps as an arm with generated images."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from benchmarker import Options, Stream, Task, TrainingSet


class RepeatOptions(Options):
    """Options of the expansion ``repeats``."""

    ratio: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] = 1
    """Repeated images for each image; with 0.5, half of the images are there twice."""


def expand(training_set: TrainingSet, options: RepeatOptions | None, stream: Stream) -> TrainingSet:
    """Return the training set with some or all of its images once more, or several times.

    An epoch of it has as many gradient steps as one of the same images with ``ratio`` generated images for each real
    one. What an arm with generated images gains over this control, it gains from the images, not from the steps.

    Parameters
    ----------
    training_set : TrainingSet
        ``n`` images.
    options : RepeatOptions, optional
        The ratio of repeated to given images.
    stream : Stream
        Draws which images are repeated where the ratio is not a whole number.

    Returns
    -------
    RepeatedTrainingSet
        ``n + round(ratio * n)`` images; the first ``n`` are the images as they were.
    """
    n, ratio = len(training_set), (options or RepeatOptions()).ratio
    times, rest = divmod(round(ratio * n), n)
    drawn = stream.generator().permutation(n)[:rest]
    places = np.concatenate([np.tile(np.arange(n), 1 + times), np.sort(drawn)]).astype(np.int64)
    return RepeatedTrainingSet(training_set, places)


class RepeatedTrainingSet:
    """Images of a training set, some more than once.

    Parameters
    ----------
    originals : TrainingSet
        What is repeated.
    places : ndarray of shape (m,), int64
        Index of the original of each image.
    """

    def __init__(self, originals: TrainingSet, places: NDArray[np.int64]) -> None:
        self._originals = originals
        self._places = places

    @property
    def task(self) -> Task:
        """What the targets mean."""
        return self._originals.task

    @property
    def targets(self) -> NDArray[Any]:
        """Targets of the images, repeated as they are."""
        targets: NDArray[Any] = self._originals.targets[self._places]
        return targets

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        return self._originals.image_shape

    def __len__(self) -> int:
        return len(self._places)

    def batch(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the images at ``indices``, ndarray of shape (len(indices), height, width, channels), float32."""
        return self._originals.batch(self._places[indices])
