"""Studies are read from their folders, however damaged the runs are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarker.errors import StorageError
from benchmarker.results.study import CellRecord, read_study
from benchmarker.study.runs import FailedManifest, FinishedManifest

if TYPE_CHECKING:
    from tests.conftest import StudyFiles


def only(study: StudyFiles) -> CellRecord:
    (cell,) = read_study(study.folder).cells
    return cell


def test_every_status_is_recognised(study: StudyFiles) -> None:
    study.finish(study.cell("convxpress", 1), 90)
    study.fail(study.cell("convxpress", 2), "diverged", "the loss is\nnot finite")
    study.cell("convxpress", 3)
    cells = read_study(study.folder).cells
    assert [cell.status for cell in cells] == ["ok", "failed", "pending"]
    assert (cells[1].kind, cells[1].message) == ("diverged", "the loss is not finite")
    assert cells[0].evaluations["best"]["mean_per_class_accuracy"] == 90
    assert cells[2].folder is None


def test_metrics_and_costs_have_flat_names(study: StudyFiles) -> None:
    study.finish(study.cell("convxpress", 1), 90, 80)
    cell = only(study)
    assert cell.evaluations["final"]["loss"] == pytest.approx(0.2)
    assert cell.evaluations["best"]["validation_loss"] == pytest.approx(0.1)
    assert cell.evaluations["best"]["ratio_loss"] == 1  # training over validation, whatever an old file says
    assert cell.evaluations["best"]["recall_FRII"] == 0.8
    assert cell.evaluations["best"]["epoch"] == 5
    assert cell.cost_values["parameters"] == 4_300_000
    assert cell.cost_values["convolutional_parameters"] == 1_300_000
    assert cell.cost_values["inference_images_per_second"] == 1234.5


def test_a_finished_run_wins_over_an_earlier_failure(study: StudyFiles) -> None:
    cell = study.cell("convxpress", 1)
    study.fail(cell, "crashed", "out of memory")
    study.finish(cell, 90)
    assert only(study).status == "ok"


def test_one_checkpoint_is_enough(study: StudyFiles) -> None:
    folder = study.finish(study.cell("convxpress", 1), 90)
    metrics = json.loads((folder / "metrics.json").read_text())
    del metrics["best"]
    (folder / "metrics.json").write_text(json.dumps(metrics))
    assert list(only(study).evaluations) == ["final"]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("metrics.json", '{"best": {"te', "metrics.json: Invalid JSON"),
        ("metrics.json", b"\xff\xfe\x00", "metrics.json: Invalid JSON"),
        ("metrics.json", "[]", "metrics.json: "),
        ("metrics.json", "{}", "metrics.json: primary"),
        ("metrics.json", {"best": {"test": 3}}, "metrics.json: best.train"),
        ("metrics.json", {"best": None, "final": None}, "metrics.json: holds neither"),
        ("metrics.json", None, "metrics.json: is missing"),
        ("costs.json", "", "costs.json: Invalid JSON"),
        ("costs.json", {"flops": "many"}, "costs.json: flops"),
        ("manifest.json", None, "manifest.json: is missing"),
        ("manifest.json", {"status": "running"}, "manifest.json: "),
        ("manifest.json", {"key": "another"}, "manifest.json: belongs to another cell"),
    ],
)
def test_a_damaged_run_is_unreadable_and_hides_no_other(
    study: StudyFiles, name: str, content: str | bytes | dict[str, Any] | None, complaint: str
) -> None:
    damaged = study.finish(study.cell("convxpress", 1), 90) / name
    study.finish(study.cell("convxpress", 2), 91)
    match content:
        case None:
            damaged.unlink()
        case dict():
            damaged.write_text(json.dumps(json.loads(damaged.read_text()) | content))
        case _:
            damaged.write_bytes(content if isinstance(content, bytes) else content.encode())
    first, second = read_study(study.folder).cells
    assert (first.status, first.kind) == ("unreadable", "unreadable")
    assert complaint in first.message
    assert damaged.parent.name in first.message
    assert second.status == "ok"


def test_numbers_that_are_not_finite_are_left_out(study: StudyFiles) -> None:
    folder = study.finish(study.cell("convxpress", 1), 90)
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["best"]["test"]["loss"] = float("nan")
    (folder / "metrics.json").write_text(json.dumps(metrics))
    assert "loss" not in only(study).evaluations["best"]


def test_costs_that_were_not_measured_are_left_out(study: StudyFiles) -> None:
    folder = study.finish(study.cell("convxpress", 1), 90)
    costs = json.loads((folder / "costs.json").read_text())
    del costs["training_seconds"], costs["training_images_per_second"]
    (folder / "costs.json").write_text(json.dumps(costs | {"flops": None}))
    assert not {"flops", "training_seconds", "training_images_per_second"} & set(only(study).cost_values)


def test_files_are_typed_and_read_on_demand(study: StudyFiles) -> None:
    study.finish(study.cell("convxpress", 1), 90)
    study.fail(study.cell("convxpress", 2), "diverged", "the loss is not finite")
    finished, failed = read_study(study.folder).cells
    assert isinstance(finished.manifest, FinishedManifest)
    assert finished.metrics is not None
    assert finished.metrics.checkpoints["best"].epoch == 5
    assert finished.costs is not None
    assert finished.costs.parameters.dense == 3_000_000
    assert isinstance(failed.manifest, FailedManifest)
    assert (failed.metrics, failed.costs) == (None, None)


def test_files_that_changed_since_the_study_was_read_are_named(study: StudyFiles) -> None:
    folder = study.finish(study.cell("convxpress", 1), 90)
    cell = only(study)
    (folder / "metrics.json").write_text("[]")
    with pytest.raises(StorageError, match=r"changed while it was read: metrics\.json"):
        _ = cell.metrics


def test_runs_outside_the_plan_are_noted(study: StudyFiles) -> None:
    study.cell("convxpress", 1)
    (study.folder / "runs" / ("a" * 16)).mkdir(parents=True)
    (study.folder / "runs" / f".{'b' * 16}.partial").mkdir()
    (note,) = read_study(study.folder).notes
    assert "1 run(s)" in note
    assert "a" * 16 in note


def test_a_folder_without_a_plan_names_studies_nearby(study: StudyFiles) -> None:
    study.cell("convxpress", 1)
    study.folder = study.folder.parent / "folder" / "study"
    study.cell("convxpress", 1)
    for number in range(6):  # farther away, and before it in the alphabet
        (study.folder.parent.parent / f"a{number}").mkdir()
        (study.folder.parent.parent / f"a{number}" / "plan.json").touch()
    with pytest.raises(StorageError, match=r"holds no plan\.json.*folder/study"):
        read_study(study.folder.parent)
    with pytest.raises(StorageError, match="there is no such folder"):
        read_study(study.folder.parent / "elsewhere")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"format": 2}, "format 1 was expected"),
        ({"cells": {}}, "cells"),
        ({"cells": [{"key": "a", "model": "b"}]}, r"cells\.0\.configuration"),
    ],
)
def test_a_damaged_plan_is_refused(study: StudyFiles, change: dict[str, Any], complaint: str) -> None:
    study.folder.mkdir()
    plan = {**study.plan, "cells": [], **change}
    (study.folder / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(StorageError, match=complaint):
        read_study(study.folder)


def test_a_truncated_plan_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text('{"format": 1, "cel')
    with pytest.raises(StorageError, match=r"plan\.json: is not a plan of this program"):
        read_study(tmp_path)
