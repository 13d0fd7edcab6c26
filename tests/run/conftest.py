"""A study that takes a moment: real processes that train nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest


class QuickStudy:
    """A study whose workers train nothing, but do what a script says; everything else is real."""

    def __init__(self, folder: Path, registry: Callable[..., Path]) -> None:
        self.folder = folder
        self.path = folder / "study"
        self._registry = registry
        self._place = folder / "quick"
        self._place.mkdir()

    def script(self, **script: list[str]) -> None:
        """Say what the attempts at each model do, one after the other; that makes the registry, too."""
        (self._place / "script.json").write_text(json.dumps(script))
        models = [
            {"architecture": "mcrgnet", "name": name, "learning_rate": 0.001 * number, "epochs": 9}
            for number, name in enumerate(script, start=1)
        ]
        self._registry(name="quick.yaml", models=models)

    def start(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
        """Start ``benchmarker run``, with one job unless the arguments say more, and return its process."""
        jobs = [] if "--jobs" in arguments else ["--jobs", "1"]
        words = ["run", "quick.yaml", "-p", "study", *jobs, *arguments]
        return subprocess.Popen(
            [sys.executable, "-P", Path(__file__).with_name("quick_worker.py"), *words],
            cwd=self.folder,
            env={**os.environ, "NO_COLOR": "1", "QUICK_WORKER": str(self._place), **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return self.end(self.start(*arguments, env=env))

    @staticmethod
    def end(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
        """Wait for the end of a run."""
        try:
            out, err = process.communicate(timeout=120)
        finally:
            process.kill()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    @property
    def attempts(self) -> list[dict[str, Any]]:
        """What was started: model, process and device."""
        path = self._place / "attempts"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def await_attempts(self, count: int) -> None:
        """Wait until so many were started."""
        patience = time.monotonic() + 60
        while len(self.attempts) < count:
            assert time.monotonic() < patience, self.attempts
            time.sleep(0.02)

    def let(self, word: str) -> None:
        """Let workers continue that wait for a word."""
        (self._place / word).touch()

    @staticmethod
    def await_line(process: subprocess.Popen[str], part: str, count: int = 1) -> None:
        """Wait until a run has written so many lines that hold a text."""
        assert process.stdout is not None
        for line in process.stdout:
            count -= part in line
            if count == 0:
                return
        raise AssertionError(f"the run ended without {part!r}")

    @property
    def endings(self) -> dict[str, str]:
        """How each model's cell ended: ``ok``, or the kind of its failure."""
        manifests = [json.loads(path.read_text()) for path in self.path.glob("runs/*/manifest.json")]
        return {each["model"]: each.get("kind", each["status"]) for each in manifests}

    @property
    def leftovers(self) -> list[str]:
        """Names of what is neither finished nor failed."""
        return sorted(path.name for path in (self.path / "runs").glob(".*"))


@pytest.fixture
def quick(tmp_path: Path, registry: Callable[..., Path]) -> QuickStudy:
    """A study that takes a moment."""
    return QuickStudy(tmp_path, registry)
