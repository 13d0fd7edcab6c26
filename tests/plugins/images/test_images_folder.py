"""Images of any survey in a folder for each class."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from benchmarker import (
    Classification,
    ConfigurationError,
    DataError,
    DatasetContents,
    ImageRecord,
    SkippedImage,
    Stream,
)
from benchmarker.data.loading import Context
from benchmarker_images.images_folder import ImagesFolderOptions, load


def _load(path: Path | None, **options: object) -> DatasetContents:
    return load(ImagesFolderOptions.model_validate(options), Context(dataset="images-folder", path=path))


def _images(contents: DatasetContents) -> dict[str, ImageRecord]:
    return {record.source_id: record for record in contents.records() if isinstance(record, ImageRecord)}


def _skipped(contents: DatasetContents) -> dict[str, str]:
    return {record.name: record.reason for record in contents.records() if isinstance(record, SkippedImage)}


def _pixels(*shape: int, dtype: type = np.uint8) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return Stream("test", shape=list(shape)).generator().integers(0, 255, shape).astype(dtype)


def _save(path: Path, pixels: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels)).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "galaxies"
    _save(root / "spiral" / "a.png", _pixels(8, 9))
    _save(root / "spiral" / "b.tiff", _pixels(8, 9, dtype=np.uint16))
    _save(root / "elliptical" / "a.png", _pixels(8, 9, 3))
    (root / "elliptical" / "c.fits").write_bytes(b"")
    fits.PrimaryHDU(_pixels(8, 9).astype(">f4")).writeto(root / "elliptical" / "c.fits", overwrite=True)
    return root


def test_images_of_every_format_keep_their_pixels(folder: Path) -> None:
    contents = _load(folder)
    assert contents.task == Classification(classes=("elliptical", "spiral"))
    found = _images(contents)
    assert {name: record.target for name, record in found.items()} == {
        "elliptical/a": 0,
        "elliptical/c": 0,
        "spiral/a": 1,
        "spiral/b": 1,
    }
    assert np.array_equal(found["spiral/a"].image, _pixels(8, 9))
    assert np.array_equal(found["spiral/b"].image, _pixels(8, 9))
    assert np.array_equal(found["elliptical/a"].image, _pixels(8, 9, 3))
    assert np.array_equal(found["elliptical/c"].image, _pixels(8, 9))
    assert _images(_load(folder, colour="grey"))["elliptical/a"].image.shape == (8, 9)


def test_folders_of_parts_are_the_published_split(folder: Path, tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        shutil.copytree(folder, tmp_path / "split" / part)
    parts = Counter((record.part, record.target) for record in _images(_load(tmp_path / "split")).values())
    assert parts == {(part, target): 2 for part in ("train", "validation", "test") for target in (0, 1)}


def test_archive_is_read_like_its_folder(folder: Path, tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, "galaxies")
    found = _images(_load(Path(archive)))
    assert set(found) == {f"galaxies/{name}" for name in _images(_load(folder))}


def test_images_that_cannot_be_used_are_skipped_with_reasons(folder: Path) -> None:
    (folder / "spiral" / "broken.png").write_bytes(b"\x89PNG")
    _save(folder / "loose.png", _pixels(8, 9))
    _save(folder / "star" / "s.png", _pixels(8, 9))
    contents = _load(folder, classes=("spiral", "elliptical"))
    assert contents.task == Classification(classes=("spiral", "elliptical"))
    assert _skipped(contents) == {
        "spiral/broken.png": "not a readable image (UnidentifiedImageError)",
        "loose.png": "in no folder of a class",
        "star/s.png": "the class star is not in `classes`",
    }


def test_folder_without_classes_is_refused_with_what_was_found(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="-d FOLDER"):
        _load(None)
    with pytest.raises(DataError, match=r"no folder ring.*Received: elliptical, spiral"):
        _load(folder, classes=("spiral", "ring"))
    with pytest.raises(DataError, match="two classes are needed"):
        _load(folder / "spiral")


@pytest.mark.shared
def test_published_folders_of_radio_galaxies_are_read(shared_data: Path) -> None:
    contents = _load(shared_data / "mirabest_fits")
    assert Counter(record.target for record in _images(contents).values()) == {0: 6, 1: 6, 2: 6}


def test_the_colour_rule_of_the_radio_framework_weights_colours_and_averages_planes(folder: Path) -> None:
    cube = _pixels(2, 8, 9).astype(">f4")
    fits.PrimaryHDU(cube).writeto(folder / "spiral" / "cube.fits")
    assert "planes" in _skipped(_load(folder))["spiral/cube.fits"]
    assert _images(_load(folder, planes=[1]))["spiral/cube"].image.shape == (8, 9, 1)
    found = _images(_load(folder, planes="all", colour="radio-framework"))
    red, green, blue = np.moveaxis(_pixels(8, 9, 3).astype(float), -1, 0)
    np.testing.assert_allclose(found["elliptical/a"].image, 0.3 * red + 0.59 * green + 0.11 * blue)
    np.testing.assert_allclose(found["spiral/cube"].image, cube.mean(axis=0))
    assert np.array_equal(found["spiral/a"].image, _pixels(8, 9))


def test_options_that_are_not_used_do_not_change_keys() -> None:
    assert ImagesFolderOptions().model_dump() == {"classes": None, "colour": "as-it-is", "hdu": None}
