"""Pruning and quantisation: what is removed does not matter where it should not, and the table says what it costs."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarker import PluginError, Stream
from benchmarker.cli import main
from benchmarker_serving.models.frechet import Features, frechet_distance

pytestmark = pytest.mark.long


def test_channels_that_give_nothing_are_removed_without_a_change() -> None:
    import keras
    from keras import layers

    from benchmarker_serving.models.pruning import without_channels, zero_smallest

    model = keras.Sequential([
        keras.Input((6,)),
        layers.Dense(4 * 4 * 8, use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Reshape((4, 4, 8)),
        layers.Conv2DTranspose(6, 4, 2, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.LeakyReLU(),
        layers.Conv2D(10, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(7, activation="relu"),
        layers.Dense(3),
    ])  # fmt: skip
    rng = Stream("pruning-test").generator()
    for norm in (model.layers[1], model.layers[5]):
        norm.set_weights([rng.normal(1, 0.2, each.shape) ** 2 for each in norm.get_weights()])
    gamma, beta, *moments = model.layers[1].get_weights()
    dead = np.tile(np.arange(8) % 2 == 0, 16)  # every other channel, at all places
    model.layers[1].set_weights([np.where(dead, 0, gamma), np.where(dead, 0, beta), *moments])
    gamma, beta, *moments = model.layers[5].get_weights()
    model.layers[5].set_weights([gamma * [1, 0, 1, 0, 1, 0], beta * [1, 0, 1, 0, 1, 0], *moments])
    for dense, keep in ((model.layers[7], 5), (model.layers[10], 4)):
        kernel, bias = dense.get_weights()
        kernel[..., keep:], bias[keep:] = 0, 0
        dense.set_weights([kernel, bias])
    inputs = rng.normal(0, 1, (5, 6)).astype(np.float32)
    pruned = without_channels(model, 0.5)
    assert pruned.count_params() < 0.6 * model.count_params()
    # Dead units of dense layers behind are fewer than half (7 to 4), so all that is removed gave nothing.
    assert np.asarray(pruned(inputs)) == pytest.approx(np.asarray(model(inputs)), abs=1e-5)
    assert np.asarray(without_channels(model, 0.0)(inputs)) == pytest.approx(np.asarray(model(inputs)), abs=1e-6)
    sparse = zero_smallest(model, 0.75)
    kernels = [each for each in sparse.get_weights() if each.ndim > 1]
    assert all((each == 0).mean() >= 0.74 for each in kernels)


def test_models_that_are_no_chains_are_refused() -> None:
    import keras
    from keras import layers

    from benchmarker_serving.models.pruning import without_channels

    inputs = keras.Input((8, 8, 1))
    left = layers.Conv2D(4, 3, padding="same")(inputs)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(layers.Add()([left, inputs]))))
    with pytest.raises(PluginError, match="Add"):
        without_channels(model, 0.5)


def test_frechet_distance_grows_with_the_difference_of_images() -> None:
    rng = Stream("frechet-test").generator()
    images = [rng.normal(0.5, 0.1, (300, 64, 64, 1)).astype(np.float32) for _ in range(2)]
    features = Features(images[0])
    same = frechet_distance(features(images[0]), features(images[1]))
    brighter = frechet_distance(features(images[0]), features(images[1] + 0.1))
    assert same < brighter


def test_pruned_and_quantised_forms_are_measured(trained: Path, painted: Path, tmp_path: Path) -> None:
    words = ["--model", "mcrgnet/real/8901", "--out", str(tmp_path / "pruned"), "--sparsity", "0.5", "--fine-tune", "1"]
    assert main(["model", "prune", str(trained), *words]) == 0
    rows = list(csv.DictReader((tmp_path / "pruned" / "table.csv").open()))
    assert [row["form"] for row in rows] == ["unpruned", "channels 0.5"]
    assert int(rows[1]["parameters"]) < 0.6 * int(rows[0]["parameters"])
    assert (tmp_path / "pruned" / "channels-0.5" / "model.onnx").is_file()
    assert (tmp_path / "pruned" / "table.svg").read_bytes().startswith(b"<?xml")
    first = json.loads((tmp_path / "pruned" / "compression.json").read_text())
    assert main(["model", "prune", str(trained), *words[:3], str(tmp_path / "again"), *words[4:]]) == 0
    again = json.loads((tmp_path / "again" / "compression.json").read_text())
    assert first["rows"] == again["rows"]
    assert first["files"] == again["files"]

    words = ["--model", "dcgan/generator/8901", "--to", "float16", "--to", "int8", "--out", str(tmp_path / "small")]
    assert main(["model", "quantize", str(painted), *words]) == 0
    rows = list(csv.DictReader((tmp_path / "small" / "table.csv").open()))
    sizes = [int(row["bytes"]) for row in rows]
    assert sizes[0] > 1.5 * sizes[1] > 1.5 * sizes[2]
    record = json.loads((tmp_path / "small" / "compression.json").read_text())
    assert record["floor"] > 0
    assert record["repeat"] > 0
