"""Checks the files of a run against its trail, without training."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from benchmarker.audit.generators import LINK, check_generator
from benchmarker.audit.verdicts import Finding, is_unreadable
from benchmarker.audit.weights import WeightsDigest
from benchmarker.contracts.tasks import Task
from benchmarker.digests import digest_file
from benchmarker.errors import StorageError
from benchmarker.evaluation.metrics import details, scores
from benchmarker.files import read_ordinary_text
from benchmarker.record import Record, explain
from benchmarker.results.study import CellRecord, GeneratorRecord
from benchmarker.results.tables import HISTORY_FILE, read_predictions
from benchmarker.results.trails import differing_entries
from benchmarker.study.fingerprint import Fingerprint
from benchmarker.study.layout import (
    CHECKPOINTS,
    COSTS_FILE,
    MANIFEST_FILE,
    METRICS_FILE,
    PLAN_FILE,
    predictions_file,
    weights_file,
)
from benchmarker.study.links import (
    CellLink,
    DigestLink,
    EpochLink,
    GeneratorLink,
    PredictionsLink,
    TrainingSetLink,
    WeightsLink,
    read_trail,
)
from benchmarker.study.runs import FinishedManifest
from benchmarker.trail import TRAIL_FILE, Trail

L = TypeVar("L", bound=Record)

_FIRST = ("cell", "fingerprint", "data", "split")
_BEFORE_EPOCHS = ("training set", "initial weights")
_AFTER_EPOCHS = ("best weights", "final weights", "predictions", "metrics")
# Links to name for a file that cannot be read.
_LINKS_OF_FILES = {MANIFEST_FILE: "cell", METRICS_FILE: "metrics", COSTS_FILE: "metrics"}
# Relative and absolute difference of sums that another version of NumPy adds up in a different order.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class _Links:
    """Contents of the links of a cell's trail, in their order."""

    cell: CellLink
    fingerprint: Fingerprint
    data: DigestLink
    split: DigestLink
    generator: GeneratorLink | None
    training_set: TrainingSetLink
    initial_weights: DigestLink
    epochs: tuple[EpochLink, ...]
    weights: Mapping[str, WeightsLink]
    predictions: PredictionsLink
    metrics: DigestLink


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """A finished run with everything that its files are checked with."""

    cell: CellRecord
    folder: Path
    manifest: FinishedManifest
    task: Task
    head: str
    links: _Links


class _TrailError(Exception):
    """A link of a trail is missing, or does not hold what it should."""

    def __init__(self, link: str, text: str) -> None:
        self.finding = Finding(link=link, file=TRAIL_FILE, text=text)
        super().__init__(text)


def check_run(
    cell: CellRecord,
    task: Task,
    weights: Mapping[str, WeightsDigest],
    generators: Mapping[str, GeneratorRecord] | None = None,
) -> tuple[Finding, ...]:
    """Return all contradictions between the files of a run and its trail, in the order of the trail.

    Parameters
    ----------
    cell : CellRecord
        Cell with a run.
    task : Task
        What the networks predict.
    weights : mapping of str to WeightsDigest
        Digest of the weights in the file of each checkpoint.
    generators : mapping of str to GeneratorRecord
        Generators of the study, by key.
    """
    if cell.folder is None:
        raise TypeError("only cells with a run have files")
    if not isinstance(cell.manifest, FinishedManifest):
        file = cell.message.partition(":")[0]
        return (Finding(link=_LINKS_OF_FILES.get(Path(file).name, "cell"), file=file, text=cell.message),)
    try:
        trail = read_trail(cell.folder)
    except StorageError as error:
        return (Finding(link="cell", file=TRAIL_FILE, text=str(error), compared=not is_unreadable(error)),)
    broken = trail.broken_link()
    if broken is not None:
        text = "the digest of this link does not cover its content and the links before it"
        return (Finding(link=broken, file=TRAIL_FILE, text=text),)
    try:
        links = _read_links(trail, with_generator=cell.spec.arm.generator is not None)
    except _TrailError as error:
        return (error.finding,)
    run = _Run(cell=cell, folder=cell.folder, manifest=cell.manifest, task=task, head=trail.head, links=links)
    found = [*_check(run, weights)]
    if links.generator is not None and (key := cell.spec.arm.generator) is not None:
        found += check_generator(links.generator, key, (generators or {}).get(key))
    order = [link.name for link in trail.links]
    return tuple(sorted(found, key=lambda finding: order.index(finding.link)))


def _read_links(trail: Trail, *, with_generator: bool) -> _Links:
    names = [link.name for link in trail.links]
    before = [*_FIRST, *([LINK] if with_generator else []), *_BEFORE_EPOCHS]
    n_epochs = len(names) - len(before) - len(_AFTER_EPOCHS)
    expected = [*before, *(f"epoch {k + 1}" for k in range(n_epochs)), *_AFTER_EPOCHS]
    if names != expected or n_epochs < 1:
        wrong = next((name for name, other in zip(names, expected, strict=False) if name != other), "metrics")
        raise _TrailError(wrong, "links are missing, or in another order")
    contents = {link.name: link.content for link in trail.links}

    def read(name: str, model: type[L]) -> L:
        try:
            return model.model_validate(contents[name])
        except ValidationError as error:
            raise _TrailError(name, f"this link does not hold what it should: {explain(error)}") from error

    return _Links(
        cell=read("cell", CellLink),
        fingerprint=read("fingerprint", Fingerprint),
        data=read("data", DigestLink),
        split=read("split", DigestLink),
        generator=read(LINK, GeneratorLink) if with_generator else None,
        training_set=read("training set", TrainingSetLink),
        initial_weights=read("initial weights", DigestLink),
        epochs=tuple(read(f"epoch {k + 1}", EpochLink) for k in range(n_epochs)),
        weights={name: read(f"{name} weights", WeightsLink) for name in CHECKPOINTS},
        predictions=read("predictions", PredictionsLink),
        metrics=read("metrics", DigestLink),
    )


def _check(run: _Run, weights: Mapping[str, WeightsDigest]) -> Iterator[Finding]:
    yield from _check_cell(run.cell, run.links.cell)
    yield from _check_manifest(run)
    yield from _check_history(run.folder / HISTORY_FILE, run.links.epochs)
    yield from _check_best_epoch(run)
    for checkpoint in CHECKPOINTS:
        yield from _check_weights(run, checkpoint, weights.get(checkpoint))
        yield from _check_predictions(run, checkpoint)
    if digest_file(run.folder / METRICS_FILE) != run.links.metrics.digest:
        text = "its SHA-256 is not the one that the trail covers"
        yield Finding(link="metrics", file=METRICS_FILE, text=text)


def _check_cell(cell: CellRecord, link: CellLink) -> Iterator[Finding]:
    if cell.spec.key != cell.key:
        yield Finding(link="cell", file=PLAN_FILE, text="the key of the cell is not the SHA-256 of its settings")
    for entry in differing_entries(cell.spec.to_json(), link.spec.to_json(), "spec"):
        text = f"{entry.name} is {entry.recorded} in the plan and {entry.rerun} in the trail"
        yield Finding(link="cell", file=PLAN_FILE, text=text)
    if link.key != cell.key:
        yield Finding(link="cell", file=TRAIL_FILE, text="the run belongs to another cell of this or another study")


def _check_manifest(run: _Run) -> Iterator[Finding]:
    cell, manifest, links = run.cell, run.manifest, run.links
    digests = manifest.digests
    facts: list[tuple[str, str, Any, Any]] = [
        ("cell", "key", cell.key, manifest.key),
        ("cell", "model", cell.model, manifest.model),
        ("cell", "architecture", cell.architecture, manifest.architecture),
        ("cell", "arm", cell.arm, manifest.arm),
        ("cell", "seed", cell.seed, manifest.seed),
        ("cell", "configuration", cell.spec.configuration, manifest.configuration),
        ("cell", "trained", True, manifest.trained),
        ("fingerprint", "fingerprint", links.fingerprint.to_json(), manifest.fingerprint.to_json()),
        ("data", "digests.data", links.data.digest, digests.get("data")),
        ("split", "digests.split", links.split.digest, digests.get("split")),
        ("initial weights", "digests.initial_weights", links.initial_weights.digest, digests.get("initial_weights")),
    ]
    for name, covered in (("best", links.predictions.best), ("final", links.predictions.final)):
        weights = f"{name}_weights"
        facts.append((f"{name} weights", f"digests.{weights}", links.weights[name].digest, digests.get(weights)))
        predictions = f"predictions_{name}"
        facts.append(("predictions", f"digests.{predictions}", covered, digests.get(predictions)))
    facts.append(("metrics", "trail", run.head, manifest.trail))
    for link, name, expected, received in facts:
        for entry in differing_entries(expected, received, name):
            text = f"{entry.name} should be {entry.recorded}. Received: {entry.rerun}"
            yield Finding(link=link, file=MANIFEST_FILE, text=text)


def _check_history(path: Path, epochs: Sequence[EpochLink]) -> Iterator[Finding]:
    try:
        rows = list(csv.DictReader(io.StringIO(read_ordinary_text(path), newline="")))
    except (OSError, ValueError, csv.Error) as error:
        text = f"cannot be read: {error}"
        yield Finding(link="epoch 1", file=path.name, text=text, compared=not is_unreadable(error))
        return
    if len(rows) != len(epochs):
        text = f"{len(epochs)} epochs were expected. Received: {len(rows)} rows"
        yield Finding(link=f"epoch {min(len(rows) + 1, len(epochs))}", file=path.name, text=text)
    for number, (row, epoch) in enumerate(zip(rows, epochs, strict=False), start=1):
        wrong = sorted(
            {name for name, value in epoch.metrics.items() if _number(row.get(name)) != value}
            | {str(name) for name in row if name not in epoch.metrics}
        )
        if wrong:
            text = f"row {number}: {', '.join(wrong)} differ from what the trail covers"
            yield Finding(link=f"epoch {number}", file=path.name, text=text)


def _number(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        return math.nan


def _check_best_epoch(run: _Run) -> Iterator[Finding]:
    """Compare the epochs of the checkpoints with those that the losses of the trail give."""
    epochs = run.links.epochs
    losses = [epoch.metrics.get("validation_loss", math.nan) for epoch in epochs]
    right = {"best": losses.index(min(losses)) + 1, "final": len(losses)}
    for checkpoint, epoch in right.items():
        expected = {"epoch": epoch, "digest": epochs[epoch - 1].weights}
        for entry in differing_entries(expected, run.links.weights[checkpoint].to_json()):
            text = f"{entry.name} should be {entry.recorded}, that of epoch {epoch}. Received: {entry.rerun}"
            yield Finding(link=f"{checkpoint} weights", file=TRAIL_FILE, text=text)
    for name, scored in (run.cell.metrics.checkpoints if run.cell.metrics is not None else {}).items():
        if scored.epoch != right[name]:
            text = f"{name}.epoch should be {right[name]}. Received: {scored.epoch}"
            yield Finding(link="metrics", file=METRICS_FILE, text=text)


def _check_weights(run: _Run, checkpoint: str, found: WeightsDigest | None) -> Iterator[Finding]:
    link, file = f"{checkpoint} weights", weights_file(checkpoint)
    if found is None or found.problem:
        problem = "the file was not read" if found is None else found.problem
        compared = found is not None and found.damaged
        yield Finding(link=link, file=file, text=f"the weights cannot be checked: {problem}", compared=compared)
    elif found.digest != run.links.weights[checkpoint].digest:
        yield Finding(link=link, file=file, text="holds weights that the trail does not cover")


def _check_predictions(run: _Run, checkpoint: str) -> Iterator[Finding]:
    path = run.folder / predictions_file(checkpoint)
    covered = run.links.predictions.best if checkpoint == "best" else run.links.predictions.final
    try:
        if digest_file(path) != covered:
            text = "its SHA-256 is not the one that the trail covers"
            yield Finding(link="predictions", file=path.name, text=text)
        predictions = read_predictions(path, run.task)
    except (OSError, StorageError) as error:
        text = f"cannot be read: {error}"
        yield Finding(link="predictions", file=path.name, text=text, compared=not is_unreadable(error))
        return
    recomputed = {"test": scores(run.task, predictions.truth, predictions.values)}
    recomputed |= details(run.task, predictions.truth, predictions.values).to_json()
    tested = run.cell.metrics.checkpoints.items() if run.cell.metrics is not None else ()
    recorded = next((scored.to_json() for name, scored in tested if name == checkpoint), None)
    if recorded is not None and "per_class_normalised" not in recorded:  # by a version that did not compute it
        recomputed.pop("per_class_normalised", None)
    wrong = [*_far_apart(recomputed, recorded)]
    if wrong:
        shown = ", ".join(f"{checkpoint}.{name}" for name in wrong[:3]) + (" ..." if len(wrong) > 3 else "")
        text = f"{shown} is not what {path.name} gives"
        yield Finding(link="metrics", file=METRICS_FILE, text=text)


def _far_apart(recomputed: Any, recorded: Any, path: str = "") -> Iterator[str]:
    """Yield the names of recomputed values that differ by more than rounding; other recorded values do not matter."""
    match recomputed, recorded:
        case dict(), dict():
            for name, value in recomputed.items():
                yield from _far_apart(value, recorded.get(name), f"{path}.{name}" if path else name)
        case list(), list() if len(recomputed) == len(recorded):
            for position, (one, other) in enumerate(zip(recomputed, recorded, strict=True)):
                yield from _far_apart(one, other, f"{path}[{position}]")
        case float(), float() | int():
            if not math.isclose(recomputed, recorded, rel_tol=_ROUNDING, abs_tol=_ROUNDING):
                yield path
        case _:
            if recomputed != recorded:
                yield path or "everything"
