"""Runs that are killed with SIGKILL, at least twenty times, and go on to the bits of runs that never were."""

from __future__ import annotations

import csv
import importlib.util
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarker import Stream
from tests.run.killing import IMAGES_PER_CLASS, REGISTRY, KilledStudy, leftovers

SEED = 8901
COMMAND = ("run", "killed.yaml", "-p", "study", "--retries", "99")
COMPARED = ("trail.json", "history.csv", "predictions_best.csv", "predictions_final.csv", "metrics.json")


def lay_out(folder: Path, **changes: Any) -> Path:
    """Make a folder with a registry."""
    folder.mkdir()
    (folder / "killed.yaml").write_text(json.dumps(REGISTRY | changes))
    return folder


def stage(run: str, times: int) -> str | None:
    """Kill each run between snapshots and in them, then in its results."""
    order = Stream("kill-stages", seed=SEED, run=run).generator().permutation(4)
    stages = [*(("training", "training", "snapshot", "snapshot")[k] for k in order), "results", "results"]
    return stages[times] if times < len(stages) else None


def runs(study: Path) -> dict[str, Path]:
    """Return the folders of finished runs."""
    return {path.parent.name: path.parent for path in study.glob("runs/*/manifest.json")}


def assert_equal_runs(killed: Path, never: Path) -> None:
    """Compare everything that is a result, bit for bit."""
    assert set(runs(killed)) == set(runs(never)) != set()
    for name, expected in runs(never).items():
        found = runs(killed)[name]
        manifests = [json.loads((folder / "manifest.json").read_text()) for folder in (found, expected)]
        for entry in ("status", "trail", "digests", "fingerprint"):
            assert manifests[0][entry] == manifests[1][entry], (name, entry)
        for file in COMPARED:
            assert (found / file).read_bytes() == (expected / file).read_bytes(), (name, file)
        assert {path.name for path in found.iterdir()} == {path.name for path in expected.iterdir()}


def assert_whole(study: KilledStudy, folder: Path, command_line: Any, environment: Mapping[str, str]) -> None:
    """Check that nothing was left, and that the files are those that the trails cover."""
    assert study.left_behind() == []
    assert leftovers(folder / "study") == []
    audited = command_line.run("audit", "study", "--offline", cwd=folder, env=environment)
    assert audited.returncode == 0, audited.stdout + audited.stderr
    for path in folder.glob("study/runs/*/events.jsonl"):
        epochs = [event["epoch"] for event in map(json.loads, path.read_text().splitlines()) if "values" in event]
        with path.with_name("history.csv").open() as stream:
            assert set(epochs) == {int(row["epoch"]) for row in csv.DictReader(stream)}


@pytest.fixture(scope="module")
def never(tmp_path_factory: pytest.TempPathFactory, command_line: Any) -> tuple[Path, Path]:
    """The study, run once and left alone; and its cache."""
    folder = lay_out(tmp_path_factory.mktemp("never") / "stopped")
    cache = folder / "cache"
    done = command_line.run(*COMMAND, "--jobs", "2", cwd=folder, env={"BENCHMARKER_CACHE": str(cache)})
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "study", cache


@pytest.mark.kill
@pytest.mark.timeout(900)
def test_kills_change_no_bit(never: tuple[Path, Path], tmp_path: Path, command_line: Any) -> None:
    folder = lay_out(tmp_path / "killed")
    cache = folder / "cache"
    environment = {"BENCHMARKER_CACHE": str(cache)}
    study = KilledStudy(folder, [*COMMAND, "--jobs", "2"], environment, stage, seed=SEED)
    study.interrupt_preparation(cache, 4 * IMAGES_PER_CLASS)
    study.run(limit=24, patience=600)
    stages = Counter(kill.stage for kill in study.kills)
    assert len(study.kills) >= 20, study.kills
    assert set(stages) == {"preparation", "training", "snapshot", "results"}
    assert any(kill.inside for kill in study.kills if kill.stage == "snapshot"), study.kills
    assert {kill.run for kill in study.kills if kill.run} == set(runs(never[0]))
    assert_equal_runs(folder / "study", never[0])
    assert not list(cache.rglob("*.partial"))
    assert_whole(study, folder, command_line, environment)


@pytest.mark.kill
@pytest.mark.timeout(600)
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs the extra jax")
def test_kills_change_no_bit_on_jax(never: tuple[Path, Path], tmp_path: Path, command_line: Any) -> None:
    environment = {"BENCHMARKER_CACHE": str(never[1]), "KERAS_BACKEND": "jax"}
    changes = {"models": REGISTRY["models"][:1], "arms": REGISTRY["arms"][1:]}
    undisturbed = lay_out(tmp_path / "undisturbed", **changes)
    done = command_line.run(*COMMAND, cwd=undisturbed, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = lay_out(tmp_path / "killed", **changes)
    stages = ("training", "snapshot", "results")
    study = KilledStudy(
        folder, COMMAND, environment, lambda _run, times: stages[times] if times < len(stages) else None, seed=SEED
    )
    study.run(limit=len(stages), patience=300)
    assert len(study.kills) >= 2, study.kills
    assert_equal_runs(folder / "study", undisturbed / "study")
    assert_whole(study, folder, command_line, environment)
