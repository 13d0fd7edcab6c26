"""Galaxy10: a made file of the published layout, since no real one can be downloaded by tests."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from benchmarker import Classification, DataError, DatasetContents, ImageRecord, SkippedImage, Stream
from benchmarker.data.loading import Context
from benchmarker_images import galaxy10, galaxy10_published
from tests.plugins.images.galaxy10_file import write_galaxy10


def images(contents: DatasetContents) -> list[ImageRecord]:
    return [record for record in contents.records() if isinstance(record, ImageRecord)]


def test_decals_is_read_in_blocks_with_its_attributes(tmp_path: Path) -> None:
    path = write_galaxy10(tmp_path / "mine.h5", 150, size=16)
    contents = galaxy10.load_decals(None, Context(dataset="galaxy10-decals", path=path))
    assert contents.task == Classification(classes=galaxy10_published.DECALS_CLASSES)
    assert contents.count == 150
    assert contents.attribute_units == {"ra": "deg", "dec": "deg", "redshift": "", "pixel_scale": "arcsec / pix"}
    found = images(contents)
    with h5py.File(path) as file:
        for k in (0, 63, 64, 149):
            assert np.array_equal(found[k].image, file["images"][k])
            assert found[k].target == file["ans"][k]
            assert found[k].attributes["ra"] == file["ra"][k]
            assert found[k].attributes["pixel_scale"] == file["pxscale"][k]
    assert len({record.source_id for record in found}) == 150
    assert {record.target for record in found} == set(range(10))


def test_sdss_has_other_classes_and_no_attributes(tmp_path: Path) -> None:
    path = write_galaxy10(tmp_path / "mine.h5", 20, size=9, attributes=False)
    contents = galaxy10.load_sdss(None, Context(dataset="galaxy10-sdss", path=path))
    assert contents.task == Classification(classes=galaxy10_published.SDSS_CLASSES)
    assert contents.attribute_units == {}
    assert images(contents)[3].image.shape == (9, 9, 3)


def test_class_out_of_range_is_skipped_by_name(tmp_path: Path) -> None:
    path = write_galaxy10(tmp_path / "mine.h5", 12, size=8)
    with h5py.File(path, "r+") as file:
        file["ans"][5] = 10
    contents = galaxy10.load_decals(None, Context(dataset="galaxy10-decals", path=path))
    (skipped,) = [record for record in contents.records() if isinstance(record, SkippedImage)]
    assert (skipped.name, skipped.reason) == ("galaxy 00005", "its class is 10, and classes go from 0 to 9")
    assert len(images(contents)) == 11


@pytest.mark.parametrize(
    "made",
    [
        {},
        {"images": np.zeros((4, 8, 8, 3), np.uint8)},
        {"images": np.zeros((4, 8, 8), np.uint8), "ans": np.zeros(4, np.uint8)},
        {"images": np.zeros((4, 8, 8, 3), np.uint8), "ans": np.zeros(3, np.uint8)},
        {"images": np.zeros((0, 8, 8, 3), np.uint8), "ans": np.zeros(0, np.uint8)},
    ],
)
def test_other_layouts_are_refused_with_what_was_found(tmp_path: Path, made: dict[str, np.ndarray]) -> None:
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file.update(made)
    with pytest.raises(DataError, match=r"other\.h5: the data sets 'images' of shape .* were expected"):
        galaxy10.load_decals(None, Context(dataset="galaxy10-decals", path=path))


def test_link_to_another_file_is_refused(tmp_path: Path) -> None:
    secret = write_galaxy10(tmp_path / "secret.h5", 10, size=8)
    path = tmp_path / "mine.h5"
    with h5py.File(path, "w") as file:
        file["ans"] = np.zeros(10, np.uint8)
        file["images"] = h5py.ExternalLink(secret.name, "images")
    with pytest.raises(DataError, match=r"mine\.h5"):
        galaxy10.load_decals(None, Context(dataset="galaxy10-decals", path=path))


def test_made_images_are_the_same_every_time(tmp_path: Path) -> None:
    one, two = (write_galaxy10(tmp_path / name, 10, size=8) for name in ("one.h5", "two.h5"))
    with h5py.File(one) as first, h5py.File(two) as second:
        assert np.array_equal(first["images"], second["images"])
    assert Stream("made-galaxy10").generator().random() == Stream("made-galaxy10").generator().random()
