"""Exports to TensorBoard and MLflow, read back with the libraries of these programs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarker.cli import main
from benchmarker_reports.exports import command as export_command

if TYPE_CHECKING:
    from tests.conftest import StudyFiles


@pytest.fixture
def filled(study: StudyFiles) -> StudyFiles:
    for seed in (8901, 1826):
        folder = study.finish(study.cell("convxpress", seed), 93.0, 91.0)
        (folder / "history.csv").write_text("epoch,loss,validation_loss\n1,0.5,0.75\n2,0.25,0.625\n")
    study.finish(study.cell("../mcr<net>", 8901), 85.0)
    study.fail(study.cell("fr_deep", 8901), "diverged", "the loss is not finite")
    study.cell("fr_deep", 1826)
    return study


def export(study: StudyFiles, program: str, out: Path | str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["export", str(study.folder), "--to", program, "--out", str(out)]) == 0
    return capsys.readouterr().out


def test_tensorboard_reads_its_logs(filled: StudyFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logs = tmp_path / "logs"
    assert "3 run(s) written" in export(filled, "tensorboard", logs, capsys)
    files = {path: path.read_bytes() for path in sorted(logs.rglob("*")) if path.is_file()}
    assert len(files) == 3  # all inside the folder, whatever the names of networks
    (folder,) = logs.glob("study-*/convxpress/real/8901-*")
    events = EventAccumulator(str(folder))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(1, 0.5), (2, 0.25)]
    assert events.Scalars("test_best/accuracy")[0].value == pytest.approx(0.93)
    assert events.Scalars("costs/parameters")[0].value == 4_300_000
    assert events.PluginTagToContent("hparams")

    assert "0 run(s) written" in export(filled, "tensorboard", logs, capsys)
    assert {path: path.read_bytes() for path in sorted(logs.rglob("*")) if path.is_file()} == files


def test_tensorboard_shows_grids_and_losses_of_each_step_of_a_generator(
    study: StudyFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = study.train(study.generator("dcgan", 8901))
    (run / "losses.csv").write_text("epoch,step,d_loss_real,g_loss\n1,1,0.5,2.0\n1,2,0.25,nan\n1,3,damaged,1\n")
    (run / "samples").mkdir()
    for width, name in enumerate(("real", "epoch-0001", "epoch-0002", "fixed-epoch-0002", "step-000300"), start=3):
        Image.new("L", (width, 2)).save(run / "samples" / f"{name}.png")
    (run / "samples" / "epoch-0003.png").write_bytes(b"no picture")
    assert "1 run(s) written" in export(study, "tensorboard", tmp_path, capsys)
    (folder,) = tmp_path.glob("study-*/dcgan/generator/8901-*")
    events = EventAccumulator(str(folder))
    events.Reload()
    shown = {tag: [(each.step, each.width) for each in events.Images(tag)] for tag in events.Tags()["images"]}
    assert shown == {
        "samples/real": [(0, 3)],
        "samples/epoch": [(1, 4), (2, 5)],
        "samples/fixed-epoch": [(2, 6)],
        "samples/step": [(300, 7)],
    }
    assert [(each.step, each.value) for each in events.Scalars("step/d_loss_real")] == [(1, 0.5), (2, 0.25)]
    assert [(each.step, each.value) for each in events.Scalars("step/g_loss")] == [(1, 2.0)]


def test_tensorboard_replaces_a_run_that_was_trained_again(
    filled: StudyFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(filled, "tensorboard", tmp_path, capsys)
    filled.finish(filled.cells[0], 94.0)
    assert "1 run(s) written" in export(filled, "tensorboard", tmp_path, capsys)
    assert len([path for path in tmp_path.glob("study-*/convxpress/real/8901-*/*") if path.is_file()]) == 1


def test_mlflow_reads_its_store(filled: StudyFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from mlflow import MlflowClient

    store = tmp_path / "runs.db"
    assert "3 run(s) written" in export(filled, "mlflow", store, capsys)
    client = MlflowClient(tracking_uri=f"sqlite:///{store}")
    experiment = client.get_experiment_by_name("A study of four classes")
    assert experiment is not None
    assert str(tmp_path) in experiment.artifact_location
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert sorted(runs) == ["../mcr<net>/real/8901", "convxpress/real/1826", "convxpress/real/8901"]
    run = runs["convxpress/real/8901"]
    assert run.info.status == "FINISHED"
    assert run.data.params["model.epochs"] == "16"
    assert run.data.metrics["test_best/mean_per_class_accuracy"] == 93.0
    assert run.data.tags["benchmarker.key"] == filled.cells[0]["key"]
    history = client.get_metric_history(run.info.run_id, "validation_loss")
    assert [(point.step, point.value) for point in history] == [(1, 0.75), (2, 0.625)]

    assert "0 run(s) written" in export(filled, "mlflow", f"sqlite:///{store}", capsys)
    assert len(client.search_runs([experiment.experiment_id])) == 3

    # After one run was trained again and the export of another interrupted, each is there once.
    filled.finish(filled.cells[0], 94.0)
    client.delete_tag(runs["convxpress/real/1826"].info.run_id, "benchmarker.digest")
    assert "2 run(s) written" in export(filled, "mlflow", store, capsys)
    again = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert sorted(again) == sorted(runs)
    assert again["convxpress/real/8901"].data.metrics["test_best/mean_per_class_accuracy"] == 94.0


def copied(study: StudyFiles, place: Path, accuracy: float) -> Path:
    """Return a study with the same title, the same keys and other results."""
    shutil.copytree(study.folder, place)
    type(study)(place).finish(study.cells[0], accuracy)
    return place


def test_tensorboard_keeps_studies_of_one_title_apart(
    filled: StudyFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = copied(filled, tmp_path / "cluster" / "study", 94.0)
    out = ["--to", "tensorboard", "--out", str(tmp_path / "logs")]
    for folder, written in ((filled.folder, 3), (other, 3), (filled.folder, 0), (other, 0)):
        assert main(["export", str(folder), *out]) == 0
        assert f"{written} run(s) written" in capsys.readouterr().out
    assert len(list((tmp_path / "logs").glob("study-*/convxpress/real/8901-*"))) == 2


def test_mlflow_keeps_studies_of_one_title_apart(
    filled: StudyFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mlflow import MlflowClient

    other = copied(filled, tmp_path / "cluster" / "study", 94.0)
    filled.plan["title"] = "An exceedingly long title. " * 30
    filled.write_plan()
    shutil.copy(filled.folder / "plan.json", other)
    (folder := tmp_path / "50%41?b").mkdir()
    store = folder / "r%41ns?.db"
    moved = tmp_path / "moved"
    for place, name, written in ((filled.folder, "a", 3), (other, None, 3), (other, None, 0), (moved, "a", 0)):
        if place == moved:
            filled.folder.rename(moved)
        named = [] if name is None else ["--name", name]
        assert main(["export", str(place), "--to", "mlflow", "--out", str(store), *named]) == 0
        assert f"{written} run(s) written" in capsys.readouterr().out
    assert list(folder.iterdir()) == [store]
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith("50")) == ["50%41?b"]
    plain = tmp_path / "plain.db"
    shutil.copy(store, plain)
    client = MlflowClient(tracking_uri=f"sqlite:///{plain}")
    (experiment,) = [each for each in client.search_experiments() if each.name != "Default"]
    assert len(experiment.name) <= 500
    assert experiment.artifact_location == Path(f"{store}.artifacts").as_uri()
    assert len(client.search_runs([experiment.experiment_id])) == 6


@pytest.mark.parametrize("program", ["tensorboard", "mlflow"])
def test_export_names_the_extra_of_a_missing_library(
    program: str,
    filled: StudyFiles,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(export_command, "find_spec", lambda _name: None)
    assert main(["export", str(filled.folder), "--to", program, "--out", str(tmp_path / "out")]) == 2
    assert f"pip install 'galaxy-benchmarker[{program}]'" in capsys.readouterr().err


def test_export_names_a_store_that_cannot_be_used(
    filled: StudyFiles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs.db").write_text(json.dumps("no database"))
    assert main(["export", str(filled.folder), "--to", "mlflow", "--out", str(tmp_path / "runs.db")]) == 1
    assert "cannot be used" in capsys.readouterr().err
    assert main(["export", str(filled.folder), "--to", "mlflow", "--out", str(tmp_path / "no" / "runs.db")]) == 1
    assert "there is no such folder" in capsys.readouterr().err
