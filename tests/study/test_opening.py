"""Studies hold ordinary files whose names every file system tells apart."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarker.errors import StorageError
from benchmarker.files import copy_folder, open_ordinary, read_ordinary
from benchmarker.study.opening import oddity, require_ordinary


@pytest.mark.parametrize(
    ("one", "other"),
    [("runs", "Runs"), ("plan.json", "PLAN.json"), ("\u00e9.txt", "e\u0301.txt"), ("stra\u00dfe", "STRASSE")],
)
def test_names_that_some_file_systems_do_not_tell_apart_are_refused(one: str, other: str, tmp_path: Path) -> None:
    (tmp_path / one).touch()
    require_ordinary(tmp_path)
    (tmp_path / other).touch()
    with pytest.raises(StorageError, match="have one name on file systems"):
        require_ordinary(tmp_path)


def test_runs_that_differ_only_in_case_are_refused(tmp_path: Path) -> None:
    for name in ("0123456789abcdef", "0123456789ABCDEF"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    with pytest.raises(StorageError, match="runs/0123456789ABCDEF and 0123456789abcdef"):
        require_ordinary(tmp_path)


def test_files_of_a_run_that_differ_only_in_case_are_named(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    for name in ("a.png", "A.png"):
        (tmp_path / "samples" / name).touch()
    assert str(oddity(tmp_path)).startswith("samples/A.png and a.png have one name")


def test_only_ordinary_files_are_opened(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("key")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name, reason in (("link", "symbolic link"), ("pipe", "no ordinary file"), ("folder", "no ordinary file")):
        with pytest.raises(OSError, match=f"{reason}.*{name}"):
            open_ordinary(tmp_path / name)
    assert read_ordinary(tmp_path / "secret") == b"key"


def test_a_copied_folder_holds_links_as_links_and_keeps_times(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("key")
    (tmp_path / "run" / "inner").mkdir(parents=True)
    (tmp_path / "run" / "inner" / "a").write_text("1")
    os.utime(tmp_path / "run" / "inner" / "a", ns=(1, 2))
    (tmp_path / "run" / "link").symlink_to(tmp_path / "secret")
    copy_folder(tmp_path / "run", tmp_path / "copy")
    assert (tmp_path / "copy" / "link").is_symlink()
    assert (tmp_path / "copy" / "inner" / "a").stat().st_mtime_ns == 2
    (tmp_path / "run" / "link").unlink()
    copy_folder(tmp_path / "run", tmp_path / "copy", replace=True)
    assert (tmp_path / "copy" / "inner" / "a").read_text() == "1"
    os.mkfifo(tmp_path / "run" / "pipe")
    with pytest.raises(OSError, match="no ordinary file"):
        copy_folder(tmp_path / "run", tmp_path / "again")
