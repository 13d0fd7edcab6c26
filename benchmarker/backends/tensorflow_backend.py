"""TensorFlow: the reference backend."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchmarker.errors import DeterminismError

if TYPE_CHECKING:
    from benchmarker.backends import Loss, Step, Tensors


def environment(threads: int) -> Mapping[str, str]:
    """Return the variables that must be set before TensorFlow is imported."""
    return {
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_DETERMINISTIC_OPS": "1",
        "TF_ENABLE_ONEDNN_OPTS": "1",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_NUM_INTRAOP_THREADS": str(threads),
    }


def configure(threads: int, seed: int) -> None:
    """Pin threads and switch determinism on.

    Parameters
    ----------
    threads : int
        Number of threads that one operation may use.
    seed : int
        Seed of TensorFlow's global generator: determinism requires one, although every layer has its own seed.

    Raises
    ------
    DeterminismError
        If TensorFlow was used before, or a switch has no effect.
    """
    import tensorflow as tf
    from fwr13y.d9m.tensorflow import enable_determinism

    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError as error:
        raise DeterminismError(f"TensorFlow was used before its threads were pinned: {error}") from error
    with contextlib.redirect_stdout(io.StringIO()):  # it prints a banner
        enable_determinism()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    tf.random.set_seed(seed)
    _assert_deterministic(threads)


def misses_gpu() -> bool:
    """Whether TensorFlow computes on the processor although it was installed for GPUs: it never does so silently.

    It lists a GPU whatever memory that has left, and ends with an error when it first uses one that has none.
    """
    return False


def _assert_deterministic(threads: int) -> None:
    import tensorflow as tf
    from tensorflow.python.framework import config

    wrong = [
        name
        for name, right in {
            "op determinism": config.is_op_determinism_enabled(),
            "TensorFloat-32 off": not tf.config.experimental.tensor_float_32_execution_enabled(),
            "intra-op threads": tf.config.threading.get_intra_op_parallelism_threads() == threads,
            "inter-op threads": tf.config.threading.get_inter_op_parallelism_threads() == 1,
        }.items()
        if not right
    ]
    if wrong:
        raise DeterminismError(f"TensorFlow ignored: {', '.join(wrong)}; results would not be reproducible")


def describe() -> Mapping[str, object]:
    """Return TensorFlow's version, devices and switches."""
    import os

    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    return {
        "version": tf.__version__,
        "devices": [str(tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")) for gpu in gpus]
        or ["CPU"],
        "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", ""),
        "op_determinism": True,
        "tensor_float_32": bool(tf.config.experimental.tensor_float_32_execution_enabled()),
    }


def peak_device_bytes() -> int | None:
    """Return the largest memory of TensorFlow's tensors on the first GPU so far, in bytes; None without a GPU."""
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        return None
    return int(tf.config.experimental.get_memory_info("GPU:0")["peak"])


def gradient_step(loss: Loss, optimiser: Any, trained: Sequence[Any], state: Sequence[Any]) -> Step:  # noqa: ARG001 - TensorFlow sees what changes
    """Return a compiled step; see `benchmarker.backends.gradient_step`."""
    import tensorflow as tf

    optimiser.build(trained)  # a graph cannot create the optimiser's variables in its second call

    # XLA and op determinism exclude each other.
    @tf.function(jit_compile=False)  # type: ignore[untyped-decorator]
    def step(*arrays: Any) -> Tensors:
        watched = [variable.value for variable in trained]
        # Variables that are not trained, such as those of the other network of a GAN, need not be recorded.
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(watched)
            scalar, measured = loss(*arrays)
        gradients = tape.gradient(scalar, watched, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        optimiser.apply(gradients, trained)
        return dict(measured)

    compiled: Step = step
    return compiled
