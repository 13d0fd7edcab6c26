"""Mirror images at random."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarker import Options


class FlipOptions(Options):
    """Options of the transform ``flips``."""

    horizontal: bool = True
    """Exchange left and right with probability one half."""

    vertical: bool = True
    """Exchange top and bottom with probability one half."""


def flip(
    images: NDArray[np.float32], draws: NDArray[np.float64], options: FlipOptions | None = None
) -> NDArray[np.float32]:
    """Mirror each image left-right and up-down, each with probability one half.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels), float32
        In any unit.
    draws : ndarray of shape (n, 2), float64, in [0, 1)
        An image is mirrored left-right where the first draw is below 0.5, up-down where the second is.
    options : FlipOptions, optional
        Which of the two are done.

    Returns
    -------
    ndarray of shape (n, height, width, channels), float32
        Fresh.
    """
    options = options or FlipOptions()
    flipped = images.copy()
    if options.horizontal:
        chosen = draws[:, 0] < 0.5
        flipped[chosen] = flipped[chosen, :, ::-1]
    if options.vertical:
        chosen = draws[:, 1] < 0.5
        flipped[chosen] = flipped[chosen, ::-1]
    return flipped
