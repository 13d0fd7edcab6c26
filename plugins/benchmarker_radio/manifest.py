"""Reads manifests: CSV files with the name and the type of each source."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarker import DataError

_NAMES = ("name", "object", "source", "file", "filename")
_LEFT_OUT = {"1F": "sub-class 1F (FR0) is left out"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a manifest says.

    Parameters
    ----------
    types : mapping of str to str
        Type of each source that can be used, in the order of their names.
    left_out : mapping of str to str
        Reason for each source that cannot.
    """

    types: Mapping[str, str]
    left_out: Mapping[str, str]


def spelling(text: str) -> str:
    """Return a word as words are compared: without case, hyphens, underscores and spaces."""
    return text.lower().replace("-", "").replace("_", "").replace(" ", "")


def read_manifest(path: Path, known: Mapping[str, str]) -> Manifest:
    """Read a manifest with a header such as ``Name,Type``, in any order and spelling of columns.

    Parameters
    ----------
    path : Path
        UTF-8, with or without a byte-order mark; any line ending.
    known : mapping of str to str
        Type for each accepted spelling of a type or of its class.

    Raises
    ------
    DataError
        If the file cannot be read, has no such header, or names no source.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = [[cell.strip() for cell in row] for row in csv.reader(stream)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: the manifest cannot be read as CSV in UTF-8: {error}") from error
    lines = [(number, row) for number, row in enumerate(rows, start=1) if any(row)]
    name_column, type_column = _columns(path, lines[0][1] if lines else [])
    found: dict[str, set[str]] = {}
    unknown: dict[str, str] = {}
    for number, row in lines[1:]:
        name, given = (row[column] if column < len(row) else "" for column in (name_column, type_column))
        kind = known.get(spelling(given.removesuffix(".0"))) or (given.upper() if given.upper() in _LEFT_OUT else None)
        if kind is None or not name:
            wanted = f"expected a name and a type. Received: {','.join(row)!r}"
            unknown[name or f"line {number}"] = f"line {number} of the manifest: {wanted}"
        else:
            found.setdefault(name, set()).add(kind)
    if not found and not unknown:
        raise DataError(f"{path}: the manifest names no source")
    return _sorted_out(found, unknown)


def _columns(path: Path, header: list[str]) -> tuple[int, int]:
    words = [spelling(word) for word in header]
    names = [column for column, word in enumerate(words) if word in _NAMES]
    types = [column for column, word in enumerate(words) if word.startswith(("type", "class", "label"))]
    if not names or not types:
        raise DataError(
            f"{path}:1: expected a header with the columns Name and Type. "
            f"Received: {','.join(header) or 'an empty file'}"
        )
    return names[0], types[0]


def _sorted_out(found: Mapping[str, set[str]], unknown: Mapping[str, str]) -> Manifest:
    types: dict[str, str] = {}
    left_out = dict(unknown)
    for name, kinds in sorted(found.items()):
        if len(kinds) > 1:
            left_out[name] = f"the manifest gives it the types {' and '.join(sorted(kinds))}"
        elif name not in unknown:
            (kind,) = kinds
            if kind in _LEFT_OUT:
                left_out[name] = _LEFT_OUT[kind]
            else:
                types[name] = kind
    return Manifest(types=types, left_out=dict(sorted(left_out.items())))
