"""Cut squares about sources out of images with celestial coordinates, and resample them to other pixels."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.errors import ConfigurationError

if TYPE_CHECKING:
    from astropy.wcs import WCS

_LARGEST = 16384


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A source to cut out.

    Parameters
    ----------
    name : str
        Its name, from which the file is named.
    ra, dec : float
        Right ascension and declination in degrees (ICRS).
    """

    name: str
    ra: float
    dec: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Size and orientation of cut-outs.

    Parameters
    ----------
    size : float
        Side of the square in arcsec.
    pixel : float, optional
        Side of a pixel in arcsec; by default that of the mosaic, whose pixels are then kept as they are.
    north_up : bool
        Turn north up and east to the left.
    """

    size: float
    pixel: float | None = None
    north_up: bool = False


def cut_out(
    image: NDArray[Any], wcs: WCS, target: Target, geometry: Geometry
) -> tuple[NDArray[np.float64], WCS] | None:
    """Cut a square around a source out of an image.

    Parameters
    ----------
    image : ndarray of shape (height, width), any real dtype
        Image, such as a memory-mapped mosaic.
    wcs : astropy.wcs.WCS
        Its celestial coordinates.
    target : Target
        The source.
    geometry : Geometry
        Size and orientation.

    Returns
    -------
    (ndarray of shape (n, n), WCS) or None
        Pixels, NaN where the image has none, and their coordinates; None if no pixel of the square is in the image.

    Raises
    ------
    ConfigurationError
        If images are to be resampled and reproject is not installed, or the square has too many pixels.

    Notes
    -----
    With the pixels of the mosaic, the square has ``round(size / pixel)`` pixels, and the source lies within half a
    pixel of its centre. Nothing is interpolated.

    Otherwise the square is a gnomonic projection about the source, which lies exactly in the centre, and the mosaic is
    resampled to it: by cubic interpolation, or by anti-aliased resampling (DeForest 2004) to pixels that are at least
    1.2 times as large as its own. Values are surface brightness, so Jy/beam stays Jy/beam. An image in Jy/pixel must be
    divided by the area of its pixels first. Noise of resampled pixels is correlated.

    References
    ----------
    Calabretta & Greisen 2002, A&A 395, 1077, doi:10.1051/0004-6361:20021327; DeForest 2004, Solar Physics 219, 3,
    doi:10.1023/B:SOLA.0000021743.24248.b0.
    """
    from astropy.coordinates import SkyCoord
    from astropy.nddata import Cutout2D, NoOverlapError

    scale = pixel_scale(wcs)
    pixel = geometry.pixel or scale
    side = square_side(geometry.size, pixel)
    where = SkyCoord(target.ra, target.dec, unit="deg")
    resampled = geometry.pixel is not None or geometry.north_up
    # A square that is turned by 45 degrees needs 1.42 of its side, and interpolation a few pixels more.
    needed = square_side(1.5 * geometry.size, scale) + 8 if resampled else side
    # Rounded, so that the last bits of trigonometric functions never decide which pixel is the nearest one.
    x, y = (round(float(value), 6) for value in wcs.world_to_pixel(where))
    if not (np.isfinite(x) and np.isfinite(y)):
        return None  # on the other side of the sky
    try:
        part = Cutout2D(image, (x, y), needed, wcs=wcs, mode="partial", fill_value=np.nan, copy=True)
    except NoOverlapError:
        return None
    except ValueError as error:
        if "fill_value" not in str(error):
            raise
        part = Cutout2D(image.astype(np.float64), (x, y), needed, wcs=wcs, mode="partial", fill_value=np.nan)
    pixels = np.asarray(part.data, dtype=np.float64)
    if not resampled:
        return (pixels, part.wcs) if np.isfinite(pixels).any() else None
    wanted = _target_wcs(wcs, target, geometry, pixel, side)
    found = _resampled(pixels, part.wcs, wanted, side, coarser=pixel > 1.2 * scale)
    return (found, wanted) if np.isfinite(found).any() else None


def pixel_scale(wcs: WCS) -> float:
    """Return the side of a pixel in arcsec: the geometric mean of both sides, at the reference point."""
    from astropy.wcs.utils import proj_plane_pixel_scales

    return float(np.sqrt(np.prod(proj_plane_pixel_scales(wcs.celestial)))) * 3600


def square_side(size: float, pixel: float) -> int:
    """Return the pixels in a row of a square.

    Parameters
    ----------
    size, pixel : float
        Sides of the square and of a pixel in arcsec.

    Raises
    ------
    ConfigurationError
        If they are more than 16,384.
    """
    side = max(1, round(size / pixel))
    if side > _LARGEST:
        raise ConfigurationError(
            f"a cut-out of {size:g} arcsec has {side:,} pixels of {pixel:g} arcsec in a row; at most {_LARGEST:,} are "
            "allowed, so ask for a smaller size"
        )
    return side


def _target_wcs(wcs: WCS, target: Target, geometry: Geometry, pixel: float, side: int) -> WCS:
    """Return the coordinates of a square about the source: north up, or oriented as the mosaic is there."""
    from astropy.wcs import WCS

    made = WCS(naxis=2)
    made.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    made.wcs.crval = [target.ra, target.dec]
    made.wcs.crpix = [(side + 1) / 2, (side + 1) / 2]
    made.wcs.radesys = "ICRS"
    made.wcs.cunit = ["deg", "deg"]
    made.wcs.cd = np.array([[-1.0, 0.0], [0.0, 1.0]]) * pixel / 3600
    if not geometry.north_up:
        made.wcs.cd = _local_orientation(wcs, target) * pixel / 3600
    made.wcs.set()
    return made


def _local_orientation(wcs: WCS, target: Target) -> NDArray[np.float64]:
    """Return the matrix from pixels to (east, north) at a source, without its scale: a turn, or a turn and a mirror."""
    from astropy.coordinates import SkyCoord
    from astropy.units import arcsec, deg

    centre = SkyCoord(target.ra, target.dec, unit="deg")
    start = np.array(wcs.world_to_pixel(centre), dtype=np.float64)
    north, east = (
        np.array(wcs.world_to_pixel(centre.directional_offset_by(angle * deg, 1 * arcsec)), dtype=np.float64) - start
        for angle in (0, 90)
    )
    north /= np.linalg.norm(north)
    mirrored = east[0] * north[1] - east[1] * north[0] > 0
    east = np.array([north[1], -north[0]]) if mirrored else np.array([-north[1], north[0]])
    return np.stack([east, north])


def _resampled(pixels: NDArray[np.float64], wcs: WCS, wanted: WCS, side: int, *, coarser: bool) -> NDArray[np.float64]:
    try:
        from reproject import reproject_adaptive
    except ImportError as error:
        raise ConfigurationError(
            "to resample images, install reproject: python -m pip install 'galaxy-benchmarker[sky]'"
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about pixels beyond the edge
        if coarser:
            found, _ = reproject_adaptive(
                (pixels, wcs), wanted, shape_out=(side, side), conserve_flux=False, boundary_mode="strict",
                kernel="gaussian",
            )  # fmt: skip
        else:
            found = _interpolated(pixels, wcs, wanted, side)
    return np.asarray(found, dtype=np.float64)


def _interpolated(pixels: NDArray[np.float64], wcs: WCS, wanted: WCS, side: int) -> NDArray[np.float64]:
    """Interpolate by cubic splines, whose coefficients a single pixel without a value would make NaN everywhere."""
    from reproject import reproject_interp
    from scipy.ndimage import binary_dilation

    blank = ~np.isfinite(pixels)
    if blank.all():
        return np.full((side, side), np.nan)
    filled = np.where(blank, np.median(pixels[~blank]), pixels)
    found, _ = reproject_interp((filled, wcs), wanted, shape_out=(side, side), order="bicubic")
    if blank.any():
        # The neighbours of such pixels are blank as well, since the filling reaches into them.
        near = binary_dilation(blank, np.ones((3, 3))).astype(np.float64)
        share, _ = reproject_interp((near, wcs), wanted, shape_out=(side, side), order="bilinear")
        found[share > 0] = np.nan
    return np.asarray(found, dtype=np.float64)
