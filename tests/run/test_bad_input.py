"""Bad input on the real command line: one message, an exit code, and an unchanged study.

Ctrl-C in the second epoch and a disk that fills while training are in ``test_study.py``.
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import shutil
import signal
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from benchmarker.cli import main
from benchmarker.study.specs import DatasetSpec
from tests.registries import model
from tests.study.material import cell_spec

if TYPE_CHECKING:
    from tests.conftest import StudyFiles

MODEL = model()
Refused = Callable[..., str]
Registry = Callable[..., Path]


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder, without the lock that a run holds."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def results(study: StudyFiles) -> Path:
    """A study of the dataset of `registry`, with two finished runs and a failed one."""
    for seed in (1, 2):
        study.finish(study.cell("convxpress", seed), 90 + seed)
    study.fail(study.cell("convxpress", 3), "crashed", "by accident")
    study.plan["dataset"]["name"] = "fits-manifest"
    for cell in study.cells:
        cell["configuration"] = "2" * 64
        cell["spec"] = cell_spec(
            dataset=DatasetSpec(name="fits-manifest", digest="1" * 64), seed=cell["seed"]
        ).to_json()
    study.write_plan()
    return study.folder


@pytest.fixture
def refused(results: Path, capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run a registry into the study, expect one message, and return it."""

    def run(registry: Path, *options: str | Path, code: int = 2) -> str:
        before = bytes_of(results)
        assert main(["run", str(registry), "-p", str(results), *map(str, options)]) == code
        told = capsys.readouterr()
        assert bytes_of(results) == before
        assert "Traceback" not in told.out + told.err
        assert "internal error" not in told.err
        assert told.err.count("error:") == 1
        return told.err

    return run


def test_good_registry_reaches_the_study(
    registry: Registry, results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # What the other tests compare would stay equal too if nothing ever wrote into the folder.
    before = bytes_of(results)

    def launched(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmarker.run.runner.launch", launched)
    assert main(["run", str(registry()), "-p", str(results)]) == 130
    assert bytes_of(results) != before
    assert "run the same command again" in capsys.readouterr().err
    after = bytes_of(results)
    assert {name: after[name] for name in before if name.startswith("runs/")} == {
        name: content for name, content in before.items() if name.startswith("runs/")
    }


def test_misspelt_key_is_refused(refused: Refused, registry: Registry) -> None:
    said = refused(registry(models=[{"architecture": "mcrgnet", "learning_rat": 0.001, "epochs": 2}]))
    assert "tiny.yaml:5:" in said
    assert "unknown key 'learning_rat'; did you mean 'learning_rate'?" in said


def test_unknown_network_is_refused(refused: Refused, registry: Registry) -> None:
    said = refused(registry(models=[{**MODEL, "architecture": "mcrgnett"}]))
    assert "tiny.yaml:5:" in said
    assert "no architecture is called 'mcrgnett': did you mean 'mcrgnet'?" in said


def test_problems_of_a_registry_are_reported_together(refused: Refused, registry: Registry) -> None:
    said = refused(registry(models=[{**MODEL, "epochs": 0}, {**MODEL, "learning_rate": -1}], seed=[1]))
    assert "'epochs' should be greater than 0. Received: 0" in said
    assert "'learning_rate' should be greater than 0. Received: -1" in said
    assert "unknown key 'seed'; did you mean 'seeds'?" in said


def test_missing_folder_is_refused(refused: Refused, registry: Registry, tmp_path: Path) -> None:
    entry = {"name": "fits-manifest", "path": "no/such/folder"}
    said = refused(registry(dataset=entry))
    assert "tiny.yaml:1:" in said
    assert f"no such file or folder: {tmp_path}/no/such/folder" in said
    assert "-d/--data: no such file or folder: nowhere" in refused(registry(), "-d", "nowhere")


def test_missing_registry_is_refused(refused: Refused) -> None:
    assert "no such registry; did you mean 'quickstart'?" in refused(Path("quickstrat.yaml"))


def test_missing_manifest_is_refused(refused: Refused, registry: Registry, fits_folder: Path) -> None:
    said = refused(registry(), "-f", "other.csv")
    assert f"there is no manifest {fits_folder}/other.csv: correct `-f`" in said


def test_problems_of_options_are_reported_together(refused: Refused, registry: Registry) -> None:
    models = [
        {"architecture": "convxpres", "learning_rat": 0.001, "epochs": 0},
        {"architecture": "mcrgnet", "learning_rate": 0.001, "epochs": 1, "options": {"dropuot": 0.1}},
    ]
    said = refused(registry(models=models, arms=["rotation"]))
    for words in ("'learning_rat'", "'epochs'", "'convxpress'", "'dropuot'", "'rotations'"):
        assert words in said


def test_manifest_row_without_a_file_is_skipped(
    registry: Registry,
    fits_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    images = tmp_path / "images"
    shutil.copytree(fits_folder, images)
    with (images / "manifest.csv").open("a") as stream:
        stream.write("lost,3\n")

    def launched(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("benchmarker.run.runner.launch", launched)
    main(["run", str(registry()), "-d", str(images), "-p", str(tmp_path / "new")])
    out = capsys.readouterr().out
    # One row is no reason to stop: it is named, and the plan keeps it.
    assert "skipped 1 image:\n  lost: in the manifest (type 3), but there is no file FRII/lost.fits" in out
    assert json.loads((tmp_path / "new" / "plan.json").read_text())["dataset"]["skipped"][0]["name"] == "lost"


@pytest.mark.parametrize(
    ("options", "changes"),
    [
        (["-t", "10", "-v", "2"], {}),
        ([], {"models": [{**MODEL, "architecture": "alexnet"}]}),
        (["-d", "nowhere"], {}),
        ([], {"models": [{**MODEL, "name": "銀" * 90}]}),
    ],
)
def test_refused_registry_leaves_no_folder(
    options: list[str], changes: dict[str, Any], registry: Registry, tmp_path: Path
) -> None:
    results = tmp_path / "new" / "study"
    assert main(["run", str(registry(**changes)), "-p", str(results), *options]) in {1, 2}
    assert not results.parent.exists()


@pytest.mark.parametrize("part", ["models", "arms"])
def test_names_that_cannot_become_file_names_are_refused(
    part: str, registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = {"models": MODEL, "arms": {}}[part]
    path = registry(**{part: [{**entry, "name": "銀" * 90}]})
    assert main(["validate", str(path)]) == 2
    assert "'name': a name may have 100 bytes in UTF-8" in capsys.readouterr().err
    assert main(["validate", str(registry(**{part: [{**entry, "name": "銀" * 33}]}))]) == 0


def test_manifest_without_any_file_is_refused(refused: Refused, registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "images" / "FRI").mkdir(parents=True)
    (tmp_path / "images" / "manifest.csv").write_text("Name,Type\nlost,2\ngone,2\n")
    said = refused(registry(), "-d", tmp_path / "images", code=1)
    assert "none of the 2 sources in manifest.csv has a file there; expected for example FRI/gone.fits" in said


def test_class_with_too_few_images_is_refused(refused: Refused, registry: Registry) -> None:
    said = refused(registry(), "-t", "10", "-v", "2", code=1)
    assert "lower split.train and split.validation (-t and -v)" in said
    assert "FRI has 12 source(s): 10 for training and 2 for validation leave 0 for testing" in said
    assert "FRII has 12 source(s)" in said


def test_single_class_is_refused(refused: Refused, registry: Registry, fits_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(fits_folder / "FRI", tmp_path / "images" / "FRI")
    said = refused(registry(), "-d", tmp_path / "images", code=1)
    assert "fits-manifest holds images of one class only (FRI)" in said
    assert "add images of another class" in said


def test_images_too_small_for_every_network_are_refused(refused: Refused, registry: Registry) -> None:
    said = refused(registry(models=[{**MODEL, "architecture": "alexnet"}]))
    assert "no network of the registry can be trained on these images:\n" in said
    assert "alexnet needs images of at least 195 x 195 pixels. Received: 32 x 32" in said


def test_images_too_small_for_one_network_are_reported_before_training(
    registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    path = registry(
        models=[{**MODEL, "architecture": "alexnet"}],
        dataset={"name": "synthetic-radio", "options": {"size": 64}, "preparation": {"crop": 64}},
    )
    assert main(["validate", str(path)]) == 2
    said = capsys.readouterr().err
    assert "tiny.yaml:5:" in said
    assert "alexnet needs images of at least 195 pixels, but the preparation makes them 64" in said


def test_repeated_seed_is_refused(refused: Refused, registry: Registry) -> None:
    assert "-s/--seed: the seed 1 is repeated" in refused(registry(), "-s", "1", "-s", "1")
    said = refused(registry(seeds=[8901, 1826, 8901]))
    assert "tiny.yaml:2:" in said
    assert "8901" in said


def test_negative_learning_rate_is_refused(refused: Refused, registry: Registry, tmp_path: Path) -> None:
    said = refused(registry(models=[{**MODEL, "learning_rate": -0.001}]))
    assert "'learning_rate' should be greater than 0. Received: -0.001" in said
    (tmp_path / "list.txt").write_text("# the paper's\nconvXpress,-1e-4,16\n")
    assert "list.txt:2:12: 'learning_rate' should be" in refused(tmp_path / "list.txt")


def test_zero_epochs_are_refused(refused: Refused, registry: Registry, tmp_path: Path) -> None:
    said = refused(registry(models=[{**MODEL, "epochs": 0}]))
    assert "'epochs' should be greater than 0. Received: 0" in said
    (tmp_path / "list.txt").write_text("convXpress,1e-4,0\n")
    assert "list.txt:1:17: 'epochs' should be" in refused(tmp_path / "list.txt")


def test_zip_that_leaves_its_folder_is_refused(refused: Refused, registry: Registry, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        archive.writestr("train/1.0_2.0_FRI_x.png", b"no matter")
        archive.writestr("../evil.png", b"no matter")
    path = registry(dataset={"name": "first-radio-galaxies", "path": "mine.zip"})
    said = refused(path, code=1)
    assert "mine.zip" in said
    assert "../evil.png" in said
    assert not list(tmp_path.parent.glob("evil*"))


class _Calls:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> Any:
        return os.system, (self.command,)


@pytest.mark.parametrize("name", ["fr-deep", "mirabest"])
def test_pickle_that_calls_functions_is_refused(
    refused: Refused, registry: Registry, tmp_path: Path, name: str
) -> None:
    batches = tmp_path / "batches"
    batches.mkdir()
    images = np.zeros((1, 16), dtype=np.uint8)
    for file in ("data_batch_1", "test_batch"):
        batch = {"data": images, "labels": [0], "filenames": [_Calls(f"touch {tmp_path}/called")]}
        (batches / file).write_bytes(pickle.dumps(batch))
    said = refused(registry(dataset={"name": name, "path": "batches"}), code=1)
    assert f"{batches}: data_batch_1" in said
    assert "was not run" in said
    assert "system" in said
    assert not (tmp_path / "called").exists()


def test_yaml_bomb_is_refused(refused: Refused, tmp_path: Path) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]")
    (tmp_path / "bomb.yaml").write_text("\n".join(lines))
    said = refused(tmp_path / "bomb.yaml")
    assert "bomb.yaml:" in said
    assert "100,000" in said


def test_yaml_that_calls_functions_is_refused(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "calls.yaml").write_text(f"dataset: !!python/object/apply:os.system ['touch {tmp_path}/called']\n")
    assert "calls.yaml:1:10" in refused(tmp_path / "calls.yaml")
    assert not (tmp_path / "called").exists()


@pytest.mark.parametrize("name", ["/proc/study", "file", "file/study"])
def test_results_folder_that_cannot_be_written_is_refused(
    registry: Registry, tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("kept")
    assert main(["run", str(registry()), "-p", str(tmp_path / name)]) == 1  # an absolute name stays as it is
    said = capsys.readouterr().err
    assert said.startswith(f"error: {tmp_path / name}")
    assert "choose another folder" in said
    assert len(said.splitlines()) == 1
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_read_only_study_is_refused(refused: Refused, registry: Registry, results: Path) -> None:
    (results / "runs").chmod(0o500)
    results.chmod(0o500)
    try:
        assert "choose another folder" in refused(registry(), code=1)
    finally:
        results.chmod(0o700)
        (results / "runs").chmod(0o700)


def test_cache_that_cannot_be_written_is_refused(
    refused: Refused, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BENCHMARKER_CACHE", "/proc/cache")
    assert "/proc/cache" in refused(registry(), code=1)


def test_full_disk_is_reported_while_preparing(
    registry: Registry, results: Path, isolated_cache: Path, tmp_path: Path, command_line: Any
) -> None:
    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    before = bytes_of(results)
    done = command_line.run("run", registry(), "-p", results, cwd=tmp_path, preexec_fn=small_files)
    assert done.returncode == 1
    assert "the disk is full; free some space and run the same command again" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert bytes_of(results) == before
    assert not [path for path in isolated_cache.rglob("*") if path.suffix == ".partial" or path.name == "images.f32"]


def test_study_of_another_dataset_is_refused(refused: Refused, registry: Registry) -> None:
    small = {"size": 64, "images_per_class": 4}
    split = {"train": 2, "validation": 1}
    said = refused(registry(dataset={"name": "synthetic-radio", "options": small, "split": split}))
    assert "holds a study of fits-manifest, whose scores cannot be compared with those on synthetic-radio" in said
    assert "choose another results folder (-p)" in said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"format": 2, "cells": []}', "format 1 was expected. Received: 2"),
        ('{"format": 1, "cel', "not a plan of this program"),
        ("[1, 2]", "not a plan of this program"),
    ],
)
def test_plan_of_another_program_is_refused(
    refused: Refused, registry: Registry, results: Path, text: str, words: str
) -> None:
    """A damaged plan of ours has runs beside it, see tests/cli/test_odd_plans.py."""
    (results / "plan.json").write_text(text)
    shutil.rmtree(results / "runs")
    said = refused(registry(), code=1)
    assert words in said
    assert "choose another results folder" in said


def test_unknown_backend_is_refused(refused: Refused, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert "KERAS_BACKEND must be one of tensorflow, jax. Received: 'torch'" in refused(registry())


@pytest.mark.parametrize("content", [b"\x00\x01\x02\xff\xfe", b"", b"- a\n- b\n", b"a: 1\na: 2\n", b"{" * 5000])
def test_file_that_is_not_a_registry_is_refused(refused: Refused, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "no.yaml").write_bytes(content)
    assert "no.yaml:1:" in refused(tmp_path / "no.yaml") or content.startswith(b"a: 1")


def test_file_that_is_not_an_archive_is_refused(refused: Refused, registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "mine.zip").write_bytes(b"PK\x03\x04 and then nothing")
    said = refused(registry(dataset={"name": "first-radio-galaxies", "path": "mine.zip"}), code=1)
    assert f"{tmp_path}/mine.zip" in said
