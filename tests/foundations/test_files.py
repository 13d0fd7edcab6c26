"""Atomic writes, and errors that say why a file could not be written."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarker.errors import BenchmarkerError, StorageError
from benchmarker.files import (
    atomic_write,
    make_folder,
    open_to_append,
    remove_half_line,
    storage_error,
    write_csv,
    write_json,
    write_text,
)
from benchmarker.record import read_as


def test_written_files_are_read_back(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"name": "Größe", "values": [1, 2.5, None]})
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {"name": "Größe", "values": [1, 2.5, None]}
    assert (tmp_path / "a.json").read_bytes().endswith(b"]\n}\n")
    write_text(tmp_path / "a.txt", "one\r\ntwo\n")
    assert (tmp_path / "a.txt").read_bytes() == b"one\r\ntwo\n"
    write_csv(tmp_path / "a.csv", ["source", "class"], [["3C 31", "FRI"], ["a,b", 'the "big" one']])
    assert (tmp_path / "a.csv").read_bytes() == b'source,class\n3C 31,FRI\n"a,b","the ""big"" one"\n'
    assert {path.name for path in tmp_path.iterdir()} == {"a.json", "a.txt", "a.csv"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_failed_write_keeps_the_old_file_and_leaves_nothing_else(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def write() -> None:
        with atomic_write(path) as stream:
            stream.write(b"half of the new")
            raise error

    with pytest.raises(error):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_failing_row_of_a_table_keeps_the_old_table(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    write_csv(path, ["n"], [["1"]])
    with pytest.raises(ZeroDivisionError):
        write_csv(path, ["n"], ([str(1 // n)] for n in (1, 0)))
    assert path.read_bytes() == b"n\n1\n"
    assert list(tmp_path.iterdir()) == [path]


FULL_DISK = """
import resource, sys
from pathlib import Path
from benchmarker.errors import StorageError
from benchmarker.files import write_text
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_text(Path(sys.argv[1]), "new" * 1000)
except StorageError as error:
    print(error)
"""


def test_full_disk_is_a_storage_error_and_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")
    command = [sys.executable, "-c", FULL_DISK, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "the disk is full" in done.stdout
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_write_into_a_missing_folder_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nowhere"):
        write_text(tmp_path / "nowhere" / "a.txt", "text")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="file"):
        make_folder(tmp_path / "file" / "folder")


@pytest.mark.parametrize("content", [None, "{", "\x00"])
def test_unreadable_json_is_a_storage_error(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(StorageError, match=r"a\.json"):
        read_as(path, lambda value: value)


def test_half_line_of_a_killed_writer_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    remove_half_line(path)
    assert not path.exists()
    path.write_bytes(b'{"epoch": 1}\n{"epo')
    remove_half_line(path)
    remove_half_line(path)
    assert path.read_bytes() == b'{"epoch": 1}\n'


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EFBIG, "the disk is full"),
        (errno.EROFS, "cannot be written (Read-only file system); choose another folder"),
        (errno.EACCES, "cannot be written (Permission denied); choose another folder"),
        (errno.ENOTDIR, "Not a directory; correct the path, or choose another folder"),
        (errno.EEXIST, "File exists; correct the path, or choose another folder"),
    ],
)
def test_storage_error_says_what_failed_and_what_to_do(code: int, words: str) -> None:
    error = storage_error(OSError(code, os.strerror(code)), Path("somewhere"))
    assert isinstance(error, BenchmarkerError)
    assert str(error).startswith("somewhere: ")
    assert words in str(error)
    named = storage_error(OSError(code, os.strerror(code), "the/very/file"), Path("somewhere"))
    assert str(named).startswith("the/very/file: ")


def test_files_that_grow_are_never_opened_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("kept")
    (tmp_path / "log.txt").symlink_to(outside)
    with pytest.raises(StorageError, match=r"log\.txt"):
        open_to_append(tmp_path / "log.txt")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StorageError, match="pipe"):
        open_to_append(tmp_path / "pipe")
    assert outside.read_text() == "kept"


def test_a_temporary_file_that_somebody_prepared_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("kept")
    monkeypatch.setattr("benchmarker.files.os.urandom", bytes)
    (tmp_path / f".plan.json.{os.getpid()}.00000000.partial").symlink_to(outside)
    with pytest.raises(StorageError, match=r"plan\.json"):
        write_text(tmp_path / "plan.json", "other")
    assert outside.read_text() == "kept"
