"""A generator's training that goes wrong ends as diverged at once, and a wrong model is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from benchmarker.contracts.generation import Batches, ConditionSpace
from benchmarker.errors import DivergedError, PluginError
from benchmarker.generation.training import Trainer
from benchmarker.trail import Trail
from benchmarker.training.sets import PartSet
from tests.generation.conftest import SIZE, make_images


class Scripted:
    """A model that learns nothing, and fails as a test asks."""

    batch_size = 8

    def __init__(self, *, bad_step: int = 0, spread: float = 1.0, shape: tuple[int, ...] = (SIZE, SIZE, 1)) -> None:
        self.steps = 0
        self.variables = self.sampling_variables = [keras.Variable(0.0, name="step")]
        self.batches = Batches()
        self._bad_step = bad_step
        self._spread = spread
        self._shape = shape

    def draw(self, rng: Any, n: int) -> dict[str, Any]:
        return {"noise": self.noise(rng, n)}

    def noise(self, rng: Any, n: int) -> Any:
        return rng.standard_normal((n, 1), dtype=np.float32)

    def train_step(self, images: Any, conditions: Any, draws: Mapping[str, Any]) -> dict[str, float]:
        assert images.shape == (self.batch_size, SIZE, SIZE, 1)
        assert len(conditions) == len(draws["noise"]) == self.batch_size
        self.steps += 1
        loss = float("nan") if self.steps == self._bad_step else 0.5
        return {"d_loss_real": 0.5, "d_loss_fake": 0.5, "g_loss": loss}

    def sample(self, noise: Any, conditions: Any) -> Any:
        assert len(conditions) == len(noise)
        return np.broadcast_to(0.5 + 0.1 * self._spread * noise[:, :, None, None], (len(noise), *self._shape))


def train(model: Any, folder: Path, epochs: int) -> None:
    images = make_images(60)
    Trainer(
        model=model,
        images=PartSet(images, np.arange(60)),
        conditions=ConditionSpace(classes=("left", "right")),
        pixel_range=(0.0, 1.0),
        seed=1,
        epochs=epochs,
        folder=folder,
        fingerprint="here",
        send=lambda _event: None,
        trail=Trail(),
    ).train()


def test_training_ends_at_a_loss_that_is_not_finite(tmp_path: Path) -> None:
    model = Scripted(bad_step=10)  # the third of the second epoch of seven steps
    with pytest.raises(DivergedError, match=r"g_loss is nan in step 3 of epoch 2"):
        train(model, tmp_path, 5)
    assert model.steps == 14
    assert (tmp_path / "losses.csv").read_text().splitlines()[10].startswith("2,3,")


def test_training_ends_when_images_are_all_alike(tmp_path: Path) -> None:
    model = Scripted(spread=0.001)
    with pytest.raises(DivergedError, match=r"the generator collapsed"):
        train(model, tmp_path, 72)
    assert model.steps == 72 * 7  # at the end of it
    train(Scripted(spread=1.0), tmp_path, 3)


def test_training_ends_at_pixels_that_are_not_finite(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match="NaN or infinity"):
        train(Scripted(spread=float("nan")), tmp_path, 2)


def test_samples_of_another_shape_are_a_plugin_error(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"must have the shape \(64, 16, 16, 1\)\. Received: \(64, 8, 8, 1\)"):
        train(Scripted(shape=(8, 8, 1)), tmp_path, 2)


@pytest.mark.parametrize(
    ("images", "batch_size", "batches", "taken"),
    [
        (1_866, 64, Batches(order="fixed"), (29, 1_856)),  # the conditional GAN never sees its last 10 images
        (23_194, 256, Batches(incomplete=True), (91, 23_194)),  # the radio GAN ends its epochs with 154
        (17_736, 128, Batches(order="drawn"), (138, 17_664)),  # the colour DCGAN draws with replacement
    ],
)
def test_published_gans_take_their_published_steps(
    images: int, batch_size: int, batches: Batches, taken: tuple[int, int], tmp_path: Path
) -> None:
    model = Scripted()
    model.batch_size, model.batches = batch_size, batches
    trainer = Trainer(
        model=model,
        images=PartSet(make_images(6), np.zeros(images, np.int64)),
        conditions=ConditionSpace(),
        pixel_range=(0.0, 1.0),
        seed=1,
        epochs=1,
        folder=tmp_path,
        fingerprint="",
        send=lambda _event: None,
        trail=Trail(),
    )
    assert (trainer.steps_per_epoch, trainer.images_per_epoch) == taken
    order = trainer._order(1)
    if batches.order == "fixed":
        assert order.tolist() == list(range(images))
    elif batches.order == "drawn":
        assert len(order) == trainer.images_per_epoch
        assert 0.6 < len(np.unique(order)) / images < 0.66  # with replacement, 1 - 1/e of them
    else:
        assert sorted(order.tolist()) == list(range(images))


def test_set_smaller_than_a_batch_is_one_batch(tmp_path: Path) -> None:
    model = Scripted()
    model.batch_size = 60
    train(model, tmp_path, 2)
    assert model.steps == 2
