from __future__ import annotations

import os
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarker import DataError, UnsafePickleError, load_plain_pickle

PLAIN: dict[str, Any] = {
    "labels": [0, 1, 2],
    "names": ("a", b"\xff\x00", "é", None, True, 1.5, 2 + 0, b""),
    "images": np.arange(12, dtype=np.uint8).reshape(3, 4),
    "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "swapped": np.arange(3, dtype=">i2"),
    "words": np.array(["ab", "c"]),
    "turned": np.arange(24, dtype=np.float32).reshape(2, 3, 4).transpose(1, 0, 2),
    "nothing": np.zeros((0, 5)),
    "flags": np.array([True, False]),
    "scalar": np.float32(2.5),
    "text": np.str_("12_example.png"),
    "empty": np.str_(""),
}


class Runs:
    """What an attacker pickles: unpickling calls ``function(*arguments)``."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_plain_containers_are_loaded(protocol: int) -> None:
    found = load_plain_pickle(pickle.dumps(PLAIN, protocol))
    assert isinstance(found, dict)
    assert found.keys() == PLAIN.keys()
    for name, expected in PLAIN.items():
        if isinstance(expected, np.ndarray):
            assert isinstance(found[name], np.ndarray)
            np.testing.assert_array_equal(found[name], expected, strict=name != "swapped")
        else:
            assert found[name] == expected
            assert type(found[name]) is type(expected)


def test_pickle_of_python_2_is_loaded() -> None:
    # What numpy 1 wrote under Python 2 for {'x': array([1, 2], dtype=uint8)}: its own names, bytes as text.
    data = (
        b"(dp0\nS'x'\np1\ncnumpy.core.multiarray\n_reconstruct\np2\n(cnumpy\nndarray\np3\n(I0\ntp4\nS'b'\np5\ntp6\n"
        b"Rp7\n(I1\n(I2\ntp8\ncnumpy\ndtype\np9\n(S'u1'\np10\nI0\nI1\ntp11\nRp12\n(I3\nS'|'\np13\nNNNI-1\nI-1\nI0\n"
        b"tp14\nbI00\nS'\\x01\\xff'\np15\ntp16\nbs."
    )
    found: Any = load_plain_pickle(data)
    np.testing.assert_array_equal(found["x"], np.array([1, 255], np.uint8), strict=True)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_os_system_is_refused_and_not_run(protocol: int, tmp_path: Path) -> None:
    witness = tmp_path / "was_here"
    data = pickle.dumps({"data": [Runs(os.system, f"touch {witness}")]}, protocol)
    pickle.loads(data)
    assert witness.exists(), "the pickle must be able to do harm, or this test shows nothing"
    witness.unlink()
    with pytest.raises(UnsafePickleError, match=r"batch_1 is refused.*posix\.system"):
        load_plain_pickle(data, "batch_1")
    assert not witness.exists()


def test_call_inside_an_array_of_objects_is_not_run(tmp_path: Path) -> None:
    witness = tmp_path / "was_here"
    array = np.array([None, Runs(os.mkdir, str(witness))], dtype=object)
    with pytest.raises(UnsafePickleError):
        load_plain_pickle(pickle.dumps(array))
    assert not witness.exists()


@pytest.mark.parametrize(
    "value",
    [
        np.array([1, "a"], dtype=object),
        np.zeros(2, dtype=[("x", "f4")]),
        np.zeros(2, dtype="M8[s]"),
        np.zeros(2, dtype="V8"),
    ],
    ids=["objects", "structures", "times", "raw"],
)
@pytest.mark.parametrize("protocol", [2, 5])
def test_arrays_of_objects_and_structures_are_refused(value: Any, protocol: int) -> None:
    with pytest.raises(UnsafePickleError):
        load_plain_pickle(pickle.dumps(value, protocol))


@pytest.mark.parametrize(
    "value",
    [
        Runs(getattr, "", "join"),
        Runs(eval, "1"),
        Runs(np.load, "/etc/passwd"),
        Runs(np.ndarray, (10**12,)),
        Runs(bytearray, 10**12),
        Runs(bytes, 10**12),
        Path("x"),
        {1, 2}.__class__,
    ],
    ids=["getattr", "eval", "np.load", "ndarray", "bytearray", "bytes", "path", "set"],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_other_names_cannot_be_called(value: Any, protocol: int) -> None:
    with pytest.raises((UnsafePickleError, DataError)):
        load_plain_pickle(pickle.dumps(value, protocol))


RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
UINT8 = b"cnumpy\ndtype\n(S'u1'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntb"


@pytest.mark.parametrize(
    "data",
    [
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I1000000000000\ntS'b'\ntR.",
        RECONSTRUCT + b"(I1\n(I1000000000000\nt" + UINT8 + b"I00\nS'x'\ntb.",
        RECONSTRUCT + b"(I1\n(I-1\nt" + UINT8 + b"I00\nS'x'\ntb.",
        RECONSTRUCT + b"(I1\n(I1\nt" + UINT8 + b"I00\n(S'x'\nltb.",
        RECONSTRUCT + b"(I1\n(I9\ntS'u1'\nI00\nS'x'\ntb.",
        b"cnumpy\ndtype\n(S'O'\nI0\nI1\ntR.",
        b"cnumpy\ndtype\n(S'u1'\nI0\nI1\ntR(I3\nS'|'\nN(S'x'\nt(dI9\nI1\nI0\ntb.",
        b"c_codecs\nencode\n(S'x'\nS'zip'\ntR.",
        b"cnumpy\nndarray\n(I1000000000000\ntR.",
        b"Ppersistent\n.",
        b"\x82\x01.",
        b"cnumpy\ndtype\nN}S'__call__'\nI1\ns\x86b.",
    ],
    ids=[
        "huge start",
        "huge shape",
        "negative shape",
        "list of bytes",
        "text as type",
        "object type",
        "fields",
        "other codec",
        "calls ndarray",
        "persistent id",
        "extension",
        "sets an attribute",
    ],
)
def test_hand_made_traps_are_refused(data: bytes) -> None:
    with pytest.raises(DataError):
        load_plain_pickle(data)
    assert load_plain_pickle(pickle.dumps(np.float32(1))) == 1


@pytest.mark.parametrize(
    "data", [b"", b"not a pickle", pickle.dumps(PLAIN)[:-200], b"\x80\x04\x96" + b"\xff" * 8 + b"."]
)
def test_damaged_pickle_is_reported_as_damaged(data: bytes) -> None:
    with pytest.raises(DataError, match="test_batch is damaged") as caught:
        load_plain_pickle(data, "test_batch")
    assert not isinstance(caught.value, UnsafePickleError)


@pytest.mark.shared
def test_real_batch_is_loaded(shared_data: Path) -> None:
    with tarfile.open(shared_data / "fr_deep" / "FIRST_PNG_dataset.tar.gz") as archive:
        member = archive.extractfile("FIRST_PNG_dataset/test_batch")
        assert member is not None
        data = member.read()
    found: Any = load_plain_pickle(data)
    expected = pickle.loads(data, encoding="latin1")
    assert found["labels"] == expected["labels"]
    assert found["filenames"] == expected["filenames"]
    np.testing.assert_array_equal(np.stack(found["data"]), np.stack(expected["data"]), strict=True)


def test_a_huge_number_of_an_object_takes_no_memory() -> None:
    assert load_plain_pickle(b"N" + b"r" + (2**31 - 1).to_bytes(4, "little") + b".") is None


DEEP = 100_000
EMPTY_ARRAY = RECONSTRUCT + b"(I1\n(L1099511627776L\nI0\nt" + UINT8 + b"I00\nS''\ntb."


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"]" * DEEP + b"a" * (DEEP - 1) + b".", "nests containers"),
        (b")" + b"\x85" * DEEP + b".", "nests containers"),
        (b"(" * DEEP + b"l" * DEEP + b".", "nests containers"),
        (b"]q\x00h\x00a.", "holds itself"),
        (b"N\x85" + b"2\x86" * 30 + b".", "unfolds to more than"),
        (b"(" + b")" + b"\x85" * DEEP + b"Nd.", "keys and members"),
        (b"\x8f(" + b")" + b"\x85" * 9 + b"\x90.", "keys and members"),
        (b"\x8b" + (1000).to_bytes(4, "little") + b"\x01" * 1000 + b".", "integer of more than"),
        (EMPTY_ARRAY, "without elements"),
        (b"cnumpy\ndtype\n(S'S999999999'\nI0\nI1\ntR.", "plain numbers"),
    ],
    ids=[
        "nested lists", "nested tuples", "nested marks", "a circle", "shared tuples", "a deep key", "a deep member",
        "a long integer", "a long empty array", "long text",
    ],
)  # fmt: skip
def test_structures_that_would_never_end_are_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(UnsafePickleError, match=complaint):
        load_plain_pickle(data)


def test_frames_that_end_inside_an_argument_change_nothing() -> None:
    plain = pickle.dumps([b"x" * 100, "name"], protocol=4)
    assert plain[2:3] == b"\x95"
    for length in (0, 3, 2**62):
        framed = plain[:3] + length.to_bytes(8, "little") + plain[11:]
        assert load_plain_pickle(framed) == [b"x" * 100, "name"]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_data_come_back_from_every_protocol(protocol: int) -> None:
    shared = [1, 2]
    value = {
        "none": None, "bools": [True, False], "integers": (0, -1, 255, 65536, 2**40, -(2**70)), "text": "Größe",
        b"bytes": b"\x00\xff", "float": 1.5, "nested": {"list": [[], (), {}, (1,), (1, 2, 3, 4)]}, 3: [shared, shared],
    }  # fmt: skip
    assert load_plain_pickle(pickle.dumps(value, protocol=protocol)) == value
