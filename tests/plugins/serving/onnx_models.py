"""Linear models in ONNX with descriptions as `benchmarker model export` writes them; they take a moment to make."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarker_serving.models.bundle import Bundle, digests

SIZE = 8


def _save(folder: Path, nodes: list[Any], inputs: dict[str, tuple[int, ...]], output: str, **constants: Any) -> None:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape]) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    folder.mkdir(parents=True)
    onnx.save(model, str(folder / "model.onnx"))


def _describe(folder: Path, **facts: Any) -> None:
    Bundle(name=folder.parent.name, version=int(folder.name), files=digests(folder), **facts).write(folder)


def network(
    folder: Path, name: str = "brightness", version: int = 1, *, factor: float = 1.0, channels: int = 1, **facts: Any
) -> Path:
    """Write a network that gives the mean of an image times a factor, and 1 minus that, as two classes."""
    place = folder / name / str(version)
    outputs = 1 if "units" in facts else 2
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "axis"], ["column"]),
        helper.make_node("Mul", ["column", "factor"], ["scaled"]),
        helper.make_node("Sub", ["one", "scaled"], ["rest"]),
        helper.make_node("Concat", ["scaled", "rest"][:outputs], ["probabilities"], axis=1),
    ]
    shape = (SIZE, SIZE, channels)
    _save(
        place, nodes, {"images": shape}, "probabilities",
        axis=np.array([1]), factor=np.array(factor, np.float32), one=np.array(1, np.float32),
    )  # fmt: skip
    given: dict[str, Any] = {"classes": ("bright", "faint")} if outputs == 2 else {}
    _describe(
        place, kind="network", inputs={"images": shape}, output="probabilities", output_shape=(outputs,),
        **{**given, **facts},
    )  # fmt: skip
    return place


def generator(folder: Path, name: str = "painter", version: int = 1) -> Path:
    """Write a generator whose images are the sum of a latent point and of a condition."""
    place = folder / name / str(version)
    nodes = [
        helper.make_node("ReduceSum", ["latent", "axis"], ["first"], keepdims=1),
        helper.make_node("ReduceSum", ["conditions", "axis"], ["second"], keepdims=1),
        helper.make_node("Add", ["first", "second"], ["sum"]),
        helper.make_node("Mul", ["sum", "pixels"], ["flat"]),
        helper.make_node("Reshape", ["flat", "shape"], ["images"]),
    ]
    inputs: dict[str, tuple[int, ...]] = {"latent": (3,), "conditions": (2,)}
    _save(
        place, nodes, inputs, "images",
        axis=np.array([1]), pixels=np.ones((1, SIZE * SIZE), np.float32), shape=np.array([-1, SIZE, SIZE, 1]),
    )  # fmt: skip
    _describe(
        place, kind="generator", inputs=inputs, output="images", output_shape=(SIZE, SIZE, 1),
        classes=("FRI", "FRII"), conditions=("FRI", "FRII"), latent="normal",
    )  # fmt: skip
    return place
