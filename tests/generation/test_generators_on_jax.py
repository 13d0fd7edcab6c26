"""A GAN trains to equal bits on JAX in every process, also if one is killed on the way."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarker.backends import worker_environment


def probe(*folders: Path) -> dict[str, Any]:
    """Train into folders, in a separate process."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("jax_probe.py")), *map(str, folders)],
        # XLA takes longer to optimise the steps than to compile them.
        env={**worker_environment("jax", 1), "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
        capture_output=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.long
@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs the extra jax")
def test_cgan_trains_to_equal_bits_in_separate_processes(tmp_path: Path) -> None:
    """Without interruption, and resumed after a process ended after the second step, before its snapshot.

    Both are two steps of the default preset.
    """
    whole, parted, again = (tmp_path / name for name in ("whole", "parted", "again"))
    for folder in (whole, again):
        folder.mkdir()
    first = probe(whole)
    (found,) = first["trained"]
    assert found["events"] == [["epoch", 1], ["epoch", 2]]
    assert len((whole / "losses.csv").read_text().splitlines()) == 1 + 2
    assert len(found["head"]) == 64
    assert first["tensorflow"] is False
    shutil.copytree(whole, parted)
    (parted / "snapshot-000002.npz").unlink()
    second = probe(parted, again)
    resumed, repeated = second["trained"]
    assert second["initial"] == first["initial"]
    assert repeated == found
    assert resumed == {**found, "events": [["resumed", 1], ["epoch", 2]]}
