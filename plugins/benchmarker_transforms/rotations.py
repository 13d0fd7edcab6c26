"""Every training image at every multiple of a step in angle, rendered when it is asked for."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from benchmarker import Options, Stream, Task, TrainingSet

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_BYTES_PER_PIXEL = 36
"""Of one matrix: four taps with an int32 index and a float32 weight each, and one int32 row pointer."""

_CACHE_BYTES = 512 << 20
"""Matrices kept; at 300 x 300 pixels one takes 3 MB, and steps of 15 degrees need five."""


class RotationOptions(Options):
    """Options of the expansion ``rotations``."""

    step: Annotated[float, Field(gt=0, le=360, allow_inf_nan=False)] = 15
    """Angle in degrees between two copies of an image; the copies are at 0, step, 2 step ... below 360."""


def expand(training_set: TrainingSet, options: RotationOptions | None, _stream: Stream) -> TrainingSet:
    """Return the training set with every image at every angle.

    Parameters
    ----------
    training_set : TrainingSet
        ``n`` images.
    options : RotationOptions, optional
        The step in degrees.
    _stream : Stream
        Not used: nothing here is random.

    Returns
    -------
    RotatedTrainingSet
        ``n`` times the number of angles; the first ``n`` are the images as they were.

    References
    ----------
    Rotated copies in steps of 15 degrees are what Becker et al. (2021), 2021MNRAS.503.1828B, train on.
    """
    return RotatedTrainingSet(training_set, (options or RotationOptions()).step)


class RotatedTrainingSet:
    """A training set rotated about the image centre, with bilinear interpolation and zeros from outside.

    Image ``copy * n + k`` is image ``k`` of the ``n`` originals, rotated by ``copy * step`` degrees. Angles count
    counter-clockwise when row 0 is drawn at the top (as `numpy.rot90` and `skimage.transform.rotate` do), so clockwise
    in a FITS viewer, which draws row 0 at the bottom. Multiples of 90 degrees of square images are exact copies of
    pixels.

    An index gives the same bits whatever else is in the batch, because every image is rendered on its own. Angles that
    differ by a quarter turn share one sparse matrix of at most four taps per pixel; matrices are made when first used,
    and 512 MiB of them are kept.

    Parameters
    ----------
    originals : TrainingSet
        Images at zero degrees.
    step : float
        Degrees between two copies.
    """

    def __init__(self, originals: TrainingSet, step: float) -> None:
        self._originals = originals
        # A step such as 0.1 is not exact in binary: no copy at 359.9999999 degrees because of that.
        self._angles = step * np.arange(math.ceil(360 / step - 1e-9))
        height, width, _ = originals.image_shape
        self._square = height == width
        kept = max(1, _CACHE_BYTES // (_BYTES_PER_PIXEL * height * width))
        self._matrix = lru_cache(maxsize=kept)(lambda angle: rotation_matrix(height, width, angle))

    @property
    def task(self) -> Task:
        """What the targets mean."""
        return self._originals.task

    @property
    def targets(self) -> NDArray[Any]:
        """Targets of the originals, repeated for each angle."""
        targets = self._originals.targets
        return np.tile(targets, (len(self._angles), *[1] * (targets.ndim - 1)))

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        return self._originals.image_shape

    def __len__(self) -> int:
        return len(self._originals) * len(self._angles)

    def batch(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the rotated images at ``indices``.

        Parameters
        ----------
        indices : ndarray of shape (m,), int64
            ``copy * n + k``, see the class.

        Returns
        -------
        ndarray of shape (m, height, width, channels), float32
            Fresh, in the unit of the originals.
        """
        copies, places = np.divmod(indices, len(self._originals))
        images = self._originals.batch(places)
        for position, angle in enumerate(self._angles[copies]):
            if angle:
                images[position] = self._rotate(images[position], float(angle))
        return images

    def _rotate(self, image: NDArray[np.float32], angle: float) -> NDArray[np.float32]:
        """Return the rotated image, which shares no memory with ``image``."""
        # A quarter turn of a square image moves whole pixels, so only angles below 90 degrees need a matrix.
        turns, rest = divmod(angle, 90.0) if self._square else (0.0, angle)
        if rest:
            rotated = (self._matrix(rest) @ image.reshape(-1, image.shape[-1])).reshape(image.shape)
        else:
            rotated = image.copy()
        return np.rot90(rotated, int(turns))


def rotation_matrix(height: int, width: int, angle: float) -> csr_array:
    """Return the sparse matrix that rotates a flattened image.

    Parameters
    ----------
    height, width : int
        Of the image in pixels.
    angle : float
        Degrees, counter-clockwise when row 0 is drawn at the top.

    Returns
    -------
    csr_array of shape (height * width, height * width), float32
        Row p holds the weights of the at most four neighbours that bilinear interpolation takes pixel p from;
        neighbours outside the image are zero and left out.
    """
    from scipy.sparse import csr_array

    cosine, sine = _cosine_and_sine(angle)
    y = np.arange(height)[:, None] - (height - 1) / 2
    x = np.arange(width)[None, :] - (width - 1) / 2
    from_row = (cosine * y + sine * x + (height - 1) / 2).ravel()
    from_column = (cosine * x - sine * y + (width - 1) / 2).ravel()
    top, left = np.floor(from_row), np.floor(from_column)
    down, right = from_row - top, from_column - left

    rows = np.stack([top, top, top + 1, top + 1], axis=1)
    columns = np.stack([left, left + 1, left, left + 1], axis=1)
    weights = np.stack([(1 - down) * (1 - right), (1 - down) * right, down * (1 - right), down * right], axis=1)
    used = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width) & (weights != 0)
    taps = (rows * width + columns)[used].astype(np.int32)
    starts = np.concatenate([[0], np.cumsum(used.sum(axis=1))]).astype(np.int32)
    return csr_array((weights[used].astype(np.float32), taps, starts), shape=(height * width, height * width))


def _cosine_and_sine(angle: float) -> tuple[float, float]:
    """Return both, exact at multiples of 90 degrees."""
    turns, rest = divmod(angle, 90.0)
    cosine, sine = math.cos(math.radians(rest)), math.sin(math.radians(rest))
    for _ in range(int(turns) % 4):
        cosine, sine = -sine, cosine
    return cosine, sine
