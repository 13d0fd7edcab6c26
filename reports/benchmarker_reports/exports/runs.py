"""Finished runs as exporters need them: settings, numbers of each epoch, test metrics and costs."""

from __future__ import annotations

import csv
import datetime
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarker import CellRecord, GeneratorRecord, StudyResults, digest_json, flatten, select_runs
from benchmarker_reports.content.readable import history_of

_GRID = re.compile(r"((?:fixed-)?(?:epoch|step))-(\d{1,9})\.png")


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A finished run.

    Parameters
    ----------
    key, name : str
        Key of the cell or generator, and its name as commands take it.
    model, arm : str
        Name of the network and of the arm; name of the generator and ``"generator"``.
    seed : int
        Seed of the run.
    settings : mapping of str to str
        Settings of the cell, flattened: ``"model.learning_rate"``.
    epochs : tuple of (int, float, mapping of str to float)
        Number (from 1), time in seconds since 1970 and metrics of each epoch. A run records only when it started and
        ended, so the times are spread evenly between.
    scores : mapping of str to float
        Test metrics and costs: ``"test_best/accuracy"``, ``"costs/flops"``.
    steps : tuple of (int, mapping of str to float)
        Number (from 1) and losses of each gradient step of a generator; none of a network.
    pictures : tuple of (str, int, Path)
        Name, epoch or gradient step, and PNG file of each grid that a generator drew while it was trained:
        ``("samples/epoch", 15, ...)``; the real images have the number 0.
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
    steps: tuple[tuple[int, Mapping[str, float]], ...]
    pictures: tuple[tuple[str, int, Path], ...]
    started: float
    finished: float
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What is exported of a study.

    Parameters
    ----------
    title : str
        Title of the study.
    study : str
        What tells its runs from those of other studies in one store: a name, or the path of its folder. The title does
        not: a study on a laptop and its repetition on a cluster share title and keys.
    runs : tuple of Run
        Finished runs.
    """

    title: str
    study: str
    runs: tuple[Run, ...]


def finished_runs(results: StudyResults, selector: str = "") -> Iterator[Run]:
    """Yield the finished cells and generators of a study in the order of the plan, generators first.

    Parameters
    ----------
    results : StudyResults
        The study.
    selector : str
        Selector of cells and generators; all by default.

    Raises
    ------
    ConfigurationError
        If the study has no such cell.
    """
    records: list[CellRecord | GeneratorRecord] = [*results.generators, *results.cells]
    for record in select_runs(records, selector, where=str(results.folder)) if selector else records:
        if record.status == "ok":
            yield _run(results, record, record.evaluations if isinstance(record, CellRecord) else {})


def _run(
    results: StudyResults, record: CellRecord | GeneratorRecord, evaluations: Mapping[str, Mapping[str, float]]
) -> Run:
    manifest = record.manifest
    times = ("", "") if manifest is None else (manifest.started or manifest.finished, manifest.finished)
    started, finished = (datetime.datetime.fromisoformat(time).timestamp() if time else 0.0 for time in times)
    history = history_of(results, record)
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
        model=record.model,
        arm=record.arm,
        seed=record.seed,
        settings=settings,
        epochs=tuple(epochs),
        scores=scores,
        steps=tuple(_steps(record)) if isinstance(record, GeneratorRecord) else (),
        pictures=tuple(_pictures(results, record)) if isinstance(record, GeneratorRecord) else (),
        started=started,
        finished=finished,
        digest=digest_json([record.key, record.name, settings, epochs, scores, started, finished]),
    )


def _steps(record: GeneratorRecord) -> Iterator[tuple[int, Mapping[str, float]]]:
    """Yield the losses of each gradient step; lines that are no numbers, in a damaged file, are left out."""
    try:
        lines = [] if record.folder is None else (record.folder / "losses.csv").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return
    for row in csv.DictReader(lines):
        try:
            values = {str(name): float(value) for name, value in row.items() if name not in {"epoch", "step"}}
            step = int(row["step"])
        except (KeyError, TypeError, ValueError):
            continue
        yield step, {name: value for name, value in values.items() if math.isfinite(value)}


def _pictures(results: StudyResults, record: GeneratorRecord) -> Iterator[tuple[str, int, Path]]:
    for path in results.sample_grids(record):
        if path.name == "real.png":
            yield "samples/real", 0, path
        elif match := _GRID.fullmatch(path.name):
            yield f"samples/{match[1]}", int(match[2]), path
