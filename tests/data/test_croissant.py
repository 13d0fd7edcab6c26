"""Croissant: a validator accepts the metadata, and its reader finds every label and part in the table."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarker import Attribute, Classification, Dataset, Download, LabelledImages, Regression, RegressionTarget
from benchmarker.data.croissant import METADATA_FILE, TABLE_FILE, croissant, image_table
from benchmarker.data.splits import Parts

N = 6
PARTS = Parts(train=np.array([0, 3]), validation=np.array([1]), test=np.array([2, 5]), digest="0" * 64)
PUBLISHED = Download(
    filename="galaxies.zip", urls=("https://example.org/galaxies.zip", "https://example.com/g.zip"),
    checksum=f"sha256:{'ab' * 32}",
)  # fmt: skip


def dataset(**changes: Any) -> Dataset:
    facts: dict[str, Any] = {
        "name": "my-galaxies", "loader": "none:none", "licence": "CC-BY-4.0", "citation": "2021MNRAS.503.1828B",
        "homepage": "https://example.org/", "summary": "Galaxies", "downloads": (PUBLISHED,),
    }  # fmt: skip
    return Dataset(**{**facts, **changes})


def labelled(task: Classification | Regression, targets: np.ndarray[Any, Any]) -> LabelledImages:
    redshift = np.array([0.1, np.nan, 0.3, 1 / 3, 0.5, 0.6])
    return LabelledImages(
        task=task, images=np.zeros((N, 4, 4, 1), np.float32), targets=targets,
        source_ids=tuple(f'source "{k}", é' for k in range(N)), parts=(None,) * N,
        attributes={"redshift": Attribute(values=redshift, unit=""), "part": Attribute(values=redshift, unit="kpc")},
        skipped=(), digest="1" * 64,
    )  # fmt: skip


def of_classes() -> LabelledImages:
    return labelled(Classification(classes=("FRI", "FRII")), np.arange(N) % 2)


def written(data: LabelledImages, folder: Path) -> Path:
    (folder / TABLE_FILE).write_bytes(image_table(data, PARTS))
    path = folder / METADATA_FILE
    path.write_text(json.dumps(croissant(dataset(), data, PARTS, seed=8901)))
    return path


def test_metadata_are_valid_and_their_records_are_labels_and_parts(tmp_path: Path) -> None:
    reader = pytest.importorskip("mlcroissant")
    found = reader.Dataset(jsonld=str(written(of_classes(), tmp_path)))
    assert not found.metadata.ctx.issues.errors
    records = list(found.records("images"))
    assert [record["images/class"] for record in records] == [b"FRI", b"FRII"] * 3
    assert records[0]["images/source"].decode() == 'source "0", é'
    parts = [record["images/part"] for record in records]
    assert [part.decode() if isinstance(part, bytes) else "" for part in parts] == [
        "train", "validation", "test", "train", "", "test",
    ]  # fmt: skip
    assert records[3]["images/redshift"] == 1 / 3
    assert {record["splits/name"] for record in found.records("splits")} == {"train", "validation", "test"}


def test_metadata_name_licence_citation_and_checksums() -> None:
    found = croissant(dataset(), of_classes(), PARTS, seed=8901)
    assert (found["license"], found["citeAs"], found["url"]) == (
        "CC-BY-4.0", "2021MNRAS.503.1828B", "https://example.org/",
    )  # fmt: skip
    archive, table = found["distribution"]
    assert (archive["contentUrl"], archive["sha256"]) == (PUBLISHED.urls[0], "ab" * 32)
    assert table["sha256"] == hashlib.sha256(image_table(of_classes(), PARTS)).hexdigest()
    assert found["identifier"] == f"sha256:{'1' * 64}"


def test_metadata_carry_md5_where_only_that_is_published() -> None:
    old = Download(filename="a.tar.gz", urls=("https://example.org/a",), checksum=f"md5:{'c' * 32}")
    (archive, _table) = croissant(dataset(downloads=(old,)), of_classes(), PARTS, seed=1)["distribution"]
    assert archive["md5"] == "c" * 32
    assert "sha256" not in archive


def test_table_of_a_regression_has_values_and_units() -> None:
    task = Regression(targets=(RegressionTarget(name="inclination", unit="deg", minimum=0, maximum=90),))
    data = labelled(task, np.linspace(0, 90, N)[:, None])
    rows = list(csv.DictReader(image_table(data, None).decode().splitlines()))
    assert [float(row["inclination"]) for row in rows] == data.targets[:, 0].tolist()
    assert [row["redshift"] for row in rows][:2] == ["0.1", ""]
    assert {row["part"] for row in rows} == {""}
    assert rows[0]["attribute_part"] == "0.1"
    fields = {each["@id"]: each for each in croissant(dataset(), data, None, seed=None)["recordSet"][1]["field"]}
    assert "deg" in fields["images/inclination"]["description"]
    assert fields["images/attribute_part"]["source"]["extract"]["column"] == "attribute_part"
