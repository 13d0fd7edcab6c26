"""Processes that are found by their mark, even while they start."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarker import descendants

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def test_process_that_is_starting_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel shows no environment between two programs; a marked process must not be missed then."""
    mark = descendants.new_mark()
    child = subprocess.Popen(["sleep", "600"], env={**os.environ, descendants.VARIABLE: mark}, start_new_session=True)
    read = Path.read_bytes
    looked: list[str] = []

    def hidden_at_first(path: Path) -> bytes:
        if path.parts[2:] in {(str(child.pid), "environ"), (str(child.pid), "cmdline")} and len(looked) < 6:
            looked.append(path.name)
            return b""
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", hidden_at_first)
    descendants.end(mark)
    assert looked == ["environ", "cmdline", "environ"] * 2
    assert child.wait(10) == -9


def test_process_that_has_started_between_two_looks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    mark = descendants.new_mark()
    child = subprocess.Popen(["sleep", "600"], env={**os.environ, descendants.VARIABLE: mark}, start_new_session=True)
    read = Path.read_bytes
    looked: list[Path] = []

    def hidden_once(path: Path) -> bytes:
        if path == Path("/proc") / str(child.pid) / "environ" and not looked:
            looked.append(path)
            return b""
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", hidden_once)
    descendants.end(mark)
    assert looked
    assert child.wait(10) == -9


def test_nothing_is_waited_for_where_nothing_is_marked() -> None:
    assert descendants._marked(descendants.new_mark()) == ([], False)


def test_children_are_ended_however_soon() -> None:
    for _ in range(10):
        mark = descendants.new_mark()
        child = subprocess.Popen(
            ["sleep", "600"], env={**os.environ, descendants.VARIABLE: mark}, start_new_session=True
        )
        descendants.end(mark)
        assert child.wait(10) == -9
