"""Data sets in pickled batches: FR-DEEP-F, MiraBest and CRUMB."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from benchmarker import (
    Classification,
    DataError,
    DatasetContents,
    Download,
    ImageRecord,
    SkippedImage,
    UnsafePickleError,
)
from benchmarker.data.loading import Context
from benchmarker.data.remarks import collect_remarks
from benchmarker_radio.crumb import CrumbOptions
from benchmarker_radio.crumb import load as load_crumb
from benchmarker_radio.pickled_batches import (
    MIRABEST_CODES,
    MiraBestOptions,
    load_fr_deep,
    load_mirabest,
    mirabest_classes,
)

SIDE = 6


def image(value: int) -> Any:
    pixels = np.zeros(SIDE * SIDE, np.uint8)
    pixels[value % pixels.size] = 255
    pixels[-1] = value
    return pixels


def batch(labels: list[int], names: Sequence[str], images: Any, key: str = "labels") -> bytes:
    return pickle.dumps({"batch_label": "a batch", key: labels, "data": images, "filenames": names}, protocol=2)


def packed(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"F_batches/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


def mirabest_name(label: int, number: int = 0) -> str:
    return f"{MIRABEST_CODES[label]}_{number:03d}.485-000.490_0.0{label}64_0052.49.png"


def mirabest(path: Path, **changes: bytes) -> Path:
    labels = list(range(10))
    files = {
        "batches.meta": pickle.dumps({"label_names": list(MIRABEST_CODES), "num_vis": SIDE * SIDE}),
        "data_batch_1": batch(labels, [mirabest_name(k, 1) for k in labels], [image(k) for k in labels]),
        # Published variants use NumPy strings, a single array, or the key of CIFAR-100.
        "data_batch_2": batch(
            labels,
            [np.str_(mirabest_name(k, 2)) for k in labels],
            np.stack([image(k + 10) for k in labels]),
            "fine_labels",
        ),
        "test_batch": batch(labels, [mirabest_name(k, 3) for k in labels], [image(k + 20) for k in labels]),
    }
    return packed(path, {**files, **changes})


def load(path: Path, **options: Any) -> DatasetContents:
    return load_mirabest(MiraBestOptions(**options), Context(dataset="mirabest", path=path))


def fr_deep(path: Path) -> DatasetContents:
    return load_fr_deep(None, Context(dataset="fr-deep", path=path))


def images_of(contents: DatasetContents) -> list[ImageRecord]:
    return [record for record in contents.records() if isinstance(record, ImageRecord)]


def counts(contents: DatasetContents) -> dict[str, int]:
    assert isinstance(contents.task, Classification)
    names = [contents.task.classes[int(record.target)] for record in images_of(contents)]  # type: ignore[arg-type]
    return dict(Counter(names))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"FRI": 15, "FRII": 9}),
        ({"confidence": "certain"}, {"FRI": 9, "FRII": 6}),
        ({"classes": "morphology"}, {"FRI": 15, "FRII": 9, "Hybrid": 6}),
        ({"classes": "morphology", "confidence": "certain"}, {"FRI": 9, "FRII": 6, "Hybrid": 3}),
        ({"classes": "all"}, dict.fromkeys(MIRABEST_CODES, 3)),
        ({"classes": "all", "confidence": "certain"}, dict.fromkeys(("100", "102", "104", "200", "201", "300"), 3)),
    ],
)
def test_mirabest_classes_follow_the_options(options: dict[str, str], expected: dict[str, int], tmp_path: Path) -> None:
    contents = load(mirabest(tmp_path / "MiraBest_F_batches.tar.gz"), **options)
    assert isinstance(contents.task, Classification)
    assert contents.task.classes == tuple(expected)
    assert counts(contents) == expected


def test_mirabest_records_hold_parts_positions_and_pixels(tmp_path: Path) -> None:
    found = images_of(load(mirabest(tmp_path / "mine.tar.gz"), classes="all"))
    assert [record.part for record in found] == ["train"] * 20 + ["test"] * 10
    assert found[13].source_id == "002.485-000.490"
    assert dict(found[13].attributes) == {"ra": 2.485, "dec": -0.49, "redshift": 0.0364, "angular_size": 52.49}
    np.testing.assert_array_equal(found[13].image, image(13).reshape(SIDE, SIDE), strict=True)


def test_mirabest_labels_come_from_the_meta_file(tmp_path: Path) -> None:
    turned = pickle.dumps({"label_names": [f"{code} - a class" for code in reversed(MIRABEST_CODES)]})
    found = images_of(load(mirabest(tmp_path / "a.tar.gz", **{"batches.meta": turned}), classes="all"))
    assert [record.target for record in found[:10]] == list(range(9, -1, -1))


@pytest.mark.parametrize("names", [["100", "999"], ["FRI", "Hyb"]])
def test_mirabest_refuses_the_meta_file_of_another_set(names: list[str], tmp_path: Path) -> None:
    path = mirabest(tmp_path / "a.tar.gz", **{"batches.meta": pickle.dumps({"label_names": names})})
    with pytest.raises(DataError, match=f"batches.meta.*Received: {', '.join(names)}"):
        list(load(path).records())


def test_mirabest_refuses_misspelt_options() -> None:
    with pytest.raises(ValidationError):
        MiraBestOptions(classes="binry")
    assert set(mirabest_classes(MiraBestOptions())) == {"100", "102", "104", "110", "112", "200", "201", "210"}


@pytest.mark.parametrize("kind", ["folder", "folder with the archive"])
def test_mirabest_reads_folders_like_the_archive(kind: str, tmp_path: Path) -> None:
    path = mirabest(tmp_path / "MiraBest_F_batches.tar.gz")
    expected = [(record.source_id, record.target, record.part) for record in images_of(load(path))]
    if kind == "folder":
        with tarfile.open(path) as archive:
            archive.extractall(tmp_path / "unpacked", filter="data")
        found = load(tmp_path / "unpacked")
    else:
        found = load(tmp_path)
    assert [(record.source_id, record.target, record.part) for record in images_of(found)] == expected


def test_equal_images_or_positions_count_as_one_source(tmp_path: Path) -> None:
    names = ["100_001.000+001.000_x.png", "200_002.000+002.000_x.png", "300_001.000+001.000_y.png", "odd.png"]
    same = image(3)
    path = mirabest(
        tmp_path / "a.tar.gz",
        data_batch_1=batch([0, 5, 8, 1], names, [image(1), same, image(2), same]),
        data_batch_2=batch([2, 2], ["blank_1.png", "blank_2.png"], [np.zeros(4, np.uint8)] * 2),
        test_batch=batch([0], ["200_002.000+002.000_z.png"], [image(9)]),
    )
    sources = [record.source_id for record in images_of(load(path, classes="all"))]
    assert sources == [
        "001.000+001.000",
        "002.000+002.000",
        "001.000+001.000",
        "002.000+002.000",
        "blank_1",
        "blank_2",
        "002.000+002.000",
    ]


def test_image_that_is_not_square_is_skipped_by_name(tmp_path: Path) -> None:
    broken = batch([0, 0], ["a.png", "b.png"], [image(1), image(1)[:-1]])
    found = list(load(mirabest(tmp_path / "a.tar.gz", data_batch_1=broken)).records())
    skipped = [record for record in found if isinstance(record, SkippedImage)]
    assert [(record.name, record.reason) for record in skipped] == [
        ("data_batch_1/b.png", "35 values of uint8 are not a square image")
    ]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (pickle.dumps([1]), "mapping. Received: list"),
        (pickle.dumps({"data": []}), "data, labels and filenames"),
        (batch([0], ["a", "b"], [image(1)]), "1 images, 1 labels and 2 file names"),
        (batch([10], ["a.png"], [image(1)]), "a.png has the label 10"),
        (b"not a pickle", "not a pickle"),
    ],
)
def test_broken_batch_is_named(broken: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message) as caught:
        list(load(mirabest(tmp_path / "a.tar.gz", data_batch_1=broken)).records())
    assert "data_batch_1" in str(caught.value)


def test_batch_that_calls_os_system_is_refused_by_name(tmp_path: Path) -> None:
    witness = tmp_path / "was_here"

    class Evil:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {witness}",)

    path = mirabest(tmp_path / "a.tar.gz", data_batch_2=pickle.dumps({"data": [Evil()]}))
    with pytest.raises(UnsafePickleError, match=r"a\.tar\.gz: F_batches/data_batch_2 is refused.*posix\.system"):
        list(load(path).records())
    assert not witness.exists()


def test_folder_without_batches_names_the_expected_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="data_batch_1"):
        list(load(tmp_path).records())


def test_fr_deep_sources_are_numbered_within_their_class(tmp_path: Path) -> None:
    files = {
        "batches.meta": pickle.dumps({"label_names": ["FRII", "FRI"]}),
        "data_batch_1": batch([0, 1], ["1_example.png", "1_example.png"], [image(1), image(2)]),
        "test_batch": batch([1], ["2_example.png"], [image(3)]),
    }
    found = images_of(fr_deep(packed(tmp_path / "FIRST_PNG_dataset.tar.gz", files)))
    assert [(record.source_id, record.target, record.part) for record in found] == [
        ("FRII/1_example", 1, "train"),
        ("FRI/1_example", 0, "train"),
        ("FRI/2_example", 0, "test"),
    ]
    other = packed(tmp_path / "other.tar.gz", {**files, "batches.meta": pickle.dumps({"label_names": ["cat", "dog"]})})
    with pytest.raises(DataError, match=r"FRI and FRII\. Received: cat, dog"):
        list(fr_deep(other).records())


@pytest.mark.shared
def test_fr_deep_is_complete(shared_data: Path) -> None:
    contents = fr_deep(shared_data / "fr_deep")
    found = images_of(contents)
    assert Counter((record.part, record.target) for record in found) == {
        ("train", 0): 242,
        ("train", 1): 308,
        ("test", 0): 22,
        ("test", 1): 28,
    }
    assert {record.image.shape for record in found} == {(150, 150)}
    assert [record.source_id for record in found if not record.image.any()] == ["FRI/13_FRICAT_FR1_example"]
    twice = [source for source, n in Counter(record.source_id for record in found).items() if n > 1]
    assert twice == ["FRII/134_example"]
    assert len({record.source_id for record in found}) == 599


def test_mirabest_reads_lists_of_matrices(tmp_path: Path) -> None:
    matrices = [image(k).reshape(SIDE, SIDE) for k in range(10)]
    names = [np.str_(mirabest_name(k, 1)) for k in range(10)]
    contents = load(mirabest(tmp_path / "a.tar.gz", data_batch_1=batch(list(range(10)), names, matrices)))
    assert len(images_of(contents)) == 24
    record = next(record for record in images_of(contents) if record.source_id == "001.485-000.490")
    assert np.array_equal(record.image, matrices[0])
    assert record.attributes == {"ra": 1.485, "dec": -0.49, "redshift": 0.0064, "angular_size": 52.49}


def test_mirabest_refuses_two_sets_in_one_folder(tmp_path: Path) -> None:
    for folder in ("first", "nvss"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "test_batch").write_bytes(batch([0], [mirabest_name(0)], [image(1)]))
    with pytest.raises(DataError, match=r"first/test_batch and nvss/test_batch"):
        images_of(load(tmp_path))


def test_mirabest_takes_sub_classes_from_names_where_labels_are_only_fri_and_frii(tmp_path: Path) -> None:
    names = ["x/100_211.791_+026.313.png", "x/102_199.744_+016.316.png", "x/201_010.000_-009.284.png"]
    (tmp_path / "test_batch").write_bytes(batch([0, 0, 1], names, [image(k).reshape(SIDE, SIDE) for k in range(3)]))
    (tmp_path / "batches.meta").write_bytes(pickle.dumps({"label_names": ["FRI", "FRII"]}))
    contents = load(tmp_path, classes="all")
    assert {name: n for name, n in counts(contents).items() if n} == {"100": 1, "102": 1, "201": 1}
    assert images_of(contents)[2].attributes == {"ra": 10.0, "dec": -9.284}


@pytest.mark.shared
@pytest.mark.parametrize(
    ("archive", "options", "expected"),
    [
        ("full", {}, {"FRI": 591, "FRII": 631}),
        ("full", {"confidence": "certain"}, {"FRI": 397, "FRII": 436}),
        ("792", {}, {"FRI": 351, "FRII": 441}),
    ],
)
def test_published_mirabest_archive_is_complete(
    shared_data: Path, archive: str, options: dict[str, str], expected: dict[str, int]
) -> None:
    path = shared_data / "mirabest" / f"MiraBest_{archive}_batches.tar.gz"
    contents = load(path, **options)
    assert counts(contents) == expected
    assert isinstance(contents.task, Classification)
    classes = contents.task.classes
    expected_records: list[tuple[str, bytes, str]] = []
    with tarfile.open(path) as opened:
        for member in opened.getmembers():
            if not member.name.endswith(("test_batch", *(f"data_batch_{n}" for n in range(1, 9)))):
                continue
            batch_read = pickle.load(opened.extractfile(member))  # type: ignore[arg-type]
            for pixels, name in zip(batch_read["data"], batch_read["filenames"], strict=True):
                code = name.rpartition("/")[2][:3]
                if code[0] in "12" and (not options or code[1] == "0"):
                    part = "test" if member.name.endswith("test_batch") else "train"
                    expected_records.append(("FRI" if code[0] == "1" else "FRII", pixels.tobytes(), part))
    found = [(classes[int(r.target)], r.image.tobytes(), str(r.part)) for r in images_of(contents)]  # type: ignore[arg-type]
    assert Counter(found) == Counter(expected_records)


def test_mirabest_variants_are_downloaded_by_name_and_checked(tmp_path: Path) -> None:
    asked: list[str] = []

    class Asked(Context):
        def fetch(self, download: Download) -> Path:
            asked.append(download.filename)
            return mirabest(tmp_path / "set.tar.gz")

    for variant in (None, "F", "N", "full", "basic"):
        load_mirabest(MiraBestOptions.model_validate({"variant": variant}), Asked(dataset="mirabest"))
    assert asked == [f"MiraBest_{name}_batches.tar.gz" for name in ("F", "F", "N", "full", "basic")]
    assert "variant" not in MiraBestOptions().model_dump()


@pytest.mark.shared
def test_mirabest_of_another_variant_than_asked_for_is_refused(shared_data: Path) -> None:
    path = shared_data / "mirabest" / "MiraBest_full_batches.tar.gz"
    assert images_of(load(path, variant="full"))
    with pytest.raises(DataError, match="full"):
        images_of(load(path, variant="N"))


CRUMB_LABELS = [
    # published label, labels in MiraBest, FR-DEEP, AT17 and among hybrids
    (0, (0, 0, -1, -1)),
    (1, (-1, -1, 1, -1)),
    (0, (-1, -1, 1, -1)),  # published as FRI, although its only catalogue says FRII
    (1, (5, 0, -1, -1)),  # catalogues that disagree
    (0, (-1, 0, 2, -1)),  # bent sources are of either class
    (2, (9, -1, -1, 0)),
]


def crumb(path: Path, **options: Any) -> DatasetContents:
    names = [f"./CRUMB/PNG/Scaled_Final/{150 + n}.125_-0{n}.250.png" for n in range(len(CRUMB_LABELS))]
    content = {
        "labels": [label for label, _ in CRUMB_LABELS],
        "complete_labels": [list(others) for _, others in CRUMB_LABELS],
        "data": [image(n).reshape(SIDE, SIDE) for n in range(len(CRUMB_LABELS))],
        "filenames": names,
    }
    files = {
        "batches.meta": pickle.dumps({"label_names": ["FRI", "FRII", "Hyb"]}),
        "data_batch_1": pickle.dumps(content),
        "test_batch": batch([1], ["./CRUMB/PNG/Scaled_Final/200.5_+10.5.png"], [image(20)]),
    }
    context = Context(dataset="crumb", path=packed(path / "CRUMB_batches.tar.gz", files))
    return load_crumb(CrumbOptions(**options), context)


def test_crumb_holds_published_labels_parts_and_positions(tmp_path: Path) -> None:
    contents = crumb(tmp_path)
    with collect_remarks() as remarks:
        found = images_of(contents)
    assert [record.target for record in found] == [0, 1, 0, 1, 0, 2, 1]
    assert [record.part for record in found] == ["train"] * 6 + ["test"]
    assert found[1].attributes == {"ra": 151.125, "dec": -1.25}
    assert np.array_equal(found[1].image, image(1).reshape(SIDE, SIDE))
    assert [len(names) for names in remarks.values()] == [1]


def test_crumb_can_take_the_labels_on_which_catalogues_agree(tmp_path: Path) -> None:
    records = list(crumb(tmp_path, labels="catalogues").records())
    assert [record.target for record in records if isinstance(record, ImageRecord)] == [0, 1, 1, 0, 2, 1]
    (skipped,) = (record for record in records if isinstance(record, SkippedImage))
    assert "FRI and FRII" in skipped.reason
