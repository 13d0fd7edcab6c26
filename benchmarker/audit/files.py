"""Checks the files of a run against its trail, without training."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarker.audit.compare import differing_entries
from benchmarker.audit.generators import LINK, check_generator, generator_of
from benchmarker.audit.predictions import read_predictions
from benchmarker.audit.report import Finding
from benchmarker.audit.trails import read_trail
from benchmarker.contracts.tasks import Task
from benchmarker.digests import digest_file, digest_json
from benchmarker.errors import StorageError
from benchmarker.evaluation.metrics import details, scores
from benchmarker.results.study import CellRecord
from benchmarker.study.settings import shared_settings
from benchmarker.trail import TRAIL_FILE, Trail

CHECKPOINTS = ("best", "final")
_BEFORE = ("cell", "fingerprint", "data", "split", "training set", "initial weights")
_GENERATOR = _BEFORE.index("training set")  # where the link of a generator stands, in arms that have one
_AFTER = ("best weights", "final weights", "predictions", "metrics")
# Sums that another version of NumPy adds up in another order.
_ROUNDING = 1e-9


def check_run(
    cell: CellRecord, task: Task, weights: Mapping[str, str], generators: Mapping[str, CellRecord] | None = None
) -> tuple[Finding, ...]:
    """Return everything in which the files of a run contradict its trail, in the order of the trail.

    Parameters
    ----------
    cell : CellRecord
        Finished.
    task : Task
        Of the dataset.
    weights : mapping of str to str
        Digest of the weights in the file of each checkpoint, or why there is none, after ``"error: "``.
    generators : mapping of str to CellRecord
        Of the study, by key.
    """
    folder = cell.folder
    if folder is None:
        raise TypeError("only cells with a run have files")
    if cell.status == "unreadable":
        return (Finding(link="metrics", file=cell.message.partition(":")[0], text=cell.message),)
    try:
        trail = read_trail(folder)
    except StorageError as error:
        return (Finding(link="cell", file=TRAIL_FILE, text=str(error)),)
    broken = trail.broken_link()
    if broken is not None:
        text = "the digest of this link does not cover its content and the links before it"
        return (Finding(link=broken, file=TRAIL_FILE, text=text),)
    names = [link.name for link in trail.links]
    key = generator_of(cell)
    before = [*_BEFORE[:_GENERATOR], *([LINK] if key else []), *_BEFORE[_GENERATOR:]]
    expected = [*before, *(f"epoch {k + 1}" for k in range(len(names) - len(before) - len(_AFTER))), *_AFTER]
    if names != expected or len(names) <= len(before) + len(_AFTER):
        wrong = next((name for name, other in zip(names, expected, strict=False) if name != other), "metrics")
        return (Finding(link=wrong, file=TRAIL_FILE, text="links are missing, or in another order"),)
    contents = {link.name: link.content for link in trail.links}
    try:
        found = [*_check(_Run(cell, folder, task, trail, contents), weights)]
        found += check_generator(contents[LINK], key, (generators or {}).get(key)) if key else ()
    except (KeyError, TypeError, AttributeError) as error:
        return (Finding(link="cell", file=TRAIL_FILE, text=f"a link lacks what it should hold: {error!r}"),)
    return tuple(sorted(found, key=lambda finding: names.index(finding.link)))


@dataclass(frozen=True, slots=True)
class _Run:
    cell: CellRecord
    folder: Path
    task: Task
    trail: Trail
    contents: Mapping[str, Any]


def _check(run: _Run, weights: Mapping[str, str]) -> Iterator[Finding]:
    contents = run.contents
    yield from _check_cell(run.cell, contents["cell"])
    yield from _check_manifest(run.cell, run.trail, contents)
    epochs = [content["metrics"] for name, content in contents.items() if name.startswith("epoch ")]
    yield from _check_history(run.folder / "history.csv", epochs)
    yield from _check_epochs(run.cell, contents, epochs)
    for checkpoint in CHECKPOINTS:
        file, link = f"weights_{checkpoint}.weights.h5", f"{checkpoint} weights"
        received = weights.get(checkpoint, "error: the file was not read")
        if received.startswith("error: "):
            text = f"the weights cannot be checked: {received.removeprefix('error: ')}"
            yield Finding(link=link, file=file, text=text)
        elif received != contents[link]["digest"]:
            yield Finding(link=link, file=file, text="holds other weights than the trail covers")
        yield from _check_predictions(run, checkpoint)
    if digest_file(run.folder / "metrics.json") != contents["metrics"]["digest"]:
        yield Finding(link="metrics", file="metrics.json", text="its SHA-256 is not the one that the trail covers")


def _check_cell(cell: CellRecord, content: Mapping[str, Any]) -> Iterator[Finding]:
    if digest_json(cell.spec) != cell.key:
        yield Finding(link="cell", file="plan.json", text="the key of the cell is not the SHA-256 of its settings")
    for entry in differing_entries({"key": cell.key, "spec": cell.spec}, content):
        if entry.name != "key":
            text = f"{entry.name} is {entry.recorded} in the plan and {entry.rerun} in the trail"
            yield Finding(link="cell", file="plan.json", text=text)
    if content["key"] != cell.key:
        yield Finding(link="cell", file=TRAIL_FILE, text="the run belongs to another cell of this or another study")


def _check_manifest(cell: CellRecord, trail: Trail, contents: Mapping[str, Any]) -> Iterator[Finding]:
    manifest = cell.manifest
    facts: dict[str, tuple[str, Any]] = {
        name: ("cell", getattr(cell, name)) for name in ("key", "model", "architecture", "arm", "seed")
    }
    facts |= {
        "configuration": ("cell", digest_json(shared_settings(cell.spec))),
        "trained": ("cell", True),
        "fingerprint": ("fingerprint", contents["fingerprint"]),
        "digests.data": ("data", contents["data"]["digest"]),
        "digests.split": ("split", contents["split"]["digest"]),
        "digests.initial_weights": ("initial weights", contents["initial weights"]["digest"]),
    }
    for checkpoint in CHECKPOINTS:
        facts[f"digests.{checkpoint}_weights"] = (f"{checkpoint} weights", contents[f"{checkpoint} weights"]["digest"])
        facts[f"digests.predictions_{checkpoint}"] = ("predictions", contents["predictions"][checkpoint])
    facts["trail"] = ("metrics", trail.head)
    for name, (link, value) in facts.items():
        received: Any = manifest
        for step in name.split("."):
            received = received.get(step) if isinstance(received, Mapping) else None
        for entry in differing_entries(value, received, name):
            text = f"{entry.name} should be {entry.recorded}. Received: {entry.rerun}"
            yield Finding(link=link, file="manifest.json", text=text)


def _check_history(path: Path, epochs: list[Mapping[str, float]]) -> Iterator[Finding]:
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, ValueError, csv.Error) as error:
        yield Finding(link="epoch 1", file=path.name, text=f"cannot be read: {error}")
        return
    if len(rows) != len(epochs):
        text = f"{len(epochs)} epochs were expected. Received: {len(rows)} rows"
        yield Finding(link=f"epoch {min(len(rows) + 1, len(epochs))}", file=path.name, text=text)
    for number, (row, epoch) in enumerate(zip(rows, epochs, strict=False), start=1):
        wrong = sorted(
            {name for name, value in epoch.items() if _number(row.get(name)) != value}
            | {str(name) for name in row if name not in epoch}
        )
        if wrong:
            text = f"row {number}: {', '.join(wrong)} is not what the trail covers"
            yield Finding(link=f"epoch {number}", file=path.name, text=text)


def _number(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        return math.nan


def _check_epochs(
    cell: CellRecord, contents: Mapping[str, Any], epochs: list[Mapping[str, float]]
) -> Iterator[Finding]:
    losses = [epoch["validation_loss"] for epoch in epochs]
    right = {"best": losses.index(min(losses)) + 1, "final": len(losses)}
    for checkpoint, epoch in right.items():
        link = f"{checkpoint} weights"
        content = {"epoch": epoch, "digest": contents[f"epoch {epoch}"]["weights"]}
        for entry in differing_entries(content, contents[link]):
            text = f"{entry.name} should be {entry.recorded}, that of epoch {epoch}. Received: {entry.rerun}"
            yield Finding(link=link, file=TRAIL_FILE, text=text)
        evaluation = cell.metrics.get(checkpoint)
        received = evaluation.get("epoch") if isinstance(evaluation, Mapping) else None
        if received != epoch:
            text = f"{checkpoint}.epoch should be {epoch}. Received: {received!r}"
            yield Finding(link="metrics", file="metrics.json", text=text)


def _check_predictions(run: _Run, checkpoint: str) -> Iterator[Finding]:
    path = run.folder / f"predictions_{checkpoint}.csv"
    try:
        if digest_file(path) != run.contents["predictions"][checkpoint]:
            text = "its SHA-256 is not the one that the trail covers"
            yield Finding(link="predictions", file=path.name, text=text)
        predictions = read_predictions(path, run.task)
    except (OSError, ValueError, csv.Error) as error:
        yield Finding(link="predictions", file=path.name, text=f"cannot be read: {error}")
        return
    recomputed = {"test": scores(run.task, predictions.targets, predictions.values)}
    recomputed |= details(run.task, predictions.targets, predictions.values).to_json()
    wrong = [*_far_apart(recomputed, run.cell.metrics.get(checkpoint))]
    if wrong:
        shown = ", ".join(f"{checkpoint}.{name}" for name in wrong[:3]) + (" ..." if len(wrong) > 3 else "")
        text = f"{shown} is not what {path.name} gives"
        yield Finding(link="metrics", file="metrics.json", text=text)


def _far_apart(recomputed: Any, received: Any, path: str = "") -> Iterator[str]:
    """Yield the names of recomputed values that differ by more than rounding; what else was received plays no role."""
    if isinstance(recomputed, Mapping) and isinstance(received, Mapping):
        for name, value in recomputed.items():
            yield from _far_apart(value, received.get(name), f"{path}.{name}" if path else str(name))
    elif isinstance(recomputed, list) and isinstance(received, list) and len(recomputed) == len(received):
        for position, (one, other) in enumerate(zip(recomputed, received, strict=True)):
            yield from _far_apart(one, other, f"{path}[{position}]")
    elif isinstance(recomputed, float) and isinstance(received, int | float):
        if not math.isclose(recomputed, received, rel_tol=_ROUNDING, abs_tol=_ROUNDING):
            yield path
    elif recomputed != received:
        yield path or "everything"
