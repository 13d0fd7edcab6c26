"""The example package: installation, discovery, conformance and training."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tokenize
from pathlib import Path
from typing import Any

import pytest

from benchmarker import Classification, digest_arrays
from benchmarker.discovery import installed, options_model, resolve

OTHERS = "  - architecture: mcrgnet\n"

TRAIN = """
import json
import keras
from benchmarker import Classification, Stream, digest_arrays
from benchmarker.discovery import discover, options_model, resolve
from benchmarker.testing import check_architecture

plugins = discover()
network, other = plugins.architecture("TinyNet"), plugins.architecture("mcrgnet")
check_architecture(network)
draw = Stream("bars").generator()
labels = draw.integers(2, size=96)
images = draw.random((96, 16, 16, 1)).astype("float32")
for image, label in zip(images, labels):
    place = draw.integers(16)
    image[place, :, 0] += 2 * label
    image[:, place, 0] += 2 - 2 * label
task = Classification(classes=("up", "across"))
model = resolve(network.builder)((16, 16, 1), task, 8901)
model.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(images[:64], labels[:64], epochs=20, batch_size=16, shuffle=False, verbose=0)
untouched = resolve(other.builder)((16, 16, 1), task, 8901, options_model(other)())
print(json.dumps({
    "broken": [str(plugin) for plugin in plugins.broken],
    "distribution": plugins.distribution("architecture", "tinynet"),
    "accuracy": float(model.evaluate(images[64:], labels[64:], verbose=0)[1]),
    "mcrgnet": digest_arrays((str(k), weight) for k, weight in enumerate(untouched.get_weights())),
}))
"""


@pytest.fixture(scope="module")
def example(checkout: Path) -> Path:
    """Folder of the example package."""
    return checkout / "examples" / "benchmarker_tinynet"


@pytest.fixture(scope="module")
def environment(example: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Install the example in a separate folder, and return the environment of a process that uses it."""
    site = tmp_path_factory.mktemp("site")
    install = ["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation", "--target"]
    installed = subprocess.run(
        [sys.executable, "-m", "pip", *install, str(site), str(example)], capture_output=True, text=True, check=False
    )
    assert installed.returncode == 0, installed.stderr
    return {**os.environ, "PYTHONPATH": str(site), "TF_CPP_MIN_LOG_LEVEL": "3"}


def run(environment: dict[str, str], folder: Path, *command: str) -> str:
    """Run Python in a folder and return its output."""
    done = subprocess.run(
        [sys.executable, *command], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_example_plugin_has_at_most_twelve_lines_of_code(example: Path) -> None:
    source = (example / "benchmarker_tinynet.py").read_text(encoding="utf-8")
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    words = [word for word in tokenize.generate_tokens(io.StringIO(source).readline) if word.type not in layout]
    lines = {line for word in words[1:] for line in range(word.start[0], word.end[0] + 1)}  # without its docstring
    assert 0 < len(lines) <= 12


@pytest.fixture(scope="module")
def found(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The outcome of a process with the example installed."""
    outcome: dict[str, Any] = json.loads(
        run(environment, tmp_path_factory.mktemp("user"), "-c", TRAIN).splitlines()[-1]
    )
    return outcome


def test_installed_network_is_found(found: dict[str, Any]) -> None:
    assert found["broken"] == []
    assert found["distribution"] == "benchmarker-tinynet 0.1.0"


def test_installed_network_learns(found: dict[str, Any]) -> None:
    assert found["accuracy"] > 0.8


def test_installed_plugin_changes_no_other_network(found: dict[str, Any]) -> None:
    network = installed().architecture("mcrgnet")
    options = options_model(network)
    assert options is not None
    model = resolve(network.builder)((16, 16, 1), Classification(classes=("a", "b")), 8901, options())
    assert found["mcrgnet"] == digest_arrays((str(k), weight) for k, weight in enumerate(model.get_weights()))


def test_registration_of_the_network_does_not_import_keras(environment: dict[str, str], tmp_path: Path) -> None:
    code = "import sys; from benchmarker.discovery import discover; discover().architecture('tinynet'); "
    assert run(environment, tmp_path, "-c", code + "print('keras' in sys.modules)").strip() == "False"


def test_registry_of_the_example_is_valid(environment: dict[str, str], example: Path, tmp_path: Path) -> None:
    output = run(environment, tmp_path, "-P", "-m", "benchmarker", "validate", str(example / "registry.yaml"))
    assert "9 cells" in output


def test_installed_network_is_trained_by_its_registry(
    environment: dict[str, str], example: Path, tmp_path: Path
) -> None:
    """Without the published networks of the registry, because each cell starts a process that imports TensorFlow."""
    registry, others, _ = (example / "registry.yaml").read_text(encoding="utf-8").partition(OTHERS)
    assert others
    tiny = "  name: synthetic-radio\n  options: {images_per_class: 10, size: 48}"
    registry = registry.replace("  name: synthetic-radio", tiny)
    registry = registry.replace("epochs: 10", "epochs: 1").replace("seeds: [8901, 1826, 4915]", "seeds: [8901]")
    (tmp_path / "mine.yaml").write_text(registry, encoding="utf-8")
    output = run(environment, tmp_path, "-P", "-m", "benchmarker", "run", "mine.yaml", "-p", "study")
    assert "1 of 1 cells finished" in output
    manifests = [json.loads(path.read_text()) for path in tmp_path.glob("study/runs/*/manifest.json")]
    owners = {each["model"]: each["fingerprint"]["plugins"] for each in manifests if each["status"] == "ok"}
    assert set(owners) == {"tinynet"}
    assert owners["tinynet"]["architecture tinynet"] == "benchmarker-tinynet 0.1.0"
