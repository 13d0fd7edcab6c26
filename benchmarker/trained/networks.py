"""Trained networks of a study: found by name, and loaded with the weights that their trail covers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarker.contracts.tasks import Task
from benchmarker.discovery import installed
from benchmarker.errors import ConfigurationError, DataError, StorageError
from benchmarker.registry import validated_options
from benchmarker.results.study import CellRecord, Study, read_study
from benchmarker.study.layout import Checkpoint, weights_file
from benchmarker.study.plan import PlannedCell
from benchmarker.study.runs import FinishedManifest
from benchmarker.study.selectors import select_runs
from benchmarker.training.build import build_model

if TYPE_CHECKING:
    import keras
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedNetwork:
    """The finished run of a network.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    cell : PlannedCell
        Cell of the plan, with everything that may change its result.
    checkpoint : {"best", "final"}
        Weights to use: those of the lowest validation loss, or of the last epoch.
    task : Task
        What the network predicts.
    shape : tuple of int
        Height, width and channels of an image, in pixels.
    digests : mapping of str to str
        SHA-256 of data, split, weights and predictions by name, as the run's manifest holds them.
    """

    folder: Path
    cell: PlannedCell
    checkpoint: Checkpoint
    task: Task
    shape: tuple[int, int, int]
    digests: Mapping[str, str]

    @property
    def key(self) -> str:
        """Digest of everything that may change the result of the run."""
        return self.cell.key

    @property
    def name(self) -> str:
        """Name that commands take, such as ``"convxpress/real/8901"``."""
        return self.cell.name

    @property
    def model(self) -> str:
        """Name of the network in tables."""
        return self.cell.model

    @property
    def arm(self) -> str:
        """Name of the arm in tables."""
        return self.cell.arm

    @property
    def seed(self) -> int:
        """Seed of every stream."""
        return self.cell.seed

    @property
    def backend(self) -> str:
        """Name of the backend of Keras that trained it."""
        return self.cell.spec.backend

    @property
    def threads(self) -> int:
        """Threads that one operation used in its training."""
        return self.cell.spec.threads

    @property
    def batch_size(self) -> int:
        """Images of a batch, in training and in tests."""
        return self.cell.spec.training.batch_size

    @property
    def weights(self) -> Path:
        """File of the weights."""
        return self.folder / weights_file(self.checkpoint)

    @property
    def weights_digest(self) -> str:
        """SHA-256 of the weights, as the trail of the run holds it."""
        return self.digests[f"{self.checkpoint}_weights"]


def trained_networks(
    study: Path, selector: str = "", *, seed: int | None = None, checkpoint: Checkpoint = "best"
) -> tuple[TrainedNetwork, ...]:
    """Return the finished networks of one configuration: one network in one arm, under one or more seeds.

    Parameters
    ----------
    study : Path
        Path of the study.
    selector : str
        Selector of the network; unnecessary if the study has one network in one arm.
    seed : int, optional
        Single seed; every finished one by default.
    checkpoint : {"best", "final"}
        Weights to use.

    Returns
    -------
    tuple of TrainedNetwork
        Networks in the order of the plan.

    Raises
    ------
    ConfigurationError
        If no network is meant, or several different ones.
    """
    opened = read_study(study)
    cells = select_runs(opened.cells, selector, where=str(study)) if selector else list(opened.cells)
    cells = [cell for cell in cells if cell.status == "ok" and seed in (None, cell.seed)]
    rows = list(dict.fromkeys(f"{cell.model}/{cell.arm}" for cell in cells))
    if not rows:
        known = ", ".join(cell.name for cell in opened.cells if cell.status == "ok") or "none"
        raise ConfigurationError(f"{study} has no such trained network; it has: {known}")
    if len(rows) > 1:
        raise ConfigurationError(f"{study} has several trained networks; choose one by --model: {', '.join(rows)}")
    return tuple(_network(opened, cell, checkpoint) for cell in cells)


def _network(study: Study, cell: CellRecord, checkpoint: Checkpoint) -> TrainedNetwork:
    manifest = cell.manifest
    if cell.folder is None or not isinstance(manifest, FinishedManifest):
        raise StorageError(f"{cell.path}: changed while it was read")
    network = TrainedNetwork(
        folder=cell.folder,
        cell=cell.planned(),
        checkpoint=checkpoint,
        task=study.task,
        shape=study.dataset.shape,
        digests=manifest.digests,
    )
    if not network.weights.is_file() or f"{checkpoint}_weights" not in manifest.digests:
        raise StorageError(
            f"{network.weights}: the weights of {cell.name} are missing; copy them from where it was trained, or run "
            "its study again with --force"
        )
    return network


def load_network(network: TrainedNetwork) -> keras.Model:
    """Build a network and load its weights; call this in a process of its backend, see `call_in_process`.

    Parameters
    ----------
    network : TrainedNetwork
        The network.

    Returns
    -------
    keras.Model
        The uncompiled network; `network_outputs` and `decode_outputs` give predictions.

    Raises
    ------
    StorageError
        If the weights are not those that the run wrote, or do not fit the network as it is installed now.
    """
    from benchmarker.data.hdf5 import load_weights_file
    from benchmarker.training.fit import digest_weights

    spec = network.cell.spec
    architecture = installed().architecture(spec.model.architecture)
    options = validated_options(architecture, spec.model.options)
    model = build_model(
        architecture, options, network.shape, network.task, seed=spec.seed, precision=spec.training.precision
    )
    try:
        load_weights_file(model, network.weights)
    except DataError as error:
        raise StorageError(str(error)) from error
    except (OSError, KeyError, ValueError) as error:
        raise StorageError(f"{network.weights}: holds no weights for {architecture.name}: {error}") from error
    if digest_weights(model) != network.weights_digest:
        raise StorageError(
            f"{network.weights}: holds other weights than the run wrote; restore the file, or run its study again with "
            "--force"
        )
    return model


def network_outputs(model: keras.Model, images: NDArray[np.float32], batch_size: int) -> list[NDArray[np.float32]]:
    """Return the outputs of a model, in batches as the tests of a run use them, so that the bits are the same.

    Parameters
    ----------
    model : keras.Model
        Network, or a model with several outputs.
    images : ndarray of shape (n, height, width, channels), float32
        Prepared images.
    batch_size : int
        Images of a batch; `TrainedNetwork.batch_size` gives the bits of the run.

    Returns
    -------
    list of ndarray of shape (n, ...), float32
        One array for each output of the model.

    Raises
    ------
    DivergedError
        If one of them is not a finite number.
    """
    import numpy as np

    from benchmarker.errors import DivergedError

    outputs = model.predict(images, batch_size=batch_size, verbose=0)
    found = [np.asarray(each, dtype=np.float32) for each in (outputs if isinstance(outputs, list) else [outputs])]
    if not all(np.isfinite(each).all() for each in found):
        raise DivergedError("the network predicts NaN or infinity; train it with a smaller learning rate")
    return found
