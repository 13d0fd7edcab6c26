"""Functions called in a fresh process with a pinned backend."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from benchmarker import ConfigurationError, PluginError, call_in_process

FUNCTIONS = """
import os

from benchmarker import ConfigurationError


def describe(argument, emit):
    print("noise")
    emit(argument)
    return {"threads": os.environ["OMP_NUM_THREADS"], "backend": os.environ["KERAS_BACKEND"]}


def refuse(argument, emit):
    if argument == "end":
        os._exit(3)
    raise ConfigurationError("no such thing") if argument == "known" else KeyError("lost")
"""


@pytest.fixture(autouse=True)
def _functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions of a package that only the other process can import."""
    (tmp_path / "called_functions.py").write_text(FUNCTIONS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def call(name: str, argument: Any, **options: Any) -> Any:
    """Call a function on JAX, which starts faster."""
    return call_in_process(f"called_functions:{name}", argument, threads=1, seed=1, backend="jax", **options)


def test_call_returns_the_result_and_passes_values_on() -> None:
    heard: list[Any] = []
    assert call("describe", {"n": [1, math.inf]}, listen=heard.append) == {"threads": "1", "backend": "jax"}
    assert heard == [{"n": [1, math.inf]}]


@pytest.mark.parametrize(
    ("argument", "error", "message"),
    [
        ("known", ConfigurationError, "no such thing"),
        ("other", PluginError, "KeyError"),
        ("end", PluginError, "code 3"),
    ],
)
def test_call_that_fails_raises_what_the_function_raised(argument: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call("refuse", argument)
