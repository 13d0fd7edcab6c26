"""What stands where in a study's folder: one place for those who write it and those who read it."""

from __future__ import annotations

FORMAT = 1
"""Of plan and manifest; raised when older programs could not read them any more."""

PLAN_FILE = "plan.json"
RUNS_FOLDER = "runs"
FAILED_SUFFIX = ".failed"
MANIFEST_FILE = "manifest.json"
METRICS_FILE = "metrics.json"
COSTS_FILE = "costs.json"
LOG_FILE = "log.txt"
TRACEBACK_FILE = "traceback.txt"

CHECKPOINTS = ("best", "final")
"""Weights that are kept and tested: of the lowest validation loss, and of the last epoch."""

RUN_NAME_LENGTH = 16


def run_name(key: str) -> str:
    """Return the name of the folder of a cell's finished run."""
    return key[:RUN_NAME_LENGTH]


def weights_file(checkpoint: str) -> str:
    """Return the name of the file of a checkpoint's weights."""
    return f"weights_{checkpoint}.weights.h5"


def predictions_file(checkpoint: str) -> str:
    """Return the name of the file of a checkpoint's predictions of the test part."""
    return f"predictions_{checkpoint}.csv"
