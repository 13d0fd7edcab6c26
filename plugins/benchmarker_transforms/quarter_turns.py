"""Rotate images at random by multiples of 90 degrees."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarker import ConfigurationError


def turn(images: NDArray[np.float32], draws: NDArray[np.float64], _options: None = None) -> NDArray[np.float32]:
    """Rotate each image by 0, 90, 180 or 270 degrees, each with probability one quarter.

    Pixels are moved, never interpolated.

    Parameters
    ----------
    images : ndarray of shape (n, size, size, channels), float32
        In any unit.
    draws : ndarray of shape (n, 1), float64, in [0, 1)
        Four equal intervals stand for 0, 90, 180 and 270 degrees, counter-clockwise when row 0 is drawn at the top.
    _options : None
        There are none.

    Returns
    -------
    ndarray of shape (n, size, size, channels), float32
        Fresh.

    Raises
    ------
    ConfigurationError
        If the images are not square.
    """
    _, height, width, _ = images.shape
    if height != width:
        raise ConfigurationError(
            f"the transform quarter-turns needs square images. Received: images of {height} x {width} pixels. "
            "Set `crop` or `resize` in the preparation, or use the transform flips instead."
        )
    quarters = np.floor(draws[:, 0] * 4).astype(np.int64)
    turned = images.copy()
    for quarter in (1, 2, 3):
        chosen = quarters == quarter
        turned[chosen] = np.rot90(images[chosen], quarter, axes=(1, 2))
    return turned
