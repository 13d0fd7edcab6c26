"""Published results beside those of a study."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from benchmarker import StudyResults, compare_study, open_results
from benchmarker_reports.published.comparison import PublishedComparison, compare_with_published
from benchmarker_reports.published.table import PublishedResult, published_files, published_results
from tests.conftest import StudyFiles
from tests.statistics.material import SEEDS, finish


def compared(study: StudyFiles) -> list[PublishedComparison]:
    results = open_results(study.folder)
    return list(compare_with_published(results, results.leaderboard("best"), compare_study(results)))


def on_first(study: StudyFiles) -> StudyResults:
    study.plan["dataset"] = {**study.plan["dataset"], "name": "first-radio-galaxies"}
    for seed, mean_per_class_accuracy in ((1, 96.5), (2, 97.5)):
        study.finish(study.cell("first_classifier", seed), mean_per_class_accuracy)
    return open_results(study.folder)


def entry(**changes: Any) -> dict[str, Any]:
    return {"what": "network", "source": "a paper", "protocol": "own split", **changes}


def test_results_are_found_by_dataset_classes_or_targets(study: StudyFiles) -> None:
    study.finish(study.cell("mcrgnet", 1), 90)
    assert published_results(open_results(study.folder)) == ()
    results = on_first(study)
    assert "arXiv:1807.10380" in {published.source for published in published_results(results)}
    study.plan["dataset"] = {**study.plan["dataset"], "name": "fits-manifest"}
    study.write_plan()
    assert published_results(open_results(study.folder)) == ()  # somebody's own images of the same classes


def test_shipped_results_are_valid() -> None:
    found = [published for file in published_files() for published in file.published]
    assert all(published.band or published.finding for published in found)
    assert {file.name for file in published_files()} >= {"first.yaml", "galaxy10.yaml", "inclinations.yaml"}


def test_our_mean_is_compared_with_the_published_band(study: StudyFiles) -> None:
    on_first(study)
    found = compared(study)
    accuracy = next(each for each in found if each.metric == "accuracy" and each.published.value == 0.97)
    assert (accuracy.row, accuracy.n) == ("first_classifier / real", 2)
    assert accuracy.ours == pytest.approx(0.97)
    assert (accuracy.position, accuracy.verdict) == ("inside", "inside, other protocol")
    recall = next(each for each in found if each.metric == "recall_FRII")
    assert recall.verdict == "outside (below), other protocol"
    words = next(each for each in found if each.published.finding)
    assert (words.position, words.metric, words.ours) == ("not compared", "", None)
    assert json.loads(json.dumps([each.to_json() for each in found]))[0]["published"]["source"] == "arXiv:2510.22190"


def test_the_protocol_is_the_same_under_the_same_settings(study: StudyFiles) -> None:
    study.plan["dataset"] = {**study.plan["dataset"], "name": "first-radio-galaxies"}
    study.plan["source"] = {"path": None, "options": {}, "preparation": {"crop": 150, "resize": None}}
    cell = study.cell("convxpress", 1, epochs=30, learning_rate=0.0003)
    cell["spec"] |= {"split": {"published": True}, "training": {"class_weights": "balanced"}}
    study.write_plan()
    study.finish(cell, 76)
    (found,) = [each for each in compared(study) if each.published.same_protocol and each.metric == "accuracy"]
    assert found.verdict == "inside, same protocol"
    cell["spec"]["model"]["epochs"] = 10
    study.write_plan()
    (found,) = [each for each in compared(study) if each.published.same_protocol and each.metric == "accuracy"]
    assert found.verdict == "inside, other protocol"


def test_the_best_ratio_of_generated_images_is_compared(study: StudyFiles) -> None:
    study.plan["dataset"] = {**study.plan["dataset"], "name": "galaxy10-decals"}
    for arm, ratio, skill in (("real", 0, 0.6), ("gan-0.5", 0.5, 0.9), ("gan-2", 2, 0.7)):
        for seed in SEEDS[:2]:
            cell = study.cell("a", seed, arm=arm)
            if ratio:
                cell["spec"]["arm"] = study.generated_arm("dcgan", seed, ratio)
            study.write_plan()
            finish(study, cell, skill)
    (found,) = [each for each in compared(study) if each.label == "best ratio"]
    assert (found.ours, found.position, found.row) == (0.5, "inside", "a / dcgan")


def test_a_proportion_of_known_sources_has_the_band_of_wilson() -> None:
    result = PublishedResult(**entry(metrics=("accuracy",), value=0.765, test_sources=200))
    assert result.band == pytest.approx((0.7016, 0.8184), abs=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({}, "finding"), ({"metrics": ("accuracy",), "value": 0.9}, "band"), ({"finding": "x", "colour": 1}, "colour")],
)
def test_incomplete_entries_are_errors(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PublishedResult(**entry(**changes))


def test_dwarfs_are_compared_with_galaxycgan_and_other_targets_are_not(study: StudyFiles) -> None:
    classes = ["other", "dwarf"]
    task = {"kind": "classification", "classes": classes}
    study.plan["dataset"] = {**study.plan["dataset"], "name": "hsc-galaxies", "task": task}
    study.finish(study.cell("simple_classifier", 1), 60)
    found = published_results(open_results(study.folder))
    assert [each.value for each in found] == [0.5587, None, None]
    study.plan["dataset"] = {**study.plan["dataset"], "name": "hsc-galaxies", "task": task | {"classes": ["a", "b"]}}
    study.write_plan()
    assert published_results(open_results(study.folder)) == ()
