"""Reading a study's folder, however damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarker.errors import StorageError
from benchmarker.results.metrics import flatten_costs
from benchmarker.results.study import CellRecord, read_study

if TYPE_CHECKING:
    from tests.conftest import StudyFiles


def only(study: StudyFiles) -> CellRecord:
    (cell,) = read_study(study.folder).cells
    return cell


def test_status_of_every_kind(study: StudyFiles) -> None:
    study.finish(study.cell("convxpress", 1), 90)
    study.fail(study.cell("convxpress", 2), "diverged", "the loss is\nnot finite")
    study.cell("convxpress", 3)
    cells = read_study(study.folder).cells
    assert [cell.status for cell in cells] == ["ok", "failed", "pending"]
    assert (cells[1].kind, cells[1].message) == ("diverged", "the loss is not finite")
    assert cells[0].evaluations["best"]["mean_per_class_accuracy"] == 90
    assert cells[2].folder is None


def test_flat_names_of_metrics_and_costs(study: StudyFiles) -> None:
    study.finish(study.cell("convxpress", 1), 90, 80)
    cell = only(study)
    assert cell.evaluations["final"]["loss"] == pytest.approx(0.2)
    assert cell.evaluations["best"]["validation_loss"] == pytest.approx(0.1)
    assert cell.evaluations["best"]["ratio_loss"] == 1.25
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


def test_a_test_of_one_checkpoint_is_enough(study: StudyFiles) -> None:
    folder = study.finish(study.cell("convxpress", 1), 90)
    metrics = json.loads((folder / "metrics.json").read_text())
    del metrics["best"]
    (folder / "metrics.json").write_text(json.dumps(metrics))
    assert list(only(study).evaluations) == ["final"]


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("metrics.json", '{"best": {"te', "metrics.json is not JSON"),
        ("metrics.json", b"\xff\xfe\x00", "metrics.json is not JSON"),
        ("metrics.json", "[]", "an object was expected"),
        ("metrics.json", "{}", "neither a best nor a final checkpoint"),
        ("metrics.json", '{"best": {"test": 3}}', "no test metrics of the best checkpoint"),
        ("metrics.json", None, "metrics.json is missing"),
        ("costs.json", "", "costs.json is not JSON"),
        ("manifest.json", None, "manifest.json is missing"),
        ("manifest.json", '{"status": "running"}', "status 'ok' was expected"),
        ("manifest.json", '{"key": "another"}', "belongs to another cell"),
    ],
)
def test_a_damaged_run_is_unreadable_and_hides_no_other(
    study: StudyFiles, name: str, content: str | bytes | None, complaint: str
) -> None:
    damaged = study.finish(study.cell("convxpress", 1), 90) / name
    study.finish(study.cell("convxpress", 2), 91)
    if content is None:
        damaged.unlink()
    else:
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
    assert flatten_costs({"flops": None, "parameters": 3, "training_seconds": True}) == {}


def test_runs_outside_the_plan_are_noted(study: StudyFiles) -> None:
    study.cell("convxpress", 1)
    (study.folder / "runs" / ("a" * 16)).mkdir(parents=True)
    (study.folder / "runs" / f".{'b' * 16}.partial").mkdir()
    (note,) = read_study(study.folder).notes
    assert "1 run(s)" in note
    assert "a" * 16 in note


def test_no_plan_names_studies_nearby(study: StudyFiles) -> None:
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
        ({"cells": {}}, "a list of cells was expected"),
        ({"cells": [{"key": "a", "model": "b"}]}, "cell 1 is incomplete"),
    ],
)
def test_a_plan_that_cannot_be_followed(study: StudyFiles, change: dict[str, Any], complaint: str) -> None:
    study.folder.mkdir()
    plan = {**study.plan, "cells": [], **change}
    (study.folder / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(StorageError, match=complaint):
        read_study(study.folder)


def test_half_a_plan(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text('{"format": 1, "cel')
    with pytest.raises(StorageError, match=r"not JSON.*Restore the plan"):
        read_study(tmp_path)
