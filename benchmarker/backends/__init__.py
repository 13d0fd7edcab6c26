"""Numerical backends: the only modules that import tensorflow or jax.

Each backend is a module with the functions of `Backend`: ``environment`` returns the environment variables that a
worker must be started with, ``configure`` switches determinism on and checks that it is, ``misses_gpu`` finds out
whether it computes on the processor instead of a GPU, ``describe`` names versions and devices, ``peak_device_bytes``
measures the memory of a GPU, and ``gradient_step`` compiles a training step for networks that `keras.Model.fit` cannot
train.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, cast

from benchmarker.containment import only_warned
from benchmarker.errors import ConfigurationError, GpuError

BACKENDS = ("tensorflow", "jax")

WITH_LANES = ("jax",)
"""Backends that can train several seeds of a network in one program."""

DEVICES_VARIABLE = "CUDA_VISIBLE_DEVICES"
"""Variable that names the GPUs which a process sees."""

NO_DEVICE = "-1"
"""Value of it that hides all GPUs."""

# Variables that make numerical libraries choose instructions, threads and precision. Workers inherit none of them from
# the user's shell: ONEDNN_MAX_CPU_ISA changes the bits of a training, and KERAS_MAX_EPOCHS ends it early.
_CHANGE_BITS = (
    *("TF_", "XLA_", "JAX_", "ONEDNN_", "DNNL_", "MKL_", "OPENBLAS_", "OMP_", "GOMP_", "KMP_"),
    *("CUBLAS_", "CUDNN_", "NVIDIA_TF32_OVERRIDE", "KERAS_", "NPY_", "PJRT_", "NPROC"),
)

Tensors = Mapping[str, Any]
"""Tensors of the backend by name."""

Loss = Callable[..., tuple[Any, Tensors]]
Step = Callable[..., Tensors]


class Lanes(Protocol):
    """Seeds of one network in one program; see `benchmarker.backends.jax_lanes`."""

    def expect(self, number: int) -> None:
        """Wait with every step for a lane, from now on."""

    def leave(self, number: int) -> None:
        """Wait for a lane no longer."""

    def training(self, number: int, model: Any) -> AbstractContextManager[None]:
        """Let a lane compute the steps of a compiled network together with the others, until the block ends."""

    def paused(self) -> AbstractContextManager[None]:
        """Let no lane compute a step until the block ends."""


class Backend(Protocol):
    """Interface of the modules of this package."""

    def environment(self, threads: int) -> Mapping[str, str]:
        """Return the variables that must be set before the backend is imported."""

    def configure(self, threads: int, seed: int) -> None:
        """Pin threads and switch determinism on; raise DeterminismError if that fails, GpuError without the GPU."""

    def misses_gpu(self) -> bool:
        """Whether the backend was installed for GPUs, and computes on the processor all the same."""

    def describe(self) -> Mapping[str, object]:
        """Return versions and devices."""

    def peak_device_bytes(self) -> int | None:
        """Return the largest memory that this process has had on its first GPU, in bytes; None without a GPU."""

    def gradient_step(self, loss: Loss, optimiser: Any, trained: Sequence[Any], state: Sequence[Any]) -> Step:
        """Return a compiled training step."""


def chosen() -> str:
    """Return the name of the backend: the value of ``KERAS_BACKEND``, or else ``"tensorflow"``.

    Raises
    ------
    ConfigurationError
        If the benchmarker does not support the backend.
    """
    name = os.environ.get("KERAS_BACKEND") or "tensorflow"
    if name not in BACKENDS:
        raise ConfigurationError(f"KERAS_BACKEND must be one of {', '.join(BACKENDS)}. Received: {name!r}")
    return name


def load(name: str) -> Backend:
    """Import the module of a backend."""
    return cast("Backend", importlib.import_module(f"benchmarker.backends.{name}_backend"))


def configure_worker(name: str, threads: int, seed: int) -> None:
    """Configure the backend of a process that trains or draws, and that must use the GPU that it was placed on.

    A backend that finds no memory on a GPU may compute on the processor instead, which takes long and gives other bits.
    A backend that was installed without support of GPUs always does: the user has decided that.

    Parameters
    ----------
    name : str
        Name of the backend.
    threads, seed : int
        As `Backend.configure` takes them.

    Raises
    ------
    GpuError
        If the process was placed on a GPU and the backend does not use it.
    DeterminismError
        If results would not be reproducible.
    """
    backend = load(name)
    backend.configure(threads, seed)
    if (gpu := placed_on()) is not None and backend.misses_gpu():
        raise GpuError(gpu_refused(name, gpu, "it found no GPU"))


def placed_on() -> str | None:
    """Return the GPU that this process was placed on, as CUDA names it; None where nothing says so."""
    first = os.environ.get(DEVICES_VARIABLE, "").partition(",")[0].strip()
    return None if first in {"", NO_DEVICE} else first


def gpu_refused(name: str, gpu: str, reason: str) -> str:
    """Return the message of a `GpuError`.

    Parameters
    ----------
    name : str
        Name of the backend.
    gpu : str
        GPU as CUDA names it.
    reason : str
        What the backend says.
    """
    return (
        f"{name} cannot use GPU {gpu}, where this was to be computed: {reason}. See with nvidia-smi whether other "
        "processes have taken all of its memory, and end them, or compute on the processor with --gpus none"
    )


def make_lanes(name: str, of: int) -> Lanes:
    """Return the lanes of this process, for programs that each have so many.

    Raises
    ------
    ConfigurationError
        If the backend has none.
    """
    if name not in WITH_LANES:
        raise ConfigurationError(lanes_refused(name))
    return cast("Lanes", importlib.import_module(f"benchmarker.backends.{name}_lanes").Lanes(of))


def lanes_refused(name: str) -> str:
    """Return why a backend cannot train several seeds in one program."""
    backends = ", ".join(f"KERAS_BACKEND={each}" for each in WITH_LANES)
    return f"'seeds_at_once' needs {backends}, since {name} cannot compute the steps of several networks in one program"


def worker_environment(name: str, threads: int) -> dict[str, str]:
    """Return the environment of a worker process.

    Parameters
    ----------
    name : str
        Name of the backend.
    threads : int
        Number of threads that one operation may use; it does not depend on the number of cores.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith(_CHANGE_BITS)}
    pinned = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    if "PYTHONWARNINGS" in environment:
        environment["PYTHONWARNINGS"] = only_warned(environment["PYTHONWARNINGS"])
    return environment | pinned | {"PYTHONHASHSEED": "0", "KERAS_BACKEND": name} | dict(load(name).environment(threads))


def gradient_step(loss: Loss, optimiser: Any, trained: Sequence[Any], state: Sequence[Any] = ()) -> Step:
    """Return a training step, compiled once for each shape of its arrays on the backend that Keras uses.

    Parameters
    ----------
    loss : callable
        ``loss(*arrays) -> (scalar, measured)``, written with Keras layers and `keras.ops`: the scalar tensor to
        minimise, and tensors by name that the step returns. It may read any variable, but change only those of
        ``state``.
    optimiser : keras.optimizers.Optimizer
        Optimiser of this step only; it is built here for ``trained``.
    trained : sequence of keras.Variable
        Variables that the step updates; one that the scalar does not depend on has a gradient of zero.
    state : sequence of keras.Variable
        Other variables that ``loss`` changes: statistics of batch normalisation, seed generators.

    Returns
    -------
    callable
        ``step(*arrays) -> measured``, with arrays of numpy or of the backend.

    Raises
    ------
    PluginError
        Raised by the step, on JAX, if the loss changes a variable that is neither in ``trained`` nor in ``state``.

    Examples
    --------
    One step of gradient descent on :math:`w^2` from :math:`w = 3` with a learning rate of 0.5 reaches the minimum:

    >>> import keras
    >>> from benchmarker import gradient_step
    >>> w = keras.Variable(3.0)
    >>> step = gradient_step(lambda: (w * w, {"loss": w * w}), keras.optimizers.SGD(0.5), [w])
    >>> float(step()["loss"]), float(w)
    (9.0, 0.0)
    """
    import keras

    return load(keras.config.backend()).gradient_step(loss, optimiser, list(trained), list(state))
