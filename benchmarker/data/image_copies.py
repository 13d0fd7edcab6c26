"""Turned, mirrored and shifted copies of an image, made before it is cropped."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmarker.errors import UnreadableImageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchmarker.contracts.settings import Copies

_CUBIC = 3


def cropped_copies(
    image: NDArray[np.float64], copies: Copies, crop: int | None, sky: NDArray[np.float64]
) -> Iterator[NDArray[np.float64]]:
    r"""Yield the copies of an image, each turned about its centre, shifted, and then cropped.

    The order is: each angle of the image as it is, with its shifts; then each angle of its mirror image. The value of a
    turned copy at the offset :math:`(x, y)` from the centre, y downwards, is that of the image at
    :math:`(x \cos\theta - y \sin\theta, x \sin\theta + y \cos\theta)`, interpolated by cubic splines. This is
    `scipy.ndimage.rotate` without a change of size, followed by the crop.

    Parameters
    ----------
    image : ndarray of shape (height, width, channels), float64
        Pixels without NaN, in any unit.
    copies : Copies
        Which copies to make.
    crop : int, optional
        Height and width of the copies in pixels; by default those of the image.
    sky : ndarray of shape (channels,)
        Value beyond the frame, in the unit of the image.

    Yields
    ------
    ndarray of shape (height, width, channels), float64
        A copy. Neither turned nor mirrored, it has the pixels of the image as they are.

    Raises
    ------
    UnreadableImageError
        If the image is smaller than the crop.

    Notes
    -----
    Cubic splines keep sharp peaks better than bilinear interpolation, but overshoot beside them by a few per cent of
    the peak: a point source gets a faint, negative ring, which a clip at a few standard deviations removes.

    Examples
    --------
    >>> import numpy as np
    >>> from benchmarker.contracts.settings import Copies
    >>> image = np.arange(9.0).reshape(3, 3, 1)
    >>> first, *others = cropped_copies(image, Copies(step=90, flip=True), None, np.zeros(1))
    >>> len(others), bool((first == image).all())
    (7, True)
    >>> others[0][:, :, 0].round(9).tolist()
    [[2.0, 5.0, 8.0], [1.0, 4.0, 7.0], [0.0, 3.0, 6.0]]
    """
    height, width = image.shape[:2]
    size = (crop or height, crop or width)
    if crop is not None and min(height, width) < crop:
        raise UnreadableImageError(f"{height} x {width} pixels, smaller than the crop of {crop} x {crop}")
    start = ((height - size[0]) // 2, (width - size[1]) // 2)
    moves = [(0, 0), *((sign * s, 0) for s in copies.shifts for sign in (-1, 1))]
    moves += [(0, sign * s) for s in copies.shifts for sign in (-1, 1)]
    for source in (image, image[:, ::-1]) if copies.flip else (image,):
        for turned, (down, across) in itertools.product(_turned(source, copies.step, sky), moves):
            yield _window(turned, (start[0] - down, start[1] - across), size, sky)


def _turned(image: NDArray[np.float64], step: float, sky: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    import numpy as np
    from scipy.ndimage import affine_transform, spline_filter

    yield image
    middle = (np.array(image.shape[:2]) - 1) / 2
    splines: list[NDArray[np.float64]] = []
    for number in itertools.count(1):
        if number * step >= 360 - 1e-9:
            return
        splines = splines or [spline_filter(plane, _CUBIC, output=np.float64) for plane in np.moveaxis(image, -1, 0)]
        angle = np.radians(number * step)
        matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        offset = middle - matrix @ middle
        planes = [
            affine_transform(plane, matrix, offset, order=_CUBIC, cval=float(level), prefilter=False)
            for plane, level in zip(splines, sky, strict=True)
        ]
        yield np.stack(planes, axis=-1)


def _window(
    image: NDArray[np.float64], start: tuple[int, int], size: tuple[int, int], sky: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return part of an image, with the sky where it reaches beyond the frame."""
    import numpy as np

    window = np.empty((*size, image.shape[2]), dtype=np.float64)
    window[...] = sky
    inner, outer = [], []
    for first, length, full in zip(start, size, image.shape, strict=False):
        low, high = max(first, 0), min(first + length, full)
        inner.append(slice(low, max(low, high)))
        outer.append(slice(low - first, max(low, high) - first))
    window[tuple(outer)] = image[tuple(inner)]
    return window
