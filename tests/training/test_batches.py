"""Batches: their order, targets, transforms and weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarker import Classification, LabelledImages, Regression, RegressionTarget, Stream
from benchmarker.training.batches import (
    FixedBatches,
    OrderedBatches,
    balanced_weights,
    copies_together,
    decode_outputs,
    encode_targets,
)
from benchmarker.training.sets import PartSet, Transform

TASK = Classification(classes=("compact", "FRI", "FRII"))
ORBIT = Regression(
    targets=(
        RegressionTarget(name="inclination", unit="deg", minimum=45, maximum=90),
        RegressionTarget(name="redshift", unit="", minimum=-0.5, maximum=0.5),
    )
)
N = 10


def _numbered() -> PartSet:
    """Images that show their number: every pixel of image k is k, and its class is k modulo 3."""
    images = np.tile(np.arange(N, dtype=np.float32)[:, None, None, None], (1, 2, 2, 1))
    data = LabelledImages(
        task=TASK,
        images=images,
        targets=np.arange(N) % 3,
        source_ids=tuple(map(str, range(N))),
        parts=(None,) * N,
        attributes={},
        skipped=(),
        digest="",
    )
    return PartSet(data, np.arange(N))


def _batches(seed: int = 8901, epochs: int = 3, **more: Any) -> OrderedBatches:
    return OrderedBatches(_numbered(), batch_size=4, epochs=epochs, order=Stream("order", seed=seed), **more)


def _members(batch: Any) -> list[int]:
    return [int(value) for value in batch[0][:, 0, 0, 0]]


def _epochs(batches: OrderedBatches, epochs: int = 3) -> list[list[int]]:
    steps = batches.steps_per_epoch
    return [[k for step in range(steps) for k in _members(batches[e * steps + step])] for e in range(epochs)]


def test_epoch_holds_every_image_once() -> None:
    batches = _batches()
    assert batches.steps_per_epoch == 3
    assert len(batches) == 9
    for epoch in _epochs(batches):
        assert sorted(epoch) == list(range(N))
    assert [len(_members(batches[g])) for g in range(9)] == [4, 4, 2] * 3


def test_order_differs_by_epoch_and_seed() -> None:
    first, other = _epochs(_batches()), _epochs(_batches(seed=1826))
    orders = [tuple(epoch) for epoch in (*first, *other)]
    assert len(set(orders)) == 6
    assert tuple(range(N)) not in orders
    assert _epochs(_batches()) == first


def test_order_of_an_epoch_does_not_depend_on_the_number_of_epochs() -> None:
    assert _epochs(_batches(epochs=7), 3) == _epochs(_batches(epochs=3), 3)


def test_neighbours_stay_together_and_only_their_order_changes() -> None:
    batches = _batches(neighbours=copies_together(5, N))
    assert copies_together(5, N).tolist() == [0, 5, 1, 6, 2, 7, 3, 8, 4, 9]
    epochs = [[_members(batches[3 * epoch + step]) for step in range(3)] for epoch in range(3)]
    assert [sorted(epoch) for epoch in epochs] == [[[0, 5, 1, 6], [2, 7, 3, 8], [4, 9]]] * 3
    assert len({str(epoch) for epoch in epochs}) > 1
    assert len({batches.digests(epoch)["order"] for epoch in range(3)}) > 1


def test_order_comes_from_the_stream() -> None:
    expected = Stream("order", seed=8901).child("epoch", epoch=1).generator().permutation(N).tolist()
    assert _epochs(_batches())[1] == expected


def test_targets_stay_with_their_images() -> None:
    batches = _batches()
    for g in range(len(batches)):
        images, targets = batches[g]
        assert targets.dtype == np.float32
        assert targets.argmax(axis=1).tolist() == [int(k) % 3 for k in images[:, 0, 0, 0]]
        assert targets.sum(axis=1).tolist() == [1.0] * len(images)


def _add_draw(images: Any, draws: Any, _options: None) -> Any:
    return images + draws[:, 0, None, None, None].astype(np.float32)


def _transform(name: str = "jitter", function: Callable[..., Any] = _add_draw) -> Transform:
    return Transform(
        name=name, function=function, options=None, draws_per_image=1, stream=Stream("augmentation", name=name)
    )


def test_batch_is_a_pure_function_of_its_number() -> None:
    weights = np.linspace(0, 1, N, dtype=np.float32)
    in_order = _batches(transforms=[_transform()], weights=weights)
    expected = [in_order[g] for g in range(9)]
    jumping = _batches(transforms=[_transform()], weights=weights)
    for g in [8, 0, 3, 2, 3, 7, 1, 6, 5, 4, 0]:
        for found, right in zip(jumping[g], expected[g], strict=True):
            np.testing.assert_array_equal(found, right)


def test_draws_belong_to_images_not_to_positions_in_a_batch() -> None:
    transform = _transform()
    batches = _batches(transforms=[transform])
    for epoch in range(2):
        draws = transform.draws(epoch, N)[:, 0]
        seen = np.concatenate([batches[epoch * 3 + step][0][:, 0, 0, 0] for step in range(3)])
        order = np.floor(seen).astype(int)
        np.testing.assert_allclose(seen - order, draws[order], atol=1e-6)
    assert not np.array_equal(transform.draws(0, N), transform.draws(1, N))


def test_transforms_are_applied_in_order() -> None:
    double = _transform("double", lambda images, _draws, _options: images * np.float32(2))
    one_more = _transform("more", lambda images, _draws, _options: images + np.float32(1))
    batches = _batches(transforms=[double, one_more])
    plain = _batches()
    np.testing.assert_array_equal(batches[0][0], plain[0][0] * 2 + 1)


def test_random_numbers_are_drawn_once_for_each_epoch() -> None:
    """Drawing them again for every batch would take longer than training on it."""
    drawn: list[int] = []

    class Counted(Transform):
        def draws(self, epoch: int, n: int) -> NDArray[np.float64]:
            drawn.append(epoch)
            return super().draws(epoch, n)

    plain = _transform()
    transform = Counted(name=plain.name, function=plain.function, options=None, draws_per_image=1, stream=plain.stream)
    _epochs(_batches(transforms=[transform]))
    assert drawn == [0, 1, 2]


def test_transform_cannot_change_the_data() -> None:
    def darken(images: Any, _draws: Any, _options: None) -> Any:
        images *= 0
        return images

    batches = _batches(transforms=[_transform("darken", darken)])
    assert batches[0][0].max() == 0
    assert batches[0][0].max() == 0
    images = _numbered()
    OrderedBatches(
        images, batch_size=4, epochs=1, order=Stream("order"), transforms=[_transform("darken", darken)]
    ).__getitem__(0)
    assert images.batch(np.arange(N)).max() == N - 1


def test_weights_stay_with_their_images() -> None:
    weights = np.arange(N, dtype=np.float32) / N
    images, _, given = _batches(weights=weights)[1]
    np.testing.assert_array_equal(given, weights[images[:, 0, 0, 0].astype(int)])
    assert len(_batches()[1]) == 2


def test_steps_are_reported() -> None:
    taken: list[tuple[int, int]] = []
    batches = _batches(on_batch=lambda epoch, step: taken.append((epoch, step)))
    for g in (0, 1, 4):
        batches.__getitem__(g)
    assert taken == [(0, 0), (0, 1), (1, 1)]


def test_fixed_batches_keep_the_order_of_the_images() -> None:
    batches = FixedBatches(_numbered(), batch_size=4, targets=True)
    assert len(batches) == 3
    assert [_members(batches[g]) for g in range(3)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert batches[1][1].argmax(axis=1).tolist() == [1, 2, 0, 1]
    (images,) = FixedBatches(_numbered(), batch_size=4, targets=False)[2]
    assert images.shape == (2, 2, 2, 1)


class Spy(keras.Sequential):  # type: ignore[misc]
    """Records which images a network really receives."""

    def __init__(self, seen: list[tuple[bool, list[int]]]) -> None:
        super().__init__([keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")])
        self._note = seen.append  # Keras would copy a list attribute

    def train_step(self, data: Any) -> Any:
        self._note((True, _members([data[0].numpy()])))
        return super().train_step(data)

    def test_step(self, data: Any) -> Any:
        self._note((False, _members([data[0].numpy()])))
        return super().test_step(data)


def test_keras_trains_each_epoch_in_its_own_order() -> None:
    """Keras may fetch ahead, even across the end of an epoch; the network must still receive the right images."""
    seen: list[tuple[bool, list[int]]] = []
    model = Spy(seen)
    model.compile(optimizer="sgd", loss="categorical_crossentropy", run_eagerly=True)
    batches = _batches()
    model.fit(
        batches,
        epochs=3,
        steps_per_epoch=batches.steps_per_epoch,
        shuffle=False,
        validation_data=FixedBatches(_numbered(), batch_size=6, targets=True),
        verbose=0,
    )
    epochs = [[(True, _members(_batches()[epoch * 3 + step])) for step in range(3)] for epoch in range(3)]
    validation = [(False, [0, 1, 2, 3, 4, 5]), (False, [6, 7, 8, 9])]
    assert seen == [*epochs[0], *validation, *epochs[1], *validation, *epochs[2], *validation]


def test_classes_become_one_hot() -> None:
    encoded = encode_targets(TASK, np.array([2, 0]))
    assert encoded.dtype == np.float32
    assert encoded.tolist() == [[0, 0, 1], [1, 0, 0]]


def test_targets_are_mapped_from_their_ranges_and_back() -> None:
    targets = np.array([[45, -0.5], [90, 0.5], [67.5, 0.0], [50.125, 0.3]])
    encoded: NDArray[Any] = encode_targets(ORBIT, targets)
    assert encoded.dtype == np.float32
    np.testing.assert_allclose(encoded, [[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0], [-0.7722222, 0.6]], atol=1e-6)
    decoded = decode_outputs(ORBIT, encoded)
    assert decoded.dtype == np.float64
    np.testing.assert_allclose(decoded, targets, rtol=1e-6)


def test_probabilities_are_kept_and_sigmoid_outputs_normalised() -> None:
    outputs = np.array([[0.2, 0.3, 0.5], [0.9, 0.6, 0.3], [0, 0, 0]], dtype=np.float32)
    decoded: NDArray[Any] = decode_outputs(TASK, outputs)
    assert decoded.dtype == np.float64
    np.testing.assert_allclose(decoded, [[0.2, 0.3, 0.5], [0.5, 1 / 3, 1 / 6], [0.0, 0.0, 0.0]], rtol=1e-6)


def test_balanced_weights_match_hand_calculation() -> None:
    weights: NDArray[Any] = balanced_weights(np.array([0, 0, 0, 2]), 4)
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, [2 / 3, 2 / 3, 2 / 3, 2.0])
    assert weights.mean() == pytest.approx(1)


def test_balanced_weights_give_each_class_the_same_weight() -> None:
    targets = np.array([0] * 5 + [1] * 2 + [2] * 13)
    weights = balanced_weights(targets, 3)
    assert [float(weights[targets == k].sum()) for k in range(3)] == pytest.approx([20 / 3] * 3)
