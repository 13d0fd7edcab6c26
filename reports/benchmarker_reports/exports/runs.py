"""What every exporter is given of a run: settings, numbers by epoch, test metrics and costs."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarker import CellRecord, StudyResults, digest_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A finished run.

    Parameters
    ----------
    cell : CellRecord
        Where it comes from.
    settings : mapping of str to str
        The cell's spec, flat: ``"model.learning_rate"``.
    epochs : tuple of (int, float, mapping of str to float)
        Number from 1, time in seconds since 1970 and metrics of each epoch. Times are spread evenly between start and
        end of the run, which are all that it notes.
    scores : mapping of str to float
        ``"test_best/accuracy"``, ``"costs/flops"`` ...
    started, finished : float
        In seconds since 1970.
    digest : str
        Of everything above: an export with another one is out of date.
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
    settings = flat(cell.spec)
    return Run(
        cell=cell,
        settings=settings,
        epochs=tuple(epochs),
        scores=scores,
        started=started,
        finished=finished,
        digest=digest_json([cell.key, cell.name, settings, epochs, scores, started, finished]),
    )


def flat(value: Any, prefix: str = "") -> dict[str, str]:
    """Return nested JSON as one text for each entry."""
    if isinstance(value, Mapping):
        found: dict[str, str] = {}
        for name, entry in value.items():
            found.update(flat(entry, f"{prefix}.{name}" if prefix else str(name)))
        return found
    return {prefix: value if isinstance(value, str) else str(value)}


def _seconds(value: object) -> float:
    """Return a time of the manifest in seconds since 1970; 0 where it is none."""
    try:
        return datetime.datetime.fromisoformat(str(value)).timestamp()
    except ValueError:
        return 0.0
