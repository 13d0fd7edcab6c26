"""Digests of the weights in the files of runs, computed in a process of its own.

A digest covers the weights in the order of the network's layers, which the file alone does not know; so the network is
built and the file loaded into it. ``python -m benchmarker.audit.weights`` does that for the jobs on standard input.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarker.backends import worker_environment
from benchmarker.results.study import CellRecord

CHECKPOINTS = ("best", "final")


def weight_digests(plan: Mapping[str, Any], cells: Sequence[CellRecord]) -> dict[str, dict[str, str]]:
    """Return the digests of the weights that runs keep.

    Parameters
    ----------
    plan : mapping
        Of the study; says what the networks are built for.
    cells : sequence of CellRecord
        Finished.

    Returns
    -------
    dict of str to dict of str to str
        By the key of the cell and the checkpoint; ``"error: ..."`` where a file cannot be read.
    """
    groups: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for cell in cells:
        if cell.folder is None or cell.status != "ok":
            continue
        files = {name: str((cell.folder / f"weights_{name}.weights.h5").absolute()) for name in CHECKPOINTS}
        group = (str(cell.spec["backend"]), int(cell.spec["training"]["threads"]))
        groups.setdefault(group, []).append({"key": cell.key, "spec": cell.spec, "files": files})
    found: dict[str, dict[str, str]] = {}
    for (backend, threads), jobs in groups.items():
        about = {"task": plan["dataset"]["task"], "shape": plan["dataset"]["shape"], "jobs": jobs}
        done = subprocess.run(
            [sys.executable, "-P", "-m", "benchmarker.audit.weights"],
            input=json.dumps(about).encode(),
            env=worker_environment(backend, threads),
            capture_output=True,
            check=False,
        )
        for line in done.stdout.splitlines():
            answer = json.loads(line)
            found.setdefault(answer["key"], {})[answer["checkpoint"]] = answer["digest"]
        _fill(found, jobs, done)
    return found


def _fill(
    found: dict[str, dict[str, str]], jobs: Sequence[Mapping[str, Any]], done: subprocess.CompletedProcess[bytes]
) -> None:
    """Note what a process that ended early left out."""
    said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    for job in jobs:
        answers = found.setdefault(job["key"], {})
        for checkpoint in CHECKPOINTS:
            answers.setdefault(checkpoint, f"error: the process that reads them ended with {done.returncode}: {said}")


def main() -> int:
    """Answer each job on standard input with the digests of its files, one JSON object a line."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what plugins and libraries print must not end up among the answers
    about = json.load(sys.stdin)

    def answer(key: str, checkpoint: str, digest: str) -> None:
        pipe.write(json.dumps({"key": key, "checkpoint": checkpoint, "digest": digest}) + "\n")
        pipe.flush()

    for job in about["jobs"]:
        try:
            _digest(about, job, answer)
        except BaseException as error:  # noqa: BLE001 - whatever a builder or HDF5 raises ends this cell, not the audit
            said = " ".join(str(error).split()) or type(error).__name__
            for checkpoint in CHECKPOINTS:
                answer(job["key"], checkpoint, f"error: {said}")
    return 0


def _digest(about: Mapping[str, Any], job: Mapping[str, Any], answer: Callable[[str, str, str], None]) -> None:
    from benchmarker.contracts.settings import Training
    from benchmarker.contracts.tasks import task_from_json
    from benchmarker.discovery import installed
    from benchmarker.registry import validated_options
    from benchmarker.training.build import build_model
    from benchmarker.training.fit import digest_weights

    spec = job["spec"]
    architecture = installed().architecture(spec["model"]["architecture"])
    height, width, channels = about["shape"]
    model = build_model(
        architecture,
        validated_options(architecture, spec["model"]["options"]),
        (height, width, channels),
        task_from_json(about["task"]),
        seed=int(spec["seed"]),
        precision=Training.model_validate(spec["training"]).precision,
    )
    for checkpoint, file in job["files"].items():
        if not Path(file).exists():
            answer(job["key"], checkpoint, "error: there is no such file")
            continue
        try:
            model.load_weights(file)
        except Exception as error:  # noqa: BLE001 - HDF5 and Keras raise a dozen types for a damaged file
            answer(job["key"], checkpoint, f"error: {' '.join(str(error).split())}")
            continue
        answer(job["key"], checkpoint, digest_weights(model))


if __name__ == "__main__":
    sys.exit(main())
