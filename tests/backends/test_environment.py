"""The environment of worker processes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from benchmarker import ConfigurationError
from benchmarker.backends import chosen, worker_environment


@pytest.mark.parametrize("threads", [1, 3])
def test_worker_environment_pins_the_threads(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        monkeypatch.setenv(name, "64")
    environment = worker_environment("tensorflow", threads)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        assert environment[name] == str(threads)
    assert environment["TF_NUM_INTEROP_THREADS"] == "1"


def test_workers_take_the_memory_of_a_gpu_only_as_they_need_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_FORCE_GPU_ALLOW_GROWTH", "false")
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "true")
    monkeypatch.setenv("XLA_PYTHON_CLIENT_MEM_FRACTION", ".9")
    assert worker_environment("tensorflow", 1)["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    found = worker_environment("jax", 1)
    assert "XLA_PYTHON_CLIENT_MEM_FRACTION" not in found
    client = pytest.importorskip("jaxlib.xla_client")  # reads the variables when a GPU is opened
    for name in ("XLA_PYTHON_CLIENT_PREALLOCATE", "XLA_PYTHON_CLIENT_MEM_FRACTION"):
        monkeypatch.setenv(name, found.get(name, ""))
    options = client.generate_pjrt_gpu_plugin_options()
    assert options["preallocate"] is False
    assert "memory_fraction" not in options


def test_worker_environment_drops_switches_of_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    monkeypatch.setenv("TF_DETERMINISTIC_OPS", "0")
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_auto_jit=2")
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "OPENBLAS_CORETYPE", "MKL_CBWR", "NVIDIA_TF32_OVERRIDE"):
        monkeypatch.setenv(name, "AVX2")
    for name in ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "KERAS_HOME", "NPY_DISABLE_CPU_FEATURES"):
        monkeypatch.setenv(name, "AVX2")
    monkeypatch.setenv("PYTHONHASHSEED", "random")
    monkeypatch.setenv("HOME_OF_GALAXIES", "kept")
    environment = worker_environment("tensorflow", 2)
    assert environment["TF_ENABLE_ONEDNN_OPTS"] == "1"
    assert environment["TF_DETERMINISTIC_OPS"] == "1"
    assert not {"TF_XLA_FLAGS", "XLA_FLAGS"} & environment.keys()
    assert "AVX2" not in environment.values()
    assert environment["PYTHONHASHSEED"] == "0"
    assert environment["KERAS_BACKEND"] == "tensorflow"
    assert environment["HOME_OF_GALAXIES"] == "kept"


def test_worker_environment_does_not_change_this_process() -> None:
    before = dict(os.environ)
    worker_environment("tensorflow", 7)
    assert dict(os.environ) == before


@pytest.mark.parametrize("given", [None, "", "tensorflow"])
def test_tensorflow_is_the_default(given: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if given is None:
        monkeypatch.delenv("KERAS_BACKEND", raising=False)
    else:
        monkeypatch.setenv("KERAS_BACKEND", given)
    assert chosen() == "tensorflow"


def test_unknown_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(ConfigurationError, match=r"KERAS_BACKEND must be one of tensorflow.*'torch'"):
        chosen()


def test_worker_environment_does_not_import_tensorflow() -> None:
    script = (
        "import sys; from benchmarker.backends import worker_environment; worker_environment('tensorflow', 2); "
        "sys.exit(sorted({'tensorflow', 'keras'} & sys.modules.keys()) or 0)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_warnings_that_were_made_errors_are_warnings_in_workers_and_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONWARNINGS", "error,ignore::UserWarning,err::DeprecationWarning")
    assert worker_environment("tensorflow", 1)["PYTHONWARNINGS"] == (
        "default,ignore::UserWarning,default::DeprecationWarning"
    )
    code = (
        "import os, warnings; from benchmarker.cli import main; main(['list', 'registries']); "
        "warnings.warn('old', DeprecationWarning); print(os.environ['PYTHONWARNINGS'])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("default,ignore::UserWarning,default::DeprecationWarning\n")
