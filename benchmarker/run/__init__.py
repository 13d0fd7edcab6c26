"""Runs a study: plan first, then each cell in a fresh process, each finished by an atomic rename."""

from __future__ import annotations

from benchmarker.run.choosing import Chosen, Share
from benchmarker.run.entry_points import StudyOutcome, plan_study, run_study, train_generators
from benchmarker.run.policy import Policy, parse_gpus
from benchmarker.study.observer import CellOutcome, CellView, DataSummary, Observer

__all__ = [
    "CellOutcome",
    "CellView",
    "Chosen",
    "DataSummary",
    "Observer",
    "Policy",
    "Share",
    "StudyOutcome",
    "parse_gpus",
    "plan_study",
    "run_study",
    "train_generators",
]
