"""Write a study whose runs have all finished, for benchmarks of reading them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NETWORKS, ARMS, SEEDS = 100, 10, 10
CLASSES = ("FRI", "FRII", "Compact", "Bent")
EPOCHS = 12
TEST_IMAGES = 40

_FINGERPRINT = {
    "benchmarker": "0.1.0",
    "python": "3.11.7",
    "system": "Linux",
    "machine": "x86_64",
    "isa": ["sse4_2", "avx", "avx2", "fma"],
    "packages": {"keras": "3.15.1", "numpy": "2.4.6", "tensorflow": "2.21.0"},
    "backend": {"name": "tensorflow", "version": "2.21.0", "devices": ["CPU"], "onednn": "1", "op_determinism": True},
    "threads": 1,
    "precision": "float32",
}


def write_study(folder: Path, *, networks: int = NETWORKS, arms: int = ARMS, seeds: int = SEEDS) -> int:
    """Write a study whose runs have all finished, and return their number.

    Parameters
    ----------
    folder : Path
        Path of the study's folder, which is created.
    networks, arms, seeds : int
        Numbers of networks, arms and seeds; their product is the number of runs.
    """
    from benchmarker import Stream

    generator = Stream("benchmark runs").generator()
    cells = []
    for seed in range(seeds):
        for arm in range(arms):
            for network in range(networks):
                cell = _cell(f"network-{network:03}", "real" if arm == 0 else f"arm-{arm}", seed)
                cells.append(cell)
                skill = 0.6 + 0.3 * network / networks + 0.002 * arm
                _write_run(folder / "runs" / cell["key"][:16], cell, skill, generator)
    plan = {
        "format": 1,
        "title": f"{len(cells):,} runs",
        "registry": {"name": "many.yaml", "sha256": "0" * 64},
        "dataset": {
            "name": "benchmark",
            "digest": "1" * 64,
            "task": {"kind": "classification", "classes": list(CLASSES)},
            "images": 2157,
            "shape": [64, 64, 1],
            "parts": {"train": 1758, "validation": 199, "test": TEST_IMAGES},
            "skipped": [],
        },
        "backend": "tensorflow",
        "primary": {"name": "mean_per_class_accuracy", "higher_is_better": True},
        "cells": cells,
    }
    (folder / "plan.json").write_text(json.dumps(plan, indent=2), encoding="utf-8")
    (folder / "registry.yaml").write_text("title: many runs\n", encoding="utf-8")
    return len(cells)


def _cell(model: str, arm: str, seed: int) -> dict[str, Any]:
    shared = {
        "format": 1,
        "backend": "tensorflow",
        "dataset": {"name": "benchmark", "digest": "1" * 64},
        "split": {"published": True, "train": None, "validation": None, "bagging": None},
        "training": {"batch_size": 32, "optimiser": "adam", "class_weights": "balanced", "threads": 1},
        "arm": {"augmentations": [{"name": arm, "options": {}}] if arm != "real" else [], "augment_validation": False},
        "model": {"architecture": model, "options": {}, "learning_rate": 0.001, "epochs": EPOCHS},
    }
    return {
        "key": hashlib.sha256(json.dumps([shared, seed]).encode()).hexdigest(),
        "configuration": hashlib.sha256(json.dumps(shared).encode()).hexdigest(),
        "model": model,
        "architecture": model,
        "arm": arm,
        "seed": seed,
        "line": 7,
        "spec": {**shared, "seed": seed},
    }


def _write_run(run: Path, cell: Mapping[str, Any], skill: float, generator: Any) -> None:
    import numpy as np

    run.mkdir(parents=True)
    truth = np.arange(TEST_IMAGES) % len(CLASSES)
    right = generator.random(TEST_IMAGES) < skill
    predicted = np.where(right, truth, (truth + 1) % len(CLASSES))
    named = {name: cell[name] for name in ("key", "configuration", "model", "architecture", "arm", "seed")}
    files = {
        "manifest.json": {
            "format": 1,
            **named,
            "started": "2026-01-02T03:04:05+00:00",
            "status": "ok",
            "trained": True,
            "fingerprint": _FINGERPRINT,
            "digests": dict.fromkeys(("data", "split", "initial_weights", "best_weights"), cell["key"]),
            "finished": "2026-01-02T03:05:35+00:00",
        },
        "metrics.json": {
            "primary": {"name": "mean_per_class_accuracy", "higher_is_better": True},
            "parts": {"train": 1758, "validation": 199, "test": TEST_IMAGES},
            "best": _evaluation(truth, predicted, 8),
            "final": _evaluation(truth, predicted, EPOCHS),
        },
        "costs.json": {
            "parameters": {"total": 17308, "trainable": 17308, "convolutional": 8792, "dense": 8516},
            "flops": 729028,
            "peak_memory_bytes": 1012494336,
            "training_seconds": float(9 + generator.random()),
            "training_images_per_second": float(2000 + 100 * generator.random()),
            "inference_seconds": [0.0693, 0.0903, 0.0896],
            "inference_images_per_second": float(2000 + 100 * generator.random()),
        },
    }
    for name, content in files.items():
        (run / name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    (run / "history.csv").write_text(_history(generator), encoding="utf-8")
    (run / "predictions_best.csv").write_text(_predictions(truth, predicted, generator), encoding="utf-8")


def _evaluation(truth: Any, predicted: Any, epoch: int) -> dict[str, Any]:
    import numpy as np

    n = len(CLASSES)
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
    per_class = {
        name: {"precision": float(precision[k]), "recall": float(recall[k]), "f1": float(recall[k]), "support": 10}
        for k, name in enumerate(CLASSES)
    }
    return {
        **dict.fromkeys(("train", "validation", "test"), scores),
        "confusion_matrix": matrix.tolist(),
        "confusion_matrix_normalised": (matrix / matrix.sum(axis=1, keepdims=True)).tolist(),
        "per_class": per_class,
        "ratios": {"loss": 0.95, "accuracy": 1.08},
        "epoch": epoch,
    }


def _history(generator: Any) -> str:
    import numpy as np

    rows = ["epoch,learning_rate,accuracy,loss,validation_accuracy,validation_loss"]
    for epoch, (loss, other) in enumerate(np.sort(generator.random((EPOCHS, 2)), axis=0)[::-1].tolist(), start=1):
        rows.append(f"{epoch},0.001,{1 - loss / 2!r},{loss!r},{1 - other / 2!r},{other!r}")
    return "\n".join(rows) + "\n"


def _predictions(truth: Any, predicted: Any, generator: Any) -> str:
    import numpy as np

    rows = ["source_id,image,true,predicted," + ",".join(f"p_{name}" for name in CLASSES)]
    weights = generator.random((len(truth), len(CLASSES)))
    weights[np.arange(len(truth)), predicted] += 1
    for k, probabilities in enumerate((weights / weights.sum(axis=1, keepdims=True)).tolist()):
        cells = [f"source{k:04}", str(k), CLASSES[truth[k]], CLASSES[predicted[k]], *map(repr, probabilities)]
        rows.append(",".join(cells))
    return "\n".join(rows) + "\n"
