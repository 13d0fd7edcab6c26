"""TensorFlow Serving's REST contract: request bodies to arrays, and arrays to replies.

The contract is described at https://www.tensorflow.org/tfx/serving/api_rest. Nothing here knows HTTP.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from benchmarker_serving.models.bundle import Bundle
from benchmarker_serving.models.latent import latent_points

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SIGNATURE = "serving_default"
SEEDED = "seeded"

Arrays = dict[str, "NDArray[Any]"]


class RequestError(Exception):
    """A request cannot be answered.

    Parameters
    ----------
    message : str
        What is wrong.
    status : int
        HTTP status.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        self.status = status
        super().__init__(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request for predictions.

    Parameters
    ----------
    inputs : dict of str to ndarray
        Inputs of the model by name.
    form : {"row", "column", "npy"}
        Form of the request, which is that of the reply.
    """

    inputs: Arrays
    form: Literal["row", "column", "npy"]

    @property
    def images(self) -> int:
        """Number of images that are asked for."""
        return len(next(iter(self.inputs.values())))


def parse_json(body: bytes, bundle: Bundle, most: int) -> Question:
    """Return the question in a JSON body.

    Parameters
    ----------
    body : bytes
        ``{"instances": [...]}`` (row form) or ``{"inputs": ...}`` (column form), optionally with ``signature_name``.
    bundle : Bundle
        Model that is asked.
    most : int
        Largest number of images in a request.

    Raises
    ------
    RequestError
        If it is not such a body, or its arrays do not fit the model.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError("JSON Parse error: the body is not JSON") from error
    if not isinstance(content, dict):
        raise RequestError("JSON Value: a JSON object was expected")
    if unknown := sorted(set(content) - {"signature_name", "instances", "inputs"}):
        raise RequestError(f"unexpected keys: {', '.join(map(repr, unknown))[:200]}")
    if ("instances" in content) == ("inputs" in content):
        raise RequestError("either 'instances' (row form) or 'inputs' (column form) was expected")
    shapes = _shapes(bundle, content.get("signature_name", SIGNATURE))
    if "instances" in content:
        return Question(inputs=_finished(_rows(content["instances"], shapes, most), bundle, shapes, most), form="row")
    columns = content["inputs"]
    if not isinstance(columns, dict):
        columns = {_only(shapes): columns}
    _check_names(columns, shapes)
    arrays = {name: _array(columns[name], name, shape) for name, shape in shapes.items()}
    return Question(inputs=_finished(arrays, bundle, shapes, most), form="column")


def parse_npy(body: bytes, bundle: Bundle, most: int) -> Question:
    """Return the question in the body of type ``application/x-npy``: the array of the model's only input.

    Raises
    ------
    RequestError
        If it is no such array.
    """
    import numpy as np

    shapes = _shapes(bundle, SIGNATURE)
    stream = io.BytesIO(body)
    try:
        version = np.lib.format.read_magic(stream)
        readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, fortran, dtype = readers[version](stream)
    except (ValueError, KeyError, SyntaxError, RecursionError) as error:
        raise RequestError("the body is not a NumPy array (.npy, version 1 or 2)") from error
    rest = body[stream.tell() :]
    if dtype.kind not in "fiub" or fortran or math.prod(shape) * dtype.itemsize != len(rest):
        raise RequestError("an array of real numbers in C order, as long as its header says, was expected")
    array = np.frombuffer(rest, dtype=dtype).reshape(shape)
    name = _only(shapes)
    if array.shape[1:] != shapes[name]:
        raise RequestError(f"{name}: shape (n, {_times(shapes[name])}) was expected. Received: {array.shape}")
    return Question(inputs=_finished({name: array.astype(np.float32)}, bundle, shapes, most), form="npy")


def _shapes(bundle: Bundle, signature: Any) -> dict[str, tuple[int, ...]]:
    """Return the inputs of a signature."""
    if not isinstance(signature, str):
        raise RequestError("signature_name: a text was expected")
    if signature in {SIGNATURE, ""}:
        return dict(bundle.inputs)
    if signature == SEEDED and bundle.kind == "generator":
        return {"seed": (), **{name: shape for name, shape in bundle.inputs.items() if name != "latent"}}
    raise RequestError(f"the model has no signature {signature[:100]!r}", 404)


def _rows(rows: Any, shapes: Mapping[str, tuple[int, ...]], most: int) -> Arrays:
    if not isinstance(rows, list) or not rows:
        raise RequestError("'instances' must be a list of at least one instance")
    _limit(len(rows), most)
    named = [row if isinstance(row, dict) else {_only(shapes): row} for row in rows]
    for row in named:
        _check_names(row, shapes)
    return {name: _array([row[name] for row in named], name, shape) for name, shape in shapes.items()}


def _check_names(found: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> None:
    if set(found) != set(shapes):
        received = ", ".join(map(str, sorted(found)))[:200] or "none"
        raise RequestError(f"the inputs {', '.join(sorted(shapes))} were expected. Received: {received}")


def _only(shapes: Mapping[str, tuple[int, ...]]) -> str:
    if len(shapes) > 1:
        raise RequestError(f"the model has several inputs; name them: {', '.join(shapes)}")
    return next(iter(shapes))


def _array(values: Any, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    import numpy as np

    try:
        array = np.asarray(values, dtype=np.int64 if name == "seed" else np.float32)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise RequestError(f"{name}: a regular array of numbers was expected") from error
    if array.shape[1:] != shape or not array.ndim:
        raise RequestError(f"{name}: shape (n, {_times(shape)}) was expected. Received: {array.shape}")
    return array


def _times(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))


def _limit(n: int, most: int) -> None:
    if not 0 < n <= most:
        raise RequestError(
            f"between 1 and {most:,} images in a request were expected. Received: {n:,}", 413 if n else 400
        )


def _finished(arrays: Arrays, bundle: Bundle, shapes: Mapping[str, tuple[int, ...]], most: int) -> Arrays:
    """Return checked inputs of the model, with latent points in place of seeds."""
    import numpy as np

    lengths = {len(array) for array in arrays.values()}
    if len(lengths) != 1:
        raise RequestError("all inputs must have the same number of rows")
    _limit(lengths.pop(), most)
    missing_allowed = bundle.kind == "network" and not bundle.prepared
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not missing_allowed and not np.isfinite(array).all():
            raise RequestError(f"{name}: finite numbers were expected")
    if "seed" in shapes:
        size = bundle.inputs["latent"][0]
        latent = latent_points(arrays.pop("seed"), size, uniform=bundle.latent == "uniform")
        return {"latent": latent, **arrays}
    return arrays


def reply_json(outputs: NDArray[np.float32], form: str) -> bytes:
    """Return the body of a reply: ``{"predictions": [...]}`` in row form, ``{"outputs": [...]}`` in column form."""
    name = "predictions" if form == "row" else "outputs"
    return json.dumps({name: outputs.tolist()}).encode()


def reply_npy(outputs: NDArray[np.float32]) -> bytes:
    """Return the body of a reply of type ``application/x-npy``."""
    import numpy as np

    stream = io.BytesIO()
    np.save(stream, outputs)
    return stream.getvalue()


def status(versions: Mapping[int, str]) -> dict[str, Any]:
    """Return the status of versions by number, whose states are ``"AVAILABLE"`` or ``"LOADING"``."""
    fine = {"error_code": "OK", "error_message": ""}
    return {
        "model_version_status": [
            {"version": str(number), "state": state, "status": fine} for number, state in sorted(versions.items())[::-1]
        ]
    }


def metadata(name: str, version: int, bundle: Bundle) -> dict[str, Any]:
    """Return the metadata of a version: the inputs and outputs of its signatures."""
    signatures = {SIGNATURE: _signature(dict(bundle.inputs), bundle)}
    if bundle.kind == "generator":
        signatures[SEEDED] = _signature(_shapes(bundle, SEEDED), bundle)
    return {
        "model_spec": {"name": name, "signature_name": "", "version": str(version)},
        "metadata": {"signature_def": {"signature_def": signatures}},
    }


def _signature(inputs: Mapping[str, tuple[int, ...]], bundle: Bundle) -> dict[str, Any]:
    return {
        "inputs": {name: _tensor(name, each) for name, each in inputs.items()},
        "outputs": {bundle.output: _tensor(bundle.output, bundle.output_shape)},
        "method_name": "tensorflow/serving/predict",
    }


def _tensor(name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    dimensions = [{"size": str(size), "name": ""} for size in (-1, *shape)]
    return {
        "dtype": "DT_INT64" if name == "seed" else "DT_FLOAT",
        "tensor_shape": {"dim": dimensions, "unknown_rank": False},
        "name": f"{name}:0",
    }
