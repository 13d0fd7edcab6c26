"""A study on JAX from end to end, then the same registry on TensorFlow into the same study."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs the extra jax")


def test_one_registry_runs_on_both_backends_and_their_cells_stay_apart(
    registry: Callable[..., Path], command_line: Any
) -> None:
    path = registry(models=[{"architecture": "mcrgnet", "learning_rate": 0.001, "epochs": 1}])
    manifests = {}
    for backend in ("jax", "tensorflow"):
        done = command_line.run("run", path.name, "-p", "study", cwd=path.parent, env={"KERAS_BACKEND": backend})
        assert done.returncode == 0, done.stderr
    for manifest in (path.parent / "study").glob("runs/*/manifest.json"):
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
    assert len(json.loads((path.parent / "study" / "plan.json").read_text())["cells"]) == 2
