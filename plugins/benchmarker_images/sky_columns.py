"""Right ascension and declination in the forms in which catalogues give them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarker import DataError, SourceTable

_SEXAGESIMAL = re.compile(
    r"(?P<sign>[+\-\N{MINUS SIGN}]?)(?P<whole>\d{1,3})[hd:\N{DEGREE SIGN}\s]\s*(?P<minutes>\d{1,2})"
    r"(?:[m:'\N{PRIME}\s]\s*(?P<seconds>\d{1,2}(?:\.\d*)?)[s\"\N{DOUBLE PRIME}]?)?[m'\N{PRIME}]?"
)


def read_position(table: SourceTable, ra: str, dec: str) -> NDArray[np.float64]:
    """Return positions in degrees.

    Parameters
    ----------
    table : SourceTable
        The catalogue.
    ra, dec : str
        Names of the columns: numbers in the unit of the column (degrees if it names none), or texts such as
        ``12 46 46.7`` and ``+22:45:54``, the first in hours.

    Returns
    -------
    ndarray of shape (n, 2), float64
        Right ascension and declination in degrees; NaN where unknown.

    Raises
    ------
    DataError
        If a column has a unit that is no angle, or values that are no positions.
    """
    found = np.stack([_degrees(table, ra, 15.0), _degrees(table, dec, 1.0)], axis=1)
    with np.errstate(invalid="ignore"):
        wrong = np.flatnonzero((np.abs(found[:, 1]) > 90) | (found[:, 0] < -180) | (found[:, 0] > 360))
    if len(wrong):
        row = int(wrong[0])
        raise DataError(
            f"{table.path}: row {row + 1}: {ra} {found[row, 0]:g} and {dec} {found[row, 1]:g} deg is no position"
        )
    return found


def _degrees(table: SourceTable, column: str, hour: float) -> NDArray[np.float64]:
    texts = table.texts(column)
    if any(map(_SEXAGESIMAL.fullmatch, texts)):
        return hour * _from_sexagesimal(texts)
    return _in_degrees(table, column) * table.numbers(column)


def _in_degrees(table: SourceTable, column: str) -> float:
    """Return the unit of a column in degrees."""
    unit = table.unit(column)
    if unit in {"", "deg"}:
        return 1.0
    if unit in {"h", "hr"}:  # catalogues mean hours of angle, astropy hours of time
        return 15.0
    from astropy import units

    try:
        return float(units.Unit(unit).to(units.deg))
    except (units.UnitsError, ValueError, TypeError) as error:
        raise DataError(f"{table.path}: the unit of {column} must be an angle. Received: {unit!r}") from error


def _from_sexagesimal(texts: Sequence[str]) -> NDArray[np.float64]:
    values = np.full(len(texts), np.nan)
    for row, text in enumerate(texts):
        match = _SEXAGESIMAL.fullmatch(text)
        if match is not None:
            angle = int(match["whole"]) + int(match["minutes"]) / 60 + float(match["seconds"] or 0) / 3600
            values[row] = angle if match["sign"] in {"", "+"} else -angle
    return values
