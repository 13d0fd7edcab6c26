"""The fifth step: training over batch files, one file at a time, to be stopped and continued at any iteration.

An *iteration* is one pass over one batch file. The network sees the files of its training set in a random order, round
after round; its optimiser carries on from file to file. After each iteration the weights are saved, the metrics are
appended to ``..._evalDict.json`` and drawn into ``..._evalFig.jpg``. No more than one batch file is in memory.

The target is t = 2 (i - 45) / 45 - 1 with the inclination i in degrees, so an error of 1 is 22.5 degrees.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarker import (
    DataError,
    Regression,
    RegressionTarget,
    Stream,
    call_in_process,
    load_weights_file,
    open_npz,
)
from benchmarker_inclination.batch_files import Pool, read_test_pools
from benchmarker_inclination.members import (
    History,
    Iteration,
    Member,
    PredictionJob,
    Schedule,
    TrainingJob,
    read_history,
    write_history,
)
from benchmarker_inclination.npz import read_arrays
from benchmarker_inclination.transforms import Recipe, transform

TASK = Regression(targets=(RegressionTarget(name="inclination", unit="deg", minimum=45.0, maximum=90.0),))

_FILE_ORDER_SEED = 50
_STATE = "state.npz"

Report = Callable[[str], None]


def file_order(number: int, n_batches: int, rounds: int) -> list[int]:
    """Return the batch file of each iteration, counted from 0.

    The first round is the original's. Its later rounds are alike in the training set 0; here every round is another
    permutation.

    Examples
    --------
    >>> file_order(0, 5, 1)[:2]
    [3, 2]
    """
    from sklearn.utils import check_random_state

    found: list[int] = []
    for k in range(rounds):
        seed = _FILE_ORDER_SEED if k == 0 else _FILE_ORDER_SEED * k * number if number else _FILE_ORDER_SEED + k
        found += [int(n) for n in check_random_state(seed).permutation(n_batches)]
    return found


def encode(inclination: NDArray[Any]) -> NDArray[np.float32]:
    """Return the network's target of inclinations in degrees."""
    return (2 * (np.asarray(inclination, dtype=np.float64) - 45) / 45 - 1).astype(np.float32)


def decode(output: NDArray[Any]) -> NDArray[np.float64]:
    """Return inclinations in degrees of a network's outputs, at most 90."""
    return np.minimum(22.5 * (np.asarray(output, dtype=np.float64) + 1) + 45, 90.0)


def held_out_images(samples: Path, size: int) -> Pool:
    """Return the images that all members are validated and tested on.

    The test part, transformed once with a fixed stream: all colour images, half of them turned to grey, and as many
    grey ones, half of them inverted.

    Parameters
    ----------
    samples : Path
        Folder of the parts.
    size : int
        Height and width of the images in pixels.
    """
    colour, grey = read_test_pools(samples, size)
    stream = Stream("inclination-validation", size=size)
    coloured = transform(colour.images, Recipe(colour=True, grey_share=0.5), stream.child("colour"))
    order = stream.child("grey/order").generator().permutation(len(grey))[: len(colour) or None]
    greys = transform([grey.images[k] for k in order], Recipe(colour=False), stream.child("grey"), numbers=list(order))
    greys = [np.uint8(255) - image if k < len(greys) // 2 else image for k, image in enumerate(greys)]
    images = [*coloured, *greys]
    return Pool(
        images=np.stack(images) if images else np.zeros((0, size, size, 3), np.uint8),
        labels=np.concatenate([colour.labels, grey.labels[order]]),
        pgc=np.concatenate([colour.pgc, grey.pgc[order]]),
        letters=np.concatenate([colour.letters, grey.letters[order]]),
    )


def train_member(
    member: Member, schedule: Schedule, *, batches: Path, samples: Path, models: Path, report: Report
) -> None:
    """Train a member to the end of its schedule, from its last iteration where there is one.

    Parameters
    ----------
    member, schedule : Member, Schedule
        What is trained and how.
    batches, samples, models : Path
        Folders of the batch files, of the parts, and of the results.
    report : callable
        Called with a sentence for each iteration.

    Raises
    ------
    DataError
        If a batch file is missing.
    """
    folder = member.folder(models)
    folder.mkdir(parents=True, exist_ok=True)
    order = file_order(member.number, schedule.n_batches, schedule.rounds)
    if _finished(folder / f"{member.stem}_evalDict.json") >= len(order):
        report(f"{member.stem}: {len(order)} iterations are done already")
        return
    paths = [batches / f"Uset_{member.number:03d}_npz" / _batch_name(schedule, number) for number in sorted(set(order))]
    if missing := [path for path in paths if not path.is_file()]:
        raise DataError(f"{missing[0]}: is missing; run `augment` with at least {schedule.n_batches} batch files")

    job = TrainingJob(
        member=member,
        schedule=schedule,
        batches=batches.absolute(),
        samples=samples.absolute(),
        folder=folder.absolute(),
        order=tuple(order),
    )
    seed = Stream("inclination-backend", seed=schedule.seed).seed()
    call_in_process(
        "benchmarker_inclination.training:train_in_process",
        job.to_json(),
        threads=schedule.threads,
        seed=seed,
        listen=partial(_record_progress, member.stem, folder, len(order), report),
    )


def _record_progress(stem: str, folder: Path, planned: int, report: Report, emitted: Mapping[str, Any]) -> None:
    """Write and draw the history of a member after an iteration, and report the iteration."""
    history = read_history(emitted)
    if not history:
        return
    _write_json(folder / f"{stem}_evalDict.json", write_history(history))
    from benchmarker_inclination.figures import draw_learning

    draw_learning(history, folder / f"{stem}_evalFig.jpg")
    last = history[len(history) - 1]
    report(
        f"{stem}: iteration {len(history)}/{planned} ({last.batch_file}): "
        f"mae {22.5 * last.mae:.2f} deg, validation mae {22.5 * last.validation_mae:.2f} deg"
    )


def _batch_name(schedule: Schedule, number: int) -> str:
    return f"{schedule.size}x{schedule.size}_train_aug_{number + 1:02d}.npz"


def _finished(path: Path) -> int:
    """Return how many iterations are done and written down."""
    try:
        return len(read_history(json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError):  # also of JSON that is no history
        return 0


def build(member: Member, schedule: Schedule) -> Any:
    """Return the compiled network of a member."""
    import keras

    from benchmarker_inclination import networks

    seed = Stream("inclination-weights", seed=schedule.seed, model=member.model, set=member.number).seed()
    keras.utils.set_random_seed(seed)
    model = getattr(networks, member.model)((schedule.size, schedule.size, 3), TASK, seed)
    model.compile(optimizer=keras.optimizers.Adam(), loss="mse", metrics=["mse", "mae"], jit_compile=False)
    model.optimizer.build(model.trainable_variables)
    return model


def train_in_process(argument: Mapping[str, Any], emit: Callable[[Any], None]) -> None:
    """Train a member; called in a process of its own by `train_member`."""
    job = TrainingJob.model_validate(argument)
    schedule, folder = job.schedule, job.folder
    model = build(job.member, schedule)
    history = _restore(model, folder)
    emit(write_history(history))
    held_out = held_out_images(job.samples, schedule.size)
    for iteration in range(len(history), len(job.order)):
        number = job.order[iteration]
        name = _batch_name(schedule, number)
        path = job.batches / f"Uset_{job.member.number:03d}_npz" / name
        found = _iterate(model, path, held_out, schedule, Stream("inclination-order", seed=schedule.seed, i=iteration))
        history[iteration] = Iteration.model_validate({**found, "batchNo": number, "batchFile": name})
        model.save_weights(folder / f"{iteration}.ckpt.weights.h5")
        _save(model, folder, history)
        emit(write_history(history))


def _iterate(model: Any, path: Path, held_out: Pool, schedule: Schedule, order: Stream) -> dict[str, float]:
    images, labels = read_arrays(path, "images", "labels")
    permutation = order.generator().permutation(len(labels))
    found = model.fit(
        _batches(images, encode(labels), permutation, schedule.batch_size),
        validation_data=_batches(
            held_out.images, encode(held_out.labels), np.arange(len(held_out)), schedule.batch_size
        ),
        epochs=1,
        shuffle=False,
        verbose=0,
    )
    names = ("loss", "mse", "mae", "val_loss", "val_mse", "val_mae")
    return {name: float(found.history[name][-1]) for name in names}


def _batches(images: NDArray[np.uint8], targets: NDArray[np.float32], order: NDArray[np.int64], batch_size: int) -> Any:
    return _batches_class()(images, targets, order, batch_size)


# Made once: a class is part of a reference cycle, so one made for each file would keep its images until the next
# garbage collection, and memory would grow with the number of files.
@cache
def _batches_class() -> Any:
    import keras

    class Batches(keras.utils.PyDataset):  # type: ignore[misc]
        """Images of a file in a given order, scaled to [0, 1]."""

        def __init__(
            self, images: NDArray[np.uint8], targets: NDArray[np.float32], order: NDArray[np.int64], batch_size: int
        ) -> None:
            super().__init__()
            self._images, self._targets, self._order, self._size = images, targets, order, batch_size

        def __len__(self) -> int:
            return math.ceil(len(self._order) / self._size)

        def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            chosen = self._order[index * self._size : (index + 1) * self._size]
            return self._images[chosen].astype(np.float32) / np.float32(255), self._targets[chosen][:, None]

    return Batches


def _save(model: Any, folder: Path, history: History) -> None:
    """Save everything that the next iteration depends on, so that it finds the old state or the new one."""
    variables = [*model.variables, *model.optimizer.variables]
    arrays: dict[str, Any] = {f"v{k:04d}": np.asarray(variable) for k, variable in enumerate(variables)}
    aside = folder / f".{_STATE}.partial"
    with aside.open("wb") as stream:
        np.savez(stream, allow_pickle=False, history=np.array(json.dumps(write_history(history))), **arrays)
        stream.flush()
        os.fsync(stream.fileno())
    aside.replace(folder / _STATE)


def _restore(model: Any, folder: Path) -> History:
    path = folder / _STATE
    if not path.is_file():
        return {}
    variables = [*model.variables, *model.optimizer.variables]
    with open_npz(path) as archive:
        saved = [archive[name] for name in sorted(archive) if name != "history"]
        if [array.shape for array in saved] != [tuple(variable.shape) for variable in variables]:
            raise DataError(f"{path}: belongs to another network; remove the folder to begin anew")
        for variable, array in zip(variables, saved, strict=True):
            variable.assign(array)
        return read_history(json.loads(str(archive["history"])))


def predict_member(
    member: Member, schedule: Schedule, *, samples: Path, models: Path, iteration: int | None = None
) -> NDArray[np.float64]:
    """Return a member's inclinations in degrees of the held-out images, ndarray of shape (n,).

    Parameters
    ----------
    member, schedule, samples, models
        As for `train_member`.
    iteration : int, optional
        Iteration, counted from 0, whose weights are used; the last one by default.

    Raises
    ------
    DataError
        If these weights are not there.
    """
    folder = member.folder(models)
    kept = sorted(int(path.name.split(".", 1)[0]) for path in folder.glob("*.ckpt.weights.h5"))
    chosen = kept[-1] if iteration is None and kept else iteration
    if chosen is None or chosen not in kept:
        raise DataError(
            f"{folder}: holds no weights of iteration {'any' if chosen is None else chosen}; run `train` first"
        )
    weights = (folder / f"{chosen}.ckpt.weights.h5").absolute()
    job = PredictionJob(member=member, schedule=schedule, samples=samples.absolute(), weights=weights)
    reference = "benchmarker_inclination.training:predict_in_process"
    return np.array(call_in_process(reference, job.to_json(), threads=schedule.threads, seed=schedule.seed))


def predict_in_process(argument: Mapping[str, Any], _emit: Callable[[Any], None]) -> list[float]:
    """Return the inclinations of the held-out images; called in a process of its own by `predict_member`."""
    job = PredictionJob.model_validate(argument)
    model = build(job.member, job.schedule)
    load_weights_file(model, job.weights)
    held_out = held_out_images(job.samples, job.schedule.size)
    order = np.arange(len(held_out))
    outputs = model.predict(
        _batches(held_out.images, encode(held_out.labels), order, job.schedule.batch_size), verbose=0
    )
    return [float(value) for value in decode(np.asarray(outputs)[:, 0])]


def _write_json(path: Path, value: Any) -> None:
    aside = path.with_name(f".{path.name}.partial")
    aside.write_text(json.dumps(value), encoding="utf-8")
    aside.replace(path)
