"""The table of predictions: its columns, and its file as CSV, ECSV, FITS or Parquet with the digests in the header."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from benchmarker import (
    Classification,
    ConfigurationError,
    Regression,
    Task,
    atomic_write,
    printable,
    table_cell,
)
from benchmarker_serving.prediction.job import Prediction

if TYPE_CHECKING:
    from astropy.table import Table

Rows = list[list[Any]]

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


def table_rows(task: Task, predictions: Iterable[Prediction], thresholds: Sequence[float] | None) -> list[list[Any]]:
    """Return the cells of the columns of each image; NaN where a number is unknown.

    Parameters
    ----------
    task : Task
        What the networks predict.
    predictions : iterable of Prediction
        What was predicted for each image.
    thresholds : sequence of float or None
        Half-widths of the intervals of a regression; None without calibration.
    """
    rows = []
    for found in predictions:
        row: list[Any] = [found.identifier, found.file, _number(found.ra), _number(found.dec)]
        spreads = [_number(each) for each in found.spread]
        if isinstance(task, Classification):
            best = max(range(len(found.values)), key=found.values.__getitem__)
            row += [task.classes[best], *found.values, *spreads]
            row += [] if thresholds is None else [SEPARATOR.join(found.members or ())]
        else:
            widths = [None] * len(found.values) if thresholds is None else thresholds
            for value, deviation, width in zip(found.values, spreads, widths, strict=True):
                row += [value, deviation, *(() if width is None else (value - width, value + width))]
        unlike = _number(found.unlike)
        rows.append(row + ([] if thresholds is None else [unlike, unlike > 1]))
    return rows


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def write_table(path: Path, task: Task, chunks: Iterable[Rows], header: Mapping[str, str], *, calibrated: bool) -> int:
    """Write a table of predictions atomically, chunk by chunk, and return the number of its rows.

    Parameters
    ----------
    path : Path
        Path of the table; its ending chooses the format.
    task : Task
        What the networks predict.
    chunks : iterable of list of list
        Rows of `table_rows`. Only one chunk is held in memory, but for FITS, which holds the columns as arrays.
    header : mapping of str to str
        What was predicted with what, such as digests.
    calibrated : bool
        Whether there are sets or intervals, and flags.

    Raises
    ------
    StorageError
        If the file cannot be written.
    """
    layout = _Layout(task, columns(task, calibrated=calibrated), header)
    counter = _Counter(chunks)
    with atomic_write(path) as stream:
        _WRITERS[path.suffix.lower()](stream, layout, counter)
    return counter.rows


class _Counter:
    """Chunks, counted while they are written; at least one, so that a table without rows has its columns."""

    def __init__(self, chunks: Iterable[Rows]) -> None:
        self._chunks = chunks
        self.rows = 0

    def __iter__(self) -> Iterator[Rows]:
        empty = True
        for chunk in self._chunks:
            if chunk:
                empty = False
                self.rows += len(chunk)
                yield chunk
        if empty:
            yield []


@dataclass(frozen=True, slots=True)
class _Layout:
    """Columns and header of a table."""

    task: Task
    names: Sequence[str]
    header: Mapping[str, str]

    def table(self, rows: Rows) -> Table:
        """Return some rows as a table with the units of the columns."""
        import numpy as np
        from astropy.table import Column, Table

        text = {"id", "file", "predicted", "set"} if isinstance(self.task, Classification) else {"id", "file"}
        kinds = {name: (np.str_ if name in text else np.bool_ if name == "unlike" else np.float64)
                 for name in self.names}  # fmt: skip
        units = {"ra": "deg", "dec": "deg"}
        if isinstance(self.task, Regression):
            suffixes = ("", "_spread", "_low", "_high")
            units |= {f"{t.name}{suffix}": t.unit for t in self.task.targets for suffix in suffixes}
        found = Table([
            Column([row[k] for row in rows], name=name, dtype=kinds[name], unit=units.get(name) or None)
            for k, name in enumerate(self.names)
        ])  # fmt: skip
        found.meta.update(self.header)
        return found


def _csv(stream: IO[bytes], layout: _Layout, chunks: Iterable[Rows]) -> None:
    for name, value in layout.header.items():
        stream.write(f"# {name}: {' '.join(printable(value).split())}\n".encode())
    stream.write(csv_lines([[table_cell(name) for name in layout.names]]))
    for chunk in chunks:
        stream.write(csv_lines([[_csv_cell(value) for value in row] for row in chunk]))


def csv_lines(rows: Iterable[Sequence[object]]) -> bytes:
    """Return rows as lines of a CSV file."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _csv_cell(value: Any) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return "" if math.isnan(value) else repr(value)
    return table_cell(value)


def _ecsv(stream: IO[bytes], layout: _Layout, chunks: Iterable[Rows]) -> None:
    for number, chunk in enumerate(chunks):
        text = io.StringIO()
        layout.table(chunk).write(text, format="ascii.ecsv", delimiter=",")
        lines = text.getvalue().splitlines(keepends=True)
        heading = next(k for k, line in enumerate(lines) if not line.startswith("#")) + 1
        stream.write("".join(lines[heading if number else 0 :]).encode())


def _fits(stream: IO[bytes], layout: _Layout, chunks: Iterable[Rows]) -> None:
    from astropy.io import fits
    from astropy.table import vstack

    tables = [layout.table(chunk) for chunk in chunks]
    whole = vstack(tables, metadata_conflicts="silent") if len(tables) > 1 else tables[0]
    whole.meta.clear()
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.table_to_hdu(whole)])
    hdus[1].name = "PREDICTIONS"
    for name, value in layout.header.items():
        hdus[1].header[f"HIERARCH {name.upper().replace('_', ' ')}"] = value.encode("ascii", "replace").decode()
    hdus.writeto(stream)


def _parquet(stream: IO[bytes], layout: _Layout, chunks: Iterable[Rows]) -> None:
    import pyarrow as arrow
    from pyarrow import parquet

    kinds = {"U": arrow.string(), "b": arrow.bool_(), "f": arrow.float64()}
    empty = layout.table([])
    described = {f"benchmarker.{name}".encode(): value.encode() for name, value in layout.header.items()}
    schema = arrow.schema([(name, kinds[empty[name].dtype.kind]) for name in empty.colnames], metadata=described)
    with parquet.ParquetWriter(stream, schema) as writer:
        for chunk in chunks:
            cells = zip(*chunk, strict=True) if chunk else [()] * len(schema)
            arrays = [arrow.array(values, field.type) for values, field in zip(cells, schema, strict=True)]
            writer.write_table(arrow.table(arrays, schema=schema))


_WRITERS: Mapping[str, Callable[[IO[bytes], _Layout, Iterable[Rows]], None]] = {
    ".csv": _csv,
    ".ecsv": _ecsv,
    ".fits": _fits,
    ".parquet": _parquet,
}
