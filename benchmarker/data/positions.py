"""Positions of sources on the sky: from attributes, or from names that contain them, and the pairs within a radius."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarker.contracts.images import LabelledImages

_AXES = (("ra", "dec"), ("ra_deg", "dec_deg"), ("raj2000", "dej2000"), ("right_ascension", "declination"))
_NAME = re.compile(
    r"(?<!\d)(?P<h>[01]\d|2[0-3])(?P<m>[0-5]\d)(?P<s>[0-5]\d(?:\.\d+)?)"
    r"(?P<sign>[+\-\N{MINUS SIGN}])(?P<deg>[0-8]\d)(?P<min>[0-5]\d)(?P<sec>[0-5]\d(?:\.\d+)?)?(?!\d)"
)
SAME_SKY = 150.0
"""Images of sources closer than this, in arcsec, are suspected to show the same sky: half the side of a FIRST image of
300 pixels is 270 arcsec."""

_ARCSEC = np.pi / 180 / 3600


def positions(data: LabelledImages) -> NDArray[np.float64] | None:
    """Return right ascension and declination of the source of each image.

    Parameters
    ----------
    data : LabelledImages
        The images. The attributes ``ra`` and ``dec`` (also ``ra_deg``, ``raj2000``, ``right_ascension`` and their
        partners, without regard to case) are taken as degrees; otherwise names such as ``J103603.5+000606`` are read.

    Returns
    -------
    ndarray of shape (n, 2), float64, or None
        Degrees; NaN where unknown. None if no position is known.

    Examples
    --------
    >>> from benchmarker.data.positions import named_position
    >>> [round(angle, 5) for angle in named_position("FRI/J103603.5-000606.fits")]
    [159.01458, -0.10167]
    """
    axes = _axes({name: attribute.unit for name, attribute in data.attributes.items()})
    if axes is not None:
        found = np.stack([np.asarray(data.attributes[axis].values, dtype=np.float64) for axis in axes], axis=1)
    else:
        found = np.array([named_position(source) for source in data.source_ids], dtype=np.float64).reshape(-1, 2)
    found[~_on_the_sky(found)] = np.nan
    return found if np.isfinite(found).any() else None


def _axes(units: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the names of the attributes with right ascension and declination, by the units of all attributes."""
    known = {name.lower(): name for name, unit in units.items() if unit in {"", "deg"}}
    return next(((known[ra], known[dec]) for ra, dec in _AXES if ra in known and dec in known), None)


def record_position(attributes: Mapping[str, float], units: Mapping[str, str], source: str) -> tuple[float, float]:
    """Return right ascension and declination of the source of one image in degrees; NaN where unknown.

    Parameters
    ----------
    attributes : mapping of str to float
        Its attributes, which are looked up as `positions` does.
    units : mapping of str to str
        Units of attributes; those that are missing have none.
    source : str
        Name of the source, which is read if no attribute is a position.

    Examples
    --------
    >>> record_position({"RA": 10.5, "Dec": -1.25}, {"RA": "deg", "Dec": "deg"}, "A")
    (10.5, -1.25)
    """
    axes = _axes({name: units.get(name, "") for name in attributes})
    found = named_position(source) if axes is None else (float(attributes[axes[0]]), float(attributes[axes[1]]))
    return found if _on_the_sky(np.array([found]))[0] else (np.nan, np.nan)


def _on_the_sky(found: NDArray[np.float64]) -> NDArray[np.bool_]:
    ra, dec = found.T
    with np.errstate(invalid="ignore"):
        valid: NDArray[np.bool_] = (ra >= -180) & (ra <= 360) & (np.abs(dec) <= 90)
    return valid


def named_position(name: str) -> tuple[float, float]:
    """Return the position in a name that contains ``hhmmss.s+ddmmss``, in degrees; NaN if it contains none."""
    match = _NAME.search(name)
    if match is None:
        return np.nan, np.nan
    hours = int(match["h"]) + int(match["m"]) / 60 + float(match["s"]) / 3600
    degrees = int(match["deg"]) + int(match["min"]) / 60 + float(match["sec"] or 0) / 3600
    return 15 * hours, degrees if match["sign"] == "+" else -degrees


def separation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the great-circle distance of two positions in arcsec; NaN if one of them is unknown.

    Parameters
    ----------
    one, other : ndarray of shape (2,)
        Right ascension and declination in degrees.
    """
    (ra, dec), (other_ra, other_dec) = np.radians(one), np.radians(other)
    half = np.sin((dec - other_dec) / 2) ** 2 + np.cos(dec) * np.cos(other_dec) * np.sin((ra - other_ra) / 2) ** 2
    return float(2 * np.arcsin(np.sqrt(half)) / _ARCSEC)


def pairs_within(
    where: NDArray[np.float64], radius: float, among: Sequence[int] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the pairs of positions that are at most a radius apart.

    Parameters
    ----------
    where : ndarray of shape (n, 2)
        Right ascension and declination in degrees; NaN where unknown.
    radius : float
        Radius in arcsec.
    among : sequence of int, optional
        Indices to look at; all by default.

    Returns
    -------
    pairs : ndarray of shape (m, 2), int64
        Indices, the lower one first, in ascending order.
    separation : ndarray of shape (m,), float64
        Great-circle distance in arcsec.

    Examples
    --------
    >>> import numpy as np
    >>> pairs, separation = pairs_within(np.array([[359.999, 60.0], [0.001, 60.0], [10.0, 60.0]]), 10.0)
    >>> pairs.tolist(), separation.round(3).tolist()
    ([[0, 1]], [3.6])
    """
    from scipy.spatial import cKDTree

    chosen = np.arange(len(where)) if among is None else np.asarray(among, dtype=np.int64)
    chosen = chosen[np.isfinite(where[chosen]).all(axis=1)]
    if len(chosen) < 2:
        return np.zeros((0, 2), np.int64), np.zeros(0)
    ra, dec = np.radians(where[chosen]).T
    points = np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=1)
    found = cKDTree(points).query_pairs(2 * np.sin(radius * _ARCSEC / 2) * (1 + 1e-12), output_type="ndarray")
    chord = np.linalg.norm(points[found[:, 0]] - points[found[:, 1]], axis=1)
    pairs = np.sort(chosen[found], axis=1).astype(np.int64)
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return pairs[order], (2 * np.arcsin(chord / 2) / _ARCSEC)[order]
