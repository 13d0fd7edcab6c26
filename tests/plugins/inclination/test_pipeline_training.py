"""Training, evaluation and the whole inclination pipeline on tiny images, in real processes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from benchmarker import Stream
from benchmarker.cli.entry import main
from benchmarker.discovery import installed
from benchmarker.testing import check_architecture
from benchmarker_inclination.evaluation import read_table, scores, write_table
from benchmarker_inclination.members import Member, Schedule, TrainingJob, read_history, write_history
from benchmarker_inclination.training import TASK, build, decode, encode, file_order


def test_networks_have_the_published_numbers_of_parameters() -> None:
    from benchmarker_inclination import networks

    found = [getattr(networks, name)((128, 128, 3), TASK, 1).count_params() for name in ("model4", "model5", "model6")]
    assert found == [1_631_169, 2_522_705, 1_680_369]


def test_smallest_network_conforms() -> None:
    found = installed().architecture("inclinet_model4")
    check_architecture(found)


def test_targets_run_from_minus_one_at_45_to_one_at_90_degrees() -> None:
    np.testing.assert_allclose(encode(np.array([45, 67.5, 90])), [-1, 0, 1])
    np.testing.assert_allclose(decode(np.array([-1, 0, 1, 1.2])), [45, 67.5, 90, 90])


def test_files_are_taken_in_the_order_of_the_original(shared_data: Path) -> None:
    folder = shared_data / "inclination" / "original" / "models"
    for number in range(4):
        stem = f"Uset_{number:03d}_model4"
        history = json.loads((folder / f"{stem}_ckpt" / f"{stem}_evalDict.json").read_text())
        assert file_order(number, 5, 1) == [row["batchNo"] for row in history.values()]


def test_published_table_is_reproduced(shared_data: Path) -> None:
    table = read_table(shared_data / "inclination" / "original" / "model_evaluation.csv")
    single = [scores(table.measured, values) for values in table.members.values()]
    assert len(table.pgc) == 3314
    assert (round(min(s.rms for s in single), 2), round(max(s.rms for s in single), 2)) == (3.34, 3.90)
    median = scores(table.measured, table.ensemble("median"))
    assert (round(median.rms, 3), round(median.mae, 3), median.outliers) == (3.088, 2.117, 38)
    assert (round(median.mean, 2), round(median.slope, 3), round(median.intercept, 2)) == (0.43, 0.027, -1.59)
    assert round(median.adjusted_rms, 2) == 3.12


def test_table_survives_writing_and_reading(shared_data: Path, tmp_path: Path) -> None:
    table = read_table(shared_data / "inclination" / "original" / "model_evaluation.csv")
    write_table(table, tmp_path / "table.csv")
    again = read_table(tmp_path / "table.csv")
    assert again.letters == table.letters
    np.testing.assert_array_equal(again.members["model6_3"], table.members["model6_3"])


@pytest.fixture(scope="module")
def pipeline(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a whole pipeline with one network, one sub-sample and two batch files."""
    folder = tmp_path_factory.mktemp("pipeline")
    spirals = shared_data / "inclination"
    arguments = ["-p", spirals / "galaxies", "-c", spirals / "catalog.csv", "-s", 24, "-o", folder]
    arguments += ["-n", 0, "-b", 2, "-z", 1, "-N", 2]
    assert main(["inclination", "pipeline", *map(str, arguments), "--model", "model4"]) == 0
    return folder


def test_pipeline_ends_with_scores_of_members_and_ensembles(pipeline: Path) -> None:
    found = json.loads((pipeline / "evaluation" / "scores.json").read_text())
    assert set(found["scores"]) >= {"model4_0", "median of model4", "median of all", "mean of all"}
    assert read_table(pipeline / "evaluation" / "model_evaluation.csv").letters.count("c") == 1


def test_augmented_sets_are_drawn_once(pipeline: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = pipeline / "augmented"
    assert sorted(path.name for path in folder.glob("*.png")) == ["Uset_000_examples.png", "Uset_000_labels.png"]
    for path in folder.glob("*.png"):
        with Image.open(path) as picture:
            assert np.asarray(picture.convert("L")).std() > 10
    arguments = ["-i", pipeline / "samples", "-s", 24, "-o", folder, "-n", 0, "-b", 1, "-z", 1, "-v"]
    assert main(["inclination", "augment", *map(str, arguments)]) == 0
    assert "png" not in capsys.readouterr().out


def test_metrics_have_the_keys_of_the_original(pipeline: Path, shared_data: Path) -> None:
    name = "Uset_000_model4_evalDict.json"
    theirs = json.loads((shared_data / "inclination/original/models/Uset_000_model4_ckpt" / name).read_text())
    mine = json.loads((pipeline / "models/Uset_000_model4_ckpt" / name).read_text())
    assert list(mine) == ["0", "1", "2", "3"]
    assert list(mine["0"]) == list(theirs["0"])
    assert (pipeline / "models/Uset_000_model4_ckpt/Uset_000_model4_evalFig.jpg").stat().st_size > 1000


@pytest.mark.long
def test_training_that_is_continued_has_the_bits_of_one_that_never_stopped(pipeline: Path, tmp_path: Path) -> None:
    common = ["-a", pipeline / "augmented", "-i", pipeline / "samples", "-s", 24, "-o", tmp_path]
    train = ["inclination", "train", *map(str, common), "-n", "0", "-z", "1", "-b", "2"]
    whole, folder = pipeline / "models" / "Uset_000_model4_ckpt", tmp_path / "Uset_000_model4_ckpt"
    assert main([*train, "-N", "1"]) == 0
    assert len(json.loads((folder / "Uset_000_model4_evalDict.json").read_text())) == 2
    assert main([*train, "-N", "2"]) == 0
    for name in ("Uset_000_model4_evalDict.json", "state.npz"):
        assert (folder / name).read_bytes() == (whole / name).read_bytes()


def test_missing_batch_file_is_named(pipeline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["-a", tmp_path, "-i", pipeline / "samples", "-s", 24, "-o", tmp_path / "models", "-n", 0, "-b", 1]
    assert main(["inclination", "train", *map(str, arguments)]) != 0
    assert "24x24_train_aug_01.npz" in capsys.readouterr().err


def test_jobs_and_histories_pass_between_processes_as_typed_json(shared_data: Path) -> None:
    schedule = Schedule(size=8, n_batches=2, rounds=1, batch_size=4, seed=0)
    folders = {name: Path("/somewhere") / name for name in ("batches", "samples", "folder")}
    job = TrainingJob(member=Member(model="model4", number=1), schedule=schedule, order=(1, 0), **folders)
    sent = json.loads(json.dumps(job.to_json()))
    assert TrainingJob.model_validate(sent) == job
    for wrong in ({"member": {"model": "model7", "number": 0}}, {"rounds": 2}, {"schedule": {"size": 8}}):
        with pytest.raises(ValidationError):
            TrainingJob.model_validate(sent | wrong)
    theirs = json.loads(
        (shared_data / "inclination/original/models/Uset_000_model4_ckpt/Uset_000_model4_evalDict.json").read_text()
    )
    history = read_history(theirs)
    assert write_history(history) == theirs
    assert history[0].batch_file == theirs["0"]["batchFile"]
    with pytest.raises(ValidationError):
        read_history({"0": {"loss": 1.0}})


@pytest.mark.long
@pytest.mark.parametrize(("name", "parameters"), [("model4", 1_631_169), ("model5", 2_522_705), ("model6", 1_680_369)])
def test_every_network_takes_a_step_at_its_published_width(name: str, parameters: int) -> None:
    schedule = Schedule(size=128, n_batches=1, rounds=1, batch_size=2, seed=8901)
    model = build(Member(model=name, number=0), schedule)
    assert model.count_params() == parameters
    before = [np.array(variable) for variable in model.trainable_variables]
    images = Stream("test", number=1).generator().random((2, 128, 128, 3), dtype=np.float32)
    loss, *_ = model.train_on_batch(images, encode(np.array([50.0, 80.0]))[:, None])
    assert np.isfinite(loss)
    assert not any(
        np.array_equal(old, np.array(new)) for old, new in zip(before, model.trainable_variables, strict=True)
    )
