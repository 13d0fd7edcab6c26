"""Snapshots hold everything that the next epoch depends on, and survive a kill at any moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from benchmarker.trail import Link
from benchmarker.training.snapshots import KEPT, CallbackState, Progress, SnapshotFiles, Snapshots

PROGRESS = Progress(
    epoch=3,
    best_epoch=2,
    history=[{"epoch": 1.0, "loss": 1 / 3}],
    seconds=[0.1],
    callbacks={"EarlyStopping": {"wait": 3, "best": 0.25}},
    trail=[Link(name="epoch 1", content={"order": "0" * 64, "steps": 3, "loss": 1.0}, digest="1" * 64)],
)


def files(folder: Path, fingerprint: str = "here") -> SnapshotFiles[Progress]:
    return SnapshotFiles(folder, fingerprint, Progress)


def write(folder: Path, *numbers: int, fingerprint: str = "here") -> None:
    for number in numbers:
        groups = {"model": [np.full(2, number), np.array(number)], "best": []}
        files(folder, fingerprint).write(number, groups, Progress(epoch=number))


def newest_epoch(folder: Path, fingerprint: str = "here") -> int | None:
    found = files(folder, fingerprint).newest("model")
    return None if found is None else found[1].epoch


def test_snapshot_is_read_back_exactly(tmp_path: Path) -> None:
    arrays = [np.arange(12, dtype=np.float32).reshape(3, 4), np.array(7, dtype=np.uint32)]
    files(tmp_path).write(3, {"model": arrays, "optimiser": [], "best": arrays[:1]}, PROGRESS)
    found = files(tmp_path).newest("model", "optimiser", "best")
    assert found is not None
    groups, progress = found
    assert progress == PROGRESS
    assert type(progress.callbacks["EarlyStopping"]["wait"]) is int
    assert [len(groups[name]) for name in ("model", "optimiser", "best")] == [2, 0, 1]
    for array, expected in zip(groups["model"], arrays, strict=True):
        np.testing.assert_array_equal(array, expected, strict=True)


def test_only_the_newest_snapshots_are_kept(tmp_path: Path) -> None:
    write(tmp_path, 1, 2, 3, 4)
    assert len(list(tmp_path.iterdir())) == KEPT
    assert newest_epoch(tmp_path) == 4


def test_snapshot_of_another_environment_is_not_used(tmp_path: Path) -> None:
    write(tmp_path, 1)
    write(tmp_path, 2, fingerprint="elsewhere")
    assert newest_epoch(tmp_path) == 1
    assert newest_epoch(tmp_path, "nowhere") is None
    elsewhere = files(tmp_path, "nowhere")
    assert not elsewhere.discarded
    elsewhere.newest("model")
    assert elsewhere.discarded


@pytest.mark.parametrize("left", [0, 10, 300])
def test_damaged_snapshot_falls_back_to_the_one_before(tmp_path: Path, left: int) -> None:
    write(tmp_path, 1, 2)
    newest = max(tmp_path.iterdir())
    newest.write_bytes(newest.read_bytes()[:left])
    assert newest_epoch(tmp_path) == 1


def test_partial_snapshot_of_a_killed_process_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".snapshot-000001.npz.123.partial").write_bytes(b"half")
    assert newest_epoch(tmp_path) is None
    write(tmp_path, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["snapshot-000001.npz"]


def test_clear_removes_snapshots_only(tmp_path: Path) -> None:
    write(tmp_path, 1, 2)
    (tmp_path / ".snapshot-000003.npz.123.partial").touch()
    (tmp_path / "history.csv").touch()
    files(tmp_path).clear()
    assert [path.name for path in tmp_path.iterdir()] == ["history.csv"]


def network() -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5, seed=1), keras.layers.Dense(2)])
    model.compile("adam", "mse")
    return model


def test_restore_brings_back_weights_optimiser_and_random_state(tmp_path: Path) -> None:
    model, x, y = network(), np.ones((8, 4), np.float32), np.zeros((8, 2), np.float32)
    model.fit(x, y, verbose=0)
    snapshots = Snapshots(tmp_path, "here")
    snapshots.save(model, model.get_weights(), Progress(epoch=1))
    model.fit(x, y, verbose=0)
    other = network()
    restored = snapshots.restore(other)
    assert restored is not None
    assert restored[1].epoch == 1
    other.fit(x, y, verbose=0)
    for weight, expected in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_restore_without_a_snapshot_does_not_change_the_model(tmp_path: Path) -> None:
    model = network()
    before = model.get_weights()
    assert Snapshots(tmp_path, "here").restore(model) is None
    for weight, expected in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_callback_state_survives_between_two_trainings() -> None:
    stopping = keras.callbacks.EarlyStopping(monitor="loss", patience=5)
    stopping.on_train_begin()
    stopping.wait, stopping.best = 3, 0.25
    saved = CallbackState([stopping]).read()
    fresh: Any = keras.callbacks.EarlyStopping(monitor="loss", patience=5)
    fresh.on_train_begin()
    CallbackState([fresh], saved).on_train_begin()
    assert (fresh.wait, fresh.best) == (3, 0.25)


def test_progress_begins_with_nothing_done() -> None:
    progress = Progress()
    assert (progress.epoch, progress.best_epoch, progress.stopped) == (0, 0, False)
    assert (progress.history, progress.seconds, progress.callbacks, progress.trail) == ([], [], {}, [])


def test_discarded_is_about_the_last_search(tmp_path: Path) -> None:
    write(tmp_path, 1, fingerprint="elsewhere")
    found = files(tmp_path)
    assert found.newest("model") is None
    assert found.discarded
    found.clear()
    assert found.newest("model") is None
    assert not found.discarded


def test_groups_keep_the_order_of_many_arrays(tmp_path: Path) -> None:
    arrays = [np.array(k) for k in range(120)]
    files(tmp_path).write(1, {"model": arrays, "model2": [np.array(7)]}, Progress(epoch=1))
    found = files(tmp_path).newest("model")
    assert found is not None
    assert [int(array) for array in found[0]["model"]] == list(range(120))


def test_two_snapshots_are_kept_for_the_case_that_one_is_lost(tmp_path: Path) -> None:
    write(tmp_path, 1, 2, 3)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["snapshot-000002.npz", "snapshot-000003.npz"]


def test_state_of_callbacks_is_plain_and_finite() -> None:
    """Callbacks start with an infinite best value, for which JSON has no word, and count with numbers of numpy."""
    stopping = keras.callbacks.EarlyStopping(monitor="loss", mode="min", patience=5)
    plateau = keras.callbacks.ReduceLROnPlateau(monitor="loss", mode="min", patience=2)
    for callback in (stopping, plateau):
        callback.on_train_begin()
    fresh = CallbackState([stopping, plateau]).read()
    assert "best" not in fresh["EarlyStopping"]
    assert (fresh["EarlyStopping"]["wait"], fresh["ReduceLROnPlateau"]["cooldown_counter"]) == (0, 0)
    stopping.best, stopping.wait, plateau.cooldown_counter = np.float32(0.5), 2, 1
    state = CallbackState([stopping, plateau]).read()
    assert state["EarlyStopping"] | {"best": 0.5, "wait": 2} == state["EarlyStopping"]
    assert {type(value) for value in state["EarlyStopping"].values()} <= {int, float}
    assert state["ReduceLROnPlateau"]["cooldown_counter"] == 1


def test_snapshot_of_a_model_that_never_trained_is_restored(tmp_path: Path) -> None:
    model = network()
    model.optimizer.build(model.trainable_variables)
    snapshots = Snapshots(tmp_path, "here")
    snapshots.save(model, [], Progress(epoch=0))
    other = network()
    assert not other.optimizer.built
    restored = snapshots.restore(other)
    assert restored is not None
    assert restored[0] == []
    for weight, expected in zip(other.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)
