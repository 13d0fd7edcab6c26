"""Synthetic images keep the shares of classes, are drawn in constant memory, and are the same for every network."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pytest

from benchmarker import backends
from benchmarker.contracts.generation import ConditionSpace
from benchmarker.contracts.tasks import Regression, RegressionTarget
from benchmarker.errors import ConfigurationError, DataError, GpuError, PluginError, StorageError
from benchmarker.generation import drawing, synthetic
from benchmarker.generation.conditions import bootstrap, encode, fit_conditions, shares
from benchmarker.generation.drawing import (
    IMAGES_FILE,
    REQUEST_FILE,
    Drawer,
    DrawingJob,
    Request,
    StreamChoice,
    draw_in_process,
)
from benchmarker.generation.job import train_generator
from benchmarker.generation.model import SAMPLE_BATCH, Sampler, load_weights
from benchmarker.generation.run_files import GeneratorTrail
from benchmarker.generation.synthetic import MixedSet, Mixture, with_generated
from benchmarker.randomness import Stream
from benchmarker.study.specs import GeneratedSpec
from benchmarker.training.sets import PartSet
from tests.generation.conftest import SEED, Edited, MakeJob, make_images
from tests.study.material import cell_spec, some_fingerprint

FINGERPRINT = some_fingerprint(lenet="somebody 1.0")


def generated(**amount: Any) -> GeneratedSpec:
    return GeneratedSpec(generator="0" * 64, configuration="0" * 64, **amount)


def test_each_batch_of_samples_has_its_own_latent_points() -> None:
    class Echo:
        def noise(self, rng: Any, n: int) -> Any:
            return rng.random((n, 1), dtype=np.float32)

        def sample(self, noise: Any, _conditions: Any) -> Any:
            return noise[:, None, None, :]

    model: Any = Echo()
    drawn = np.concatenate(
        list(Sampler(model, (1, 1, 1))(np.zeros((2 * SAMPLE_BATCH + 3, 0), np.float32), Stream("test")))
    )
    assert len(np.unique(drawn)) == 2 * SAMPLE_BATCH + 3


@pytest.fixture
def real() -> PartSet:
    images = make_images(72)
    return PartSet(images, np.arange(0, 72, 2))  # 24 left, 12 right


@pytest.mark.parametrize(
    ("mixture", "counts"),
    [
        (Mixture(ratio=0.5), [12, 6]),
        (Mixture(ratio=2), [48, 24]),
        (Mixture(ratio=0.25), [6, 3]),
        (Mixture(ratio=0.3), [7, 4]),  # eleven in all: the larger remainder gets the odd one
        (Mixture(balance=True), [0, 12]),
        (Mixture(ratio=1, real=False), [24, 12]),
    ],
)
def test_classes_keep_their_shares_or_become_equal(real: PartSet, mixture: Mixture, counts: list[int]) -> None:
    assert mixture.counts(real.task, real.targets) == counts


def test_shares_add_up() -> None:
    assert shares([3, 3, 3], 10) == [4, 3, 3]
    assert shares([1, 0, 5], 3) == [1, 0, 2]
    for total in range(40):
        assert sum(shares([7, 11, 13, 2], total)) == total


def test_arm_without_any_image_is_refused(real: PartSet) -> None:
    with pytest.raises(ConfigurationError, match="raise its ratio"):
        Mixture(ratio=0.001, real=False).counts(real.task, real.targets)
    target = Regression(targets=(RegressionTarget(name="z", unit="", minimum=0, maximum=1),))
    with pytest.raises(ConfigurationError, match="only classes can be balanced"):
        Mixture(balance=True).counts(target, np.zeros((4, 1)))


def test_rows_are_drawn_from_their_class(real: PartSet) -> None:
    rows = bootstrap(real.task, real.targets, [5, 40], Stream("rows"))
    assert real.targets[rows].tolist() == [0] * 5 + [1] * 40
    assert 6 < len(set(rows[5:].tolist())) <= 12  # with replacement


def test_conditions_are_standardised_over_the_training_part(real: PartSet) -> None:
    space = fit_conditions(["flux", "class"], real, {"flux": "Jy"})
    encoded = encode(space, real)
    assert space == ConditionSpace(
        classes=("left", "right"),
        attributes=("flux",),
        units=("Jy",),
        means=(float(real.attributes["flux"].mean()),),
        deviations=(float(real.attributes["flux"].std()),),
    )
    assert encoded[:, :2].argmax(axis=1).tolist() == real.targets.tolist()
    assert encoded[:, 2].mean() == pytest.approx(0, abs=1e-6)
    assert encoded[:, 2].std() == pytest.approx(1, abs=1e-5)
    assert encode(fit_conditions([], real, {}), real).shape == (36, 0)
    with pytest.raises(ConfigurationError, match="these images have no condition 'mass'; known are: class, flux"):
        fit_conditions(["mass"], real, {})
    real.attributes["flux"][3] = np.nan
    with pytest.raises(DataError, match="'flux' is unknown for some images"):
        fit_conditions(["flux"], real, {})


def test_targets_of_a_regression_are_conditions() -> None:
    images = make_images(12)
    task = Regression(targets=(RegressionTarget(name="redshift", unit="", minimum=0, maximum=2),))
    redshifts = np.linspace(0, 2, 12)[:, None]
    part = PartSet(dataclasses.replace(images, task=task, targets=redshifts), np.arange(12))
    space = fit_conditions(["redshift", "flux"], part, {"flux": "Jy"})
    assert space.units == ("", "Jy")
    assert np.argsort(encode(space, part)[:, 0]).tolist() == list(range(12))
    with pytest.raises(ConfigurationError, match="a regression have no class; its targets are: redshift"):
        fit_conditions(["class"], part, {})


class Numbered:
    """A training set whose images hold their numbers."""

    def __init__(self, real: PartSet, first: int, n: int) -> None:
        self.task, self.image_shape = real.task, real.image_shape
        self.targets = np.arange(first, first + n)

    def __len__(self) -> int:
        return len(self.targets)

    def batch(self, indices: Any) -> Any:
        assert len(indices)
        return np.broadcast_to(self.targets[indices][:, None, None, None], (len(indices), *self.image_shape)).copy()


def test_mixed_set_is_one_set_after_the_other(real: PartSet) -> None:
    mixed = MixedSet(Numbered(real, 0, 5), Numbered(real, 100, 3))
    assert len(mixed) == 8
    wanted = np.array([7, 0, 5, 4, 0])
    assert mixed.batch(wanted)[:, 0, 0, 0].tolist() == [102, 0, 100, 4, 0]
    assert mixed.batch(wanted[1:2])[:, 0, 0, 0].tolist() == [0]
    assert mixed.targets.tolist() == [0, 1, 2, 3, 4, 100, 101, 102]
    assert mixed.batch(wanted).dtype == np.float32


@pytest.fixture(scope="module")
def trained(job: MakeJob, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a generator."""
    folder = tmp_path_factory.mktemp("run")
    train_generator(job(folder, epochs=2), lambda _event: None)
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of it, which may be damaged."""
    return Path(shutil.copytree(trained, tmp_path / "run"))


def test_samples_are_drawn_once_and_shared(
    run: Path, real: PartSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, edited: Edited
) -> None:
    """With another network of the arm and an arm without real images; not with an audit, and not after an edit."""
    folders: list[Path] = []

    def draw(
        run: Path,
        folder: Path,
        request: Request,
        shape: tuple[int, int, int],
        *,
        stream: StreamChoice,
        epoch: int | None,
    ) -> None:
        """Draw in this process, because another one takes seconds to start."""
        folders.append(folder)
        with (folder / REQUEST_FILE).open("wb") as file:
            request.save(file)
        drawing.draw(DrawingJob(run=run, folder=folder, shape=shape, stream=stream, epoch=epoch))

    monkeypatch.setattr(synthetic, "draw_in_process", draw)
    mixed = with_generated(real, generated(ratio=2), run, seed=SEED, fingerprint=FINGERPRINT)
    assert len(mixed) == 3 * 36
    everything = np.arange(len(mixed))
    assert np.array_equal(mixed.batch(everything[:36]), real.batch(everything[:36]))
    drawn = mixed.batch(everything[36:])
    assert np.isfinite(drawn).all()
    assert 0 <= drawn.min() < drawn.max() <= 1
    assert np.bincount(mixed.targets).tolist() == [72, 36]
    other = some_fingerprint(vgg="somebody 1.0")
    alone = with_generated(real, generated(ratio=2, real=False), run, seed=SEED, fingerprint=other)
    assert len(folders) == 1
    assert np.array_equal(alone.batch(everything[:72]), drawn)
    in_lanes = other.model_copy(update={"seeds_at_once": 4})
    with_generated(real, generated(ratio=2), run, seed=SEED, fingerprint=in_lanes)
    assert len(folders) == 1
    with_generated(real, generated(ratio=2), run, seed=SEED, fingerprint=other.model_copy(update={"threads": 2}))
    assert len(folders) == 2
    del folders[1:]
    again = with_generated(real, generated(ratio=2), run, seed=SEED, fingerprint=other, root=tmp_path / "audit")
    assert np.array_equal(again.batch(everything), mixed.batch(everything))
    assert len(folders) == 2
    assert folders[1].is_relative_to(tmp_path / "audit")
    with edited():
        with_generated(real, generated(ratio=2), run, seed=SEED, fingerprint=FINGERPRINT)
    assert len(folders) == 3
    earlier = with_generated(real, generated(ratio=2, real=False, epoch=1), run, seed=SEED, fingerprint=FINGERPRINT)
    assert len(folders) == 4
    assert not np.array_equal(earlier.batch(everything[:72]), drawn)
    pixels = folders[1].with_name(folders[1].name.partition(".")[0]) / IMAGES_FILE
    pixels.write_bytes(bytes(8) + pixels.read_bytes()[8:])
    with pytest.raises(StorageError, match="these samples are damaged"):
        with_generated(real, generated(ratio=2), run, seed=SEED, fingerprint=other, root=tmp_path / "audit")
    weights = run / "weights_epoch_0002.npz"
    with np.load(weights) as file:
        changed = {name: file[name] + 1 for name in file.files}
    np.savez(weights, allow_pickle=False, **changed)
    with pytest.raises(StorageError, match="holds weights that its trail does not cover"):
        with_generated(real, generated(ratio=2), run, seed=SEED, fingerprint=other, root=tmp_path / "other")


def test_generator_is_neither_trained_nor_drawn_from_on_the_processor_in_place_of_a_gpu(
    job: MakeJob, run: Path, real: PartSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fallen_back = SimpleNamespace(configure=lambda *_: None, misses_gpu=lambda: True)
    monkeypatch.setattr(backends, "load", lambda _: fallen_back)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-1111-aa")
    request = Request(targets=real.targets, attributes=real.attributes)
    with pytest.raises(GpuError, match="tensorflow cannot use GPU GPU-1111-aa"):
        Drawer.open(run, request, real.image_shape, None)
    with pytest.raises(GpuError, match="tensorflow cannot use GPU GPU-1111-aa"):
        train_generator(job(tmp_path / "run"), lambda _: None)


def test_balancing_nothing_leaves_the_real_images(run: Path, real: PartSet) -> None:
    left = PartSet(make_images(72), np.arange(0, 72, 3))  # one class
    assert with_generated(left, generated(balance=True), run, seed=SEED, fingerprint=FINGERPRINT) is left
    assert len(real) == 36


def test_images_without_a_label_are_refused(run: Path, real: PartSet) -> None:
    trail = json.loads((run / "trail.json").read_text())
    next(link["content"] for link in trail["links"] if link["name"] == "cell")["spec"]["conditions"] = []
    (run / "trail.json").write_text(json.dumps(trail))
    with pytest.raises(ConfigurationError, match="without conditions have no label"):
        with_generated(real, generated(ratio=1), run, seed=SEED, fingerprint=FINGERPRINT)


def test_error_of_the_drawing_process_is_raised_here(run: Path, real: PartSet, tmp_path: Path) -> None:
    request = Request(targets=real.targets, attributes=real.attributes)
    trail = json.loads((run / "trail.json").read_text())
    space = next(link["content"] for link in trail["links"] if link["name"] == "conditions")
    space |= {"attributes": ["mass"], "units": [""], "means": [0], "deviations": [1]}
    (run / "trail.json").write_text(json.dumps(trail))
    noise = StreamChoice(purpose="noise", axes={"seed": 1})
    with pytest.raises(DataError, match="the condition 'mass' is not among the attributes: flux"):
        draw_in_process(run, tmp_path, request, real.image_shape, stream=noise)
    space |= {"classes": 5}
    (run / "trail.json").write_text(json.dumps(trail))
    with pytest.raises(StorageError, match="the trail of a generator was expected there: classes"):
        draw_in_process(run, tmp_path, request, real.image_shape, stream=noise)


def test_drawing_process_that_dies_is_a_plugin_error(
    run: Path, real: PartSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Request(targets=real.targets, attributes=real.attributes)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(PluginError, match="ended with exit code 1; the output above says why"):
        draw_in_process(
            run, tmp_path, request, real.image_shape, stream=StreamChoice(purpose="noise", axes={"seed": 1})
        )


def test_trail_of_a_cell_is_not_that_of_a_generator(run: Path) -> None:
    trail = json.loads((run / "trail.json").read_text())
    trail["links"][0]["content"]["spec"] = cell_spec().to_json()
    (run / "trail.json").write_text(json.dumps(trail))
    with pytest.raises(StorageError, match="is not the run of a generator"):
        GeneratorTrail.read(run)


def test_damaged_weights_are_refused(run: Path) -> None:
    model: Any = SimpleNamespace(sampling_variables=[])
    path = run / "weights_epoch_0002.npz"
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"no archive"):
        path.write_bytes(damaged)
        with pytest.raises(StorageError, match=r"holds no weights of a generator \(.*\); .* with --force"):
            load_weights(model, path)


def test_weights_of_other_code_are_refused_before_any_is_set(run: Path) -> None:
    path = run / "weights_epoch_0002.npz"
    with np.load(path) as file:
        first, *others = (np.zeros_like(file[name]) for name in sorted(file.files))
    narrow = np.zeros((first.shape[0], 8), np.float32)
    for arrays, told in (
        ([first, *others, first], rf"\(it has {len(others) + 2} variables. Received: {len(others) + 1}\)"),
        ([narrow, *others], rf"\(variable 0 must have the shape \({first.shape[0]}, 8\). Received: "),
    ):
        variables = [keras.Variable(array + 1) for array in arrays]
        model: Any = SimpleNamespace(sampling_variables=variables)
        with pytest.raises(StorageError, match=told) as caught:
            load_weights(model, path)
        assert str(caught.value).startswith(f"{path}: these weights do not fit the generator as it is installed now")
        assert "--force" in str(caught.value)
        assert all((keras.ops.convert_to_numpy(variable) == 1).all() for variable in variables)
