"""Turn one image as published into the input of a network."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from benchmarker.contracts.settings import Copies, NoiseClipping
from benchmarker.data.image_copies import cropped_copies
from benchmarker.errors import UnreadableImageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchmarker.contracts.settings import Preparation


def prepare_images(image: NDArray[Any], preparation: Preparation) -> Iterator[NDArray[np.float32]]:
    """Yield the prepared copies of one image; the image itself if `preparation` makes no copies.

    Parameters
    ----------
    image : ndarray of shape (height, width) or (height, width, channels), any real dtype
        As for `prepare_image`.
    preparation : Preparation
        Which steps to take.

    Yields
    ------
    ndarray of shape (height, width, channels), float32
        As `prepare_image` returns it. The image as it is comes first, then its copies.

    Raises
    ------
    UnreadableImageError
        If the image or one of its copies cannot be used.

    See Also
    --------
    benchmarker.data.image_copies.cropped_copies : Order and interpolation of the copies.
    """
    if preparation.order == "crop-clip-scale":
        yield from _crop_first(image, preparation)
    else:
        yield _scale_first(image, preparation)


def prepare_image(image: NDArray[Any], preparation: Preparation) -> NDArray[np.float32]:
    r"""Prepare one image: normalise, clip, threshold, crop and resample it, in this order.

    The step ``sky`` comes before these and is taken by `benchmarker.data.sky_preparation.cut_from_sky`.

    Each step but the third is taken only if `preparation` asks for it. This is the order ``scale-clip-crop``.

    1. ``normalise``: :math:`x \to (x - \min x) / (\max x - \min x)` in float64. Otherwise the values keep their unit.
    2. ``clip_sigma`` = :math:`k`: pixels with :math:`x < \mu + k \sigma` are set to 0. With ``clip_about: zero`` it
       is pixels with :math:`x < k s`, before step 1, where :math:`s` is the standard deviation of the sky: that of the
       pixels that are left when those beyond :math:`3 s` of their median are left out, at most ten times.
    3. Missing pixels, which are NaN or infinite, are set to 0 if the image was normalised or clipped, and otherwise to
       its minimum.
    4. ``binary_threshold`` = :math:`f`: pixels with :math:`x > f \max x` are set to 1, all others to 0. With
       ``binary_others: keep`` the others keep their value, and step 2 is left out.
    5. ``crop`` = :math:`n`: the central :math:`n \times n` pixels are kept. If the margin is odd, the larger part of it
       is cut off at the bottom and on the right.
    6. ``resize`` = :math:`n`: a square image is resampled to :math:`n \times n` pixels with a triangle filter, whose
       half-width is the larger one of the old and the new pixel, so that shrinking does not alias and no value leaves
       the range of the image.

    :math:`\min`, :math:`\max`, the mean :math:`\mu` and the population standard deviation
    :math:`\sigma = \sqrt{\langle (x - \mu)^2 \rangle}` are taken over all pixels and channels as they are before the
    step, but not over missing ones. With ``noise``, :math:`\mu` and :math:`\sigma` are those of the pixels that
    iterated sigma clipping about the median leaves.

    The order ``crop-clip-scale`` is that of the radio GAN. :math:`\mu` and :math:`\sigma` are those of the whole image
    in the unit of the file. Missing pixels are set to the level of the sky: :math:`\mu`, or 0 with
    ``clip_about: zero``. Then the image is cropped, pixels below the threshold are set to that level, and the crop is
    normalised; steps 4 and 6 follow. Clipping thus removes what interpolation spread, and each image fills [0, 1].

    Parameters
    ----------
    image : ndarray of shape (height, width) or (height, width, channels), any real dtype
        Pixels as published, in any unit that is linear in flux; NaN where there is no value.
    preparation : Preparation
        Which steps to take.

    Returns
    -------
    ndarray of shape (height, width, channels), float32
        Without unit and in [0, 1] if normalised, otherwise in the unit of the image.

    Raises
    ------
    UnreadableImageError
        If the image cannot be used: wrong number of axes, no pixels, no finite pixel, all pixels equal before or after
        the steps, smaller than the crop, or not square although it is to be resampled.

    Notes
    -----
    Normalisation removes the flux scale: sources of different brightness become equal, so a network cannot use the
    peak flux, and one hot pixel dims the whole source.

    :math:`\mu` and :math:`\sigma` include the source. A bright, extended source raises the threshold and loses its
    faint lobes; the threshold also depends on the size of the field, because the crop comes later. Since normalisation
    is linear, the clip selects the same pixels with and without it; only their values differ. With ``clip_about: zero``
    neither is so: :math:`s` hardly depends on the source, but the image must have a sky level of zero.

    Missing pixels become the darkest ones, so a border without values looks like empty sky on any sky level. Without
    ``normalise``, values too large for float32 count as missing.

    References
    ----------
    Steps 1, 2 and 4 follow Becker et al. 2021, MNRAS 503, 1828 (2021MNRAS.503.1828B), doi:10.1093/mnras/stab325, with
    k = 3 and optionally f = 0.8; in their code step 4 replaces step 2 and keeps the other pixels. ``clip_about: zero``
    is that of galaxyGAN, whose code uses `astropy.stats.sigma_clipped_stats`.

    Examples
    --------
    >>> import numpy as np
    >>> from benchmarker import Preparation
    >>> image = np.array([[np.nan, 1.0, 1.0], [1.0, 9.0, 1.0], [1.0, 1.0, 3.0]])
    >>> prepare_image(image, Preparation(clip_sigma=1.0))[:, :, 0].round(2)
    array([[0., 0., 0.],
           [0., 1., 0.],
           [0., 0., 0.]], dtype=float32)
    """
    return next(prepare_images(image, preparation))


def _scale_first(image: NDArray[Any], preparation: Preparation) -> NDArray[np.float32]:
    """Prepare one image in the order ``scale-clip-crop``."""
    import numpy as np

    pixels = _with_channels(image).astype(np.float64)
    missing = _missing(pixels, None if preparation.normalise else float(np.finfo(np.float32).max))
    clip_sigma = _clip_sigma(preparation)
    if clip_sigma is not None and preparation.clip_about == "zero":
        _mean, deviation = _noise(pixels if missing is None else pixels[~missing], preparation)
        pixels[pixels < clip_sigma * deviation] = 0.0
        _refuse_clipped(pixels[np.isfinite(pixels)], preparation)
        clip_sigma = None
    lowest, highest = _range(pixels, missing)
    if preparation.normalise:
        pixels = (pixels - lowest) / (highest - lowest)
        lowest = 0.0
    if clip_sigma is not None:
        mean, deviation = _noise(pixels if missing is None else pixels[~missing], preparation)
        pixels[pixels < mean + clip_sigma * deviation] = lowest = 0.0
    if missing is not None:
        pixels[missing] = lowest
    if clip_sigma is not None:
        _refuse_clipped(pixels, preparation)
    pixels = _binary(pixels, preparation)
    if preparation.crop is not None:
        pixels = _crop(pixels, preparation.crop)
        _refuse_constant(
            pixels, f"every pixel of the central {preparation.crop} x {preparation.crop} has the same value"
        )
    return _finished(pixels, preparation)


def _crop_first(image: NDArray[Any], preparation: Preparation) -> Iterator[NDArray[np.float32]]:
    """Prepare one image and its copies in the order ``crop-clip-scale``."""
    import numpy as np

    pixels = _with_channels(image).astype(np.float64)
    missing = _missing(pixels, None if preparation.normalise else float(np.finfo(np.float32).max))
    _range(pixels, missing)
    mean, deviation = _noise(pixels if missing is None else pixels[~missing], preparation)
    level = 0.0 if preparation.clip_about == "zero" else mean
    if missing is not None:
        pixels[missing] = level
    clip_sigma = _clip_sigma(preparation)
    sky = np.full(pixels.shape[2], level)
    for copy in cropped_copies(pixels, preparation.copies or Copies(), preparation.crop, sky):
        if clip_sigma is not None:
            copy[copy < level + clip_sigma * deviation] = level
            _refuse_clipped(copy, preparation)
        lowest, highest = _range(copy, None)
        scaled = (copy - lowest) / (highest - lowest) if preparation.normalise else copy
        yield _finished(_binary(scaled, preparation), preparation)


def _clip_sigma(preparation: Preparation) -> float | None:
    keeps = preparation.binary_threshold is not None and preparation.binary_others == "keep"
    return None if keeps else preparation.clip_sigma


def _noise(known: NDArray[np.float64], preparation: Preparation) -> tuple[float, float]:
    """Return mean and standard deviation of the pixels that have a value, without the source if that is asked for."""
    noise = preparation.noise or (NoiseClipping() if preparation.clip_about == "zero" else None)
    if noise is not None:
        import numpy as np
        from astropy.stats import sigma_clip

        kept = sigma_clip(known, sigma=noise.sigma, maxiters=noise.iterations, masked=False, copy=True)
        known = np.asarray(kept)
    return float(known.mean()), float(known.std())


def _binary(pixels: NDArray[np.float64], preparation: Preparation) -> NDArray[np.float64]:
    import numpy as np

    if preparation.binary_threshold is None:
        return pixels
    bright = pixels > preparation.binary_threshold * pixels.max()
    return np.where(bright, 1.0, pixels if preparation.binary_others == "keep" else 0.0)


def _finished(pixels: NDArray[np.float64], preparation: Preparation) -> NDArray[np.float32]:
    import numpy as np

    if preparation.resize is not None:
        pixels = _resize(pixels, preparation.resize)
    prepared = np.ascontiguousarray(pixels, dtype=np.float32)
    _refuse_constant(prepared, "every pixel has the same value after the preparation")
    return prepared


def _refuse_clipped(pixels: NDArray[np.float64], preparation: Preparation) -> None:
    sigma = f"{preparation.clip_sigma:g} sigma"
    threshold = f"{sigma} of the sky" if preparation.clip_about == "zero" else f"mean + {sigma}"
    _refuse_constant(pixels, f"no pixel is above {threshold}")


def _with_channels(image: NDArray[Any]) -> NDArray[Any]:
    """Return the image with a channel axis."""
    shape = " x ".join(map(str, image.shape))
    if image.ndim not in (2, 3):
        axes = "1 axis" if image.ndim == 1 else f"{image.ndim} axes"
        raise UnreadableImageError(f"{axes} ({shape}): expected height, width and optionally channels")
    if image.size == 0:
        raise UnreadableImageError(f"no pixels: {shape}")
    if image.dtype.kind not in "biuf":
        raise UnreadableImageError(f"pixels are {image.dtype}, not real numbers")
    return image[:, :, None] if image.ndim == 2 else image


def _missing(pixels: NDArray[np.float64], largest: float | None) -> NDArray[np.bool_] | None:
    """Set the pixels without a value to NaN and return where they are; None if every pixel has one."""
    import numpy as np

    known = np.isfinite(pixels) if largest is None else np.abs(pixels) <= largest
    if known.all():
        return None
    if not known.any():
        raise UnreadableImageError("every pixel is NaN" if np.isnan(pixels).all() else "every pixel is NaN or infinite")
    pixels[~known] = np.nan
    return np.logical_not(known)


def _range(pixels: NDArray[np.float64], missing: NDArray[np.bool_] | None) -> tuple[float, float]:
    """Return the smallest and the largest value of an image."""
    known = pixels if missing is None else pixels[~missing]
    lowest, highest = float(known.min()), float(known.max())
    if lowest == highest:
        share = "" if missing is None else f"; {100 * missing.mean():.0f} % have no value (NaN)"
        raise UnreadableImageError(f"every pixel has the same value{share}")
    if highest - lowest == math.inf:
        raise UnreadableImageError(f"its values, {lowest:g} to {highest:g}, are too far apart")
    return lowest, highest


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
        raise UnreadableImageError(f"{height} x {width} pixels: only square images can be resampled; crop them first")
    if height == size:
        return pixels
    planes = [Image.fromarray(pixels[:, :, channel].astype(np.float32)) for channel in range(channels)]
    resized = [np.asarray(plane.resize((size, size), Image.Resampling.BILINEAR)) for plane in planes]
    return np.stack(resized, axis=-1).astype(np.float64)
