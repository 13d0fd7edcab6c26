"""One finished study with trails, shared by all audits of real runs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarker import discovery
from benchmarker.cli import main
from tests.audit.recorded import recorded_digests
from tests.conftest import FINGERPRINT
from tests.fixture_plugins import install
from tests.registries import model, tiny, write_registry

# Two networks of somebody else's package. One leaves its layers without seeds and draws from Python's and NumPy's
# global generators, which the harness seeds; the other draws from the system's entropy, which cannot be seeded.
NETWORKS = """
import os
import random

import numpy
from benchmarker import Architecture, hookimpl


@hookimpl
def benchmarker_register(registrar):
    for name in ("careless", "restless"):
        registrar.architecture(Architecture(name=name, builder=f"their_networks:{name}", citation="none"))


def build(input_shape, task, scale):
    import keras

    return keras.Sequential([
        keras.layers.Input(input_shape),
        keras.layers.Conv2D(16, 5, activation="relu", kernel_initializer=keras.initializers.RandomNormal(stddev=scale)),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dropout(0.2),
        keras.layers.Dense(task.n_outputs, activation="softmax"),
    ])


def careless(input_shape, task, seed):
    return build(input_shape, task, 0.05 + 0.05 * random.random() + 0.05 * float(numpy.random.random()))


def restless(input_shape, task, seed):
    return build(input_shape, task, 0.05 + os.urandom(1)[0] / 2560)
"""


@pytest.fixture(scope="session")
def their_networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the foreign package is installed in."""
    return install(tmp_path_factory.mktemp("their-site"), "their_networks", NETWORKS)


@pytest.fixture(scope="session")
def finished(
    tmp_path_factory: pytest.TempPathFactory, fits_folder: Path, their_networks: Path, command_line: Any
) -> Path:
    """A folder with the images and a study of two networks on them; tests work on copies."""
    folder = tmp_path_factory.mktemp("audited")
    shutil.copytree(fits_folder, folder / "images")
    models = [model(name, learning_rate=0.01) for name in ("careless", "restless")]
    write_registry(folder / "tiny.yaml", **tiny("images", models=models))
    done = command_line.run("run", "tiny.yaml", "-p", "study", cwd=folder, env={"PYTHONPATH": str(their_networks)})
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """A copy of the study with its images."""
    return Path(shutil.copytree(finished, tmp_path / "copied", copy_function=shutil.copy2))


@pytest.fixture
def audit(their_networks: Path, command_line: Any) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Run ``benchmarker audit`` in a separate process; return its exit code and report."""

    def run(folder: Path, *arguments: str, site: Path | None = None) -> tuple[int, dict[str, Any]]:
        path = ":".join(str(each) for each in (site, their_networks) if each)
        done = command_line.run(
            "audit", folder / "study", "--format", "json", *arguments, cwd=folder, env={"PYTHONPATH": path}
        )
        assert done.stdout.startswith("{"), done.stderr
        return done.returncode, json.loads(done.stdout)

    return run


@pytest.fixture
def audit_here(
    their_networks: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., tuple[int, dict[str, Any]]]]:
    """Run ``benchmarker audit`` in this process, assuming that no weights were changed; only cells have processes."""
    monkeypatch.syspath_prepend(their_networks)
    monkeypatch.setattr("benchmarker.audit.audit.weight_digests", recorded_digests)
    discovery.installed.cache_clear()

    def run(folder: Path, *arguments: str, site: Path | None = None) -> tuple[int, dict[str, Any]]:
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(str(each) for each in (site, their_networks) if each))
        monkeypatch.chdir(folder)
        code = main(["audit", str(folder / "study"), "--format", "json", *arguments])
        report: dict[str, Any] = json.loads(capsys.readouterr().out)
        return code, report

    yield run
    discovery.installed.cache_clear()


CHECKPOINTS = ("best", "final")
EPOCHS = 3


class WrittenRun:
    """A finished run whose files agree with each other, written without training.

    Parameters
    ----------
    study : StudyFiles
        Study that the run belongs to.
    """

    def __init__(self, study: Any) -> None:
        import numpy as np

        from benchmarker import Classification, Stream

        self.study = study
        self.cell = study.cell("convxpress", 8901, epochs=EPOCHS)
        self.task = Classification(classes=tuple(study.plan["dataset"]["task"]["classes"]))
        draws = Stream("written-run").generator()
        self.targets = np.arange(40) % 4
        self.values = {name: draws.dirichlet(np.ones(4), 40) + 2 * np.eye(4)[self.targets] for name in CHECKPOINTS}
        for name in CHECKPOINTS:
            self.values[name] /= self.values[name].sum(axis=1, keepdims=True)
        self.fingerprint: dict[str, Any] = {**FINGERPRINT, "packages": {"numpy": "2.3"}}
        study.finish(self.cell, 90)  # everything but what the trail covers
        self.write()

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return Path(self.study.run_folder(self.cell))

    def write(self) -> None:
        """Write everything as it is now."""
        from benchmarker.digests import digest_file, digest_json
        from benchmarker.evaluation import metrics
        from benchmarker.evaluation.predictions import prediction_columns, prediction_rows
        from benchmarker.files import write_csv, write_json
        from benchmarker.trail import Trail

        spec = self.cell["spec"]
        self.cell["key"] = digest_json(spec)
        self.study.write_plan()
        (self.study.folder / "registry.yaml").write_text("title: mine\n")
        self.study.plan["registry"]["sha256"] = digest_file(self.study.folder / "registry.yaml")
        self.study.write_plan()
        folder = self.folder
        evaluations = {}
        for checkpoint in CHECKPOINTS:
            rows = prediction_rows(self.task, self.targets, self.values[checkpoint])
            named = [[f"source{k:02d}", str(k), *row] for k, row in enumerate(rows)]
            header = ["source_id", "image", *prediction_columns(self.task)]
            write_csv(folder / f"predictions_{checkpoint}.csv", header, named)
            test = metrics.scores(self.task, self.targets, self.values[checkpoint])
            found = metrics.details(self.task, self.targets, self.values[checkpoint]).to_json()
            epoch = 2 if checkpoint == "best" else EPOCHS
            scores = {"test": test, "train": test, "validation": test, "ratios": {"loss": 1.0}}
            evaluations[checkpoint] = {**scores, "epoch": epoch, **found}
        written = json.loads((folder / "metrics.json").read_text())
        write_json(folder / "metrics.json", written | evaluations)
        history = [
            {"epoch": k + 1.0, "learning_rate": 0.001, "loss": 1 / (k + 1), "validation_loss": (0.5, 0.2, 0.3)[k]}
            for k in range(EPOCHS)
        ]
        lines = [[str(int(row["epoch"])), *(repr(value) for value in list(row.values())[1:])] for row in history]
        write_csv(folder / "history.csv", list(history[0]), lines)
        trail = Trail()
        trail.add("cell", {"key": self.cell["key"], "spec": spec})
        trail.add("fingerprint", self.fingerprint)
        trail.add("data", {"digest": spec["dataset"]["digest"]})
        trail.add("split", {"digest": "2" * 64})
        trail.add("training set", {"digest": "3" * 64, "images": 100})
        trail.add("initial weights", {"digest": "4" * 64})
        for k, row in enumerate(history, start=1):
            state = dict.fromkeys(("order", "draws", "weights", "random_state", "optimiser"), f"{k}" * 64)
            trail.add(f"epoch {k}", {**state, "metrics": row})
        for checkpoint in CHECKPOINTS:
            epoch = evaluations[checkpoint]["epoch"]
            trail.add(f"{checkpoint} weights", {"digest": f"{epoch}" * 64, "epoch": epoch})
        predictions = {name: digest_file(folder / f"predictions_{name}.csv") for name in CHECKPOINTS}
        trail.add("predictions", predictions)
        trail.add("metrics", {"digest": digest_file(folder / "metrics.json")})
        write_json(folder / "trail.json", {"format": 1, "links": trail.to_json()})
        named_facts = {name: self.cell[name] for name in ("key", "model", "architecture", "arm", "seed")}
        manifest = {
            "format": 1,
            **named_facts,
            "configuration": digest_json({name: value for name, value in spec.items() if name != "seed"}),
            "status": "ok",
            "trained": True,
            "fingerprint": self.fingerprint,
            "digests": {
                "data": spec["dataset"]["digest"],
                "split": "2" * 64,
                "initial_weights": "4" * 64,
                **{f"{name}_weights": f"{evaluations[name]['epoch']}" * 64 for name in CHECKPOINTS},
                **{f"predictions_{name}": digest for name, digest in predictions.items()},
            },
            "trail": trail.head,
            "finished": "2026-01-02T03:05:35+00:00",
        }
        write_json(folder / "manifest.json", manifest)

    @property
    def weights(self) -> dict[str, str]:
        """Digests of the weights, set by hand because no network was trained."""
        return {"best": "2" * 64, "final": f"{EPOCHS}" * 64}

    def edit(self, name: str, change: Callable[[Any], object]) -> None:
        """Change a JSON file of the run."""
        path = self.folder / name
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    def replace(self, name: str, old: str, new: str) -> None:
        """Change the text of a file of the run once."""
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))


@pytest.fixture
def written(study: Any) -> WrittenRun:
    """A run whose files agree with each other."""
    return WrittenRun(study)
