"""Training: best and final weights, learning rate, early stopping, divergence."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarker import Classification, LabelledImages, Regression, RegressionTarget, Stream, Training
from benchmarker.contracts.settings import EarlyStopping, Plateau
from benchmarker.errors import DivergedError, PluginError
from benchmarker.trail import Trail
from benchmarker.training.batches import FixedBatches, OrderedBatches
from benchmarker.training.fit import Fitted, _schedule, compile_model, digest_weights, fit
from benchmarker.training.sets import PartSet, Transform
from benchmarker.training.snapshots import Snapshots

TASK = Classification(classes=("compact", "FRI"))
INCLINATION = Regression(targets=(RegressionTarget(name="inclination", unit="deg", minimum=45, maximum=90),))
N = 16


def _part(task: Classification | Regression = TASK, *, flipped: bool = False) -> PartSet:
    """Images that are bright for one class and dark for the other, with swapped labels if `flipped`."""
    classes = np.arange(N) % 2
    noise = Stream("test", n=N).generator().random((N, 4, 4, 1)) / 10
    images = (classes[:, None, None, None] + noise).astype(np.float32)
    labels = 1 - classes if flipped else classes
    data = LabelledImages(
        task=task,
        images=images,
        targets=labels if isinstance(task, Classification) else 45.0 + 45.0 * labels[:, None],
        source_ids=tuple(map(str, range(N))),
        parts=(None,) * N,
        attributes={},
        skipped=(),
        digest="",
    )
    return PartSet(data, np.arange(N))


def _network(*, task: Classification | Regression = TASK, hidden: bool = False) -> keras.Model:
    activation = "softmax" if isinstance(task, Classification) else "linear"
    layers = [keras.layers.Dense(4, "relu", kernel_initializer=keras.initializers.HeNormal(1))] if hidden else []
    last = keras.layers.Dense(task.n_outputs, activation, kernel_initializer=keras.initializers.GlorotUniform(2))
    return keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), *layers, last])


class Run:
    """A training of a tiny network, with everything that it reported."""

    def __init__(
        self,
        rate: float,
        epochs: int,
        *,
        training: Training | None = None,
        flipped: bool = False,
        hidden: bool = False,
        task: Classification | Regression = TASK,
        weights: NDArray[np.float32] | None = None,
        model: keras.Model | None = None,
        folder: Path | None = None,
    ) -> None:
        self.model = model or _network(task=task, hidden=hidden)
        self.reported: list[tuple[int, Mapping[str, float]]] = []
        self.kept: list[str] = []
        training = training or Training(batch_size=8, optimiser="sgd", plateau=None)
        compile_model(self.model, task, training, rate)
        snapshots = Snapshots(folder, "here") if folder else None
        resumed = snapshots.restore(self.model) if snapshots else None
        self.trail = Trail(resumed[1].trail if resumed else ())
        train = OrderedBatches(
            _part(task),
            batch_size=8,
            epochs=epochs,
            order=Stream("order", seed=1),
            weights=weights,
            first_epoch=resumed[1].epoch if resumed else 0,
        )
        started = time.perf_counter()
        self.fitted: Fitted = fit(
            self.model,
            training,
            epochs=epochs,
            train=train,
            validation=FixedBatches(_part(task, flipped=flipped), batch_size=8, targets=True),
            on_epoch=self._listen,
            trail=self.trail,
            snapshots=snapshots,
            resumed=resumed,
        )
        self.elapsed = time.perf_counter() - started

    def _listen(self, epoch: int, values: Mapping[str, float]) -> None:
        self.reported.append((epoch, values))
        self.kept.append(digest_weights(self.model))

    def column(self, name: str) -> list[float]:
        return [row[name] for row in self.fitted.progress.history]


def _digest(weights: Sequence[NDArray[Any]]) -> str:
    model = _network()
    model.set_weights(weights)
    return digest_weights(model)


@pytest.fixture(scope="module")
def learning() -> Run:
    return Run(0.1, 4)


@pytest.fixture(scope="module")
def unlearning() -> Run:
    """A training validated on swapped labels: the first epoch is the best."""
    return Run(0.1, 3, flipped=True)


def test_history_has_one_row_for_each_epoch(learning: Run) -> None:
    names = {"epoch", "learning_rate", "loss", "accuracy", "validation_loss", "validation_accuracy"}
    assert [set(row) for row in learning.fitted.progress.history] == [names] * 4
    assert learning.column("epoch") == [1, 2, 3, 4]
    assert learning.column("learning_rate") == pytest.approx([0.1] * 4)
    assert learning.column("loss") == sorted(learning.column("loss"), reverse=True)
    assert all(isinstance(value, float) for row in learning.fitted.progress.history for value in row.values())
    assert len(learning.fitted.progress.seconds) == 4
    assert sum(learning.fitted.progress.seconds) < learning.elapsed
    assert min(learning.fitted.progress.seconds) > 0
    assert int(learning.model.optimizer.iterations) == 4 * N // 8


def test_listener_receives_each_epoch_with_its_time(learning: Run) -> None:
    assert [epoch for epoch, _ in learning.reported] == [1, 2, 3, 4]
    rows = [
        {**row, "seconds": s}
        for row, s in zip(learning.fitted.progress.history, learning.fitted.progress.seconds, strict=True)
    ]
    assert [dict(values) for _, values in learning.reported] == rows


def test_best_epoch_has_the_lowest_validation_loss(learning: Run, unlearning: Run) -> None:
    for run, best in ((learning, 4), (unlearning, 1)):
        losses = run.column("validation_loss")
        assert losses.index(min(losses)) + 1 == best
        assert run.fitted.progress.best_epoch == best
        assert _digest(run.fitted.best) == run.kept[best - 1]
        assert _digest(run.fitted.final) == run.kept[-1]
    assert _digest(unlearning.fitted.best) != _digest(unlearning.fitted.final)


def test_validation_loss_is_that_of_the_weights_after_the_epoch(learning: Run) -> None:
    model = _network()
    compile_model(model, TASK, Training(), 0.1)
    model.set_weights(learning.fitted.best)
    loss = model.evaluate(FixedBatches(_part(), batch_size=8, targets=True), verbose=0)[0]
    assert loss == pytest.approx(min(learning.column("validation_loss")), rel=1e-5)


@pytest.mark.filterwarnings("ignore:overflow")
def test_training_ends_when_the_loss_is_not_finite() -> None:
    with pytest.raises(DivergedError, match=r"loss is nan in epoch \d; try a smaller learning rate"):
        Run(1e30, 3, hidden=True)
    assert DivergedError.kind == "diverged"


def test_plateau_lowers_the_rate_down_to_its_floor() -> None:
    plateau = Plateau(patience=1, minimum_delta=0.01, factor=0.5, floor=0.03)
    run = Run(0.1, 5, training=Training(batch_size=8, optimiser="sgd", plateau=plateau), flipped=True)
    assert run.column("learning_rate") == pytest.approx([0.1, 0.1, 0.05, 0.03, 0.03])


def test_plateau_ignores_improvements_below_the_minimum() -> None:
    plateau = Plateau(patience=1, minimum_delta=10.0, factor=0.5)
    run = Run(0.1, 3, training=Training(batch_size=8, optimiser="sgd", plateau=plateau))
    assert run.column("learning_rate") == pytest.approx([0.1, 0.1, 0.05])
    losses = run.column("validation_loss")
    assert losses[2] < losses[1] < losses[0]


@pytest.mark.parametrize(("monitor", "epochs"), [("validation_loss", 3), ("training_loss", 6)])
def test_early_stopping_monitors_the_chosen_loss(monitor: Any, epochs: int) -> None:
    stopping = EarlyStopping(monitor=monitor, patience=2)
    training = Training(batch_size=8, optimiser="sgd", plateau=None, early_stopping=stopping)
    run = Run(0.1, 6, training=training, flipped=True)
    assert len(run.fitted.progress.history) == epochs
    assert _digest(run.fitted.final) == run.kept[-1]
    assert run.fitted.progress.best_epoch == 1


def test_regression_is_trained_on_the_mapped_range() -> None:
    run = Run(0.01, 2, task=INCLINATION)
    assert {"absolute_error", "validation_absolute_error"} < set(run.fitted.progress.history[0])
    outputs = run.model.predict(FixedBatches(_part(INCLINATION), batch_size=N, targets=False), verbose=0)
    targets = np.where(np.arange(N)[:, None] % 2, 1.0, -1.0)
    assert run.column("validation_loss")[-1] == pytest.approx(float(((outputs - targets) ** 2).mean()), rel=1e-4)


def test_sample_weights_change_the_training() -> None:
    only_first = np.where(np.arange(N) % 2, 0.0, 2.0).astype(np.float32)
    run = Run(0.5, 2, weights=only_first)
    predicted = run.model.predict(FixedBatches(_part(), batch_size=N, targets=False), verbose=0).argmax(axis=1)
    assert predicted.tolist() == [0] * N


@pytest.mark.parametrize(
    ("name", "kind"), [("adam", "Adam"), ("sgd", "SGD"), ("rmsprop", "RMSprop"), ("adamw", "AdamW")]
)
def test_optimiser_has_the_learning_rate_of_the_registry(name: Any, kind: str) -> None:
    model = _network()
    compile_model(model, TASK, Training(optimiser=name), 0.25)
    assert type(model.optimizer).__name__ == kind
    assert float(model.optimizer.learning_rate) == 0.25
    assert model.jit_compile is False
    assert type(model.loss).__name__ == "CategoricalCrossentropy"


def test_weights_digest_depends_on_every_weight() -> None:
    model = _network(hidden=True)
    digests = {digest_weights(model)}
    for k, weight in enumerate(model.get_weights()):
        changed = model.get_weights()
        changed[k] = np.nextafter(weight, np.float32(9))
        model.set_weights(changed)
        digests.add(digest_weights(model))
    assert len(digests) == 5


def test_validation_loss_falls_from_epoch_to_epoch(learning: Run) -> None:
    assert all(later < earlier for earlier, later in pairwise(learning.column("validation_loss")))


def test_mixed_precision_keeps_weights_in_float32() -> None:
    start = keras.initializers.GlorotUniform
    hidden = keras.layers.Dense(8, "relu", kernel_initializer=start(1), dtype="mixed_bfloat16")
    last = keras.layers.Dense(2, "softmax", kernel_initializer=start(2), dtype="float32")
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten(), hidden, last])
    found = Run(0.1, 3, model=model)
    assert hidden.compute_dtype == "bfloat16"
    assert {weight.dtype for weight in found.fitted.final} == {np.dtype("float32")}
    assert found.column("loss")[-1] < found.column("loss")[0]


def _failing_transform() -> Transform:
    def blank(images: Any, _draws: Any, _options: Any) -> Any:
        return images * np.float32(np.nan)

    return Transform(name="blank", function=blank, options=None, draws_per_image=0, stream=Stream("test"))


def test_failure_of_a_transform_is_not_hidden_by_the_backend() -> None:
    model, training = _network(), Training(batch_size=8, optimiser="sgd", plateau=None)
    compile_model(model, TASK, training, 0.1)
    train = OrderedBatches(
        _part(), batch_size=8, epochs=1, order=Stream("order", seed=1), transforms=[_failing_transform()]
    )
    with pytest.raises(PluginError, match="the transform 'blank' must return finite pixels"):
        fit(model, training, epochs=1, train=train, validation=FixedBatches(_part(), batch_size=8, targets=True))


def test_validation_loss_that_is_no_number_ends_the_training() -> None:
    class Broken(FixedBatches):
        def make(self, index: int) -> Any:
            images, targets = super().make(index)
            return images * np.float32(np.nan), targets

    model, training = _network(), Training(batch_size=8, optimiser="sgd", plateau=None)
    compile_model(model, TASK, training, 0.1)
    train = OrderedBatches(_part(), batch_size=8, epochs=1, order=Stream("order", seed=1))
    with pytest.raises(DivergedError, match="the validation loss is nan in epoch 1"):
        fit(model, training, epochs=1, train=train, validation=Broken(_part(), batch_size=8, targets=True))


def test_first_of_equally_good_epochs_is_the_best() -> None:
    run = Run(0.0, 3)  # nothing is learnt
    assert len(set(run.column("validation_loss"))) == 1
    assert run.fitted.progress.best_epoch == 1


def test_early_stopping_ignores_improvements_below_the_minimum() -> None:
    stopping = EarlyStopping(patience=2, minimum_delta=10.0)
    run = Run(0.1, 6, training=Training(batch_size=8, optimiser="sgd", plateau=None, early_stopping=stopping))
    losses = run.column("validation_loss")
    assert losses == sorted(losses, reverse=True)
    assert len(losses) == 3


class _Told:
    """A model whose validation losses are given to the callbacks of a training, without training anything."""

    def __init__(self, training: Training, losses: list[float]) -> None:
        self.stop_training, self.optimizer = False, keras.optimizers.Adam(1e-3)
        self.rates: list[float] = []
        schedule = _schedule(training)
        for callback in schedule:
            callback.set_model(self)
            callback.on_train_begin()
        for epoch, loss in enumerate(losses):
            for callback in schedule:
                callback.on_epoch_end(epoch, {"val_loss": loss, "loss": loss})
            self.rates.append(float(self.optimizer.learning_rate))


@pytest.mark.parametrize(("step", "stops"), [(0.009, True), (0.011, False)])
def test_early_stopping_of_the_radio_framework_needs_an_improvement_of_a_hundredth(step: float, stops: bool) -> None:
    """It must improve on the best loss so far by 0.01, of which 0.009 twice falls short only the first time."""
    stopping = EarlyStopping(patience=1, minimum_delta=0.01)
    assert _Told(Training(plateau=None, early_stopping=stopping), [1.0, 1.0 - step]).stop_training is stops
    patient = EarlyStopping(patience=2, minimum_delta=0.01)
    assert not _Told(Training(plateau=None, early_stopping=patient), [1.0, 1.0 - step, 1.0 - 2 * step]).stop_training


def test_default_plateau_is_that_of_the_radio_framework() -> None:
    """Half the rate after three epochs that improve the best loss by less than 0.01, but not below 1e-12."""
    assert _Told(Training(), [1.0, 0.991, 0.992, 0.991]).rates == pytest.approx([1e-3, 1e-3, 1e-3, 5e-4])
    assert _Told(Training(), [1.0, 0.989, 0.978, 0.967]).rates == pytest.approx([1e-3] * 4)
    assert _Told(Training(), [1.0] * 120).rates[-1] == pytest.approx(1e-12)


# On swapped labels the first epoch is the best: the rate falls after the third, and training ends after the fourth.
IMPATIENT = Training(
    batch_size=8,
    optimiser="adam",
    plateau=Plateau(patience=2, minimum_delta=0.0),
    early_stopping=EarlyStopping(patience=3),
)


@pytest.fixture(scope="module")
def uninterrupted() -> Run:
    return Run(0.1, 8, training=IMPATIENT, flipped=True)


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_resumed_training_has_the_bits_of_an_uninterrupted_one(uninterrupted: Run, epochs: int, tmp_path: Path) -> None:
    assert uninterrupted.column("learning_rate") == pytest.approx([0.1, 0.1, 0.1, 0.05])
    Run(0.1, epochs, training=IMPATIENT, flipped=True, folder=tmp_path)
    resumed = Run(0.1, 8, training=IMPATIENT, flipped=True, folder=tmp_path)
    assert [epoch for epoch, _ in resumed.reported] == list(range(epochs + 1, 5))
    assert resumed.fitted.progress.history == uninterrupted.fitted.progress.history
    assert resumed.fitted.progress.best_epoch == 1
    assert _digest(resumed.fitted.best) == _digest(uninterrupted.fitted.best)
    assert _digest(resumed.fitted.final) == _digest(uninterrupted.fitted.final)
    assert resumed.trail.links == uninterrupted.trail.links
    assert [link.name for link in resumed.trail.links] == [f"epoch {epoch}" for epoch in range(1, 5)]
    assert [link.content["metrics"] for link in resumed.trail.links] == resumed.fitted.progress.history


def test_training_that_stopped_early_is_not_continued(uninterrupted: Run, tmp_path: Path) -> None:
    Run(0.1, 8, training=IMPATIENT, flipped=True, folder=tmp_path)
    again = Run(0.1, 8, training=IMPATIENT, flipped=True, folder=tmp_path)
    assert again.reported == []
    assert _digest(again.fitted.final) == _digest(uninterrupted.fitted.final)
    assert again.trail.links == uninterrupted.trail.links
