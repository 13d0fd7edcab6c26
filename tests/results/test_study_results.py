"""Reports read a study with its predictions, environments and pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarker import StorageError, open_results
from benchmarker.results.study_results import find_prepared

if TYPE_CHECKING:
    from tests.conftest import StudyFiles

HEADER = "source_id,image,true,predicted,p_COMP,p_FRI,p_FRII,p_BENT\n"


def predictions(folder: Path, *rows: str, name: str = "predictions_best.csv") -> None:
    (folder / name).write_text(HEADER + "".join(f"{row}\n" for row in rows))


def test_predictions_and_history_are_read(study: StudyFiles) -> None:
    folder = study.finish(study.cell("convxpress", 1), 90)
    predictions(folder, "a,3,FRI,FRI,0.1,0.6,0.2,0.1", '"b,c",7,COMP,FRII,0.2,0.1,0.6,0.1')
    (folder / "history.csv").write_text("epoch,loss,validation_loss\n1,0.5,0.75\n2,0.25,\n")
    results = open_results(study.folder)
    (cell,) = results.cells
    found = results.predictions(cell)
    assert found is not None
    assert found.source_ids == ("a", "b,c")
    assert found.images.tolist() == [3, 7]
    assert found.truth.tolist() == [1, 0]
    assert found.predicted.tolist() == [1, 2]
    assert found.correct.tolist() == [True, False]
    assert found.values[1].tolist() == [0.2, 0.1, 0.6, 0.1]
    history = results.history(cell)
    assert history is not None
    assert history.epochs.tolist() == [1, 2]
    assert history.columns["loss"].tolist() == [0.5, 0.25]
    assert np.isnan(history.columns["validation_loss"][1])
    assert results.predictions(cell, "final") is None


def test_predictions_of_a_regression_are_read(study: StudyFiles) -> None:
    target = {"name": "inclination", "unit": "deg", "minimum": 45, "maximum": 90}
    study.plan["dataset"]["task"] = {"kind": "regression", "targets": [target]}
    folder = study.finish(study.cell("inclinet", 1), 90)
    (folder / "predictions_best.csv").write_text(
        "source_id,image,true_inclination,predicted_inclination\na,0,60.0,62.5\n"
    )
    results = open_results(study.folder)
    found = results.predictions(results.cells[0])
    assert found is not None
    assert (found.truth.tolist(), found.predicted.tolist()) == ([[60.0]], [[62.5]])
    assert results.classes == ()
    with pytest.raises(ValueError, match="of a regression"):
        _ = found.correct


@pytest.mark.parametrize(
    ("row", "complaint"),
    [("a,0,NONE,FRI,1,0,0,0", "NONE"), ("a,0,FRI,FRI,1,0,zero,0", "'zero'"), ("a,0,FRI", "of cells")],
)
def test_damaged_predictions_are_named(study: StudyFiles, row: str, complaint: str) -> None:
    folder = study.finish(study.cell("convxpress", 1), 90)
    predictions(folder, row)
    results = open_results(study.folder)
    with pytest.raises(StorageError, match=f"predictions_best.csv.*{complaint}"):
        results.predictions(results.cells[0])


def test_confusion_matrices_add_up(study: StudyFiles) -> None:
    for seed in (1, 2):
        study.finish(study.cell("convxpress", seed), 90)
    study.cell("convxpress", 3)
    results = open_results(study.folder)
    matrix = results.confusion(results.cells)
    assert matrix is not None
    assert matrix.tolist() == [[64, 8, 4, 4], [6, 66, 4, 4], [2, 10, 68, 0], [0, 2, 2, 76]]
    assert results.confusion(results.cells[2:]) is None


def test_commands_reproduce_the_study(study: StudyFiles) -> None:
    study.plan["source"] = {"path": "../data with blanks", "options": {}, "preparation": {}}
    fingerprint = {"benchmarker": "0.1.0", "packages": {"keras": "3.15.1"}}
    for seed in (8901, 1826):
        study.finish(study.cell("convxpress", seed), 90, fingerprint=fingerprint)
    (study.folder / "registry.yaml").write_text("title: mine\n")
    results = open_results(study.folder)
    assert results.registry_text == "title: mine\n"
    assert results.commands[0].startswith("# galaxy-benchmarker 0.1.0: ")
    assert results.commands[1] == "python -m pip install keras==3.15.1"
    assert results.commands[2] == (
        "KERAS_BACKEND=tensorflow benchmarker run registry.yaml -s 8901,1826 -d '../data with blanks' -p again"
    )
    (environment,) = results.environments
    assert environment.cells == ("convxpress/real/8901", "convxpress/real/1826")


def test_environments_are_distinguished(study: StudyFiles) -> None:
    for seed, version in ((1, "3.15.1"), (2, "3.15.1"), (3, "3.15.0")):
        study.finish(study.cell("convxpress", seed), 90, fingerprint={"packages": {"keras": version}})
    found = open_results(study.folder).environments
    assert [(one.label, len(one.cells)) for one in found] == [("keras 3.15.1", 2), ("keras 3.15.0", 1)]


def test_generators_have_the_environment_of_cells_that_share_programs(study: StudyFiles) -> None:
    study.train(study.generator("dcgan", 1))
    study.finish(study.cell("convxpress", 1), 90, fingerprint={"seeds_at_once": 8})
    (environment,) = open_results(study.folder).environments
    assert (environment.label, environment.fingerprint.seeds_at_once) == ("", 8)
    assert environment.cells == ("convxpress/real/1", "dcgan/generator/1")
    study.finish(study.cell("convxpress", 2), 90)
    found = open_results(study.folder).environments
    assert {one.label: len(one.cells) for one in found} == {"8 seeds in one program": 2, "1 seed in one program": 1}


def test_images_come_from_the_cache(study: StudyFiles, isolated_cache: Path) -> None:
    images = np.arange(2 * 64 * 64, dtype="<f4").reshape(2, 64, 64, 1)
    folder = isolated_cache / "prepared" / "some"
    study.finish(study.cell("convxpress", 1), 90)
    results = open_results(study.folder)
    assert results.images([0]) is None
    folder.mkdir(parents=True)
    images.tofile(folder / "images.f32")
    np.save(folder / "targets.npy", np.array([0, 1]))
    described = {
        "digest": "1" * 64,
        "task": study.plan["dataset"]["task"],
        "shape": [64, 64, 1],
        "source_ids": ["a", "b"],
        "parts": [None, None],
        "attributes": {},
        "skipped": [],
    }
    (folder / "prepared.json").write_text(json.dumps(described))
    found = results.images([1, 0])
    assert found is not None
    np.testing.assert_array_equal(found, images[::-1])
    assert results.images([2]) is None
    assert find_prepared("2" * 64) is None
    (folder / "targets.npy").write_bytes(b"damaged")
    assert results.images([0]) is None


def test_generators_have_grids_losses_and_quality(study: StudyFiles) -> None:
    folder = study.train(study.generator("dcgan", 1), quality={"n_samples": 5, "rows": []})
    (folder / "samples").mkdir()
    for epoch in (10, 2):
        (folder / "samples" / f"epoch_{epoch}.png").write_bytes(b"")
    study.cell("convxpress", 1)
    results = open_results(study.folder)
    (generator,) = results.generators
    assert generator.status == "ok"
    assert [path.name for path in results.sample_grids(generator)] == ["epoch_2.png", "epoch_10.png"]
    assert results.quality(generator)["n_samples"] == 5
    losses = results.losses(generator)
    assert losses is not None
    assert losses.columns["loss"].tolist() == [0.5]
    assert [cell.model for cell in results.cells] == ["convxpress"]
