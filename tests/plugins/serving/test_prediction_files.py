"""What `benchmarker predict` reads and writes, without a network."""

from __future__ import annotations

import csv
import gc
import math
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from benchmarker import (
    Classification,
    ConfigurationError,
    DataError,
    Regression,
    RegressionTarget,
    SkippedImage,
    StorageError,
)
from benchmarker_serving.prediction.command import report_skipped
from benchmarker_serving.prediction.inputs import find_images, position
from benchmarker_serving.prediction.job import Job, Part, PartialResults, Prediction
from benchmarker_serving.prediction.output import columns, require_format, table_rows, write_table

CLASSES = Classification(classes=("FRI", "FRII"))
DEGREES = Regression(targets=(RegressionTarget(name="inclination", unit="deg", minimum=45, maximum=90),))


@pytest.fixture
def cutouts(tmp_path: Path) -> Path:
    folder = tmp_path / "cutouts"
    (folder / "deep").mkdir(parents=True)
    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 2.0, "CRPIX1": 2.5})
    header.update({"CRPIX2": 2.5, "CDELT1": -0.001, "CDELT2": 0.001})
    fits.PrimaryHDU(np.eye(4, dtype=">f4"), header).writeto(folder / "deep" / "b.fits")
    np.save(folder / "a.npy", np.eye(4))
    (folder / "notes.txt").write_text("not an image")
    return folder


def test_folder_gives_its_images_with_names(cutouts: Path) -> None:
    found = find_images(cutouts).images
    assert [(image.identifier, image.member.name) for image in found] == [("a", "a.npy"), ("deep/b", "deep/b.fits")]
    assert position(found[1].member.read()) == pytest.approx((150.0, 2.0))
    assert math.isnan(position(found[0].member.read())[0])


@pytest.mark.parametrize("suffix", [".csv", ".ecsv", ".fits", ".parquet"])
def test_catalogue_gives_identifiers_and_positions(cutouts: Path, suffix: str) -> None:
    table = Table({"Name": ["one", "two", "three"], "file": ["a.npy", "deep/b.fits", "c.fits"]})
    table["RA"], table["Dec"] = [10.0, 20.0, 30.0], [-1.0, -2.0, -3.0]
    path = cutouts / f"catalogue{suffix}"
    table.write(path, **({"format": "ascii.csv"} if suffix == ".csv" else {}))
    found = find_images(path)
    assert [(each.identifier, each.ra, each.dec) for each in found.images] == [("one", 10, -1), ("two", 20, -2)]
    assert [each.name for each in found.skipped] == ["c.fits"]


def test_single_image_is_no_catalogue(cutouts: Path) -> None:
    for name in ("a.npy", "deep/b.fits"):
        (found,) = find_images(cutouts / name).images
        assert found.member.read() == (cutouts / name).read_bytes()


def test_catalogue_cannot_name_files_outside_its_folder(cutouts: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "secret.npy", np.eye(4))
    (cutouts / "list.csv").write_text(f"file\n../secret.npy\n{tmp_path}/secret.npy\na.npy\n")
    found = find_images(cutouts / "list.csv")
    assert [each.member.name for each in found.images] == ["a.npy"]
    assert all("outside" in each.reason for each in found.skipped)
    assert len(find_images(cutouts / "list.csv", tmp_path).skipped) == 2  # a.npy is not in that folder


@pytest.mark.parametrize("suffix", [".ecsv", ".vot", ".parquet"])
def test_catalogue_is_read_as_its_name_says(suffix: str, cutouts: Path, tmp_path: Path) -> None:
    path = cutouts / f"list{suffix}"
    Table({"file": ["a.npy"]}).write(tmp_path / "list.hdf5", format="hdf5")
    path.write_bytes((tmp_path / "list.hdf5").read_bytes())
    with pytest.raises(DataError, match="cannot be read as a table"):
        find_images(path)


def test_data_without_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no such"):
        find_images(tmp_path / "nothing")
    with pytest.raises(DataError, match="no images"):
        find_images(tmp_path)
    (tmp_path / "list.csv").write_text("ra,dec\n1,2\n")
    with pytest.raises(ConfigurationError, match=r"list\.csv.*ra, dec"):
        find_images(tmp_path / "list.csv")


def row(identifier: str, values: tuple[float, ...] = (0.75, 0.25), **facts: Any) -> Prediction:
    unknown = {"ra": None, "dec": None, "spread": (None,) * len(values), "unlike": 0.5}
    return Prediction(identifier=identifier, file=f"{identifier}.fits", values=values, **{**unknown, **facts})


PARTS = [
    Part(rows=(row("a", ra=150.0, dec=2.0, spread=(0.1, 0.1), members=("FRI",)),), skipped=()),
    Part(rows=(row("=b", (0.5, 0.5), members=(), unlike=1.5),), skipped=(SkippedImage(name="c.fits", reason="blank"),)),
]


@pytest.mark.parametrize("suffix", [".csv", ".ecsv", ".fits", ".parquet"])
def test_tables_are_read_back_with_their_header(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    chunks = [table_rows(CLASSES, part.rows, [0.8, 0.8]) for part in PARTS]
    header = {"key_8901": "f" * 64, "network": "convxpress/real"}
    assert write_table(path, CLASSES, chunks, header, calibrated=True) == 2
    if suffix == ".csv":
        table = Table.read(path, format="ascii.csv", comment="#")
        assert f"# key_8901: {'f' * 64}\n" in path.read_text()
    else:
        table = Table.read(path)
    assert table.colnames == columns(CLASSES, calibrated=True)
    assert [str(each) for each in table["predicted"]] == ["FRI", "FRI"]
    assert np.asarray(table["p_FRI"], dtype=float).tolist() == [0.75, 0.5]
    assert [str(each).lower() for each in table["unlike"]] == ["false", "true"]
    assert str(table["id"][1]) == ("'=b" if suffix == ".csv" else "=b")
    if suffix == ".ecsv":
        assert table.meta["key_8901"] == "f" * 64
    if suffix == ".fits":
        assert fits.getheader(path, 1)["KEY 8901"] == "f" * 64
    if suffix == ".parquet":
        from pyarrow import parquet

        assert parquet.read_schema(path).metadata[b"benchmarker.key_8901"] == b"f" * 64


def test_intervals_of_a_regression_have_units(tmp_path: Path) -> None:
    rows = table_rows(DEGREES, [row("a", (60.0,), spread=(1.0,))], [5.0])
    write_table(tmp_path / "o.ecsv", DEGREES, [rows], {}, calibrated=True)
    table = Table.read(tmp_path / "o.ecsv")
    assert [float(table[f"inclination{s}"][0]) for s in ("", "_spread", "_low", "_high")] == [60, 1, 55, 65]
    assert str(table["inclination_low"].unit) == "deg"


@pytest.mark.parametrize("suffix", [".csv", ".ecsv", ".fits"])  # astropy reads no empty Parquet file
def test_table_without_usable_images_has_its_columns(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    assert write_table(path, CLASSES, [], {"network": "m/real"}, calibrated=True) == 0
    table = Table.read(path, format="ascii.csv", comment="#") if suffix == ".csv" else Table.read(path)
    assert table.colnames == columns(CLASSES, calibrated=True)
    assert len(table) == 0


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_memory_of_a_table_does_not_grow_with_its_rows(tmp_path: Path, suffix: str) -> None:
    rows = table_rows(CLASSES, [row(f"galaxy {k}", members=("FRI", "FRII")) for k in range(100)], [0.8, 0.8])
    write_table(tmp_path / f"warm{suffix}", CLASSES, [rows], {}, calibrated=True)  # imports are paid once

    def peak(n: int) -> int:
        gc.collect()
        tracemalloc.start()
        try:
            assert write_table(tmp_path / f"{n}{suffix}", CLASSES, (rows for _ in range(n)), {}, calibrated=True)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(64) < 3 * peak(8)  # Parquet keeps some numbers of each piece until the end


def test_skipped_images_are_listed_beside_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    skipped = [SkippedImage(name=f"{k}.fits", reason="every pixel is NaN, or blank") for k in range(12)]
    report_skipped(tmp_path / "out.fits", iter(skipped))
    with (tmp_path / "out.skipped.csv").open(newline="") as stream:
        assert [row["file"] for row in csv.DictReader(stream)] == [each.name for each in skipped]
    shown = capsys.readouterr().err
    assert "12 image(s)" in shown
    assert "9.fits" in shown
    assert "10.fits" not in shown
    report_skipped(tmp_path / "out.fits", [])
    assert list(tmp_path.iterdir()) == []


def test_damaged_parts_are_named(tmp_path: Path) -> None:
    partial = PartialResults(tmp_path / "out.csv")
    partial.begin(job())
    partial.write(0, PARTS[0])
    (file,) = partial.folder.glob("part-*.json")
    file.write_bytes(file.read_bytes().replace(b"150.0", b'"east"'))
    with pytest.raises(StorageError, match=r"part-000000\.json"):
        list(partial.parts())


def test_unknown_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"\.parquet"):
        require_format(tmp_path / "out.xlsx")


def job(**changes: Any) -> Job:
    settings: dict[str, Any] = {
        "study": "s", "selector": "m/real", "seeds": (1, 2), "checkpoint": "best", "weights": ("a", "b"), "data": "d",
        "images": None, "signature": "0", "study_data": None, "calibrate": True, "coverage": 0.9, "per_class": False,
        "unlike": 0.01,
    }  # fmt: skip
    return Job(**{**settings, **changes})


def test_interrupted_predictions_continue_only_for_the_same_job(tmp_path: Path) -> None:
    partial = PartialResults(tmp_path / "out.csv")
    assert partial.begin(job()) == 0
    partial.write(0, PARTS[0])
    assert PartialResults(tmp_path / "out.csv").begin(Job.from_json(job().to_json())) == 1
    assert list(partial.parts()) == [PARTS[0]]
    assert partial.begin(job(signature="1")) == 0  # the images have changed
    assert list(partial.parts()) == []
