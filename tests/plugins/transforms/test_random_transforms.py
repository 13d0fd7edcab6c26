"""Random transforms: `flips`, `shifts` and `quarter-turns`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from benchmarker import ConfigurationError, Stream
from benchmarker_transforms.random_transforms import FlipOptions, ShiftOptions, flip, quarter_turn, shift

Transform = Callable[[NDArray[np.float32], NDArray[np.float64], Any], NDArray[np.float32]]
TRANSFORMS: list[tuple[Transform, int]] = [(flip, 2), (shift, 2), (quarter_turn, 1)]


def images_and_draws(n: int, size: int, draws: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    generator = Stream("test", n=n, size=size).generator()
    return generator.random((n, size, size, 2), dtype=np.float32), generator.random((n, draws))


@pytest.mark.parametrize(("transform", "draws_per_image"), TRANSFORMS)
def test_transformed_image_depends_only_on_its_own_draws(transform: Transform, draws_per_image: int) -> None:
    images, draws = images_and_draws(24, 20, draws_per_image)
    together = transform(images, draws, None)
    assert together.shape == images.shape
    assert together.dtype == np.float32
    assert not np.array_equal(together, images)
    for k in range(len(images)):
        np.testing.assert_array_equal(transform(images[k : k + 1], draws[k : k + 1], None)[0], together[k])
    np.testing.assert_array_equal(transform(images[::-1], draws[::-1], None), together[::-1])


@pytest.mark.parametrize(("transform", "draws_per_image"), TRANSFORMS)
def test_transforms_leave_their_input_unchanged(transform: Transform, draws_per_image: int) -> None:
    images, draws = images_and_draws(8, 10, draws_per_image)
    before = images.copy()
    images.setflags(write=False)
    transform(images, draws, None)[:] = -1
    np.testing.assert_array_equal(images, before)


def test_flips_follow_the_draws() -> None:
    images, _ = images_and_draws(4, 5, 2)
    draws = np.array([[0.4, 0.4], [0.4, 0.6], [0.6, 0.4], [0.5, 0.5]])
    flipped = flip(images, draws)
    np.testing.assert_array_equal(flipped[0], images[0, ::-1, ::-1])
    np.testing.assert_array_equal(flipped[1], images[1, :, ::-1])
    np.testing.assert_array_equal(flipped[2], images[2, ::-1])
    np.testing.assert_array_equal(flipped[3], images[3])


def test_flips_can_be_switched_off_separately() -> None:
    images, _ = images_and_draws(1, 5, 2)
    both = np.zeros((1, 2))
    np.testing.assert_array_equal(flip(images, both, FlipOptions(vertical=False)), images[:, :, ::-1])
    np.testing.assert_array_equal(flip(images, both, FlipOptions(horizontal=False)), images[:, ::-1])


def test_shifts_move_whole_pixels_and_fill_with_zeros() -> None:
    images = np.arange(1, 26, dtype=np.float32).reshape(1, 5, 5, 1)
    one_pixel = ShiftOptions(fraction=0.2)
    up_left = shift(images, np.array([[0.0, 0.0]]), one_pixel)[0, :, :, 0]
    np.testing.assert_array_equal(up_left[:-1, :-1], images[0, 1:, 1:, 0])
    assert not up_left[-1].any()
    assert not up_left[:, -1].any()
    down = shift(images, np.array([[0.99, 0.5]]), one_pixel)[0, :, :, 0]
    np.testing.assert_array_equal(down[1:], images[0, :-1, :, 0])
    assert not down[0].any()


def test_shifts_are_equally_frequent() -> None:
    """A largest shift of one pixel gives three positions along each axis."""
    images = np.zeros((900, 5, 5, 1), np.float32)
    images[:, 2, 2] = 1
    grid = (np.arange(30) + 0.5) / 30
    draws = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    np.testing.assert_array_equal(shift(images, draws, ShiftOptions(fraction=0.2)).sum(axis=0)[1:4, 1:4, 0], 100)


def test_shifts_below_one_pixel_change_nothing() -> None:
    images, draws = images_and_draws(3, 8, 2)
    np.testing.assert_array_equal(shift(images, draws, ShiftOptions(fraction=0.1)), images)


@pytest.mark.parametrize("fraction", [-0.1, 1, float("nan")])
def test_shifts_refuse_impossible_fractions(fraction: float) -> None:
    with pytest.raises(ValidationError, match="fraction"):
        ShiftOptions(fraction=fraction)


def test_quarter_turns_are_exact_and_counter_clockwise() -> None:
    images, _ = images_and_draws(4, 6, 1)
    turned = quarter_turn(images, np.array([[0.0], [0.25], [0.5], [0.999]]))
    for quarter in range(4):
        np.testing.assert_array_equal(turned[quarter], np.rot90(images[quarter], quarter))


def test_quarter_turns_refuse_rectangular_images() -> None:
    with pytest.raises(ConfigurationError, match="4 x 6 pixels"):
        quarter_turn(np.zeros((1, 4, 6, 1), np.float32), np.zeros((1, 1)))


def test_subpixel_shift_moves_a_plane_by_fractions_of_pixels() -> None:
    rows, columns = np.mgrid[:20, :20].astype(np.float32)
    plane = (rows + 10 * columns)[None, :, :, None]
    draws = np.array([[0.75, 0.25]])  # half of the largest shift, down and to the left
    moved = shift(plane, draws, ShiftOptions(fraction=0.02, subpixel=True))
    expected = plane - 0.2 + 10 * 0.2  # 0.02 of 20 pixels, halved
    assert np.allclose(moved[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1], atol=1e-5)
    assert moved[0, 0, 5, 0] == pytest.approx(plane[0, 0, 5, 0] + 2.0)  # the edge is repeated


def test_subpixel_option_leaves_keys_of_whole_pixels_as_they_are() -> None:
    assert ShiftOptions().model_dump(mode="json") == {"fraction": 0.1}
