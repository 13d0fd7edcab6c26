"""What the headers of FITS images say about the sky: coordinates, unit and beam."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Beam:
    """Gaussian beam that a radio image was restored with.

    Parameters
    ----------
    major, minor : float
        Full widths at half maximum in arcsec.
    angle : float
        Position angle of the major axis in degrees, from north through east.
    """

    major: float
    minor: float
    angle: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyFacts:
    """Where the pixels of a FITS image lie on the sky, and what they measure.

    Parameters
    ----------
    shape : tuple of int
        Height and width of the image in pixels. Row 0 is the first row of the file, which belongs at the bottom.
    cards : mapping of str to float, int or str, optional
        Cards of the header that give the celestial coordinates, such as ``CTYPE1`` and ``CRVAL1``; empty if it gives
        none for these two axes.
    unit : str, optional
        Unit of the pixels as the file writes it (``BUNIT``), such as ``JY/BEAM``; empty where unknown.
    beam : Beam, optional
        Beam of the image (``BMAJ``, ``BMIN``, ``BPA``), where the header gives it.

    References
    ----------
    Greisen & Calabretta 2002, A&A 395, 1061, doi:10.1051/0004-6361:20021326 (world coordinates in FITS).

    Examples
    --------
    >>> from benchmarker import SkyFacts
    >>> SkyFacts(shape=(150, 150), unit="JY/BEAM").beam is None
    True
    """

    shape: tuple[int, int]
    cards: Mapping[str, float | int | str] = field(default_factory=dict)
    unit: str = ""
    beam: Beam | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyImage:
    """An image and what its header says about the sky.

    Parameters
    ----------
    pixels : ndarray of shape (height, width) or (height, width, channels)
        Pixels in the unit of the file.
    sky : SkyFacts, optional
        Facts of the header; None for a file that is not FITS.
    """

    pixels: NDArray[Any]
    sky: SkyFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SkyColumns:
    """Scale, orientation, unit and beam of prepared images, one row for each.

    Parameters
    ----------
    from_fits : ndarray of shape (n,), bool
        Whether the image is from a FITS file, so that row 0 belongs at the bottom.
    pixel : ndarray of shape (n,), float64
        Side of a prepared pixel in arcsec; NaN where unknown.
    north : ndarray of shape (n,), float64
        Angle in degrees from the direction in which rows increase to north, positive towards increasing columns; NaN
        where unknown.
    mirrored : ndarray of shape (n,), bool
        Whether east is to the right where north is up.
    unit : ndarray of shape (n,), str
        Unit of the pixels in the file; empty where unknown.
    beam : ndarray of shape (n, 3), float64
        Major and minor axis of the beam in arcsec, and its position angle in degrees; NaN where unknown.
    """

    from_fits: NDArray[np.bool_]
    pixel: NDArray[np.float64]
    north: NDArray[np.float64]
    mirrored: NDArray[np.bool_]
    unit: NDArray[np.str_]
    beam: NDArray[np.float64]
