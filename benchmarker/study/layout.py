"""Names of the files and folders of a study: one place for those who write them and those who read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

FORMAT: Literal[1] = 1
"""Format of plan, manifest and trail; raised when older programs could not read them any more."""

PLAN_FILE = "plan.json"
RUNS_FOLDER = "runs"
SPLITS_FOLDER = "splits"
MANIFEST_FILE = "manifest.json"
METRICS_FILE = "metrics.json"
COSTS_FILE = "costs.json"
HISTORY_FILE = "history.csv"
EVENTS_FILE = "events.jsonl"
LOG_FILE = "log.txt"
TRACEBACK_FILE = "traceback.txt"

FAILED_SUFFIX = ".failed"
WORKING_SUFFIX = ".partial"
REPLACED_SUFFIX = ".replaced"
_TESTED_SUFFIX = f".tested{WORKING_SUFFIX}"

SNAPSHOTS = "snapshot-*.npz"
"""Pattern of the names of complete snapshots."""

Checkpoint = Literal["best", "final"]
CHECKPOINTS: tuple[Checkpoint, ...] = ("best", "final")
"""Weights that are kept and tested: those of the lowest validation loss, and those of the last epoch."""

RUN_NAME_LENGTH = 16

# Versions up to 0.2.0 left out the token.
_REPLACED = re.compile(
    rf"\.(?P<final>[0-9a-f]{{16}}({re.escape(FAILED_SUFFIX)})?)(\.[0-9a-f]{{16}})?\{REPLACED_SUFFIX}"
)


def run_name(key: str) -> str:
    """Return the name of the folder of a finished run."""
    return key[:RUN_NAME_LENGTH]


def weights_file(checkpoint: str) -> str:
    """Return the name of the file with a checkpoint's weights."""
    return f"weights_{checkpoint}.weights.h5"


def predictions_file(checkpoint: str) -> str:
    """Return the name of the file with a checkpoint's predictions for the test part."""
    return f"predictions_{checkpoint}.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPaths:
    """Where the run of a cell or generator lies, side by side in one folder.

    Parameters
    ----------
    working : Path
        Path while the run works, or rests before it is resumed.
    tested : Path
        Path while a run works that tests saved weights.
    finished : Path
        Path once the run has finished.
    failed : Path
        Path once the run has failed.
    token : str
        Token of the claim that the run is worked on under; "" of a run that nobody works on.
    """

    working: Path
    tested: Path
    finished: Path
    failed: Path
    token: str = ""

    @classmethod
    def of(cls, study: Path, key: str, *, token: str = "") -> Self:
        """Return the paths of the run of a cell or generator in a study.

        Parameters
        ----------
        study : Path
            Folder of the study.
        key : str
            Key of the cell or generator, or the name of its run.
        token : str
            Token of the claim that the run is worked on under; "" of a run that nobody works on.
        """
        runs, name = study / RUNS_FOLDER, run_name(key)
        owner = f".{token}" if token else ""
        return cls(
            working=runs / f".{name}{owner}{WORKING_SUFFIX}",
            tested=runs / f".{name}{owner}{_TESTED_SUFFIX}",
            finished=runs / name,
            failed=runs / f"{name}{FAILED_SUFFIX}",
            token=token,
        )


def replaced_path(final: Path, token: str) -> Path:
    """Return where a run lies for a moment while a newer one takes its place.

    Parameters
    ----------
    final : Path
        Path of the run.
    token : str
        Token of the claim of the process that moves it, so that no other one touches it; "" without a claim.
    """
    owner = f".{token}" if token else ""
    return final.with_name(f".{final.name}{owner}{REPLACED_SUFFIX}")


def replaced_runs(study: Path) -> Iterator[tuple[Path, Path]]:
    """Yield where runs of a study lie that killed processes moved aside, and the paths that they had before."""
    for path in sorted((study / RUNS_FOLDER).glob(f".*{REPLACED_SUFFIX}")):
        if (found := _REPLACED.fullmatch(path.name)) is not None:
            yield path, path.with_name(found["final"])
