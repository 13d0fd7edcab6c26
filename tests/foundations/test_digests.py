"""Digests are those of an encoding that anybody can write down."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarker import canonical_json, digest_arrays, digest_file, digest_json
from benchmarker.digests import _CHUNK_BYTES


def _sha256(*parts: bytes) -> str:
    return hashlib.sha256(b"".join(parts)).hexdigest()


def test_canonical_json_has_one_form() -> None:
    value = {"b": [1, 2.5, None, True], "a": {"ä": 1e-4}}
    assert canonical_json(value) == '{"a":{"ä":0.0001},"b":[1,2.5,null,true]}'.encode()
    assert canonical_json(dict(reversed(value.items()))) == canonical_json(value)
    assert canonical_json((1, 2)) == canonical_json([1, 2])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [-float("inf")], {"a": {"b": float("nan")}}])
def test_canonical_json_refuses_numbers_that_are_not_finite(value: Any) -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json(value)


def test_digest_json_is_the_sha256_of_canonical_json() -> None:
    assert digest_json({"seed": 8901}) == _sha256(b'{"seed":8901}')
    assert digest_json(1) != digest_json(1.0) != digest_json("1")


def test_digest_file_reads_every_byte(tmp_path: Path) -> None:
    path = tmp_path / "image.fits"
    path.write_bytes(bytes(range(256)) * 1000)
    assert digest_file(path) == _sha256(bytes(range(256)) * 1000)


def test_digest_of_arrays_equals_one_computed_by_hand() -> None:
    images: NDArray[Any] = np.array([[1.0, -2.0]], dtype=np.float32)
    targets: NDArray[Any] = np.array([3], dtype=np.int64)
    expected = _sha256(
        b'["images","<f4",[1,2]]\n',
        b"\x00\x00\x80\x3f\x00\x00\x00\xc0",
        b'["targets","<i8",[1]]\n',
        b"\x03\x00\x00\x00\x00\x00\x00\x00",
    )
    assert digest_arrays({"images": images, "targets": targets}) == expected
    assert digest_arrays([("images", images), ("targets", targets)]) == expected
    assert digest_arrays({"targets": targets, "images": images}) != expected


def test_digest_depends_neither_on_byte_order_nor_on_memory_order() -> None:
    array = np.arange(24, dtype=np.float64).reshape(2, 3, 4)
    expected = digest_arrays({"a": array})
    assert digest_arrays({"a": array.astype(">f8")}) == expected
    assert digest_arrays({"a": np.asfortranarray(array)}) == expected
    assert digest_arrays({"a": np.repeat(array, 2, axis=2)[:, :, ::2]}) == expected


def test_digest_depends_on_name_type_shape_and_every_value() -> None:
    array = np.arange(6, dtype=np.float32)
    changed = array.copy()
    changed[-1] = np.nextafter(changed[-1], 7, dtype=np.float32)
    variants: list[dict[str, NDArray[Any]]] = [
        {"a": array},
        {"b": array},
        {"a": array.astype(np.float64)},
        {"a": array.view(np.int32)},
        {"a": array.reshape(2, 3)},
        {"a": array.reshape(3, 2)},
        {"a": changed},
        {"a": array, "b": array[:0]},
    ]
    assert len({digest_arrays(variant) for variant in variants}) == len(variants)


def test_digest_of_a_memory_mapped_array_equals_that_of_the_array(tmp_path: Path) -> None:
    columns = 1000
    rows = 2 * _CHUNK_BYTES // (4 * columns) + 7  # more than two pieces, and the last is not full
    array = np.arange(rows * columns, dtype=np.float32).reshape(rows, columns)
    array.tofile(tmp_path / "a.f32")
    mapped = np.memmap(tmp_path / "a.f32", dtype="<f4", mode="r", shape=array.shape)
    expected = _sha256(f'["a","<f4",[{rows},{columns}]]\n'.encode(), array.tobytes())
    assert digest_arrays({"a": mapped}) == expected
    assert digest_arrays({"a": array}) == expected


def test_large_arrays_are_read_in_pieces_of_megabytes(tmp_path: Path) -> None:
    """A piece of everything would fill the memory, and one of a row would take minutes."""
    read: list[int] = []

    class Watched(np.memmap[Any, Any]):
        def __getitem__(self, index: Any) -> Any:
            found = super().__getitem__(index)
            read.append(found.nbytes)
            return found

    rows, columns = 4 * _CHUNK_BYTES // 4000, 1000
    (tmp_path / "a.f32").write_bytes(bytes(rows * columns * 4))
    digest_arrays({"a": Watched(tmp_path / "a.f32", dtype="<f4", mode="r", shape=(rows, columns))})
    pieces = [nbytes for nbytes in read if nbytes > columns * 4]
    assert sum(pieces) >= rows * columns * 4 - _CHUNK_BYTES
    assert 3 << 20 < max(pieces) <= 1 << 22


def test_digest_of_rows_larger_than_a_chunk() -> None:
    array = np.ones((2, _CHUNK_BYTES + 1), dtype=np.uint8)
    assert digest_arrays({"a": array}) == _sha256(
        f'["a","|u1",[2,{_CHUNK_BYTES + 1}]]\n'.encode(), b"\x01" * array.size
    )


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
def test_digest_of_arrays_without_elements(shape: tuple[int, ...]) -> None:
    header = f'["a","<f4",{list(shape)}]\n'.replace(" ", "").encode()
    assert digest_arrays({"a": np.zeros(shape, dtype=np.float32)}) == _sha256(header)


def test_digest_of_scalars() -> None:
    assert digest_arrays({"a": np.array(2, dtype=np.int16)}) == _sha256(b'["a","<i2",[]]\n\x02\x00')
