"""Images that are new in every epoch: a function of seed and epoch, also where a training begins later or again."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarker.errors import ConfigurationError, PluginError, StorageError
from benchmarker.generation.drawing import Drawer
from benchmarker.generation.fresh import FreshSet
from benchmarker.generation.job import train_generator
from benchmarker.generation.run_files import read_link, weights_digest
from benchmarker.generation.synthetic import Mixture, noise_of, request_of
from benchmarker.randomness import Stream
from benchmarker.study.specs import GeneratedSpec
from benchmarker.training.batches import OrderedBatches
from benchmarker.training.sets import PartSet, RenewedSet
from tests.generation.conftest import SEED, MakeJob, make_images

ALONE = {"ratio": 1.0, "real": False}


@pytest.fixture(scope="module")
def run(job: MakeJob, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a generator with two epochs, both of which kept their weights."""
    folder = tmp_path_factory.mktemp("run")
    train_generator(job(folder, epochs=2), lambda _event: None)
    return folder


@pytest.fixture
def real() -> PartSet:
    return PartSet(make_images(72), np.arange(0, 72, 2))


def fresh_set(real: PartSet, run: Path, folder: Path, *, epochs: int = 3, amount: Any = ALONE) -> FreshSet:
    folder.mkdir()
    spec = GeneratedSpec(generator="0" * 64, configuration="0" * 64, fresh=True, **amount)
    return FreshSet(real, spec, run, seed=SEED, epochs=epochs, folder=folder)


def pixels(images: FreshSet, epoch: int) -> NDArray[np.float32]:
    return images.of_epoch(epoch).batch(np.arange(len(images)))


def test_images_are_new_in_every_epoch_and_the_same_for_a_resumed_training(
    real: PartSet, run: Path, tmp_path: Path
) -> None:
    with fresh_set(real, run, tmp_path / "whole", epochs=2) as images:
        assert isinstance(images, RenewedSet)
        assert images.targets.tolist() == real.targets.tolist()  # each row lends its conditions and its label once
        first, second = (pixels(images, epoch) for epoch in range(2))
        digests = [images.digest(epoch) for epoch in range(2)]
        assert np.isfinite(first).all()
        assert not (first == second).all(axis=(1, 2, 3)).any()
        assert digests[0] != digests[1]
        assert len(list((tmp_path / "whole").iterdir())) == 2  # the request, and the images of the last epoch
        batches = OrderedBatches(images, batch_size=5, epochs=2, order=Stream("order", seed=SEED), first_epoch=1)
        order = Stream("order", seed=SEED).child("epoch", epoch=1).generator().permutation(36)
        assert np.array_equal(batches[0][0], second[order[:5]])
        assert np.array_equal(batches[0][1].argmax(axis=1), real.targets[order[:5]])
        assert batches.digests(1)["generated"] == digests[1]
    assert list((tmp_path / "whole").iterdir()) == []
    # A resumed training begins with the second epoch.
    drawer = Drawer.open(run, request_of(real, np.arange(36)), real.image_shape, None)
    assert drawer.draw(noise_of(SEED).stream(epoch=1), tmp_path / "again") == digests[1]


@pytest.mark.long
def test_real_images_stay_and_an_epoch_of_the_generator_can_be_chosen(real: PartSet, run: Path, tmp_path: Path) -> None:
    with fresh_set(real, run, tmp_path / "mixed", epochs=1, amount={"ratio": 2.0, "epoch": 1}) as images:
        assert len(images) == 3 * 36
        found = pixels(images, 0)
        assert np.array_equal(found[:36], real.batch(np.arange(36)))
        assert np.bincount(images.targets).tolist() == [72, 36]
    link = read_link(run, 1)
    assert (link.epoch, link.weights) == (1, weights_digest(run / "weights_epoch_0001.npz"))
    assert read_link(run, 2) == read_link(run, None)
    assert read_link(run, None).to_json().keys() == {"key", "weights"}


def test_broken_ratios_draw_rows_and_whole_ones_take_all(real: PartSet) -> None:
    stream = Stream("generated", seed=SEED)
    whole = Mixture(ratio=2.0, real=False).rows(real.task, real.targets, stream, fresh=True)
    assert np.bincount(whole).tolist() == [2] * 36
    drawn = Mixture(ratio=1.0, real=False).rows(real.task, real.targets, stream)
    assert np.bincount(drawn, minlength=36).max() > 1
    broken = Mixture(ratio=0.5, real=False).rows(real.task, real.targets, stream, fresh=True)
    assert np.bincount(real.targets[broken]).tolist() == [12, 6]


@pytest.mark.long
def test_weights_that_are_missing_are_named(real: PartSet, run: Path, tmp_path: Path) -> None:
    with (
        fresh_set(real, run, tmp_path / "missing", amount={**ALONE, "epoch": 7}) as images,
        pytest.raises(StorageError, match=r"weights_epoch_0007\.npz"),
    ):
        images.of_epoch(0)


def test_process_that_dies_is_a_plugin_error(
    real: PartSet, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with (
        fresh_set(real, run, tmp_path / "dead") as images,
        pytest.raises(PluginError, match="ended with exit code 1"),
    ):
        images.of_epoch(0)
    assert list((tmp_path / "dead").iterdir()) == []


def test_images_without_a_label_are_refused(real: PartSet, run: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(run, tmp_path / "run"))
    trail = json.loads((copied / "trail.json").read_text())
    next(link["content"] for link in trail["links"] if link["name"] == "cell")["spec"]["conditions"] = []
    (copied / "trail.json").write_text(json.dumps(trail))
    with pytest.raises(ConfigurationError, match="have no label"):
        fresh_set(real, copied, tmp_path / "cell")
