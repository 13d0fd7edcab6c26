"""Tables of sources in every form that astronomers keep them in."""

from __future__ import annotations

import gzip
import io
import logging
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.table import MaskedColumn
from astropy.table import Table as AstropyTable

from benchmarker.data.tables import read_table
from benchmarker.data.text_tables import read_text_rows
from benchmarker.errors import ConfigurationError, DataError


def catalogue() -> AstropyTable:
    table = AstropyTable()
    table["Name"] = ["0042", "3C 31", "B2 0120+33"]
    table["number"] = np.array([2**60 + 1, 2, 3], dtype=np.int64)
    table["flux"] = np.array([1.5, 2.5, np.nan], dtype=np.float32) * units.mJy
    table["z"] = MaskedColumn([0.1, 0.2, 0.3], mask=[False, True, False])
    table["type"] = [2.0, 3.0, 2.0]
    return table


def written(folder: Path, kind: str) -> Path:
    path = folder / f"sources.{kind}"
    if kind == "csv":
        catalogue().write(path, format="ascii.csv")
    elif kind == "fits.gz":
        catalogue().write(path, format="fits")
    else:
        catalogue().write(path, format={"ecsv": "ascii.ecsv", "vot": "votable"}.get(kind, kind))
    return path


@pytest.mark.parametrize("kind", ["csv", "ecsv", "vot", "fits", "fits.gz", "parquet"])
def test_tables_of_every_kind_hold_the_same_values(kind: str, tmp_path: Path) -> None:
    table = read_table(written(tmp_path, kind))
    assert len(table) == 3
    assert table.texts("Name") == ["0042", "3C 31", "B2 0120+33"]
    assert table.texts("number") == [str(2**60 + 1), "2", "3"]
    np.testing.assert_allclose(table.numbers("flux"), [1.5, 2.5, np.nan])
    np.testing.assert_allclose(table.numbers("z"), [0.1, np.nan, 0.3])
    assert table.unit("flux") == ("" if kind == "csv" else "mJy")
    if kind != "csv":  # text is taken as it stands
        assert table.texts("type") == ["2", "3", "2"]


@pytest.mark.parametrize(
    "content",
    [
        b"Name,Type,z\n3C 31,FRI,0.017\nNGC 6251,FRII,0.5\n",
        b"\xef\xbb\xbfName,Type,z\r\n3C 31,FRI,0.017\r\nNGC 6251,FRII,0.5\r\n",
        b"# made by hand\n# of two lists\nName;Type;z\n3C 31;FRI;0.017\n\n# doubtful\nNGC 6251;FRII;0.5\n",
        b'Name\tType\tz\n"3C 31"\tFRI\t0.017\n"NGC 6251"\t"FRII"\t0.5\n',
        b"Name     | Type | z\n3C 31    | FRI  | 0.017\nNGC 6251 | FRII | 0.5\n",
        b"# Name  Type  z\n '3C 31' \n".replace(b" '3C 31' \n", b'"3C 31"  FRI  0.017\n"NGC 6251"  FRII  0.5\n'),
        b"Name,Type,z,\n3C 31,FRI,0.017,\nNGC 6251,FRII,0.5,\n",
        b"Name,Type,z\r3C 31,FRI,0.017\rNGC 6251,FRII,0.5\r",
    ],
    ids=["commas", "bom-crlf", "comments", "tabs", "bars", "header-in-comment", "last-separator", "old-mac"],
)
def test_text_tables_of_every_separator_are_read(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "sources.txt"
    path.write_bytes(content)
    table = read_table(path)
    assert table.texts("Name") == ["3C 31", "NGC 6251"]
    assert table.texts("Type") == ["FRI", "FRII"]
    assert table.numbers("z").tolist() == [0.017, 0.5]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " "])
def test_a_quoted_field_may_span_lines(separator: str, tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    rows = [
        ["Name", "note", "Type"],
        ['"3C 31"', '"first\n\n# ""second"", third"', '"FRI"'],
        ["3C66", '5"x', "FRII"],
        ['"a\nb"', '"c\nd"', "FRI"],
    ]
    path.write_text("\n".join(separator.join(row) for row in rows))
    table = read_table(path)
    assert table.texts("Name") == ["3C 31", "3C66", "a\nb"]
    assert table.texts("note") == ['first\n\n# "second", third', '5"x', "c\nd"]
    assert table.texts("Type") == ["FRI", "FRII", "FRI"]


def test_a_mark_that_no_line_closes_is_no_quote(tmp_path: Path) -> None:
    rows = read_text_rows(b'Name,Type,note\n3C 31,FRI,"open\n3C 66,FRII,closed\n', tmp_path / "a.csv")
    assert rows[1:] == [(2, ["3C 31", "FRI", "open"]), (3, ["3C 66", "FRII", "closed"])]


def test_a_separator_inside_quotes_is_part_of_the_field(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('name,note\n3C 31,"bright, bent, ""odd"""\n3C 66,\n')
    assert read_table(path).texts("note") == ['bright, bent, "odd"', ""]


def test_a_column_without_a_name_is_called_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(",pgc,inc\n0,44182,56.5\n1,2148,61\n")
    table = read_table(path)
    assert table.texts("column 1") == ["0", "1"]
    assert table.numbers("inc").tolist() == [56.5, 61.0]


def test_the_separator_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("name:z\n3C 31:0.5\n")
    with pytest.raises(DataError, match="separator"):
        read_table(path)
    assert read_table(path, separator=":").numbers("z").tolist() == [0.5]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"name,z\n3C 31,0.5\nNGC 1,2,0.5\n" + b"a,1\n" * 200, ":3"),
        (b"", "no rows|empty"),
        (b"name,z\n", "no rows"),
        (b"name,name\na,b\n", "differ"),
        (b"name,z\nS\xe9rsic,1\n", "UTF-8"),
        (b"SIMPLE  = broken", "cannot be read as a table"),
        (b"PAR1broken", "cannot be read as a table"),
        (b"\x1f\x8bbroken", "damaged"),
    ],
)
def test_damaged_tables_are_refused_with_their_place(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=told) as caught:
        read_table(path)
    assert str(path) in str(caught.value)


def test_a_missing_table_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.csv"):
        read_table(tmp_path / "nowhere.csv")


def test_columns_are_found_by_exact_name_before_other_cases(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Z,z,Name\n1,2,a\n")
    table = read_table(path)
    assert table.numbers("z").tolist() == [2.0]
    assert table.texts("name") == ["a"]
    with pytest.raises(DataError, match="redshift"):
        table.numbers("redshift")
    path.write_text("Zed,ZED\n1,2\n")
    with pytest.raises(DataError, match="Zed and ZED"):
        read_table(path).numbers("zed")


def test_texts_that_are_no_numbers_count_as_unknown_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("name,z\na,<0.3\nb,0.5\nc,--\nd,N/A\n")
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(read_table(path).numbers("z"), [np.nan, 0.5, np.nan, np.nan])
    assert "1 value(s)" in caplog.text
    assert "<0.3" in caplog.text


def test_the_first_of_several_fits_tables_is_read_unless_one_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    hdus = fits.HDUList([fits.PrimaryHDU(np.zeros((2, 2)))])
    for name, value in (("A", 1), ("B", 2)):
        hdus.append(fits.BinTableHDU(AstropyTable({"x": [value]}), name=name))
    hdus.writeto(tmp_path / "two.fits")
    with caplog.at_level(logging.WARNING):
        assert read_table(tmp_path / "two.fits").texts("x") == ["1"]
    assert "2 tables" in caplog.text
    assert read_table(tmp_path / "two.fits", hdu="B").texts("x") == ["2"]
    fits.PrimaryHDU(np.zeros((2, 2))).writeto(tmp_path / "image.fits")
    with pytest.raises(DataError, match="no table"):
        read_table(tmp_path / "image.fits")


def test_coordinates_and_vectors_of_ecsv_become_degrees_or_are_left_out(tmp_path: Path) -> None:
    table = AstropyTable({"id": [1, 2], "vector": [[1, 2], [3, 4]]})
    table["place"] = SkyCoord([10.5, 20.5], [-1.0, 1.0], unit="deg")
    table.write(tmp_path / "a.ecsv", format="ascii.ecsv")
    found = read_table(tmp_path / "a.ecsv")
    assert list(found.columns) == ["id", "place.ra", "place.dec"]
    np.testing.assert_allclose(found.numbers("place.ra"), [10.5, 20.5])
    assert found.unit("place.dec") == "deg"


def test_parquet_keeps_missing_integers_and_categories(tmp_path: Path) -> None:
    pandas: Any = pytest.importorskip("pandas")
    frame = pandas.DataFrame(
        {
            "id": pandas.array([2**60 + 1, None], dtype="Int64"),
            "kind": pandas.Categorical(["spiral", "merger"]),
            "edge": [True, False],
            "note": ["bright", None],
        }
    )
    frame.to_parquet(tmp_path / "a.parquet")
    found = read_table(tmp_path / "a.parquet")
    assert found.texts("id") == [str(2**60 + 1), ""]
    assert found.texts("kind") == ["spiral", "merger"]
    assert found.numbers("edge").tolist() == [1.0, 0.0]
    assert found.texts("note") == ["bright", ""]


def test_text_tables_may_be_compressed(tmp_path: Path) -> None:
    stream = io.BytesIO(gzip.compress(b"a,b\n1,2\n"))
    (tmp_path / "a.csv.gz").write_bytes(stream.getvalue())
    assert read_table(tmp_path / "a.csv.gz").texts("b") == ["2"]


def test_small_table_takes_little_memory(tmp_path: Path) -> None:
    """Whatever a table may have at most, a system with a limit on memory reads a small one."""
    path = tmp_path / "small.csv"
    path.write_text("Name,Type\n3C 31,FRI\n")
    tracemalloc.start()
    try:
        read_table(path)
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()
