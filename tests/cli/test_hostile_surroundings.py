"""Closed or full standard output, signals of batch systems, and ``~`` that the shell does not expand."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarker.cli import main
from tests.hostile_studies import make_victim
from tests.registries import write_registry


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of shell, in which ``$BENCHMARKER`` is the command."""
    typed = line.replace("$BENCHMARKER", f"'{sys.executable}' -P -m benchmarker")
    return subprocess.run(["bash", "-c", typed], check=False, cwd=folder, capture_output=True, text=True, timeout=60)


def test_command_without_standard_output_works(tmp_path: Path) -> None:
    assert shell("$BENCHMARKER list >&-", tmp_path).returncode == 0
    refused = shell("$BENCHMARKER run missing.yaml >&-", tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: missing.yaml: no such registry")
    assert shell("$BENCHMARKER run missing.yaml >&- 2>&-", tmp_path).returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_disk_under_the_output_is_reported(tmp_path: Path) -> None:
    done = shell("$BENCHMARKER list > /dev/full", tmp_path)
    assert done.returncode == 1
    assert done.stderr == "error: the output: the disk is full; free some space\n"


def test_modules_in_the_working_folder_are_not_imported(tmp_path: Path) -> None:
    for name in ("lazy_loader", "click", "rich_click", "yaml", "pluggy", "pydantic", "numpy"):
        (tmp_path / f"{name}.py").write_text("open('ran', 'w')", encoding="utf-8")
    started = [sys.executable, "-m", "benchmarker", "list", "architectures"]
    done = subprocess.run(started, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert not (tmp_path / "ran").exists()
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["leaderboard", "a\0b"],
        ["report", "{study}", "--out", "a\0b"],
        ["run", "{registry}", "-p", "a\0b"],
        ["run", "{registry}", "-m", "a\0b"],
        ["merge", "{study}", "--into", "a\0b"],
        ["show", "{study}", "a\0b"],
        ["compare", "{study}", "a\0b"],
        ["export", "{study}", "--to", "tensorboard", "--out", "a\0b"],
        ["sign", "{study}", "--key", "a\0b"],
        ["verify", "{study}", "--key", "a\0b"],
        ["validate", "{hostile}"],
    ],
)
def test_nul_characters_in_paths_are_refused(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, registry, hostile = make_victim(tmp_path).folder, tmp_path / "mine.yaml", tmp_path / "hostile.yaml"
    write_registry(registry)
    write_registry(hostile, dataset={"name": "fits-manifest", "path": "a\0b"})
    assert main([each.format(study=study, registry=registry, hostile=hostile) for each in arguments]) in {1, 2}
    error = capsys.readouterr().err
    assert error
    assert "internal error" not in error
    assert "embedded null" not in error


def test_closed_pipe_ends_the_command_silently(tmp_path: Path) -> None:
    done = shell("(for k in 1 2 3 4 5 6 7 8; do $BENCHMARKER list; done) | head -n 1", tmp_path)
    assert done.stdout.startswith("Architectures")
    assert done.stderr == ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_termination_signal_ends_a_run_like_ctrl_c(
    number: signal.Signals,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stopped = []

    def run(*_: Any, **__: Any) -> None:
        try:
            os.kill(os.getpid(), number)
            signal.pause()
        except KeyboardInterrupt:  # on which the launcher stops its worker
            stopped.append(number)
            raise

    monkeypatch.setattr("benchmarker.run.run_study", run)
    write_registry(tmp_path / "mine.yaml")
    before = signal.getsignal(number)
    assert main(["run", str(tmp_path / "mine.yaml"), "-p", str(tmp_path / "study")]) == code
    assert stopped == [number]
    assert "run the same command again" in capsys.readouterr().err
    assert signal.getsignal(number) == before


def test_hangup_under_nohup_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarker.run.run_study", lambda *_, **__: os.kill(os.getpid(), signal.SIGHUP))
    monkeypatch.setattr("benchmarker.cli.run_command._conclude", lambda *_: None)
    write_registry(tmp_path / "mine.yaml")
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        # The exit code is 1 because the replaced run has no outcome; the signal would have given 129.
        assert main(["run", str(tmp_path / "mine.yaml")]) == 1
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_tilde_is_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: dict[str, Any] = {}

    def run(_loaded: Any, results: Path, *, models_folder: Path, **_: Any) -> None:
        asked.update(results=results, models=models_folder)
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmarker.run.run_study", run)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir("/")
    write_registry(tmp_path / "mine.yaml")
    assert main(["run", "~/mine.yaml", "--results-path=~/study", "--model-path=~/weights"]) == 130
    assert asked == {"results": tmp_path / "study", "models": tmp_path / "weights"}
    assert main(["leaderboard", "~/study"]) == 1
    assert f"{tmp_path}/study" in capsys.readouterr().err
    assert main(["validate", "~no-such-user/mine.yaml"]) == 2


@pytest.mark.parametrize("place", ["x" * 300, "loop"])
@pytest.mark.parametrize(
    "command",
    [
        ("leaderboard",), ("show",), ("report",), ("audit",), ("power",), ("gc",), ("sign",), ("verify",),
        ("compare",), ("validate",), ("run",), ("merge", "--into", "all"), ("export", "--to", "tensorboard"),
    ],
)  # fmt: skip
def test_path_that_cannot_be_one_is_refused_in_a_sentence(
    command: tuple[str, ...], place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    assert main([command[0], place, *command[1:]]) != 0
    said = capsys.readouterr().err
    assert "internal error" not in said
    assert len(said) < 2000
