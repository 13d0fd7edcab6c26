"""Studies on JAX: a killed run resumes to the bits of an undisturbed one, and TensorFlow's cells stay separate.

Every start on JAX compiles for longer than it trains, so that the network is small, and one study serves all tests.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.run.comparing import COMMAND, SMALL, assert_equal_runs, assert_whole, lay_out, surroundings
from tests.run.killing import KilledStudy

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs the extra jax"),
]

SEED = 8955  # draws a worker, then the parent
STAGES = ("snapshot", "results")
CHANGES = {"models": [SMALL | {"epochs": 10}]}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What processes need to find the network and the data, on JAX."""
    return {**surroundings(tmp_path_factory.mktemp("on-jax")), "KERAS_BACKEND": "jax"}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str], command_line: Any) -> Path:
    """The folder of a study that was run once without kills."""
    folder = lay_out(tmp_path_factory.mktemp("jax") / "undisturbed", **CHANGES)
    done = command_line.run(*COMMAND, cwd=folder, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.kill
@pytest.mark.timeout(900)
def test_kills_change_no_bit(undisturbed: Path, environment: dict[str, str], tmp_path: Path, command_line: Any) -> None:
    folder = lay_out(tmp_path / "killed", **CHANGES)
    study = KilledStudy(
        folder, COMMAND, environment, lambda _run, times: STAGES[times] if times < len(STAGES) else None, seed=SEED
    )
    study.run(limit=len(STAGES), patience=600)
    assert len(study.kills) >= 2, study.kills
    assert_equal_runs(folder / "study", undisturbed / "study")
    assert_whole(study, folder, command_line, environment)


def test_one_registry_runs_on_both_backends_and_their_cells_stay_apart(
    undisturbed: Path, environment: dict[str, str], tmp_path: Path, command_line: Any
) -> None:
    folder = Path(shutil.copytree(undisturbed, tmp_path / "both"))
    done = command_line.run(*COMMAND, cwd=folder, env=environment | {"KERAS_BACKEND": "tensorflow"})
    assert done.returncode == 0, done.stderr
    manifests = {}
    for manifest in folder.glob("study/runs/*/manifest.json"):
        found = json.loads(manifest.read_text())
        assert found["status"] == "ok"
        manifests[found["fingerprint"]["backend"]["name"]] = found
    assert set(manifests) == {"jax", "tensorflow"}
    jax, tensorflow = manifests["jax"], manifests["tensorflow"]
    assert jax["key"] != tensorflow["key"]
    for name in ("data", "split"):
        assert jax["digests"][name] == tensorflow["digests"][name]
    assert jax["digests"]["final_weights"] != tensorflow["digests"]["final_weights"]
    assert set(jax["fingerprint"]["packages"]) >= {"jax", "jaxlib", "keras"}
    assert "tensorflow" not in jax["fingerprint"]["packages"]
    assert not {"jax", "jaxlib"} & tensorflow["fingerprint"]["packages"].keys()
    assert len(json.loads((folder / "study" / "plan.json").read_text())["cells"]) == 2
