"""Gathers what the doctor tells: versions, backend, cache and disk, plugins, and how it all compares with a study."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarker import backends
from benchmarker._version import __version__
from benchmarker.contracts.settings import Training
from benchmarker.data.cache import cache_folder
from benchmarker.disk import free_bytes, nearest_existing
from benchmarker.errors import ConfigurationError, StorageError
from benchmarker.maintenance.comparison import Comparison, compare
from benchmarker.maintenance.probes import SECONDS, Answer, Probe, ask_backend, ask_plugins
from benchmarker.results.study import Study

# A cache on a slow disk may hold more files than anybody wants to wait for.
_SIZE_SECONDS = 10.0


@dataclass(slots=True, kw_only=True)
class Diagnosis:
    """What the doctor found.

    Parameters
    ----------
    machine : mapping of str to str
        Program, Python, processor and memory.
    backend : str
        That a run started here would use.
    fingerprint : mapping
        That a worker of this backend would note, without plugins; empty if it could not be asked.
    environment : mapping of str to str
        Variables that workers are given; ``ignored`` are those of this shell that are kept from them.
    ignored : mapping of str to str
        See above.
    disks : list of mapping
        Cache and results: ``name``, ``path``, ``free_bytes``, ``writable``; of the cache its parts in ``bytes``.
    plugins : mapping
        ``entries``, ``broken`` and ``registered``; empty if they could not be asked.
    problems : list of str
        What keeps something from working, each with what to do.
    details : mapping of str to str
        The output of probes that failed, by what they were asked about.
    comparison : Comparison, optional
        With the study that was given.
    """

    machine: dict[str, str] = field(default_factory=dict)
    backend: str = ""
    fingerprint: Mapping[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)
    disks: list[dict[str, Any]] = field(default_factory=list)
    plugins: Mapping[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    details: dict[str, str] = field(default_factory=dict)
    comparison: Comparison | None = None

    @property
    def healthy(self) -> bool:
        """Whether everything works, and nothing keeps results from being bitwise comparable with the study."""
        return not self.problems and (self.comparison is None or self.comparison.bitwise)

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        names = (
            "machine",
            "backend",
            "fingerprint",
            "environment",
            "ignored",
            "disks",
            "plugins",
            "problems",
            "details",
        )
        study = {"study": self.comparison.to_json()} if self.comparison else {}
        return {"format": 1, **{name: getattr(self, name) for name in names}, **study}


def diagnose(study: Study | None = None, *, results: Path = Path("results"), seconds: float = SECONDS) -> Diagnosis:
    """Look at this machine; takes some seconds, because a backend is started.

    Parameters
    ----------
    study : Study, optional
        To compare with.
    results : Path
        Whose disk is looked at without a study.
    seconds : float
        Longest wait for an answer of a backend, and of the plugins.
    """
    found = Diagnosis(machine=_machine())
    wanted = _backends(study, found)
    probes: dict[str, Probe] = {}
    try:
        probes["plugins"] = ask_plugins(seconds)
        training = Training()
        for name in wanted:
            probes[name] = ask_backend(name, training.threads, training.precision, seconds)
        found.disks = [_cache(found), _disk("results", study.folder if study else results, found)]
        answers = {name: probe.answer() for name, probe in probes.items()}
    finally:
        for probe in probes.values():
            probe.end()
    _take_plugins(found, answers.pop("plugins"))
    prints = _take_backends(found, answers)
    if found.backend in wanted:
        found.fingerprint = prints.get(found.backend, {})
        threads = Training().threads
        given = backends.worker_environment(found.backend, threads)
        found.environment = {name: value for name, value in given.items() if os.environ.get(name) != value}
        found.ignored = {name: value for name, value in sorted(os.environ.items()) if given.get(name) != value}
    if study is not None:
        found.comparison = compare(study, prints, found.plugins.get("registered"), chosen=found.backend)
    return found


def _backends(study: Study | None, found: Diagnosis) -> list[str]:
    """Return the backends to start: the one that a run would use, and those of the study."""
    wanted = []
    try:
        found.backend = backends.chosen()
        wanted.append(found.backend)
    except ConfigurationError as error:
        found.backend = os.environ.get("KERAS_BACKEND", "")
        found.problems.append(str(error))
    for cell in study.cells if study else ():
        backend = cell.fingerprint.get("backend")
        name = backend.get("name") if isinstance(backend, dict) else None
        if name in backends.BACKENDS and name not in wanted:
            wanted.append(name)
    return wanted


def _take_plugins(found: Diagnosis, answer: Answer) -> None:
    if answer.value is None:
        found.problems.append(f"plugins cannot be found out: {answer.problem}; one of them may hang or crash at import")
        found.details["plugins"] = answer.output
        return
    found.plugins = answer.value
    found.problems += [
        f"the plugin {plugin['name']} from {plugin['distribution']} is broken: {plugin['error']}"
        for plugin in answer.value["broken"]
    ]


def _take_backends(found: Diagnosis, answers: Mapping[str, Answer]) -> dict[str, Mapping[str, Any]]:
    prints = {}
    for name, answer in answers.items():
        if answer.value is not None:
            prints[name] = answer.value["fingerprint"]
        else:
            found.problems.append(f"the backend {name} does not start: {answer.problem}")
            found.details[name] = answer.output
    return prints


def _machine() -> dict[str, str]:
    return {
        "benchmarker": f"{__version__} ({Path(__file__).resolve().parents[1]})",
        "python": f"{platform.python_version()} ({sys.executable})",
        "system": platform.platform(),
        "processor": f"{_processor()}, {len(os.sched_getaffinity(0))} of {os.cpu_count()} cores",
        "memory": _memory(),
    }


def _processor() -> str:
    for line in _lines(Path("/proc/cpuinfo")):
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _memory() -> str:
    sizes = dict(line.split(":", 1) for line in _lines(Path("/proc/meminfo")) if ":" in line)
    total, available = (sizes.get(name, "").split() for name in ("MemTotal", "MemAvailable"))
    if not total or not available:
        return "unknown"
    return f"{int(available[0]) / 2**20:.1f} of {int(total[0]) / 2**20:.1f} GiB available"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _cache(found: Diagnosis) -> dict[str, Any]:
    folder = cache_folder()
    disk = _disk("cache", folder, found)
    deadline = time.monotonic() + _SIZE_SECONDS
    sizes: dict[str, int] = {}
    complete = True
    for part in sorted(folder.iterdir()) if folder.is_dir() else ():
        if part.is_dir():
            sizes[part.name], finished = _size(part, deadline)
            complete = complete and finished
    return {**disk, "bytes": sizes, "complete": complete}


def _size(folder: Path, deadline: float) -> tuple[int, bool]:
    """Return the bytes in a folder, and whether there was time to look at all of it."""
    total = 0
    stack = [str(folder)]
    while stack:
        if time.monotonic() > deadline:
            return total, False
        try:
            with os.scandir(stack.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        stack.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:  # gone, or not ours to look into
            continue
    return total, True


def _disk(name: str, folder: Path, found: Diagnosis) -> dict[str, Any]:
    existing = nearest_existing(folder)
    writable = existing.is_dir() and os.access(existing, os.W_OK)
    if not writable:
        found.problems.append(f"the folder for {name} cannot be written: {folder}; choose another one")
    try:
        free: int | None = free_bytes(folder)
    except StorageError as error:
        free = None
        found.problems.append(str(error))
    return {"name": name, "path": str(folder), "free_bytes": free, "writable": writable}
