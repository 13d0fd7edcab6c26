"""The cache survives two processes at once, a kill half-way and a full disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarker.claims import LostClaimError, Share
from benchmarker.data.cache import held, produce
from benchmarker.errors import ConfigurationError, DataError, StorageError
from benchmarker.maintenance.gc import find_garbage
from benchmarker.paths import cache_folder

PRODUCE = """
import sys, time
from pathlib import Path
from benchmarker.data.cache import produce
root, diary, seconds = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
def write(folder):
    (folder / "first").write_text("half")
    with diary.open("a") as lines:
        lines.write("begun\\n")
    time.sleep(seconds)
    (folder / "second").write_text("done")
print("ready", flush=True)
sys.stdin.readline()
print(produce("sky", {"seed": 1}, write, root=root))
"""


def _start(root: Path, diary: Path, seconds: float, **environment: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PRODUCE, str(root), str(diary), str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def _begin(root: Path, diary: Path, seconds: float, **environment: str) -> subprocess.Popen[str]:
    """Return a process that has written half of a folder."""
    process = _start(root, diary, seconds, **environment)
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    deadline = time.monotonic() + 30
    while not diary.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


def _write(folder: Path) -> None:
    assert list(folder.iterdir()) == []
    (folder / "image").write_bytes(b"pixels")


def _never(_folder: Path) -> None:
    raise AssertionError("it is there already")


def test_produce_writes_a_folder_once(tmp_path: Path) -> None:
    folder = produce("sky", {"a": 1, "b": 2}, _write, root=tmp_path)
    assert (folder / "image").read_bytes() == b"pixels"
    assert folder.parent == tmp_path / "sky"
    assert produce("sky", {"b": 2, "a": 1}, _never, root=tmp_path) == folder


def test_produce_uses_another_folder_for_another_key_or_name(tmp_path: Path) -> None:
    folders = {
        produce("sky", {"a": 1}, _write, root=tmp_path),
        produce("sky", {"a": 2}, _write, root=tmp_path),
        produce("sea", {"a": 1}, _write, root=tmp_path),
    }
    assert len(folders) == 3


def test_cache_folder_is_the_one_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARKER_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    assert produce("sky", 1, _write).is_relative_to(tmp_path / "mine")
    monkeypatch.setenv("BENCHMARKER_CACHE", "")
    assert cache_folder().name == "galaxy-benchmarker"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BENCHMARKER_CACHE", "relative")
    assert cache_folder() == tmp_path / "relative"


def test_produce_writes_once_when_two_processes_ask_at_once(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    processes = [_start(tmp_path, diary, 0.4) for _ in range(2)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    folders = {process.communicate(timeout=30)[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    assert len(folders) == 1
    assert diary.read_text() == "begun\n"
    assert (Path(folders.pop()) / "second").read_text() == "done"


def test_killed_process_leaves_nothing_that_looks_like_data(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    process = _begin(tmp_path, diary, 60)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert list(tmp_path.glob("sky/*/first"))  # the kill came half-way
    folder = produce("sky", {"seed": 1}, _write, root=tmp_path)
    assert [path.name for path in folder.iterdir()] == ["image"]
    assert [path for path in folder.parent.iterdir() if path.is_dir()] == [folder]


def test_stopped_process_finds_nothing_to_write_into_and_uses_what_its_successor_wrote(tmp_path: Path) -> None:
    elsewhere = {"BENCHMARKER_HOST": "another machine", "BENCHMARKER_HEARTBEAT": "0.05"}
    process = _begin(tmp_path, tmp_path / "diary", 0.3, **elsewhere)
    process.send_signal(signal.SIGSTOP)
    folder = produce("sky", {"seed": 1}, _write, root=tmp_path)
    process.send_signal(signal.SIGCONT)
    assert process.communicate(timeout=30)[0] == f"{folder}\n"
    assert process.returncode == 0
    assert [path.name for path in folder.iterdir()] == ["image"]
    assert list(folder.parent.iterdir()) == [folder]


def test_stopped_process_waits_for_its_successor(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    elsewhere = {"BENCHMARKER_HOST": "another machine", "BENCHMARKER_HEARTBEAT": "0.05"}
    stopped = _begin(tmp_path, diary, 0.1, **elsewhere)
    stopped.send_signal(signal.SIGSTOP)
    diary.unlink()
    successor = _begin(tmp_path, diary, 1.5)
    stopped.send_signal(signal.SIGCONT)
    assert stopped.stdout is not None
    folder = Path(stopped.stdout.readline().strip())
    assert (folder / "second").read_text() == "done"
    assert [each.communicate(timeout=30) and each.returncode for each in (stopped, successor)] == [0, 0]
    assert diary.read_text() == "begun\n"


def test_folder_of_a_dead_process_is_removed_under_another_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = _begin(tmp_path, tmp_path / "diary", 60)
    process.kill()
    process.communicate()
    (left,) = tmp_path.glob("sky/*.partial")
    monkeypatch.setattr("benchmarker.files.shutil.rmtree", lambda *_, **__: None)  # killed before that
    folder = produce("sky", {"seed": 1}, _write, root=tmp_path)
    monkeypatch.undo()
    (freed,) = [path for path in folder.parent.iterdir() if path != folder]
    assert freed.name.startswith(f".{left.name}.")
    assert [item.path for item in find_garbage([], tmp_path, older_than=30).items] == [freed]


def test_error_that_a_lost_hold_may_explain_is_that_it_is_lost(tmp_path: Path) -> None:
    """It is lost while the machine is suspended, and then `gc` may remove the folder."""

    def fail(use: Share | None) -> None:
        assert use is not None
        use.file.unlink()
        (folder / "gone").read_bytes()

    folder = produce("sky", 1, _write, root=tmp_path)
    with pytest.raises(LostClaimError, match="run the same command again"), held(folder) as use:
        fail(use)
    with pytest.raises(FileNotFoundError), held(folder):
        (folder / "gone").read_bytes()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_failing_write_leaves_nothing(error: type[BaseException], tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise error("half-way")

    with pytest.raises(error, match="half-way"):
        produce("sky", 1, write, root=tmp_path)
    assert [path for path in (tmp_path / "sky").iterdir() if path.is_dir()] == []
    assert [path.name for path in produce("sky", 1, _write, root=tmp_path).iterdir()] == ["image"]


FULL_DISK = """
import resource, sys
from pathlib import Path
import numpy as np
from benchmarker.data.cache import produce
from benchmarker.errors import StorageError
def write(folder):
    with (folder / "small").open("wb") as stream:
        stream.write(b"fits")
    {write}
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    produce("sky", 1, write, root=Path(sys.argv[1]))
except StorageError as error:
    print(error)
"""


@pytest.mark.parametrize(
    "write",
    [
        "(folder / 'large').write_bytes(bytes(5000))",
        "stream = (folder / 'large').open('wb'); stream.write(bytes(500)); stream.write(bytes(5000)); stream.close()",
        "np.save(folder / 'large.npy', np.zeros(1000))",
    ],
    ids=["at once", "in pieces", "numpy"],
)
def test_full_disk_is_a_storage_error_and_leaves_nothing(write: str, tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", FULL_DISK.format(write=write), str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert "the disk is full; free some space and run the same command again" in found.stdout
    assert str(tmp_path) in found.stdout
    assert list(tmp_path.glob("sky/*/*")) == []


def test_cache_below_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StorageError, match="file"):
        produce("sky", 1, _write, root=tmp_path / "file" / "cache")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_read_only_cache_is_a_storage_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StorageError, match="cannot be written"):
            produce("sky", 1, _write, root=tmp_path)
    finally:
        tmp_path.chmod(0o700)


def test_unreadable_file_outside_the_cache_is_a_data_error(tmp_path: Path) -> None:
    def write(_folder: Path) -> None:
        (tmp_path / "missing.fits").read_bytes()

    with pytest.raises(DataError, match=r"missing\.fits: cannot be read"):
        produce("anything", "key", write, root=tmp_path / "cache")


def test_cache_of_an_unknown_user_is_refused_with_the_name_of_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCHMARKER_CACHE", "~no-such-user/cache")
    with pytest.raises(ConfigurationError, match="BENCHMARKER_CACHE=~no-such-user/cache"):
        cache_folder()
