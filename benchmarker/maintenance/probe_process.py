"""Asks one question in a fresh process, so that nothing that hangs or crashes takes the asking command with it.

Started as ``python -m benchmarker.maintenance.probe_process`` with the question as JSON on standard input; the answer
goes to standard output. The question about a backend is asked in the environment of a worker.
"""

from __future__ import annotations

import faulthandler
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Mapping
from typing import Any


def main() -> int:
    """Answer the question on standard input."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not end up in the answer
    question = json.loads(sys.stdin.read())
    # Where it hangs, if it does, is the last that standard error holds.
    faulthandler.dump_traceback_later(question["seconds"], exit=True)
    answer = plugins() if question["about"] == "plugins" else backend(question)
    faulthandler.cancel_dump_traceback_later()
    with pipe:
        json.dump(answer, pipe)
    return 0


def backend(question: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fingerprint that a worker would note, without plugins."""
    from benchmarker import backends
    from benchmarker.study.fingerprint import fingerprint

    backends.load(question["backend"]).configure(question["threads"], 1)
    found = fingerprint(question["backend"], question["threads"], question["precision"], {})
    return {"fingerprint": found.to_json()}


def plugins() -> dict[str, Any]:
    """Return every entry point with its distribution and path, what is broken, and who registers what."""
    from benchmarker.contracts.plugins import KINDS
    from benchmarker.discovery import discover
    from benchmarker.entry_points import find

    found = discover()
    entries = [
        {
            "name": point.entry.name,
            "distribution": point.distribution,
            "path": _path(point.entry.module),
        }
        for point in find()
    ]
    broken = [
        {name: getattr(plugin, name) for name in ("name", "distribution", "error", "traceback")}
        for plugin in found.broken
    ]
    registered = {kind: {one.plugin.name: one.distribution for one in found.all(kind)} for kind in KINDS}
    return {"entries": entries, "broken": broken, "registered": registered}


def _path(module: str) -> str:
    loaded = sys.modules.get(module)
    if loaded is not None and getattr(loaded, "__file__", None):
        return str(loaded.__file__)
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return "not found"
    return str(spec.origin) if spec is not None and spec.origin else "not found"


if __name__ == "__main__":
    sys.exit(main())
