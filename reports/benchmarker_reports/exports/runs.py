"""Finished runs as exporters need them: settings, numbers of each epoch, test metrics and costs."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarker import CellRecord, GeneratorRecord, StudyResults, digest_json, flatten


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A finished run.

    Parameters
    ----------
    key, name : str
        Key of the cell or generator, and its name as commands take it.
    model, arm : str
        Name of the network and of the arm; label of the generator and ``"generator"``.
    seed : int
        Seed of the run.
    settings : mapping of str to str
        Settings of the cell, flattened: ``"model.learning_rate"``.
    epochs : tuple of (int, float, mapping of str to float)
        Number (from 1), time in seconds since 1970 and metrics of each epoch. A run records only when it started and
        ended, so the times are spread evenly between.
    scores : mapping of str to float
        Test metrics and costs: ``"test_best/accuracy"``, ``"costs/flops"``.
    started, finished : float
        Seconds since 1970.
    digest : str
        Digest of all of these; an export with another digest is out of date.
    """

    key: str
    name: str
    model: str
    arm: str
    seed: int
    settings: Mapping[str, str]
    epochs: tuple[tuple[int, float, Mapping[str, float]], ...]
    scores: Mapping[str, float]
    started: float
    finished: float
    digest: str


def finished_runs(results: StudyResults) -> Iterator[Run]:
    """Yield the finished cells and generators of a study in the order of the plan."""
    for generator in results.generators:
        if generator.status == "ok":
            yield _run(results, generator, (generator.label, "generator"), {})
    for cell in results.cells:
        if cell.status == "ok":
            yield _run(results, cell, (cell.model, cell.arm), cell.evaluations)


def _run(
    results: StudyResults,
    record: CellRecord | GeneratorRecord,
    names: tuple[str, str],
    evaluations: Mapping[str, Mapping[str, float]],
) -> Run:
    manifest = record.manifest
    times = ("", "") if manifest is None else (manifest.started or manifest.finished, manifest.finished)
    started, finished = (datetime.datetime.fromisoformat(time).timestamp() if time else 0.0 for time in times)
    history = results.history(record)
    epochs: list[tuple[int, float, Mapping[str, float]]] = []
    if history is not None:
        rows = {name: column.tolist() for name, column in history.columns.items()}
        numbers = history.epochs.tolist()
        for k, epoch in enumerate(numbers):
            at = started + (finished - started) * (k + 1) / len(numbers)
            values = {name: column[k] for name, column in rows.items() if math.isfinite(column[k])}
            epochs.append((int(epoch), at, values))
    scores = {
        f"test_{checkpoint}/{name}": float(value)
        for checkpoint, table in evaluations.items()
        for name, value in table.items()
    }
    scores |= {f"costs/{name}": float(value) for name, value in record.cost_values.items()}
    settings = flatten(record.spec.to_json())
    return Run(
        key=record.key,
        name=record.name,
        model=names[0],
        arm=names[1],
        seed=record.seed,
        settings=settings,
        epochs=tuple(epochs),
        scores=scores,
        started=started,
        finished=finished,
        digest=digest_json([record.key, record.name, settings, epochs, scores, started, finished]),
    )
