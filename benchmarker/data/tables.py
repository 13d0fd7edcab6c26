"""Tables of sources: as text with any separator, ECSV, VOTable, FITS tables and Parquet.

The kind of a file is recognised by its content. Values of text files stay text until they are asked for as numbers, so
that an identifier such as ``0042`` or ``1e5`` is what the file says.
"""

from __future__ import annotations

import gzip
import io
import logging
import math
import warnings
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarker.data.text_tables import read_text_table
from benchmarker.errors import ConfigurationError, DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = logging.getLogger(__name__)

_MOST_BYTES = 1 << 32
_PIECE_BYTES = 1 << 22
_UNKNOWN = {"", "-", "--", "...", "nan", "null", "none", "n/a", "na", "masked"}
_LISTED = 30
_MASK = ".mask"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Texts, numbers or truth values.
    missing : ndarray of shape (n,), bool
        Which rows have no value.
    unit : str
        Unit in the notation of `astropy.units`; empty if the file names none.
    """

    values: NDArray[Any]
    missing: NDArray[np.bool_]
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTable:
    r"""A table that was read from a file.

    Parameters
    ----------
    path : Path
        The file.
    columns : mapping of str to Column
        The columns in the order of the file; those with several values in a row are left out.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "sources.csv")
    ...     _ = path.write_text("# selected by eye\nName;z\n0042;0.5\n3C 31;\n")
    ...     table = read_table(path)
    >>> table.texts("Name"), table.numbers("z")
    (['0042', '3C 31'], array([0.5, nan]))
    """

    path: Path
    columns: Mapping[str, Column]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())).values)

    def name_of(self, wanted: str) -> str:
        """Return the name of a column as the file spells it: the exact name, else the one that differs only in case.

        Raises
        ------
        DataError
            If there is no such column, or several that differ from the name only in case.
        """
        if wanted in self.columns:
            return wanted
        similar = [name for name in self.columns if name.lower() == wanted.lower()]
        if len(similar) == 1:
            return similar[0]
        if similar:
            raise DataError(f"{self.path}: {' and '.join(similar)} could both be the column {wanted!r}")
        listed = ", ".join(list(self.columns)[:_LISTED]) + (", ..." if len(self.columns) > _LISTED else "")
        raise DataError(f"{self.path}: there is no column {wanted!r}. Received: {listed}")

    def unit(self, name: str) -> str:
        """Return the unit of a column in the notation of `astropy.units`; empty if the file names none."""
        return self.columns[self.name_of(name)].unit

    def texts(self, name: str) -> list[str]:
        """Return a column as texts without surrounding blanks; an empty text where there is no value.

        Whole numbers are written without a decimal point, also those that the file holds as 2.0.
        """
        column = self.columns[self.name_of(name)]
        values = column.values.tolist()
        return ["" if gone else _text(value) for value, gone in zip(values, column.missing.tolist(), strict=True)]

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column as numbers, NaN where there is none.

        Texts such as ``<0.3`` count as unknown; the first one and their number are logged.
        """
        column = self.columns[self.name_of(name)]
        if column.values.dtype.kind in "biuf":
            return np.where(column.missing, np.nan, column.values.astype(np.float64))
        unreadable: list[str] = []
        found = np.array([_number(text, unreadable) for text in self.texts(name)], dtype=np.float64)
        if unreadable:
            logger.warning(
                "%s: %d value(s) of %s are not numbers and count as unknown, such as %r",
                *(self.path, len(unreadable), name, unreadable[0]),
            )
        return found


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value).strip()


def _number(text: str, unreadable: list[str]) -> float:
    if text.lower() in _UNKNOWN:
        return math.nan
    try:
        return float(text)
    except ValueError:
        unreadable.append(text)
        return math.nan


def read_table(path: Path, *, separator: str | None = None, hdu: int | str | None = None) -> SourceTable:
    """Read a table: text, ECSV, VOTable, a FITS table or Parquet, recognised by its content.

    Text is UTF-8, with or without a byte order mark, with any ends of lines. The separator is a comma, a semicolon, a
    tab, ``|`` or blanks, whichever gives most rows as many fields as the header. Fields may be quoted. Lines that begin
    with ``#`` are comments; if the first other line holds numbers, the last comment before it is the header.

    Parameters
    ----------
    path : Path
        The file; all kinds but Parquet may be compressed with gzip.
    separator : str, optional
        Character between the fields of a text file.
    hdu : int or str, optional
        Number or EXTNAME of the HDU with the FITS table; by default the first table.

    Raises
    ------
    ConfigurationError
        If there is no such file, or a package is missing that reads it.
    DataError
        If it cannot be read as a table.
    """
    if not path.is_file():
        raise ConfigurationError(f"there is no file {path}")
    try:
        content = _content(path)
        if content.startswith(b"PAR1"):
            columns = dict(_parquet_columns(path))
        elif content.startswith(b"SIMPLE"):
            columns = dict(_astropy_columns(path, _fits_table(content, path, hdu)))
        elif b"<VOTABLE" in content[:4096].upper():
            columns = dict(_astropy_columns(path, _with_astropy(content, "votable")))
        elif content.startswith(b"# %ECSV"):
            columns = dict(_astropy_columns(path, _with_astropy(content, "ascii.ecsv")))
        else:
            columns = {
                name: Column(values=np.array(values, dtype=object), missing=np.array([not value for value in values]))
                for name, values in read_text_table(content, path, separator).items()
            }
    except (ConfigurationError, DataError):
        raise
    # Broad on purpose: readers of damaged files raise errors of many kinds, which all mean the same to the user.
    except Exception as error:
        message = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{path}: cannot be read as a table: {message}") from error
    table = SourceTable(path=path, columns=columns)
    if not columns or not len(table):
        raise DataError(f"{path}: the table has no rows")
    return table


def _content(path: Path) -> bytes:
    """Return the content of a file, unpacked; of Parquet only its first bytes."""
    with path.open("rb") as stream:
        head = stream.read(4)
        if head == b"PAR1":
            return head
        stream.seek(0)
        unpacked = gzip.GzipFile(fileobj=stream) if head.startswith(b"\x1f\x8b") else stream
        try:
            content = _read_whole(unpacked)
        except (EOFError, zlib.error, OSError) as error:
            raise DataError(f"{path}: truncated or damaged: {error}") from error
    if len(content) > _MOST_BYTES:
        raise DataError(f"{path}: the table is larger than {_MOST_BYTES >> 30} GiB")
    return content


def _read_whole(stream: Any) -> bytes:
    """Return the rest of a stream, of which little more is read than a table may have.

    It is read in pieces, because ``read(n)`` first takes n bytes of memory, which a system may refuse.
    """
    whole = io.BytesIO()
    while whole.tell() <= _MOST_BYTES and (piece := stream.read(_PIECE_BYTES)):
        whole.write(piece)
    return whole.getvalue()


def _with_astropy(content: bytes, kind: str) -> Any:
    from astropy.table import Table as AstropyTable

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # units that are not in a standard, dates of old headers
        if kind == "ascii.ecsv":
            return AstropyTable.read(content.decode("utf-8-sig"), format=kind)
        return AstropyTable.read(io.BytesIO(content), format=kind)


def _fits_table(content: bytes, path: Path, hdu: int | str | None) -> Any:
    from astropy.io import fits
    from astropy.table import Table as AstropyTable

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(io.BytesIO(content), memmap=False) as hdus:
            tables = [n for n, each in enumerate(hdus) if isinstance(each, fits.BinTableHDU | fits.TableHDU)]
            if not tables:
                raise DataError(f"{path}: there is no table in this FITS file")
            if hdu is None and len(tables) > 1:
                logger.warning("%s: %d tables; that of HDU %d is read", path, len(tables), tables[0])
            return AstropyTable.read(hdus, hdu=tables[0] if hdu is None else hdu)


def _astropy_columns(path: Path, table: Any) -> Iterator[tuple[str, Column]]:
    for name in table.colnames:
        column = table[name]
        if hasattr(column, "ra") and hasattr(column, "dec"):  # coordinates, which ECSV keeps together
            for axis in ("ra", "dec"):
                degrees = np.asarray(getattr(column, axis).deg, dtype=np.float64)
                yield f"{name}.{axis}", Column(values=degrees, missing=np.isnan(degrees), unit="deg")
            continue
        values = np.ma.asarray(getattr(column, "value", column))
        if values.ndim != 1 or values.dtype.kind not in "biufSUO":
            logger.debug("%s: the column %s is left out; it has no single text or number in a row", path, name)
            continue
        unit = getattr(column, "unit", None)
        missing = np.ma.getmaskarray(values)
        yield name, Column(values=values.data, missing=missing, unit="" if unit is None else unit.to_string())


def _parquet_columns(path: Path) -> Iterator[tuple[str, Column]]:
    try:
        from pyarrow import parquet, types
    except ImportError as error:
        raise ConfigurationError(
            f"{path}: Parquet needs pyarrow: python -m pip install 'galaxy-benchmarker[parquet]'"
        ) from error
    file = parquet.ParquetFile(path)
    units = _parquet_units(file.schema_arrow.metadata or {})
    names = set(file.schema_arrow.names)
    for field in file.schema_arrow:
        if field.name.endswith(_MASK) and field.name.removesuffix(_MASK) in names:
            continue
        kind = field.type.value_type if types.is_dictionary(field.type) else field.type
        is_text = types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind)
        if not (is_text or types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)):
            continue
        column = file.read([field.name]).column(0).combine_chunks()
        if types.is_dictionary(field.type):
            column = column.dictionary_decode()
        missing = column.is_null().to_numpy(zero_copy_only=False)
        if field.name + _MASK in names:  # astropy writes masks into columns of their own
            missing = missing | file.read([field.name + _MASK]).column(0).to_numpy()
        nothing = b"" if types.is_binary(kind) else "" if is_text else False if types.is_boolean(kind) else 0
        filled = column.fill_null(nothing)
        yield (
            field.name,
            Column(
                values=np.asarray(filled.to_numpy(zero_copy_only=False)),
                missing=missing.astype(np.bool_),
                unit=units.get(field.name, ""),
            ),
        )


def _parquet_units(metadata: Mapping[bytes, bytes]) -> dict[str, str]:
    """Return the units that astropy writes beside the columns of a Parquet file."""
    written = metadata.get(b"table_meta_yaml")
    if written is None:
        return {}
    from astropy.table.meta import get_header_from_yaml

    described: Sequence[Mapping[str, Any]] = get_header_from_yaml(written.decode().split("\n"))["datatype"]
    return {column["name"]: str(column["unit"]) for column in described if column.get("unit") is not None}
