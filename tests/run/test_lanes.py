"""Seeds of a network in one program: each has the bits that it has alone, whatever becomes of the others."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarker import Stream
from benchmarker.study.claims import find_working
from tests.fixture_plugins import install
from tests.run.comparing import COMPARED, runs

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(900),
    pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs the extra jax"),
]

# Numbers of the network `projecting` depend on its seed and are no variables, so its seeds cannot share a program.
# The networks `failing`, `exiting`, `hungry`, which finds no memory, and `hanging` do so in their third epoch where
# there is a file with their seed.
NETWORKS = """
import os
import time

import keras
import numpy as np
from keras import initializers, layers

from benchmarker import Architecture, hookimpl, layer_seeds


@hookimpl
def benchmarker_register(registrar):
    for name in ("plain", "projecting", "failing", "exiting", "hungry", "hanging"):
        registrar.architecture(Architecture(name=name, builder=f"seeded_networks:{name}", citation="none"))


class Projection(layers.Layer):
    def __init__(self, seed):
        super().__init__()
        self.numbers = np.random.default_rng(seed).normal(size=(4, 4)).astype("float32")

    def call(self, inputs):
        return inputs @ keras.ops.convert_to_tensor(self.numbers)


class Acting(keras.Sequential):
    def fit(self, *arguments, **options):
        class Act(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                if epoch == 2:
                    act()

        act = self.act
        callbacks = options.pop("callbacks")
        return super().fit(*arguments, callbacks=[*callbacks, *([Act()] if act else [])], **options)


def fail():
    raise ValueError("it had to fail")


def starve():
    raise MemoryError("there is no more")


def build(input_shape, task, seed, *more, kind=keras.Sequential):
    print(f"built by process {os.getpid()}", flush=True)
    seeds = layer_seeds(seed)
    return kind([
        layers.Input(input_shape),
        layers.Conv2D(4, 5, strides=4, activation="relu", kernel_initializer=initializers.HeNormal(next(seeds))),
        *more,
        layers.BatchNormalization(),
        layers.GlobalAveragePooling2D(),
        layers.Dropout(0.25, seed=next(seeds)),
        layers.Dense(
            task.n_outputs, activation="softmax", kernel_initializer=initializers.GlorotUniform(next(seeds))
        ),
    ])


plain = build


def projecting(input_shape, task, seed):
    return build(input_shape, task, seed, Projection(seed))


def acting(input_shape, task, seed, act):
    network = build(input_shape, task, seed, kind=Acting)
    network.act = act if os.path.exists(f"fails-{seed}") else None
    return network


def failing(input_shape, task, seed):
    return acting(input_shape, task, seed, fail)


def exiting(input_shape, task, seed):
    return acting(input_shape, task, seed, lambda: os._exit(3))


def hungry(input_shape, task, seed):
    return acting(input_shape, task, seed, starve)


def hanging(input_shape, task, seed):
    return acting(input_shape, task, seed, lambda: time.sleep(3600))
"""
REGISTRY: dict[str, Any] = {
    "title": "Seeds in one program",
    "dataset": {
        "name": "synthetic-radio",
        "options": {"images_per_class": 20, "size": 48},
        "preparation": {"crop": 32},
        "split": {"train": 8, "validation": 4},
    },
    "seeds": [1, 2, 3],
    "arms": [{"name": "changed", "augmentations": ["flips", "shifts"]}],
    "training": {"batch_size": 16, "threads": 1, "seeds_at_once": 2},
    "models": [
        {"architecture": "plain", "learning_rate": 1e-2, "epochs": 6},
        {"architecture": "projecting", "learning_rate": 1e-2, "epochs": 3},
    ],
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What processes need to find the networks and the data, on JAX."""
    folder = tmp_path_factory.mktemp("seeds")
    site = install(folder / "site", "seeded_networks", NETWORKS)
    return {"PYTHONPATH": str(site), "BENCHMARKER_CACHE": str(folder / "cache"), "KERAS_BACKEND": "jax"}


def run(folder: Path, command_line: Any, environment: dict[str, str], **changes: Any) -> Path:
    """Run a registry, and return the folder of the study."""
    folder.mkdir()
    (folder / "seeds.yaml").write_text(json.dumps(REGISTRY | changes))
    done = command_line.run("run", "seeds.yaml", "-p", "study", "--jobs", "1", cwd=folder, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "study"


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory, command_line: Any, environment: dict[str, str]) -> Path:
    """A study with three seeds of two networks."""
    return run(tmp_path_factory.mktemp("lanes") / "together", command_line, environment)


def processes(study: Path, command_line: Any) -> dict[tuple[str, int], set[str]]:
    """Return what the log of each run says about processes, by network and seed."""
    return {
        (model, seed): set(re.findall(r"process (\d+)", (runs(study)[manifest["key"][:16]] / "log.txt").read_text()))
        for (model, _, seed), manifest in command_line.manifests(study).items()
    }


def test_neighbouring_seeds_share_a_process(together: Path, command_line: Any) -> None:
    found = processes(together, command_line)
    assert found["plain", 1] == found["plain", 2]
    # Seed 3 has the place of seed 1, and so it has a process of its own, as every network has.
    assert len({frozenset(each) for each in found.values()}) == 4
    assert all(len(each) == 1 for each in found.values())


@pytest.mark.parametrize("seed", [1, 2])
def test_each_seed_has_the_bits_that_it_has_alone(
    together: Path, tmp_path: Path, command_line: Any, environment: dict[str, str], seed: int
) -> None:
    alone = run(tmp_path / "alone", command_line, environment, seeds=[seed])
    assert len(runs(alone)) == 2
    for name, folder in runs(alone).items():
        for file in COMPARED:
            assert (folder / file).read_bytes() == (runs(together)[name] / file).read_bytes(), (name, file)


def test_a_program_for_several_seeds_has_a_key_and_a_fingerprint_of_its_own(
    together: Path, tmp_path: Path, command_line: Any, environment: dict[str, str]
) -> None:
    training = REGISTRY["training"] | {"seeds_at_once": 1}
    alone = run(tmp_path / "alone", command_line, environment, seeds=[1], training=training)
    manifest = command_line.manifests(alone)["plain", "changed", 1]
    ours = command_line.manifests(together)["plain", "changed", 1]
    assert manifest["key"] != ours["key"]
    assert ours["fingerprint"]["seeds_at_once"] == 2
    assert "seeds_at_once" not in manifest["fingerprint"]


def test_an_audit_repeats_single_seeds(together: Path, command_line: Any, environment: dict[str, str]) -> None:
    done = command_line.run("audit", "study", "--sample", "2", cwd=together.parent, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_killed_program_goes_on_from_the_snapshots_of_its_seeds(
    together: Path, tmp_path: Path, command_line: Any, environment: dict[str, str]
) -> None:
    (tmp_path / "seeds.yaml").write_text(json.dumps(REGISTRY | {"models": REGISTRY["models"][:1], "seeds": [1, 2]}))
    process = command_line.start("run", "seeds.yaml", "-p", "study", cwd=tmp_path, env=environment)
    names = {run_name for run_name, folder in runs(together).items() if _is_of(folder, "plain", 1, 2)}
    _await(lambda: all(any(find_working(tmp_path / "study", name).glob("snapshot-*")) for name in names))
    victims = {_process_of(tmp_path / "study", name) for name in names}
    assert len(victims) == 1
    os.kill(victims.pop(), signal.SIGKILL)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, out + err
    assert len(re.findall("tried again", out + err)) == 2
    assert len(re.findall("resumes after epoch", out + err)) == 2
    for name in names:
        for file in COMPARED:
            assert (runs(tmp_path / "study")[name] / file).read_bytes() == (runs(together)[name] / file).read_bytes()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("failing", "it had to fail"),
        ("exiting", "ended with code 3"),
        ("hungry", "there is no more; tried again (1 of 1)"),
        ("hanging", "more than 60 s"),
    ],
)
def test_a_seed_that_fails_leaves_the_others_alone(
    tmp_path: Path, command_line: Any, environment: dict[str, str], model: str, words: str
) -> None:
    """Also if it takes the whole process with it, is tried again, or keeps the others waiting."""
    models = [{"architecture": model, "learning_rate": 1e-2, "epochs": 4}]
    whole = run(tmp_path / "whole", command_line, environment, seeds=[1, 2], models=models)
    folder = tmp_path / "failing"
    folder.mkdir()
    (folder / "seeds.yaml").write_text(json.dumps(REGISTRY | {"models": models, "seeds": [1, 2]}))
    (folder / f"fails-{Stream('weights', seed=2, architecture=model).seed()}").touch()
    command = ("run", "seeds.yaml", "-p", "study", "--jobs", "1", *(("--timeout", "60") if model == "hanging" else ()))
    done = command_line.run(*command, cwd=folder, env=environment)
    assert done.returncode == 1
    assert words in done.stdout + done.stderr
    assert ("without other seeds" in done.stdout + done.stderr) is (model in {"exiting", "hanging"})
    assert "SIG" not in done.stdout + done.stderr
    (finished,) = (name for name in runs(folder / "study") if name in runs(whole))
    for file in COMPARED:
        assert (folder / "study" / "runs" / finished / file).read_bytes() == (runs(whole)[finished] / file).read_bytes()


def test_other_backends_refuse_it(tmp_path: Path, command_line: Any) -> None:
    (tmp_path / "seeds.yaml").write_text(json.dumps(REGISTRY))
    done = command_line.run("validate", "seeds.yaml", cwd=tmp_path, env={"KERAS_BACKEND": "tensorflow"})
    assert done.returncode != 0
    assert "KERAS_BACKEND=jax" in done.stdout + done.stderr


def _is_of(folder: Path, model: str, *seeds: int) -> bool:
    manifest = json.loads((folder / "manifest.json").read_text())
    return manifest["model"] == model and manifest["seed"] in seeds


def _process_of(study: Path, name: str) -> int:
    numbers = re.findall(r"process (\d+)", (find_working(study, name) / "log.txt").read_text())
    assert psutil.pid_exists(int(numbers[-1]))
    return int(numbers[-1])


def _await(condition: Any) -> None:
    until = time.monotonic() + 200
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
