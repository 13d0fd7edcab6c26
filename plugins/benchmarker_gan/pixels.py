"""Pixels on their way to the networks: normalisation, and augmentation of what the discriminator sees.

With few real images a discriminator memorises them. It therefore sees every real image in a random one of the eight
orientations of a square. The sky has no preferred direction, so these are images of the same population. Generated
images are oriented in the same eight ways, by three additional numbers of their latent points, in training as well as
in sampling: the generator need not learn each shape eight times, and its samples have no preferred direction either.
Finally real and generated images are shifted at random. The shift is differentiable, so the generator still learns
centred images.

References
----------
Zhao et al. 2020, *Differentiable Augmentation for Data-Efficient GAN Training*, arXiv:2006.10738. Generators with the
symmetries of the data: Birrell et al. 2022, *Structure-preserving GANs*, arXiv:2202.01129.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

Scaling = Literal["standardise", "symmetric", "none"]

DIHEDRAL_NUMBERS = 3
"""Random numbers that choose the orientation of an image."""

SHIFT_NUMBERS = 2
"""Random numbers that choose the shift of an image."""

_LARGEST_SHIFT = 0.125

# The running moments are plain means over the first hundred batches, and exponential ones later.
_SMALLEST_MOMENTUM = 0.01
_SMALLEST_VARIANCE = 1e-8


class PixelNormalisation:
    r"""Converts prepared images to the values that networks see, and back.

    With the range [a, b] of the pixels of the training part, first a power law with the exponent `stretch`,

    .. math:: y = \left(\frac{x - a}{b - a}\right)^\gamma,

    then one of two scalings:

    - ``standardise``: :math:`(y - \mu) / \sigma` with the mean and standard deviation of all real pixels of a channel,
      learned from the batches of real images as running moments;
    - ``symmetric``: :math:`2 y - 1`, from [0, 1] to [-1, 1].

    Generated values are clipped to [a, b]. With ``none`` networks see the images as they are, and nothing is clipped.

    Most pixels of an astronomical image are sky at one level, and a few are bright. In [-1, 1] nearly all have the same
    value, and the differences between images are a small part of the input; in units of their standard deviation they
    are not. An exponent below 1 emphasises faint structure, and weakens what a generator leaves in an empty sky.

    Parameters
    ----------
    scaling : {"standardise", "symmetric", "none"}
        Scaling after the power law.
    stretch : float
        Exponent of the power law; ``none`` ignores it.
    channels : int
        Number of channels of the images.

    Examples
    --------
    >>> normalisation = PixelNormalisation("symmetric", 0.5, 1)
    >>> normalisation.set_range(0.0, 100.0)
    >>> values = normalisation.normalise(np.full((1, 2, 2, 1), 25.0, np.float32))
    >>> float(values[0, 0, 0, 0])
    0.0
    >>> float(normalisation.invert(np.zeros((1, 2, 2, 1), np.float32))[0, 0, 0, 0])
    25.0
    """

    def __init__(self, scaling: Scaling, stretch: float, channels: int) -> None:
        import keras

        self._scaling, self._stretch = scaling, stretch
        self._range = keras.Variable(np.array([0, 1], np.float32), trainable=False, name="range")
        self._moments: Sequence[keras.Variable] = ()
        if scaling == "standardise":
            shapes = {"batches": (), "mean": (channels,), "mean_square": (channels,)}
            self._moments = [
                keras.Variable(np.zeros(shape, np.float32), trainable=False, name=name)
                for name, shape in shapes.items()
            ]

    @property
    def variables(self) -> Sequence[keras.Variable]:
        """The range of pixel values and, where pixels are standardised, their running moments."""
        return [self._range, *self._moments]

    def set_range(self, minimum: float, maximum: float) -> None:
        """Set the range of pixel values; a range of zero width counts as one of width 1."""
        self._range.assign(np.array([minimum, maximum if maximum > minimum else minimum + 1], np.float32))

    def normalise(self, images: Any, *, learn: bool = True) -> Any:
        """Return a batch of real images as networks see it, after updating the running moments with it.

        Parameters
        ----------
        images : tensor of shape (n, height, width, channels)
            Prepared images.
        learn : bool
            Whether to update the running moments.

        Returns
        -------
        tensor of shape (n, height, width, channels)
        """
        from keras import ops

        if self._scaling == "none":
            return ops.convert_to_tensor(images)
        minimum, maximum = self._range.value[0], self._range.value[1]
        unit = (images - minimum) / (maximum - minimum)
        stretched = unit if self._stretch == 1 else ops.power(ops.maximum(unit, 0.0), self._stretch)
        if self._scaling == "symmetric":
            return stretched * 2.0 - 1.0
        batches, mean, mean_square = self._moments
        if learn:
            momentum = ops.maximum(1.0 / (batches.value + 1.0), _SMALLEST_MOMENTUM)
            for variable, values in ((mean, stretched), (mean_square, ops.square(stretched))):
                variable.assign(variable.value + momentum * (ops.mean(values, axis=(0, 1, 2)) - variable.value))
            batches.assign(batches.value + 1.0)
        variance = ops.maximum(mean_square.value - ops.square(mean.value), _SMALLEST_VARIANCE)
        return (stretched - mean.value) / ops.sqrt(variance)

    def invert(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return generated images in the unit of prepared images, within the range of the training part.

        Parameters
        ----------
        values : ndarray of shape (n, height, width, channels), float32
            Images as networks see them.

        Returns
        -------
        ndarray of shape (n, height, width, channels), float32
        """
        from keras import ops

        if self._scaling == "none":
            return values
        stretched: NDArray[Any] = (values + 1) / 2
        if self._scaling == "standardise":
            _, mean, mean_square = (ops.convert_to_numpy(variable) for variable in self._moments)
            stretched = values * np.sqrt(np.maximum(mean_square - mean**2, _SMALLEST_VARIANCE)) + mean
        unit: NDArray[np.float32] = np.clip(stretched, 0, 1).astype(np.float32, copy=False)
        if self._stretch != 1:
            unit = unit ** np.float32(1 / self._stretch)
        minimum, maximum = ops.convert_to_numpy(self._range)
        # Rounding must not leave the range: a brightest pixel of 7.0000005 would be one that no real image has.
        images: NDArray[np.float32] = np.clip(unit * (maximum - minimum) + minimum, minimum, maximum)
        return images

    def invert_tensors(self, values: Any) -> Any:
        """Return what `invert` does as tensors, for exports: with the range and the moments of this moment."""
        from keras import ops

        if self._scaling == "none":
            return values
        stretched = (values + 1.0) / 2.0
        if self._scaling == "standardise":
            _, mean, mean_square = (ops.convert_to_numpy(variable) for variable in self._moments)
            stretched = values * np.sqrt(np.maximum(mean_square - mean**2, _SMALLEST_VARIANCE)) + mean
        unit = ops.clip(stretched, 0.0, 1.0)
        if self._stretch != 1:
            unit = ops.power(unit, 1 / self._stretch)
        minimum, maximum = (float(value) for value in ops.convert_to_numpy(self._range))
        return ops.clip(unit * (maximum - minimum) + minimum, minimum, maximum)


def dihedral(images: Any, numbers: Any) -> Any:
    """Return each image in one of the eight orientations of a square (the dihedral group of order 8).

    Parameters
    ----------
    images : tensor of shape (n, size, size, channels)
        Square images.
    numbers : tensor of shape (n, 3), in [0, 1)
        Where the first number is below 0.5 the image is mirrored left-right, the second up-down, and where the third
        is, both axes are exchanged. Uniform random numbers give all orientations the same probability.

    Returns
    -------
    tensor of shape (n, size, size, channels)

    Examples
    --------
    >>> image = np.array([[1.0, 2.0], [3.0, 4.0]])[None, :, :, None]
    >>> np.asarray(dihedral(image, np.array([[0.2, 0.7, 0.7]])))[0, :, :, 0].tolist()
    [[2.0, 1.0], [4.0, 3.0]]
    """
    from keras import ops

    def chosen(column: int) -> Any:
        return ops.reshape(numbers[:, column] < 0.5, (-1, 1, 1, 1))

    images = ops.where(chosen(0), ops.flip(images, axis=2), images)
    images = ops.where(chosen(1), ops.flip(images, axis=1), images)
    return ops.where(chosen(2), ops.transpose(images, (0, 2, 1, 3)), images)


def shift(images: Any, numbers: Any) -> Any:
    """Shift each image by whole pixels along both axes, by up to an eighth of its size, with periodic boundaries.

    Pixels that leave on one side come back on the other. They are sky, whatever its level. A border of zeros would
    reveal the shift more clearly than a faint galaxy does.

    Parameters
    ----------
    images : tensor of shape (n, size, size, channels)
        Square images.
    numbers : tensor of shape (n, 2), in [0, 1)
        Shifts along rows and columns, from the most negative to the most positive one.

    Returns
    -------
    tensor of shape (n, size, size, channels)

    Examples
    --------
    >>> image = np.arange(64, dtype=np.float32).reshape(1, 8, 8, 1)
    >>> shifted = np.asarray(shift(image, np.array([[0.99, 0.5]], np.float32)))
    >>> bool((shifted == np.roll(image, 1, axis=1)).all())
    True
    """
    from keras import ops

    size = images.shape[1]
    rows, columns = (_shift_matrices(numbers[:, column], size, images.dtype) for column in range(SHIFT_NUMBERS))
    # Products with zeros and ones, because some devices add up the gradients of index look-ups in a random order.
    return ops.einsum("nij,nkjc->nkic", columns, ops.einsum("nij,njkc->nikc", rows, images))


def _shift_matrices(numbers: Any, size: int, dtype: str) -> Any:
    """Return the matrix that shifts the pixels of each image along one axis, tensor of shape (n, size, size)."""
    from keras import ops

    largest = round(size * _LARGEST_SHIFT)
    shifts = ops.floor(numbers * (2 * largest + 1)) - largest
    positions = np.arange(size, dtype=np.float32)
    distances: NDArray[np.float32] = (positions[:, None] - positions[None, :]) % size
    return ops.cast(ops.equal(ops.reshape(ops.mod(shifts, size), (-1, 1, 1)), distances[None]), dtype)
