"""Comparisons of stored studies: pairing, classes, splits, ratios of generated images and caveats."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarker import open_results
from benchmarker.statistics.network_results import read_network_results
from benchmarker.statistics.study_comparison import compare_study
from tests.statistics.material import CLASSES, SEEDS, SOURCES, fill, finish

if TYPE_CHECKING:
    from tests.conftest import StudyFiles


def number(value: float | None) -> float:
    assert value is not None
    return value


def test_arms_and_networks_are_compared_with_verdicts(study: StudyFiles) -> None:
    found = fill(study, {("good", "real"): 0.7, ("good", "gan"): 0.9, ("poor", "real"): 0.45, ("poor", "gan"): 0.45})
    arms, classes, networks = (found.table(name) for name in ("arms", "arms_per_class", "networks"))
    assert arms is not None
    assert classes is not None
    assert networks is not None
    assert [(row.first.label, row.second.label, row.verdict) for row in arms.rows] == [
        ("good/gan", "good/real", "better"),
        ("poor/gan", "poor/real", "undecided"),
    ]
    assert [row.verdict for row in networks.rows] == ["better", "better"]
    row = arms.rows[0]
    assert (row.n, row.n_sources, row.method, row.unit) == (4, SOURCES, "pooled seeds and sources", "pp")
    assert row.degrees_of_freedom is not None
    assert 3 < row.degrees_of_freedom <= 12  # of four rows with four seeds
    assert number(row.low) < number(row.difference) < number(row.high)
    assert number(row.p_adjusted) >= number(row.p)
    assert [line.scope for line in classes.rows] == CLASSES * 2
    assert np.mean([number(line.difference) for line in classes.rows[:4]]) == pytest.approx(row.difference)
    assert (arms.tests, classes.tests, networks.tests) == (2, 8, 2)
    assert len(found.frame()) == 12 + 3  # with the two main effects and their interaction
    assert json.loads(json.dumps(found.to_json()))["metric"] == "mean_per_class_accuracy"


def test_the_same_study_gives_the_same_numbers(study: StudyFiles) -> None:
    first = fill(study, {("good", "real"): 0.7, ("good", "gan"): 0.9})
    assert compare_study(open_results(study.folder)) == first


def test_splits_drawn_for_each_seed_are_corrected(study: StudyFiles) -> None:
    for model, skill in (("good", 0.9), ("poor", 0.5)):
        for number, seed in enumerate(SEEDS):
            sources = [f"source {k:03d}" for k in range(20 * number, 20 * number + SOURCES)]
            finish(study, study.cell(model, seed), skill, sources=sources)
    (row,) = compare_study(open_results(study.folder)).tables[0].rows
    assert row.method == "seeds, overlapping splits"
    deviation = np.std(row.differences, ddof=1)
    assert row.standard_error == pytest.approx(deviation * np.sqrt(1 / 4 + SOURCES / 240))


def test_runs_without_predictions_are_compared_over_seeds_alone(study: StudyFiles) -> None:
    for model, values in (("a", (80.0, 81.0, 82.5)), ("b", (80.0, 80.0, 80.0))):
        for seed, value in zip(SEEDS, values, strict=False):
            study.finish(study.cell(model, seed), value)
    (row,) = compare_study(open_results(study.folder)).tables[0].rows
    assert row.method == "seeds alone"
    assert "predictions could not be used" in row.caveats[0]
    assert row.mcnemar is None


def test_equal_differences_without_predictions_give_no_verdict(study: StudyFiles) -> None:
    for seed in SEEDS:
        study.finish(study.cell("a", seed), 85)
        study.finish(study.cell("b", seed), 80)
    (row,) = compare_study(open_results(study.folder)).tables[0].rows
    assert (row.verdict, row.p, row.difference) == ("undecided", None, 5.0)
    assert "the same under all 4 seeds" in row.caveats[0]


def test_networks_that_agree_on_one_class_are_not_equivalent_there(study: StudyFiles) -> None:
    first_class = np.arange(SOURCES) % 4 == 0
    for arm, skill in (("real", 0.5), ("gan", 0.6)):
        for seed in SEEDS:
            finish(study, study.cell("good", seed, arm=arm), np.where(first_class, 2.0, skill))
    classes = compare_study(open_results(study.folder)).table("arms_per_class")
    assert classes is not None
    agreed, *others = classes.rows
    assert (agreed.difference, agreed.low, agreed.p, agreed.verdict) == (0.0, None, None, "undecided")
    assert "right on the same sources under all 4 seeds" in agreed.caveats[0]
    assert all(row.low is not None for row in others)


def test_caveats_name_missing_seeds_and_other_environments(study: StudyFiles) -> None:
    for seed in SEEDS[:3]:
        finish(study, study.cell("a", seed), 0.8)
    for seed in SEEDS[:2]:
        finish(study, study.cell("b", seed), 0.7, fingerprint={"threads": 4})
    study.fail(study.cell("b", SEEDS[2]), "diverged", "the loss is not finite")
    found = compare_study(open_results(study.folder))
    (row,) = found.tables[0].rows
    assert row.n == 2
    assert row.caveats == ("2 of 3 seeds finished", "fingerprints differ: 2 environments")
    assert any("fingerprints differ: 2 environments (" in caveat for caveat in found.caveats)
    assert any("2 seeds and 1 comparisons" in caveat for caveat in found.caveats)


def test_a_missing_reference_arm_is_replaced_by_the_first_arm(study: StudyFiles) -> None:
    found = fill(study, {("a", "rotations"): 0.7, ("a", "flips"): 0.8})
    assert found.reference == "rotations"
    assert "'real'" in found.caveats[0]
    assert "'rotations'" in found.caveats[0]


def test_one_seed_gives_no_verdict(study: StudyFiles) -> None:
    found = fill(study, {("a", "real"): 0.9, ("b", "real"): 0.5}, seeds=(1,))
    (row,) = found.tables[0].rows
    assert (row.verdict, row.low, row.p) == ("undecided", None, None)
    assert len(found.caveats) == 1
    assert found.caveats[0].startswith("One seed")


def test_response_to_ratios_fits_a_line_within_each_seed(study: StudyFiles) -> None:
    for arm, ratio, skill in (("real", 0, 0.6), ("gan-0.5", 0.5, 0.7), ("gan-2", 2, 0.9)):
        for seed in SEEDS:
            cell = study.cell("a", seed, arm=arm)
            if ratio:
                cell["spec"]["arm"] = study.generated_arm("dcgan", seed, ratio)
            study.write_plan()
            finish(study, cell, skill)
    found = compare_study(open_results(study.folder))
    (response,) = found.ratios
    assert (response.network, response.generator, response.n) == ("a", "dcgan", 4)
    assert [point.ratio for point in response.points] == [0.0, 0.5, 2.0]
    slopes = []
    rows = {row.arm: row for row in read_network_results(open_results(study.folder), found.metric, "best")}
    for seed in SEEDS:
        values = [rows[arm].values[seed] for arm in ("real", "gan-0.5", "gan-2")]
        slopes.append(np.polyfit([0, 0.5, 2], values, 1)[0])
    assert response.slope == pytest.approx(np.mean(slopes))
    assert 0 < number(response.low) < number(response.slope)
    assert response.points[2].comparison is not None
    assert response.points[2].comparison.verdict == "better"
