"""Diagnoses this machine: versions, backend, cache, disks and plugins, and how all that compares with a study."""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarker import backends
from benchmarker._version import __version__
from benchmarker.contracts.settings import Training
from benchmarker.disk import free_bytes, nearest_existing
from benchmarker.errors import ConfigurationError, StorageError
from benchmarker.maintenance.file_system import FileSystem
from benchmarker.maintenance.file_system import probe as probe_file_system
from benchmarker.maintenance.probes import (
    SECONDS,
    BackendAnswer,
    Outcome,
    PluginsAnswer,
    probe_backend,
    probe_plugins,
)
from benchmarker.paths import CACHE_VARIABLE, cache_folder
from benchmarker.results.environments import Fingerprints, differences, in_words
from benchmarker.results.study import CellRecord, Study
from benchmarker.study.fingerprint import Fingerprint

FORMAT = 1
_SIZE_SECONDS = 10.0
"""Time to add up the size of the cache, which may hold very many files on a slow disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRuns:
    """Runs of a study that compare alike with this machine.

    Parameters
    ----------
    runs : list of str
        Model, arm and seed of each.
    reasons : list of str
        What would keep new results from agreeing with theirs bit for bit, the most important reason first.
    """

    runs: list[str]
    reasons: list[str]


@dataclass(slots=True, kw_only=True)
class Comparison:
    """How this machine compares with a study.

    Parameters
    ----------
    study : str
        Path of the study.
    finished : int
        Number of finished runs; only these record an environment.
    environments : list of ComparedRuns
        Environments of the study; the one with most runs first.
    notes : list of str
        What else the user should know.
    """

    study: str
    finished: int = 0
    environments: list[ComparedRuns] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def bitwise(self) -> bool:
        """Whether no reason is known why results would not agree bit for bit."""
        return all(not environment.reasons for environment in self.environments)

    @property
    def verdict(self) -> str:
        """The comparison in one sentence."""
        if not self.finished:
            return "no run of this study has finished, so there is nothing to compare with"
        if self.bitwise:
            return f"results computed here should agree bit for bit with its {self.finished} finished run(s)"
        apart = sum(len(environment.runs) for environment in self.environments if environment.reasons)
        return f"results computed here would not agree bit for bit with {apart} of its {self.finished} finished run(s)"

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        return {"verdict": self.verdict, "bitwise": self.bitwise, **asdict(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A folder that the benchmarker writes to.

    Parameters
    ----------
    name, path : str
        ``"cache"`` or ``"results"``, and the path of the folder.
    free_bytes : int or None
        Free space in bytes; None where it is unknown.
    writable : bool
        Whether the folder can be written.
    parts : mapping of str to int, optional
        Size of each part of the cache in bytes.
    complete : bool
        Whether there was time to add up everything in the parts.
    file_system : FileSystem or None
        What was seen of its file system.
    """

    name: str
    path: str
    free_bytes: int | None
    writable: bool
    parts: Mapping[str, int] | None = None
    complete: bool = True
    file_system: FileSystem | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the disk as JSON."""
        facts: dict[str, Any] = {
            "name": self.name,
            "path": self.path,
            "free_bytes": self.free_bytes,
            "writable": self.writable,
            "file_system": None if self.file_system is None else self.file_system.to_json(),
        }
        return facts if self.parts is None else {**facts, "bytes": dict(self.parts), "complete": self.complete}


@dataclass(slots=True, kw_only=True)
class Diagnosis:
    """What the doctor found.

    Parameters
    ----------
    machine : dict of str to str
        Versions of this program and of Python, processor and memory.
    backend : str
        Backend of a run started here.
    fingerprint : Fingerprint or None
        Fingerprint that a worker with this backend would record, without plugins; None if the backend does not start.
    environment, ignored : dict of str to str
        Environment variables that are set for workers, and variables of this shell that are not passed to them.
    disks : list of Disk
        Cache and results.
    plugins : PluginsAnswer or None
        Installed plugins; None if they could not be listed.
    problems : list of str
        Whatever does not work, with advice.
    details : dict of str to str
        Output of probes that failed, by their subject.
    comparison : Comparison, optional
        Comparison with a study.
    """

    machine: dict[str, str] = field(default_factory=dict)
    backend: str = ""
    fingerprint: Fingerprint | None = None
    environment: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)
    disks: list[Disk] = field(default_factory=list)
    plugins: PluginsAnswer | None = None
    problems: list[str] = field(default_factory=list)
    details: dict[str, str] = field(default_factory=dict)
    comparison: Comparison | None = None

    @property
    def healthy(self) -> bool:
        """Whether everything works, and results would agree bit for bit with those of the study."""
        return not self.problems and (self.comparison is None or self.comparison.bitwise)

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON."""
        return {
            "format": FORMAT,
            "machine": self.machine,
            "backend": self.backend,
            "fingerprint": {} if self.fingerprint is None else self.fingerprint.to_json(),
            "environment": self.environment,
            "ignored": self.ignored,
            "disks": [disk.to_json() for disk in self.disks],
            "plugins": {} if self.plugins is None else self.plugins.to_json(),
            "problems": self.problems,
            "details": self.details,
            **({} if self.comparison is None else {"study": self.comparison.to_json()}),
        }


def diagnose(study: Study | None = None, *, results: Path = Path("results"), seconds: float = SECONDS) -> Diagnosis:
    """Examine this machine; this takes some seconds, because a backend is started.

    Parameters
    ----------
    study : Study, optional
        Study to compare with.
    results : Path
        Folder whose disk is examined where no study is given.
    seconds : float
        Longest wait for the backend, and for the list of plugins.
    """
    found = Diagnosis(machine=_machine())
    wanted = _backends(study, found)
    training = Training()
    with contextlib.ExitStack() as stack:
        plugins = probe_plugins(seconds)
        stack.callback(plugins.end)
        started = {}
        for name in wanted:
            started[name] = probe_backend(name, training.threads, training.precision, seconds)
            stack.callback(started[name].end)
        found.disks = [*_cache(found), _disk("results", study.folder if study else results, found)]
        _take_plugins(found, plugins.outcome())
        prints = dict(_take_backends(found, {name: probe.outcome() for name, probe in started.items()}))
    if found.backend in wanted:
        found.fingerprint = prints.get(found.backend)
        given = backends.worker_environment(found.backend, training.threads)
        found.environment = {name: value for name, value in given.items() if os.environ.get(name) != value}
        found.ignored = {name: value for name, value in sorted(os.environ.items()) if given.get(name) != value}
    if study is not None:
        found.comparison = compare(study, prints, found.plugins, chosen=found.backend)
    return found


def _backends(study: Study | None, found: Diagnosis) -> list[str]:
    """Return the backends to start: that of a run started here, and those of the study."""
    wanted = []
    try:
        found.backend = backends.chosen()
        wanted.append(found.backend)
    except ConfigurationError as error:
        found.backend = os.environ.get("KERAS_BACKEND", "")
        found.problems.append(str(error))
    used = (cell.fingerprint.backend.name for cell in (study.cells if study else ()) if cell.fingerprint is not None)
    return list(dict.fromkeys((*wanted, *(name for name in used if name in backends.BACKENDS))))


def _take_plugins(found: Diagnosis, outcome: Outcome[PluginsAnswer]) -> None:
    found.plugins = outcome.answer
    if outcome.answer is None:
        found.problems.append(f"plugins cannot be listed: {outcome.problem}; one of them may hang or crash at import")
        found.details["plugins"] = outcome.output
        return
    found.problems += [
        f"the plugin {plugin.name} from {plugin.distribution} is broken: {plugin.error}"
        for plugin in outcome.answer.broken
    ]


def _take_backends(
    found: Diagnosis, outcomes: Mapping[str, Outcome[BackendAnswer]]
) -> Iterator[tuple[str, Fingerprint]]:
    for name, outcome in outcomes.items():
        if outcome.answer is not None:
            yield name, outcome.answer.fingerprint
        else:
            found.problems.append(f"the backend {name} does not start: {outcome.problem}")
            found.details[name] = outcome.output


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


def _cache(found: Diagnosis) -> Iterator[Disk]:
    try:
        folder = cache_folder()
    except ConfigurationError as error:
        found.problems.append(str(error))
        return
    deadline = time.monotonic() + _SIZE_SECONDS
    sizes: dict[str, int] = {}
    complete = True
    for part in sorted(folder.iterdir()) if folder.is_dir() else ():
        if part.is_dir():
            sizes[part.name], finished = _size(part, deadline)
            complete = complete and finished
    yield _disk("cache", folder, found, parts=sizes, complete=complete)


def _size(folder: Path, deadline: float) -> tuple[int, bool]:
    """Return the bytes in a folder, and whether there was time to add up all of them."""
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
        except OSError:  # removed meanwhile, or not readable
            continue
    return total, True


def _disk(
    name: str, folder: Path, found: Diagnosis, *, parts: Mapping[str, int] | None = None, complete: bool = True
) -> Disk:
    existing = nearest_existing(folder)
    writable = existing.is_dir() and os.access(existing, os.W_OK)
    if not writable:
        remedy = f"{CACHE_VARIABLE} names another one" if name == "cache" else "choose another one"
        found.problems.append(f"the folder for {name} cannot be written: {folder}; {remedy}")
    try:
        free: int | None = free_bytes(folder)
    except StorageError as error:
        free = None
        found.problems.append(str(error))
    file_system = probe_file_system(folder) if writable else None
    for problem in () if file_system is None else file_system.problems:
        found.problems.append(
            f"the file system of {folder} cannot be used for {name}: {problem}; choose another folder"
        )
    return Disk(
        name=name,
        path=str(folder),
        free_bytes=free,
        writable=writable,
        parts=parts,
        complete=complete,
        file_system=file_system,
    )


def compare(
    study: Study,
    here: Mapping[str, Fingerprint],
    plugins: PluginsAnswer | None,
    *,
    chosen: str,
) -> Comparison:
    """Compare this machine with the runs of a study.

    Parameters
    ----------
    study : Study
        Study, as `read_study` returns it.
    here : mapping of str to Fingerprint
        Fingerprint of each backend that starts here.
    plugins : PluginsAnswer or None
        Plugins that are installed here; None where they could not be listed.
    chosen : str
        Backend of a run started here.
    """
    found = Comparison(study=str(study.folder))
    prints = Fingerprints()
    groups: dict[tuple[bytes, tuple[str, ...]], list[str]] = {}
    used: set[str] = set()
    for cell in study.cells:
        if cell.fingerprint is None:
            continue
        found.finished += 1
        used.add(cell.fingerprint.backend.name)
        reasons = _reasons(cell, cell.fingerprint, here, plugins)
        # Runs of one environment differ in the plugins that they use.
        groups.setdefault((prints.key(cell.fingerprint, plugins=False), tuple(reasons)), []).append(cell.name)
    found.environments = [
        ComparedRuns(runs=runs, reasons=list(reasons))
        for (_, reasons), runs in sorted(groups.items(), key=lambda group: (-len(group[1]), group[1]))
    ]
    for name in sorted(used - {chosen}):
        found.notes.append(f"a run started here would use {chosen or 'no backend'}: set KERAS_BACKEND={name} to go on")
    if len({environment for environment, _ in groups}) > 1:
        found.notes.append("its own runs come from different environments, which the leaderboard keeps apart")
    return found


def _reasons(
    cell: CellRecord,
    there: Fingerprint,
    here: Mapping[str, Fingerprint],
    plugins: PluginsAnswer | None,
) -> Sequence[str]:
    own = here.get(there.backend.name)
    if own is None:
        return [f"its backend {there.backend.name} does not start here"]
    training = cell.spec.training
    code = {} if plugins is None else plugins.code
    # Threads, precision and the seeds of a program are pinned by the plan, wherever a cell is run.
    pinned = {
        "threads": training.threads,
        "precision": training.precision,
        "plugins": there.plugins if plugins is None else _distributions(there.plugins, plugins.registered),
        "code": there.code if plugins is None else {name: code[name] for name in there.code if name in code},
        **({} if training.seeds_at_once == 1 else {"seeds_at_once": training.seeds_at_once}),
    }
    return [in_words(difference) for difference in differences([there, own.model_copy(update=pinned)])]


def _distributions(used: Mapping[str, str], registered: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return the distributions of a run's plugins on this machine."""
    found = {}
    for entry in used:
        kind, _, name = entry.partition(" ")
        distribution = registered.get(kind, {}).get(name)
        if distribution is not None:
            found[entry] = distribution
    return found
