"""Turns one image as published into the input of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarker.errors import UnreadableImageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchmarker.contracts.settings import Preparation


def prepare_image(image: NDArray[Any], preparation: Preparation) -> NDArray[np.float32]:
    r"""Prepare one image, each step only if the preparation asks for it.

    1. Pixels that are not finite are set to 0, always.
    2. ``normalise``: :math:`x \to (x - \min x) / (\max x - \min x)` over all pixels and channels of the image;
       otherwise the values stay in their own unit.
    3. ``clip_sigma`` k: pixels below :math:`\mu + k \sigma` are set to 0, where :math:`\mu` and :math:`\sigma` are the
       mean and the standard deviation (of the population) of all pixels and channels after step 2, source included.
    4. ``binary_threshold`` f: pixels above :math:`f \max x` become 1, all others 0.
    5. ``crop`` n: the central n x n pixels; an odd margin leaves the larger side at the bottom and on the right.
    6. ``resize`` n: square images are resampled to n x n pixels with a triangle filter as wide as the coarser of both
       grids, so that shrinking does not alias and no value leaves the range of the image.

    Steps 2 to 4 are those of Becker et al. 2021, MNRAS 503, 1828, with k = 3 and optionally f = 0.8.

    Parameters
    ----------
    image : ndarray of shape (height, width) or (height, width, channels), any real dtype
        Pixels as published, in any linear unit; NaN where there is none.
    preparation : Preparation
        Which steps to take.

    Returns
    -------
    ndarray of shape (height, width, channels), float32
        In [0, 1] if normalised.

    Raises
    ------
    UnreadableImageError
        If the image cannot be of use: wrong number of axes, no pixels, nothing finite, every pixel alike before or
        after the steps, smaller than the crop, or not square where it is to be resized.
    """
    import numpy as np

    pixels = _finite(_cube(image))
    if preparation.normalise:
        lowest, highest = pixels.min(), pixels.max()
        pixels = (pixels - lowest) / (highest - lowest)
    if preparation.clip_sigma is not None:
        pixels[pixels < pixels.mean() + preparation.clip_sigma * pixels.std()] = 0.0
        _refuse_constant(pixels, f"no pixel is above mean + {preparation.clip_sigma:g} sigma")
    if preparation.binary_threshold is not None:
        pixels = (pixels > preparation.binary_threshold * pixels.max()).astype(np.float64)
    if preparation.crop is not None:
        pixels = _crop(pixels, preparation.crop)
        _refuse_constant(
            pixels, f"every pixel of the central {preparation.crop} x {preparation.crop} has the same value"
        )
    if preparation.resize is not None:
        pixels = _resize(pixels, preparation.resize)
    prepared = np.ascontiguousarray(pixels, dtype=np.float32)
    _refuse_constant(prepared, "every pixel has the same value after the preparation")
    return prepared


def _cube(image: NDArray[Any]) -> NDArray[Any]:
    """Return the image with a channel axis."""
    shape = " x ".join(map(str, image.shape))
    if image.ndim not in (2, 3):
        raise UnreadableImageError(f"{image.ndim} axes ({shape}): expected height, width and perhaps channels")
    if image.size == 0:
        raise UnreadableImageError(f"no pixels: {shape}")
    if image.dtype.kind not in "biuf":
        raise UnreadableImageError(f"pixels are not real numbers but {image.dtype}")
    return image[:, :, None] if image.ndim == 2 else image


def _finite(cube: NDArray[Any]) -> NDArray[np.float64]:
    """Return the pixels as float64 with 0 where they are not finite (as float32)."""
    import numpy as np

    pixels = cube.astype(np.float64)
    finite = np.abs(pixels) <= np.finfo(np.float32).max
    if not finite.all():
        values = pixels[finite]
        if values.size == 0:
            raise UnreadableImageError(
                "every pixel is NaN" if np.isnan(pixels).all() else "every pixel is NaN or infinite"
            )
        _refuse_constant(values, "every pixel has the same value")
        pixels[~finite] = 0.0
    else:
        _refuse_constant(pixels, "every pixel has the same value")
    return pixels


def _refuse_constant(pixels: NDArray[Any], reason: str) -> None:
    if pixels.min() == pixels.max():
        raise UnreadableImageError(reason)


def _crop(pixels: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    height, width = pixels.shape[:2]
    if min(height, width) < size:
        raise UnreadableImageError(f"{height} x {width} pixels, smaller than the crop of {size} x {size}")
    top, left = (height - size) // 2, (width - size) // 2
    return pixels[top : top + size, left : left + size]


def _resize(pixels: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    import numpy as np
    from PIL import Image

    height, width, channels = pixels.shape
    if height != width:
        raise UnreadableImageError(f"{height} x {width} pixels: only square images are resized; crop them first")
    if height == size:
        return pixels
    planes = [Image.fromarray(pixels[:, :, channel].astype(np.float32)) for channel in range(channels)]
    resized = [np.asarray(plane.resize((size, size), Image.Resampling.BILINEAR)) for plane in planes]
    return np.stack(resized, axis=-1).astype(np.float64)
