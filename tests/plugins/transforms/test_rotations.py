"""Expansion `rotations`."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from benchmarker import Classification, Stream, Task, TrainingSet
from benchmarker_transforms.rotations import RotatedTrainingSet, RotationOptions, expand, rotation_matrix


class Originals:
    """A training set in memory."""

    def __init__(self, images: NDArray[np.float32], targets: NDArray[Any] | None = None) -> None:
        self.images = images
        self._targets = np.arange(len(images)) % 2 if targets is None else targets

    @property
    def task(self) -> Task:
        return Classification(classes=("FRI", "FRII"))

    @property
    def targets(self) -> NDArray[Any]:
        return self._targets

    @property
    def image_shape(self) -> tuple[int, int, int]:
        _, height, width, channels = self.images.shape
        return height, width, channels

    def batch(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.images[indices]

    def __len__(self) -> int:
        return len(self.images)


def noise(n: int, height: int, width: int, channels: int = 1) -> NDArray[np.float32]:
    shape = (n, height, width, channels)
    return Stream("test", shape=list(shape)).generator().random(shape, dtype=np.float32)


def rotated(images: NDArray[np.float32], step: float) -> TrainingSet:
    return expand(Originals(images), RotationOptions(step=step), Stream("rotations"))


def one(training_set: TrainingSet, index: int) -> NDArray[np.float32]:
    image: NDArray[np.float32] = training_set.batch(np.array([index]))[0]
    return image


def test_rotations_are_ordered_by_angle_then_original() -> None:
    images = noise(3, 9, 9)
    targets = np.array([2, 0, 1])
    everything = expand(Originals(images, targets), None, Stream("rotations"))
    assert len(everything) == 3 * 24
    assert everything.image_shape == (9, 9, 1)
    assert everything.task == Classification(classes=("FRI", "FRII"))
    np.testing.assert_array_equal(everything.targets, np.tile([2, 0, 1], 24))
    np.testing.assert_array_equal(everything.batch(np.arange(3)), images)
    np.testing.assert_array_equal(one(everything, 6 * 3 + 1), np.rot90(images[1]))


def test_rotated_regression_targets_keep_their_columns() -> None:
    targets = np.array([[50.0, 1.0], [70.0, 2.0]])
    everything = RotatedTrainingSet(Originals(noise(2, 4, 4), targets), 180)
    np.testing.assert_array_equal(everything.targets, [[50, 1], [70, 2], [50, 1], [70, 2]])


@pytest.mark.parametrize("size", [16, 17])
def test_quarter_turns_of_square_images_are_exact(size: int) -> None:
    images = noise(2, size, size, 3)
    everything = rotated(images, 90)
    for quarter in range(4):
        expected = np.rot90(images, quarter, axes=(1, 2))
        np.testing.assert_array_equal(everything.batch(np.array([2 * quarter, 2 * quarter + 1])), expected)


def test_rotations_are_counter_clockwise_with_row_0_at_the_top() -> None:
    image = np.zeros((1, 21, 21, 1), np.float32)
    image[0, 10, 18] = 1  # to the right of the centre
    turned = one(rotated(image, 30), 1)[..., 0]
    brightest = [int(place) for place in np.unravel_index(turned.argmax(), turned.shape)]
    assert brightest == [6, 17]  # up and to the right: 8 sin 30 = 4 rows up, 8 cos 30 = 7 columns right


@pytest.mark.parametrize(("height", "width"), [(20, 20), (21, 21), (20, 27), (33, 18)])
def test_rotations_agree_with_scikit_image(height: int, width: int) -> None:
    from skimage.transform import rotate

    images = noise(1, height, width)
    everything = rotated(images, 15)
    for copy in range(24):
        expected = rotate(images[0, :, :, 0].astype(np.float64), 15 * copy, order=1)
        np.testing.assert_allclose(one(everything, copy)[..., 0], expected, atol=1e-5)


def test_half_turn_of_a_rectangular_image_is_exact() -> None:
    images = noise(1, 6, 9)
    np.testing.assert_array_equal(one(rotated(images, 180), 1), images[0, ::-1, ::-1])


def test_rotations_treat_all_channels_alike() -> None:
    images = noise(1, 15, 15, 3)
    together = one(rotated(images, 40), 1)
    for channel in range(3):
        alone = one(rotated(np.ascontiguousarray(images[..., channel : channel + 1]), 40), 1)
        np.testing.assert_array_equal(together[..., channel], alone[..., 0])


def test_rotations_fill_corners_with_zeros() -> None:
    turned = one(rotated(np.ones((1, 20, 20, 1), np.float32), 45), 1)[..., 0]
    assert turned[0, 0] == turned[0, -1] == turned[-1, 0] == turned[-1, -1] == 0
    np.testing.assert_allclose(turned[10, 10], 1, atol=1e-6)


def test_rotated_image_has_the_same_bits_in_every_batch() -> None:
    images = noise(4, 12, 12)
    everything = rotated(images, 25)
    order = Stream("test").generator().permutation(len(everything))
    together = everything.batch(order)
    for position in range(0, len(order), 7):
        np.testing.assert_array_equal(together[position], one(everything, int(order[position])))
    np.testing.assert_array_equal(together[::-1], rotated(images, 25).batch(order[::-1]))


def test_rotated_batches_are_new_arrays() -> None:
    images = noise(1, 8, 8)
    everything = rotated(images, 90)
    before = everything.batch(np.arange(4))
    everything.batch(np.arange(4))[:] = -1
    np.testing.assert_array_equal(everything.batch(np.arange(4)), before)


@pytest.mark.parametrize(("step", "copies"), [(15, 24), (7, 52), (0.1, 3600), (22.5, 16), (360, 1), (350, 2)])
def test_rotations_stay_below_a_full_turn(step: float, copies: int) -> None:
    assert len(rotated(noise(1, 4, 4), step)) == copies


@pytest.mark.parametrize("step", [0, -15, 361, float("nan")])
def test_rotations_refuse_impossible_steps(step: float) -> None:
    with pytest.raises(ValidationError, match="step"):
        RotationOptions(step=step)


def test_rotation_matrix_has_the_documented_size() -> None:
    matrix = rotation_matrix(60, 60, 15)
    assert matrix.indices.dtype == np.int32
    assert matrix.data.dtype == np.float32
    assert matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes <= 36 * 60 * 60 + 4
    assert matrix.sum(axis=1).max() <= 1 + 1e-6


def test_angles_a_quarter_turn_apart_share_a_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    import benchmarker_transforms.rotations as module

    made: list[float] = []

    def counted(height: int, width: int, angle: float) -> Any:
        made.append(angle)
        return rotation_matrix(height, width, angle)

    monkeypatch.setattr(module, "rotation_matrix", counted)
    everything = rotated(noise(1, 10, 10), 15)
    everything.batch(np.arange(24))
    everything.batch(np.arange(24))
    assert made == [15, 30, 45, 60, 75]
