"""HDF5 files that try to read other files, or to fill the memory, and the sound ones that must still open."""

from __future__ import annotations

import io
import os
import re
import resource
import signal
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from benchmarker import DataError, load_weights_file, open_hdf5
from benchmarker.data import hdf5
from benchmarker.data.hdf5_examination import examine
from tests.test_hostile_studies import limits

SECRET = b"the content of a private key, as bytes of an image"
ROOT = Path(__file__).resolve().parents[2]


def _external_storage(file: Any, secret: Path) -> None:
    file.create_dataset("image", (len(SECRET),), "u1", external=[(str(secret), 0, len(SECRET))])


def _external_link(file: Any, secret: Path) -> None:
    with h5py.File(secret.with_suffix(".h5"), "w") as other:
        other["image"] = np.frombuffer(SECRET, "u1")
    file["image"] = h5py.ExternalLink(str(secret.with_suffix(".h5")), "/image")


def _soft_link(file: Any, secret: Path) -> None:
    _external_link(file, secret)
    file.move("image", "hidden")
    file["image"] = h5py.SoftLink("/hidden")


def _virtual(file: Any, secret: Path) -> None:
    _external_link(file, secret)
    del file["image"]
    layout = h5py.VirtualLayout((len(SECRET),), "u1")
    layout[:] = h5py.VirtualSource(str(secret.with_suffix(".h5")), "image", (len(SECRET),))
    file.create_virtual_dataset("image", layout)


def _committed_type(file: Any, _: Path) -> None:
    file["kind"] = np.dtype("f4")
    file.create_dataset("image", (2,), dtype=file["kind"])


def _compound(file: Any, _: Path) -> None:
    file["image"] = np.zeros(2, [("a", "f4"), ("b", "f4")])


def _reference(file: Any, _: Path) -> None:
    file.create_dataset("image", (1,), h5py.ref_dtype)


def _sequences(file: Any, _: Path) -> None:
    file.create_dataset("image", (2,), h5py.vlen_dtype(np.dtype("i4")))


def _huge_shape(file: Any, _: Path) -> None:
    file.create_dataset("image", (85_000, 85_000), "f4", chunks=(100, 100), compression="gzip")


def _huge_block(file: Any, _: Path) -> None:
    file.create_dataset("image", (10, 10), "f4", chunks=(30_000, 30_000), maxshape=(None, None))


def _huge_text(file: Any, _: Path) -> None:
    file.create_dataset("image", (1 << 24,), h5py.string_dtype(), data=None)
    file["filler"] = np.zeros(1000)


def _huge_attribute(file: Any, _: Path) -> None:
    file["image"] = np.zeros(4_000_000, "u1")
    file.attrs.create("note", ["x" * 10] * 1000, dtype=h5py.string_dtype())


def _deflate_bomb(file: Any, _: Path) -> None:
    dataset = file.create_dataset("image", (300, 300), "u1", chunks=(300, 300), compression="gzip")
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(1 << 24)) for _ in range(17)) + packer.flush()
    dataset.id.write_direct_chunk((0, 0), packed)


def _other_filter(file: Any, _: Path) -> None:
    file.create_dataset("image", data=np.zeros((10, 10)), chunks=(10, 10), compression="lzf")


def _deep(file: Any, _: Path) -> None:
    group = file
    for _level in range(60):
        group = group.create_group("g")


ATTACKS: dict[str, tuple[Callable[[Any, Path], None], str]] = {
    "external-storage": (_external_storage, "/image keeps its values in another file"),
    "external-link": (_external_link, "/image is a link"),
    "soft-link": (_soft_link, "is a link"),
    "virtual": (_virtual, "/image is a virtual data set"),
    "committed-type": (_committed_type, "/kind is neither"),
    "compound": (_compound, "/image holds neither numbers nor text"),
    "reference": (_reference, "/image holds neither numbers nor text"),
    "sequences": (_sequences, "/image holds neither numbers nor text"),
    "huge-shape": (_huge_shape, "/image asks for up to 28,900,000,000 bytes"),
    "huge-block": (_huge_block, "/image is stored in blocks of 3,600,000,000 bytes"),
    "huge-text": (_huge_text, "/image asks for up to"),
    "huge-attribute": (_huge_attribute, "/ has an attribute"),
    "deflate-bomb": (_deflate_bomb, "/image has a block that unpacks to more"),
    "other-filter": (_other_filter, "/image is stored through other filters"),
    "deep": (_deep, "groups deep"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_hdf5_of_a_stranger_is_refused_before_it_is_read(attack: str, tmp_path: Path) -> None:
    plant, expected = ATTACKS[attack]
    secret, path = tmp_path / "id_rsa", tmp_path / "images.weights.h5"
    secret.write_bytes(SECRET)
    with h5py.File(path, "w") as file:
        plant(file, secret)
    with limits(), pytest.raises(DataError, match=re.escape(expected)), open_hdf5(path):
        pass
    with limits(), pytest.raises(DataError, match="not read"):
        load_weights_file(object(), path)


def _open(path: Path) -> None:
    with open_hdf5(path):
        pass


def test_objects_with_several_names_and_circles_are_visited_once() -> None:
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["a/image"] = np.arange(3)
        file["b"] = file["a"]
        file["a/again"] = file["a"]
    with limits(), open_hdf5(stream) as file:
        assert file["b/again/again/image"][()].tolist() == [0, 1, 2]


def test_published_kinds_of_data_sets_are_read() -> None:
    stream = io.BytesIO()
    image = np.arange(100, dtype=np.float32).reshape(10, 10)
    with h5py.File(stream, "w") as file:
        file.create_dataset("packed", data=image, chunks=(4, 4), compression="gzip", shuffle=True, fletcher32=True)
        file.create_dataset("empty", data=h5py.Empty("f4"))
        file["text"], file["fixed"], file["flag"] = "train", np.bytes_(b"abc"), True
        file["packed"].attrs["unit"] = "Jy/beam"
    with open_hdf5(stream) as file:
        np.testing.assert_array_equal(file["packed"][()], image)
        assert file["text"].asstr()[()] == "train"


def test_a_file_that_never_ends_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5, "_SECONDS", 1)
    path = tmp_path / "images.weights.h5"
    path.write_bytes((ROOT / "tests" / "corpus" / "hdf5" / "endless_read.h5").read_bytes() + bytes(1 << 20))
    with pytest.raises(DataError, match=r"images\.weights\.h5: takes the HDF5 library more than 1 s"):
        load_weights_file(object(), path)
    with h5py.File(path, "w") as file:
        file["image"] = [1]
    _open(path)  # the next file is examined by a new process


def test_a_file_that_crashes_the_library_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "images.h5"
    with h5py.File(path, "w") as file:
        file["image"] = [1]
    examiner = hdf5._Examiner()
    monkeypatch.setattr(hdf5, "_EXAMINER", examiner)
    process = examiner._running()
    process.send_signal(signal.SIGSEGV)
    with monkeypatch.context() as crashing:
        # A process that has ended between two files is replaced: this one seems to be alive when it is asked.
        crashing.setattr(examiner, "_running", lambda: process)
        with pytest.raises(DataError, match=r"images\.h5: crashes the HDF5 library"):
            _open(path)
    _open(path)
    examiner.end()


def test_time_of_a_file_does_not_add_to_that_of_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel counts what it ends a process for otherwise than what a process sees, and drifts apart from it."""
    examiner = hdf5._Examiner()
    monkeypatch.setattr(hdf5, "_EXAMINER", examiner)
    before = resource.getrlimit(resource.RLIMIT_CPU)
    for number in range(2):
        with h5py.File(tmp_path / f"{number}.h5", "w") as file:
            file["image"] = [number]
        _open(tmp_path / f"{number}.h5")
        assert resource.prlimit(examiner._running().pid, resource.RLIMIT_CPU) == before
    examiner.end()


def test_sound_files_are_examined_once_and_by_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    examiner = hdf5._Examiner()
    monkeypatch.setattr(hdf5, "_EXAMINER", examiner)
    started = []
    for number in range(3):
        with h5py.File(tmp_path / f"{number}.h5", "w") as file:
            file["image"] = [number]
        _open(tmp_path / f"{number}.h5")
        started.append(examiner._running().pid)
    assert len(set(started)) == 1
    examiner.end()
    _open(tmp_path / "0.h5")
    assert examiner._process is None
    with pytest.raises(DataError, match="asks for up to"), open_hdf5(tmp_path / "0.h5", most_bytes=1):
        pass
    examiner.end()


def test_a_pipe_is_no_hdf5_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.h5")
    with limits(), pytest.raises(DataError, match=r"a\.h5: .* is no file"):
        _open(tmp_path / "a.h5")


def test_many_blocks_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarker.data.hdf5_examination._MOST_CHUNKS", 1000)
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.create_dataset("image", data=np.ones(2_000, "u1"), chunks=(1,))
    assert "/image is stored in more than 1,000 blocks" in str(examine(stream, 1 << 20))


def test_values_of_all_shapes_are_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarker.data.hdf5_examination._BLOCK_BYTES", 100)
    read: list[tuple[int, ...]] = []
    whole = h5py.Dataset.__getitem__

    def part(dataset: Any, key: Any) -> Any:
        found = whole(dataset, key)
        read.append(np.shape(found))
        return found

    monkeypatch.setattr(h5py.Dataset, "__getitem__", part)
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.create_dataset("packed", data=np.zeros((10, 5)), chunks=(4, 4), compression="gzip")
        file["none"], file["one"] = np.zeros((0, 3)), 1.0
        file["texts"] = ["a"] * 20
    assert examine(stream, 1 << 20) is None
    assert sorted(read) == [(), (0, 3), (2, 5), (4, 5), (4, 5), (8,), (12,)]


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n" + bytes(200), b"<html>not found</html>"])
def test_damaged_hdf5_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.h5"), open_hdf5(path):
        pass


def test_only_one_place_lets_keras_open_weights() -> None:
    callers = [
        str(path.relative_to(ROOT))
        for folder in ("benchmarker", "plugins", "architectures", "reports")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if re.search(r"\.load_weights\(|load_model\(|h5py\.File\(", path.read_text(encoding="utf-8"))
    ]
    # The others load a file that they have just written.
    written = ["benchmarker/testing.py", "plugins/benchmarker_serving/models/formats.py"]
    assert callers == ["benchmarker/data/hdf5.py", "benchmarker/data/hdf5_examination.py", *written]
