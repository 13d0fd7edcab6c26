"""Files of a run folder: written as format 1 has them, and read back through the same models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarker.errors import StorageError
from benchmarker.study.fingerprint import Fingerprint
from benchmarker.study.links import EpochLink, TrainingSetLink, read_trail, write_trail
from benchmarker.study.runs import CellMetrics, FailedManifest, FinishedManifest, read_manifest
from benchmarker.trail import Trail
from tests.study.material import cell_metrics, some_fingerprint

IDENTITY: dict[str, Any] = {
    "key": "0" * 64,
    "configuration": "1" * 64,
    "model": "mcrgnet",
    "architecture": "mcrgnet",
    "arm": "real",
    "seed": 8901,
}
FINISHED = FinishedManifest(
    **IDENTITY,
    trained=True,
    fingerprint=some_fingerprint(),
    digests={"data": "2" * 64},
    finished="2026-01-02T03:04:05+00:00",
)
FAILED = FailedManifest(**IDENTITY, kind="diverged", message="the loss is NaN", finished="2026-01-02T03:04:05+00:00")


@pytest.mark.parametrize("manifest", [FINISHED, FAILED], ids=["finished", "failed"])
def test_manifest_is_read_as_it_was_written(manifest: FinishedManifest | FailedManifest, tmp_path: Path) -> None:
    manifest.write(tmp_path / "manifest.json")
    assert read_manifest(tmp_path) == manifest
    written = json.loads((tmp_path / "manifest.json").read_text())
    assert written["format"] == 1
    assert "started" not in written


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"status": "running"}, "manifest.json"),
        ({"seed": "many"}, "seed"),
        ({"colour": 1}, "colour"),
        ({"fingerprint": {}}, "fingerprint.benchmarker"),
        ({"format": 2}, "format"),
    ],
)
def test_manifest_that_is_not_ours_is_refused(change: dict[str, Any], place: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(FINISHED.to_json() | change))
    with pytest.raises(StorageError, match=place):
        read_manifest(tmp_path)


def test_metrics_are_written_without_what_a_task_lacks(tmp_path: Path) -> None:
    metrics = cell_metrics(best=91.25)
    metrics.write(tmp_path / "metrics.json")
    written = json.loads((tmp_path / "metrics.json").read_text())
    assert list(written) == ["primary", "parts", "best", "final"]
    assert list(written["best"]) == ["train", "validation", "test", "ratios", "epoch"]
    assert CellMetrics.read(tmp_path / "metrics.json") == metrics
    assert list(metrics.checkpoints) == ["best", "final"]


def test_metrics_that_are_not_finite_are_kept(tmp_path: Path) -> None:
    cell_metrics(best=float("inf")).write(tmp_path / "metrics.json")
    best = CellMetrics.read(tmp_path / "metrics.json").best
    assert best is not None
    assert best.test["mean_per_class_accuracy"] == float("inf")


def test_fingerprint_keeps_the_switches_of_a_backend() -> None:
    written = some_fingerprint(lenet="somebody 1.0").to_json()
    written["backend"] |= {"onednn": "1", "op_determinism": True}
    read = Fingerprint.model_validate(written)
    assert read.to_json() == written
    assert read.digest != some_fingerprint(lenet="somebody 1.0").digest
    assert read.environment == {name: value for name, value in written.items() if name != "plugins"}


def test_trail_is_read_as_it_was_written(tmp_path: Path) -> None:
    trail = Trail()
    trail.add("training set", TrainingSetLink(digest="0" * 64, images=12).to_json())
    names = ("order", "draws", "weights", "random_state", "optimiser")
    trail.add("epoch 1", EpochLink(**dict.fromkeys(names, "1" * 64), metrics={"epoch": 1.0}).to_json())
    write_trail(tmp_path, trail)
    read = read_trail(tmp_path)
    assert read.links == trail.links
    assert read.broken_link() is None
    assert Trail.from_json(trail.to_json()).head == trail.head


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"format": 2, "links": []}', '{"format": 1, "links": [{"name": "cell"}]}']
)
def test_file_that_is_not_a_trail_is_refused(content: str, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"trail\.json: there is no trail"):
        read_trail(tmp_path)
    (tmp_path / "trail.json").write_text(content)
    with pytest.raises(StorageError, match=r"trail\.json: cannot be read"):
        read_trail(tmp_path)
