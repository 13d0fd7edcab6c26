"""Runs exported models in the formats whose readers are part of TensorFlow: SavedModel and LiteRT."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class LiteRtModel:
    """A LiteRT file, ready to run.

    Parameters
    ----------
    path : Path
        Path of the file.
    threads : int
        Threads that one operation may use.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        import tensorflow as tf

        self._interpreter: Any = tf.lite.Interpreter(model_path=str(path), num_threads=threads)

    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """Shape of each input by name; -1 where the number of images is free."""
        details = self._interpreter.get_input_details()
        return {each["name"]: tuple(int(n) for n in each["shape_signature"]) for each in details}

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """Return the outputs for inputs by name; the first axis is that of the images.

        Parameters
        ----------
        inputs : mapping of str to ndarray
            One array for each input; a name may be the beginning of that in the file, which adds a number to it.
        """
        import numpy as np

        details = self._interpreter.get_input_details()
        chosen = {name: _match(name, details) for name in inputs}
        for name, detail in chosen.items():
            self._interpreter.resize_tensor_input(detail["index"], inputs[name].shape)
        self._interpreter.allocate_tensors()
        for name, detail in chosen.items():
            self._interpreter.set_tensor(detail["index"], np.ascontiguousarray(inputs[name], dtype=detail["dtype"]))
        self._interpreter.invoke()
        outputs = self._interpreter.get_output_details()
        return [np.array(self._interpreter.get_tensor(each["index"]), dtype=np.float32) for each in outputs]


def _match(name: str, details: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the input of a name such as ``images``, which converters call ``serving_default_images:0``."""
    for detail in details:
        if name in detail["name"]:
            return detail
    if len(details) == 1:
        return details[0]
    raise KeyError(name)


class SavedModel:
    """A SavedModel, ready to run.

    Parameters
    ----------
    path : Path
        Path of its folder.
    signature : str
        Signature to call.
    """

    def __init__(self, path: Path, signature: str = "serving_default") -> None:
        import tensorflow as tf

        self._loaded = tf.saved_model.load(str(path))  # kept, because the signature holds no reference to its variables
        self._function: Any = self._loaded.signatures[signature]

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """Return the outputs by name for inputs by name; the first axis is that of the images."""
        import numpy as np
        import tensorflow as tf

        found = self._function(**{name: tf.constant(values) for name, values in inputs.items()})
        return {name: np.asarray(values.numpy()) for name, values in found.items()}


def write_litert(saved_model: Path, path: Path, form: Literal["float16", "int8"], samples: Mapping[str, Any]) -> None:
    """Convert a SavedModel to a LiteRT file with smaller numbers.

    Parameters
    ----------
    saved_model : Path
        Folder of the SavedModel.
    path : Path
        File to write.
    form : {"float16", "int8"}
        Weights in float16; or weights and activations in 8 bits, whose ranges are measured on the samples. Inputs and
        outputs stay float32.
    samples : mapping of str to ndarray of shape (n, ...)
        Inputs by name.
    """
    import numpy as np
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(saved_model), signature_keys=["serving_default"])
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if form == "float16":
        converter.target_spec.supported_types = [tf.float16]
    else:
        n = len(next(iter(samples.values())))

        def representative() -> Iterator[dict[str, Any]]:
            for k in range(n):
                yield {name: np.asarray(values[k : k + 1], dtype=np.float32) for name, values in samples.items()}

        converter.representative_dataset = representative
        # Operations without a form in 8 bits, such as reversing an axis, stay in float32.
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS_INT8, tf.lite.OpsSet.TFLITE_BUILTINS
        ]  # fmt: skip
    path.write_bytes(converter.convert())
