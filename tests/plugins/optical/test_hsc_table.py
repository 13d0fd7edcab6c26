"""Galaxies as arrays of images and identifiers with a table, made in the layout of galaxyCGAN's files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarker import (
    Classification,
    ConfigurationError,
    DataError,
    ImageRecord,
    Preparation,
    Regression,
    SkippedImage,
    Stream,
)
from benchmarker.data.loading import Context
from benchmarker.data.prepared import prepare
from benchmarker.discovery import installed
from benchmarker.registry.options import validated_options
from benchmarker_optical.hsc_table import HscOptions, channels_last, load

TABLE = """\
id,HSC_id,selected,photo_z,log_mass
0,43158322417310580,True,0.10,8.5
1,43158322417310580,True,0.90,10.5
2,43158322417310581,False,0.10,8.5
3,43158322417310582,True,0.30,8.5
4,43158322417310583,True,0.10,9.0
5,43158322417310584,True,,8.5
6,43158322417310585,False,0.10,8.5
7,43158322417310585,True,0.14,8.9
"""
IDS = 43158322417310580 + np.arange(7)


class Given:
    """What the harness gives a reader of the user's files."""

    def __init__(self, path: Path | None) -> None:
        self.path = path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Seven images of 20 pixels, three of them of galaxies that cannot be used."""
    images = Stream("test-hsc").generator().normal(size=(7, 3, 20, 20)).astype(np.float32)
    np.save(tmp_path / "images.small.npy", images)
    np.save(tmp_path / "HSC_ids.npy", IDS)
    (tmp_path / "2018_02_23-all_objects.csv").write_text(TABLE)
    return tmp_path


def contents(folder: Path | None, **options: Any) -> Any:
    return load(HscOptions(**options), Given(folder))  # type: ignore[arg-type]


def test_first_selected_row_of_an_identifier_counts(folder: Path) -> None:
    found = contents(folder)
    assert found.task == Classification(classes=("other", "dwarf"))
    records = list(found.records())
    used = {each.source_id: each for each in records if isinstance(each, ImageRecord)}
    assert [name[-1] for name in used] == ["0", "2", "3", "5"]
    assert used[f"HSC {IDS[0]}"].attributes == {"redshift": 0.10, "log_stellar_mass": 8.5}
    assert [each.target for each in used.values()] == [1, 0, 0, 1]
    skipped = [each.name for each in records if isinstance(each, SkippedImage)]
    assert skipped == [f"HSC {IDS[k]}" for k in (1, 4, 6)]


def test_all_galaxies_are_used_without_a_column_of_selected_ones(folder: Path) -> None:
    """As in the second notebook of galaxyCGAN: rows are left out only if a number is missing."""
    path = folder / "2018_02_23-all_objects.csv"
    for text in (TABLE, TABLE.replace("selected", "anything")):
        path.write_text(text)
        records = list(contents(folder, selected_column=None).records())
        used = {each.source_id: each for each in records if isinstance(each, ImageRecord)}
        assert [name[-1] for name in used] == ["0", "1", "2", "3", "5"]
        assert used[f"HSC {IDS[5]}"].attributes == {"redshift": 0.10, "log_stellar_mass": 8.5}  # its first row


def test_images_keep_their_unit_and_have_their_channels_last(folder: Path) -> None:
    first = next(iter(contents(folder).records()))
    stored = np.load(folder / "images.small.npy")[0]
    assert first.image.shape == (20, 20, 3)
    assert np.array_equal(first.image[..., 1], stored[1])
    assert channels_last(np.zeros((20, 20, 3))).shape == (20, 20, 3)


def test_regression_has_the_range_of_the_table(folder: Path) -> None:
    found = contents(folder, target="redshift")
    assert isinstance(found.task, Regression)
    assert (found.task.targets[0].minimum, found.task.targets[0].maximum) == (0.10, 0.30)
    assert next(iter(found.records())).target == (0.10,)


def test_dataset_is_prepared_with_attributes(folder: Path, isolated_cache: Path) -> None:  # noqa: ARG001
    dataset = installed().dataset("hsc-galaxies")
    options = validated_options(dataset, {})
    prepared, _ = prepare(dataset, options, Preparation(normalise=False), Context(dataset=dataset.name, path=folder))
    assert len(prepared) == 4
    assert prepared.attributes["log_stellar_mass"].unit == "dex(solMass)"
    assert prepared.images.min() < 0


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("HSC_ids.npy", np.array([1, 1, 2, 3, 4, 5, 6]), "different whole numbers"),
        ("HSC_ids.npy", np.arange(6), "6 images were expected"),
        ("images.small.npy", np.zeros(7), "7 images were expected"),
        ("images.small.npy", None, "does not exist"),
        ("2018_02_23-all_objects.csv", "HSC_id,photo_z\n1,2\n", "no column log_mass, selected"),
        ("2018_02_23-all_objects.csv", TABLE.replace("True", "False"), "no row that is selected"),
        ("2018_02_23-all_objects.csv", None, "does not exist"),
    ],
)
def test_unusable_files_are_refused_by_name(folder: Path, name: str, content: Any, complaint: str) -> None:
    (folder / name).unlink()
    if isinstance(content, str):
        (folder / name).write_text(content)
    elif content is not None:
        np.save(folder / name, content)
    with pytest.raises(DataError, match=complaint):
        list(contents(folder).records())


def test_files_are_needed() -> None:
    with pytest.raises(ConfigurationError, match="-d FOLDER"):
        contents(None)
