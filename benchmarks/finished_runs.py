"""Write a study whose runs have all finished, for benchmarks of reading them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarker import Classification, Split, Stream, Training
from benchmarker.evaluation.predictions import prediction_columns, prediction_rows
from benchmarker.files import write_csv, write_text
from benchmarker.record import Record
from benchmarker.study.fingerprint import BackendRecord, Fingerprint
from benchmarker.study.layout import COSTS_FILE, HISTORY_FILE, MANIFEST_FILE, METRICS_FILE, PLAN_FILE, RUNS_FOLDER
from benchmarker.study.plan import DatasetRecord, PartSizes, Plan, PlannedCell, PrimaryMetricRecord, RegistryRecord
from benchmarker.study.runs import (
    CellCosts,
    CellMetrics,
    CheckpointMetrics,
    ClassScores,
    FinishedManifest,
    NetworkParameters,
)
from benchmarker.study.specs import ArmSpec, CellSpec, DatasetSpec, ModelSpec, PluginChoice

if TYPE_CHECKING:
    from benchmarker.randomness import RandomGenerator

NETWORKS, ARMS, SEEDS = 100, 10, 10
EPOCHS = 12
TASK = Classification(classes=("FRI", "FRII", "Compact", "Bent"))
PARTS = PartSizes(train=1758, validation=199, test=40)
PRIMARY = PrimaryMetricRecord(name="mean_per_class_accuracy", higher_is_better=True)
DIGEST = "1" * 64

FINGERPRINT = Fingerprint(
    benchmarker="0.1.0",
    python="3.11.7",
    system="Linux",
    machine="x86_64",
    isa=("sse4_2", "avx", "avx2", "fma"),
    packages={"keras": "3.15.1", "numpy": "2.4.6", "tensorflow": "2.21.0"},
    plugins={"dataset benchmark": "galaxy-benchmarker 0.1.0"},
    backend=BackendRecord.model_validate(
        {"name": "tensorflow", "version": "2.21.0", "devices": ("CPU",), "onednn": "1", "op_determinism": True}
    ),
    threads=1,
    precision="float32",
)


def write_study(folder: Path, *, networks: int = NETWORKS, arms: int = ARMS, seeds: int = SEEDS) -> int:
    """Write a study whose runs have all finished, and return their number.

    Parameters
    ----------
    folder : Path
        Path of the study's folder, which is created.
    networks, arms, seeds : int
        Numbers of networks, arms and seeds; their product is the number of runs.
    """
    rng = Stream("benchmark runs").generator()
    cells = []
    for seed in range(seeds):
        for arm in range(arms):
            for network in range(networks):
                cell = _cell(f"network-{network:03}", "real" if arm == 0 else f"arm-{arm}", seed)
                cells.append(cell)
                skill = 0.6 + 0.3 * network / networks + 0.002 * arm
                write_run(folder / RUNS_FOLDER / cell.run_name, cell, skill, rng)
    plan = Plan(
        title=f"{len(cells):,} runs",
        registry=RegistryRecord(name="many.yaml", sha256="0" * 64),
        dataset=DatasetRecord(
            name="benchmark", digest=DIGEST, task=TASK, images=2157, shape=(64, 64, 1), parts=PARTS, skipped=()
        ),
        backend="tensorflow",
        primary=PRIMARY,
        cells=tuple(cells),
    )
    plan.write(folder / PLAN_FILE)
    write_text(folder / "registry.yaml", "title: many runs\n")
    return len(cells)


@cache
def _arm(name: str) -> ArmSpec:
    augmentations = () if name == "real" else (PluginChoice(name=name, options={}),)
    return ArmSpec(augmentations=augmentations, augment_validation=False)


def _cell(model: str, arm: str, seed: int) -> PlannedCell:
    spec = CellSpec(
        backend="tensorflow",
        dataset=DatasetSpec(name="benchmark", digest=DIGEST),
        split=Split(published=True),
        training=Training(threads=1, class_weights="balanced"),
        arm=_arm(arm),
        model=ModelSpec(architecture=model, options={}, learning_rate=0.001, epochs=EPOCHS),
        seed=seed,
    )
    return PlannedCell.of(spec, model=model, arm=arm, line=7)


def write_run(run: Path, cell: PlannedCell, skill: float, rng: RandomGenerator) -> FinishedManifest:
    """Write the files of a finished run, and return its manifest.

    Parameters
    ----------
    run : Path
        Folder of the run.
    cell : PlannedCell
        Cell that was run.
    skill : float
        Chance that a test image is classified correctly.
    rng : RandomGenerator
        Source of the results.
    """
    run.mkdir(parents=True, exist_ok=True)
    truth = np.arange(PARTS.test) % TASK.n_outputs
    predicted = np.where(rng.random(PARTS.test) < skill, truth, (truth + 1) % TASK.n_outputs)
    weights = rng.random((PARTS.test, TASK.n_outputs))
    weights[np.arange(PARTS.test), predicted] += 1
    manifest = FinishedManifest(
        **{name: getattr(cell, name) for name in ("key", "configuration", "model", "architecture", "arm", "seed")},
        started="2026-01-02T03:04:05+00:00",
        trained=True,
        fingerprint=FINGERPRINT,
        digests=dict.fromkeys(("data", "split", "initial_weights", "best_weights"), cell.key),
        finished="2026-01-02T03:05:35+00:00",
    )
    metrics = CellMetrics(
        primary=PRIMARY, parts=PARTS, best=_metrics(truth, predicted, 8), final=_metrics(truth, predicted, EPOCHS)
    )
    files: dict[str, Record] = {MANIFEST_FILE: manifest, METRICS_FILE: metrics, COSTS_FILE: _costs(rng)}
    for name, record in files.items():
        record.write(run / name)
    _write_history(run / HISTORY_FILE, rng)
    rows = prediction_rows(TASK, truth, weights / weights.sum(axis=1, keepdims=True))
    write_csv(
        run / "predictions_best.csv",
        ["source_id", "image", *prediction_columns(TASK)],
        [[f"source{k:04}", str(k), *row] for k, row in enumerate(rows)],
    )
    return manifest


def _metrics(truth: NDArray[np.int64], predicted: NDArray[np.int64], epoch: int) -> CheckpointMetrics:
    n = TASK.n_outputs
    matrix = np.bincount(truth * n + predicted, minlength=n * n).reshape(n, n)
    recall = np.diag(matrix) / matrix.sum(axis=1)
    precision = np.diag(matrix) / np.maximum(matrix.sum(axis=0), 1)
    accuracy = float((truth == predicted).mean())
    scores = {
        "mean_per_class_accuracy": 100 * float(recall.mean()),
        "accuracy": accuracy,
        "macro_precision": float(precision.mean()),
        "macro_recall": float(recall.mean()),
        "macro_f1": accuracy - 0.01,
        "loss": 1.5 - accuracy,
    }
    return CheckpointMetrics(
        train=scores,
        validation=scores,
        test=scores,
        confusion_matrix=matrix.tolist(),
        confusion_matrix_normalised=(matrix / matrix.sum(axis=1, keepdims=True)).tolist(),
        per_class={
            name: ClassScores(precision=float(precision[k]), recall=float(recall[k]), f1=float(recall[k]), support=10)
            for k, name in enumerate(TASK.classes)
        },
        ratios={"loss": 0.95, "accuracy": 1.08},
        epoch=epoch,
    )


def _costs(rng: RandomGenerator) -> CellCosts:
    return CellCosts(
        parameters=NetworkParameters(total=17308, trainable=17308, convolutional=8792, dense=8516),
        flops=729028,
        peak_memory_bytes=1012494336,
        training_seconds=float(9 + rng.random()),
        training_images_per_second=float(2000 + 100 * rng.random()),
        inference_seconds=(0.0693, 0.0903, 0.0896),
        inference_images=PARTS.test,
        inference_images_per_second=float(2000 + 100 * rng.random()),
    )


def _write_history(path: Path, rng: RandomGenerator) -> None:
    columns = ["epoch", "learning_rate", "accuracy", "loss", "validation_accuracy", "validation_loss"]
    losses = np.sort(rng.random((EPOCHS, 2)), axis=0)[::-1].tolist()
    rows = [
        [str(epoch), "0.001", *map(repr, (1 - loss / 2, loss, 1 - validation_loss / 2, validation_loss))]
        for epoch, (loss, validation_loss) in enumerate(losses, start=1)
    ]
    write_csv(path, columns, rows)
