"""Trials of plugins: a distribution that is new or was changed is imported in another process first.

Importing a module runs its code. It may end the process (``os._exit``, a crash in compiled code), wait for ever, or
leave a thread that does so later, and no ``except`` helps against any of these. `benchmarker list`, `validate` and
`schema` must not end or hang with it, so such a plugin is found out in another process and refused.

The verdict is kept in the cache under the path, size and modification time of the plugin's files: a plugin that is
known costs a look at these, and no process.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path

from benchmarker.digests import digest_json
from benchmarker.entry_points import Found
from benchmarker.errors import ConfigurationError, StorageError
from benchmarker.files import make_folder, write_json
from benchmarker.paths import cache_folder

SECONDS = 60.0
"""How long the import of a plugin may take; one that imports TensorFlow takes some ten seconds."""

_FOLDER = "plugins"
_FORMAT = 1
_LATE_SECONDS = 600.0
_MOST_FILES = 5000


def problems(points: Sequence[Found]) -> dict[Found, str]:
    """Return the plugins that must not be imported into this process, and why.

    Parameters
    ----------
    points : sequence of Found
        Entry points of plugins.
    """
    verdicts = {point: _known(point) for point in points if not point.is_own}
    unknown = [point for point, verdict in verdicts.items() if verdict is None]
    # One process for all of them is enough as long as none misbehaves.
    together = _try(unknown) if len(unknown) > 1 else None
    for point in unknown:
        verdicts[point] = "" if together == "" else _try([point])
        _keep(point, verdicts[point] or "")
    return {point: verdict for point, verdict in verdicts.items() if verdict}


def _try(points: Sequence[Found]) -> str:
    """Import plugins in another process; return what is wrong with them, or an empty string."""
    import subprocess  # known plugins do not need it

    question = {
        "path": sys.path,
        "points": [[point.entry.name, point.entry.value, point.distribution] for point in points],
    }
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "benchmarker.trial_process"],
            input=json.dumps(question).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=SECONDS,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        return f"importing it takes longer than {SECONDS:.0f} s"
    except OSError:  # no process can be started, and then nothing else works either
        return ""
    try:
        return str(json.loads(done.stdout)["problem"])
    except (ValueError, KeyError, TypeError):
        ended = f"signal {-done.returncode}" if done.returncode < 0 else f"exit code {done.returncode}"
        return f"importing it ends the process ({ended})"


def _known(point: Found) -> str | None:
    """Return the verdict in the cache; None if there is none for the plugin as it is now."""
    try:
        path = _verdict_file(point)
        verdict = json.loads(path.read_bytes())
        age = time.time() - path.stat().st_mtime
        return None if verdict["late"] and age > _LATE_SECONDS else str(verdict["problem"])
    except (OSError, ValueError, KeyError, TypeError, ConfigurationError):
        return None


def _keep(point: Found, problem: str) -> None:
    try:
        path = _verdict_file(point)
        make_folder(path.parent)
        # A machine that is busy may have been the reason, so this verdict does not last.
        write_json(path, {"problem": problem, "late": "takes longer" in problem})
    except (OSError, StorageError, ConfigurationError):  # without a cache, each process tries again
        return


def _verdict_file(point: Found) -> Path:
    module = point.entry.module.partition(".")[0]
    identity = {
        "format": _FORMAT,
        "python": [sys.executable, sys.version],
        "entry": [point.entry.value, point.distribution],
        "files": list(_files(module)),
    }
    return cache_folder() / _FOLDER / f"{digest_json(identity)[:32]}.json"


def _files(module: str) -> Iterator[list[str | int]]:
    """Yield path, size and modification time of the files of a module, without importing it."""
    for number, path in enumerate(_paths(_spec(module))):
        if number == _MOST_FILES:
            return
        try:
            status = Path(path).stat()
        except OSError:
            continue
        yield [path, status.st_size, status.st_mtime_ns]


def _spec(module: str) -> ModuleSpec | None:
    # Not by `importlib.util.find_spec`, which answers from the modules that are imported already.
    finders = (getattr(finder, "find_spec", None) for finder in sys.meta_path)
    return next((spec for finder in finders if finder is not None and (spec := _found(finder, module))), None)


def _found(finder: Callable[[str, None], ModuleSpec | None], module: str) -> ModuleSpec | None:
    try:
        return finder(module, None)
    except Exception:  # noqa: BLE001 - it belongs to whoever installed it
        return None


def _paths(spec: ModuleSpec | None) -> Iterator[str]:
    if spec is None:
        return
    if not spec.submodule_search_locations:
        yield from [spec.origin] if spec.origin else []
        return
    for folder in spec.submodule_search_locations:
        for parent, folders, names in os.walk(folder):
            folders[:] = sorted(name for name in folders if name != "__pycache__")
            yield from (os.path.join(parent, name) for name in sorted(names) if name.endswith((".py", ".so")))  # noqa: PTH118
