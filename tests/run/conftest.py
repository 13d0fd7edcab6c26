"""A tiny folder of real FITS images, and the command line as a user starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

SIZE = 32
PER_CLASS = 12


@pytest.fixture(scope="session")
def fits_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of twelve sources: one blob, or two."""
    import numpy as np
    from astropy.io import fits

    from benchmarker import Stream

    folder = tmp_path_factory.mktemp("fits")
    rows, columns = np.mgrid[:SIZE, :SIZE]
    lines = ["Name,Type"]
    for number, (name, separation) in enumerate((("FRI", 0.0), ("FRII", 16.0)), start=2):
        (folder / name).mkdir()
        for k in range(PER_CLASS):
            draws = Stream("test-image", number=number, k=k).generator()
            angle = draws.random() * np.pi
            image = draws.normal(0, 0.05, (SIZE, SIZE))
            for side in (-0.5, 0.5):
                row = SIZE / 2 + side * separation * np.sin(angle)
                column = SIZE / 2 + side * separation * np.cos(angle)
                image += np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 8)
            fits.PrimaryHDU(image.astype(">f4")).writeto(folder / name / f"source{number}{k:02d}.fits")
            lines.append(f"source{number}{k:02d},{number}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def registry(tmp_path: Path, fits_folder: Path) -> Callable[..., Path]:
    """Write a registry over the tiny folder; keyword arguments replace its top-level keys."""

    def write(name: str = "tiny.yaml", **changes: Any) -> Path:
        content: dict[str, Any] = {
            "dataset": {
                "name": "fits-manifest",
                "path": str(fits_folder),
                "preparation": {"clip_sigma": None},
                "split": {"train": 6, "validation": 3},
            },
            "seeds": [8901],
            "training": {"batch_size": 4, "threads": 1},
            "models": [{"architecture": "mcrgnet", "learning_rate": 0.001, "epochs": 2}],
        }
        path = tmp_path / name
        path.write_text(json.dumps(content | changes))  # JSON is YAML
        return path

    return write


class CommandLine:
    """The ``benchmarker`` command in a process of its own, as a user starts it."""

    def start(
        self, *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        """Start a command and return its process."""
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "benchmarker", *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, "NO_COLOR": "1", **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(
        self, *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        process = self.start(*arguments, cwd=cwd, env=env, **options)
        out, err = process.communicate(timeout=240)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    @staticmethod
    def manifests(study: Path) -> dict[tuple[str, str, int], dict[str, Any]]:
        """Return the manifests of a study's runs by model, arm and seed."""
        found = [json.loads(path.read_text()) for path in sorted(study.glob("runs/*/manifest.json"))]
        return {(each["model"], each["arm"], each["seed"]): each for each in found}


@pytest.fixture(scope="session")
def command_line() -> CommandLine:
    """The command as a user starts it."""
    return CommandLine()
