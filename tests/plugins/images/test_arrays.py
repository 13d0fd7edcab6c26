"""Images and labels as arrays of an HDF5 or npz file, or as npy files of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarker import (
    Classification,
    ConfigurationError,
    DataError,
    DatasetContents,
    ImageRecord,
    Regression,
    SkippedImage,
    Stream,
)
from benchmarker.data.loading import Context
from benchmarker_images.array_records import ArraysOptions
from benchmarker_images.arrays import load

N = 6
IMAGES = Stream("test").generator().integers(0, 255, (N, 8, 9, 3)).astype(np.uint8)
ARRAYS: dict[str, Any] = {
    "images": IMAGES,
    "labels": np.array([0, 1, 0, 1, 1, 0]),
    "kind": np.array([b"spiral", b"merger", b"spiral", b"merger", b"merger", b"spiral"]),
    "name": np.array([101, 102, 103, 104, 105, 106]),
    "redshift": np.linspace(0.1, 0.6, N),
    "split": np.array([b"train", b"train", b"val", b"valid", b"test", b"nowhere"]),
}


def write(path: Path, kind: str, **changed: Any) -> Path:
    arrays = ARRAYS | changed
    if kind == "npz":
        np.savez(path / "set.npz", **arrays)
        return path / "set.npz"
    if kind == "npy":
        (path / "set").mkdir()
        for name, values in arrays.items():
            np.save(path / "set" / f"{name}.npy", values)
        return path / "set"
    h5py = pytest.importorskip("h5py")
    with h5py.File(path / "set.h5", "w") as file:
        for name, values in arrays.items():
            file[name] = values
    return path / "set.h5"


def read(path: Path | None, **options: Any) -> DatasetContents:
    return load(ArraysOptions.model_validate(options), Context(dataset="arrays", path=path))


@pytest.mark.parametrize("kind", ["npz", "npy", "hdf5"])
def test_arrays_of_every_kind_give_the_same_images(kind: str, tmp_path: Path) -> None:
    contents = read(
        write(tmp_path, kind), classes=["spiral", "merger"], identifiers="name", attributes={"redshift": ""}
    )  # fmt: skip
    records = [record for record in contents.records() if isinstance(record, ImageRecord)]
    assert contents.task == Classification(classes=("spiral", "merger"))
    assert contents.count == N
    assert np.array_equal(np.stack([record.image for record in records]), IMAGES)
    assert {record.image.dtype for record in records} == {np.dtype(np.uint8)}
    assert [record.target for record in records] == ARRAYS["labels"].tolist()
    assert [record.source_id for record in records] == ["101", "102", "103", "104", "105", "106"]
    assert [record.attributes["redshift"] for record in records] == ARRAYS["redshift"].tolist()


def test_arrays_take_texts_as_classes_and_the_published_parts(tmp_path: Path) -> None:
    contents = read(write(tmp_path, "hdf5"), labels="kind", part="split")
    assert contents.task == Classification(classes=("merger", "spiral"))
    *records, last = contents.records()
    assert [(record.target, record.part) for record in records if isinstance(record, ImageRecord)] == [
        (1, "train"), (0, "train"), (1, "validation"), (0, "validation"), (0, "test"),
    ]  # fmt: skip
    assert isinstance(last, SkippedImage)
    assert "nowhere" in last.reason


def test_arrays_give_the_quantity_of_a_regression(tmp_path: Path) -> None:
    contents = read(write(tmp_path, "npz"), target={"name": "redshift", "minimum": 0, "maximum": 1})
    assert isinstance(contents.task, Regression)
    assert [record.target for record in contents.records() if isinstance(record, ImageRecord)] == [
        [value] for value in ARRAYS["redshift"].tolist()
    ]


def test_arrays_move_channels_that_come_first(tmp_path: Path) -> None:
    path = write(tmp_path, "npy", images=np.moveaxis(IMAGES, -1, 1))
    first = next(iter(read(path, classes=["a", "b"], channels_first=True).records()))
    assert isinstance(first, ImageRecord)
    assert np.array_equal(first.image, IMAGES[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "name their classes.*0 \\(3\\), 1 \\(3\\)"),
        ({"classes": ["a", "b", "c"]}, "should be 0 a, 1 b, 2 c"),
        ({"images": "pictures"}, "no array 'pictures'; there are: .*images.*kind"),
        ({"labels": "redshift"}, "texts or whole numbers"),
        ({"labels": "kind", "classes": ["spiral", "ring"]}, "should be spiral, ring"),
    ],
)
def test_arrays_say_what_is_wrong_with_labels_and_names(options: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read(write(tmp_path, "npz"), **options)


def test_arrays_of_different_lengths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="images 6, labels 5"):
        read(write(tmp_path, "npy", labels=np.zeros(5, int)), classes=["a", "b"])


def test_arrays_refuse_pickles_and_other_files(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", images=IMAGES, labels=np.array([{"a": 1}] * N, dtype=object))
    (tmp_path / "set.h5").write_bytes(b"not HDF5")
    for name in ("set.npz", "set.h5"):
        with pytest.raises(DataError, match=r"cannot be (read|opened)"):
            read(tmp_path / name, classes=["a", "b"])
    with pytest.raises(ConfigurationError, match="-d FILE"):
        read(None)


def test_shards_below_a_folder_are_one_set_with_chosen_bands(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    flux = Stream("test").generator().normal(size=(4, 3, 8, 9)).astype(np.float32)
    for pixel, rows in ((17, slice(0, 3)), (4, slice(3, 4))):
        folder = tmp_path / "datafiles" / f"healpix={pixel}"
        folder.mkdir(parents=True)
        with h5py.File(folder / "001-of-001.h5", "w") as file:
            file["image_array"] = flux[rows]
            file["image_band"] = np.array([[b"DES-G", b"DES-R", b"DES-Z"]] * 4)[rows]
            file["object_id"] = np.array([b"a", b"b", b"c", b"d"])[rows]
            file["gz10_label"] = np.array([0, 1, 1, 0])[rows]
            file["ra"], file["dec"] = np.arange(4.0)[rows], -np.arange(4.0)[rows]
    contents = read(
        tmp_path,
        images="image_array",
        labels="gz10_label",
        classes=["disturbed", "merging"],
        identifiers="object_id",
        attributes={"ra": "deg", "dec": "deg"},
        channels_first=True,
        bands=["DES-Z", "DES-G"],
    )
    assert contents.count == 4
    records = [record for record in contents.records() if isinstance(record, ImageRecord)]
    assert [record.source_id for record in records] == ["a", "b", "c", "d"]
    assert [record.target for record in records] == [0, 1, 1, 0]
    assert records[3].attributes == {"ra": 3.0, "dec": -3.0}
    assert all(
        np.array_equal(record.image, cube[[2, 0]].transpose(1, 2, 0))
        for record, cube in zip(records, flux, strict=True)
    )


def test_options_that_are_not_used_do_not_change_keys() -> None:
    assert not {"bands", "band_names"} & set(ArraysOptions().model_dump())
