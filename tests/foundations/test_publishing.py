"""Whatever a rename makes valid has reached the disk before, and the rename itself reaches it afterwards."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarker.data.cache import produce
from benchmarker.files import publish, write_text
from benchmarker.run.run_folders import finish, now
from benchmarker.study.runs import FailedManifest

Diary = list[tuple[str, str]]


@pytest.fixture
def diary(monkeypatch: pytest.MonkeyPatch) -> Diary:
    """What is synchronised and renamed, in order, by name."""
    found: Diary = []
    fsync, rename, replace = os.fsync, os.rename, os.replace

    def note_fsync(descriptor: int) -> None:
        found.append(("fsync", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        fsync(descriptor)

    def noting(move: Callable[[Path, Path], None]) -> Callable[[Path, Path], None]:
        def note(old: Path, new: Path) -> None:
            found.append(("rename", Path(new).name))
            move(old, new)

        return note

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "rename", noting(rename))
    monkeypatch.setattr(os, "replace", noting(replace))
    return found


def _require_order(diary: Diary, final: Path, *contents: str) -> None:
    renamed = diary.index(("rename", final.name))
    assert {("fsync", name) for name in contents} <= set(diary[:renamed])
    assert ("fsync", final.parent.name) in diary[renamed:]


def test_published_folders_are_on_the_disk(tmp_path: Path, diary: Diary) -> None:
    aside = tmp_path / "aside"
    (aside / "inner").mkdir(parents=True)
    (aside / "inner" / "pixels").write_bytes(b"1")
    publish(aside, tmp_path / "final")
    assert (tmp_path / "final" / "inner" / "pixels").read_bytes() == b"1"
    _require_order(diary, tmp_path / "final", "pixels", "inner", "aside")


def test_written_files_are_on_the_disk(tmp_path: Path, diary: Diary) -> None:
    write_text(tmp_path / "a.txt", "new")
    renamed = diary.index(("rename", "a.txt"))
    assert diary[renamed - 1][0] == "fsync"
    assert diary[renamed + 1 :] == [("fsync", tmp_path.name)]


def test_cached_folders_are_on_the_disk(tmp_path: Path, diary: Diary) -> None:
    folder = produce("sky", 1, lambda new: (new / "image").write_bytes(b"pixels"), root=tmp_path)
    (aside,) = {name for call, name in diary if call == "fsync" and name.endswith(".partial")}
    assert aside.startswith(folder.name)
    _require_order(diary, folder, "image", aside)


def test_finished_runs_are_on_the_disk(tmp_path: Path, diary: Diary) -> None:
    working, final = tmp_path / "working", tmp_path / "final"
    working.mkdir()
    (working / "weights_best.weights.h5").write_bytes(b"1")
    names = dict.fromkeys(("key", "configuration", "model", "architecture", "arm", "kind", "message"), "a")
    finish(working, final, FailedManifest(**names, seed=1, traceback="", finished=now()), token="")
    _require_order(diary, final, "weights_best.weights.h5", "working")
