"""Ensembles of a study, from run folders with predictions."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarker import StudyResults, ensemble_gain, ensemble_interval, find_ensembles, open_results
from tests.reports.material import DocumentStudy

SEEDS = (8901, 1826, 4915)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    """Three networks under three seeds, all tested on the same sixty images."""
    study = DocumentStudy(tmp_path_factory.mktemp("ensembles") / "study")
    return open_results(study.add(("convxpress", "mcrgnet", "fr_deep"), SEEDS).folder)


def keep_images(folder: Path, kept: slice) -> None:
    """Test a run on some of its images only."""
    path = folder / "predictions_best.csv"
    header, *rows = csv.reader(io.StringIO(path.read_text(encoding="utf-8")))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows[kept]])
    path.write_text(text.getvalue(), encoding="utf-8")


def test_find_ensembles_combines_seeds_networks_and_both(results: StudyResults) -> None:
    found = {each.row.label: each for each in find_ensembles(results)}
    assert list(found) == [
        f"{prefix}{rule} of {members}"
        for prefix, members in (
            ("convxpress, ", "3 seeds"),
            ("fr_deep, ", "3 seeds"),
            ("mcrgnet, ", "3 seeds"),
            ("", "3 networks"),
            ("", "9 runs"),
        )
        for rule in ("average", "majority")
    ]
    assert [each.row.n for each in found.values()] == [1, 1, 1, 1, 1, 1, 3, 3, 1, 1]
    assert all(each.row.rank is None for each in found.values())


def test_ensemble_of_networks_has_the_average_of_each_seed(results: StudyResults) -> None:
    ensemble = next(each for each in find_ensembles(results) if each.row.label == "average of 3 networks")
    for seed in SEEDS:
        runs = [cell for cell in results.cells if cell.seed == seed]
        tables = [table for cell in runs if (table := results.predictions(cell)) is not None]
        average = np.mean([table.values for table in tables], axis=0)
        right = average.argmax(axis=1) == tables[0].truth
        recalls = [100 * right[tables[0].truth == k].mean() for k in range(4)]
        assert ensemble.row.metrics["mean_per_class_accuracy"].values[seed] == pytest.approx(np.mean(recalls))


def test_ensemble_costs_add_up_over_members(results: StudyResults) -> None:
    ensemble = next(each for each in find_ensembles(results) if each.row.label == "mcrgnet, average of 3 seeds")
    alone = next(row for row in results.leaderboard("best").rows if row.model == "mcrgnet")
    assert ensemble.row.costs["flops"].mean == 3 * alone.costs["flops"].mean
    speed = "inference_images_per_second"
    assert ensemble.row.costs[speed].mean == pytest.approx(alone.costs[speed].mean / 3)


def test_seeds_of_a_program_count_its_time_once(results: StudyResults, tmp_path: Path) -> None:
    """Of the seeds 8901, 1826 and 4915, the first and the last have the same of two places."""
    study = DocumentStudy(tmp_path / "study")
    study.add(("convxpress", "mcrgnet"), SEEDS)
    plan = json.loads((study.folder / "plan.json").read_text())
    for cell in plan["cells"]:
        cell["spec"]["training"]["seeds_at_once"] = 2
    (study.folder / "plan.json").write_text(json.dumps(plan))
    times = [
        next(each for each in find_ensembles(one) if each.row.label == "mcrgnet, average of 3 seeds")
        .row.costs["training_seconds"]
        .mean
        for one in (results, open_results(study.folder))
    ]
    assert times[1] == pytest.approx(2 / 3 * times[0])


def test_every_ensemble_has_an_interval_and_one_over_seeds_a_gain(results: StudyResults) -> None:
    metric = "mean_per_class_accuracy"
    for each in find_ensembles(results):
        interval = ensemble_interval(each, results.task, metric)
        gain = ensemble_gain(each, results.task, metric)
        assert interval is not None
        assert interval.low < interval.value < interval.high <= 100
        assert interval.value == pytest.approx(each.row.metrics[metric].mean)
        if each.row.n == 3:
            assert gain is None
            continue
        assert gain is not None
        members = [m.cell.evaluations["best"][metric] for m in next(iter(each.members.values()))]
        assert gain.value == pytest.approx(interval.value - np.mean(members))
        assert gain.high - gain.low < interval.high - interval.low


def test_majority_has_no_loss(results: StudyResults) -> None:
    for each in find_ensembles(results):
        assert ("loss" in each.row.metrics) == (each.row.ensemble is not None and each.row.ensemble.rule == "average")


def test_seeds_with_other_test_images_make_no_ensemble(tmp_path: Path) -> None:
    study = DocumentStudy(tmp_path / "study").add(("convxpress", "mcrgnet"), (1, 2))
    for cell in study.plan["cells"]:
        if cell["seed"] == 2:
            keep_images(study.folder / "runs" / cell["key"][:16], slice(0, 40))
    found = [each.row for each in find_ensembles(open_results(study.folder))]
    assert [(row.label, row.n) for row in found] == [("average of 2 networks", 2)]


def test_ensemble_with_missing_members_names_k_of_n(tmp_path: Path) -> None:
    study = DocumentStudy(tmp_path / "study").add(("convxpress", "mcrgnet", "fr_deep"), (1, 2))
    study.pending("convxpress", 3)
    study.pending("toothless", 1)
    rows = {each.row.label: each.row for each in find_ensembles(open_results(study.folder))}
    assert "convxpress, average of 2 of 3 seeds" in rows
    networks = rows["average of 3 of 4 networks"]
    assert (networks.n, networks.planned) == (2, 3)


def test_two_members_are_only_averaged(tmp_path: Path) -> None:
    study = DocumentStudy(tmp_path / "study").add(("convxpress",), (1, 2))
    assert [each.row.label for each in find_ensembles(open_results(study.folder))] == ["convxpress, average of 2 seeds"]


def test_damaged_predictions_leave_a_run_out_of_ensembles(tmp_path: Path) -> None:
    study = DocumentStudy(tmp_path / "study").add(("convxpress",), (1, 2, 3))
    run = study.folder / "runs" / study.plan["cells"][0]["key"][:16]
    (run / "predictions_best.csv").write_text("nonsense\n1\n", encoding="utf-8")
    assert [each.row.label for each in find_ensembles(open_results(study.folder))] == [
        "convxpress, average of 2 of 3 seeds"
    ]
