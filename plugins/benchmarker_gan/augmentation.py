"""Augmentation of what a discriminator sees.

With few real images a discriminator learns them by heart. Real images are therefore mirrored and turned at random: the
sky has no preferred direction, so they are the same population, seen from all sides. A generator has its images turned
in the same eight ways by further numbers of its latent points, also when samples are drawn: it need not learn every
shape eight times, and its samples have no preferred direction either. Both are shifted at random before the
discriminator sees them; this can be differentiated, so that the generator still learns centred images.

References
----------
Zhao et al. 2020, *Differentiable Augmentation for Data-Efficient GAN Training*, arXiv:2006.10738. Turning
what a generator makes: Birrell et al. 2022, *Structure-preserving GANs*, arXiv:2202.01129.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

TURNS = 3
"""Random numbers for each image that is mirrored and turned."""

SHIFTS = 2
"""Random numbers for each image that is shifted."""

_LARGEST_SHIFT = 0.125


def turn(images: Any, numbers: Any) -> Any:
    """Mirror and turn each image at random: one of the eight symmetries of a square.

    Parameters
    ----------
    images : tensor of shape (n, size, size, channels)
        In any unit.
    numbers : tensor of shape (n, 3), uniform in [0, 1)
        They decide about a mirror image left-right, one up-down, and an exchange of both axes.

    Returns
    -------
    tensor of shape (n, size, size, channels)
    """
    from keras import ops

    def chosen(column: int) -> Any:
        return ops.reshape(numbers[:, column] < 0.5, (-1, 1, 1, 1))

    images = ops.where(chosen(0), ops.flip(images, axis=2), images)
    images = ops.where(chosen(1), ops.flip(images, axis=1), images)
    return ops.where(chosen(2), ops.transpose(images, (0, 2, 1, 3)), images)


def shift(images: Any, numbers: Any) -> Any:
    """Shift each image at random by whole pixels, at most an eighth of its size along each axis.

    What leaves on one side comes back on the other: sky, whatever its level is. A border of another level would tell
    more about the shift than a faint galaxy does about itself.

    Parameters
    ----------
    images : tensor of shape (n, size, size, channels)
        In any unit.
    numbers : tensor of shape (n, 2), uniform in [0, 1)
        They decide about both axes.

    Returns
    -------
    tensor of shape (n, size, size, channels)
    """
    from keras import ops

    size = images.shape[1]
    rows, columns = (_moves(numbers[:, column], size, images.dtype) for column in range(SHIFTS))
    # Products with 0 and 1: gradients of index look-ups add up in an order that some devices leave to chance.
    return ops.einsum("nij,nkjc->nkic", columns, ops.einsum("nij,njkc->nikc", rows, images))


def _moves(numbers: Any, size: int, dtype: str) -> Any:
    """Return for each image the matrix that moves its pixels along one axis, tensor of shape (n, size, size)."""
    from keras import ops

    largest = round(size * _LARGEST_SHIFT)
    shifts = ops.floor(numbers * (2 * largest + 1)) - largest
    places = np.arange(size, dtype=np.float32)
    distances: NDArray[np.float32] = (places[:, None] - places[None, :]) % size
    return ops.cast(ops.equal(ops.reshape(ops.mod(shifts, size), (-1, 1, 1)), distances[None]), dtype)
