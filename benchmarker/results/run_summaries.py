"""Summaries of runs: what tables need of a run, read from its files and checked.

A file that is missing, damaged, of another cell or of another kind raises `MalformedError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from benchmarker.files import read_ordinary
from benchmarker.record import explain
from benchmarker.results.index import RunSummary
from benchmarker.results.metrics import flat_costs, flat_metrics
from benchmarker.study.layout import COSTS_FILE, MANIFEST_FILE, METRICS_FILE
from benchmarker.study.opening import oddity
from benchmarker.study.runs import (
    MANIFEST,
    CellCosts,
    CellMetrics,
    FailedManifest,
    FinishedManifest,
    GeneratorCosts,
    GeneratorMetrics,
)

T = TypeVar("T")

_LARGEST = 1e100


class MalformedError(Exception):
    """A file of a run is missing or damaged; the message says which file and what is wrong with it."""


def require_ordinary_run(path: str) -> None:
    """Raise unless the folder of a run holds only ordinary files and folders."""
    if (odd := oddity(path)) is not None:
        raise MalformedError(odd)


def summarise_cell(key: str, folder: Path) -> RunSummary:
    """Return the summary of a finished run of a cell."""
    manifest = _finished_manifest(key, folder)
    metrics = read_validated(folder / METRICS_FILE, CellMetrics.model_validate_json)
    costs = read_validated(folder / COSTS_FILE, CellCosts.model_validate_json)
    checkpoints = metrics.checkpoints
    if not checkpoints:
        raise MalformedError(f"{METRICS_FILE}: holds neither the best nor the final checkpoint")
    return RunSummary(
        status="ok",
        trained=manifest.trained,
        fingerprint=manifest.fingerprint,
        evaluations={
            checkpoint: _sensible(METRICS_FILE, flat_metrics(scores)) for checkpoint, scores in checkpoints.items()
        },
        costs=_sensible(COSTS_FILE, flat_costs(costs)),
        collapsed={name: scores.collapsed for name, scores in checkpoints.items() if scores.collapsed is not None},
    )


def summarise_generator(key: str, folder: Path) -> RunSummary:
    """Return the summary of a finished training of a generator."""
    manifest = _finished_manifest(key, folder)
    read_validated(folder / METRICS_FILE, GeneratorMetrics.model_validate_json)
    costs = read_validated(folder / COSTS_FILE, GeneratorCosts.model_validate_json)
    return RunSummary(
        status="ok",
        trained=manifest.trained,
        fingerprint=manifest.fingerprint,
        costs=_sensible(COSTS_FILE, flat_costs(costs)),
    )


def _sensible(name: str, values: Mapping[str, float]) -> Mapping[str, float]:
    """Return metrics or costs, unless a damaged one is too large to be averaged with those of other runs."""
    absurd = next((key for key, value in values.items() if abs(value) > _LARGEST), None)
    if absurd is not None:
        raise MalformedError(f"{name}: {absurd} cannot be {values[absurd]:g}")
    return values


def summarise_failure(key: str, folder: Path) -> RunSummary:
    """Return the summary of a run that failed."""
    manifest = _manifest(key, folder)
    if not isinstance(manifest, FailedManifest):
        raise MalformedError(f"{MANIFEST_FILE}: status 'failed' was expected. Received: {manifest.status!r}")
    return RunSummary(status="failed", kind=manifest.kind, message=" ".join(manifest.message.split()))


def _finished_manifest(key: str, folder: Path) -> FinishedManifest:
    manifest = _manifest(key, folder)
    if not isinstance(manifest, FinishedManifest):
        raise MalformedError(f"{MANIFEST_FILE}: status 'ok' was expected. Received: {manifest.status!r}")
    return manifest


def _manifest(key: str, folder: Path) -> FinishedManifest | FailedManifest:
    manifest = read_validated(folder / MANIFEST_FILE, MANIFEST.validate_json)
    if manifest.key != key:
        raise MalformedError(f"{MANIFEST_FILE}: belongs to another cell")
    return manifest


def read_validated(path: Path, validate: Callable[[bytes], T]) -> T:
    """Return a file of a run through its model."""
    try:
        return validate(read_ordinary(path))
    except FileNotFoundError as error:
        raise MalformedError(f"{path.name}: is missing") from error
    except ValidationError as error:
        raise MalformedError(f"{path.name}: {explain(error)}") from error
