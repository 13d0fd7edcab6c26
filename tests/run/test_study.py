"""Studies from end to end: real processes, real FITS, tiny networks."""

from __future__ import annotations

import csv
import json
import os
import resource
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import CommandLine
from tests.fixture_plugins import install
from tests.registries import tiny

MODELS = [
    {"architecture": "mcrgnet", "learning_rate": 0.001, "epochs": 2},
    {"architecture": "simple_net", "learning_rate": 0.001, "epochs": 1},
]

NOISY_PLUGIN = """
import random
import numpy
from benchmarker import Architecture, hookimpl

random.seed(1); random.random(); numpy.random.seed(1); numpy.random.random()

@hookimpl
def benchmarker_register(registrar):
    registrar.architecture(Architecture(name="noisy", builder="noisy_plugin:nothing", citation="none"))
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, fits_folder: Path, command_line: Any) -> Path:
    """A study of two networks that has been run once."""
    folder = tmp_path_factory.mktemp("finished")
    arms = ["real", {"name": "turned", "augmentations": ["flips", {"name": "rotations", "options": {"step": 90}}]}]
    registry = tiny(fits_folder, arms=arms, models=MODELS)
    (folder / "tiny.yaml").write_text(json.dumps(registry))
    done = command_line.run("run", "tiny.yaml", "-p", "study", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_run_folder_is_complete(finished: Path, command_line: Any) -> None:
    manifests = command_line.manifests(finished / "study")
    assert set(manifests) == {(m, a, 8901) for m in ("mcrgnet", "simple_net") for a in ("real", "turned")}
    assert {each["status"] for each in manifests.values()} == {"ok"}
    run = finished / "study" / "runs" / manifests["mcrgnet", "real", 8901]["key"][:16]
    metrics = json.loads((run / "metrics.json").read_text())
    for checkpoint in ("best", "final"):
        assert 0 <= metrics[checkpoint]["test"]["mean_per_class_accuracy"] <= 100
        assert set(metrics[checkpoint]["per_class"]) == {"FRI", "FRII"}
        assert set(metrics[checkpoint]["ratios"]) == {"loss", "loss_with_penalties", "accuracy"}
        with (run / f"predictions_{checkpoint}.csv").open() as stream:
            rows = list(csv.DictReader(stream))
        assert len(rows) == 6
        assert all(abs(float(row["p_FRI"]) + float(row["p_FRII"]) - 1) < 1e-6 for row in rows)
        assert (run / f"weights_{checkpoint}.weights.h5").stat().st_size > 0
    costs = json.loads((run / "costs.json").read_text())
    assert len(costs["inference_seconds"]) == 5
    assert costs["parameters"]["flatten_width"] > 0
    assert costs["parameters"]["trainable"] > costs["parameters"]["convolutional"] > 0
    assert costs["flops"] > 0
    assert costs["peak_memory_bytes"] > 2**20
    with (run / "history.csv").open() as stream:
        assert [row["epoch"] for row in csv.DictReader(stream)] == ["1", "2"]
    assert manifests["mcrgnet", "real", 8901]["fingerprint"]["threads"] == 1


def test_arms_share_split_and_initial_weights(finished: Path, command_line: Any) -> None:
    manifests = command_line.manifests(finished / "study")
    real, turned = (manifests["mcrgnet", arm, 8901]["digests"] for arm in ("real", "turned"))
    assert real["split"] == turned["split"]
    assert real["initial_weights"] == turned["initial_weights"]
    assert real["final_weights"] != turned["final_weights"]
    other = manifests["simple_net", "real", 8901]["digests"]
    assert other["split"] == real["split"]


def test_the_same_command_repeats_nothing(finished: Path, command_line: Any) -> None:
    before = {path: path.stat().st_mtime_ns for path in (finished / "study" / "runs").rglob("*")}
    again = command_line.run("run", "tiny.yaml", "-p", "study", cwd=finished)
    assert again.returncode == 0
    assert {path: path.stat().st_mtime_ns for path in (finished / "study" / "runs").rglob("*")} == before


@pytest.mark.long
def test_order_jobs_plugins_folder_and_warnings_change_nothing(
    finished: Path, tmp_path: Path, command_line: Any
) -> None:
    registry = json.loads((finished / "tiny.yaml").read_text())
    registry["models"].reverse()
    registry["arms"] = registry["arms"][1:]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "other.yaml").write_text(json.dumps(registry))
    plugins = install(tmp_path / "site", "noisy_plugin", NOISY_PLUGIN)
    cache = {"BENCHMARKER_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(plugins), "PYTHONWARNINGS": "error"}
    done = command_line.run("run", "other.yaml", "-p", "study", "--jobs", "2", cwd=elsewhere, env=cache)
    assert done.returncode == 0, done.stderr
    listed = command_line.run("list", "architectures", cwd=elsewhere, env=cache)
    assert "noisy" in listed.stdout
    one, other = (command_line.manifests(folder / "study") for folder in (finished, elsewhere))
    assert set(other) == {(model["architecture"], "turned", 8901) for model in MODELS}
    for name in ("digests", "key"):
        assert {cell: one[cell][name] for cell in other} == {cell: each[name] for cell, each in other.items()}


@pytest.mark.long
def test_saved_weights_are_tested_without_training(finished: Path, tmp_path: Path, command_line: Any) -> None:
    saved = tmp_path / "models"
    registry = json.loads((finished / "tiny.yaml").read_text()) | {"arms": ["real"], "models": MODELS[:1]}
    (tmp_path / "one.yaml").write_text(json.dumps(registry))
    copied = command_line.run("run", tmp_path / "one.yaml", "-p", "study", "-m", saved, cwd=finished)
    assert copied.returncode == 0, copied.stderr
    assert (saved / "mcrgnet-real-8901-best.weights.h5").exists()
    done = command_line.run("run", "one.yaml", "-o", "-m", saved, "-p", "tested", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    trained, tested = (command_line.manifests(folder) for folder in (finished / "study", tmp_path / "tested"))
    assert list(tested) == [("mcrgnet", "real", 8901)]
    for cell, each in tested.items():
        assert each["trained"] is False
        for name in ("predictions_best", "predictions_final", "best_weights"):
            assert each["digests"][name] == trained[cell]["digests"][name]


def test_only_testing_needs_weights(finished: Path, tmp_path: Path, command_line: Any) -> None:
    done = command_line.run("run", "tiny.yaml", "-o", "-p", tmp_path / "none", cwd=finished)
    assert done.returncode == 2
    assert "no saved weights" in done.stderr
    assert "Traceback" not in done.stderr


BROKEN_PLUGIN = """
from benchmarker import Architecture, hookimpl

def build(input_shape, task, seed):
    print('{"event": "epoch"}', flush=True)
    raise RuntimeError("my own mistake")

@hookimpl
def benchmarker_register(registrar):
    registrar.architecture(Architecture(name="mistaken", builder="mistaken_plugin:build", citation="none"))
"""

# Calls every image the first class, and learns too slowly to change its mind.
STUBBORN = """
from benchmarker import Architecture, hookimpl

def build(input_shape, task, seed):
    from keras import Sequential, Input, layers
    bias = lambda shape, dtype: [9.0] + [0.0] * (shape[0] - 1)
    return Sequential([Input(input_shape), layers.GlobalAveragePooling2D(),
                       layers.Dense(task.n_outputs, "softmax", kernel_initializer="zeros", bias_initializer=bias)])

@hookimpl
def benchmarker_register(registrar):
    registrar.architecture(Architecture(name="stubborn", builder="stubborn_plugin:build", citation="none"))
"""

THIEF = """
from benchmarker import Architecture, hookimpl

@hookimpl
def benchmarker_register(registrar):
    registrar.architecture(Architecture(name="mcrgnet", builder="thief:build", citation="none"))
"""


class Disturbed:
    """A study whose cells end in every way that there is, one after the other.

    The first loses its worker. The next three fail, and the one after them collapses. The last is stopped with Ctrl-C.

    Parameters
    ----------
    folder : Path
        Folder of the registry and of the study.
    process : Popen
        Running study.
    """

    def __init__(self, folder: Path, process: Any) -> None:
        self.study = folder / "study"
        before = _read_until(process, "lost/real/8901: epoch 1/")
        os.kill(_worker_of(process.pid), signal.SIGKILL)
        before += _read_until(process, "stopped/real/8901: epoch 2/")
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        after, self.errors = process.communicate(timeout=60)
        self.seconds = time.monotonic() - started
        self.code = process.returncode
        self.output = before + after
        manifests = CommandLine.manifests(self.study)
        self.statuses = {model: each["status"] for (model, _, _), each in manifests.items()}
        self.cells = {model: each for (model, _, _), each in manifests.items()}

    def folder(self, model: str) -> Path:
        """Return the folder of a run."""
        (found,) = (self.study / "runs").glob(f"{self.cells[model]['key'][:16]}*")
        return found


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory: pytest.TempPathFactory, fits_folder: Path, command_line: Any) -> Disturbed:
    """One study for everything that may end a cell, so that each end is seen not to affect the other cells."""
    folder = tmp_path_factory.mktemp("disturbed")
    site = install(folder / "site", "mistaken_plugin", BROKEN_PLUGIN)
    install(folder / "site", "thief", THIEF)
    install(folder / "site", "stubborn_plugin", STUBBORN)
    endless = {"architecture": "simple_net", "learning_rate": 0.001, "epochs": 100000}
    models = [
        endless | {"name": "lost"},
        {"architecture": "mistaken", "learning_rate": 0.001, "epochs": 1},
        MODELS[0],
        {"architecture": "simple_net", "name": "wild", "learning_rate": 1e30, "epochs": 2},
        {"architecture": "stubborn", "learning_rate": 1e-9, "epochs": 1},
        endless | {"name": "stopped", "learning_rate": 0.002},
    ]
    (folder / "disturbed.yaml").write_text(json.dumps(tiny(fits_folder, models=models)))
    words = ("run", "disturbed.yaml", "-p", "study", "--retries", "0", "--jobs", "1")
    return Disturbed(folder, command_line.start(*words, cwd=folder, env={"PYTHONPATH": str(site)}))


def test_failed_cells_do_not_affect_the_others(disturbed: Disturbed) -> None:
    ended = dict.fromkeys(("lost", "mistaken", "mcrgnet", "wild"), "failed") | {"stubborn": "ok"}
    assert disturbed.statuses == ended


def test_broken_plugin_fails_only_its_cells(disturbed: Disturbed) -> None:
    failed = disturbed.cells["mistaken"]
    assert failed["kind"] == "plugin"
    assert "my own mistake" in failed["message"]
    assert "RuntimeError" in failed["traceback"]
    assert "my own mistake" in disturbed.output
    # What a network prints is kept, and not taken for an event.
    assert '{"event": "epoch"}' in (disturbed.folder("mistaken") / "log.txt").read_text()


def test_name_of_two_owners_fails_only_its_cells(disturbed: Disturbed) -> None:
    failed = disturbed.cells["mcrgnet"]
    assert failed["kind"] == "plugin"
    assert "thief 1.0" in failed["message"]
    assert "galaxy-benchmarker" in failed["message"]


def test_diverging_network_is_a_failed_cell(disturbed: Disturbed) -> None:
    failed = disturbed.cells["wild"]
    assert failed["kind"] == "diverged"
    assert "smaller learning rate" in failed["message"]


def test_collapsed_network_is_marked(disturbed: Disturbed) -> None:
    assert "collapsed to one class" in disturbed.output
    metrics = json.loads((disturbed.folder("stubborn") / "metrics.json").read_text())
    assert metrics["best"]["collapsed"] == "FRI"


def test_killed_worker_is_a_failed_cell(disturbed: Disturbed) -> None:
    failed = disturbed.cells["lost"]
    assert failed["kind"] in {"crashed", "out-of-memory"}
    assert "SIGKILL" in failed["message"]


def test_ctrl_c_keeps_finished_cells(disturbed: Disturbed, command_line: Any) -> None:
    assert disturbed.seconds < 2
    assert disturbed.code == 130
    assert "interrupted" in disturbed.errors
    assert "Traceback" not in disturbed.errors
    left = list((disturbed.study / "runs").glob(".*"))
    assert [path.suffix for path in left] == [".partial"]  # no claim
    assert list(left[0].glob("snapshot-*.npz"))
    shown = command_line.run("leaderboard", "study", "--format", "json", cwd=disturbed.study.parent)
    assert shown.returncode == 0
    assert "pending" in command_line.run("show", "study", cwd=disturbed.study.parent).stdout


def test_full_disk_is_reported(finished: Path, tmp_path: Path, command_line: Any) -> None:
    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    registry = json.loads((finished / "tiny.yaml").read_text()) | {"arms": ["real"], "models": MODELS[1:]}
    (finished / "one.yaml").write_text(json.dumps(registry))
    done = command_line.run("run", "one.yaml", "-p", tmp_path / "full", cwd=finished, preexec_fn=small_files)
    assert done.returncode == 1
    assert "disk is full" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def _read_until(process: Any, text: str) -> str:
    """Return what a run prints, up to the line that contains a text."""
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return "".join(lines)
    raise AssertionError(f"the run ended without {text!r}: {process.communicate()[1]}")


def _worker_of(pid: int) -> int:
    """Return the one worker of a run: the process whose errors go to the log of a run folder."""
    found = [
        child.pid
        for child in psutil.Process(pid).children(recursive=True)
        if Path(f"/proc/{child.pid}/fd/2").readlink().name == "log.txt"
    ]
    (worker,) = found
    return worker
