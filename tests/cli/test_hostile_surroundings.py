"""No standard output, a full one, signals of batch systems, and ``~`` that the shell left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarker.cli import main

REGISTRY = "dataset: mnist\nmodels:\n  - {architecture: convxpress, learning_rate: 1e-4, epochs: 2}\n"


def shell(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a line of shell, in which ``$BENCHMARKER`` is the command."""
    typed = line.replace("$BENCHMARKER", f"'{sys.executable}' -P -m benchmarker")
    return subprocess.run(["bash", "-c", typed], check=False, cwd=folder, capture_output=True, text=True, timeout=60)


def test_without_standard_output(tmp_path: Path) -> None:
    assert shell("$BENCHMARKER list >&-", tmp_path).returncode == 0
    refused = shell("$BENCHMARKER run missing.yaml >&-", tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: missing.yaml: no such registry")
    assert shell("$BENCHMARKER run missing.yaml >&- 2>&-", tmp_path).returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_log_on_a_full_disk_is_told(tmp_path: Path) -> None:
    done = shell("$BENCHMARKER list > /dev/full", tmp_path)
    assert done.returncode == 1
    assert done.stderr == "error: the output: the disk is full; free some space\n"


def test_a_reader_that_has_seen_enough(tmp_path: Path) -> None:
    done = shell("(for k in 1 2 3 4 5 6 7 8; do $BENCHMARKER list; done) | head -n 1", tmp_path)
    assert done.stdout.startswith("Architectures")
    assert done.stderr == ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_asked_to_end(
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
        except KeyboardInterrupt:  # what the launcher stops its worker on
            stopped.append(number)
            raise

    monkeypatch.setattr("benchmarker.run.run_study", run)
    (tmp_path / "mine.yaml").write_text(REGISTRY)
    before = signal.getsignal(number)
    assert main(["run", str(tmp_path / "mine.yaml"), "-p", str(tmp_path / "study")]) == code
    assert stopped == [number]
    assert "run the same command again" in capsys.readouterr().err
    assert signal.getsignal(number) == before


def test_under_nohup_a_closed_terminal_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarker.run.run_study", lambda *_, **__: os.kill(os.getpid(), signal.SIGHUP))
    monkeypatch.setattr("benchmarker.cli.run_command._conclude", lambda *_: None)
    (tmp_path / "mine.yaml").write_text(REGISTRY)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        # The run is over, and only its outcome is missing: it was not ended.
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
    (tmp_path / "mine.yaml").write_text(REGISTRY)
    assert main(["run", "~/mine.yaml", "--results-path=~/study", "--model-path=~/weights"]) == 130
    assert asked == {"results": tmp_path / "study", "models": tmp_path / "weights"}
    assert main(["leaderboard", "~/study"]) == 1
    assert f"{tmp_path}/study" in capsys.readouterr().err
    assert main(["validate", "~nobody-of-that-name/mine.yaml"]) == 2
