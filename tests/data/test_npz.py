"""Archives of NumPy arrays that announce more than they hold, or unpack without end, and the sound ones."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarker import DataError, Member, UnreadableImageError, map_npy, open_npz, read_image
from benchmarker.errors import StorageError
from benchmarker.generation.run_files import weights_digest
from tests.test_hostile_studies import limits


def _header(**changes: Any) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": (2,), **changes})
    return stream.getvalue()


def _spoilt(header: bytes) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(16)


def _archive(path: Path, content: bytes, *, method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("a.npy", content)
    return path


ARRAYS = {
    "numbers": np.arange(6.0).reshape(2, 3),
    "turned": np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)),
    "none": np.zeros((0, 3)),
    "one": np.array(1.5),
    "texts": np.array(["ab", "c"]),
    "raw": np.zeros(2, "V2"),
    "group/00001": np.array([True]),
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_those_that_numpy_reads(save: Any) -> None:
    stream = io.BytesIO()
    save(stream, **ARRAYS)
    stream.seek(0)
    with np.load(stream) as expected, open_npz(stream) as found:
        assert set(found) == set(expected.files) == ARRAYS.keys()
        for name in expected.files:
            np.testing.assert_array_equal(found[name], expected[name])
            assert (found[name].dtype, found[name].flags.f_contiguous) == (
                expected[name].dtype,
                expected[name].flags.f_contiguous,
            )
            assert found[name].flags.writeable


@pytest.mark.parametrize("name", sorted(ARRAYS))
def test_mapped_array_is_that_which_numpy_reads(name: str, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", ARRAYS[name])
    found, expected = map_npy(tmp_path / "a.npy"), np.load(tmp_path / "a.npy")
    np.testing.assert_array_equal(found, expected)
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    assert isinstance(found, np.memmap) == bool(expected.nbytes)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (_header(shape=(1 << 40,)) + bytes(16), "announces 8,796,093,022,208 bytes, but only 16"),
        (_header(descr="|O") + bytes(16), "objects"),
        (_header(shape=(-1,)), "cannot be read"),
        (_spoilt(b"{'descr': ("), "header cannot be read"),  # EOF in the tokeniser
        (_spoilt(b"{\x01"), "header cannot be read"),  # no Python
        (_spoilt(b"-" * 9_000), "header cannot be read"),  # too deep for its parser
        (_spoilt(b"{1: 2, 'descr': 3}"), "header cannot be read"),  # keys that cannot be sorted
        (_header(shape=(-2, -1)) + bytes(16), "cannot be read"),
        (b"\x93NUMPY\x09\x00" + bytes(40), "format 9.0 is not known"),
        (b"", "cannot be read"),
    ],
)
def test_an_array_that_is_not_what_it_says_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    path = _archive(tmp_path / "a.npz", content)
    with limits(), pytest.raises(DataError, match=f"a.npz.*{re.escape(reason)}"), open_npz(path) as arrays:
        arrays["a"]
    with limits(), pytest.raises(UnreadableImageError):
        read_image(Member(name="a.npy", read=lambda: content))
    (tmp_path / "a.npy").write_bytes(content)
    with limits(), pytest.raises((ValueError, EOFError)):
        map_npy(tmp_path / "a.npy")


def test_an_archive_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = _archive(tmp_path / "a.npz", _header(shape=(1 << 24,)) + bytes(1 << 27))
    assert path.stat().st_size < 1 << 18
    too_much = pytest.raises(DataError, match="take 134,217,856 bytes, more than 1,000,000")
    with limits(), too_much, open_npz(path, most_bytes=1_000_000):
        pass
    with limits(), pytest.raises(StorageError, match=r"a\.npz"):
        weights_digest(path)


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = _archive(tmp_path / "a.npz", _header() + bytes(16), method=zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[content.index(b"NUMPY") + 80] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="array 'a' cannot be read: Bad CRC-32"), open_npz(path) as arrays:
        arrays["a"]
    path.write_bytes(content[:-30])
    with pytest.raises(DataError, match=r"a\.npz: is no \.npz file"), open_npz(path):
        pass
