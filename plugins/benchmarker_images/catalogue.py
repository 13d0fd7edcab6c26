"""Read a catalogue as a registry describes it: one entry for each image, with what joined catalogues add."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarker import (
    Classification,
    DataError,
    Part,
    Regression,
    RegressionTarget,
    SkippedImage,
    SourceTable,
    Task,
    digest_file,
    read_table,
)
from benchmarker_images.catalogue_joins import Rows, join_table
from benchmarker_images.catalogue_options import CatalogueOptions, QuantityOptions, TableOptions
from benchmarker_images.labels import PARTS, class_codes, from_texts
from benchmarker_images.sky_columns import read_position

IDENTIFIER = "{id}"
"""What stands for the identifier of a source in the name of its file."""

_LISTED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One usable row of a catalogue."""

    source: str
    """Name of the source; empty if the catalogue has no identifiers."""

    files: tuple[str, ...]
    """Name of the image file as the catalogue gives it, one for each band."""

    target: int | tuple[float, ...]
    part: Part | None
    attributes: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The usable rows of a catalogue, and the others with the reason."""

    task: Task
    entries: Sequence[Entry]
    left_out: Sequence[SkippedImage]
    units: Mapping[str, str]
    digests: Sequence[str]
    """SHA-256 of the files of all catalogues."""


def read_catalogue(folder: Path, options: CatalogueOptions, patterns: Sequence[str]) -> Catalogue:
    """Read a catalogue and those that are joined to it.

    Parameters
    ----------
    folder : Path
        Folder at which relative paths of catalogues start.
    options : CatalogueOptions
        Files, columns, joins, and classes or target.
    patterns : sequence of str
        Name of the image file in each band with ``{id}`` for the identifier, where the catalogue names no files.

    Raises
    ------
    ConfigurationError
        If a catalogue does not exist.
    DataError
        If a column is missing, no row can be used, or labels are not those of the classes.

    Notes
    -----
    A row is left out, with a reason, if it has no identifier, file, label or target; if its label has no class; if the
    catalogue gives its source two labels; if it repeats another row; or if a required partner is missing.
    """
    table = _read(folder, options)
    rows = _rows(table, options)
    for join in options.joins:
        join_table(_read(folder, join), join, rows)
    columns = _file_columns(table, rows, options, patterns)
    task, targets = _targets(table, rows, options)
    parts = _parts(table, rows, options)
    _leave_out_repeated(rows, columns)
    usable = [row for row in range(len(table)) if row not in rows.reasons]
    left_out = [SkippedImage(name=rows.names[row], reason=reason) for row, reason in sorted(rows.reasons.items())]
    if not usable:
        raise _nothing_left(table, rows)
    return Catalogue(
        task=task,
        entries=[
            Entry(
                source=rows.ids[row],
                files=tuple(names[row] for names in columns),
                target=targets[row],
                part=parts[row],
                attributes={name: float(values[row]) for name, values in rows.attributes.items()},
            )
            for row in usable
        ],
        left_out=left_out,
        units=rows.units | options.units,
        digests=[digest_file(folder / each.catalogue) for each in (options, *options.joins)],
    )


def _read(folder: Path, options: TableOptions) -> SourceTable:
    return read_table(folder / options.catalogue, separator=options.separator, hdu=options.table_hdu)


def _rows(table: SourceTable, options: CatalogueOptions) -> Rows:
    columns = options.columns
    n = len(table)
    ids = table.texts(columns.id) if columns.id is not None else [""] * n
    rows = Rows(
        names=[name or f"row {number}" for number, name in enumerate(ids, start=1)],
        ids=ids,
        position=np.full((n, 2), np.nan),
        labels=table.texts(columns.label) if columns.label is not None else [""] * n,
    )
    if columns.id is not None:
        for row in (row for row, name in enumerate(ids) if not name):
            rows.leave_out(row, "the catalogue gives it no identifier")
    if columns.ra is not None and columns.dec is not None:
        rows.position = read_position(table, columns.ra, columns.dec)
        rows.attributes |= {"ra": rows.position[:, 0], "dec": rows.position[:, 1]}
        rows.units |= {"ra": "deg", "dec": "deg"}
    for name, column in columns.attributes.items():
        rows.attributes[name] = table.numbers(column)
        rows.units[name] = table.unit(column)
    return rows


def _file_columns(
    table: SourceTable, rows: Rows, options: CatalogueOptions, patterns: Sequence[str]
) -> list[list[str]]:
    """Return the names of the files: a list for each band."""
    given = options.columns.file
    if given is not None:
        columns = [table.texts(name) for name in ((given,) if isinstance(given, str) else given)]
    else:
        columns = [[pattern.replace(IDENTIFIER, name) if name else "" for name in rows.ids] for pattern in patterns]
    for row in range(len(table)):
        if not all(names[row] for names in columns):
            rows.leave_out(row, "the catalogue gives it no file")
    return columns


def _targets(table: SourceTable, rows: Rows, options: CatalogueOptions) -> tuple[Task, Sequence[Any]]:
    """Return the task, and the target of each row; leave out the rows without one."""
    if options.target is not None:
        return _quantity(table, rows, options.target, options.units)
    labels = from_texts(rows.labels)
    for row in (row for row, label in enumerate(labels) if label == ""):
        rows.leave_out(row, "the catalogue gives it no label")
    counts = Counter(label for row, label in enumerate(labels) if row not in rows.reasons)
    if not counts:
        raise _nothing_left(table, rows)
    classes, codes = class_codes(counts, options.classes, f"{table.path}: {options.columns.label or 'joined labels'}")
    for row in (row for row, label in enumerate(labels) if label not in codes):
        rows.leave_out(row, f"the class {labels[row]} is not in `classes`")
    return Classification(classes=classes), [codes.get(label, -1) for label in labels]


def _quantity(
    table: SourceTable, rows: Rows, target: QuantityOptions, units: Mapping[str, str]
) -> tuple[Task, Sequence[Any]]:
    column = target.column or target.name
    joined = column in rows.attributes
    values = rows.attributes[column] if joined else table.numbers(column)
    for row in np.flatnonzero(~np.isfinite(values)).tolist():
        rows.leave_out(row, f"the catalogue gives it no {target.name}")
    known = np.delete(values, list(rows.reasons))
    if not len(known):
        raise _nothing_left(table, rows)
    unit = rows.units[column] if joined else table.unit(column)
    named = RegressionTarget(
        name=target.name,
        unit=units.get(target.name, unit),
        minimum=float(known.min()) if target.minimum is None else target.minimum,
        maximum=float(known.max()) if target.maximum is None else target.maximum,
    )
    return Regression(targets=(named,)), [(value,) for value in values.tolist()]


def _parts(table: SourceTable, rows: Rows, options: CatalogueOptions) -> list[Part | None]:
    if options.columns.part is None:
        return [None] * len(table)
    written = table.texts(options.columns.part)
    for row, part in enumerate(written):
        if part.lower() not in PARTS:
            rows.leave_out(row, f"its part is {part!r}, not train, validation or test")
    return [PARTS.get(part.lower()) for part in written]


def _leave_out_repeated(rows: Rows, columns: Sequence[Sequence[str]]) -> None:
    """Leave out sources with two labels, and rows that repeat the source and the files of one before."""
    sources = [name or "/".join(names[row] for names in columns) for row, name in enumerate(rows.ids)]
    labels: dict[str, set[str]] = {}
    for source, label in zip(sources, rows.labels, strict=True):
        labels.setdefault(source, set()).add(label)
    seen: set[tuple[str, ...]] = set()
    for row, source in enumerate(sources):
        if source and len(labels[source] - {""}) > 1:
            rows.leave_out(row, f"the catalogue gives its source the labels {' and '.join(sorted(labels[source]))}")
        entry = (source, *(names[row] for names in columns))
        if entry in seen:
            rows.leave_out(row, "an earlier row lists the same source and file")
        seen.add(entry)


def _nothing_left(table: SourceTable, rows: Rows) -> DataError:
    counts = Counter(rows.reasons.values()).most_common(_LISTED)
    return DataError(
        f"{table.path}: no row can be used: " + "; ".join(f"{reason} ({count:,} rows)" for reason, count in counts)
    )
