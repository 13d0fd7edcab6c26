"""Report `inclination`: members, ensembles over seeds, bins, outliers, and what it refuses."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarker import ConfigurationError, ReportOptions, Stream, StudyResults, open_results
from benchmarker_inclination.study_report import find_members, render, scores_by_band, scores_by_bin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.conftest import StudyFiles

OPTIONS = ReportOptions(checkpoints=("best",))
MEASURED = np.linspace(46.0, 89.0, 40)


def _plan_regression(study: StudyFiles, unit: str = "deg") -> None:
    target = {"name": "inclination", "unit": unit, "minimum": 45, "maximum": 90}
    study.plan["dataset"]["task"] = {"kind": "regression", "targets": [target]}


def _finish(
    study: StudyFiles, model: str, seed: int, errors: NDArray[Any], images: Sequence[int] | None = None
) -> None:
    """Finish a cell whose residual, measured minus predicted, is given."""
    folder = study.finish(study.cell(model, seed), 90)
    lines = ["source_id,image,true_inclination,predicted_inclination"]
    numbers = range(len(errors)) if images is None else images
    for number, measured, error in zip(numbers, MEASURED.tolist(), errors.tolist(), strict=False):
        lines.append(f"pgc{number},{number},{measured!r},{measured - error!r}")
    (folder / "predictions_best.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture
def bagged(study: StudyFiles) -> StudyFiles:
    """A study of two networks and three seeds whose errors are independent."""
    _plan_regression(study)
    random = Stream("test", seed=7).generator()
    for model in ("model4", "model6"):
        for seed in (1, 2, 3):
            _finish(study, model, seed, random.normal(0.0, 4.0, len(MEASURED)))
    return study


def test_report_scores_members_and_their_ensembles(bagged: StudyFiles) -> None:
    files = render(open_results(bagged.folder), OPTIONS)
    found = json.loads(files["inclination.json"])
    assert list(found["members"]) == [f"{model}/real/{seed}" for model in ("model4", "model6") for seed in (1, 2, 3)]
    assert set(found["ensembles"]) == {
        f"{network}{rule} of {members}/real"
        for network, members in (("model4, ", "3 seeds"), ("model6, ", "3 seeds"), ("", "6 runs"))
        for rule in ("median", "mean")
    }
    members = find_members(open_results(bagged.folder), OPTIONS)
    everything = found["ensembles"]["mean of 6 runs/real"]
    expected = MEASURED - np.mean([member.predicted for member in members], axis=0)
    assert everything["rms"] == pytest.approx(np.sqrt(np.mean(expected**2)))
    assert everything["mae"] == pytest.approx(np.mean(np.abs(expected)))
    assert everything["mean"] == pytest.approx(expected.mean())
    assert everything["rms"] < min(member["rms"] for member in found["members"].values())
    assert 0 < everything["gain"]["low"] < everything["gain"]["value"] < everything["gain"]["high"]
    text = files["inclination.md"]
    assert isinstance(text, str)
    assert "| 85 to 90 |" in text


def test_report_writes_predictions_of_every_member_and_ensemble(bagged: StudyFiles) -> None:
    files = render(open_results(bagged.folder), OPTIONS)
    text = files["predictions.csv"]
    assert isinstance(text, str)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(MEASURED)
    three = [float(rows[5][f"model4/real/{seed}"]) for seed in (1, 2, 3)]
    assert float(rows[5]["model4, median of 3 seeds/real"]) == pytest.approx(np.median(three))
    assert files["residuals.png"][:4] == b"\x89PNG"
    assert files == render(open_results(bagged.folder), OPTIONS)


def test_report_makes_no_ensemble_of_different_test_parts(study: StudyFiles) -> None:
    _plan_regression(study)
    _finish(study, "model4", 1, np.ones(40))
    _finish(study, "model4", 2, np.ones(40), images=range(40, 80))
    files = render(open_results(study.folder), OPTIONS)
    assert json.loads(files["inclination.json"])["ensembles"] == {}
    assert "predictions.csv" not in files
    assert "split.test_seed" in str(files["inclination.md"])


def test_report_draws_outliers_where_images_are_in_the_cache(
    study: StudyFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    _plan_regression(study)
    errors = np.zeros(40)
    errors[[3, 9]] = (11.0, -15.0)
    _finish(study, "model4", 1, errors)
    results = open_results(study.folder)
    assert "outliers.png" not in render(results, OPTIONS)
    asked: list[int] = []

    def images(numbers: Sequence[int]) -> NDArray[np.float32]:
        asked.extend(numbers)
        return np.zeros((len(numbers), 8, 8, 3), np.float32)

    monkeypatch.setattr(results, "images", images)
    outliers = render(results, OPTIONS)["outliers.png"]
    assert isinstance(outliers, bytes)
    assert outliers[:4] == b"\x89PNG"
    assert asked == [3, 9]


@pytest.mark.parametrize("unit", ["rad", None])
def test_report_refuses_other_tasks(study: StudyFiles, unit: str | None) -> None:
    if unit:
        _plan_regression(study, unit)
    study.cell("model4", 1)
    with pytest.raises(ConfigurationError, match="degrees"):
        render(open_results(study.folder), OPTIONS)


def test_report_needs_a_finished_run(study: StudyFiles) -> None:
    _plan_regression(study)
    study.cell("model4", 1)
    with pytest.raises(ConfigurationError, match="no finished run"):
        render(open_results(study.folder), OPTIONS)


def test_bins_hold_their_upper_edge_and_the_first_both() -> None:
    measured = np.array([45.0, 45.1, 50.0, 50.1, 90.0])
    assert [each.n for each in scores_by_bin(measured, measured).values()] == [3, 1, 1]


def test_bands_have_their_own_residuals(bagged: StudyFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    measured = np.array([50.0, 60.0, 70.0])
    found = scores_by_band(measured, measured - [1.0, 3.0, -1.0], np.array([0.0, 0.0, 3.0]))
    assert {name: (each.n, each.mean) for name, each in found.items()} == {"gri": (2, 2.0), "i": (1, -1.0)}
    numbers = np.arange(len(MEASURED)) % 4.0
    monkeypatch.setattr(StudyResults, "attribute", lambda _self, _name, images: numbers[images])
    files = render(open_results(bagged.folder), OPTIONS)
    member = json.loads(files["inclination.json"])["members"]["model4/real/1"]
    assert {name: each["n"] for name, each in member["by_band"].items()} == dict.fromkeys(("gri", "g", "r", "i"), 10)
    assert sum(each["n"] for each in member["by_bin"].values()) == len(MEASURED)
    assert "Residuals by band" in str(files["inclination.md"])


def test_images_without_bands_have_no_such_table(bagged: StudyFiles) -> None:
    files = render(open_results(bagged.folder), OPTIONS)
    assert "by_band" not in json.loads(files["inclination.json"])["members"]["model4/real/1"]
    assert "Residuals by band" not in str(files["inclination.md"])
