"""Rotated copies of every training image at all multiples of an angle, rendered on demand."""

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
"""Size of one matrix: four taps with an int32 index and a float32 weight each, and one int32 row pointer."""

_CACHE_BYTES = 512 << 20
"""Memory for matrices; at 300 x 300 pixels one takes 3 MB, and steps of 15 degrees need five."""


class RotationOptions(Options):
    """Options of the expansion ``rotations``."""

    step: Annotated[float, Field(gt=0, le=360, allow_inf_nan=False)] = 15
    """Angle between two copies of an image in degrees; the copies are at 0, step, 2 step and so on, below 360."""


def expand(training_set: TrainingSet, options: RotationOptions | None, _stream: Stream) -> TrainingSet:
    """Return the training set with every image rotated by every angle.

    Parameters
    ----------
    training_set : TrainingSet
        ``n`` images.
    options : RotationOptions, optional
        Step in degrees.
    _stream : Stream
        Not used: rotations are not random.

    Returns
    -------
    RotatedTrainingSet
        ``n`` images for each angle; the first ``n`` are the originals.

    References
    ----------
    Becker et al. 2021, MNRAS 503, 1828 (2021MNRAS.503.1828B), train on rotated copies in steps of 15 degrees.
    """
    return RotatedTrainingSet(training_set, (options or RotationOptions()).step)


class RotatedTrainingSet:
    r"""A training set rotated about the image centre, with bilinear interpolation and zeros beyond the frame.

    Image ``copy * n + k`` is image ``k`` of the ``n`` originals, rotated by ``copy * step`` degrees. The value of a
    rotated image at the offset (x, y) from the centre, y downwards, is that of the original at

    .. math:: (x \cos\theta - y \sin\theta, \; x \sin\theta + y \cos\theta)

    interpolated between the four nearest pixels. Angles count counter-clockwise if row 0 is drawn at the top, like
    those of `numpy.rot90` and `skimage.transform.rotate`. A FITS viewer draws row 0 at the bottom, so there the
    rotation is clockwise.

    Interpolation smooths: it lowers sharp peaks and correlates the noise of neighbouring pixels. Multiples of 90
    degrees of square images move whole pixels and change no value. Corners that come from outside the frame are zero,
    so images should have a sky level of zero and a source well inside the frame.

    Every image is rendered separately, so an index gives the same bits whatever else is in the batch. Angles that
    differ by a quarter turn share one sparse matrix with at most four entries per pixel. Matrices are computed on first
    use, and up to 512 MiB of them are kept.

    Parameters
    ----------
    originals : TrainingSet
        Images at zero degrees.
    step : float
        Angle between two copies in degrees.
    """

    def __init__(self, originals: TrainingSet, step: float) -> None:
        self._originals = originals
        # A step such as 0.1 has no exact binary form, which must not add a copy at 359.9999999 degrees.
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
    def rows(self) -> NDArray[np.int64]:
        """Row of the original set that each image is made of."""
        return np.tile(np.arange(len(self._originals)), len(self._angles))

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
            Indices ``copy * n + k``, see the class.

        Returns
        -------
        ndarray of shape (m, height, width, channels), float32
            New array in the unit of the originals.
        """
        copies, originals = np.divmod(indices, len(self._originals))
        images = self._originals.batch(originals)
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
    """Return the sparse matrix that rotates a flattened image with bilinear interpolation.

    Parameters
    ----------
    height, width : int
        Size of the image in pixels.
    angle : float
        Angle in degrees, counter-clockwise if row 0 is drawn at the top.

    Returns
    -------
    csr_array of shape (height * width, height * width), float32
        Row p contains the weights of the pixels that pixel p is interpolated from, at most four. Pixels outside the
        image count as zero and have no entry.

    Examples
    --------
    >>> image = np.array([[1, 2], [3, 4]], np.float32)
    >>> (rotation_matrix(2, 2, 90) @ image.ravel()).reshape(2, 2).tolist()
    [[2.0, 4.0], [1.0, 3.0]]
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
    """Return the cosine and the sine of an angle in degrees, exact at multiples of 90 degrees."""
    turns, rest = divmod(angle, 90.0)
    cosine, sine = math.cos(math.radians(rest)), math.sin(math.radians(rest))
    for _ in range(int(turns) % 4):
        cosine, sine = -sine, cosine
    return cosine, sine
