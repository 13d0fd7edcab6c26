"""The fingerprint: what of the environment may change bits, the code of plugins included."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field

from benchmarker import backends
from benchmarker._version import __version__
from benchmarker.digests import digest_json
from benchmarker.discovery import PluginCode
from benchmarker.record import Json, Record

_PACKAGES = ("keras", "numpy", "scipy", "scikit-learn", "astropy", "pillow")
# The other backend, which may be installed too, changes no result.
_BACKEND_PACKAGES = {"tensorflow": ("tensorflow",), "jax": ("jax", "jaxlib")}
# Instruction sets that numerical libraries choose their kernels by.
_ISA = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd", "sve", "bf16")


OF_PLUGINS = ("plugins", "code")
"""Entries of a fingerprint that describe the plugins of one run and not the machine."""


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


_MOST_ENTRIES = 1000
"""Packages or plugins of a run; tables compare those of all runs, and print what differs."""


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

    packages: Annotated[dict[str, str], Field(max_length=_MOST_ENTRIES)]
    """Versions of numerical packages."""

    plugins: Annotated[dict[str, str], Field(max_length=_MOST_ENTRIES)]
    """Distribution of each plugin that the run uses, such as ``"architecture mcrgnet"``."""

    code: Annotated[dict[str, str], Field(max_length=_MOST_ENTRIES)] = Field(default_factory=dict)
    """SHA-256 of the code of each of these plugins; left out in runs of versions before 0.3."""

    backend: BackendRecord
    """Backend of Keras."""

    threads: int
    """Threads that one operation may use."""

    precision: str
    """Arithmetic of the layers."""

    seeds_at_once: int | None = None
    """Number of seeds that are trained in one program; left out where each has its own."""

    @property
    def digest(self) -> str:
        """SHA-256 of the fingerprint as canonical JSON."""
        return digest_json(self.to_json())

    @property
    def environment(self) -> Json:
        """Everything but the plugins and their code, as JSON: what runs with different plugins may share."""
        environment = self.to_json()
        del environment["plugins"]
        environment.pop("code", None)
        return environment

    @property
    def own_process(self) -> Json:
        """The environment, as JSON, of what has a process of its own even where several seeds share a program.

        Generators are trained, and their images drawn, in such a process.
        """
        environment = self.environment
        environment.pop("seeds_at_once", None)
        return environment


def fingerprint(
    backend: str, threads: int, precision: str, plugins: Mapping[str, PluginCode], *, seeds_at_once: int = 1
) -> Fingerprint:
    """Return what of this process's environment may change bits.

    Parameters
    ----------
    backend : str
        Name of the backend of Keras, which is loaded and configured.
    threads, precision
        Threads of one operation and arithmetic of the layers, as the registry pins them.
    plugins : mapping of str to PluginCode
        Distribution and digest of the code of each plugin that the run uses.
    seeds_at_once : int
        Number of seeds that are trained in one program.
    """
    packages = {name: _version(name) for name in (*_PACKAGES, *_BACKEND_PACKAGES[backend])}
    return Fingerprint(
        benchmarker=__version__,
        python=platform.python_version(),
        system=platform.system(),
        machine=platform.machine(),
        isa=_instruction_sets(),
        packages={name: found for name, found in packages.items() if found is not None},
        plugins={name: plugin.distribution for name, plugin in plugins.items()},
        code={name: plugin.digest for name, plugin in plugins.items()},
        backend=BackendRecord.model_validate({"name": backend, **backends.load(backend).describe()}),
        threads=threads,
        precision=precision,
        **({} if seeds_at_once == 1 else {"seeds_at_once": seeds_at_once}),
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _instruction_sets() -> tuple[str, ...]:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return ()
    for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, flags = line.partition(":")
        if name.strip() in {"flags", "Features"}:
            return tuple(flag for flag in _ISA if flag in flags.split())
    return ()
