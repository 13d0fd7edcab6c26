"""What a cell is trained and judged on: its parts, weights of classes, and an augmented validation part."""

from __future__ import annotations

import json
import sys
import types
from itertools import pairwise
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from benchmarker import Augmentation, Classification, LabelledImages, Training
from benchmarker.data.splits import Parts
from benchmarker.errors import DivergedError
from benchmarker.generation.synthetic import MixedSet
from benchmarker.run import cell, scoring
from benchmarker.run.cell_context import CellContext
from benchmarker.run.scoring import write_costs
from benchmarker.study.layout import COSTS_FILE, METRICS_FILE, Checkpoint
from benchmarker.study.runs import CellCosts
from benchmarker.study.specs import ArmSpec
from benchmarker.training.sets import AppliedAugmentation
from tests.study.material import cell_spec, some_fingerprint

TASK = Classification(classes=("faint", "bright"))


def _network(l2: float = 0.0) -> keras.Model:
    """A network that calls an image bright if its pixels are 1, and faint if they are 0."""
    dense = keras.layers.Dense(2, "softmax", kernel_initializer="zeros", kernel_regularizer=keras.regularizers.L2(l2))
    model = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.GlobalAveragePooling2D(), dense])
    dense.set_weights([np.array([[-4.0, 4.0]], np.float32), np.array([2.0, -2.0], np.float32)])
    return model


def _context(*parts: tuple[list[int], list[int]], applied: Any = (), **settings: Any) -> CellContext:
    """Return a cell whose parts have the given pixels and classes."""
    pixels = np.concatenate([each for each, _ in parts]).astype(np.float32)
    ends = np.cumsum([0, *(len(each) for each, _ in parts)])
    indices = [np.arange(start, stop) for start, stop in pairwise(ends)]
    n = len(pixels)
    data = LabelledImages(
        task=TASK,
        images=np.tile(pixels[:, None, None, None], (1, 2, 2, 1)),
        targets=np.concatenate([classes for _, classes in parts]),
        source_ids=tuple(map(str, range(n))),
        parts=(None,) * n,
        attributes={},
        skipped=(),
        digest="0" * 64,
    )
    arm = ArmSpec(augmentations=(), augment_validation=settings.pop("augment_validation", False))
    return CellContext(
        spec=cell_spec(arm=arm, training=Training(batch_size=4, threads=1, **settings)),
        data=data,
        parts=Parts(train=indices[0], validation=indices[1], test=indices[2], digest="1" * 64),
        applied=list(applied),
        model=_network(),
        digests={
            "data": "0" * 64,
            "split": "1" * 64,
            "initial_weights": "2" * 64,
            "best_weights": "3" * 64,
            "final_weights": "4" * 64,
        },
        fingerprint=some_fingerprint(),
    )


# Pixels and classes of each image.
RIGHT = ([0, 1, 0, 0], [0, 1, 0, 0])
HALF_RIGHT = ([0, 1, 0, 1], [0, 1, 1, 0])
ONE_CLASS = ([0, 0, 0, 0], [0, 1, 0, 0])


def _scores(context: CellContext, folder: Path) -> dict[str, Any]:
    scoring.test_checkpoints(context, folder, lambda _event: None, {"best": 1}, lambda _checkpoint: None)
    best: dict[str, Any] = json.loads((folder / METRICS_FILE).read_text(encoding="utf-8"))["best"]
    return best


class _CapturedError(Exception):
    """Ends a cell where its training would begin."""


@pytest.fixture
def trained_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Return the batches that a cell would be trained and validated on."""

    def batches(context: CellContext) -> tuple[Any, Any]:
        found: dict[str, Any] = {}

        def capture(*_: Any, **given: Any) -> None:
            found.update(given)
            raise _CapturedError

        monkeypatch.setattr(cell, "fit", capture)
        with pytest.raises(_CapturedError):
            cell.train_cell(context, tmp_path, lambda _event: None)
        return found["train"], found["validation"]

    return batches


def test_ratios_compare_training_with_validation(tmp_path: Path) -> None:
    found = _scores(_context(RIGHT, HALF_RIGHT, ONE_CLASS), tmp_path)
    assert (found["train"]["accuracy"], found["validation"]["accuracy"], found["test"]["accuracy"]) == (1.0, 0.5, 0.75)
    assert found["ratios"]["accuracy"] == 2
    assert found["ratios"]["loss"] == found["train"]["loss"] / found["validation"]["loss"]


def test_loss_with_penalties_adds_what_training_minimises_too(tmp_path: Path) -> None:
    context = _context(RIGHT, HALF_RIGHT, ONE_CLASS)
    context.model = _network(l2=0.01)
    found = _scores(context, tmp_path)
    for part in ("train", "validation", "test"):
        assert found[part]["loss_with_penalties"] == pytest.approx(found[part]["loss"] + 0.01 * (4**2 + 4**2))
    assert found["ratios"]["loss_with_penalties"] == pytest.approx(
        found["train"]["loss_with_penalties"] / found["validation"]["loss_with_penalties"]
    )


def test_inference_is_timed_over_the_whole_test_part(tmp_path: Path) -> None:
    write_costs(_context(RIGHT, HALF_RIGHT, ([0, 1] * 150, [0, 1] * 150)), tmp_path, {})
    assert CellCosts.read(tmp_path / COSTS_FILE).inference_images == 300


def test_equal_weights_are_tested_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = _context(RIGHT, HALF_RIGHT, ONE_CLASS)
    predicted: list[int] = []
    predict = context.model.predict

    def counting(*given: Any, **named: Any) -> Any:
        predicted.append(1)
        return predict(*given, **named)

    monkeypatch.setattr(context.model, "predict", counting)
    found = {}
    for folder, final in ((tmp_path / "different", "4" * 64), (tmp_path / "equal", "3" * 64)):
        folder.mkdir()
        context.digests["final_weights"] = final
        epochs: dict[Checkpoint, int] = {"best": 3, "final": 5}
        scoring.test_checkpoints(context, folder, lambda _event: None, epochs, lambda _checkpoint: None)
        found[folder.name] = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert len(predicted) == 6 + 3  # each part, for each checkpoint
    assert found["equal"] == found["different"]
    metrics = json.loads(found["equal"][METRICS_FILE])
    assert (metrics["best"]["epoch"], metrics["final"]["epoch"]) == (3, 5)
    assert context.digests["predictions_final"] == context.digests["predictions_best"]


def test_collapse_is_judged_on_the_validation_part(tmp_path: Path) -> None:
    assert "collapsed" not in _scores(_context(RIGHT, HALF_RIGHT, ONE_CLASS, collapse="fail"), tmp_path)
    assert _scores(_context(RIGHT, ONE_CLASS, HALF_RIGHT), tmp_path)["collapsed"] == "faint"
    with pytest.raises(DivergedError, match="every validation image faint"):
        _scores(_context(RIGHT, ONE_CLASS, HALF_RIGHT, collapse="fail"), tmp_path)


def test_balanced_class_weights_reach_the_batches(trained_on: Any) -> None:
    train, _ = trained_on(_context(RIGHT, HALF_RIGHT, ONE_CLASS, class_weights="balanced"))
    _, classes, weights = train[0]
    assert weights == pytest.approx(np.where(classes[:, 1] == 1, 4 / (2 * 1), 4 / (2 * 3)))


def test_images_have_no_weights_by_default(trained_on: Any) -> None:
    train, _ = trained_on(_context(RIGHT, HALF_RIGHT, ONE_CLASS))
    assert len(train[0]) == 2


@pytest.mark.parametrize(("augmented", "batches"), [(True, 2), (False, 1)])
def test_validation_part_is_augmented_on_request(
    augmented: bool, batches: int, trained_on: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("doubling")
    vars(module)["double"] = lambda base, _options, _stream: MixedSet(base, base)
    monkeypatch.setitem(sys.modules, "doubling", module)
    double = Augmentation(name="double", kind="expansion", builder="doubling:double")
    applied = [AppliedAugmentation(augmentation=double, options=None)]
    train, validation = trained_on(
        _context(RIGHT, HALF_RIGHT, ONE_CLASS, applied=applied, augment_validation=augmented)
    )
    assert train.steps_per_epoch == 2
    assert len(validation) == batches
