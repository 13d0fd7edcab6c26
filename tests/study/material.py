"""Small specifications and fingerprints for tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarker.contracts.settings import Split, Training
from benchmarker.contracts.tasks import Classification
from benchmarker.study.fingerprint import BackendRecord, Fingerprint
from benchmarker.study.layout import PLAN_FILE
from benchmarker.study.plan import (
    DatasetRecord,
    PartSizes,
    Plan,
    PlannedCell,
    PlannedGenerator,
    PrimaryMetricRecord,
    RegistryRecord,
)
from benchmarker.study.runs import CellCosts, CellMetrics, CheckpointMetrics, NetworkParameters
from benchmarker.study.specs import ArmSpec, CellSpec, DatasetSpec, ModelSpec


def cell_spec(**changes: Any) -> CellSpec:
    """Return the specification of a small network, with some parts replaced."""
    parts: dict[str, Any] = {
        "backend": "tensorflow",
        "dataset": DatasetSpec(name="synthetic-radio", digest="0" * 64),
        "split": Split(train=6, validation=3),
        "training": Training(batch_size=4, threads=1),
        "arm": ArmSpec(augmentations=(), augment_validation=False),
        "model": ModelSpec(architecture="mcrgnet", options={"dropout": 0.5}, learning_rate=0.001, epochs=2),
        "seed": 8901,
    }
    return CellSpec(**parts | changes)


def planned_cell(model: str = "mcrgnet", *, options: dict[str, Any] | None = None, seed: int = 8901) -> PlannedCell:
    """Return the cell of a small network in the arm ``real``."""
    network = ModelSpec(architecture=model, options=options or {}, learning_rate=0.001, epochs=2)
    return PlannedCell.of(cell_spec(model=network, seed=seed), model=model, arm="real", line=1)


def some_fingerprint(**plugins: str) -> Fingerprint:
    """Return a fingerprint of some environment."""
    return Fingerprint(
        benchmarker="0.2.0",
        python="3.12.1",
        system="Linux",
        machine="x86_64",
        isa=("avx2", "fma"),
        packages={"keras": "3.15.1", "tensorflow": "2.21.0"},
        plugins=plugins,
        backend=BackendRecord(name="tensorflow", version="2.21.0", devices=("CPU",)),
        threads=1,
        precision="float32",
    )


def write_plan(study: Path, cells: Iterable[PlannedCell], generators: Iterable[PlannedGenerator] = ()) -> Plan:
    """Write the plan of a study, and return it."""
    plan = Plan(
        registry=RegistryRecord(name="tiny.yaml", sha256="0" * 64),
        dataset=DatasetRecord(
            name="synthetic-radio",
            digest="0" * 64,
            task=Classification(classes=("a", "b")),
            images=24,
            shape=(4, 4, 1),
            parts=PartSizes(train=12, validation=6, test=6),
        ),
        backend="tensorflow",
        primary=PrimaryMetricRecord(name="mean_per_class_accuracy", higher_is_better=True),
        cells=tuple(cells),
        generators=tuple(generators),
    )
    plan.write(study / PLAN_FILE)
    return plan


def cell_metrics(best: float = 50.0, final: float = 50.0, **facts: Any) -> CellMetrics:
    """Return the metrics of a network with mean per-class accuracies in percent, and further facts of the best."""
    return CellMetrics(
        primary=PrimaryMetricRecord(name="mean_per_class_accuracy", higher_is_better=True),
        parts=PartSizes(train=12, validation=6, test=6),
        best=_evaluation(best, **facts),
        final=_evaluation(final),
    )


def _evaluation(accuracy: float, **facts: Any) -> CheckpointMetrics:
    scores = {"mean_per_class_accuracy": accuracy, "accuracy": accuracy / 100, "loss": 1 - accuracy / 100}
    return CheckpointMetrics(train=scores, validation=scores, test=scores, ratios={}, epoch=2, **facts)


def cell_costs(parameters: int = 1000) -> CellCosts:
    """Return the costs of a network."""
    return CellCosts(
        parameters=NetworkParameters(total=parameters, trainable=parameters, convolutional=0, dense=parameters),
        flops=None,
        peak_memory_bytes=1,
        training_seconds=1.0,
        training_images_per_second=24.0,
        inference_seconds=(0.5,),
        inference_images=6,
        inference_images_per_second=12.0,
    )


def of_lanes(seed: int, *, of: int = 4, threads: int = 1) -> PlannedCell:
    """Return a cell that is trained beside other seeds."""
    spec = cell_spec(seed=seed).model_copy(update={"training": Training(seeds_at_once=of, threads=threads)})
    return PlannedCell.of(spec, model="mcrgnet", arm="real", line=1)
