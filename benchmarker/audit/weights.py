"""Digests of the weights in the files of runs, computed in a separate process.

A digest covers the weights in the order of the network's layers, which the file alone does not know. So the network is
built, and the file loaded into it. ``python -m benchmarker.audit.weights`` does that for the request on standard input.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarker.backends import worker_environment
from benchmarker.record import Record, TaskRecord
from benchmarker.results.study import CellRecord
from benchmarker.study.layout import CHECKPOINTS, weights_file
from benchmarker.study.plan import DatasetRecord
from benchmarker.study.specs import CellSpec


class WeightsJob(Record):
    """The files of weights of one run."""

    key: str
    """Key of the cell."""

    spec: CellSpec
    """Specification of the cell, which the network is built from."""

    files: dict[str, Path]
    """File of each checkpoint."""


class WeightsRequest(Record):
    """What the process is asked for."""

    task: TaskRecord
    """What the networks predict."""

    shape: tuple[int, int, int]
    """Height, width and channels of an image, in pixels."""

    jobs: tuple[WeightsJob, ...]
    """Runs with the same backend and number of threads."""


class WeightsDigest(Record):
    """Digest of the weights in one file."""

    key: str
    """Key of the cell."""

    checkpoint: str
    """Checkpoint of the weights."""

    digest: str = ""
    """SHA-256 of the weights; empty if they cannot be read."""

    problem: str = ""
    """Why the weights cannot be read; empty otherwise."""


def weight_digests(dataset: DatasetRecord, cells: Sequence[CellRecord]) -> dict[str, dict[str, WeightsDigest]]:
    """Return the digests of the weights that runs keep.

    Parameters
    ----------
    dataset : DatasetRecord
        Images that the networks are built for.
    cells : sequence of CellRecord
        Cells to look at; those without a finished run are left out.

    Returns
    -------
    dict of str to dict of str to WeightsDigest
        Digests by the key of the cell and the checkpoint.
    """
    groups: dict[tuple[str, int], list[WeightsJob]] = {}
    for cell in cells:
        if cell.folder is not None and cell.status == "ok":
            files = {name: (cell.folder / weights_file(name)).absolute() for name in CHECKPOINTS}
            job = WeightsJob(key=cell.key, spec=cell.spec, files=files)
            groups.setdefault((cell.spec.backend, cell.spec.threads), []).append(job)
    found: dict[str, dict[str, WeightsDigest]] = {}
    for (backend, threads), jobs in groups.items():
        request = WeightsRequest(task=dataset.task, shape=dataset.shape, jobs=tuple(jobs))
        done = subprocess.run(
            [sys.executable, "-P", "-m", "benchmarker.audit.weights"],
            input=request.model_dump_json(exclude_unset=True).encode(),
            env=worker_environment(backend, threads),
            capture_output=True,
            check=False,
        )
        for answer in (*_missing(jobs, done), *map(WeightsDigest.model_validate_json, done.stdout.splitlines())):
            found.setdefault(answer.key, {})[answer.checkpoint] = answer
    return found


def _missing(jobs: Sequence[WeightsJob], done: subprocess.CompletedProcess[bytes]) -> Iterator[WeightsDigest]:
    """Yield an answer for every file, to be replaced by those of the process unless it ended early."""
    printed = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    problem = f"the process that reads them ended with code {done.returncode}: {printed}"
    for job in jobs:
        for checkpoint in job.files:
            yield WeightsDigest(key=job.key, checkpoint=checkpoint, problem=problem)


def main() -> int:
    """Answer the request on standard input with one JSON object for each file."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever plugins and libraries print must not end up among the answers
    request = WeightsRequest.model_validate_json(sys.stdin.read())

    def answer(found: WeightsDigest) -> None:
        pipe.write(found.model_dump_json() + "\n")
        pipe.flush()

    for job in request.jobs:
        try:
            _digest(request, job, answer)
        except BaseException as error:  # noqa: BLE001 - whatever a builder raises ends this cell, not the audit
            for checkpoint in job.files:
                answer(WeightsDigest(key=job.key, checkpoint=checkpoint, problem=_described(error)))
    return 0


def _described(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _digest(request: WeightsRequest, job: WeightsJob, answer: Callable[[WeightsDigest], None]) -> None:
    from benchmarker.discovery import installed
    from benchmarker.registry import validated_options
    from benchmarker.training.build import build_model
    from benchmarker.training.fit import digest_weights

    architecture = installed().architecture(job.spec.model.architecture)
    model = build_model(
        architecture,
        validated_options(architecture, job.spec.model.options),
        request.shape,
        request.task,
        seed=job.spec.seed,
        precision=job.spec.training.precision,
    )
    for checkpoint, file in job.files.items():
        if not file.exists():
            answer(WeightsDigest(key=job.key, checkpoint=checkpoint, problem="there is no such file"))
            continue
        try:
            model.load_weights(str(file))
        except Exception as error:  # noqa: BLE001 - HDF5 and Keras raise a dozen types for a damaged file
            answer(WeightsDigest(key=job.key, checkpoint=checkpoint, problem=_described(error)))
            continue
        answer(WeightsDigest(key=job.key, checkpoint=checkpoint, digest=digest_weights(model)))


if __name__ == "__main__":
    sys.exit(main())
