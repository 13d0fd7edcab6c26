"""Finished runs as exporters need them: settings, numbers of each epoch, test metrics and costs."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from benchmarker import CellRecord, StudyResults, digest_json, flatten


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A finished run.

    Parameters
    ----------
    cell : CellRecord
        The cell or generator that was run.
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

    cell: CellRecord
    settings: Mapping[str, str]
    epochs: tuple[tuple[int, float, Mapping[str, float]], ...]
    scores: Mapping[str, float]
    started: float
    finished: float
    digest: str


def finished_runs(results: StudyResults) -> Iterator[Run]:
    """Yield the finished cells and generators of a study in the order of the plan."""
    for cell in (*results.generators, *results.cells):
        if cell.status == "ok":
            yield _run(results, cell)


def _run(results: StudyResults, cell: CellRecord) -> Run:
    started, finished = (_seconds(cell.manifest.get(name)) for name in ("started", "finished"))
    history = results.history(cell)
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
        for checkpoint, table in cell.evaluations.items()
        for name, value in table.items()
    }
    scores |= {f"costs/{name}": float(value) for name, value in cell.cost_values.items()}
    settings = flatten(cell.spec)
    return Run(
        cell=cell,
        settings=settings,
        epochs=tuple(epochs),
        scores=scores,
        started=started,
        finished=finished,
        digest=digest_json([cell.key, cell.name, settings, epochs, scores, started, finished]),
    )


def _seconds(value: object) -> float:
    """Return a time in ISO 8601 as seconds since 1970; 0 for anything else."""
    try:
        return datetime.datetime.fromisoformat(str(value)).timestamp()
    except ValueError:
        return 0.0
