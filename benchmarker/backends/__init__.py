"""Numerical backends: the only modules that import tensorflow or jax.

Each backend is a module with five functions: ``environment(threads)`` gives the environment variables that a worker
must be started with, ``configure(threads, seed)`` switches determinism on and asserts that it is, ``describe()`` says
which devices and versions compute, ``peak_device_bytes()`` what memory they needed, and ``gradient_step(...)`` compiles
a training step of networks that `keras.Model.fit` cannot train.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, cast

from benchmarker.errors import ConfigurationError

BACKENDS = ("tensorflow", "jax")

# Variables by which numerical libraries choose instructions, threads and precision. None is left to the user's shell:
# ONEDNN_MAX_CPU_ISA alone changes the bits of a training, and KERAS_MAX_EPOCHS ends it early.
_CHANGE_BITS = (
    *("TF_", "XLA_", "JAX_", "ONEDNN_", "DNNL_", "MKL_", "OPENBLAS_", "OMP_", "GOMP_", "KMP_"),
    *("CUBLAS_", "CUDNN_", "NVIDIA_TF32_OVERRIDE", "KERAS_", "NPY_", "PJRT_", "NPROC"),
)

Loss = Callable[..., tuple[Any, Mapping[str, Any]]]
Step = Callable[..., Mapping[str, Any]]


class Backend(Protocol):
    """What a module of this package offers."""

    def environment(self, threads: int) -> Mapping[str, str]:
        """Return the variables that must be set before the backend is imported."""

    def configure(self, threads: int, seed: int) -> None:
        """Pin threads, switch determinism on, and raise DeterminismError if it is not."""

    def describe(self) -> Mapping[str, object]:
        """Return versions and devices."""

    def peak_device_bytes(self) -> int | None:
        """Return the largest memory that was in use on the first GPU, in bytes, or None without a GPU."""

    def gradient_step(self, loss: Loss, optimiser: Any, trained: Sequence[Any], state: Sequence[Any]) -> Step:
        """Return a compiled training step."""


def chosen() -> str:
    """Return the name of the backend: ``KERAS_BACKEND``, or tensorflow.

    Raises
    ------
    ConfigurationError
        If the benchmarker has no such backend.
    """
    name = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if name not in BACKENDS:
        raise ConfigurationError(f"KERAS_BACKEND must be one of {', '.join(BACKENDS)}. Received: {name!r}")
    return name


def load(name: str) -> Backend:
    """Import the module of a backend."""
    return cast("Backend", importlib.import_module(f"benchmarker.backends.{name}_backend"))


def worker_environment(name: str, threads: int) -> dict[str, str]:
    """Return the environment of a worker process.

    Parameters
    ----------
    name : str
        Of the backend.
    threads : int
        That one operation may use; the number of cores plays no role.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith(_CHANGE_BITS)}
    pinned = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    return environment | pinned | {"PYTHONHASHSEED": "0", "KERAS_BACKEND": name} | dict(load(name).environment(threads))


def gradient_step(loss: Loss, optimiser: Any, trained: Sequence[Any], state: Sequence[Any] = ()) -> Step:
    """Return a training step that is compiled once for each shape of its arrays, on the backend that Keras uses.

    Parameters
    ----------
    loss : callable
        ``loss(*arrays) -> (scalar, measured)``, written with Keras layers and `keras.ops`: the scalar tensor to make
        smaller, and tensors by name that the step shall return. It may read any variable, and changes those of
        ``state`` alone.
    optimiser : keras.optimizers.Optimizer
        Used by this step alone; built here for ``trained``.
    trained : sequence of keras.Variable
        What the step updates; a variable that the scalar does not depend on has a gradient of zero.
    state : sequence of keras.Variable
        Other variables that calling ``loss`` changes: statistics of batch normalisation, seed generators.

    Returns
    -------
    callable
        ``step(*arrays) -> measured``, with arrays of numpy or of the backend.

    Raises
    ------
    PluginError
        By the step, on JAX, if the loss changes a variable that is neither listed nor trained.
    """
    import keras

    return load(keras.config.backend()).gradient_step(loss, optimiser, list(trained), list(state))
