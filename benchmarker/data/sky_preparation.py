"""The step of the preparation that cuts a square of the sky out of an image."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from benchmarker.contracts.sky import SkyFacts, SkyImage
from benchmarker.data.remarks import remark
from benchmarker.data.sky_facts import celestial, sky_view
from benchmarker.errors import UnplacedImageError, UnreadableImageError

if TYPE_CHECKING:
    from astropy.wcs import WCS

    from benchmarker.contracts.settings import SkySquare

NO_COORDINATES = "its file gives no celestial coordinates"
NO_POSITION = "its position is unknown"
NOT_SHOWN = "its position is not in the image"


def cut_from_sky(
    image: SkyImage, settings: SkySquare, position: tuple[float, float] = (math.nan, math.nan), *, name: str = "image"
) -> SkyImage:
    """Return a square of the sky as an image, with celestial coordinates that are valid for it.

    Parameters
    ----------
    image : SkyImage
        Image of shape (height, width) or (height, width, channels), with the facts of its header.
    settings : SkySquare
        Centre, size, pixels and orientation of the square.
    position : tuple of float
        Right ascension and declination of the source in degrees; NaN where unknown.
    name : str
        Name of the source in remarks.

    Returns
    -------
    SkyImage
        Pixels, float64, in the unit of the image; NaN beyond its edge.

    Raises
    ------
    UnplacedImageError
        If the image has no celestial coordinates, or its position is unknown or not in it.
    UnreadableImageError
        If no pixel of the square has a value.
    ConfigurationError
        If images are to be resampled and reproject is not installed, or the square has too many pixels.

    Notes
    -----
    Without `pixel` and `north_up` the pixels are those of the image, and the source lies within half a pixel of the
    centre. Otherwise `benchmarker.data.resampling.cut_out` says how pixels are resampled. Resampled pixels share their
    noise with their neighbours, so its standard deviation, and with it a threshold in `clip_sigma`, becomes smaller.
    Values count per beam or per angle; those of an image in a unit per pixel are not adjusted to other pixels, which is
    remarked on.

    See Also
    --------
    benchmarker.data.resampling.cut_out : Projection and interpolation.
    """
    import numpy as np

    from benchmarker.data.resampling import Geometry, Target, cut_out, pixel_scale

    wcs = None if image.sky is None or sky_view(image.sky) is None else celestial(image.sky)
    if image.sky is None or wcs is None:
        raise UnplacedImageError(NO_COORDINATES)
    height, width = image.pixels.shape[:2]
    ra, dec = _centre(wcs, (height, width)) if settings.centre == "image" else position
    if not (math.isfinite(ra) and math.isfinite(dec)):
        raise UnplacedImageError(NO_POSITION)
    if not _shows(wcs, (height, width), ra, dec):
        raise UnplacedImageError(NOT_SHOWN)
    size = settings.size or min(height, width) * pixel_scale(wcs)
    if settings.pixel is not None and "pix" in image.sky.unit.lower():
        remark(f"its unit {image.sky.unit} counts per pixel, but values are not adjusted to other pixels", name)
    geometry = Geometry(size=size, pixel=settings.pixel, north_up=settings.north_up)
    target = Target(name=name, ra=ra, dec=dec)
    planes = np.atleast_3d(image.pixels)
    found = [cut_out(planes[..., channel], wcs, target, geometry) for channel in range(planes.shape[2])]
    known = [each for each in found if each is not None]
    if not known:
        raise UnreadableImageError("every pixel is NaN")
    blank = np.full(known[0][0].shape, np.nan)
    pixels = np.stack([blank if each is None else each[0] for each in found], axis=-1)
    side, other = pixels.shape[:2]
    return SkyImage(
        pixels=pixels if image.pixels.ndim == 3 else pixels[..., 0],
        sky=SkyFacts(shape=(side, other), cards=_cards(known[0][1]), unit=image.sky.unit, beam=image.sky.beam),
    )


def _shows(wcs: WCS, shape: tuple[int, int], ra: float, dec: float) -> bool:
    from astropy.coordinates import SkyCoord

    x, y = (float(value) for value in wcs.world_to_pixel(SkyCoord(ra, dec, unit="deg")))
    return -0.5 <= x <= shape[1] - 0.5 and -0.5 <= y <= shape[0] - 0.5  # not so if they are NaN


def _centre(wcs: WCS, shape: tuple[int, int]) -> tuple[float, float]:
    """Return the position of the centre of an image in degrees (ICRS); NaN where its projection has none."""
    from astropy.coordinates import ICRS

    found = wcs.pixel_to_world((shape[1] - 1) / 2, (shape[0] - 1) / 2).transform_to(ICRS())
    return float(found.ra.deg), float(found.dec.deg)


def _cards(wcs: WCS) -> dict[str, float | int | str]:
    cards = wcs.to_header(relax=True)
    return {key: cards[key] for key in cards if isinstance(cards[key], str | int | float)}
