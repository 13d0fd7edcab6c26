"""What a generator's run folder holds beside what every run holds."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import IO

LOSSES_FILE = "losses.csv"
HISTORY_FILE = "history.csv"
TRAINING_FILE = "training.json"
CONDITIONS_FILE = "conditions.npz"
"""Targets and attributes of the training part: what samples are drawn for, also where the images are not at hand."""

SAMPLES_FOLDER = "samples"
REAL_GRID = "real.png"
ANIMATION = "animation.png"

_WEIGHTS = re.compile(r"weights_epoch_(\d{4,})\.npz")


def weights_file(epoch: int) -> str:
    """Return the name of the file of a generator's weights after an epoch, counted from 1."""
    return f"weights_epoch_{epoch:04d}.npz"


def grid_file(epoch: int) -> str:
    """Return the name of the sample grid of an epoch, counted from 1."""
    return f"epoch-{epoch:04d}.png"


def saved_epochs(run: Path) -> list[int]:
    """Return the epochs whose weights a run has kept, the first one first."""
    found = (_WEIGHTS.fullmatch(path.name) for path in run.glob("weights_epoch_*.npz"))
    return sorted(int(match[1]) for match in found if match)


def write_file(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file so that a reader, or a process that goes on after a crash, finds all of it or nothing."""
    aside = path.with_name(f".{path.name}.partial")
    with aside.open("wb") as stream:
        write(stream)
        stream.flush()
        os.fsync(stream.fileno())
    aside.replace(path)
