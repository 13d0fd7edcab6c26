"""How well each class is recognised: confusion matrices, and precision, recall and F1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarker import StudyResults, Summary
from benchmarker_reports.content.charts import Floats
from benchmarker_reports.content.leaderboard import Line

SCORES = ("precision", "recall", "f1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """Test images of one line of the leaderboard by true and predicted class, summed over seeds.

    Parameters
    ----------
    line : Line
    classes : tuple of str
    counts : ndarray of shape (n_classes, n_classes), int64
        Rows are true classes, columns predicted ones.
    """

    line: Line
    classes: tuple[str, ...]
    counts: NDArray[np.int64]

    @property
    def shares(self) -> Floats:
        """Each row divided by its sum; zero where a class has no image."""
        totals = self.counts.sum(axis=1, keepdims=True)
        shares: Floats = np.divide(self.counts, totals, out=np.zeros(self.counts.shape), where=totals > 0)
        return shares


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScores:
    """Precision, recall and F1 of each class for one line of the leaderboard.

    Parameters
    ----------
    line : Line
    scores : mapping of str to mapping of str to Summary
        By class, then by ``"precision"``, ``"recall"`` and ``"f1"``, each over seeds.
    """

    line: Line
    scores: Mapping[str, Mapping[str, Summary]]


def confusions(results: StudyResults, lines: Sequence[Line], checkpoint: str) -> tuple[Confusion, ...]:
    """Return the confusion matrix of each line that has one; none for a regression."""
    found = []
    for line in lines:
        counts = results.confusion(line.runs, checkpoint) if line.runs else None
        if counts is not None:
            found.append(Confusion(line=line, classes=results.classes, counts=counts))
    return tuple(found)


def class_scores(results: StudyResults, lines: Sequence[Line], checkpoint: str) -> tuple[ClassScores, ...]:
    """Return the scores of each class for each line that has them; none for a regression."""
    found = []
    for line in lines:
        scores = {}
        for name in results.classes:
            values = {score: _values(line, checkpoint, f"{score}_{name}") for score in SCORES}
            if all(values.values()):
                scores[name] = {score: Summary.of(each, planned=line.first.planned) for score, each in values.items()}
        if scores:
            found.append(ClassScores(line=line, scores=scores))
    return tuple(found)


def _values(line: Line, checkpoint: str, metric: str) -> dict[int, float]:
    return {
        run.seed: run.evaluations[checkpoint][metric]
        for run in line.runs
        if metric in run.evaluations.get(checkpoint, {})
    }
