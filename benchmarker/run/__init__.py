"""Runs a study: plan first, then each cell in a fresh process, each finished by an atomic rename."""

from __future__ import annotations

from benchmarker.run.entry_points import StudyOutcome, run_study, train_generators
from benchmarker.run.policy import Policy, parse_gpus
from benchmarker.study.observer import CellOutcome, CellView, DataSummary, Observer

__all__ = [
    "CellOutcome",
    "CellView",
    "DataSummary",
    "Observer",
    "Policy",
    "StudyOutcome",
    "parse_gpus",
    "run_study",
    "train_generators",
]
