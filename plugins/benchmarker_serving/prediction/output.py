"""The table of predictions: its columns, and its file as CSV, ECSV, FITS or Parquet with the digests in the header."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarker import (
    Classification,
    ConfigurationError,
    Regression,
    Task,
    printable,
    table_cell,
    write_bytes,
)
from benchmarker_serving.prediction.job import Part

if TYPE_CHECKING:
    from astropy.table import Table

FORMATS = (".csv", ".ecsv", ".fits", ".parquet")
"""Endings of the tables that can be written."""

SEPARATOR = ";"
"""Stands between the classes of a conformal set."""


def require_format(path: Path) -> None:
    """Check that a table can be written in the format of a name.

    Raises
    ------
    ConfigurationError
        If the ending is unknown, or a library for it is missing.
    """
    if path.suffix.lower() not in FORMATS:
        raise ConfigurationError(
            f"--out: the name of a table ends in one of {', '.join(FORMATS)}. Received: {path.name}"
        )
    if path.suffix.lower() == ".parquet":
        from importlib.util import find_spec

        if find_spec("pyarrow") is None:
            raise ConfigurationError(
                "--out: Parquet needs pyarrow, which is not installed: "
                "python -m pip install 'galaxy-benchmarker[serving]'"
            )


def columns(task: Task, *, calibrated: bool) -> list[str]:
    """Return the names of the columns.

    Parameters
    ----------
    task : Task
        What the networks predict.
    calibrated : bool
        Whether there are sets or intervals, and flags.

    Examples
    --------
    >>> from benchmarker import Classification
    >>> columns(Classification(classes=("FRI", "FRII")), calibrated=True)[4:]
    ['predicted', 'p_FRI', 'p_FRII', 'spread_FRI', 'spread_FRII', 'set', 'unlike_score', 'unlike']
    """
    names = ["id", "file", "ra", "dec"]
    if isinstance(task, Classification):
        names += ["predicted", *(f"{prefix}_{name}" for prefix in ("p", "spread") for name in task.classes)]
        names += ["set"] if calibrated else []
    else:
        suffixes = ("", "_spread", "_low", "_high") if calibrated else ("", "_spread")
        names += [f"{target.name}{suffix}" for target in task.targets for suffix in suffixes]
    return names + (["unlike_score", "unlike"] if calibrated else [])


def table_rows(task: Task, parts: Iterable[Part], thresholds: Sequence[float] | None) -> Iterable[list[Any]]:
    """Yield the cells of the columns of each image; NaN where a number is unknown.

    Parameters
    ----------
    task : Task
        What the networks predict.
    parts : iterable of Part
        Results.
    thresholds : sequence of float or None
        Half-widths of the intervals of a regression; None without calibration.
    """
    for part in parts:
        for identifier, file, ra, dec, values, spread, inside, unlike in part.rows:
            row: list[Any] = [identifier, file, _number(ra), _number(dec)]
            spreads = [_number(each) for each in spread]
            if isinstance(task, Classification):
                row += [task.classes[max(range(len(values)), key=values.__getitem__)], *values, *spreads]
                row += [] if thresholds is None else [SEPARATOR.join(inside)]
            else:
                widths = [None] * len(values) if thresholds is None else thresholds
                for value, deviation, width in zip(values, spreads, widths, strict=True):
                    row += [value, deviation, *(() if width is None else (value - width, value + width))]
            yield row + ([] if thresholds is None else [unlike, unlike > 1])


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def write_table(
    path: Path, task: Task, rows: Iterable[list[Any]], header: Mapping[str, str], *, calibrated: bool
) -> None:
    """Write a table of predictions atomically.

    Parameters
    ----------
    path : Path
        Path of the table; its ending chooses the format.
    task : Task
        What the networks predict.
    rows : iterable of list
        Rows of `table_rows`.
    header : mapping of str to str
        What was predicted with what, such as digests.
    calibrated : bool
        Whether there are sets or intervals, and flags.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    names = columns(task, calibrated=calibrated)
    if path.suffix.lower() == ".csv":
        write_bytes(path, _csv(names, rows, header))
        return
    table = _table(names, list(rows), task)
    table.meta.update(header)
    stream = io.BytesIO()
    if path.suffix.lower() == ".fits":
        _fits(table).writeto(stream)
    elif path.suffix.lower() == ".parquet":
        _parquet(table, stream)
    else:
        text = io.StringIO()
        table.write(text, format="ascii.ecsv", delimiter=",")
        stream.write(text.getvalue().encode())
    write_bytes(path, stream.getvalue())


def _csv(names: Sequence[str], rows: Iterable[list[Any]], header: Mapping[str, str]) -> bytes:
    text = io.StringIO(newline="")
    for name, value in header.items():
        text.write(f"# {name}: {' '.join(printable(value).split())}\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([table_cell(name) for name in names])
    for row in rows:
        writer.writerow([_csv_cell(value) for value in row])
    return text.getvalue().encode()


def _csv_cell(value: Any) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(value)
    return table_cell(value)


def _table(names: Sequence[str], rows: list[list[Any]], task: Task) -> Table:
    import numpy as np
    from astropy.table import Column, Table

    text = {"id", "file", "predicted", "set"} if isinstance(task, Classification) else {"id", "file"}
    kinds = {name: (np.str_ if name in text else np.bool_ if name == "unlike" else np.float64) for name in names}
    units = {"ra": "deg", "dec": "deg"}
    if isinstance(task, Regression):
        units |= {f"{t.name}{suffix}": t.unit for t in task.targets for suffix in ("", "_spread", "_low", "_high")}
    found = [
        Column([row[k] for row in rows], name=name, dtype=kinds[name], unit=units.get(name) or None)
        for k, name in enumerate(names)
    ]
    return Table(found)


def _fits(table: Table) -> Any:
    from astropy.io import fits

    plain = table.copy()
    header = dict(plain.meta)
    plain.meta.clear()
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.table_to_hdu(plain)])
    hdus[1].name = "PREDICTIONS"
    for name, value in header.items():
        hdus[1].header[f"HIERARCH {name.upper().replace('_', ' ')}"] = value.encode("ascii", "replace").decode()
    return hdus


def _parquet(table: Table, stream: io.BytesIO) -> None:
    import pyarrow as arrow
    from pyarrow import parquet

    data = arrow.table({name: arrow.array(table[name].tolist()) for name in table.colnames})
    described = {f"benchmarker.{name}".encode(): value.encode() for name, value in table.meta.items()}
    parquet.write_table(data.replace_schema_metadata(described), stream)
