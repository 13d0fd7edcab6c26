"""Reports of a task with hundreds of classes take neither minutes nor gigabytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarker import ReportOptions, open_results
from benchmarker.cli import main
from benchmarker.statistics.network_results import classification_sums, score
from benchmarker_reports.content.classes import Confusion
from benchmarker_reports.content.study_content import StudyContent
from benchmarker_reports.formats.figures import MOST_TICKS, confusion_figure

if TYPE_CHECKING:
    from tests.conftest import StudyFiles

CLASSES = tuple(f"type {k:03d}" for k in range(355))


def finish(study: StudyFiles, seed: int) -> None:
    """Finish a run that is right except that it calls one image of each class by the next one's name."""
    n = len(CLASSES)
    folder = study.finish(study.cell("convxpress", seed), 90)
    matrix = 3 * np.eye(n, dtype=int) + np.roll(np.eye(n, dtype=int), 1, axis=1)
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    for checkpoint in ("best", "final"):
        scores = {"precision": 0.75, "recall": 0.75, "f1": 0.75, "support": 4}
        metrics[checkpoint] |= {"confusion_matrix": matrix.tolist(), "per_class": dict.fromkeys(CLASSES, scores)}
    (folder / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")


def test_large_confusion_matrices_are_pictures(study: StudyFiles, tmp_path: Path) -> None:
    study.plan["dataset"]["task"]["classes"] = CLASSES
    finish(study, 1)
    assert main(["report", str(study.folder), "--format", "html", "--out", str(tmp_path)]) == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count('<img alt="Confusion matrix of 355 classes"') == 1
    assert len(page) < 1_000_000
    content = StudyContent(results := open_results(study.folder), ReportOptions())
    (matrix,) = content.confusions
    assert matrix.counts.sum() == 4 * len(CLASSES)
    assert "metrics" not in vars(results.cells[0])  # read, but not kept


def test_large_matrices_of_figures_hold_no_texts(study: StudyFiles) -> None:
    finish(study, 1)
    line = StudyContent(open_results(study.folder), ReportOptions()).lines[0]
    for n, texts in ((10, 100), (355, 0)):
        matrix = Confusion(line=line, classes=CLASSES[:n], counts=np.eye(n, dtype=np.int64))
        (axes,) = confusion_figure([matrix]).axes
        assert len(axes.texts) == texts
        assert 0 < len(axes.get_xticks()) <= MOST_TICKS


def test_sums_of_many_classes_are_small() -> None:
    truth = np.repeat(np.arange(355), 4)
    predicted = np.where(np.arange(truth.size) % 4 == 0, (truth + 1) % 355, truth)
    sums = classification_sums([f"source {k}" for k in range(truth.size)], truth, predicted, 355)
    assert sums.values.nbytes < 20e6
    found = score(sums, "mean_per_class_accuracy")
    assert found is not None
    assert found.value == 75.0
    assert found.left_out.shape == truth.shape
