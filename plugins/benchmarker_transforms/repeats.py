"""Repeated real images: the control arm that takes as many gradient steps as an arm with generated images."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from benchmarker import Options, Stream, Task, TrainingSet


class RepeatOptions(Options):
    """Options of the expansion ``repeats``."""

    ratio: Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)] = 1
    """Repeated images per original image; with 0.5, half of the images occur twice."""


def expand(training_set: TrainingSet, options: RepeatOptions | None, stream: Stream) -> TrainingSet:
    """Return the training set with some or all of its images repeated.

    An arm with ``ratio`` generated images per real image takes 1 + ``ratio`` times as many gradient steps per epoch as
    the real images alone. This control takes exactly as many steps without any new image. What the generated images
    gain over it is therefore due to the images, not to the longer training.

    Parameters
    ----------
    training_set : TrainingSet
        ``n`` images.
    options : RepeatOptions, optional
        Ratio of repeated to original images.
    stream : Stream
        Random numbers that choose which images to repeat if the ratio is not a whole number.

    Returns
    -------
    RepeatedTrainingSet
        ``n + round(ratio * n)`` images; the first ``n`` are the originals in their order.
    """
    n, ratio = len(training_set), (options or RepeatOptions()).ratio
    times, rest = divmod(round(ratio * n), n)
    drawn = stream.generator().permutation(n)[:rest]
    originals = np.concatenate([np.tile(np.arange(n), 1 + times), np.sort(drawn)]).astype(np.int64)
    return RepeatedTrainingSet(training_set, originals)


class RepeatedTrainingSet:
    """Images of a training set, some of them more than once.

    Parameters
    ----------
    training_set : TrainingSet
        Original images.
    originals : ndarray of shape (m,), int64
        Index of the original of each image.
    """

    def __init__(self, training_set: TrainingSet, originals: NDArray[np.int64]) -> None:
        self._training_set = training_set
        self._originals = originals

    @property
    def task(self) -> Task:
        """What the targets mean."""
        return self._training_set.task

    @property
    def targets(self) -> NDArray[Any]:
        """Targets of the images, repeated like the images."""
        targets: NDArray[Any] = self._training_set.targets[self._originals]
        return targets

    @property
    def rows(self) -> NDArray[np.int64]:
        """Row of the original set that each image is made of."""
        return self._originals

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        return self._training_set.image_shape

    def __len__(self) -> int:
        return len(self._originals)

    def batch(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the images at ``indices``, ndarray of shape (len(indices), height, width, channels), float32."""
        return self._training_set.batch(self._originals[indices])
