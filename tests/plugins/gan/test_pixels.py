"""Pixel normalisation and augmentation of the GANs, checked against NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarker import Stream
from benchmarker_gan.pixels import PixelNormalisation, Scaling, dihedral, shift


def test_dihedral_gives_the_eight_orientations_of_a_square() -> None:
    image = np.arange(25, dtype=np.float32).reshape(1, 5, 5, 1)
    numbers = np.array([[a, b, c] for a in (0.2, 0.7) for b in (0.2, 0.7) for c in (0.2, 0.7)], np.float32)
    found = np.array(dihedral(np.repeat(image, 8, axis=0), numbers))
    expected = {np.rot90(side, k).tobytes() for side in (image[0, ..., 0], image[0, :, ::-1, 0]) for k in range(4)}
    assert {each[..., 0].tobytes() for each in found} == expected
    np.testing.assert_array_equal(found[-1], image[0])  # three numbers above one half


def test_shifts_move_whole_pixels_by_at_most_an_eighth() -> None:
    images = Stream("test", number=1).generator().random((3, 16, 16, 2)).astype(np.float32)
    numbers = np.array([[0.0, 0.999], [0.5, 0.5], [0.3, 0.7]], np.float32)  # five equally likely shifts, -2 to 2
    found = np.array(shift(images, numbers))
    for image, moved, (down, right) in zip(images, found, [(-2, 2), (0, 0), (-1, 1)], strict=True):
        np.testing.assert_allclose(moved, np.roll(image, (down, right), axis=(0, 1)), atol=1e-6)


def test_standardised_pixels_have_mean_0_and_deviation_1_and_can_be_inverted() -> None:
    rng = Stream("test", number=2).generator()
    images = np.where(rng.random((200, 6, 6, 2)) < 0.05, rng.random((200, 6, 6, 2)), 0.01).astype(np.float32)
    normalisation = PixelNormalisation("standardise", 0.5, 2)
    for start in range(0, 200, 20):
        normalisation.normalise(images[start : start + 20])
    values = np.asarray(normalisation.normalise(images))
    np.testing.assert_allclose(values.mean(axis=(0, 1, 2)), 0, atol=0.01)
    np.testing.assert_allclose(values.std(axis=(0, 1, 2)), 1, rtol=0.01)
    np.testing.assert_allclose(normalisation.invert(values), images, atol=1e-5)


def test_symmetric_pixels_are_between_minus_1_and_1() -> None:
    images = np.linspace(0, 1, 8, dtype=np.float32).reshape(2, 2, 2, 1)
    normalisation = PixelNormalisation("symmetric", 1, 1)
    np.testing.assert_allclose(np.asarray(normalisation.normalise(images)), 2 * images - 1)
    np.testing.assert_allclose(normalisation.invert(2 * images - 1), images, atol=1e-7)


def test_pixels_without_scaling_are_left_as_they_are() -> None:
    images = np.linspace(-9, 3, 8, dtype=np.float32).reshape(2, 2, 2, 1)
    normalisation = PixelNormalisation("none", 0.5, 1)
    normalisation.set_range(0.0, 1.0)
    np.testing.assert_array_equal(np.asarray(normalisation.normalise(images)), images)
    np.testing.assert_array_equal(normalisation.invert(images), images)


@pytest.mark.parametrize("scaling", ["standardise", "symmetric"])
@pytest.mark.parametrize("stretch", [1.0, 0.5])
def test_generated_pixels_keep_the_range_of_the_training_part(scaling: Scaling, stretch: float) -> None:
    images = np.linspace(-40, 900, 50, dtype=np.float32).reshape(2, 5, 5, 1)
    normalisation = PixelNormalisation(scaling, stretch, 1)
    normalisation.set_range(-40.0, 900.0)
    values = np.asarray(normalisation.normalise(images))
    np.testing.assert_allclose(normalisation.invert(values), images, atol=0.01)
    outside = normalisation.invert(np.array([-1e6, 1e6], np.float32).reshape(2, 1, 1, 1))
    assert outside.ravel().tolist() == [-40, 900]


def test_range_of_equal_pixels_has_a_width() -> None:
    normalisation = PixelNormalisation("symmetric", 1, 1)
    normalisation.set_range(3.0, 3.0)
    images = np.full((1, 2, 2, 1), 3, np.float32)
    np.testing.assert_array_equal(normalisation.invert(np.asarray(normalisation.normalise(images))), images)
