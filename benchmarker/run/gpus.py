"""Which GPUs a study may use, how much of their memory is free, and how processes share them.

``nvidia-smi`` is asked, because a backend would allocate memory on each GPU only to count them.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarker.backends import DEVICES_VARIABLE, NO_DEVICE

_MPS_VARIABLE = "CUDA_MPS_PIPE_DIRECTORY"
_MPS_FOLDER = Path("/tmp/nvidia-mps")  # noqa: S108 - NVIDIA's default
_MPS_FILES = ("control", "nvidia-cuda-mps-control.pid")  # of the daemon that clients turn to

_FIELDS = ("index", "uuid", "name", "memory.free", "compute_mode")
# Drivers older than MIG refuse a query that names it.
_QUERIES = ((*_FIELDS, "mig.mode.current"), _FIELDS)
_MIB = 1 << 20
_PATIENCE_SECONDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """A GPU that cells may run on.

    Parameters
    ----------
    name : str
        Index or UUID, as ``CUDA_VISIBLE_DEVICES`` takes it.
    free_bytes : int or None
        Memory that no process uses now; None where that is unknown, as for an instance of a divided GPU (MIG).
    exclusive : bool
        Whether it serves one process at a time.
    """

    name: str
    free_bytes: int | None = None
    exclusive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """A GPU as ``nvidia-smi`` lists it."""

    index: str
    uuid: str
    product: str
    free_bytes: int | None
    mode: str

    @property
    def exclusive(self) -> bool:
        return self.mode.startswith("Exclusive")


def gpu_names(asked: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the names of the GPUs that may be used.

    Parameters
    ----------
    asked : tuple of str, optional
        GPUs that the user names; by default those of ``CUDA_VISIBLE_DEVICES``, or else those that ``nvidia-smi`` lists.
    """
    named = _visible() if asked is None else asked
    return tuple(each.index for each in _listed()) if named is None else named


def usable_gpus(asked: tuple[str, ...] | None) -> tuple[Gpu, ...]:
    """Return the GPUs that may be used, with their free memory.

    Parameters
    ----------
    asked : tuple of str, optional
        As `gpu_names` takes it.
    """
    named = _visible() if asked is None else asked
    if named == ():
        return ()
    listed = _listed()
    return tuple(_find(name, listed) for name in (named or [each.index for each in listed]))


def mps_is_running() -> bool:
    """Whether the Multi-Process Service of NVIDIA lets processes compute on a GPU side by side."""
    folder = Path(os.environ.get(_MPS_VARIABLE) or _MPS_FOLDER)
    return any((folder / name).exists() for name in _MPS_FILES)


def _visible() -> tuple[str, ...] | None:
    """Return the GPUs that the environment names; None where it does not say."""
    visible = os.environ.get(DEVICES_VARIABLE)
    if visible is None:
        return None
    # CUDA ignores everything after the first invalid entry.
    named = [name.strip() for name in visible.split(",")]
    return tuple(named[: next((k for k, name in enumerate(named) if name in {"", NO_DEVICE}), len(named))])


def _find(name: str, listed: Sequence[_Listed]) -> Gpu:
    """Return a GPU that is named as CUDA names them: by its index, or by the beginning of its UUID."""
    if not name.isdigit():
        found = [each for each in listed if each.uuid.startswith(name)]
    elif _order_is_known(listed):
        found = [each for each in listed if each.index == name]
    else:  # any of them may be meant
        found = list(listed)
    free = [each.free_bytes for each in found]
    known = [n_bytes for n_bytes in free if n_bytes is not None]
    return Gpu(
        name=name,
        free_bytes=min(known) if free and len(known) == len(free) else None,
        exclusive=any(each.exclusive for each in found),
    )


def _order_is_known(listed: Sequence[_Listed]) -> bool:
    """Whether CUDA counts GPUs as ``nvidia-smi`` does; by default, it begins with the fastest."""
    return os.environ.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID" or len({each.product for each in listed}) <= 1


def _listed() -> list[_Listed]:
    """Return what ``nvidia-smi`` lists; nothing if it is not installed or does not answer."""
    if (command := shutil.which("nvidia-smi")) is None:
        return []
    for fields in _QUERIES:
        try:
            done = subprocess.run(
                [command, f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits"],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=_PATIENCE_SECONDS,
            )
        except (OSError, subprocess.SubprocessError):  # a driver that does not answer
            return []
        if done.returncode == 0:
            rows = csv.reader(done.stdout.splitlines(), skipinitialspace=True)
            found = [_read(row) for row in rows if len(row) == len(fields) and row[0].strip().isdigit()]
            return [each for each in found if each.mode != "Prohibited"]
    return []


def _read(row: Sequence[str]) -> _Listed:
    """Read a row; what a driver cannot tell is ``[N/A]``, ``[Not Supported]``, ``[Insufficient Permissions]``..."""
    index, uuid, product, free, mode, *mig = (value.strip() for value in row)
    # CUDA shows one instance of a divided GPU, whose memory is not that of the whole.
    known = free.isdigit() and mig != ["Enabled"]
    return _Listed(index=index, uuid=uuid, product=product, free_bytes=int(free) * _MIB if known else None, mode=mode)
