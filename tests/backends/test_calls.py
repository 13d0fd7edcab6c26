"""Functions called in a fresh process with a pinned backend."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarker import ConfigurationError, PluginError, call_in_process


def describe(argument: Any, emit: Any) -> Any:
    """Emit the argument, print noise, and return what of the environment is pinned."""
    import os

    print("noise")  # noqa: T201 - must not end up among the answers
    emit(argument)
    return {"threads": os.environ["OMP_NUM_THREADS"], "backend": os.environ["KERAS_BACKEND"]}


def refuse(argument: Any, _emit: Any) -> None:
    """Raise an error of the benchmarker's, another one, or end the process."""
    if argument == "end":
        import os

        os._exit(3)
    raise ConfigurationError("no such thing") if argument == "known" else KeyError("lost")


def call(name: str, argument: Any, **options: Any) -> Any:
    """Call a function of this module on JAX, which starts faster."""
    return call_in_process(f"{__name__}:{name}", argument, threads=1, seed=1, backend="jax", **options)


def test_call_returns_the_result_and_passes_values_on() -> None:
    heard: list[Any] = []
    assert call("describe", {"n": 1}, listen=heard.append) == {"threads": "1", "backend": "jax"}
    assert heard == [{"n": 1}]


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
