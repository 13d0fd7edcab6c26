"""Preparation of single images, each step against independent arithmetic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarker import Preparation, Stream, UnreadableImageError, read_fits_image
from benchmarker.data.preparation import prepare_image

RAW = Preparation(normalise=False)


def _image(*shape: int) -> np.ndarray[Any, Any]:
    return Stream("test", purpose="image", shape=list(shape)).generator().normal(size=shape).astype(np.float32)


def test_normalise_maps_the_image_to_zero_and_one() -> None:
    prepared = prepare_image(np.array([[2.0, 4.0], [6.0, 10.0]]), Preparation())
    assert prepared.dtype == np.float32
    assert prepared[:, :, 0].tolist() == [[0.0, 0.25], [0.5, 1.0]]


def test_values_stay_as_they_are_without_normalise() -> None:
    image = _image(8, 9)
    assert np.array_equal(prepare_image(image, RAW)[:, :, 0], image)
    bytes_image = np.array([[0, 51], [102, 255]], dtype=np.uint8)
    assert prepare_image(bytes_image, RAW)[:, :, 0].tolist() == [[0.0, 51.0], [102.0, 255.0]]
    assert np.allclose(prepare_image(bytes_image, Preparation())[:, :, 0], [[0.0, 0.2], [0.4, 1.0]])


@pytest.mark.parametrize("sky", [0.0, 1000.0, -1000.0])
def test_missing_pixels_become_the_darkest_on_any_sky_level(sky: float) -> None:
    image = sky + np.array([[np.nan, -1.0], [3.0, np.inf]])
    assert prepare_image(image, Preparation())[:, :, 0].tolist() == [[0.0, 0.0], [1.0, 0.0]]
    assert prepare_image(image, RAW)[:, :, 0].tolist() == [[sky - 1, sky - 1], [sky + 3, sky - 1]]


def test_clip_sigma_ignores_a_border_of_nan() -> None:
    image = 1000.0 + _image(20, 20)
    image[8:12, 8:12] += 20.0
    bordered = np.pad(image, 6, constant_values=np.nan)
    inner = prepare_image(bordered, Preparation(clip_sigma=2.0))
    assert np.array_equal(inner[6:-6, 6:-6], prepare_image(image, Preparation(clip_sigma=2.0)))
    assert not inner[:6].any()


@pytest.mark.parametrize(
    "image",
    [
        1e6 + np.arange(16.0).reshape(4, 4) * 1e-3,
        2**40 + np.arange(16).reshape(4, 4),
        np.arange(16.0).reshape(4, 4) * 1e39,
    ],
)
def test_values_that_float32_cannot_hold_are_scaled_first(image: np.ndarray[Any, Any]) -> None:
    prepared = prepare_image(image, Preparation())
    assert np.allclose(prepared[:, :, 0], np.arange(16.0).reshape(4, 4) / 15, atol=1e-6)


def test_clip_sigma_uses_mean_and_deviation_of_all_pixels() -> None:
    image = _image(20, 20)
    flat = [float(value) for value in image.ravel()]
    scaled = [(value - min(flat)) / (max(flat) - min(flat)) for value in flat]
    mean = sum(scaled) / len(scaled)
    deviation = (sum((value - mean) ** 2 for value in scaled) / len(scaled)) ** 0.5
    expected = [value if value >= mean + 1.5 * deviation else 0.0 for value in scaled]
    prepared = prepare_image(image, Preparation(clip_sigma=1.5))
    assert np.allclose(prepared.ravel(), expected, atol=1e-6)
    assert 0 < np.count_nonzero(prepared) < 60


def test_clip_about_zero_is_three_deviations_of_the_sky_before_scaling_as_in_galaxygan() -> None:
    from astropy.stats import sigma_clipped_stats

    image = Stream("test", number=1).generator().normal(0, 2e-4, (40, 40))
    image[15:25, 15:25] += 0.05  # bright: the mean and the deviation of all pixels lie far above those of the sky
    image[5:8, 5:8] += 2e-3
    image[0, 0] = np.nan
    deviation = sigma_clipped_stats(image[np.isfinite(image)], sigma=3, maxiters=10)[2]
    clipped = np.where(np.nan_to_num(image) < 3 * deviation, 0, np.nan_to_num(image))
    prepared = prepare_image(image, Preparation(clip_sigma=3, clip_about="zero"))
    assert np.allclose(prepared[:, :, 0], clipped / clipped.max(), atol=1e-6)
    assert prepared[5:8, 5:8].min() > 0
    assert prepare_image(np.nan_to_num(image), Preparation(clip_sigma=3))[5:8, 5:8].max() == 0
    with pytest.raises(UnreadableImageError, match="sigma of the sky"):
        prepare_image(image * 0 + np.where(image > 0, 1e-3, -1e-3), Preparation(clip_sigma=3, clip_about="zero"))


def test_clip_about_leaves_keys_of_other_preparations_as_they_are() -> None:
    assert "clip_about" not in Preparation(clip_sigma=3).model_dump(mode="json")


def test_channels_are_normalised_together() -> None:
    image = _image(12, 12, 3) * np.array([1.0, 2.0, 4.0], dtype=np.float32)
    prepared = prepare_image(image, Preparation())
    assert prepared.shape == (12, 12, 3)
    assert np.allclose(prepared, (image - image.min()) / (image.max() - image.min()), atol=1e-6)
    assert prepared[:, :, 0].max() < 1.0


def test_binary_threshold_is_a_fraction_of_the_maximum() -> None:
    prepared = prepare_image(np.array([[0.0, 7.9], [8.1, 10.0]]), Preparation(binary_threshold=0.8))
    assert prepared[:, :, 0].tolist() == [[0.0, 0.0], [1.0, 1.0]]


def test_binary_threshold_can_keep_the_other_pixels_unclipped_as_in_the_radio_framework() -> None:
    image = np.array([[0.0, 7.9], [8.1, 10.0]])
    asked = Preparation(clip_sigma=3, binary_threshold=0.8, binary_others="keep")
    assert prepare_image(image, asked)[:, :, 0].tolist() == [[0.0, np.float32(0.79)], [1.0, 1.0]]


def test_binary_others_leave_keys_of_other_preparations_as_they_are() -> None:
    assert "binary_others" not in Preparation(binary_threshold=0.8).model_dump(mode="json")


@pytest.mark.parametrize(("size", "first"), [(2, (1, 2)), (3, (1, 1)), (5, (0, 0))])
def test_crop_is_central(size: int, first: tuple[int, int]) -> None:
    image = np.arange(30.0).reshape(5, 6)
    prepared = prepare_image(image, Preparation(normalise=False, crop=size))
    row, column = first
    assert np.array_equal(prepared[:, :, 0], image[row : row + size, column : column + size])


def test_resize_keeps_a_plane_and_the_range() -> None:
    ramp = np.add.outer(np.arange(32.0), 2 * np.arange(32.0))
    prepared = prepare_image(ramp, Preparation(normalise=False, resize=16))[:, :, 0]
    assert prepared.shape == (16, 16)
    expected = np.add.outer(np.arange(16) * 2 + 0.5, 2 * (np.arange(16) * 2 + 0.5))
    assert np.allclose(prepared[2:-2, 2:-2], expected[2:-2, 2:-2], atol=1e-3)
    spike = np.zeros((32, 32))
    spike[10, 10] = 1.0
    small = prepare_image(spike, Preparation(resize=8))
    assert small.min() >= 0.0
    assert small.sum() == pytest.approx(1 / 16, rel=1e-5)


def test_resize_does_not_alias() -> None:
    stripes = np.tile([0.0, 1.0], (64, 32))
    stripes[:, :2] = 3.0
    prepared = prepare_image(stripes, Preparation(normalise=False, resize=16))[:, 4:-1, 0]
    assert np.allclose(prepared, 0.5, atol=0.01)


def test_resize_to_the_same_size_changes_nothing() -> None:
    image = _image(16, 16)
    assert np.array_equal(prepare_image(image, Preparation(resize=16)), prepare_image(image, Preparation()))


def test_steps_are_taken_in_order() -> None:
    image = np.zeros((6, 6))
    image[0, 0] = 100.0
    image[2:4, 2:4] = [[1.0, 2.0], [3.0, 4.0]]
    prepared = prepare_image(image, Preparation(crop=2))
    assert np.allclose(prepared[:, :, 0], [[0.01, 0.02], [0.03, 0.04]])  # normalised by the pixel that is cropped away


@pytest.mark.parametrize(
    ("image", "preparation", "reason"),
    [
        (np.full((4, 4), np.nan), Preparation(), "every pixel is NaN"),
        (np.full((4, 4), np.inf), Preparation(), "every pixel is NaN or infinite"),
        (np.full((4, 4), 3.0), Preparation(), "every pixel has the same value"),
        (np.array([[np.nan, 2.0], [2.0, 2.0]]), RAW, "every pixel has the same value"),
        (np.zeros((4, 0)), Preparation(), "no pixels: 4 x 0"),
        (np.zeros(4), Preparation(), "1 axis (4): expected height, width and optionally channels"),
        (
            np.zeros((2, 2, 2, 2)),
            Preparation(),
            "4 axes (2 x 2 x 2 x 2): expected height, width and optionally channels",
        ),
        (np.eye(4, dtype=complex), Preparation(), "pixels are complex128, not real numbers"),
        (np.eye(4), Preparation(crop=5), "4 x 4 pixels, smaller than the crop of 5 x 5"),
        (np.eye(6)[:4], Preparation(resize=5), "4 x 6 pixels: only square images can be resampled; crop them first"),
        (np.arange(16.0).reshape(4, 4), Preparation(clip_sigma=3), "no pixel is above mean + 3 sigma"),
        (np.pad(np.zeros((4, 4)), 1, constant_values=1.0), Preparation(crop=4), "every pixel of the central 4 x 4"),
    ],
)
def test_unusable_image_is_refused_with_a_reason(
    image: np.ndarray[Any, Any], preparation: Preparation, reason: str
) -> None:
    with pytest.raises(UnreadableImageError) as caught:
        prepare_image(image, preparation)
    assert caught.value.reason.startswith(reason)


def test_prepare_image_does_not_change_its_input() -> None:
    image = _image(8, 8)
    image[0, 0] = np.nan
    before = image.copy()
    prepare_image(image, Preparation(clip_sigma=1, crop=6, resize=3))
    assert np.array_equal(image, before, equal_nan=True)


@pytest.mark.shared
def test_clip_sigma_keeps_the_source_of_a_real_cutout(shared_data: Path) -> None:
    image = read_fits_image(shared_data / "first_fits" / "FRII" / "3C_212.fits")
    prepared = prepare_image(image, Preparation(clip_sigma=3))
    assert prepared.max() == 1.0
    assert np.argmax(prepared) == np.argmax(image)
    assert 0.001 < np.count_nonzero(prepared) / prepared.size < 0.05
