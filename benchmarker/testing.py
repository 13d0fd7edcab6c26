"""Checks that authors of plugins run on their own work.

In a test of your package::

    from benchmarker.testing import check_architecture
    from my_package import TINY

    def test_tiny():
        check_architecture(TINY)
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarker.contracts.plugins import Architecture
from benchmarker.contracts.settings import Options
from benchmarker.contracts.tasks import Classification, Task
from benchmarker.digests import digest_arrays
from benchmarker.discovery import options_model, resolve
from benchmarker.errors import PluginError
from benchmarker.randomness import Stream

if TYPE_CHECKING:
    import keras
    import numpy as np
    from numpy.typing import NDArray

_SEED = 8901
_OTHER_SEED = 1826
_IMAGES = 8
_USUAL_SIZE = 24
# One step this long makes even a faint gradient visible in the weights.
_LEARNING_RATE = 1e3


def check_architecture(
    architecture: Architecture,
    *,
    options: Options | None = None,
    task: Task | None = None,
    size: int | None = None,
    channels: int = 1,
) -> None:
    """Check that a network keeps what `Architecture` promises; builds it half a dozen times.

    The network must give one finite float32 number for each output and image, also under mixed precision, and
    probabilities for a classification; take all its randomness from its seed, each initialiser and dropout with a seed
    of its own; pass a gradient to every trainable weight; predict the same after saving and loading; and fail below its
    `minimum_size`, but not at it.

    Parameters
    ----------
    architecture : Architecture
        As it is registered.
    options : Options, optional
        Of the network; its defaults where left out.
    task : Task, optional
        What the network shall predict; three classes where left out.
    size : int
        Height and width of the images in pixels; the network's minimum, but at least 24, where left out.
    channels : int
        Of the images.

    Raises
    ------
    PluginError
        At the first promise that is not kept.
    """
    task = task or Classification(classes=("compact", "FRI", "FRII"))
    if options is None and (model_of_options := options_model(architecture)) is not None:
        options = model_of_options()
    candidate = _Candidate(architecture, options, task, channels)
    size = size or max(architecture.minimum_size, _USUAL_SIZE)
    images = Stream("conformance", size=size).generator().random((_IMAGES, size, size, channels)).astype("float32")

    with _dtype_policy("float32"):
        model = candidate.build(size, _SEED)
        _check_output(candidate, model, images)
        _check_seeds(candidate, model)
        _check_same_bits(candidate, model, size)
        _check_saving(candidate, model, images)
        _check_gradients(candidate, model, images)
        _check_minimum_size(candidate, model)
    with _dtype_policy("mixed_bfloat16"):
        dtype = str(candidate.build(size, _SEED).outputs[0].dtype)
        candidate.require(
            dtype == "float32",
            f"gives {dtype} under mixed precision; give its last layer dtype='float32'",
        )


class _Candidate:
    """A network on trial."""

    def __init__(self, architecture: Architecture, options: Options | None, task: Task, channels: int) -> None:
        self.architecture = architecture
        self.task = task
        self._options = options
        self._channels = channels

    def build(self, size: int, seed: int) -> keras.Model:
        """Call the builder as the harness does, but without seeding anything else before."""
        import keras

        shape = (size, size, self._channels)
        builder = resolve(self.architecture.builder)
        given = (
            (shape, self.task, seed) if self.architecture.options is None else (shape, self.task, seed, self._options)
        )
        model = builder(*given)
        self.require(isinstance(model, keras.Model), f"must return a keras.Model. Received: {type(model).__name__}")
        return model

    def require(self, kept: bool, complaint: str) -> None:
        """Raise PluginError with the complaint unless a promise is kept."""
        if not kept:
            raise self.broken(complaint)

    def broken(self, complaint: str) -> PluginError:
        """Return the error that names a broken promise."""
        return PluginError(f"architecture {self.architecture.name!r} ({self.architecture.builder}) {complaint}")


@contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _predict(model: keras.Model, images: NDArray[np.float32]) -> NDArray[Any]:
    import keras
    import numpy as np

    return np.asarray(keras.ops.convert_to_numpy(model(images, training=False)))


def _check_output(candidate: _Candidate, model: keras.Model, images: NDArray[np.float32]) -> None:
    import numpy as np

    outputs = _predict(model, images)
    expected = (len(images), candidate.task.n_outputs)
    candidate.require(outputs.shape == expected, f"must give outputs of shape {expected}. Received: {outputs.shape}")
    candidate.require(outputs.dtype == np.float32, f"must give float32. Received: {outputs.dtype}")
    candidate.require(bool(np.isfinite(outputs).all()), "gives outputs that are not finite")
    if candidate.task.kind == "classification":
        within = bool(((outputs >= 0) & (outputs <= 1)).all())
        candidate.require(within, "must give probabilities in [0, 1] for a classification")


def _layers(model: Any) -> Iterator[Any]:
    """Yield all layers, also those of models within models."""
    for layer in getattr(model, "layers", ()):
        yield layer
        yield from _layers(layer)


def _given_seeds(config: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield every ``seed`` that stands in a layer's configuration, and where."""
    if isinstance(config, dict):
        for key, value in config.items():
            if key == "seed":
                yield path, value
            else:
                yield from _given_seeds(value, f"{path}.{key}")


def _check_seeds(candidate: _Candidate, model: keras.Model) -> None:
    owners: dict[int, str] = {}
    # Nested models repeat the configurations of their layers.
    for layer in (layer for layer in _layers(model) if not getattr(layer, "layers", ())):
        for owner, seed in _given_seeds(layer.get_config(), layer.name):
            candidate.require(seed is not None, f"gives {owner} no seed; take one from layer_seeds(seed)")
            if isinstance(seed, int):
                candidate.require(seed not in owners, f"gives {owner} the seed of {owners.get(seed)}")
                owners[seed] = owner


def _digest(model: keras.Model) -> str:
    return digest_arrays((str(k), weight) for k, weight in enumerate(model.get_weights()))


def _check_same_bits(candidate: _Candidate, model: keras.Model, size: int) -> None:
    digest = _digest(model)
    again = _digest(candidate.build(size, _SEED))
    candidate.require(again == digest, "starts from other weights when it is built again with the same seed")
    other = _digest(candidate.build(size, _OTHER_SEED))
    candidate.require(other != digest, "starts from the same weights whatever its seed")


def _check_saving(candidate: _Candidate, model: keras.Model, images: NDArray[np.float32]) -> None:
    import keras
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        model.save(path)
        loaded = keras.models.load_model(path)
    same = np.array_equal(_predict(model, images), _predict(loaded, images))
    candidate.require(same, "predicts something else after saving and loading")


def _check_gradients(candidate: _Candidate, model: keras.Model, images: NDArray[np.float32]) -> None:
    """Take one long step and see which weights moved.

    A bias before batch normalisation gets no gradient while that is training, and its own weights get none while it is
    not: a weight passes if it moves in either state.
    """
    import keras

    # A penalty would move every weight that it is on.
    for weight in model.trainable_weights:
        weight.regularizer = None
    expected = {weight.path for weight in model.trainable_weights}
    moved = _moved(candidate, model, images)
    for layer in _layers(model):
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    if expected - moved:
        moved |= _moved(candidate, model, images)
    still = sorted(expected - moved)
    candidate.require(not still, f"passes no gradient to: {', '.join(still)}")


def _moved(candidate: _Candidate, model: keras.Model, images: NDArray[np.float32]) -> set[str]:
    """Return the paths of the weights that one step moves, and take the step back."""
    import keras
    import numpy as np

    start = model.get_weights()
    before = {weight.path: keras.ops.convert_to_numpy(weight).copy() for weight in model.trainable_weights}
    classification = candidate.task.kind == "classification"
    model.compile(
        optimizer=keras.optimizers.SGD(_LEARNING_RATE),
        loss="categorical_crossentropy" if classification else "mean_squared_error",
        run_eagerly=True,
    )
    outputs = candidate.task.n_outputs
    targets = np.eye(outputs, dtype="float32")[np.arange(len(images)) % outputs]
    loss = float(model.train_on_batch(images, targets))
    candidate.require(bool(np.isfinite(loss)), f"has a loss of {loss} at the start")
    moved = {
        weight.path
        for weight in model.trainable_weights
        if not np.array_equal(before[weight.path], keras.ops.convert_to_numpy(weight))
    }
    model.set_weights(start)
    return moved


def _check_minimum_size(candidate: _Candidate, model: keras.Model) -> None:
    """Build for the minimum, unless the model was, and for less."""
    import numpy as np

    smallest = candidate.architecture.minimum_size
    if model.input_shape[1] != smallest:
        # ValueError is what Keras raises when nothing is left of an image.
        try:
            model = candidate.build(smallest, _SEED)
        except ValueError as error:
            complaint = f"has a minimum_size of {smallest}, but cannot be built for that: {error}"
            raise candidate.broken(complaint) from error
    _check_output(candidate, model, np.zeros((2, *model.input_shape[1:]), dtype="float32"))
    if smallest == 1:
        return
    try:
        candidate.build(smallest - 1, _SEED)
    except ValueError:
        return
    raise candidate.broken(f"has a minimum_size of {smallest}, but can be built for {smallest - 1} px")
