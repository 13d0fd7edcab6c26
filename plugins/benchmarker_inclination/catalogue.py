"""The catalogue of spirals and the labels that the pipeline takes from it.

The catalogue is a table with the separator ``|``, one header line and fields padded with blanks. Five of its columns
are used: ``pgc``, ``inc`` (inclination in degrees, rounded), ``inc_flg`` (above 0 for a rejected galaxy), ``fon``
(``F`` where a person called the galaxy face-on) and ``inc_note``.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from benchmarker import DataError

FACE_ON = "F"
REJECTED = "0"

FACE_ON_CODE = 1
REJECTED_CODE = 0
SMALLEST_INCLINATION = 45
"""Degrees; galaxies below were not measured, and codes below 10 mark rejected galaxies."""

_COLUMNS = ("pgc", "inc", "inc_flg", "fon", "inc_note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Galaxy:
    """One galaxy of the catalogue.

    Parameters
    ----------
    pgc : int
        Number in the Principal Galaxies Catalogue.
    label : str
        Inclination in whole degrees, ``"F"`` for a galaxy rejected as face-on, ``"0"`` for one rejected for any other
        reason.
    """

    pgc: int
    label: str

    @property
    def code(self) -> int:
        """Label as a number: 0 rejected, 1 face-on, otherwise degrees."""
        return label_code(self.label)


def label_code(label: str) -> int:
    """Return a label as a number: 0 rejected, 1 face-on, otherwise degrees.

    Raises
    ------
    DataError
        If the label is neither a number nor ``"F"``.
    """
    if label == FACE_ON:
        return FACE_ON_CODE
    try:
        return int(label)
    except ValueError:
        raise DataError(f"{label!r} is no label: an inclination in degrees, 'F' or '0' was expected") from None


def read_catalogue(path: Path) -> list[Galaxy]:
    """Read a catalogue.

    Parameters
    ----------
    path : Path
        File with the separator ``|`` and the columns ``pgc``, ``inc``, ``inc_flg``, ``fon`` and ``inc_note``.

    Returns
    -------
    list of Galaxy
        In the order of the file.

    Raises
    ------
    DataError
        If the file cannot be read, lacks a column, or holds something that is no number where one is needed.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream, delimiter="|", quoting=csv.QUOTE_NONE)
            names = {(name or "").strip(): name for name in rows.fieldnames or ()}
            if missing := [name for name in _COLUMNS if name not in names]:
                raise DataError(
                    f"{path}: the column{'s' if len(missing) > 1 else ''} {', '.join(missing)} "
                    f"{'are' if len(missing) > 1 else 'is'} missing; a table separated by '|' with the columns "
                    f"{', '.join(_COLUMNS)} was expected"
                )
            return [
                _galaxy(path, number, {name: (row.get(names[name]) or "").strip() for name in _COLUMNS})
                for number, row in enumerate(rows, start=2)
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: the catalogue cannot be read: {error}") from error


def _galaxy(path: Path, line: int, row: dict[str, str]) -> Galaxy:
    try:
        pgc, rejected = int(row["pgc"]), int(row["inc_flg"] or 0) > 0
        if rejected:
            face_on = row["fon"] == FACE_ON or "face_on" in row["inc_note"]
            return Galaxy(pgc=pgc, label=FACE_ON if face_on else REJECTED)
        return Galaxy(pgc=pgc, label=str(int(row["inc"])))
    except ValueError:
        raise DataError(
            f"{path}, line {line}: whole numbers were expected. Received: pgc {row['pgc']!r}, inc {row['inc']!r}, "
            f"inc_flg {row['inc_flg']!r}"
        ) from None
