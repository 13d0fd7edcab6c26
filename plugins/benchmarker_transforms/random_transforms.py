"""Random transforms: flips, shifts and quarter turns, by whole pixels unless sub-pixel shifts are asked for.

The sky has no preferred direction, so a mirrored, shifted or rotated image of a galaxy is as likely as the original,
and its class stays the same. Only sub-pixel shifts interpolate; the others leave pixel values, and therefore the flux
and the noise, exactly as they are. Each image is transformed as its own row of random numbers says, whatever else is in
the batch.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from pydantic import Field

from benchmarker import ConfigurationError, Options


class FlipOptions(Options):
    """Options of the transform ``flips``."""

    horizontal: bool = True
    """Mirror left-right with probability 1/2."""

    vertical: bool = True
    """Mirror up-down with probability 1/2."""


class ShiftOptions(Options):
    """Options of the transform ``shifts``."""

    fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Largest shift along each axis as a fraction of the image's size, rounded down to whole pixels."""

    # Left out of specifications where it is not used, so that their keys stay what they were before it existed.
    subpixel: bool = Field(default=False, exclude_if=lambda value: not value)
    """Shift by any fraction of a pixel, with bilinear interpolation and the pixels of the edge repeated."""


def flip(
    images: NDArray[np.float32], draws: NDArray[np.float64], options: FlipOptions | None = None
) -> NDArray[np.float32]:
    """Mirror each image left-right and up-down, each with probability 1/2.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels), float32
        Images in any unit.
    draws : ndarray of shape (n, 2), float64, in [0, 1)
        An image is mirrored left-right if its first number is below 0.5, and up-down if its second one is.
    options : FlipOptions, optional
        Which of the two flips to apply.

    Returns
    -------
    ndarray of shape (n, height, width, channels), float32
        New array in the unit of the images.

    Examples
    --------
    >>> image = np.array([[1, 2], [3, 4]], np.float32)[None, :, :, None]
    >>> flip(image, np.array([[0.2, 0.9]]))[0, :, :, 0].tolist()
    [[2.0, 1.0], [4.0, 3.0]]
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


def shift(
    images: NDArray[np.float32], draws: NDArray[np.float64], options: ShiftOptions | None = None
) -> NDArray[np.float32]:
    """Shift each image along both axes by a random number of whole pixels.

    Pixels that leave the frame are lost, and zeros come in on the other side. The shift along an axis of N pixels is
    uniform over the integers from -k to k with k = floor(fraction N). With ``subpixel`` it is uniform over the numbers
    from -fraction N to fraction N; the image is interpolated bilinearly, which smooths it a little, and its edge is
    repeated.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels), float32
        Images in any unit, with a sky level of zero.
    draws : ndarray of shape (n, 2), float64, in [0, 1)
        Shift along rows (positive: towards higher row numbers) and along columns; 0 is the most negative shift.
    options : ShiftOptions, optional
        Largest shift.

    Returns
    -------
    ndarray of shape (n, height, width, channels), float32
        New array in the unit of the images.

    Examples
    --------
    >>> image = np.array([[1, 2], [3, 4]], np.float32)[None, :, :, None]
    >>> shift(image, np.array([[0.9, 0.5]]), ShiftOptions(fraction=0.5))[0, :, :, 0].tolist()
    [[0.0, 0.0], [1.0, 2.0]]
    """
    _, height, width, _ = images.shape
    options = options or ShiftOptions()
    if options.subpixel:
        return _shift_subpixel(images, (2 * draws[:, :2] - 1) * options.fraction * np.array([height, width]))
    # The small constant keeps products such as 0.29 * 100 from being rounded down to 28.
    reach = np.floor(options.fraction * np.array([height, width]) + 1e-9).astype(np.int64)
    shifts = np.floor(draws[:, :2] * (2 * reach + 1)).astype(np.int64) - reach
    down, right = reach.tolist()
    padded = np.pad(images, ((0, 0), (down, down), (right, right), (0, 0)))
    windows = sliding_window_view(padded, (height, width), axis=(1, 2))
    top, left = (reach - shifts).T
    return np.ascontiguousarray(np.moveaxis(windows[np.arange(len(images)), top, left], 1, -1))


def _shift_subpixel(images: NDArray[np.float32], shifts: NDArray[np.float64]) -> NDArray[np.float32]:
    """Shift images by fractions of pixels along rows and columns, one axis after the other."""
    moved = images.astype(np.float64)
    for axis in (1, 2):
        size = images.shape[axis]
        places = np.clip(np.arange(size) - shifts[:, axis - 1, None], 0, size - 1)
        lower = np.minimum(np.floor(places).astype(np.int64), size - 2)
        weight = np.expand_dims(places - lower, (3, 3 - axis))
        index = np.expand_dims(lower, (3, 3 - axis))
        first, second = (np.take_along_axis(moved, index + k, axis=axis) for k in (0, 1))
        moved = (1 - weight) * first + weight * second
    return moved.astype(np.float32)


def quarter_turn(images: NDArray[np.float32], draws: NDArray[np.float64], _options: None = None) -> NDArray[np.float32]:
    """Rotate each image by 0, 90, 180 or 270 degrees with equal probability.

    Parameters
    ----------
    images : ndarray of shape (n, size, size, channels), float32
        Square images in any unit.
    draws : ndarray of shape (n, 1), float64, in [0, 1)
        Four equal intervals stand for 0, 90, 180 and 270 degrees, counter-clockwise if row 0 is drawn at the top.
    _options : None
        The transform has no options.

    Returns
    -------
    ndarray of shape (n, size, size, channels), float32
        New array in the unit of the images.

    Raises
    ------
    ConfigurationError
        If the images are not square.

    Examples
    --------
    >>> image = np.array([[1, 2], [3, 4]], np.float32)[None, :, :, None]
    >>> quarter_turn(image, np.array([[0.3]]))[0, :, :, 0].tolist()
    [[2.0, 4.0], [1.0, 3.0]]
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
