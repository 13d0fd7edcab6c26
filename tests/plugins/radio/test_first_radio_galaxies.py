"""Dataset `first-radio-galaxies`: archives, folders and the published numbers."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarker import DataError, DatasetContents, ImageRecord, SkippedImage, UnsafeArchiveError
from benchmarker.data.loading import Context
from benchmarker.data.positions import pairs_within
from benchmarker_radio import first_radio_galaxies
from benchmarker_radio.first_radio_galaxies import CLASSES

PUBLISHED = {
    ("train", "FRI"): 395,
    ("train", "FRII"): 824,
    ("train", "Compact"): 291,
    ("train", "Bent"): 248,
    **{(part, name): 50 for part in ("validation", "test") for name in CLASSES},
}


def png(value: int = 200, mode: str = "L", size: int = 4) -> bytes:
    stream = io.BytesIO()
    pixels = np.zeros((size, size), np.uint8)
    pixels[1, 2] = value
    Image.fromarray(pixels).convert(mode).save(stream, "PNG")
    return stream.getvalue()


SMALL = {
    "galaxy_data/train/FRI/10.5_-1.25_0_MiraBest.png": png(1),
    "galaxy_data/all/FRI/10.5_-1.25_0_MiraBest.png": png(1),
    "galaxy_data/valid/FRII/11_2.5_1_Gendre.png": png(2),
    "galaxy_data/test/Compact/12.0_3_2_Baldi2018.png": png(3),
    "galaxy_data/test/Bent/13.0_4_3_Proctor_Tab1.png": png(4, "RGB"),
    "galaxy_data/test/Bent/unnamed.png": png(5),
    "galaxy_data/test/Bent/readme.txt": b"text",
    "__MACOSX/galaxy_data/test/Bent/._13.0_4_3_Proctor_Tab1.png": b"junk",
}


def zipped(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def unpacked(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def load(path: Path) -> DatasetContents:
    return first_radio_galaxies.load(None, Context(dataset="first-radio-galaxies", path=path))


def records(path: Path) -> list[ImageRecord]:
    found = list(load(path).records())
    assert all(isinstance(record, ImageRecord) for record in found)
    return [record for record in found if isinstance(record, ImageRecord)]


@pytest.mark.parametrize("kind", ["zip", "unpacked", "inner folder", "folder with the zip"])
def test_first_radio_galaxies_reads_zip_and_folder_alike(kind: str, tmp_path: Path) -> None:
    if kind == "zip":
        path = zipped(tmp_path / "mine.zip", SMALL)
    elif kind == "folder with the zip":
        path = zipped(tmp_path / "galaxy_data.zip", SMALL).parent
    else:
        path = unpacked(tmp_path, SMALL) / ("galaxy_data" if kind == "inner folder" else "")
    contents = load(path)
    found = records(path)
    described = [(r.source_id, r.part, CLASSES[int(r.target)], int(r.image[1, 2])) for r in found]  # type: ignore[arg-type]
    assert described == [
        ("13.0_4", "test", "Bent", 4),
        ("unnamed", "test", "Bent", 5),
        ("12.0_3", "test", "Compact", 3),
        ("10.5_-1.25", "train", "FRI", 1),
        ("11_2.5", "validation", "FRII", 2),
    ]
    assert contents.count == len(found)
    assert [dict(record.attributes) for record in found[:2]] == [{"ra": 13.0, "dec": 4.0}, {}]
    assert contents.attribute_units == {"ra": "deg", "dec": "deg"}
    assert all(record.image.shape == (4, 4) and record.image.dtype == np.uint8 for record in found)


def test_folder_all_is_read_only_without_a_split(tmp_path: Path) -> None:
    only_all = {name: data for name, data in SMALL.items() if "/all/" in name}
    assert [(r.source_id, r.part) for r in records(zipped(tmp_path / "all.zip", only_all))] == [("10.5_-1.25", None)]


def test_unreadable_image_is_skipped_by_name(tmp_path: Path) -> None:
    name = "galaxy_data/train/FRI/99_9_0_MiraBest.png"
    path = zipped(tmp_path / "mine.zip", {**SMALL, name: png()[:50]})
    skipped = [record for record in load(path).records() if isinstance(record, SkippedImage)]
    assert [record.name for record in skipped] == [name]
    assert "not a readable image" in skipped[0].reason


def test_huge_image_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarker.data.image_files._MOST_PIXELS", 15)
    (record, *_) = load(zipped(tmp_path / "mine.zip", SMALL)).records()
    assert isinstance(record, SkippedImage)
    assert record.reason == "4 x 4 pixels exceed the limit"


def test_unsafe_zip_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "evil.zip", {**SMALL, "galaxy_data/../../evil.png": png()})
    with pytest.raises(UnsafeArchiveError, match=r"evil\.png.*leads out"):
        list(load(path).records())


@pytest.mark.parametrize("files", [{}, {"images/FRX/a.png": png()}])
def test_folder_without_images_names_the_expected_layout(files: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train, valid and test.*galaxy_data\.zip"):
        load(unpacked(tmp_path, files))
    with pytest.raises(DataError, match=r"train, valid and test.*galaxy_data\.zip"):
        list(load(zipped(tmp_path / "other.zip", files)).records())


def test_signature_depends_on_the_content(tmp_path: Path) -> None:
    first = load(zipped(tmp_path / "a.zip", SMALL)).signature
    assert load(zipped(tmp_path / "a.zip", {**SMALL, "galaxy_data/train/FRI/1_1_0_x.png": png()})).signature != first
    assert str(tmp_path) not in str(first)


@pytest.mark.shared
def test_published_set_is_complete(shared_data: Path) -> None:
    found = records(shared_data / "first_radio_galaxies" / "galaxy_data.zip")
    assert Counter((record.part, CLASSES[int(record.target)]) for record in found) == PUBLISHED  # type: ignore[arg-type]
    assert len({record.source_id for record in found}) == 2158, "each source occurs once"
    assert {record.image.shape for record in found} == {(300, 300)}
    assert len({record.image.tobytes() for record in found}) == 2158, "each image occurs once"
    blank = [(record.source_id, record.part) for record in found if not record.image.any()]
    assert blank == [("22.446_0.776", "validation")]
    assert all(-12 < record.attributes["dec"] < 65 and 0 <= record.attributes["ra"] < 360 for record in found)


@pytest.mark.shared
@pytest.mark.long
def test_hdf5_has_the_same_images_in_the_same_parts(shared_data: Path) -> None:
    folder = shared_data / "first_radio_galaxies"
    png_set, hdf5_set = (
        Counter((record.part, record.target, record.image.tobytes()) for record in records(folder / name))
        for name in ("galaxy_data.zip", "galaxy_data_h5.zip")
    )
    assert hdf5_set == png_set


def _fold_file(path: Path, parts: list[str], first: int) -> None:
    h5py = pytest.importorskip("h5py")
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for number, part in enumerate(parts):
            group = file.create_group(f"data_{number}")
            group["Img"] = np.full((4, 4), first + number, np.uint8)
            group["Label_literature"] = float(number % 4)
            group["Split_literature"] = part
    zipped(path, {f"{path.stem}.h5": stream.getvalue()})


def test_fold_is_joined_with_the_test_part(tmp_path: Path) -> None:
    context = Context(dataset="first-radio-galaxies-folds", path=tmp_path)
    _fold_file(tmp_path / "galaxy_data_crossvalid_3_h5.zip", ["train"] * 4 + ["valid"] * 4, 10)
    with pytest.raises(DataError, match=r"galaxy_data_crossvalid_test_h5\.zip"):
        first_radio_galaxies.load_fold(first_radio_galaxies.FoldOptions(fold=3), context)
    _fold_file(tmp_path / "galaxy_data_crossvalid_test_h5.zip", ["test"] * 4, 50)
    contents = first_radio_galaxies.load_fold(first_radio_galaxies.FoldOptions(fold=3), context)
    found = [record for record in contents.records() if isinstance(record, ImageRecord)]
    assert Counter(record.part for record in found) == {"train": 4, "validation": 4, "test": 4}
    assert (found[-1].source_id, found[-1].target, int(found[-1].image[0, 0])) == ("test/data_3", 3, 53)
    assert len({record.source_id for record in found}) == 12
    with pytest.raises(DataError, match=r"galaxy_data_crossvalid_0_h5\.zip"):
        first_radio_galaxies.load_fold(first_radio_galaxies.FoldOptions(), context)


def test_all_folds_name_the_fold_of_each_source(tmp_path: Path) -> None:
    for fold in range(5):
        parts = ["valid" if number == fold else "train" for number in range(5)]
        _fold_file(tmp_path / f"galaxy_data_crossvalid_{fold}_h5.zip", parts, 10)
    _fold_file(tmp_path / "galaxy_data_crossvalid_test_h5.zip", ["test"] * 4, 50)
    context = Context(dataset="first-radio-galaxies-folds", path=tmp_path)
    contents = first_radio_galaxies.load_fold(first_radio_galaxies.FoldOptions(fold="all"), context)
    found = [record for record in contents.records() if isinstance(record, ImageRecord)]
    assert Counter(record.part for record in found) == {"train": 5, "test": 4}
    assert {record.source_id: dict(record.attributes) for record in found if record.part == "train"} == {
        f"data_{number}": {"fold": number} for number in range(5)
    }
    assert contents.attribute_units == {"fold": ""}


def test_hdf5_that_keeps_pixels_in_another_file_is_refused(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    secret, path = tmp_path / "id_rsa", tmp_path / "galaxies.h5"
    secret.write_bytes(bytes(range(16)))
    with h5py.File(path, "w") as file:
        file["data_0/Label_literature"], file["data_0/Split_literature"] = 0.0, "train"
        file["data_0"].create_dataset("Img", (4, 4), "u1", external=[(str(secret), 0, 16)])
    with pytest.raises(DataError, match="another file"):
        records(path)


@pytest.mark.shared
def test_published_fold_is_complete(shared_data: Path) -> None:
    pytest.importorskip("h5py")
    context = Context(dataset="first-radio-galaxies-folds", path=shared_data / "first_radio_galaxies")
    contents = first_radio_galaxies.load_fold(first_radio_galaxies.FoldOptions(fold=1), context)
    found = [record for record in contents.records() if isinstance(record, ImageRecord)]
    assert Counter(record.part for record in found) == {"train": 1405, "validation": 353, "test": 400}
    assert Counter(record.target for record in found if record.part == "test") == dict.fromkeys(range(4), 100)
    assert Counter(record.target for record in found) == {0: 495, 1: 924, 2: 391, 3: 348}


@pytest.mark.long
@pytest.mark.shared
def test_published_folds_together_are_those_of_the_files(shared_data: Path) -> None:
    pytest.importorskip("h5py")
    context = Context(dataset="first-radio-galaxies-folds", path=shared_data / "first_radio_galaxies")
    alone, together = (
        [
            record
            for record in first_radio_galaxies.load_fold(first_radio_galaxies.FoldOptions(fold=fold), context).records()
            if isinstance(record, ImageRecord)
        ]
        for fold in (4, "all")
    )
    assert {record.source_id: record.image.tobytes() for record in alone} == {
        record.source_id: record.image.tobytes() for record in together
    }
    assert {record.source_id for record in alone if record.part == "validation"} == {
        record.source_id for record in together if record.attributes.get("fold") == 4
    }
    assert Counter(record.attributes.get("fold") for record in together) == {
        0: 353,
        1: 353,
        2: 353,
        3: 353,
        4: 346,
        None: 400,
    }


@pytest.mark.long
@pytest.mark.shared
def test_published_fold_takes_positions_from_the_images_with_the_same_pixels(shared_data: Path) -> None:
    pytest.importorskip("h5py")
    context = Context(dataset="first-radio-galaxies-folds", path=shared_data / "first_radio_galaxies")
    contents = first_radio_galaxies.load_fold(first_radio_galaxies.FoldOptions(positions=True), context)
    found = [record for record in contents.records() if isinstance(record, ImageRecord)]
    where = np.array([[record.attributes.get(axis, np.nan) for axis in ("ra", "dec")] for record in found])
    assert np.isfinite(where).all(axis=1).sum() == 2157  # all but the blank one
    pairs, _ = pairs_within(where, 150.0)
    across = [pair for pair in pairs.tolist() if sum(found[k].part == "test" for k in pair) == 1]
    assert len({k for pair in across for k in pair if found[k].part == "test"}) == 11
