"""Report ``radio-framework``: the results of a study in the files of the radio framework, under its own names.

For users whose scripts read these files. Everything in them is in the run folders as well.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from benchmarker import (
    CellRecord,
    Classification,
    ConfigurationError,
    ReportOptions,
    StudyResults,
    read_split,
    table_cell,
)
from benchmarker_radio.framework_figures import draw_accuracies, draw_history

CHECKPOINTS = {"best": "", "final": "_final"}
"""Weights that are tested, and what the framework adds to the names of their files."""

_NAMES = ("Architectures", "Seed", "LearningRate", "Epochs")
_SCORES = {
    "train_acc": "train_accuracy",
    "val_acc": "validation_accuracy",
    "train_loss": "train_loss_with_penalties",
    "val_loss": "validation_loss_with_penalties",
    "loss_ratio": "ratio_loss_with_penalties",
    "acc_ratio": "ratio_accuracy",
    "MPCA": "mean_per_class_accuracy",
}
"""The framework's columns, and the metrics in them; those of each class follow."""

_CLASS_SCORES = {"P": "normalised_precision", "R": "recall", "F1": "normalised_f1"}


def render(results: StudyResults, options: ReportOptions) -> Mapping[str, str | bytes]:  # noqa: ARG001 - all are shown
    """Return the files of the radio framework for the finished runs of a study.

    Parameters
    ----------
    results : StudyResults
        A study of a classification.
    options : ReportOptions
        Not used: the framework's files have all checkpoints and no order.

    Returns
    -------
    mapping of str to str or bytes
        For each network ``<name>.csv`` and ``<name>.txt``, ``<name>_final.csv`` and ``<name>_final.txt``; for each run
        ``<name>_<seed>_<rate>_<epochs>.npy`` with its probabilities, ``..._final.npy``, ``..._loss.png`` and
        ``..._accuracy.png``; for each split ``partition_<seed>_<rotation>_<train>_<validation>_<manifest>.json``,
        ``labels_...json`` and ``y_test_<seed>_<train>_<validation>.npy``; ``MPCA.pdf``, ``time.pdf``,
        ``times_new.txt``, ``parameter_summary.txt`` and ``flops_summary.txt``. With several arms, each has a folder.

    Raises
    ------
    ConfigurationError
        If the task is a regression, or no run has finished.

    Notes
    -----
    Losses hold the penalties of training, and precision and F1 come from the row-normalised confusion matrix, as in the
    framework. Where a run of an earlier version lacks one of these, its cell is empty.
    """
    if not isinstance(results.task, Classification):
        raise ConfigurationError("the report 'radio-framework' is for classifications; this study is a regression")
    arms: dict[str, list[CellRecord]] = {}
    for cell in results.cells:
        if cell.status == "ok":
            arms.setdefault(cell.arm, []).append(cell)
    if not arms:
        raise ConfigurationError(f"{results.folder}: has no finished run")
    files: dict[str, str | bytes] = {}
    for arm, cells in arms.items():
        folder = "" if len(arms) == 1 else f"{_safe(arm)}/"
        for name, content in _arm_files(results, cells):
            files[f"{folder}{name}"] = content
    return files


def _arm_files(results: StudyResults, cells: Sequence[CellRecord]) -> Iterator[tuple[str, str | bytes]]:
    networks: dict[str, list[CellRecord]] = {}
    for cell in cells:
        networks.setdefault(cell.model, []).append(cell)
    for network, runs in networks.items():
        yield from _tables(network, runs, results.classes)
    for cell in cells:
        yield from _run_files(results, cell)
    yield from _split_files(results, cells)
    yield from _summaries(cells)
    yield "MPCA.pdf", draw_accuracies(networks, against_time=False)
    yield "time.pdf", draw_accuracies(networks, against_time=True)


def _safe(name: str) -> str:
    """Return a name as a part of a file name."""
    return PurePosixPath(name.replace("/", "_").replace("\\", "_")).name or "_"


def _stem(cell: CellRecord) -> str:
    return f"{_safe(cell.model)}_{cell.seed}_{cell.spec.model.learning_rate:g}_{cell.spec.model.epochs}"


def _tables(network: str, runs: Sequence[CellRecord], classes: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the tables of a network: a line for each run, and the same for people to read."""
    columns = dict(_SCORES)
    columns |= {f"{short}_{label}": f"{name}_{label}" for label in classes for short, name in _CLASS_SCORES.items()}
    for checkpoint, suffix in CHECKPOINTS.items():
        rows: list[list[object]] = []
        for cell in runs:
            found = cell.evaluations.get(checkpoint, {})
            spec = cell.spec.model
            rows.append(
                [network, cell.seed, spec.learning_rate, spec.epochs, *(found.get(n) for n in columns.values())]
            )
        head: list[object] = [*_NAMES, *columns]
        stream = io.StringIO(newline="")
        csv.writer(stream, lineterminator="\n").writerows([table_cell(value) for value in row] for row in (head, *rows))
        yield f"{_safe(network)}{suffix}.csv", stream.getvalue()
        texts = ["".join(f"{name}: {value}\n" for name, value in zip(head, row, strict=True)) for row in rows]
        yield f"{_safe(network)}{suffix}.txt", "\n".join(texts)


def _run_files(results: StudyResults, cell: CellRecord) -> Iterator[tuple[str, bytes]]:
    for checkpoint, suffix in CHECKPOINTS.items():
        predictions = results.predictions(cell, checkpoint)
        if predictions is not None:
            yield f"{_stem(cell)}{suffix}.npy", _npy(predictions.values)
    history = results.history(cell)
    if history is not None:
        for metric in ("loss", "accuracy"):
            yield f"{_stem(cell)}_{metric}.png", draw_history(history, metric)


def _split_files(results: StudyResults, cells: Sequence[CellRecord]) -> Iterator[tuple[str, str | bytes]]:
    """Yield the sources of each part, their labels, and the labels of the test images, once for each seed."""
    for cell in {cell.seed: cell for cell in cells}.values():
        split = cell.spec.split
        sizes = f"{split.train or 'default'}_{split.validation or 'default'}"
        table = results.predictions(cell) or results.predictions(cell, "final")
        if table is not None:
            yield f"y_test_{cell.seed}_{sizes}.npy", _npy(np.asarray(table.truth))
        sources = _sources(results, cell)
        if sources:
            name = f"{cell.seed}_{_rotation(cell)}_{sizes}_{_manifest(results)}.json"
            parts: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
            for row in sources:
                parts[row["part"]].append(row["source_id"])
            labels = {row["source_id"]: results.classes.index(row["class"]) for row in sources}
            yield f"partition_{name}", _json(parts)
            yield f"labels_{name}", _json(labels)


def _sources(results: StudyResults, cell: CellRecord) -> list[dict[str, str]]:
    """Return the lines of the study's list of sources for the split of a run; none where there is no such list."""
    return [row for row in read_split(results.folder, cell) if row.get("class") in results.classes]


def _rotation(cell: CellRecord) -> str:
    steps = [choice.options.get("step") for choice in cell.spec.arm.augmentations]
    return next((f"{step:g}" for step in steps if isinstance(step, int | float)), "0")


def _manifest(results: StudyResults) -> str:
    source = results.study.plan.source
    given = "" if source is None else str(source.options.get("manifest") or "")
    return _safe(PurePosixPath(given).stem) if given else _safe(results.study.dataset.name)


def _summaries(cells: Sequence[CellRecord]) -> Iterator[tuple[str, str]]:
    """Yield times, numbers of parameters and operations of each network, a line for each run or network."""
    costs = [(cell, cell.costs) for cell in cells]
    known = [(cell, found) for cell, found in costs if found is not None]
    times = [f"{c.model} {c.seed} {' '.join(f'{each:.6g}' for each in f.inference_seconds)}" for c, f in known]
    yield "times_new.txt", _lines("# network seed seconds of five passes over the test part", times)
    parameters, operations = [], []
    for network, found in {cell.model: found for cell, found in known}.items():
        sizes = found.parameters
        counts = (sizes.convolutional, sizes.dense, sizes.flatten_width or 0, sizes.trainable)
        parameters.append(f"{network} {' '.join(map(str, counts))}")
        operations.append(f"{network} {'unknown' if found.flops is None else found.flops}")
    yield "parameter_summary.txt", _lines("# network conv dense flatten trainable", parameters)
    yield "flops_summary.txt", _lines("# network FLOPs", operations)


def _lines(head: str, lines: Sequence[str]) -> str:
    return "\n".join((head, *lines)) + "\n"


def _json(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def _npy(values: NDArray[np.generic]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=False)
    return stream.getvalue()
