"""Augmentation `inclination-uniform` and dataset `inclination`: bins, kinds, shapes, and the eight spirals."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarker import (
    Classification,
    ConfigurationError,
    ImageRecord,
    Regression,
    RegressionTarget,
    SkippedImage,
    Stream,
    Task,
)
from benchmarker.data.loading import Context
from benchmarker.discovery import discover
from benchmarker_inclination.batch_files import bins_of
from benchmarker_inclination.catalogue_images import InclinationOptions, load
from benchmarker_inclination.uniform import UniformOptions, UniformTrainingSet, expand

INCLINATION = Regression(targets=(RegressionTarget(name="inclination", unit="deg", minimum=45, maximum=90),))


class _Images:
    """A training set of discs of given inclination, in colour unless `grey`."""

    def __init__(
        self, degrees: list[float], *, grey: bool = False, task: Task = INCLINATION, scale: float = 1.0
    ) -> None:
        self.task = task
        self.targets: NDArray[Any] = np.array(degrees)[:, None]
        y, x = np.mgrid[-1:1:24j, -1:1:24j]
        shapes = [np.exp(-8 * (x**2 + (y / max(np.cos(np.radians(i)), 0.2)) ** 2)) for i in degrees]
        colour = np.array([1.0, 1.0, 1.0] if grey else [0.5, 0.9, 1.0])
        self._images: NDArray[np.float32] = (scale * np.stack(shapes)[..., None] * colour).astype(np.float32)
        self.image_shape = (24, 24, 3)

    def __len__(self) -> int:
        return len(self._images)

    def batch(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.array(self._images[indices])


DEGREES = [45.0, 47.2, 50.0, 50.1, 63.0, 63.5, 88.0]


def _expanded(base: _Images, **options: Any) -> UniformTrainingSet:
    made = expand(base, UniformOptions(**options), Stream("test", seed=1))
    assert isinstance(made, UniformTrainingSet)
    return made


def test_uniform_fills_every_bin_equally_with_both_kinds() -> None:
    made = _expanded(_Images(DEGREES), per_bin=6)
    kinds = Counter((int(k), slot.colour) for k, slot in zip(bins_of(made.targets[:, 0]), made.slots, strict=True))
    assert kinds == {(k, colour): 6 for k in (0, 1, 3, 8) for colour in (True, False)}
    assert sum(slot.inverted for slot in made.slots) == 12
    assert not any(slot.inverted and slot.colour for slot in made.slots)
    assert {slot.channel for slot in made.slots if not slot.colour} == {0, 1, 2}


def test_uniform_by_default_brings_every_bin_to_the_fullest() -> None:
    assert len(_expanded(_Images(DEGREES))) == 2 * 4 * 3


def test_uniform_renders_the_same_image_in_any_batch() -> None:
    made = _expanded(_Images(DEGREES), per_bin=4)
    everything = made.batch(np.arange(len(made)))
    assert everything.dtype == np.float32
    assert 0 <= everything.min() < everything.max() <= 1
    for k in (0, 5, len(made) - 1):
        np.testing.assert_array_equal(made.batch(np.array([k]))[0], everything[k])
    grey = np.array([not slot.colour for slot in made.slots])
    assert (everything[grey] == everything[grey][..., :1]).all()
    assert len({image.tobytes() for image in everything}) == len(made)
    other = expand(_Images(DEGREES), UniformOptions(per_bin=4), Stream("test", seed=2))
    assert not np.array_equal(other.batch(np.arange(len(made))), everything)


def test_uniform_takes_grey_images_of_the_set_where_there_are_some() -> None:
    made = _expanded(_Images(DEGREES, grey=True), per_bin=8)
    assert not any(slot.colour for slot in made.slots)
    assert {slot.channel for slot in made.slots} == {None}


@pytest.mark.parametrize(("keep_shape", "varies"), [(True, False), (False, True)])
def test_keep_shape_keeps_the_axis_ratio(keep_shape: bool, varies: bool) -> None:
    from benchmarker_inclination.transforms import Recipe, transform_one

    disc = _Images([60.0]).batch(np.array([0]))[0].astype(np.float64) * 255
    ratios = []
    for number in range(60):
        image = transform_one(disc, Recipe(colour=True, keep_shape=keep_shape), Stream("shape", seed=1), number)
        light = image.mean(axis=-1)
        light = np.maximum(light - np.median(light) - 40, 0)
        if light[[0, -1]].any() or light[:, [0, -1]].any() or not light.any():
            continue  # moved out of the frame, or filled with something bright
        y, x = np.mgrid[:24, :24]
        moments = np.cov(np.stack([x.ravel(), y.ravel()]), aweights=light.ravel())
        low, high = np.linalg.eigvalsh(moments)
        ratios.append(float(np.sqrt(low / high)))
    assert len(ratios) > 8
    assert bool(np.std(ratios) > 0.05) == varies


@pytest.mark.parametrize(
    ("base", "options", "message"),
    [
        (_Images(DEGREES, task=Classification(classes=("a", "b"))), {}, "regression of one inclination"),
        (_Images([30.0, 60.0]), {}, "30 to 60"),
        (_Images(DEGREES, scale=40.0), {}, "normalise"),
        (_Images([60.0] * 9), {"per_bin": 2}, "raise per_bin"),
    ],
)
def test_uniform_refuses_what_it_cannot_fill(base: _Images, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        expand(base, UniformOptions(**options), Stream("test", seed=1))


def test_inclination_reads_the_catalogue_in_four_bands(shared_data: Path) -> None:
    options = InclinationOptions(size=32)
    contents = load(options, Context(dataset="inclination", path=shared_data / "inclination"))
    records = [record for record in contents.records() if isinstance(record, ImageRecord)]
    assert contents.count == len(records) == 20
    assert {(r.source_id, r.target) for r in records} == {
        ("pgc44182", (61.0,)), ("pgc676", (71.0,)), ("pgc2148", (80.0,)), ("pgc6864", (81.0,)), ("pgc354", (56.0,)),
    }  # fmt: skip
    for record in records:
        assert record.image.shape == (32, 32, 3)
        assert 0 <= record.image.min() < record.image.max() <= 1
        grey = bool((record.image == record.image[..., :1]).all())
        assert grey is (record.attributes["band"] > 0)


def test_inclination_gives_rejected_galaxies_as_classes(shared_data: Path) -> None:
    options = InclinationOptions(size=16, target="rejected", bands=("gri",))
    contents = load(options, Context(dataset="inclination", path=shared_data / "inclination"))
    assert contents.task == Classification(classes=("accepted", "rejected"))
    records = [record for record in contents.records() if isinstance(record, ImageRecord)]
    assert {r.source_id for r in records if r.target == 1} == {"pgc118", "pgc129", "pgc56987"}
    assert len(records) == 8


def test_inclination_reports_missing_images_and_needs_a_folder(tmp_path: Path) -> None:
    (tmp_path / "catalog.csv").write_text("pgc|inc|inc_flg|fon|inc_note\n17|60|0||\n", encoding="utf-8")
    contents = load(InclinationOptions(bands=("g",)), Context(dataset="inclination", path=tmp_path))
    assert list(contents.records()) == [SkippedImage(name="pgc17", reason="it has no g image")]
    with pytest.raises(ConfigurationError, match="-d"):
        load(InclinationOptions(), Context(dataset="inclination"))
    assert discover().dataset("inclination").split is not None
