"""Encodes a synthetic observation as a FITS file, in the same bytes every time and hundreds of times a second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchmarker_radio.synthetic_image import PIXEL

if TYPE_CHECKING:
    from benchmarker_radio.synthetic_image import Observation

_BLOCK = 2880


def encode(observation: Observation, position: tuple[float, float], cards: Mapping[str, tuple[Any, str]]) -> bytes:
    """Return a FITS file with one image in its primary HDU.

    Parameters
    ----------
    observation : Observation
        Image, beam and noise.
    position : tuple of float
        Right ascension and declination of the centre in degrees, J2000.
    cards : mapping of str to (value, comment)
        Further keywords.

    Returns
    -------
    bytes
        A header with world coordinates, beam and unit (but no date, which would change the bytes), and big-endian
        float32 pixels.
    """
    height, width = observation.image.shape
    header: dict[str, tuple[Any, str]] = {
        "SIMPLE": (True, "conforms to FITS"),
        "BITPIX": (-32, "IEEE single precision"),
        "NAXIS": (2, ""),
        "NAXIS1": (width, ""),
        "NAXIS2": (height, ""),
        "BUNIT": ("JY/BEAM", ""),
        "BMAJ": (observation.beam.major / 3600.0, "[deg] major axis of the beam (FWHM)"),
        "BMIN": (observation.beam.minor / 3600.0, "[deg] minor axis of the beam (FWHM)"),
        "BPA": (observation.beam.angle, "[deg] position angle of the beam"),
        "CTYPE1": ("RA---SIN", ""),
        "CRPIX1": (0.5 * (width + 1), ""),
        "CRVAL1": (position[0], ""),
        "CDELT1": (-PIXEL / 3600.0, ""),
        "CUNIT1": ("deg", ""),
        "CTYPE2": ("DEC--SIN", ""),
        "CRPIX2": (0.5 * (height + 1), ""),
        "CRVAL2": (position[1], ""),
        "CDELT2": (PIXEL / 3600.0, ""),
        "CUNIT2": ("deg", ""),
        "RADESYS": ("FK5", ""),
        "EQUINOX": (2000.0, ""),
        "TELESCOP": ("SYNTHETIC", ""),
        "ORIGIN": ("galaxy-benchmarker", ""),
        "NOISE": (observation.noise, "[Jy/beam] standard deviation"),
        **cards,
    }
    text = "".join(_card(keyword, value, comment) for keyword, (value, comment) in header.items()) + "END"
    return _padded(text.encode("ascii"), b" ") + _padded(observation.image.astype(">f4").tobytes(), b"\0")


def _card(keyword: str, value: Any, comment: str) -> str:
    """Return one header card in the fixed format of the FITS standard."""
    if isinstance(value, bool):
        formatted = f"{'T' if value else 'F':>20}"
    elif isinstance(value, float):
        formatted = f"{value:>20.12E}"
    elif isinstance(value, int):
        formatted = f"{value:>20d}"
    else:
        formatted = f"'{value:<8}'".ljust(20)
    return f"{keyword:<8}= {formatted}{f' / {comment}' if comment else ''}".ljust(80)


def _padded(data: bytes, filler: bytes) -> bytes:
    return data + filler * (-len(data) % _BLOCK)
