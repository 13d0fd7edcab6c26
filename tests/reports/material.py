"""Studies for tests of reports: run folders with everything that a report shows, written without training."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker import Stream, digest_json

CLASSES = ("COMP", "FRI", "FRII", "BENT")
HOSTILE = ("<script>alert(1)</script>", r"\write18{touch owned}$x^2_%&#~`'\"", "Ζωή 星系 \N{TELESCOPE} --,,?`!`")
FINGERPRINT = {
    "benchmarker": "0.1.0",
    "python": "3.12.1",
    "system": "Linux",
    "isa": ["avx2", "fma"],
    "packages": {"keras": "3.15.1", "tensorflow": "2.21.0"},
    "plugins": {"dataset synthetic-radio": "galaxy-benchmarker 0.1.0"},
    "backend": {"name": "tensorflow", "version": "2.21.0", "devices": ["CPU"], "onednn": "1"},
    "threads": 2,
    "precision": "float32",
}
MANIFEST = {
    "format": 1,
    "status": "ok",
    "trained": True,
    "fingerprint": FINGERPRINT,
    "digests": {},
    "started": "2026-01-02T03:04:05+00:00",
    "finished": "2026-01-02T03:05:35+00:00",
}
PARAMETERS = ("total", "trainable", "convolutional", "dense")


class DocumentStudy:
    """Writes a study in which each network is worse than the one before it.

    Parameters
    ----------
    folder : Path
        Folder of the study.
    classes : sequence of str
    n_test, epochs : int
        Test images of each run, and epochs of its history.
    digest : str
        Digest of the prepared data, which the images shown come from.
    numbers, truth : ndarray of shape (n_test,), int64, optional
        Numbers and classes of the test images; the first of each class by default.
    """

    def __init__(
        self,
        folder: Path,
        *,
        title: str = "Four classes of radio galaxies",
        classes: Sequence[str] = CLASSES,
        n_test: int = 60,
        epochs: int = 12,
        digest: str = "",
        truth: NDArray[np.int64] | None = None,
    ) -> None:
        self.folder = folder
        self.classes = tuple(classes)
        self.epochs = epochs
        self.truth = np.arange(n_test) % len(classes) if truth is None else truth
        self.plan: dict[str, Any] = {
            "format": 1,
            "title": title,
            "registry": {"name": "registry.yaml", "sha256": "0" * 64},
            "dataset": {
                "name": "synthetic-radio",
                "digest": digest,
                "task": {"kind": "classification", "classes": list(classes)},
                "images": 480,
                "shape": [32, 32, 1],
                "parts": {"train": 240, "validation": 80, "test": len(self.truth)},
                "skipped": [{"name": "blank.fits", "reason": "every pixel is NaN"}],
                "licence": "CC0",
            },
            "backend": "tensorflow",
            "primary": {"name": "mean_per_class_accuracy", "higher_is_better": True},
            "cells": [],
            "generators": [],
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "registry.yaml").write_text(f"title: {json.dumps(title)}\nseeds: [1, 2, 3]\n", encoding="utf-8")

    def write(self) -> Path:
        """Write the plan, and return the folder."""
        (self.folder / "plan.json").write_text(json.dumps(self.plan), encoding="utf-8")
        return self.folder

    def add(self, models: Sequence[str], seeds: Sequence[int], arms: Sequence[str] = ("real",)) -> DocumentStudy:
        """Plan and finish the cells of some networks, the first of them the best."""
        for rank, model in enumerate(models):
            for place, arm in enumerate(arms):
                for seed in seeds:
                    cell = self.cell(model, arm, seed)
                    self.finish(cell, skill=0.92 - 0.5 * rank / len(models) + 0.03 * place, cost=2.0**-rank)
        self.write()
        return self

    def pending(self, model: str, seed: int, arm: str = "real") -> DocumentStudy:
        """Plan a cell and leave it pending."""
        self.cell(model, arm, seed)
        self.write()
        return self

    def finish(self, cell: Mapping[str, Any], *, skill: float, cost: float) -> None:
        """Write a finished run; a higher ``skill`` gives more correct predictions."""
        draws = Stream("documents", model=cell["model"], arm=cell["arm"], seed=cell["seed"]).generator()
        n, k = len(self.truth), len(self.classes)
        scores = draws.normal(0, 1, (n, k))
        # Every network classifies some images correctly, and none some others.
        ease = np.where(np.arange(n) % 3 == 0, 8.0, np.where(np.arange(n) % 7 == 1, -8.0, 0.0))
        scores[np.arange(n), self.truth] += 3 * skill + ease
        values = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        folder = self.folder / "runs" / cell["key"][:16]
        folder.mkdir(parents=True)
        evaluation = _evaluation(self.truth, values, self.classes)
        files = {
            "manifest.json": json.dumps(
                {key: cell[key] for key in ("key", "configuration", "model", "architecture", "arm", "seed")} | MANIFEST
            ),
            "metrics.json": json.dumps(
                {
                    "primary": self.plan["primary"],
                    "parts": self.plan["dataset"]["parts"],
                    "best": evaluation,
                    "final": evaluation,
                }
            ),
            "costs.json": json.dumps(
                {
                    "parameters": dict.fromkeys(PARAMETERS, int(4e6 * cost)),
                    "flops": int(2e9 * cost),
                    "peak_memory_bytes": int(1e9 * cost),
                    "training_seconds": 60 * cost,
                    "training_images_per_second": 300 / cost,
                    "inference_seconds": [0.1 * cost],
                    "inference_images": len(self.truth),
                    "inference_images_per_second": 900 / cost,
                }
            ),
            "history.csv": _history(self.epochs, skill, draws.normal(0, 0.01, self.epochs)),
        }
        files |= dict.fromkeys(
            ("predictions_best.csv", "predictions_final.csv"), _predictions(self.truth, values, self.classes)
        )
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")

    def generator(self, name: str, seed: int, png: bytes) -> DocumentStudy:
        """Plan and finish the training of a generator."""
        spec = {
            "format": 1,
            "kind": "generator",
            "backend": "tensorflow",
            "seed": seed,
            "training": {"threads": 2, "precision": "float32"},
            "data": {
                "digest": "d" * 64,
                "images": self.plan["dataset"]["parts"]["train"],
                "shape": self.plan["dataset"]["shape"],
                "task": self.plan["dataset"]["task"],
            },
            "generator": {"name": name, "options": {}, "epochs": 2},
            "conditions": ["class"],
        }
        names = {"model": name, "architecture": name, "arm": "generator", "seed": seed}
        cell: dict[str, Any] = {"key": digest_json(spec), "configuration": digest_json(name), **names}
        cell |= {"line": 3, "spec": spec}
        self.plan["generators"].append(cell)
        folder = self.folder / "runs" / cell["key"][:16]
        folder.mkdir(parents=True)
        row = {"name": "fid", "label": "Fréchet distance", "value": 12.5, "floor": 1.25, "unit": "", "better": "lower"}
        curve = {
            "condition": "stellar mass", "property": "flux", "requested": [8.0, 9.0, 10.0], "measured": [0.2, 0.4, 0.8],
            "rank_correlation": 0.97, "monotonic_share": 0.96,
        }  # fmt: skip
        quality = {"n_samples": 100, "n_held_out": 80, "rows": [row], "fidelity": [curve], "memorisation": {"p": 0.5}}
        costs = {
            "parameters": {"total": 2_000_000, "sampling": 1_000_000},
            "peak_memory_bytes": 800_000_000,
            "training_seconds": 90.5,
            "training_images_per_second": 500.25,
            "trained": True,
        }
        manifest = {"key": cell["key"], "configuration": cell["configuration"], **names, **MANIFEST}
        metrics = {"primary": None, "epochs": 2, "final": {"g_loss": 0.9}, "quality": quality}
        files = {
            "manifest.json": json.dumps(manifest),
            "metrics.json": json.dumps(metrics),
            "costs.json": json.dumps(costs),
            "history.csv": "epoch,d_loss_real,d_loss_fake,g_loss\n1,0.7,0.7,0.7\n2,0.6,0.5,0.9\n",
        }
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        (folder / "samples").mkdir()
        for file in ("real.png", "epoch-0001.png", "epoch-0002.png", "animation.png"):
            (folder / "samples" / file).write_bytes(png)
        self.write()
        return self

    def cell(self, model: str, arm: str, seed: int, **settings: Any) -> dict[str, Any]:
        """Plan a cell."""
        spec = {
            "format": 1,
            "backend": "tensorflow",
            "dataset": {"name": self.plan["dataset"]["name"], "digest": self.plan["dataset"]["digest"]},
            "split": {"train": 60, "validation": 20},
            "training": {"threads": 2, "precision": "float32"},
            "arm": {
                "augmentations": [] if arm == "real" else [{"name": arm, "options": {}}],
                "augment_validation": False,
            },
            "model": {"architecture": model, "options": {}, "learning_rate": 0.001, "epochs": 12, **settings},
            "seed": seed,
        }
        cell: dict[str, Any] = {
            "key": digest_json(spec),
            "configuration": digest_json({name: value for name, value in spec.items() if name != "seed"}),
            "model": model,
            "architecture": model,
            "arm": arm,
            "seed": seed,
            "line": 7,
            "spec": spec,
        }
        self.plan["cells"].append(cell)
        return cell


def _evaluation(truth: NDArray[np.int64], values: NDArray[np.float64], classes: Sequence[str]) -> dict[str, Any]:
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(counts, (truth, values.argmax(axis=1)), 1)
    hits = counts.diagonal()
    recall = hits / np.maximum(counts.sum(axis=1), 1)
    precision = hits / np.maximum(counts.sum(axis=0), 1)
    f1 = 2 * recall * precision / np.maximum(recall + precision, 1e-12)
    scores = {
        "mean_per_class_accuracy": 100 * float(recall.mean()),
        "accuracy": float(hits.sum() / counts.sum()),
        "macro_f1": float(f1.mean()),
        "macro_precision": float(precision.mean()),
        "macro_recall": float(recall.mean()),
        "loss": float(-np.log(values[np.arange(len(truth)), truth]).mean()),
    }
    return {
        "epoch": 5,
        "test": scores,
        "validation": scores,
        "train": scores,
        "ratios": {"loss": 1.25, "accuracy": 0.9},
        "per_class": {
            name: {
                "precision": float(precision[c]),
                "recall": float(recall[c]),
                "f1": float(f1[c]),
                "support": int(counts[c].sum()),
            }
            for c, name in enumerate(classes)
        },
        "confusion_matrix": counts.tolist(),
    }


def _history(epochs: int, skill: float, noise: NDArray[np.float64]) -> str:
    lines = ["epoch,learning_rate,accuracy,loss,validation_accuracy,validation_loss"]
    for epoch in range(1, epochs + 1):
        accuracy = skill * (1 - np.exp(-epoch / 4)) + noise[epoch - 1]
        lines.append(f"{epoch},0.001,{accuracy},{1.4 - accuracy},{accuracy - 0.03},{1.45 - accuracy}")
    return "\n".join(lines) + "\n"


def _predictions(truth: NDArray[np.int64], values: NDArray[np.float64], classes: Sequence[str]) -> str:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["source_id", "image", "true", "predicted", *(f"p_{name}" for name in classes)])
    for k, (true, row) in enumerate(zip(truth.tolist(), values.tolist(), strict=True)):
        writer.writerow([f"J{k:04d}+{k:03d}", k, classes[true], classes[int(np.argmax(row))], *row])
    return stream.getvalue()
