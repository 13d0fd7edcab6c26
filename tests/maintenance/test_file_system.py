"""What the doctor sees of file systems: this one, and some that do not do what runs need."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from benchmarker.maintenance.file_system import probe


def test_ordinary_file_system_has_no_problems_and_is_left_as_it_was(tmp_path: Path) -> None:
    found = probe(tmp_path / "not" / "yet" / "there")
    assert found is not None
    assert found.problems == []
    assert (found.exclusive, found.rename, found.fsync) == ("", "", "")
    assert found.locks == "work on this machine"
    assert abs(found.clock_seconds) < 2
    assert found.create_ms > 0
    assert found.kind
    assert list(tmp_path.iterdir()) == []


def test_creation_that_excludes_nobody_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.open
    monkeypatch.setattr(os, "open", lambda path, flags, *mode, **more: real(path, flags & ~os.O_EXCL, *mode, **more))
    found = probe(tmp_path)
    assert found is not None
    (problem,) = found.problems
    assert "creating a file does not exclude others" in problem
    assert problem in found.summary


@pytest.mark.parametrize(
    ("answer", "expected"), [(None, "granted to two at once"), (OSError(errno.ENOLCK, "No locks"), "missing")]
)
def test_locks_that_lie_or_are_missing_are_named_but_do_not_matter(
    tmp_path: Path, answer: OSError | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        if answer is not None:
            raise answer

    monkeypatch.setattr(fcntl, "flock", flock)
    found = probe(tmp_path)
    assert found is not None
    assert expected in found.locks
    assert f"{expected}, which does not matter" in found.summary
    assert found.problems == []


def test_clock_of_a_server_that_is_ahead_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.stat

    def later(self: Path, **options: bool) -> os.stat_result:
        found = list(real(self, **options))
        return os.stat_result([*found[:8], found[8] + 500, found[9]])

    monkeypatch.setattr(Path, "stat", later)
    found = probe(tmp_path)
    assert found is not None
    assert found.clock_seconds == pytest.approx(500, abs=2)
    assert " s ahead of" in found.summary


def test_data_that_cannot_be_forced_to_the_disk_are_a_caveat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    found = probe(tmp_path)
    assert found is not None
    assert "Input/output error" in found.fsync
    assert "power cut" in found.summary
    assert found.problems == []
