"""The fingerprint: what of the environment may change bits."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from benchmarker import backends
from benchmarker._version import __version__
from benchmarker.digests import digest_json
from benchmarker.study.record import Record

_PACKAGES = ("keras", "numpy", "scipy", "scikit-learn", "astropy", "pillow")
# Of the other backend, which may be installed too, nothing enters a result.
_BACKEND_PACKAGES = {"tensorflow": ("tensorflow",), "jax": ("jax", "jaxlib")}
# Instruction sets that numerical libraries choose their kernels by.
_ISA = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd", "sve", "bf16")


class BackendRecord(Record):
    """The backend of Keras with its switches, which each backend has its own of."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str | bool]

    name: str
    """Name of the backend."""

    version: str = ""
    """Version of the backend."""

    devices: tuple[str, ...] = ()
    """Names of the devices that the process sees."""


class Fingerprint(Record):
    """What of the environment may change bits."""

    benchmarker: str
    """Version of this program."""

    python: str
    """Version of Python."""

    system: str
    """Operating system."""

    machine: str = ""
    """Architecture of the processor."""

    isa: tuple[str, ...]
    """Instruction sets that numerical libraries choose their kernels by."""

    packages: dict[str, str]
    """Versions of numerical packages."""

    plugins: dict[str, str]
    """Distribution of each plugin that the run uses, such as ``"architecture mcrgnet"``."""

    backend: BackendRecord
    """Backend of Keras."""

    threads: int
    """Threads that one operation may use."""

    precision: str
    """Arithmetic of the layers."""

    @property
    def digest(self) -> str:
        """SHA-256 of the fingerprint as canonical JSON."""
        return digest_json(self.to_json())


def fingerprint(backend: str, threads: int, precision: str, plugins: dict[str, str]) -> dict[str, Any]:
    """Return what of this process's environment may change bits.

    Parameters
    ----------
    backend : str
        Loaded and configured.
    threads, precision
        As pinned by the registry.
    plugins : dict of str to str
        The distribution of each plugin that the cell uses.
    """
    return {
        "benchmarker": __version__,
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "isa": _instruction_sets(),
        "packages": {
            name: found for name in (*_PACKAGES, *_BACKEND_PACKAGES[backend]) if (found := _version(name)) is not None
        },
        "plugins": plugins,
        "backend": {"name": backend, **backends.load(backend).describe()},
        "threads": threads,
        "precision": precision,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _instruction_sets() -> list[str]:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return []
    for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, flags = line.partition(":")
        if name.strip() in {"flags", "Features"}:
            return [flag for flag in _ISA if flag in flags.split()]
    return []
