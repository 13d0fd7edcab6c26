"""The fingerprint: what of the environment may change bits, and digests of the code of plugins."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.machinery import EXTENSION_SUFFIXES, SOURCE_SUFFIXES
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from pydantic import ConfigDict

from benchmarker import backends
from benchmarker._version import __version__
from benchmarker.digests import digest_file, digest_json
from benchmarker.record import Json, Record

_PACKAGES = ("keras", "numpy", "scipy", "scikit-learn", "astropy", "pillow")
# The other backend, which may be installed too, changes no result.
_BACKEND_PACKAGES = {"tensorflow": ("tensorflow",), "jax": ("jax", "jaxlib")}
# Instruction sets that numerical libraries choose their kernels by.
_ISA = ("sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd", "sve", "bf16")
_CODE_SUFFIXES = (*SOURCE_SUFFIXES, *EXTENSION_SUFFIXES)


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

    @property
    def environment(self) -> Json:
        """Everything but the plugins, as JSON: what runs with different plugins may share."""
        environment = self.to_json()
        del environment["plugins"]
        return environment


def fingerprint(backend: str, threads: int, precision: str, plugins: Mapping[str, str]) -> Fingerprint:
    """Return what of this process's environment may change bits.

    Parameters
    ----------
    backend : str
        Name of the backend of Keras, which is loaded and configured.
    threads, precision
        Threads of one operation and arithmetic of the layers, as the registry pins them.
    plugins : mapping of str to str
        Distribution of each plugin that the run uses.
    """
    packages = {name: _version(name) for name in (*_PACKAGES, *_BACKEND_PACKAGES[backend])}
    return Fingerprint(
        benchmarker=__version__,
        python=platform.python_version(),
        system=platform.system(),
        machine=platform.machine(),
        isa=_instruction_sets(),
        packages={name: found for name, found in packages.items() if found is not None},
        plugins=dict(plugins),
        backend=BackendRecord.model_validate({"name": backend, **backends.load(backend).describe()}),
        threads=threads,
        precision=precision,
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


def digest_code(reference: str) -> str:
    """Return the SHA-256 of the code that a builder is part of: of its package, or of its module alone.

    The same files give the same digest wherever and whenever they were installed. Code that the package imports from
    elsewhere is not part of it.

    Parameters
    ----------
    reference : str
        Builder as ``"package.module:function"``, which can be imported.
    """
    names = reference.partition(":")[0].split(".")
    files: dict[str, Path] = {}
    for length in range(1, len(names) + 1):
        spec = find_spec(".".join(names[:length]))
        if spec is None or spec.origin is None:  # a namespace, which packages of others share
            continue
        for folder in map(Path, spec.submodule_search_locations or ()):
            found = (path for path in folder.rglob("*") if path.name.endswith(_CODE_SUFFIXES) and path.is_file())
            files |= {path.relative_to(folder).as_posix(): path for path in found}
        files = files or {Path(spec.origin).name: Path(spec.origin)}
        break
    return digest_json({name: digest_file(path) for name, path in files.items() if path.is_file()})
