"""JAX: computes on a GPU if jaxlib finds one, and otherwise on the CPU."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from benchmarker.backends import gpu_refused, placed_on
from benchmarker.errors import DeterminismError, GpuError, PluginError

if TYPE_CHECKING:
    from benchmarker.backends import Loss, Step, Tensors

# jaxlib runs operations on the CPU in one pool of threads with this name, one thread for each core unless PJRT_NPROC
# gives another number. That number determines how sums are split, and so the bits of the result.
_POOL = "tf_XLAEigen"
_ESSENTIAL = ("PJRT_NPROC", "XLA_FLAGS")

_NO_BACKEND = "Unable to initialize backend"


def environment(threads: int) -> Mapping[str, str]:
    """Return the variables that must be set before JAX is imported."""
    return {
        "JAX_DEFAULT_MATMUL_PRECISION": "highest",  # no TensorFloat-32
        "JAX_ENABLE_X64": "0",
        "PJRT_NPROC": str(threads),
        "TF_CPP_MIN_LOG_LEVEL": "2",
        # Otherwise a GPU's kernels are chosen by timing them, which may give others the next time.
        "XLA_FLAGS": "--xla_gpu_deterministic_ops=true --xla_gpu_autotune_level=0",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }


def configure(threads: int, seed: int) -> None:  # noqa: ARG001 - JAX has no global generator
    """Check that threads are pinned and determinism is on, as the variables of `environment` request.

    Parameters
    ----------
    threads : int
        Number of threads that one operation may use.
    seed : int
        Not used: JAX draws no random numbers without a key.

    Raises
    ------
    DeterminismError
        If a switch has no effect.
    GpuError
        If this process was placed on a GPU and JAX says that it cannot use it.
    """
    import jax
    from keras.src.utils import module_utils

    # If TensorFlow is installed as well, Keras would import it, only to seed its generators.
    module_utils.tensorflow._available = False
    wanted = environment(threads)
    wrong = [f"{name}={wanted[name]}" for name in _ESSENTIAL if os.environ.get(name) != wanted[name]]
    if jax.config.jax_default_matmul_precision != "highest":
        wrong.append("matrix products in full precision")
    if jax.config.jax_enable_x64:
        wrong.append("numbers of 32 bits")
    _start()
    if (found := _pool_size()) not in {None, threads}:
        wrong.append(f"{threads} threads (it started {found})")
    if wrong:
        raise DeterminismError(f"JAX ignored: {', '.join(wrong)}; results would not be reproducible")


def _start() -> None:
    """Let JAX find its devices, which also starts its threads."""
    import jax

    try:
        jax.devices()
    except RuntimeError as error:
        gpu = placed_on()
        if gpu is None or not str(error).startswith(_NO_BACKEND):
            raise
        raise GpuError(gpu_refused("jax", gpu, str(error))) from error


def misses_gpu() -> bool:
    """Whether support of CUDA is installed, and JAX computes on the processor all the same.

    It may only warn that a GPU cannot be used. Whether it tries to use one depends on the plugin that
    ``pip install jax[cuda12]`` brings.
    """
    import jax

    if jax.local_devices()[0].platform != "cpu":
        return False
    # As JAX finds them: named by their distributions, or in a namespace.
    named = [plugin.name for plugin in entry_points(group="jax_plugins")]
    namespace = find_spec("jax_plugins")
    folders = None if namespace is None else namespace.submodule_search_locations
    return any("cuda" in name for name in (*named, *(module.name for module in iter_modules(folders or []))))


def _pool_size() -> int | None:
    """Return the number of threads that run operations on the CPU; None if the system does not say."""
    tasks = Path("/proc/self/task")
    if not tasks.is_dir():
        return None
    return sum(_name(task).startswith(_POOL) for task in tasks.iterdir())


def _name(task: Path) -> str:
    try:
        return (task / "comm").read_text()
    except (FileNotFoundError, ProcessLookupError):  # the thread has just ended
        return ""


def describe() -> Mapping[str, object]:
    """Return JAX's versions, devices and switches."""
    import jax
    import jaxlib

    return {
        "version": jax.__version__,
        "jaxlib": jaxlib.__version__,
        "devices": ["CPU" if device.platform == "cpu" else str(device.device_kind) for device in jax.local_devices()],
        "xla_flags": os.environ.get("XLA_FLAGS", ""),
        "matmul_precision": str(jax.config.jax_default_matmul_precision),
        "x64": bool(jax.config.jax_enable_x64),
    }


def peak_device_bytes() -> int | None:
    """Return the largest memory of JAX's arrays on the first device so far, in bytes; None where it is a CPU."""
    import jax

    device = jax.local_devices()[0]
    peak = None if device.platform == "cpu" else (device.memory_stats() or {}).get("peak_bytes_in_use")
    return None if peak is None else int(peak)


def gradient_step(loss: Loss, optimiser: Any, trained: Sequence[Any], state: Sequence[Any]) -> Step:
    """Return a compiled step; see `benchmarker.backends.gradient_step`."""
    import jax

    optimiser.build(trained)
    read: list[Any] = []  # other variables that the loss reads, known once it has been traced

    def valued(
        trained_values: Sequence[Any], state_values: Sequence[Any], read_values: Sequence[Any], arrays: Sequence[Any]
    ) -> tuple[Any, tuple[Any, Any]]:
        pairs = zip([*trained, *state, *read], [*trained_values, *state_values, *read_values], strict=True)
        scalar, measured, changed, met = _stateless(loss, list(pairs), state, arrays)
        if met:  # would become constants of the compiled step, although their values change between steps
            read.extend(met)
        return scalar, (dict(measured), changed)

    @jax.jit  # type: ignore[untyped-decorator]
    def compute(values: Sequence[Sequence[Any]], optimiser_values: Sequence[Any], arrays: Sequence[Any]) -> Any:
        differentiated = jax.value_and_grad(valued, has_aux=True)
        (_, (measured, changed)), gradients = differentiated(*values, arrays)
        updated, moments = optimiser.stateless_apply(list(optimiser_values), gradients, list(values[0]))
        return measured, updated, moments, changed

    shapes: set[tuple[tuple[int, ...], ...]] = set()

    def step(*arrays: Any) -> Tensors:
        shape = tuple(tuple(array.shape) for array in arrays)
        if shape not in shapes:
            jax.eval_shape(
                valued, _values(trained), _values(state), _values(read), arrays
            )  # finds the variables that are read
            shapes.add(shape)
        values = [_values(trained), _values(state), _values(read)]
        measured, updated, moments, changed = compute(values, _values(optimiser.variables), arrays)
        for variables, new in ((trained, updated), (optimiser.variables, moments), (state, changed)):
            for variable, value in zip(variables, new, strict=True):
                variable.assign(value)
        return dict(measured)

    return step


def _values(variables: Sequence[Any]) -> list[Any]:
    return [variable.value for variable in variables]


def _stateless(
    loss: Loss, pairs: list[tuple[Any, Any]], state: Sequence[Any], arrays: Sequence[Any]
) -> tuple[Any, Tensors, list[Any], list[Any]]:
    """Call a loss with given values of variables; return its result, the new state, and the other variables it read."""
    import keras

    known = {id(variable) for variable, _ in pairs}
    may_change = {id(variable) for variable in state}
    met: dict[int, Any] = {}

    class Scope(keras.StatelessScope):  # type: ignore[misc]
        def get_current_value(self, variable: Any) -> Any:
            if id(variable) not in known:
                met[id(variable)] = variable
            return super().get_current_value(variable)

        def add_update(self, update: tuple[Any, Any]) -> None:
            if id(update[0]) not in may_change:
                raise PluginError(
                    f"the loss changes {update[0].path}, which must be in the `state` of its gradient_step"
                )
            super().add_update(update)

    with Scope(state_mapping=pairs) as scope:
        scalar, measured = loss(*arrays)
        changed = [scope.get_current_value(variable) for variable in state]
    return scalar, measured, changed, list(met.values())
