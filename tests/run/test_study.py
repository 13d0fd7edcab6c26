"""Studies from end to end: real processes, real FITS, tiny networks."""

from __future__ import annotations

import csv
import json
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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
    started = time.monotonic()
    again = command_line.run("run", "tiny.yaml", "-p", "study", cwd=finished)
    assert again.returncode == 0
    assert time.monotonic() - started < 20
    assert {path: path.stat().st_mtime_ns for path in (finished / "study" / "runs").rglob("*")} == before


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

THIEF = """
from benchmarker import Architecture, hookimpl

@hookimpl
def benchmarker_register(registrar):
    registrar.architecture(Architecture(name="mcrgnet", builder="thief:build", citation="none"))
"""


class Failing:
    """A study of which only one cell can be trained, after it was run."""

    def __init__(self, folder: Path, output: str, manifests: dict[tuple[str, str, int], dict[str, Any]]) -> None:
        self.folder = folder
        self.output = output
        self.statuses = {model: each["status"] for (model, _, _), each in manifests.items()}
        self.cells = {model: each for (model, _, _), each in manifests.items()}


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory, fits_folder: Path, command_line: Any) -> Failing:
    """Every way for a cell to fail in one study, so that each is seen not to affect the others."""
    folder = tmp_path_factory.mktemp("failing")
    site = install(folder / "site", "mistaken_plugin", BROKEN_PLUGIN)
    install(folder / "site", "thief", THIEF)
    models = [
        {"architecture": "mistaken", "learning_rate": 0.001, "epochs": 1},
        MODELS[0],
        {"architecture": "simple_net", "name": "wild", "learning_rate": 1e30, "epochs": 2},
        MODELS[1],
    ]
    (folder / "failing.yaml").write_text(json.dumps(tiny(fits_folder, models=models)))
    done = command_line.run("run", "failing.yaml", "-p", "study", cwd=folder, env={"PYTHONPATH": str(site)})
    assert done.returncode == 1, done.stdout + done.stderr
    return Failing(folder, done.stdout + done.stderr, command_line.manifests(folder / "study"))


def test_failed_cells_do_not_affect_the_others(failing: Failing) -> None:
    assert failing.statuses == {"mistaken": "failed", "mcrgnet": "failed", "wild": "failed", "simple_net": "ok"}


def test_broken_plugin_fails_only_its_cells(failing: Failing) -> None:
    failed = failing.cells["mistaken"]
    assert failed["kind"] == "plugin"
    assert "my own mistake" in failed["message"]
    assert "RuntimeError" in failed["traceback"]
    assert "my own mistake" in failing.output
    # What a network prints is kept, and not taken for an event.
    (log,) = (failing.folder / "study" / "runs").glob(f"{failed['key'][:16]}.failed/log.txt")
    assert '{"event": "epoch"}' in log.read_text()


def test_name_of_two_owners_fails_only_its_cells(failing: Failing) -> None:
    failed = failing.cells["mcrgnet"]
    assert failed["kind"] == "plugin"
    assert "thief 1.0" in failed["message"]
    assert "galaxy-benchmarker" in failed["message"]


def test_diverging_network_is_a_failed_cell(failing: Failing) -> None:
    failed = failing.cells["wild"]
    assert failed["kind"] == "diverged"
    assert "smaller learning rate" in failed["message"]


def test_collapsed_network_is_marked_and_fails_on_request(
    registry: Callable[..., Path], tmp_path: Path, command_line: Any
) -> None:
    source = """
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
    environment = {"PYTHONPATH": str(install(tmp_path / "site", "stubborn_plugin", source))}
    models = [{"architecture": "stubborn", "learning_rate": 1e-9, "epochs": 1}]
    path = registry(models=models)
    training = tiny("images")["training"]
    done = command_line.run("run", path, "-p", "marked", cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "collapsed to one class" in done.stdout
    (metrics,) = (tmp_path / "marked" / "runs").glob("*/metrics.json")
    assert json.loads(metrics.read_text())["best"]["collapsed"] == "FRI"
    path = registry(models=models, training={**training, "collapse": "fail"})
    done = command_line.run("run", path, "-p", "failed", cwd=tmp_path, env=environment)
    assert done.returncode == 1
    (failed,) = command_line.manifests(tmp_path / "failed").values()
    assert failed["kind"] == "diverged"
    assert "call every validation image FRI" in failed["message"]
    assert "tried again" not in done.stdout


class Disturbed:
    """A study whose first cell loses its worker, and which is stopped with Ctrl-C in its third."""

    def __init__(self, folder: Path, process: Any) -> None:
        self.folder = folder
        _await(process, "lost/real/8901: epoch 1/")
        os.kill(_worker_of(process.pid), signal.SIGKILL)
        _await(process, "stopped/real/8901: epoch 2/")
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        _, self.errors = process.communicate(timeout=60)
        self.seconds = time.monotonic() - started
        self.code = process.returncode


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory: pytest.TempPathFactory, fits_folder: Path, command_line: Any) -> Disturbed:
    """One study for everything that may end a process; the cell between the two finishes."""
    folder = tmp_path_factory.mktemp("disturbed")
    endless = MODELS[0] | {"epochs": 100000}
    models = [endless | {"name": "lost"}, MODELS[1], endless | {"name": "stopped", "learning_rate": 0.002}]
    (folder / "endless.yaml").write_text(json.dumps(tiny(fits_folder, models=models)))
    words = ("run", "endless.yaml", "-p", "study", "--retries", "0")
    return Disturbed(folder, command_line.start(*words, cwd=folder))


def test_ctrl_c_keeps_finished_cells(disturbed: Disturbed, command_line: Any) -> None:
    assert disturbed.seconds < 2
    assert disturbed.code == 130
    assert "interrupted" in disturbed.errors
    assert "Traceback" not in disturbed.errors
    manifests = command_line.manifests(disturbed.folder / "study")
    assert {cell[0]: each["status"] for cell, each in manifests.items()} == {"lost": "failed", "simple_net": "ok"}
    left = list((disturbed.folder / "study" / "runs").glob(".*"))
    assert [path.suffix for path in left] == [".partial"]  # no claim
    assert list(left[0].glob("snapshot-*.npz"))
    shown = command_line.run("leaderboard", "study", "--format", "json", cwd=disturbed.folder)
    assert shown.returncode == 0
    assert "pending" in command_line.run("show", "study", cwd=disturbed.folder).stdout


def test_killed_worker_is_a_failed_cell(disturbed: Disturbed, command_line: Any) -> None:
    manifests = command_line.manifests(disturbed.folder / "study")
    failed = manifests["lost", "real", 8901]
    assert failed["kind"] in {"crashed", "out-of-memory"}
    assert "SIGKILL" in failed["message"]
    assert manifests["simple_net", "real", 8901]["status"] == "ok"


def test_full_disk_is_reported_and_loses_nothing(finished: Path, tmp_path: Path, command_line: Any) -> None:
    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    registry = json.loads((finished / "tiny.yaml").read_text()) | {"arms": ["real"], "models": MODELS[1:]}
    (finished / "one.yaml").write_text(json.dumps(registry))
    done = command_line.run("run", "one.yaml", "-p", tmp_path / "full", cwd=finished, preexec_fn=small_files)
    assert done.returncode == 1
    assert "disk is full" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    again = command_line.run("run", "one.yaml", "-p", tmp_path / "full", cwd=finished)
    assert again.returncode == 0, again.stderr


def test_no_worker_outlives_its_run(registry: Callable[..., Path], tmp_path: Path, command_line: Any) -> None:
    models = [{"architecture": "mcrgnet", "learning_rate": 0.001, "epochs": 100000}]
    path = registry(models=models)
    process = command_line.start("run", path, "-p", "study", cwd=tmp_path)
    _await(process, "epoch 1/")
    worker = _worker_of(process.pid)
    process.kill()
    process.communicate(timeout=60)
    patience = time.monotonic() + 5
    while _lives(worker) and time.monotonic() < patience:
        time.sleep(0.05)
    assert not _lives(worker)
    assert not command_line.manifests(tmp_path / "study")


def _await(process: Any, text: str) -> None:
    """Read what a run prints until a line holds a text."""
    for line in process.stdout:
        if text in line:
            return
    raise AssertionError(f"the run ended without {text!r}: {process.communicate()[1]}")


def _worker_of(pid: int) -> int:
    """Return the one child of a run, which any of its threads may have started."""
    (child,) = " ".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")).split()
    return int(child)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
