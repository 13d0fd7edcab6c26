"""Fixtures for the whole suite."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarker.digests import digest_json
from tests.registries import tiny, write_registry

CHECKOUT = Path(__file__).resolve().parent.parent

# A suite started in the background or by nohup ignores these signals, and so would the processes that it starts.
for _number, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, _handler)


# Files that take more than ten seconds, the longest first, so that two processes that share the files finish together.
LONG = (
    "run/test_study.py",
    "audit/test_audit.py",
    "run/test_generators.py",
    "run/test_kill.py",
    "docs/test_tutorials.py",
    "reports/test_browser.py",
    "test_examples.py",
    "run/test_jax.py",
    "backends/test_jax.py",
    "plugins/gan/test_training.py",
    "run/test_generator_diverges.py",
    "run/test_plugins_that_exit.py",
    "run/test_edited_code.py",
    "backends/test_determinism.py",
    "architectures/test_networks.py",
    "backends/test_gradient_step.py",
    "generation/test_generators_on_jax.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest."""
    order = {CHECKOUT / "tests" / name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: order.get(item.path, len(order)))


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give the suite, and the processes that it starts, a cache that is not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENCHMARKER_CACHE", str(tmp_path_factory.mktemp("benchmarker-cache")))
        yield


@pytest.fixture
def isolated_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache for one test."""
    folder = tmp_path / "benchmarker-cache"
    folder.mkdir()
    monkeypatch.setenv("BENCHMARKER_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the project."""
    return CHECKOUT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images, which are not part of the project."""
    named = os.environ.get("BENCHMARKER_TEST_DATA")
    folder = Path(named) if named else CHECKOUT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"needs real images: {folder} does not exist; set BENCHMARKER_TEST_DATA to their folder")
    return folder


CLASSES = ["COMP", "FRI", "FRII", "BENT"]
FINGERPRINT: dict[str, Any] = {
    "benchmarker": "0.1.0",
    "python": "3.12.3",
    "system": "Linux",
    "isa": [],
    "packages": {},
    "plugins": {},
    "backend": {"name": "tensorflow"},
    "threads": 2,
    "precision": "float32",
}


class StudyFiles:
    """Writes the files of a study, so that code that reads studies is tested without training."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cells: list[dict[str, Any]] = []
        self.plan: dict[str, Any] = {
            "format": 1,
            "title": "A study of four classes",
            "registry": {"name": "mine.yaml", "sha256": "0" * 64},
            "dataset": {
                "name": "synthetic-radio",
                "digest": "1" * 64,
                "task": {"kind": "classification", "classes": CLASSES},
                "images": 480,
                "shape": [64, 64, 1],
                "parts": {"train": 240, "validation": 80, "test": 160},
                "skipped": [{"name": "blank.fits", "reason": "every pixel is NaN"}],
            },
            "backend": "tensorflow",
            "primary": {"name": "mean_per_class_accuracy", "higher_is_better": True},
        }

    def cell(self, model: str, seed: int, *, arm: str = "real", **model_settings: Any) -> dict[str, Any]:
        """Plan a cell."""
        spec = {
            "format": 1,
            "backend": "tensorflow",
            "dataset": {"name": self.plan["dataset"]["name"], "digest": self.plan["dataset"]["digest"]},
            "split": {"train": 60, "validation": 20},
            "training": {"precision": "float32", "threads": 2},
            "arm": {
                "augmentations": [] if arm == "real" else [{"name": arm, "options": {}}],
                "augment_validation": False,
            },
            "model": {
                "architecture": model, "options": {}, "learning_rate": 0.001, "epochs": 16, **model_settings
            },
            "seed": seed,
        }  # fmt: skip
        cell = {
            "key": digest_json(spec),
            "configuration": digest_json({name: value for name, value in spec.items() if name != "seed"}),
            "model": model,
            "architecture": model,
            "arm": arm,
            "seed": seed,
            "line": 7,
            "spec": spec,
        }
        self.cells.append(cell)
        self.write_plan()
        return cell

    def generated_arm(self, label: str, seed: int, ratio: float) -> dict[str, Any]:
        """Return the specification of an arm with images of a generator, which is planned too."""
        generator = self.generator(label, seed)
        generated = {"generator": generator["key"], "configuration": generator["configuration"], "ratio": ratio}
        return {"augmentations": [], "augment_validation": False, "generated": generated}

    def generator(self, label: str, seed: int) -> dict[str, Any]:
        """Plan a generator."""
        spec = {
            "format": 1,
            "kind": "generator",
            "backend": "tensorflow",
            "seed": seed,
            "training": {"threads": 2, "precision": "float32"},
            "data": {
                "digest": f"{seed % 10}" * 64,
                "images": 240,
                "shape": self.plan["dataset"]["shape"],
                "task": self.plan["dataset"]["task"],
            },
            "generator": {"name": "dcgan", "options": {}, "epochs": 10},
            "conditions": ["class"],
        }
        generator = {
            "key": digest_json(spec),
            "configuration": digest_json([label, "generator"]),
            "model": label,
            "architecture": "dcgan",
            "arm": "generator",
            "seed": seed,
            "line": 3,
            "spec": spec,
        }
        planned = self.plan.setdefault("generators", [])
        if generator not in planned:
            planned.append(generator)
        self.write_plan()
        return generator

    def train(self, generator: Mapping[str, Any], *, quality: Mapping[str, Any] | None = None) -> Path:
        """Write a finished training of a generator."""
        folder = self.run_folder(generator)
        manifest = self._manifest(generator) | {
            "status": "ok",
            "trained": True,
            "fingerprint": FINGERPRINT,
            "digests": {"data": "1" * 64, "final_weights": "5" * 64},
        }
        metrics = {"primary": None, "epochs": 10, "final": {"g_loss": 0.7}, "quality": quality}
        costs = {
            "parameters": {"total": 2_000_000, "sampling": 1_000_000},
            "peak_memory_bytes": 800_000_000,
            "training_seconds": 90.5,
            "training_images_per_second": 500.25,
            "trained": True,
        }
        for name, value in (("manifest", manifest), ("metrics", metrics), ("costs", costs)):
            (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
        (folder / "history.csv").write_text("epoch,loss\n1,0.5\n", encoding="utf-8")
        return folder

    def write_plan(self) -> None:
        """Write the plan as it is now."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "plan.json").write_text(json.dumps({**self.plan, "cells": self.cells}), encoding="utf-8")

    def keep_registry(self, text: str) -> None:
        """Write the study's copy of its registry, and the digest of it into the plan."""
        (self.folder / "registry.yaml").write_text(text)
        self.plan["registry"]["sha256"] = hashlib.sha256(text.encode()).hexdigest()
        self.write_plan()

    def run_folder(self, cell: Mapping[str, Any], suffix: str = "") -> Path:
        """Return the folder of a cell's run, made if need be."""
        folder = self.folder / "runs" / f"{cell['key'][:16]}{suffix}"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def finish(
        self,
        cell: Mapping[str, Any],
        best: float,
        final: float | None = None,
        *,
        fingerprint: Mapping[str, Any] | None = None,
        costs: Mapping[str, Any] | None = None,
    ) -> Path:
        """Write a finished run with a mean per-class accuracy in percent at each checkpoint."""
        folder = self.run_folder(cell)
        manifest = self._manifest(cell) | {
            "status": "ok",
            "trained": True,
            "fingerprint": {**FINGERPRINT, **(fingerprint or {})},
            "digests": {"data": "1" * 64, "initial_weights": "2" * 64},
        }
        metrics = {
            "primary": self.plan["primary"],
            "parts": self.plan["dataset"]["parts"],
            "best": self._evaluation(best, 5),
            "final": self._evaluation(best if final is None else final, 16),
        }
        written = {
            "parameters": {"total": 4_300_000, "trainable": 4_300_000, "convolutional": 1_300_000, "dense": 3_000_000},
            "flops": 2_400_000_000,
            "peak_memory_bytes": 900_000_000,
            "training_seconds": 61.5,
            "training_images_per_second": 310.25,
            "inference_seconds": [0.5, 0.5, 0.5, 0.5, 0.5],
            "inference_images": 160,
            "inference_images_per_second": 1234.5,
            **(costs or {}),
        }
        for name, value in (("manifest", manifest), ("metrics", metrics), ("costs", written)):
            (folder / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")
        (folder / "history.csv").write_text("epoch,loss\n1,0.5\n", encoding="utf-8")
        return folder

    def fail(self, cell: Mapping[str, Any], kind: str, message: str) -> Path:
        """Write a failed run."""
        folder = self.run_folder(cell, ".failed")
        manifest = self._manifest(cell) | {"status": "failed", "kind": kind, "message": message, "traceback": "Trace\n"}
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        return folder

    def _manifest(self, cell: Mapping[str, Any]) -> dict[str, Any]:
        named = {name: cell[name] for name in ("key", "configuration", "model", "architecture", "arm", "seed")}
        times = {"started": "2026-01-02T03:04:05+00:00", "finished": "2026-01-02T03:05:35+00:00"}
        return {"format": 1, **named, **times}

    def _evaluation(self, accuracy: float, epoch: int) -> dict[str, Any]:
        scores = {
            "mean_per_class_accuracy": accuracy,
            "accuracy": accuracy / 100,
            "macro_f1": accuracy / 100 - 0.01,
            "macro_precision": accuracy / 100,
            "macro_recall": accuracy / 100,
            "loss": 1 - accuracy / 100,
        }
        counts = {"precision": 0.9, "recall": 0.8, "f1": 0.85, "support": 40}
        return {
            "epoch": epoch,
            "test": scores,
            "validation": scores,
            "train": scores,
            "ratios": {"loss": 1.25, "accuracy": 0.9},
            "per_class": dict.fromkeys(CLASSES, counts),
            "confusion_matrix": [[32, 4, 2, 2], [3, 33, 2, 2], [1, 5, 34, 0], [0, 1, 1, 38]],
        }


@pytest.fixture
def study(tmp_path: Path) -> StudyFiles:
    """An empty study, to be filled by the test."""
    return StudyFiles(tmp_path / "study")


SIZE = 32
PER_CLASS = 12


@pytest.fixture(scope="session")
def fits_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of FITS images of two classes with twelve sources each: one blob, or two."""
    import numpy as np
    from astropy.io import fits

    from benchmarker import Stream

    folder = tmp_path_factory.mktemp("fits")
    rows, columns = np.mgrid[:SIZE, :SIZE]
    lines = ["Name,Type"]
    for number, (name, separation) in enumerate((("FRI", 0.0), ("FRII", 16.0)), start=2):
        (folder / name).mkdir()
        for k in range(PER_CLASS):
            draws = Stream("test-image", number=number, k=k).generator()
            angle = draws.random() * np.pi
            image = draws.normal(0, 0.05, (SIZE, SIZE))
            for side in (-0.5, 0.5):
                row = SIZE / 2 + side * separation * np.sin(angle)
                column = SIZE / 2 + side * separation * np.cos(angle)
                image += np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 8)
            fits.PrimaryHDU(image.astype(">f4")).writeto(folder / name / f"source{number}{k:02d}.fits")
            lines.append(f"source{number}{k:02d},{number}")
    (folder / "manifest.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def registry(tmp_path: Path, fits_folder: Path) -> Callable[..., Path]:
    """A function that writes a registry of the images in `fits_folder`; keywords replace its parts."""

    def write(name: str = "tiny.yaml", **changes: Any) -> Path:
        return write_registry(tmp_path / name, **tiny(fits_folder, **changes))

    return write


class CommandLine:
    """The ``benchmarker`` command in a separate process, as a user starts it."""

    def start(
        self, *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.Popen[str]:
        """Start a command and return its process."""
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "benchmarker", *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, "NO_COLOR": "1", **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )

    def run(
        self, *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a command and wait for its end."""
        process = self.start(*arguments, cwd=cwd, env=env, **options)
        out, err = process.communicate(timeout=240)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    @staticmethod
    def manifests(study: Path) -> dict[tuple[str, str, int], dict[str, Any]]:
        """Return the manifests of the runs of a study by model, arm and seed."""
        found = [json.loads(path.read_text()) for path in sorted(study.glob("runs/*/manifest.json"))]
        return {(each["model"], each["arm"], each["seed"]): each for each in found}


@pytest.fixture(scope="session")
def command_line() -> CommandLine:
    """The command as a user starts it."""
    return CommandLine()
