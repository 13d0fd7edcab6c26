"""Readable lists of which source is in which part."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from benchmarker import Classification, LabelledImages, Regression, RegressionTarget, Split
from benchmarker.data.splits import split_sources
from benchmarker.run.split_files import write_splits

N = 12


def images(task: Classification | Regression) -> LabelledImages:
    """Twelve sources with two images each."""
    names = tuple(f"3C {k:02}" for k in range(N) for _ in range(2))
    targets = np.repeat(np.arange(N) % 2, 2)
    if isinstance(task, Regression):
        targets = targets[:, None].astype(np.float64)
    return LabelledImages(
        task=task, images=np.zeros((2 * N, 8, 8, 1), np.float32), targets=targets, source_ids=names,
        parts=(None,) * (2 * N), attributes={}, skipped=(), digest="",
    )  # fmt: skip


def test_split_files_name_each_source_once(tmp_path: Path) -> None:
    data = images(Classification(classes=("FRI", "FRII")))
    seeds = (8901, 1826)
    parts = [split_sources(data, Split(train=3, validation=1), seed) for seed in seeds]
    write_splits(tmp_path, data, seeds, parts)
    for seed, one in zip(seeds, parts, strict=True):
        rows = list(csv.DictReader((tmp_path / "splits" / f"{seed}-{one.digest[:8]}.csv").open(encoding="utf-8")))
        assert len({row["source_id"] for row in rows}) == len(rows) == N
        assert {row["source_id"] for row in rows if row["part"] == "test"} == {data.source_ids[k] for k in one.test}
        assert {(row["part"], row["class"]) for row in rows} == {
            (part, label) for part in ("train", "validation", "test") for label in ("FRI", "FRII")
        }
        assert {row["images"] for row in rows} == {"2"}


def test_split_files_of_another_split_are_added(tmp_path: Path) -> None:
    data = images(Classification(classes=("FRI", "FRII")))
    for train in (3, 2, 3):
        write_splits(tmp_path, data, (1,), [split_sources(data, Split(train=train, validation=1), 1)])
    assert len(list((tmp_path / "splits").iterdir())) == 2


def test_split_files_of_a_regression_have_no_class(tmp_path: Path) -> None:
    data = images(Regression(targets=(RegressionTarget(name="redshift", unit="", minimum=0, maximum=1),)))
    write_splits(tmp_path, data, (1,), [split_sources(data, None, 1)])
    (path,) = (tmp_path / "splits").iterdir()
    assert path.read_text(encoding="utf-8").splitlines()[0] == "source_id,part,images"
