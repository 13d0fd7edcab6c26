"""A plugin package that its author edits while a study grows: no number is averaged with one of other code."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarker import open_results
from benchmarker.cli.rendering import render
from tests.fixture_plugins import SMALL_NETWORK, install


class Edited:
    """A study of a network whose package can be edited between two calls."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._site = install(folder / "site", "small_network", SMALL_NETWORK)

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run the study, expect an exit code, and return everything that it printed."""
        done = subprocess.run(
            [sys.executable, "-P", "-m", "benchmarker", "run", "registry.yaml", "-p", "study", *arguments],
            cwd=self._folder,
            env={
                **os.environ,
                "PYTHONPATH": str(self._site),
                "NO_COLOR": "1",
                "KERAS_BACKEND": "jax",
                "BENCHMARKER_CACHE": str(self._folder / "cache"),
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return " ".join((done.stdout + done.stderr).split())

    def edit(self) -> None:
        """Make the network another one of the same number of parameters."""
        path = self._site / "small_network.py"
        path.write_text(path.read_text().replace("Dropout(0.25", "Dropout(0.75"))

    def change_cache(self) -> None:
        """Add noise to one prepared image behind the back of the cache."""
        (pixels,) = (self._folder / "cache").glob("prepared/*/images.f32")
        content = np.fromfile(pixels, dtype="<f4")
        content[:100] += np.float32(0.01)
        content.tofile(pixels)

    @property
    def results(self) -> Path:
        """Folder of the study."""
        return self._folder / "study"


@pytest.fixture
def edited(tmp_path: Path, registry: Callable[..., Path]) -> Edited:
    registry(
        name="registry.yaml",
        models=[{"architecture": "small", "learning_rate": 0.001, "epochs": 1}],
    )
    return Edited(tmp_path)


def test_edited_code_gives_two_rows_and_edited_data_none(edited: Edited) -> None:
    edited.run("-s", "1")
    edited.edit()
    said = edited.run("-s", "1", "-s", "2")
    assert "small/real/1: found finished, but the code of architecture small has changed since" in said
    rows = open_results(edited.results).leaderboard("best").rows
    assert len(rows) == 2
    assert [row.n for row in rows] == [1, 1]
    assert all(row.planned == 2 for row in rows)
    assert len({row.environment for row in rows}) == 2
    sentence = "runs from 2 environments are never averaged; each environment has its own row: small in arm real"
    assert sentence in said
    for name in ("json", "html"):
        rendered = render(open_results(edited.results), name)
        assert sentence in rendered
        assert "code of the architecture small" in rendered
    edited.change_cache()
    assert "holds other images or labels than the plan says" in edited.run("-s", "3", code=1)
