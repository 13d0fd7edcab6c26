"""Differentiable augmentation: what the discriminator sees, real and generated, is changed at random in the same way.

With few real images a discriminator learns them by heart. Changing both sides prevents that, and since the changes can
be differentiated, the generator still learns images that are not changed.

References
----------
Zhao et al. 2020, *Differentiable Augmentation for Data-Efficient GAN Training*, arXiv:2006.10738. The changes here are
those that leave the class of a galaxy and its flux as they are: mirror images, quarter turns and translations.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NUMBERS = 5
"""Random numbers for each image."""

_LARGEST_SHIFT = 0.125


def change(images: Any, numbers: Any, *, background: float) -> Any:
    """Mirror, turn and shift each image at random.

    Parameters
    ----------
    images : tensor of shape (n, size, size, channels)
        In any unit.
    numbers : tensor of shape (n, 5), uniform in [0, 1)
        The first three decide about a mirror image left-right, one up-down and an exchange of both axes, which
        together are the eight symmetries of a square; the last two are the shifts by whole pixels, at most an eighth of
        the size.
    background : float
        What comes in at the sides.

    Returns
    -------
    tensor of shape (n, size, size, channels)
    """
    from keras import ops

    def chosen(column: int) -> Any:
        return ops.reshape(numbers[:, column] < 0.5, (-1, 1, 1, 1))

    size = images.shape[1]
    images = ops.where(chosen(0), ops.flip(images, axis=2), images)
    images = ops.where(chosen(1), ops.flip(images, axis=1), images)
    images = ops.where(chosen(2), ops.transpose(images, (0, 2, 1, 3)), images)
    rows, columns = (_moves(numbers[:, column], size, images.dtype) for column in (3, 4))
    # Products with 0 and 1: gradients of index look-ups add up in an order that some devices leave to chance.
    moved = ops.einsum("nij,njkc->nikc", rows, images - background)
    return ops.einsum("nij,nkjc->nkic", columns, moved) + background


def _moves(numbers: Any, size: int, dtype: str) -> Any:
    """Return for each image the matrix that moves its pixels along one axis, tensor of shape (n, size, size)."""
    from keras import ops

    largest = round(size * _LARGEST_SHIFT)
    shifts = ops.floor(numbers * (2 * largest + 1)) - largest
    places = np.arange(size, dtype=np.float32)
    distances: NDArray[np.float32] = places[:, None] - places[None, :]
    return ops.cast(ops.equal(ops.reshape(shifts, (-1, 1, 1)), distances[None]), dtype)
