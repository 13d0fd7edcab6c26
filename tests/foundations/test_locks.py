"""Locks between processes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarker.errors import StorageError
from benchmarker.locks import is_locked, lock, try_lock, wait_for_lock

HOLD = """
import sys
from pathlib import Path
from benchmarker.locks import lock
held = lock(Path(sys.argv[1]), shared=sys.argv[2] == "shared")
print("locked", flush=True)
sys.stdin.readline()
held.release()
"""


def start_holder(path: Path, mode: str) -> subprocess.Popen[str]:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "locked\n"
    return holder


def test_exclusive_lock_is_held_once_and_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    first = try_lock(path)
    assert first is not None
    assert try_lock(path) is None
    assert is_locked(path)
    first.release()
    assert not path.exists()
    assert not is_locked(path)
    with lock(path):
        assert is_locked(path)


def test_shared_lock_is_held_by_several_and_excludes_the_exclusive_one(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with lock(path, shared=True), lock(path, shared=True):
        assert try_lock(path) is None
    with lock(path):
        assert try_lock(path, shared=True) is None


def test_lock_lasts_until_every_process_that_inherited_it_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    first = try_lock(path)
    assert first is not None
    child = os.dup(first.descriptor)
    os.close(first.descriptor)  # as if this process was killed
    assert try_lock(path) is None
    os.close(child)
    lock(path).release()


@pytest.mark.parametrize("mode", ["exclusive", "shared"])
def test_lock_of_a_killed_process_is_free(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.lock"
    holder = start_holder(path, mode)
    assert wait_for_lock(path, timeout=0.2) is None
    assert is_locked(path)
    holder.kill()
    holder.communicate()
    lock(path).release()


def test_waiting_process_gets_the_lock_when_it_is_released(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    holder = start_holder(path, "exclusive")
    assert holder.stdin is not None
    holder.stdin.write("release\n")
    holder.stdin.flush()
    found = wait_for_lock(path, timeout=30)
    assert found is not None
    assert try_lock(path) is None  # it is the file of that name which is locked, not the one that was removed
    found.release()
    holder.communicate()


def test_lock_in_a_missing_folder_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="nowhere"):
        try_lock(tmp_path / "nowhere" / "a.lock")
    assert not is_locked(tmp_path / "nowhere" / "a.lock")


def test_waiting_happens_in_the_context_that_was_given(tmp_path: Path) -> None:
    diary: list[str] = []

    @contextlib.contextmanager
    def waiting() -> Iterator[None]:
        diary.append("waits")
        held.release()
        yield
        diary.append("goes on")

    with lock(tmp_path / "a.lock", waiting=waiting):
        assert diary == []
    held = lock(tmp_path / "a.lock")
    with lock(tmp_path / "a.lock", waiting=waiting):
        assert diary == ["waits", "goes on"]


def test_a_lock_is_never_made_through_a_link(tmp_path: Path) -> None:
    (tmp_path / ".lock").symlink_to(tmp_path / "made")
    with pytest.raises(StorageError, match=r"\.lock"):
        try_lock(tmp_path / ".lock")
    assert not (tmp_path / "made").exists()
