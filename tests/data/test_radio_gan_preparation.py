"""The preparation of the radio GAN: iterated clipping, a threshold without the mean, and copies before the crop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.ndimage import rotate

from benchmarker import (
    Classification,
    ConfigurationError,
    DataError,
    Dataset,
    DatasetContents,
    ImageRecord,
    LabelledImages,
    Preparation,
    Stream,
)
from benchmarker.contracts.settings import Copies, NoiseClipping
from benchmarker.data.image_copies import cropped_copies
from benchmarker.data.loading import Context
from benchmarker.data.preparation import prepare_image, prepare_images
from benchmarker.data.prepared import prepare
from benchmarker.data.written_array import write_array
from benchmarker.registry import merged_preparation

SKY = np.zeros(1)
PUBLISHED = Preparation(
    clip_sigma=3,
    clip_about="zero",
    noise=NoiseClipping(sigma=3, iterations=10),
    order="crop-clip-scale",
    copies=Copies(step=10, flip=True),
    crop=150,
)
"""Section 4.1 of the released script: 36 angles, and 36 of the mirror image, of 150 x 150 pixels."""


def observed(size: int = 300, sky: float = 0.0) -> np.ndarray[Any, Any]:
    """Return a double source with noise of 1e-4 Jy/beam."""
    rows, columns = np.mgrid[:size, :size] - (size - 1) / 2
    image = Stream("radio-gan").generator().normal(sky, 1e-4, (size, size))
    for row, column in ((-14, 6), (11, -5)):
        image += 5e-3 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 12)
    return image


def iterated_deviation(image: np.ndarray[Any, Any], sigma: float, iterations: int) -> float:
    """Clip about the median again and again, in plain arithmetic."""
    kept = image.ravel()
    for _ in range(iterations):
        kept = kept[np.abs(kept - np.median(kept)) <= sigma * kept.std()]
    return float(kept.std())


def test_iterated_clipping_leaves_the_source_out_of_the_noise() -> None:
    image = observed()
    once = prepare_image(image, Preparation(clip_sigma=3, normalise=False))
    often = prepare_image(image, Preparation(clip_sigma=3, clip_about="zero", noise=NoiseClipping(), normalise=False))
    assert np.array_equal(often, prepare_image(image, Preparation(clip_sigma=3, clip_about="zero", normalise=False)))
    threshold = 3 * iterated_deviation(image, 3, 10)
    assert 2.5e-4 < threshold < 3.1e-4 < 3 * image.std()
    assert np.array_equal(often[:, :, 0], np.where(image < threshold, 0, image).astype(np.float32))
    assert np.count_nonzero(once) < np.count_nonzero(often)


def test_one_iteration_clips_less_than_ten() -> None:
    image = observed()
    counts = [
        np.count_nonzero(prepare_image(image, Preparation(clip_sigma=3, noise=NoiseClipping(iterations=iterations))))
        for iterations in (1, 10)
    ]
    assert counts[0] < counts[1]


@pytest.mark.parametrize("normalise", [True, False])
def test_threshold_about_zero_does_not_depend_on_the_mean(normalise: bool) -> None:
    image = np.array([[-1.0, 0.0, 0.0], [0.0, 7.0, 3.0], [0.0, 0.0, 0.0]])
    deviation = (sum((v - 1) ** 2 for v in (-1, 7, 3, *[0] * 6)) / 9) ** 0.5  # the mean is 1
    assert 2.3 < deviation < 2.4
    clipped = prepare_image(image, Preparation(clip_sigma=1.0, clip_about="zero", normalise=normalise))[:, :, 0]
    assert (clipped > 0).tolist() == [[False] * 3, [False, True, True], [False] * 3]  # 3 > 2.36, but 3 < 1 + 2.36
    about_mean = prepare_image(image, Preparation(clip_sigma=1.0, normalise=normalise))[:, :, 0]
    assert (about_mean > 0).tolist() == [[False] * 3, [False, True, False], [False] * 3]


def test_published_preparation_turns_crops_clips_and_scales_in_this_order() -> None:
    image = observed()
    threshold = 3 * iterated_deviation(image, 3, 10)
    found = list(prepare_images(image, PUBLISHED))
    assert len(found) == 72
    assert {each.shape for each in found} == {(150, 150, 1)}
    for number, source, angle in ((0, image, 0), (7, image, 70), (36, image[:, ::-1], 0), (45, image[:, ::-1], 90)):
        cropped = rotate(source, angle, reshape=False, order=3)[75:225, 75:225]
        cropped[cropped < threshold] = 0
        expected = (cropped - cropped.min()) / (cropped.max() - cropped.min())
        assert np.allclose(found[number][:, :, 0], expected, atol=1e-6), number
    assert all(each.min() == 0 and each.max() == 1 for each in found)


def test_crop_first_scales_the_crop_and_takes_the_noise_of_the_whole_image() -> None:
    image = np.zeros((6, 6))
    image[0, 0], image[2, 2], image[3, 3] = 100.0, 8.0, 4.0
    mean, deviation = 112 / 36, image.std()
    assert mean + 0.05 * deviation < 4 < mean + 0.2 * deviation < 8
    steps = {"clip_sigma": 0.05, "crop": 2}
    first = prepare_image(image, Preparation.model_validate({**steps, "order": "crop-clip-scale"}))
    assert np.allclose(first[:, :, 0], [[1.0, 0.0], [0.0, (4 - mean) / (8 - mean)]])
    last = prepare_image(image, Preparation.model_validate(steps))
    assert np.allclose(last[:, :, 0], [[0.08, 0.0], [0.0, 0.04]])
    steps["clip_sigma"] = 0.2
    clipped = prepare_image(image, Preparation.model_validate({**steps, "order": "crop-clip-scale"}))
    assert clipped[:, :, 0].tolist() == [[1.0, 0.0], [0.0, 0.0]]


def test_crop_first_sets_missing_and_clipped_pixels_to_the_sky() -> None:
    image = observed(40, sky=0.2)
    image[:5] = np.nan
    steps = Preparation(clip_sigma=5, noise=NoiseClipping(), order="crop-clip-scale", normalise=False)
    prepared = prepare_image(image, steps)[:, :, 0]
    assert prepared.min() == pytest.approx(0.2, abs=2e-5)
    assert np.all(prepared[:5] == prepared.min())


def test_shifts_move_copies_along_both_axes() -> None:
    image = np.zeros((9, 9, 1))
    image[4, 4], image[0, 4] = 1.0, 2.0
    found = list(cropped_copies(image, Copies(shifts=(2,)), 5, SKY))
    assert [np.argwhere(each[:, :, 0] == 1).tolist() for each in found] == [
        [[2, 2]], [[0, 2]], [[4, 2]], [[2, 0]], [[2, 4]],
    ]  # fmt: skip
    assert (found[2] == 2).sum() == 1  # what the shift brings into the frame, a turn of the crop could not show
    whole = list(cropped_copies(image, Copies(shifts=(2,)), None, np.full(1, -1.0)))
    assert np.all(whole[2][:2] == -1)
    assert np.array_equal(whole[2][2:], image[:-2])


def test_copies_of_an_odd_margin_are_turned_about_the_centre_of_the_image() -> None:
    image = observed(31)[:, :, None]
    _first, turned = cropped_copies(image, Copies(step=180), 20, SKY)
    assert np.allclose(turned, np.rot90(image, 2)[5:25, 5:25], atol=1e-12)


def test_copies_keep_source_part_and_label(tmp_path: Path) -> None:
    records = [ImageRecord(image=observed(40) + k * 1e-5, target=k, source_id=f"source-{k}") for k in range(2)]
    contents = DatasetContents(
        task=Classification(classes=("FRI", "FRII")), records=lambda: records, signature=1, count=2
    )
    _MADE["contents"] = contents
    dataset = Dataset(name="doubles", loader=f"{__name__}:load_doubles", licence="none", citation="none")
    steps = Preparation(order="crop-clip-scale", copies=Copies(step=90, flip=True, shifts=(1, 2)), crop=30)
    data, _folder = prepare(dataset, None, steps, Context(dataset="doubles"), root=tmp_path)
    assert len(data) == 2 * 4 * 2 * (1 + 4 * 2)
    assert data.source_ids == ("source-0",) * 72 + ("source-1",) * 72
    assert data.targets.tolist() == [0] * 72 + [1] * 72


def test_written_array_holds_the_images_in_eight_bits(tmp_path: Path) -> None:
    images = np.array([0.0, 0.5, 1.0, 0.25], dtype=np.float32).reshape(1, 2, 2, 1)
    data = LabelledImages(
        task=Classification(classes=("FRI",)), images=np.repeat(images, 300, axis=0), targets=np.zeros(300, int),
        source_ids=("a",) * 300, parts=(None,) * 300, attributes={}, skipped=(), digest="0" * 64,
    )  # fmt: skip
    assert write_array(data, tmp_path / "new" / "vac_im.npy", normalised=True) == (300, 2, 2)
    written = np.load(tmp_path / "new" / "vac_im.npy")
    assert written.dtype == np.uint8
    assert np.all(written == [[0, 128], [255, 64]])
    write_array(data, tmp_path / "flux.npy", normalised=False)
    assert np.array_equal(np.load(tmp_path / "flux.npy"), data.images[..., 0])
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["vac_im.npy"]
    with pytest.raises(DataError, match=r"\.npy"):
        write_array(data, tmp_path / "images.dat", normalised=True)


_MADE: dict[str, DatasetContents] = {}


def load_doubles(_options: object, _context: object) -> DatasetContents:
    return _MADE["contents"]


def test_preparation_without_the_new_steps_is_written_as_before() -> None:
    assert [*Preparation(clip_sigma=3).model_dump(mode="json")] == [
        "normalise", "clip_sigma", "binary_threshold", "crop", "resize",
    ]  # fmt: skip


def test_copies_need_the_order_that_crops_first() -> None:
    with pytest.raises(ValidationError, match="order: crop-clip-scale"):
        Preparation(copies=Copies(step=10))


def test_noise_without_a_clip_is_refused() -> None:
    dataset = Dataset(name="doubles", loader=f"{__name__}:load_doubles", licence="none", citation="none")
    with pytest.raises(ConfigurationError, match="clip_sigma"):
        merged_preparation(dataset, Preparation(noise=NoiseClipping()))
