"""Tables as text, whatever their separator, comments and quotes."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from benchmarker.errors import DataError

_SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "'|'", " ": "blanks"}
_TRIED_LINES = 100
_LINE_END = re.compile(r"\r\n|\r|\n")
_LONGEST_FIELD = 200
"""Lines that a quoted field may span."""
_OPENING = re.compile(r'(?:^|[,;\t| ])"')
_CLOSING = re.compile(r'(?:[^"]|"")*"(?=$|[,;\t| ])')


def read_text_table(content: bytes, path: Path, separator: str | None) -> dict[str, list[str]]:
    r"""Return the columns of a text table, by name.

    Parameters
    ----------
    content : bytes
        UTF-8 text, with or without a byte order mark.
    path : Path
        Name of the file in messages.
    separator : str, optional
        Character between the fields; by default that of comma, semicolon, tab, ``|`` and blanks which gives
        most rows as many fields as the header.

    Raises
    ------
    DataError
        If it is not text, no separator fits, or rows have another number of fields than the header.

    Examples
    --------
    >>> read_text_table(b"# name flux\n3C_31 1.5\n3C_66 2.5\n", Path("a.txt"), None)
    {'name': ['3C_31', '3C_66'], 'flux': ['1.5', '2.5']}
    """
    comments, lines = _lines(_text(content, path))
    if not lines:
        raise DataError(f"{path}: the table is empty")
    found = _checked(separator, path) or _separator(comments, lines)
    if found is None:
        raise DataError(
            f"{path}: neither {', '.join(_SEPARATORS.values())} divides every row into as many fields as the header "
            f"{lines[0][1]!r:.200}; name the character as `separator`, and quote fields that contain it"
        )
    header, rows = _header(comments, _fields(lines, found), found)
    # pandas writes its index without a name.
    header = [name or f"column {number}" for number, name in enumerate(header, start=1)]
    if len(set(header)) < len(header):
        raise DataError(f"{path}: the names of columns must differ. Received: {', '.join(header)!r:.300}")
    for number, row in rows:
        if len(row) != len(header):
            raise DataError(
                f"{path}:{number}: {len(row)} fields instead of the {len(header)} of the header; quote fields that "
                f"contain the separator {found!r}"
            )
    return {name: [row[column] for _number, row in rows] for column, name in enumerate(header)}


def read_text_rows(content: bytes, path: Path, separator: str | None = None) -> list[tuple[int, list[str]]]:
    r"""Return the rows of a text table as they are, the header first, and however many fields each of them has.

    Parameters
    ----------
    content : bytes
        UTF-8 text, with or without a byte order mark.
    path : Path
        Name of the file in messages.
    separator : str, optional
        Character between the fields; by default it is found as for `read_text_table`, and a comma where none fits.

    Returns
    -------
    list of (int, list of str)
        Number of the line, counted from 1, and its fields without surrounding blanks.

    Raises
    ------
    DataError
        If it is not text, or the separator is not one character.

    Examples
    --------
    >>> read_text_rows(b"Name;Type\n3C 31;2\n\n3C 66\n", Path("a.csv"))
    [(1, ['Name', 'Type']), (2, ['3C 31', '2']), (4, ['3C 66'])]
    """
    comments, lines = _lines(_text(content, path))
    if not lines:
        return []
    found = _checked(separator, path) or _separator(comments, lines) or ","
    header, rows = _header(comments, _fields(lines, found), found)
    return [(lines[0][0], header), *rows]


def _text(content: bytes, path: Path) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: not a table that can be read: neither FITS, VOTable or Parquet, nor text in UTF-8 "
            f"({error.reason} at byte {error.start}); `iconv -f latin1 -t utf-8` converts older text files"
        ) from error


def _checked(separator: str | None, path: Path) -> str | None:
    if separator is not None and len(separator) != 1:
        raise DataError(f"{path}: `separator` must be one character. Received: {separator!r}")
    return separator


def _lines(text: str) -> tuple[list[str], list[tuple[int, str]]]:
    """Return the comments before the first row, and the numbered lines that are neither comments nor blank."""
    comments: list[str] = []
    lines: list[tuple[int, str]] = []
    for number, line in _records(_LINE_END.split(text)):
        if line.lstrip().startswith("#"):
            if not lines:
                comments.append(line.lstrip().lstrip("#").strip())
        elif line.strip():
            lines.append((number, line))
    return comments, lines


def _records(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield numbered lines, with those that a quoted field spans joined into one."""
    number = 0
    while number < len(lines):
        end = _end_of_quotes(lines, number) if '"' in lines[number] else number
        yield number + 1, "\n".join(lines[number : end + 1])
        number = end + 1


def _end_of_quotes(lines: Sequence[str], start: int) -> int:
    """Return the line on which the quotes that are open at the end of a line are closed; this line if none are.

    Not every mark is a quote: one that no later line closes, such as the seconds of arc of ``5" beam``, opens nothing.
    """
    if lines[start].lstrip().startswith("#"):
        return start
    within = False
    for end in range(start, min(len(lines), start + _LONGEST_FIELD)):
        within = _ends_within_quotes(lines[end], within)
        if not within:
            return end
    return start


def _ends_within_quotes(line: str, within: bool) -> bool:
    """Whether a quoted field is open at the end of a line, which began within one or not."""
    place = 0
    while found := (_CLOSING.match if within else _OPENING.search)(line, place):
        place, within = found.end(), not within
    return within


def _separator(comments: Sequence[str], lines: Sequence[tuple[int, str]]) -> str | None:
    """Return the separator that fits most rows, and at least half of them; None if there is none."""
    shares: dict[str, float] = {}
    for separator in _SEPARATORS:
        header, rows = _header(comments, _fields(lines[:_TRIED_LINES], separator), separator)
        if len(header) > 1:
            shares[separator] = sum(len(row) == len(header) for _number, row in rows) / max(1, len(rows))
    best = max(shares, key=lambda separator: shares[separator], default=None)
    return best if best is None or shares[best] >= 0.5 or len(lines) == 1 else None


def _fields(lines: Iterable[tuple[int, str]], separator: str) -> list[tuple[int, list[str]]]:
    """Return the fields of each line, without surrounding blanks and without an empty one after the last separator."""
    found: list[tuple[int, list[str]]] = []
    for number, line in lines:
        found.append((number, [field.strip() for field in _divided(line, separator)]))
    width = len(found[0][1])
    if all(len(fields) == width and not fields[-1] for _number, fields in found):
        return [(number, fields[:-1]) for number, fields in found]
    return found


def _divided(line: str, separator: str) -> list[str]:
    rows = csv.reader([line.strip() if separator == " " else line], delimiter=separator, skipinitialspace=True)
    try:
        (fields,) = rows
    except csv.Error:
        if "\n" not in line:
            raise
        return [line]  # with this separator, no quoted field spans its lines
    return fields


def _header(
    comments: Sequence[str], rows: list[tuple[int, list[str]]], separator: str
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the names of the columns, and the rows below them.

    A first row with a number in it is no header; then the comment before it is, if it has as many fields.
    """
    first = rows[0][1]
    if comments and any(map(_is_number, first)):
        named = _fields([(0, comments[-1])], separator)[0][1]
        if len(named) == len(first):
            return named, rows
    return first, rows[1:]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
