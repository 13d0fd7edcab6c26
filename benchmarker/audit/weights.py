"""Digests of the weights in the files of runs, computed in a separate process.

A digest covers the weights in the order of the network's layers, which the file alone does not know. So the network is
built, and the file loaded into it. ``python -m benchmarker.audit.weights`` does that for the request on standard input.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarker.backends import worker_environment
from benchmarker.errors import shorten
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

    code: str = ""
    """SHA-256 of the network's code when it was trained; empty where the run does not say."""


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
    """Why there is no digest; empty otherwise."""

    damaged: bool = False
    """Whether the file is missing, or holds no weights of the network; otherwise a problem says nothing about it."""


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
            groups.setdefault((cell.spec.backend, cell.spec.threads), []).append(_job(cell, cell.folder))
    found: dict[str, dict[str, WeightsDigest]] = {}
    for (backend, threads), jobs in groups.items():
        for answer in _answers(dataset, jobs, worker_environment(backend, threads)):
            found.setdefault(answer.key, {})[answer.checkpoint] = answer
    return found


def _job(cell: CellRecord, folder: Path) -> WeightsJob:
    files = {name: (folder / weights_file(name)).absolute() for name in CHECKPOINTS}
    fingerprint = cell.fingerprint
    code = "" if fingerprint is None else fingerprint.code.get(_code_name(cell.spec), "")
    return WeightsJob(key=cell.key, spec=cell.spec, files=files, **({"code": code} if code else {}))


def _code_name(spec: CellSpec) -> str:
    return f"architecture {spec.model.architecture}"


def _answers(dataset: DatasetRecord, jobs: list[WeightsJob], environment: Mapping[str, str]) -> Iterator[WeightsDigest]:
    """Yield an answer for every file; a network that ends the process does not keep the others from being read."""
    left = jobs
    while left:
        request = WeightsRequest(task=dataset.task, shape=dataset.shape, jobs=tuple(left))
        done = subprocess.run(
            [sys.executable, "-P", "-m", "benchmarker.audit.weights"],
            input=request.model_dump_json(exclude_unset=True).encode(),
            env=environment,
            capture_output=True,
            check=False,
        )
        answers = [WeightsDigest.model_validate_json(line) for line in done.stdout.splitlines()]
        yield from answers
        answered = {(answer.key, answer.checkpoint) for answer in answers}
        left = [job for job in left if any((job.key, name) not in answered for name in job.files)]
        # A signal, such as that of a system without memory, ended the network that was being read. Anything else ended
        # the process itself, and would end the next one as well.
        ended, left = (left[:1], left[1:]) if done.returncode < 0 else (left, [])
        for answer in _missing(ended, done):
            if (answer.key, answer.checkpoint) not in answered:
                yield answer


def _missing(jobs: Sequence[WeightsJob], done: subprocess.CompletedProcess[bytes]) -> Iterator[WeightsDigest]:
    """Yield an answer for every file that the process did not come to."""
    printed = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    problem = f"the process that reads them {_ending(done.returncode)}: {shorten(printed)}"
    for job in jobs:
        for checkpoint in job.files:
            yield WeightsDigest(key=job.key, checkpoint=checkpoint, problem=problem)


def _ending(code: int) -> str:
    if code == -signal.SIGKILL:
        return "was killed, probably because memory ran out"
    return f"ended with code {code}"


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
    from benchmarker.data.hdf5 import load_weights_file
    from benchmarker.discovery import installed
    from benchmarker.registry import validated_options
    from benchmarker.training.build import build_model
    from benchmarker.training.fit import digest_weights

    plugins = installed()
    architecture = plugins.architecture(job.spec.model.architecture)
    (code,) = plugins.code([("architecture", architecture.name)]).values()
    model = build_model(
        architecture,
        validated_options(architecture, job.spec.model.options),
        request.shape,
        request.task,
        seed=job.spec.seed,
        precision=job.spec.training.precision,
    )
    for checkpoint, file in job.files.items():
        try:
            load_weights_file(model, file)
        except Exception as error:  # noqa: BLE001 - HDF5 and Keras raise a dozen types for a damaged file
            edited = bool(job.code) and job.code != code.digest
            answer(_unread(job, checkpoint, error, edited=edited))
            continue
        answer(WeightsDigest(key=job.key, checkpoint=checkpoint, digest=digest_weights(model)))


def _unread(job: WeightsJob, checkpoint: str, error: Exception, *, edited: bool) -> WeightsDigest:
    """Return the answer for a file that cannot be loaded, which is the file's fault or not."""
    if not job.files[checkpoint].exists():
        return WeightsDigest(key=job.key, checkpoint=checkpoint, problem="there is no such file", damaged=True)
    # Neither a warning that was turned into an error nor a machine without memory says anything about the file.
    blameless = edited or isinstance(error.__cause__ or error, MemoryError | Warning | PermissionError)
    problem = _described(error)
    if edited:
        problem = f"the code of {job.spec.model.architecture} has changed since it was trained: {problem}"
    return WeightsDigest(key=job.key, checkpoint=checkpoint, problem=problem, damaged=not blameless)


if __name__ == "__main__":
    sys.exit(main())
