"""Celestial coordinates, unit and beam of a FITS image: taken from its header, and turned into angles."""

from __future__ import annotations

import math
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarker.contracts.sky import Beam, SkyFacts

if TYPE_CHECKING:
    import numpy as np
    from astropy.wcs import WCS
    from numpy.typing import NDArray

_CARD = re.compile(
    r"WCSAXES|(CTYPE|CUNIT|CRVAL|CRPIX|CDELT|CROTA)\d|(CD|PC)\d_\d|P[VS]\d_\d+|LONPOLE|LATPOLE|RADESYS|RADECSYS|EQUINOX"
    r"|EPOCH|[AB]P?_(ORDER|\d_\d)"
)
_TEXT = re.compile("CTYPE|CUNIT|RADESYS|RADECSYS")
_LONGITUDE = re.compile(r"RA--|[A-Z]{1,2}LN|[A-Z]LON")
_LATITUDE = re.compile(r"DEC-|[A-Z]{1,2}LT|[A-Z]LAT")
_ARCSEC = 180 * 3600 / math.pi
_LEAST_AREA = 1e-10
"""Least area of a pixel over the squares of its sides: those of axes that are parallel but for rounding are smaller."""


def header_facts(header: Any, shape: tuple[int, int]) -> SkyFacts:
    """Return what a FITS header says about the sky.

    Parameters
    ----------
    header : astropy.io.fits.Header
        Header of the image.
    shape : tuple of int
        Height and width of the image that was read from it.

    Returns
    -------
    SkyFacts
        Without coordinates if no two axes of the header are celestial, or if they are not height and width of the
        image, and without what cannot be read of a damaged header.
    """
    # Broad on purpose: cards may be damaged in any way, and an image without facts is used all the same.
    try:
        return _facts(header, shape)
    except Exception:  # noqa: BLE001
        return SkyFacts(shape=shape)


def _facts(header: Any, shape: tuple[int, int]) -> SkyFacts:
    kept = {key: header[key] for key in header if _CARD.fullmatch(key)} if _has_celestial_plane(header, shape) else {}
    # A number that is written as a text would be replaced by a default, and the image would lie elsewhere.
    usable = all(isinstance(value, str if _TEXT.match(key) else int | float) for key, value in kept.items())
    cards = kept if usable else {}
    unit = header.get("BUNIT")
    return SkyFacts(shape=shape, cards=cards, unit=unit.strip() if isinstance(unit, str) else "", beam=_beam(header))


def _has_celestial_plane(header: Any, shape: tuple[int, int]) -> bool:
    axes = range(1, int(header.get("NAXIS", 0)) + 1)
    types = {axis: str(header.get(f"CTYPE{axis}", "")).upper() for axis in axes}
    found = [axis for axis, name in types.items() if _LONGITUDE.match(name) or _LATITUDE.match(name)]
    if len(found) != 2 or bool(_LONGITUDE.match(types[found[0]])) == bool(_LONGITUDE.match(types[found[1]])):
        return False
    return (header[f"NAXIS{found[1]}"], header[f"NAXIS{found[0]}"]) == shape


def _beam(header: Any) -> Beam | None:
    major, minor, angle = (header.get(key) for key in ("BMAJ", "BMIN", "BPA"))
    if not isinstance(major, int | float) or not 0 < major < math.inf:
        return None
    narrow = minor if isinstance(minor, int | float) and 0 < minor < math.inf else major
    turned = angle if isinstance(angle, int | float) and math.isfinite(angle) else 0.0
    return Beam(major=3600 * major, minor=3600 * narrow, angle=float(turned))


def celestial(facts: SkyFacts) -> WCS | None:
    """Return the celestial coordinates of an image, its pixel axes in the order of the file; None if it has none."""
    if not facts.cards:
        return None
    from astropy.io import fits
    from astropy.wcs import WCS

    header = fits.Header(facts.cards)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # stale dates and units of old headers
            wcs = WCS(header)
            if not wcs.has_celestial:
                return None
            # The property `celestial` puts the longitude first, also where it is the second axis of the image.
            found = wcs if wcs.naxis == 2 else wcs.sub(sorted((wcs.wcs.lng + 1, wcs.wcs.lat + 1)))
            found.array_shape = facts.shape
            found.wcs.set()  # refuses a matrix without an inverse
            return found
    # Broad on purpose: headers may be wrong in any way, and an image without coordinates is used all the same.
    except Exception:  # noqa: BLE001
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyView:
    """How an image is seen on the sky.

    Parameters
    ----------
    pixel : float
        Side of a pixel in arcsec: the root of its area, at the centre of the image.
    north : float
        Angle in degrees from the direction in which rows increase to north, positive towards increasing columns.
    mirrored : bool
        Whether east is to the right where north is up.
    """

    pixel: float
    north: float
    mirrored: bool


def sky_view(facts: SkyFacts) -> SkyView | None:
    """Return scale and orientation of an image at its centre; None if its header gives no usable coordinates.

    Notes
    -----
    North is that of the equatorial coordinates, also for images in galactic coordinates. FK5 and ICRS differ by less
    than 0.1 arcsec, which turns north by less than 0.002 degrees farther than one degree from the poles.

    Examples
    --------
    >>> cards = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 2.0}
    >>> cards |= {"CRPIX1": 5.5, "CRPIX2": 5.5, "CDELT1": -0.0005, "CDELT2": 0.0005}
    >>> view = sky_view(SkyFacts(shape=(10, 10), cards=cards))
    >>> round(view.pixel, 6), round(view.north, 6) + 0.0, view.mirrored
    (1.8, 0.0, False)
    """
    import numpy as np

    wcs = celestial(facts)
    if wcs is None:
        return None
    with np.errstate(all="ignore"):
        steps = _steps(wcs, ((facts.shape[1] - 1) / 2, (facts.shape[0] - 1) / 2))
        area = float(np.linalg.det(steps))
        # Rounding leaves a trace of an area to a step that is none; how much depends on the processor.
        has_area = abs(area) > _LEAST_AREA * float(np.sum(steps**2))
    if not (np.isfinite(steps).all() and math.isfinite(area) and has_area):
        return None
    north = np.linalg.solve(steps, [0.0, 1.0])
    return SkyView(
        pixel=math.sqrt(abs(area)), north=math.degrees(math.atan2(north[0], north[1])), mirrored=bool(area > 0)
    )


def _steps(wcs: WCS, centre: tuple[float, float]) -> NDArray[np.float64]:
    """Return the arcsec to the east (row 0) and north (row 1) of a step of one pixel in x (column 0) and in y."""
    import numpy as np

    x, y = centre
    points = np.array([[x, y], [x - 0.5, y], [x + 0.5, y], [x, y - 0.5], [x, y + 0.5]])
    ra, dec = np.radians(_equatorial(wcs, points))
    places = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)
    east = np.array([-np.sin(ra[0]), np.cos(ra[0]), 0.0])
    north = np.cross(places[0], east)
    moved = np.stack([places[2] - places[1], places[4] - places[3]], axis=1)
    return np.stack([east @ moved, north @ moved]) * _ARCSEC


def _equatorial(wcs: WCS, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return right ascension and declination of pixels in degrees: two rows."""
    import numpy as np

    lng, lat = wcs.wcs.lng, wcs.wcs.lat
    if wcs.wcs.ctype[lng].startswith("RA") and wcs.wcs.radesys in {"ICRS", "FK5", ""}:
        return np.asarray(wcs.all_pix2world(points, 0), dtype=np.float64)[:, [lng, lat]].T
    from astropy.coordinates import ICRS, SkyCoord

    found = wcs.pixel_to_world(*points.T)
    if not isinstance(found, SkyCoord):
        return np.full((2, len(points)), np.nan)
    moved = found.transform_to(ICRS())
    return np.stack([moved.ra.deg, moved.dec.deg])
