"""The kind and the message of failure of each exception."""

from __future__ import annotations

import errno
import importlib.util
import re
import sys
import types
from pathlib import Path

import pytest

from benchmarker import DataError
from benchmarker.claims import LostClaimError, share
from benchmarker.run import worker
from benchmarker.run.launcher import cell_job
from benchmarker.run.run_folders import identity
from benchmarker.run.worker import failure_kind, failure_message, is_of_machine, shown_traceback
from benchmarker.study.claims import claim
from benchmarker.study.protocol import CellJob
from benchmarker.study.runs import FinishedManifest
from tests.fixture_plugins import install
from tests.study.material import planned_cell, some_fingerprint


class ResourceExhaustedError(Exception):
    """Called as TensorFlow's is."""


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MemoryError(), "out-of-memory"),
        (ResourceExhaustedError("OOM when allocating tensor"), "out-of-memory"),
        (RuntimeError("a layer says: RESOURCE_EXHAUSTED"), "crashed"),
        (RuntimeError("cudaSetDevice() on GPU:0 failed. Status: out of memory"), "out-of-memory"),
        (RuntimeError("INTERNAL: CUDNN_STATUS_ALLOC_FAILED in cudnnCreate(&handle)"), "out-of-memory"),
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


def _raised_by_plugin(folder: Path, monkeypatch: pytest.MonkeyPatch, statement: str) -> Exception:
    """Return an exception that came through the code of an installed plugin."""
    source = f"def call():\n    {statement}\n"
    monkeypatch.syspath_prepend(install(folder, "blameworthy", source))
    monkeypatch.delitem(sys.modules, "blameworthy", raising=False)
    module: types.ModuleType = importlib.import_module("blameworthy")
    try:
        module.call()
    except (ValueError, MemoryError, OSError) as error:
        return error
    raise AssertionError("the plugin did not fail")


def test_error_from_the_code_of_a_plugin_is_that_plugins_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = _raised_by_plugin(tmp_path, monkeypatch, "int('three')")
    assert failure_kind(error) == "plugin"
    assert failure_message(error).startswith("a plugin of blameworthy 1.0 failed: ValueError: ")


def test_memory_that_a_plugin_asked_for_is_still_out_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert failure_kind(_raised_by_plugin(tmp_path, monkeypatch, "raise MemoryError")) == "out-of-memory"


def test_file_that_a_plugin_lacks_is_its_own_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was taken for a full disk once, and the cell was run again at every start."""
    error = _raised_by_plugin(tmp_path, monkeypatch, "open('/nowhere/weights.npz')")
    assert isinstance(error, FileNotFoundError)
    assert not is_of_machine(error)
    assert failure_kind(error) == "plugin"
    assert "weights.npz" in failure_message(error)


def test_full_disk_is_not_the_fault_of_a_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = _raised_by_plugin(tmp_path, monkeypatch, f"raise OSError({errno.ENOSPC}, 'No space left on device')")
    assert isinstance(error, OSError)
    assert is_of_machine(error)
    assert is_of_machine(FileNotFoundError(errno.ENOENT, "of the harness itself"))


def test_long_message_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    error = _raised_by_plugin(tmp_path, monkeypatch, "raise ValueError('x' * 5_000_000)")
    assert len(failure_message(error)) <= 500
    assert re.search(r"\(50000\d\d characters\)$", failure_message(error))
    shown = shown_traceback(error)
    assert len(shown) < 20_000
    assert "blameworthy.py" in shown
    assert "traceback.txt holds all of it" in shown


@pytest.mark.parametrize("ending", ["finished", "failed"])
@pytest.mark.parametrize("lost", ["claim", "share"])
def test_worker_that_has_lost_its_claim_or_a_share_finishes_nothing(
    tmp_path: Path, ending: str, lost: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if a network's code has made its folder again, which its successor had renamed."""
    study, cell = tmp_path / "study", planned_cell("one")
    (study / "runs").mkdir(parents=True)
    use = share(study / ".claim")
    held = claim(study, cell.run_name, [use])
    assert held is not None
    job = cell_job(study, cell, prepared=study, generators={}, claim=held.claim)

    def run(job: CellJob, *_: object) -> FinishedManifest:
        job.require_claim()
        (held.claim if lost == "claim" else use).file.unlink()
        job.folder.mkdir(parents=True)
        if ending == "failed":
            raise ValueError("no")
        return FinishedManifest(
            **identity(cell), trained=True, fingerprint=some_fingerprint(), digests={}, finished="2026-01-02"
        )

    monkeypatch.setattr(worker, "_run_cell", run)
    with pytest.raises(LostClaimError):
        worker._do(job, lambda _event: None)
    assert list(job.folder.iterdir()) == []
    assert not job.paths.finished.exists()
    assert not job.paths.failed.exists()
