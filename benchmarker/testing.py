"""Conformance checks that authors of plugins run on their own work.

In a test of your package::

    from benchmarker.testing import check_architecture
    from my_package import TINY

    def test_tiny():
        check_architecture(TINY)
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarker.contracts.executors import BatchJob, RunTask, TaskExecutor, Work
from benchmarker.contracts.plugins import Architecture, Executor
from benchmarker.contracts.settings import Options
from benchmarker.contracts.tasks import Classification, Regression, RegressionTarget, Task
from benchmarker.digests import digest_arrays
from benchmarker.discovery import options_model, resolve
from benchmarker.errors import PluginError
from benchmarker.executors.opening import open_executor
from benchmarker.randomness import Stream

if TYPE_CHECKING:
    import keras
    import numpy as np
    from numpy.typing import NDArray

_SEED = 8901
_OTHER_SEED = 1826
_IMAGES = 8
_USUAL_SIZE = 24
_CLASSES = Classification(classes=("compact", "FRI", "FRII"))
_NUMBER = Regression(targets=(RegressionTarget(name="redshift", unit="", minimum=0, maximum=1),))
# With such a learning rate, even a tiny gradient changes the weights visibly.
_LEARNING_RATE = 1e3


def check_architecture(
    architecture: Architecture,
    *,
    options: Options | None = None,
    task: Task | None = None,
    size: int | None = None,
    channels: int = 1,
) -> None:
    """Check that a network keeps the contract of `Architecture`; the network is built about six times.

    The network must

    - return a finite float32 number for each output and image, also in mixed precision, and probabilities for a
      classification;
    - take all randomness from its seed, with a different seed for each initialiser and dropout layer;
    - pass a gradient to every trainable weight;
    - predict the same after it is saved and loaded;
    - be buildable at its `minimum_size`, but not below.

    Parameters
    ----------
    architecture : Architecture
        Network, as it is registered.
    options : Options, optional
        Options of the network; by default those of its options model.
    task : Task, optional
        Task of the network; by default a classification into three classes, or a regression of one target if the
        network is for regressions only.
    size : int, optional
        Height and width of the images in pixels; by default the minimum size of the network, but at least 24.
    channels : int
        Number of channels of the images.

    Raises
    ------
    PluginError
        If the contract is broken; the message names the first part that is.
    """
    task = task or (_CLASSES if "classification" in architecture.tasks else _NUMBER)
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
            f"returns {dtype} in mixed precision; its last layer needs dtype='float32'",
        )


class _Candidate:
    """The network under test."""

    def __init__(self, architecture: Architecture, options: Options | None, task: Task, channels: int) -> None:
        self.architecture = architecture
        self.task = task
        self._options = options
        self._channels = channels

    def build(self, size: int, seed: int) -> keras.Model:
        """Call the builder as the harness does, but without seeding anything else."""
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
        """Raise PluginError with the complaint unless a part of the contract is kept."""
        if not kept:
            raise self.broken(complaint)

    def broken(self, complaint: str) -> PluginError:
        """Return the error for a broken contract."""
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
    candidate.require(outputs.shape == expected, f"must return outputs of shape {expected}. Received: {outputs.shape}")
    candidate.require(outputs.dtype == np.float32, f"must return float32. Received: {outputs.dtype}")
    candidate.require(bool(np.isfinite(outputs).all()), "returns outputs that are not finite")
    if candidate.task.kind == "classification":
        within = bool(((outputs >= 0) & (outputs <= 1)).all())
        candidate.require(within, "must return probabilities in [0, 1] for a classification")


def _layers(model: Any) -> Iterator[Any]:
    """Yield all layers, including those of nested models."""
    for layer in getattr(model, "layers", ()):
        yield layer
        yield from _layers(layer)


def _given_seeds(config: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield every ``seed`` in the configuration of a layer, with its path."""
    if isinstance(config, dict):
        for key, value in config.items():
            if key == "seed":
                yield path, value
            else:
                yield from _given_seeds(value, f"{path}.{key}")


def _check_seeds(candidate: _Candidate, model: keras.Model) -> None:
    owners: dict[int, str] = {}
    # The configuration of a nested model repeats those of its layers.
    for layer in (layer for layer in _layers(model) if not getattr(layer, "layers", ())):
        for owner, seed in _given_seeds(layer.get_config(), layer.name):
            candidate.require(seed is not None, f"does not seed {owner}; take a seed from layer_seeds(seed)")
            if isinstance(seed, int):
                candidate.require(seed not in owners, f"gives {owner} the same seed as {owners.get(seed)}")
                owners[seed] = owner


def _digest(model: keras.Model) -> str:
    return digest_arrays((str(k), weight) for k, weight in enumerate(model.get_weights()))


def _check_same_bits(candidate: _Candidate, model: keras.Model, size: int) -> None:
    digest = _digest(model)
    again = _digest(candidate.build(size, _SEED))
    candidate.require(again == digest, "has other initial weights when it is built again with the same seed")
    other = _digest(candidate.build(size, _OTHER_SEED))
    candidate.require(other != digest, "has the same initial weights with every seed")


def _check_saving(candidate: _Candidate, model: keras.Model, images: NDArray[np.float32]) -> None:
    import keras
    import numpy as np

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        model.save(path)
        loaded = keras.models.load_model(path)
    same = np.array_equal(_predict(model, images), _predict(loaded, images))
    candidate.require(same, "predicts something else after it is saved and loaded")


def _check_gradients(candidate: _Candidate, model: keras.Model, images: NDArray[np.float32]) -> None:
    """Take one large step and check that every weight changes.

    A bias before batch normalisation has no gradient while the normalisation trains, and the normalisation's own
    weights have none while it does not. A weight must therefore change in one of the two states.
    """
    import keras

    # A penalty would change every weight that it applies to.
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
    """Return the paths of the weights that a step changes, and undo the step."""
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
    candidate.require(bool(np.isfinite(loss)), f"has a loss of {loss} in the first step")
    moved = {
        weight.path
        for weight in model.trainable_weights
        if not np.array_equal(before[weight.path], keras.ops.convert_to_numpy(weight))
    }
    model.set_weights(start)
    return moved


def _check_minimum_size(candidate: _Candidate, model: keras.Model) -> None:
    """Check that the network can be built at its minimum size, and not below."""
    import numpy as np

    smallest = candidate.architecture.minimum_size
    if model.input_shape[1] != smallest:
        # Keras raises ValueError if nothing is left of an image.
        try:
            model = candidate.build(smallest, _SEED)
        except ValueError as error:
            complaint = f"has a minimum_size of {smallest}, but cannot be built for it: {error}"
            raise candidate.broken(complaint) from error
    _check_output(candidate, model, np.zeros((2, *model.input_shape[1:]), dtype="float32"))
    if smallest == 1:
        return
    try:
        candidate.build(smallest - 1, _SEED)
    except ValueError:
        return
    raise candidate.broken(f"has a minimum_size of {smallest}, but can be built for {smallest - 1} px")


_TASK = """
import os, pathlib, sys, time
folder, key, seconds, code = pathlib.Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]), int(sys.argv[4])
print("output of", key, "with", os.environ.get("BENCHMARKER_CHECKED"), flush=True)
with (folder / "order.txt").open("a") as stream: stream.write(f"begins {key}\\n")
time.sleep(seconds)
with (folder / "order.txt").open("a") as stream: stream.write(f"ends {key}\\n")
sys.exit(code)
"""
_SHORT_SECONDS = 0.2
_LONG_SECONDS = 3600.0
_ASK_SECONDS = 0.1


def check_executor(
    executor: Executor, folder: Path, *, options: Mapping[str, Any] | None = None, patience: float = 60.0
) -> None:
    """Check that an executor keeps the contract of `TaskExecutor`, with some tasks of a fraction of a second.

    The executor must

    - run each task once, with the variables of the work, and its output in the file that its job names;
    - begin cells after all generators have ended, even if one fails;
    - report jobs that hold all tasks, in their order;
    - return the number of errors if it stays; otherwise say which tasks have not ended, and cancel them.

    The tasks are small Python programs and no ``benchmarker run``. An executor that writes command lines itself, as
    slurm does, cannot be checked this way.

    Parameters
    ----------
    executor : Executor
        Executor, as it is registered.
    folder : Path
        Empty folder, which the tasks can write wherever they run.
    options : mapping of str to plain data, optional
        Its options.
    patience : float
        Seconds after which a queue that is not empty is an error.

    Raises
    ------
    PluginError
        If the contract is broken; the message names the first part that is.
    """
    check = _ExecutorCheck(executor, open_executor(executor, options or {}), patience)
    work = Work(
        study=folder,
        registry=folder / "registry.yaml",
        folder=folder,
        generators=(_task(folder, "g1", code=1), _task(folder, "g2")),
        cells=(_task(folder, "c1"), _task(folder, "c2", "c3"), _task(folder, "c4", code=1)),
        environment={"BENCHMARKER_CHECKED": "variables"},
    )
    with check.made.connected():
        check.all_tasks(work)
        if not check.made.stays:
            check.cancelling(folder)


def _task(folder: Path, *keys: str, seconds: float = _SHORT_SECONDS, code: int = 0) -> RunTask:
    words = (str(folder), ",".join(keys), str(seconds), str(code))
    return RunTask(keys=keys, command=(sys.executable, "-c", _TASK, *words))


class _ExecutorCheck:
    """The executor under test."""

    def __init__(self, executor: Executor, made: TaskExecutor, patience: float) -> None:
        self.executor = executor
        self.made = made
        self._patience = patience

    def require(self, kept: bool, complaint: str) -> None:
        """Raise PluginError with the complaint unless a part of the contract is kept."""
        if not kept:
            raise PluginError(f"executor {self.executor.name!r} ({self.executor.executor}) {complaint}")

    def all_tasks(self, work: Work) -> None:
        """Check what is left after all tasks have ended."""
        jobs: list[BatchJob] = []
        errors = self.made.submit(work, jobs.append)
        self.await_end(jobs)
        if self.made.stays:
            self.require(errors == 2, f"must return the number of tasks that failed, 2. Received: {errors!r}")
        expected = [task.keys for _, tasks in work.groups for task in tasks]
        reported = [keys for job in jobs for keys in job.tasks]
        self.require(reported == expected, f"must report jobs with the tasks {expected}. Received: {reported}")
        lines = (work.folder / "order.txt").read_text().split("\n")[:-1]
        names = [",".join(keys) for keys in expected]
        right = sorted(lines) == sorted(f"{word} {name}" for word in ("begins", "ends") for name in names)
        self.require(right, f"must run each task once. Received: {', '.join(lines)}")
        last = max(lines.index("ends g1"), lines.index("ends g2"))
        first = min(lines.index(f"begins {name}") for name in names if name.startswith("c"))
        self.require(last < first, f"must begin cells after all generators have ended. Received: {', '.join(lines)}")
        for job in jobs:
            for index, keys in enumerate(job.tasks, start=1):
                log = job.log(index)
                found = log.read_text() if log.is_file() else ""
                words = f"output of {','.join(keys)} with "
                self.require(words in found, f"must write the output of a task to {log}")
                self.require(f"{words}variables\n" in found, "must set the variables of work.environment")

    def cancelling(self, folder: Path) -> None:
        """Check that a task can be cancelled."""
        place = folder / "cancelled"
        place.mkdir()
        task = _task(place, "long", seconds=_LONG_SECONDS)
        work = Work(study=folder, registry=folder / "registry.yaml", folder=place, cells=(task,))
        jobs: list[BatchJob] = []
        self.made.submit(work, jobs.append)
        state = self.made.states(jobs).get((jobs[0].number, 1))
        self.require(state is not None, "must give the state of a task that has not ended")
        cancelled = self.made.cancel(jobs)
        self.require(cancelled == 1, f"must return the number of cancelled tasks, 1. Received: {cancelled!r}")
        self.await_end(jobs)

    def await_end(self, jobs: list[BatchJob]) -> None:
        """Wait until no task of some jobs is queued or running."""
        until = time.monotonic() + self._patience
        while not self.made.stays and self.made.states(jobs):
            self.require(time.monotonic() < until, f"still has tasks after {self._patience:g} s")
            time.sleep(_ASK_SECONDS)
