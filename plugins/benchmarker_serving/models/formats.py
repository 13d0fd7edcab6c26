"""Writes a graph as Keras file, SavedModel, ONNX or LiteRT, and reads each of them back to compare the outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarker import ConfigurationError, LiteRtModel, PluginError, SavedModel
from benchmarker_serving.models.bundle import FILES, Format
from benchmarker_serving.models.graphs import Graph, seeded_inputs
from benchmarker_serving.models.onnx_graph import in_fixed_order, numbered_nodes, rename_output, restore_choices

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TOLERANCE = 1e-5
"""Largest absolute difference that the outputs of an exported file may have."""

Arrays = Mapping[str, "NDArray[Any]"]
Run = Callable[[Arrays], "NDArray[np.float32]"]


def write_graph(graph: Graph, form: Format, folder: Path) -> Path:
    """Write a graph in one format, and return the path that programs of that format open.

    Raises
    ------
    ConfigurationError
        If Keras cannot write the format from a network on this process's backend.
    """
    import keras
    import numpy as np

    require_backend(form, keras.config.backend())

    path = folder if form == "savedmodel" else folder / FILES[form]
    zeros = [np.zeros((1, *shape), np.float32) for shape in graph.inputs.values()]
    graph.model(zeros if len(zeros) > 1 else zeros[0], training=False)  # Keras exports no model that was never called
    _WRITERS[form](graph, path)
    return path


def require_backend(form: Format, backend: str) -> None:
    """Refuse a format that Keras writes from networks on TensorFlow only.

    Raises
    ------
    ConfigurationError
        Saying what can be done instead.
    """
    if backend == "tensorflow" or form in {"keras", "savedmodel"}:
        return
    name = {"onnx": "ONNX", "litert": "LiteRT"}[form]
    raise ConfigurationError(
        f"{name} files can be made of networks on TensorFlow only, and this one was trained on {backend}: export it "
        "with --to keras or --to savedmodel, or train it again with KERAS_BACKEND=tensorflow"
    )


def _keras(graph: Graph, path: Path) -> None:
    graph.model.save(path)


def _saved_model(graph: Graph, path: Path) -> None:
    from keras.export import ExportArchive

    archive = ExportArchive()
    names = list(graph.inputs)
    archive.track(graph.model)

    def serve(*given: Any) -> dict[str, Any]:
        return {graph.output: graph.model(list(given) if len(given) > 1 else given[0], training=False)}

    archive.add_endpoint("serving_default", serve, input_signature=_specs(graph, names))
    if graph.seeded is not None:
        seeded = graph.seeded

        def draw(*given: Any) -> dict[str, Any]:
            return {graph.output: seeded(*given)}

        wanted = seeded_inputs(graph)
        archive.add_endpoint("seeded", draw, input_signature=_specs(graph, wanted))
    archive.write_out(str(path), verbose=False)


def _specs(graph: Graph, names: Sequence[str]) -> list[Any]:
    import keras

    kinds = {"seed": "int64"}
    shapes = {**graph.inputs, "seed": ()}
    return [keras.InputSpec(shape=(None, *shapes[name]), dtype=kinds.get(name, "float32"), name=name) for name in names]


def _onnx(graph: Graph, path: Path) -> None:
    import onnx

    with numbered_nodes():
        graph.model.export(str(path), format="onnx", verbose=False)
    proto = onnx.load(str(path))
    rename_output(proto.graph, graph.output)
    restore_choices(proto.graph)
    in_fixed_order(proto.graph)
    onnx.checker.check_model(proto)
    onnx.save(proto, str(path))


def _litert(graph: Graph, path: Path) -> None:
    graph.model.export(str(path), format="litert", verbose=False)


_WRITERS: Mapping[Format, Callable[[Graph, Path], None]] = {
    "keras": _keras,
    "savedmodel": _saved_model,
    "onnx": _onnx,
    "litert": _litert,
}


def read_back(form: Format, path: Path, graph: Graph) -> Run:
    """Return a function that runs an exported file with the program of its format.

    Parameters
    ----------
    form : {"keras", "savedmodel", "onnx", "litert"}
        Format of the file.
    path : Path
        What `write_graph` returned.
    graph : Graph
        Names of inputs and output.
    """
    if form == "keras":
        return _run_keras(path)
    if form == "savedmodel":
        saved = SavedModel(path)
        return lambda inputs: saved(inputs)[graph.output]
    if form == "onnx":
        return _run_onnx(path, graph)
    model = LiteRtModel(path)
    return lambda inputs: model(inputs)[0]


def _run_keras(path: Path) -> Run:
    import keras
    import numpy as np

    model = keras.saving.load_model(path)

    def run(inputs: Arrays) -> NDArray[np.float32]:
        given = list(inputs.values())
        return np.asarray(keras.ops.convert_to_numpy(model(given if len(given) > 1 else given[0], training=False)))

    return run


def _run_onnx(path: Path, graph: Graph) -> Run:
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(inputs: Arrays) -> NDArray[np.float32]:
        return np.asarray(session.run([graph.output], dict(inputs))[0])

    return run


def largest_difference(form: Format, run: Run, inputs: Arrays, expected: NDArray[np.float32]) -> float:
    """Return the largest absolute difference between the outputs of a file and the expected ones.

    Raises
    ------
    PluginError
        If it is larger than 1e-5, or the outputs have another shape.
    """
    import numpy as np

    found = run(inputs)
    if found.shape != expected.shape:
        raise PluginError(f"the {form} file gives outputs of shape {found.shape}, not {expected.shape}")
    difference = float(np.abs(found.astype(np.float64) - expected).max())
    if not difference <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
        raise PluginError(
            f"the outputs of the {form} file differ by up to {difference:.3g} from those of the run, more than "
            f"{TOLERANCE:g}; it is not written"
        )
    return difference
