r"""Residuals of measured and predicted inclinations, for the members of an ensemble and their averages.

With the measured inclination :math:`i_m` and the predicted one :math:`i_p`, both in degrees,

.. math::

   \Delta = i_m - i_p, \quad \mathrm{RMS} = \sqrt{\langle\Delta^2\rangle},
   \quad \mathrm{MAE} = \langle|\Delta|\rangle.

The bias is a straight line :math:`\Delta = m\,i_m + b` fitted to the residuals below 10 degrees; the adjusted
inclination is :math:`i_{pc} = (i_p + b) / (1 - m)`.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarker import DataError
from benchmarker_inclination.batch_files import EDGES, bins_of

OUTLIER = 10.0
"""Degrees; residuals beyond are outliers, and are left out of the fitted line."""

_FIXED = ("pgc", "filter", "inc_m")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """How well inclinations are predicted; everything in degrees but `slope` and the counts.

    Parameters
    ----------
    n, outliers : int
        Number of images, and of those with a residual beyond 10 degrees.
    rms, mae, mean : float
        Root mean square, mean absolute value and mean of the residuals.
    slope, intercept : float
        Line fitted to the residuals against the measured inclination.
    adjusted_rms : float
        Root mean square of the residuals after the line is taken out.
    """

    n: int
    rms: float
    mae: float
    mean: float
    slope: float
    intercept: float
    adjusted_rms: float
    outliers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Measured and predicted inclinations, one row for each image.

    Parameters
    ----------
    pgc : ndarray of shape (n,), int64
        Number of the galaxy.
    letters : tuple of str
        Band of each image: ``g``, ``r``, ``i``, or ``c`` for colour.
    measured : ndarray of shape (n,), float64
        Measured inclination in degrees.
    members : mapping of str to ndarray of shape (n,), float64
        Inclination in degrees that each member predicts, by ``<model>_<set>``.
    """

    pgc: NDArray[np.int64]
    letters: tuple[str, ...]
    measured: NDArray[np.float64]
    members: Mapping[str, NDArray[np.float64]]

    def ensemble(self, combine: Literal["median", "mean"], members: Sequence[str] | None = None) -> NDArray[np.float64]:
        """Return the median or the mean over members, ndarray of shape (n,), degrees.

        Parameters
        ----------
        combine : {"median", "mean"}
            How to combine.
        members : sequence of str, optional
            Which members; all by default.
        """
        stacked = np.stack([self.members[name] for name in members or self.members])
        return np.median(stacked, axis=0) if combine == "median" else stacked.mean(axis=0)

    def models(self) -> dict[str, list[str]]:
        """Return the members of each model."""
        found: dict[str, list[str]] = {}
        for name in self.members:
            found.setdefault(name.rpartition("_")[0], []).append(name)
        return found


def scores(measured: ArrayLike, predicted: ArrayLike) -> Scores:
    """Return how well inclinations are predicted.

    Parameters
    ----------
    measured, predicted : array_like of shape (n,)
        Inclinations in degrees.

    Raises
    ------
    ValueError
        If there are none, or one is not finite.

    Examples
    --------
    >>> found = scores([50, 60, 70], [49, 62, 70])
    >>> round(found.rms, 3), round(found.mae, 3), found.outliers
    (1.291, 1.0, 0)
    """
    truth, value = np.asarray(measured, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    if truth.shape != value.shape or not truth.size or not (np.isfinite(truth).all() and np.isfinite(value).all()):
        raise ValueError(f"finite inclinations were expected. Received: shapes {truth.shape} and {value.shape}")
    residual = truth - value
    near = np.abs(residual) < OUTLIER
    slope, intercept = np.polyfit(truth[near], residual[near], 1) if len(set(truth[near])) > 1 else (0.0, 0.0)
    adjusted = truth - (value + intercept) / (1 - slope)
    return Scores(
        n=len(truth),
        rms=float(np.sqrt(np.mean(residual**2))),
        mae=float(np.mean(np.abs(residual))),
        mean=float(residual.mean()),
        slope=float(slope),
        intercept=float(intercept),
        adjusted_rms=float(np.sqrt(np.mean(adjusted**2))),
        outliers=int((np.abs(residual) > OUTLIER).sum()),
    )


def rms_by_bin(measured: NDArray[np.float64], predicted: NDArray[np.float64]) -> dict[tuple[int, int], float]:
    """Return the root mean square residual in each bin of 5 degrees that holds images."""
    residual, bins = measured - predicted, bins_of(np.round(measured).astype(int))
    return {
        (EDGES[k], EDGES[k + 1]): float(np.sqrt(np.mean(residual[bins == k] ** 2)))
        for k in range(len(EDGES) - 1)
        if (bins == k).any()
    }


def rms_by_band(table: Table, predicted: NDArray[np.float64]) -> dict[str, float]:
    """Return the root mean square residual of the images of each band."""
    letters = np.array(table.letters)
    residual = table.measured - predicted
    return {
        letter: float(np.sqrt(np.mean(residual[letters == letter] ** 2))) for letter in dict.fromkeys(table.letters)
    }


def read_table(path: Path) -> Table:
    """Read a table of predictions, as `write_table` and the original write it.

    Parameters
    ----------
    path : Path
        CSV file with the columns ``pgc``, ``filter``, ``inc_m`` and one for each member, ``model4_0`` for example.

    Raises
    ------
    DataError
        If a column is missing or a value is no number.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: the table cannot be read: {error}") from error
    names = list(rows[0]) if rows else []
    members = [name for name in names if name.rpartition("_")[2].isdigit() and name.rpartition("_")[0]]
    if not rows or not set(_FIXED) <= set(names) or not members:
        raise DataError(
            f"{path}: the columns {', '.join(_FIXED)} and one such as model4_0 were expected. Received: {names}"
        )
    try:
        return Table(
            pgc=np.array([int(row["pgc"]) for row in rows]),
            letters=tuple(row["filter"].removeprefix("b'").removesuffix("'") for row in rows),
            measured=np.array([float(row["inc_m"]) for row in rows]),
            members={name: np.array([float(row[name]) for row in rows]) for name in members},
        )
    except (TypeError, ValueError) as error:
        raise DataError(f"{path}: a number was expected: {error}") from error


def write_table(table: Table, path: Path) -> None:
    """Write a table of predictions in the columns of the original."""
    aside = path.with_name(f".{path.name}.partial")
    with aside.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["", *_FIXED, *table.members])
        for k in range(len(table.pgc)):
            values = [f"{float(values[k])!r}" for values in table.members.values()]
            writer.writerow([k, int(table.pgc[k]), table.letters[k], f"{table.measured[k]:g}", *values])
    aside.replace(path)
