"""Locks of a study: runs share it, commands that move its files do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarker.errors import StorageError
from benchmarker.locks import try_lock
from benchmarker.study.layout import RUNS_FOLDER
from benchmarker.study.locks import claim, joined


def test_study_is_shared_by_runs_but_not_with_an_exclusive_command(tmp_path: Path) -> None:
    with joined(tmp_path), joined(tmp_path):
        assert try_lock(tmp_path / ".lock") is None
    exclusive = try_lock(tmp_path / ".lock")
    assert exclusive is not None
    with exclusive, pytest.raises(StorageError, match="merge"), joined(tmp_path):
        pass


def test_cell_is_claimed_by_one_run_at_a_time(tmp_path: Path) -> None:
    (tmp_path / RUNS_FOLDER).mkdir()
    first = claim(tmp_path, "0123456789abcdef")
    assert first is not None
    assert claim(tmp_path, "0123456789abcdef") is None
    other = claim(tmp_path, "fedcba9876543210")
    assert other is not None
    first.release()
    other.release()
