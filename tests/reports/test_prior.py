"""The prior of a classification, and densities of probabilities."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarker import ReportOptions, open_results, training_shares
from benchmarker.discovery import installed, resolve
from benchmarker_reports.content.study_content import StudyContent
from tests.reports.material import DocumentStudy

DIGEST = "0123456789abcdef" * 4
SEEDS = (8901, 1826)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two networks for dwarfs under two seeds; a quarter of the training part are dwarfs."""
    study = DocumentStudy(tmp_path_factory.mktemp("prior") / "study", classes=("other", "dwarf"), n_test=60)
    study.add(("simple_classifier", "mcrgnet"), SEEDS)
    for cell in study.plan["cells"]:
        path = study.folder / "runs" / cell["key"][:16] / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "digests": {"split": DIGEST}}))
    (study.folder / "splits").mkdir()
    for seed in SEEDS:
        with (study.folder / "splits" / f"{seed}-{DIGEST[:8]}.csv").open("w", newline="") as stream:
            rows = [[f"galaxy {k}", "train", "dwarf" if k % 4 == 0 else "other", "1"] for k in range(80)]
            csv.writer(stream).writerows([["source_id", "part", "class", "images"], *rows, ["x", "test", "dwarf", "9"]])
    return study.folder


def test_shares_are_those_of_the_training_part(folder: Path) -> None:
    results = open_results(folder)
    assert training_shares(folder, results.cells[0], results.classes) == (0.75, 0.25)


def test_log_loss_of_the_prior_is_the_cross_entropy_of_the_shares(folder: Path) -> None:
    found = StudyContent(open_results(folder), ReportOptions(checkpoints=("best",))).prior
    assert found is not None
    assert found.log_loss == pytest.approx(-(np.log(0.75) + np.log(0.25)) / 2)  # half of the test images are dwarfs


def test_prior_is_a_number_in_json_and_a_line_in_learning_curves(folder: Path) -> None:
    results = open_results(folder)
    text = resolve(installed().report("json").renderer)(results, ReportOptions())
    assert json.loads(text)["prior"]["shares"] == [0.75, 0.25]
    content = StudyContent(results, ReportOptions(checkpoints=("best",)))
    for panel in content.learning["loss"]:
        level = panel.series[-1]
        assert (level.name, level.dashed) == ("prior", True)
        assert level.y.tolist() == [content.prior.log_loss] * 2  # type: ignore[union-attr]


def test_densities_integrate_to_one_and_mark_the_prior(folder: Path) -> None:
    found = StudyContent(open_results(folder), ReportOptions(checkpoints=("best",))).probabilities
    assert found is not None
    assert [panel.title for panel in found.densities] == ["simple_classifier", "mcrgnet"]
    for panel in found.densities:
        dwarf, other, marked = panel.series
        assert [dwarf.name, other.name, marked.name] == ["dwarf", "not dwarf", "prior"]
        assert dwarf.y.sum() / len(dwarf.x) == pytest.approx(1)
        assert marked.x.tolist() == [0.25, 0.25]


def test_precision_recall_shows_the_share_of_the_class(folder: Path) -> None:
    found = StudyContent(open_results(folder), ReportOptions(checkpoints=("best",))).probabilities
    assert found is not None
    baseline = found.precision_recall[0].series[-1]
    assert (baseline.name, baseline.y.tolist()) == ("share", [0.5, 0.5])


def test_study_without_lists_of_sources_has_no_prior(tmp_path: Path) -> None:
    study = DocumentStudy(tmp_path / "study").add(("mcrgnet",), (1,))
    content = StudyContent(open_results(study.folder), ReportOptions(checkpoints=("best",)))
    assert content.prior is None
    assert content.probabilities is not None
    assert len(content.probabilities.densities) == 4
    assert "prior" not in {series.name for panel in content.learning["loss"] for series in panel.series}


def test_page_shows_prior_and_densities(folder: Path) -> None:
    page = resolve(installed().report("html").renderer)(open_results(folder), ReportOptions(checkpoints=("best",)))
    assert "Log loss of the prior: 0.837" in page
    assert "Density of probabilities" in page
