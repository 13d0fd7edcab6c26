"""The same generator trains on JAX, and an interrupted training ends with the same bits there too."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarker.backends import worker_environment


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs the extra jax")
def test_an_interrupted_training_goes_on_bit_for_bit(tmp_path: Path) -> None:
    probe = Path(__file__).with_name("jax_probe.py")
    done = subprocess.run(
        [sys.executable, str(probe), str(tmp_path)],
        # XLA takes longer to optimise the steps than to compile them.
        env={**worker_environment("jax", 1), "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
        capture_output=True,
        check=False,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr.decode()
    found = json.loads(done.stdout)
    whole, ended, parted = found["heads"]
    assert (ended, parted) == ("", whole)
    assert len(whole) == 64
    assert found["losses"][0][0] == found["losses"][0][1]
    assert found["tensorflow"] is False
