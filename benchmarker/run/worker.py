"""A worker process: does one cell, tells its parent how it goes, and finishes with an atomic rename.

Started by `benchmarker.run.launcher` as ``python -m benchmarker.run.worker`` with the job as one line of JSON on its
standard input, whose end means that the parent is gone. Events go to standard output, one JSON object a line;
everything that libraries print goes to standard error, which the parent keeps as ``log.txt``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from benchmarker.errors import BenchmarkerError
from benchmarker.files import read_json, remove_half_line, storage_error, write_text
from benchmarker.study.layout import FORMAT, MANIFEST_FILE, TRACEBACK_FILE
from benchmarker.study.manifest import finish, now


class _Reporter:
    """Writes events for the parent, and into the run folder."""

    def __init__(self, pipe: IO[str], file: IO[str]) -> None:
        self._streams = (pipe, file)
        self._lock = threading.Lock()  # steps are told by the thread that fetches batches

    def __call__(self, event: Mapping[str, Any]) -> None:
        line = json.dumps(event) + "\n"
        with self._lock:
            for stream in self._streams if event["event"] != "step" else self._streams[:1]:
                stream.write(line)
                stream.flush()


def failure_kind(error: Exception) -> str:
    """Return the kind of failure that an exception stands for."""
    if isinstance(error, BenchmarkerError):
        return error.kind
    # TensorFlow has a class for it; JAX says it in the first word of the message.
    exhausted = type(error).__name__ == "ResourceExhaustedError" or str(error).startswith("RESOURCE_EXHAUSTED")
    if isinstance(error, MemoryError) or exhausted:
        return "out-of-memory"
    return "crashed"


def main() -> int:
    """Do the job on standard input, and return the exit code."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what plugins and libraries print must not end up among the events
    job = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    folder = Path(job["folder"])
    cell = {name: job["cell"][name] for name in ("key", "configuration", "model", "architecture", "arm", "seed")}
    manifest: dict[str, Any] = {"format": FORMAT, **cell, "started": now()}
    remove_half_line(folder / "events.jsonl")
    with (folder / "events.jsonl").open("a", encoding="utf-8") as events:
        report = _Reporter(pipe, events)
        try:
            _work(job, folder, manifest, report)
        except Exception as error:  # noqa: BLE001 - whatever a network or plugin raises ends this cell, not the study
            if isinstance(error, OSError):
                error = storage_error(error, folder)
            manifest |= {"status": "failed", "kind": failure_kind(error), "message": str(error) or repr(error)}
            manifest |= {"traceback": traceback.format_exc(), "finished": now()}
            report({"event": "failed", "kind": manifest["kind"], "message": manifest["message"]})
            traceback.print_exc()
            write_text(folder / TRACEBACK_FILE, manifest["traceback"])
            finish(folder, Path(job["failed"]), manifest)
            return 1
        if job["weights"] is not None and Path(job["finished"]).exists():
            report({"event": "message", "text": _compare(manifest, Path(job["finished"]))})
            shutil.rmtree(folder)
            return 0
    finish(folder, Path(job["finished"]), manifest)
    return 0


def _end_with_parent() -> None:
    """End this process, and what it started, when the parent is gone: nobody would know of what it goes on writing."""
    # Not through `sys.stdin`: a thread that waits in there keeps the interpreter from ending.
    while os.read(0, 1):
        pass
    if os.getpgid(0) == os.getpid():  # as the launcher starts it
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _work(job: Mapping[str, Any], folder: Path, manifest: dict[str, Any], report: _Reporter) -> None:
    if job["cell"]["spec"].get("kind") == "generator":
        from benchmarker.generation.run import train_generator

        manifest |= {"status": "ok", **train_generator(job, folder, report), "finished": now()}
        report({"event": "finished"})
        return
    from benchmarker.run.cell import test_cell, train_cell
    from benchmarker.run.context import set_up
    from benchmarker.study.space import measure, require_cell_space

    place = set_up(job["cell"]["spec"], Path(job["prepared"]), job.get("generator"))
    space = measure(place.model, test_images=len(place.parts.test), outputs=place.data.task.n_outputs)
    report({"event": "built", "digests": place.digests, "space": space.to_json()})
    if job["weights"] is None:
        present = sum(path.stat().st_size for path in folder.glob("snapshot-*"))
        require_cell_space(folder, space, present)
        train_cell(place, folder, report)
    else:
        test_cell(place, folder, job["weights"], report)
    manifest |= {
        "status": "ok",
        "trained": job["weights"] is None,
        "fingerprint": place.fingerprint,
        "digests": place.digests,
        **({"trail": place.trail.head} if place.trail.links else {}),
        "finished": now(),
    }
    report({"event": "finished"})


def _compare(tested: Mapping[str, Any], finished: Path) -> str:
    """Say whether testing saved weights again gave what the finished run holds."""
    earlier = read_json(finished / MANIFEST_FILE)["digests"]
    differing = [name for name, digest in tested["digests"].items() if earlier.get(name) != digest]
    name = f"{tested['model']} / {tested['arm']} / seed {tested['seed']}"
    if not differing:
        return f"{name}: the saved weights give the same predictions as the finished run, bit for bit"
    return (
        f"{name}: {', '.join(differing)} differ from the finished run, which stays as it is; choose another -p for both"
    )


if __name__ == "__main__":
    sys.exit(main())
