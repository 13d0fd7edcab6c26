"""A folder gets its final name complete, and without what killed writers left in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarker.files import write_bytes
from benchmarker.run.run_folders import finish, now
from benchmarker.study.runs import FailedManifest

KEY = "0123456789abcdef"
LEFT = ".epoch-0002.png.20249.e717bf0f.partial"


def failed() -> FailedManifest:
    identity = {"key": KEY, "configuration": KEY, "model": "m", "architecture": "a", "arm": "real"}
    return FailedManifest(**identity, seed=1, kind="crashed", message="", traceback="", finished=now())


@pytest.mark.parametrize("place", [".", "samples", "samples/deeper"])
def test_finish_removes_partial_files_at_any_depth(tmp_path: Path, place: str) -> None:
    working, final = tmp_path / f".{KEY}.partial", tmp_path / KEY
    (working / "samples" / "deeper").mkdir(parents=True)
    write_bytes(working / "samples" / "epoch-0001.png", b"whole")
    (working / place / LEFT).write_bytes(b"half")
    finish(working, final, failed())
    assert [path.name for path in final.rglob("*.partial")] == []
    assert (final / "samples" / "epoch-0001.png").read_bytes() == b"whole"


def test_finish_leaves_alone_what_a_link_in_the_folder_names(tmp_path: Path) -> None:
    working, elsewhere = tmp_path / f".{KEY}.partial", tmp_path / "elsewhere"
    working.mkdir()
    elsewhere.mkdir()
    (elsewhere / LEFT).write_bytes(b"another's")
    (working / "samples").symlink_to(elsewhere)
    finish(working, tmp_path / KEY, failed())
    assert (elsewhere / LEFT).read_bytes() == b"another's"
