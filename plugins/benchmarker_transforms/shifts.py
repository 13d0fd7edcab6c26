"""Move images at random by whole pixels."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from pydantic import Field

from benchmarker import Options


class ShiftOptions(Options):
    """Options of the transform ``shifts``."""

    fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Largest shift along each axis as a fraction of the image's size, rounded down to whole pixels."""


def shift(
    images: NDArray[np.float32], draws: NDArray[np.float64], options: ShiftOptions | None = None
) -> NDArray[np.float32]:
    """Move each image along both axes; what leaves is lost, zeros come in.

    Whole pixels, so that no flux is smeared by interpolation.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels), float32
        In any unit.
    draws : ndarray of shape (n, 2), float64, in [0, 1)
        Shift along rows (positive: to higher row numbers) and along columns; 0 gives the most negative.
    options : ShiftOptions, optional
        How far.

    Returns
    -------
    ndarray of shape (n, height, width, channels), float32
        Fresh.
    """
    _, height, width, _ = images.shape
    reach = np.floor((options or ShiftOptions()).fraction * np.array([height, width]) + 1e-9).astype(np.int64)
    shifts = np.floor(draws[:, :2] * (2 * reach + 1)).astype(np.int64) - reach
    down, right = reach.tolist()
    padded = np.pad(images, ((0, 0), (down, down), (right, right), (0, 0)))
    windows = sliding_window_view(padded, (height, width), axis=(1, 2))
    top, left = (reach - shifts).T
    return np.ascontiguousarray(np.moveaxis(windows[np.arange(len(images)), top, left], 1, -1))
