"""Comparisons of stored studies: pairing, classes, splits, ratios of generated images and caveats."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarker import open_results
from benchmarker.statistics.network_results import read_network_results
from benchmarker.statistics.study_comparison import compare_study, comparison_settings
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
    assert response.points[2].comparison.scope == "overall"


def test_settings_follow_the_primary_metric(study: StudyFiles) -> None:
    fill(study, {("good", "real"): 0.7})
    results = open_results(study.folder)
    found = comparison_settings(results)
    assert (found.metric, found.unit, found.higher_is_better) == ("mean_per_class_accuracy", "pp", True)
    assert (found.level, found.margin, found.scopes, found.scope_metric) == (0.95, 1.0, tuple(CLASSES), "recall")
    given = comparison_settings(results, level=0.9, margin=3.0)
    assert (given.level, given.margin) == (0.9, 3.0)


@pytest.mark.parametrize(
    ("targets", "scopes"), [(("inclination",), ()), (("inclination", "redshift"), ("inclination", "redshift"))]
)
def test_settings_of_a_regression_have_no_margin(
    study: StudyFiles, targets: tuple[str, ...], scopes: tuple[str, ...]
) -> None:
    described = [{"name": name, "unit": "deg", "minimum": 0, "maximum": 90} for name in targets]
    study.plan["dataset"]["task"] = {"kind": "regression", "targets": described}
    study.plan["primary"] = {"name": "mean_absolute_error", "higher_is_better": False}
    study.cell("good", 1)
    found = comparison_settings(open_results(study.folder))
    assert (found.metric, found.higher_is_better, found.margin) == ("mean_absolute_error", False, None)
    assert (found.scopes, found.scope_metric) == (scopes, "mean_absolute_error")


def test_tables_say_what_they_compare(study: StudyFiles) -> None:
    found = fill(study, {("good", "real"): 0.7, ("good", "gan"): 0.9, ("poor", "real"): 0.45, ("poor", "gan"): 0.45})
    arms, classes, networks = (found.table(name) for name in ("arms", "arms_per_class", "networks"))
    assert arms is not None
    assert classes is not None
    assert networks is not None
    assert arms.title == "Arms against real"
    assert arms.caption.startswith("Difference in mean per-class accuracy in percent: arm minus real")
    assert classes.title == "Classes: arms against real"
    assert classes.caption.startswith("Difference in recall in percent: arm minus real")
    assert networks.title == "Networks within an arm"
    assert networks.caption.startswith("Difference in mean per-class accuracy in percent: first network minus second")
    pairs = [(row.first.label, row.second.label) for row in networks.rows]
    assert pairs == [("good/real", "poor/real"), ("good/gan", "poor/gan")]
    assert (found.reference, found.level, found.margin, found.checkpoint) == ("real", 0.95, 1.0, "best")
    assert len(list(found.rows())) == len(found.frame()) >= 12
    assert [table.name for table, _ in found.rows()].count("arms_per_class") == 8


def test_pair_is_found_in_both_directions(study: StudyFiles) -> None:
    found = fill(study, {("good", "real"): 0.7, ("good", "gan"): 0.9, ("poor", "real"): 0.45})
    there, back = ("good", "real"), ("poor", "real")
    forth, reverse = found.pair(there, back), found.pair(back, there)
    assert forth is not None
    assert reverse is not None
    assert forth.difference == -number(reverse.difference)
    assert (reverse.first.network, reverse.second.network) == ("poor", "good")
    arms = found.pair(("good", "gan"), ("good", "real"))
    assert arms is not None
    assert arms.scope == "overall"
    assert found.pair(("good", "gan"), ("poor", "real")) is None
    assert found.pair(("good", "real"), ("nobody", "real")) is None
    mean = found.mean("good", "real")
    assert mean is not None
    assert (mean.network, mean.arm) == ("good", "real")
    assert found.mean("nobody", "real") is None


def test_networks_are_ranked_within_their_arm(study: StudyFiles) -> None:
    found = fill(study, {("good", "real"): 0.95, ("poor", "real"): 0.3, ("good", "gan"): 0.3, ("poor", "gan"): 0.95})
    for arm, best, worst in (("real", "good", "poor"), ("gan", "poor", "good")):
        ranks = found.ranks(arm, ["good", "poor"])
        assert (ranks[best].first, ranks[best].last) == (1, 1)
        assert (ranks[worst].first, ranks[worst].last) == (2, 2)


def test_only_network_has_its_arms_ranked(study: StudyFiles) -> None:
    found = fill(study, {("good", "real"): 0.3, ("good", "gan"): 0.95})
    ranks = found.ranks_of_arms(["real", "gan"])
    assert [(ranks[arm].first, ranks[arm].last) for arm in ("gan", "real")] == [(1, 1), (2, 2)]


def test_arms_of_networks_without_the_reference_are_left_out(study: StudyFiles) -> None:
    found = fill(study, {("good", "real"): 0.7, ("good", "gan"): 0.9, ("other", "gan"): 0.5})
    arms = found.table("arms")
    assert arms is not None
    assert [(row.first.label, row.second.label) for row in arms.rows] == [("good/gan", "good/real")]


def test_single_arm_needs_no_reference(study: StudyFiles) -> None:
    fill(study, {("good", "rotations"): 0.7, ("poor", "rotations"): 0.4})
    found = compare_study(open_results(study.folder))
    assert not [text for text in found.caveats if "no arm" in text]
    assert found.table("arms") is None
    assert found.ranks_of_arms(["rotations"])["rotations"].first == 1


def test_two_seeds_are_too_few_even_for_one_comparison(study: StudyFiles) -> None:
    found = fill(study, {("good", "real"): 0.9, ("poor", "real"): 0.5}, seeds=(1, 2))
    assert not [text for text in found.caveats if text.startswith("One seed")]
    alone = compare_study(open_results(study.folder), predictions=False)
    assert [text for text in alone.caveats if text.startswith("2 seeds and 1 comparisons")]
    assert alone.table("arms_per_class") is None
    (row,) = alone.tables[0].rows
    assert row.method == "seeds alone"


def test_numbers_that_are_not_finite_are_null_in_json(study: StudyFiles) -> None:
    found = fill(study, {("good", "real"): 0.9, ("poor", "real"): 0.5})
    row = found.tables[0].rows[0]
    endless = replace(row, degrees_of_freedom=math.inf, low=-math.inf, p=math.nan)
    written = replace(found, tables=(replace(found.tables[0], rows=(endless,)),)).to_json()
    (table,) = written["tables"]
    assert [table["rows"][0][name] for name in ("degrees_of_freedom", "low", "p")] == [None, None, None]
    assert table["rows"][0]["high"] == row.high
    json.dumps(written, allow_nan=False)


def test_environments_of_a_study_are_counted(study: StudyFiles) -> None:
    for seed, threads in ((1, 2), (2, 2), (3, 4)):
        finish(study, study.cell("good", seed), 0.7, fingerprint={"threads": threads})
    found = compare_study(open_results(study.folder))
    assert [text for text in found.caveats if "2 environments" in text]
    study.finish(study.cells[2], 70)
    assert not [text for text in compare_study(open_results(study.folder)).caveats if "environments" in text]


def test_pair_is_found_whatever_the_order_of_names(study: StudyFiles) -> None:
    found = fill(study, {("zeta", "real"): 0.7, ("alpha", "real"): 0.45})
    for first, second in (("zeta", "alpha"), ("alpha", "zeta")):
        pair = found.pair((first, "real"), (second, "real"))
        assert pair is not None
        assert (pair.first.network, pair.second.network) == (first, second)


@pytest.mark.parametrize("arm", ["augmented", "rotations"])
def test_every_other_arm_is_compared_with_the_reference(study: StudyFiles, arm: str) -> None:
    found = fill(study, {("good", "real"): 0.7, ("good", arm): 0.9})
    table = found.table("arms")
    assert table is not None
    assert [(row.first.label, row.second.label) for row in table.rows] == [(f"good/{arm}", "good/real")]


def test_margin_of_a_fraction_is_a_hundredth(study: StudyFiles) -> None:
    study.plan["primary"] = {"name": "accuracy", "higher_is_better": True}
    fill(study, {("good", "real"): 0.7})
    found = comparison_settings(open_results(study.folder))
    assert found.metric == "accuracy"
    assert found.margin == pytest.approx(0.01)


def test_degrees_of_freedom_of_the_table_count_for_its_correction(study: StudyFiles) -> None:
    """Four rows of two seeds share four degrees of freedom, which two rows alone do not have."""
    found = fill(
        study, {(name, "real"): skill for name, skill in zip("abcd", (0.9, 0.6, 0.5, 0.7), strict=True)}, (1, 2)
    )
    assert not [text for text in found.caveats if text.startswith("2 seeds and")]


def test_three_environments_are_counted(study: StudyFiles) -> None:
    for seed, threads in ((1, 2), (2, 3), (3, 4)):
        finish(study, study.cell("good", seed), 0.7, fingerprint={"threads": threads})
    found = compare_study(open_results(study.folder))
    assert [text for text in found.caveats if "3 environments" in text]
