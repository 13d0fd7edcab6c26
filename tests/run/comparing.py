"""What the tests of killed runs share: the study's registry, and the comparison with an undisturbed study."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.fixture_plugins import SMALL_NETWORK, install
from tests.run.killing import REGISTRY, KilledStudy, leftovers

COMMAND = ("run", "killed.yaml", "-p", "study", "--retries", "99")
SMALL = {"architecture": "small", "learning_rate": 1e-3}
COMPARED = ("trail.json", "history.csv", "predictions_best.csv", "predictions_final.csv", "metrics.json")
# Dropout in a published network, dropout and batch normalisation in a small one that compiles sooner, augmentation in
# both; as many epochs as kills and the steps of a learning rate that falls need.
CHANGES = {
    "arms": REGISTRY["arms"][1:],
    "models": [model | {"epochs": 16} for model in (REGISTRY["models"][0], SMALL)],
}


# What Python runs first in every process of a study: the disk takes its time for each snapshot, as a busy one does.
SLOW_DISK = """
import os
import time

_fsync = os.fsync


def fsync(descriptor):
    if ".snapshot-" in os.readlink(f"/proc/self/fd/{descriptor}"):
        time.sleep(0.05)
    _fsync(descriptor)


os.fsync = fsync
"""


def surroundings(folder: Path, *, slow_disk: bool = False) -> dict[str, str]:
    """Install the small network, and return the variables that make processes find it and use a separate cache."""
    site = install(folder / "site", "small_network", SMALL_NETWORK)
    if slow_disk:
        (site / "sitecustomize.py").write_text(SLOW_DISK)
    return {"PYTHONPATH": str(site), "BENCHMARKER_CACHE": str(folder / "cache")}


def lay_out(folder: Path, **changes: Any) -> Path:
    """Make a folder with a registry."""
    folder.mkdir()
    write_registry(folder, **changes)
    return folder


def write_registry(folder: Path, **changes: Any) -> None:
    """Write the registry of a folder, anew where there is one."""
    (folder / "killed.yaml").write_text(json.dumps(REGISTRY | CHANGES | changes))


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
        for file in (each for each in COMPARED if (expected / each).exists()):  # a generator has no predictions
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
