"""The kind of failure of each exception."""

from __future__ import annotations

import importlib.util

import pytest

from benchmarker import DataError
from benchmarker.run.worker import failure_kind


class ResourceExhaustedError(Exception):
    """Called as TensorFlow's is."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), "out-of-memory"),
        (ResourceExhaustedError("OOM when allocating tensor"), "out-of-memory"),
        (RuntimeError("a layer says: RESOURCE_EXHAUSTED"), "crashed"),
        (ZeroDivisionError(), "crashed"),
        (DataError("no images"), "data"),
    ],
)
def test_failure_kind_of_exceptions(error: Exception, kind: str) -> None:
    assert failure_kind(error) == kind


@pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs the extra jax")
def test_failure_kind_of_jax_out_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    import jax

    with pytest.raises(jax.errors.JaxRuntimeError) as caught:
        jax.numpy.zeros((2**44,), dtype="float32").block_until_ready()
    assert failure_kind(caught.value) == "out-of-memory"
