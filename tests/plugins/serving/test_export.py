"""`benchmarker model export`: every format gives the outputs of the run, and the card says what a reader must know."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
import pytest

from benchmarker import ConfigurationError, PluginError, Preparation, StorageError, digest_file
from benchmarker.cli import main
from benchmarker_serving.models.bundle import Bundle, Format, name_of, next_version
from benchmarker_serving.models.formats import require_backend, write_graph
from benchmarker_serving.models.graphs import Graph, prepare_tensors
from benchmarker_serving.models.latent import latent_points
from benchmarker_serving.server.contract import metadata

FORMATS = ("keras", "savedmodel", "onnx", "litert")
TO = [word for form in FORMATS for word in ("--to", form)]


@pytest.mark.long
def test_network_is_exported_with_its_preparation(trained: Path, tmp_path: Path) -> None:
    words = ["model", "export", str(trained), "--model", "mcrgnet/real/8901", *TO, "--out", str(tmp_path)]
    assert main([*words, "--with-preparation"]) == 0
    folder = tmp_path / "mcrgnet" / "1"
    bundle = Bundle.read(folder)
    assert set(bundle.difference) == set(FORMATS)
    assert max(bundle.difference.values()) < 1e-5
    assert bundle.classes == ("FRI", "FRII")
    assert not bundle.prepared
    assert bundle.files["model.onnx"] == digest_file(folder / "model.onnx")
    card = (folder / "card.md").read_text()
    for part in ("## Data", "## Protocol", "## Scores", "## Limits", bundle.run, bundle.weights, "Wilson"):
        assert part in card
    assert sorted(path.name for path in (tmp_path / "mcrgnet").iterdir()) == ["1"]
    assert main([*words, "--version", "1"]) == 2  # it is there already


@pytest.mark.long
def test_generator_is_exported_with_a_signature_that_takes_seeds(painted: Path, tmp_path: Path) -> None:
    words = ["model", "export", str(painted), "--model", "dcgan/generator/8901", *TO, "--out", str(tmp_path)]
    assert main(words) == 0
    folder = tmp_path / "dcgan" / "1"
    bundle = Bundle.read(folder)
    assert max(bundle.difference.values()) < 1e-5
    assert set(bundle.inputs) == {"latent", "conditions"}


@pytest.mark.long
def test_saved_model_answers_the_requests_of_tensorflow_serving(painted: Path, tmp_path: Path) -> None:
    words = ["model", "export", str(painted), "--model", "dcgan/generator/8901", "--to", "savedmodel"]
    assert main([*words, "--out", str(tmp_path)]) == 0
    folder = tmp_path / "dcgan" / "1"  # name and version, the layout of a model's base path
    assert {"saved_model.pb", "variables"} <= {path.name for path in folder.iterdir()}
    bundle = Bundle.read(folder)
    size = bundle.inputs["latent"][0]
    np.save(tmp_path / "latent.npy", latent_points(np.array([7, 8, 7]), size, uniform=bundle.latent == "uniform"))
    np.save(tmp_path / "conditions.npy", np.eye(2, dtype=np.float32)[[0, 1, 0]])
    paths = [folder, tmp_path / "latent.npy", tmp_path / "conditions.npy"]
    command = [sys.executable, str(Path(__file__).with_name("saved_model_server.py")), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    served, described = json.loads(done.stdout)["signature_def"], metadata("dcgan", 1, bundle)
    ours = described["metadata"]["signature_def"]["signature_def"]
    assert set(served) - {"__saved_model_init_op"} == set(ours) == {"serving_default", "seeded"}
    for name in ours:
        assert served[name]["method_name"] == ours[name]["method_name"] == "tensorflow/serving/predict"
        for side in ("inputs", "outputs"):
            assert tensors(served[name][side]) == tensors(ours[name][side])
    assert tensors(ours["serving_default"]["inputs"]) == {
        "latent": ("DT_FLOAT", [-1, size]),
        "conditions": ("DT_FLOAT", [-1, 2]),
    }
    assert tensors(ours["seeded"]["inputs"])["seed"] == ("DT_INT64", [-1])
    assert tensors(ours["seeded"]["outputs"]) == {"images": ("DT_FLOAT", [-1, *bundle.output_shape])}

    drawn, again = np.load(tmp_path / "seeded.npy"), np.load(tmp_path / "serving_default.npy")
    assert float(np.abs(drawn - again).max()) < 1e-5  # NumPy and the SavedModel draw the same latent points
    assert np.array_equal(drawn[0], drawn[2])
    assert float(np.abs(drawn[0] - drawn[1]).max()) > 1e-4


def tensors(described: dict[str, Any]) -> dict[str, tuple[str, list[int]]]:
    """Return type and shape of the tensors of a signature by name."""
    return {
        name: (each["dtype"], [int(axis["size"]) for axis in each["tensor_shape"]["dim"]])
        for name, each in described.items()
    }


def test_latent_points_are_normal_or_uniform_and_depend_on_their_seed_only() -> None:
    seeds = np.arange(4000)
    normal, uniform = (latent_points(seeds, 20, uniform=each) for each in (False, True))
    assert float(normal.mean()) == pytest.approx(0, abs=0.02)
    assert float(normal.std()) == pytest.approx(1, abs=0.02)
    assert np.histogram(uniform, bins=8, range=(-1, 1))[0] == pytest.approx([10_000] * 8, rel=0.05)
    assert abs(float(np.corrcoef(normal[:-1, 0], normal[1:, 0])[0, 1])) < 0.05
    assert np.array_equal(latent_points(np.array([17]), 20, uniform=False)[0], normal[17])


def test_description_is_read_back_and_checked(tmp_path: Path) -> None:
    bundle = Bundle(
        name="m", version=1, kind="network", inputs={"images": (4, 4, 1)}, output="values", output_shape=(1,)
    )
    bundle.write(tmp_path)
    assert Bundle.read(tmp_path) == bundle
    content = json.loads((tmp_path / "model.json").read_text())
    damaged: tuple[Any, ...] = ({**content, "name": "../m"}, {**content, "unknown": 1}, {"inputs": []}, [])
    for changed in damaged:
        (tmp_path / "model.json").write_text(json.dumps(changed))
        with pytest.raises(StorageError, match=r"model\.json"):
            Bundle.read(tmp_path)


def test_names_and_versions_of_models(tmp_path: Path) -> None:
    assert name_of("../mcr<net>", "real") == "mcr-net-real"
    assert next_version(tmp_path / "m") == 1
    for name in ("1", "12", "notes"):
        (tmp_path / "m" / name).mkdir(parents=True)
    assert next_version(tmp_path / "m") == 13


def test_choices_that_were_written_as_products_pass_over_missing_pixels() -> None:
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    from benchmarker_serving.models.onnx_graph import rename_output, restore_choices

    nodes = [
        helper.make_node("Abs", ["x"], ["size"]),
        helper.make_node("Less", ["size", "most"], ["known"]),
        helper.make_node("Not", ["known"], ["missing"]),
        helper.make_node("Cast", ["known"], ["k"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["missing"], ["m"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["k", "x"], ["first"]),
        helper.make_node("Mul", ["zero", "m"], ["second"]),
        helper.make_node("Add", ["first", "second"], ["sum"]),
        helper.make_node("Add", ["sum", "k"], ["Identity:0"]),
    ]
    constants = [numpy_helper.from_array(np.array(v, np.float32), n) for n, v in (("most", 1e30), ("zero", 0))]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "g", [value("x", TensorProto.FLOAT, ["n"])], [value("Identity:0", TensorProto.FLOAT, ["n"])], constants
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    rename_output(model.graph, "images")
    assert restore_choices(model.graph) == 1
    assert [node.op_type for node in model.graph.node] == ["Abs", "Less", "Cast", "Where", "Add"]
    session = onnxruntime.InferenceSession(model.SerializeToString())
    assert session.run(["images"], {"x": np.array([np.nan, 2], np.float32)})[0].tolist() == [0, 3]


def test_onnx_file_does_not_depend_on_addresses_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One order in about a hundred makes the converter write other nodes; each process has another one."""
    import keras
    from keras import layers
    from tf2onnx.graph import Node

    from benchmarker_serving.models.formats import write_graph
    from benchmarker_serving.models.graphs import Graph

    looked_at: list[int] = []

    def address(node: object) -> int:
        looked_at.append(id(node))
        return id(node)

    monkeypatch.setattr(Node, "__hash__", address)
    convolution = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu")
    model = keras.Sequential([keras.Input((8, 8, 1)), convolution, layers.Flatten(), layers.Dense(2)])
    write_graph(Graph(model=model, inputs={"images": (8, 8, 1)}, output="values"), "onnx", tmp_path)
    assert not looked_at
    assert Node.__hash__ is address


def test_graphs_of_another_order_and_other_names_become_the_same_bytes() -> None:
    from onnx import TensorProto, helper, numpy_helper

    from benchmarker_serving.models.onnx_graph import in_fixed_order

    def graph(order: int, suffix: str) -> bytes:
        nodes = [
            helper.make_node("Abs", ["x"], [f"a{suffix}"], name=f"first{suffix}"),
            helper.make_node("Neg", ["x"], [f"b{suffix}"], name=f"second{suffix}"),
        ][::order]
        nodes += [
            helper.make_node("Mul", [f"a{suffix}", f"two{suffix}"], [f"c{suffix}"]),
            helper.make_node("Sub", [f"c{suffix}", f"b{suffix}"], ["images"]),
        ]
        constants = [
            numpy_helper.from_array(np.array(v, np.float32), f"{n}{suffix}") for n, v in (("two", 2), ("no", 0))
        ]
        value = helper.make_tensor_value_info
        inputs, outputs = [value("x", TensorProto.FLOAT, ["n"])], [value("images", TensorProto.FLOAT, ["n"])]
        made = helper.make_graph(nodes, "g", inputs, outputs, constants[::order])
        in_fixed_order(made)
        content: bytes = made.SerializeToString()
        return content

    assert graph(1, "") == graph(-1, "_7")


@pytest.mark.parametrize("step", [{"binary_threshold": 0.8, "binary_others": "keep"}, {"clip_about": "zero"}])
def test_graph_refuses_steps_of_the_preparation_that_it_would_leave_out(step: dict[str, object]) -> None:
    preparation = Preparation.model_validate({"clip_sigma": 3, **step})
    with pytest.raises(PluginError, match=list(step)[-1]):
        prepare_tensors(np.zeros((1, 8, 8, 1)), preparation, (8, 8, 1))


@pytest.mark.parametrize("form", ["onnx", "litert"])
def test_formats_that_need_tensorflow_say_so(form: Format, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    require_backend(form, "tensorflow")
    require_backend("keras", "jax")
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(ConfigurationError, match=r"TensorFlow only, and this one was trained on jax: .*--to keras"):
        write_graph(cast("Graph", object()), form, tmp_path)
