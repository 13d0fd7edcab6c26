"""Peak memory on a GPU: what the backends say, and where it is written down. A stand-in takes the place of the GPU."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarker import backends
from benchmarker.evaluation import costs
from benchmarker.results.metrics import flat_costs, metric_label
from benchmarker.study.runs import GeneratorCosts, GeneratorTrainingCosts

PARAMETERS = {"total": 3, "sampling": 2}


def tensorflow(gpus: list[str]) -> Any:
    memory = SimpleNamespace(get_memory_info=lambda device: {"current": 5, "peak": 7 if device == "GPU:0" else 0})
    config = SimpleNamespace(list_physical_devices=lambda kind: gpus if kind == "GPU" else [], experimental=memory)
    return SimpleNamespace(config=config)


def jax(platform: str, stats: dict[str, int] | None) -> Any:
    device = SimpleNamespace(platform=platform, memory_stats=lambda: stats)
    return SimpleNamespace(local_devices=lambda: [device])


@pytest.mark.parametrize(
    ("backend", "module", "peak"),
    [
        ("tensorflow", tensorflow(["one", "two"]), 7),
        ("tensorflow", tensorflow([]), None),
        ("jax", jax("gpu", {"peak_bytes_in_use": 9}), 9),
        ("jax", jax("gpu", None), None),
        ("jax", jax("cpu", {"peak_bytes_in_use": 9}), None),
    ],
)
def test_peak_memory_is_that_of_the_first_gpu(
    backend: str, module: Any, peak: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, backend, module)
    monkeypatch.setenv("KERAS_BACKEND", backend)
    assert backends.load(backend).peak_device_bytes() == peak
    measured = costs.peak_memory()
    assert measured.pop("peak_memory_bytes") > 2**20
    assert measured == ({} if peak is None else {"peak_device_memory_bytes": peak})


@pytest.mark.parametrize("on_device", [{}, {"peak_device_memory_bytes": 7}])
def test_memory_of_a_gpu_is_written_only_where_it_was_measured(on_device: dict[str, int]) -> None:
    given = {"parameters": PARAMETERS, "peak_memory_bytes": 5, **on_device}
    training = GeneratorTrainingCosts.model_validate(
        {**given, "training_seconds": 1.0, "training_images_per_second": 2.0}
    )
    written = GeneratorCosts.of(training, trained=True)
    assert written.to_json() == {**training.to_json(), "trained": True}
    assert written.to_json().get("peak_device_memory_bytes") == on_device.get("peak_device_memory_bytes")
    assert ("peak_device_memory_bytes" in flat_costs(written)) is bool(on_device)
    assert metric_label("peak_device_memory_bytes").short == "GPU memory"
