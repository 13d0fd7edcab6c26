"""Runs exported models in the formats whose readers are part of TensorFlow: SavedModel and LiteRT."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
