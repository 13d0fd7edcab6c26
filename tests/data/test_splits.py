"""Sources are divided by seed, never images, and the order of the images plays no role."""

from __future__ import annotations

import dataclasses
import random  # noqa: TID251 - what the radio framework calls
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from benchmarker import Attribute, Classification, LabelledImages, Part, Regression, RegressionTarget, Split, Stream
from benchmarker.contracts.folds import fold_seeds
from benchmarker.data.caveats import data_caveats
from benchmarker.data.splits import Parts, split_sources
from benchmarker.errors import SplitError

CLASSES = ("compact", "FRI", "FRII")
INCLINATION = Regression(targets=(RegressionTarget(name="inclination", unit="deg", minimum=45, maximum=90),))
Row = tuple[str, Any, Part | None]


def _labelled(rows: Sequence[Row], task: Classification | Regression | None = None) -> LabelledImages:
    return LabelledImages(
        task=task or Classification(classes=CLASSES),
        images=np.zeros((len(rows), 1, 1, 1), dtype=np.float32),
        targets=np.array([target for _, target, _ in rows]),
        source_ids=tuple(source for source, _, _ in rows),
        parts=tuple(part for _, _, part in rows),
        attributes={},
        skipped=(),
        digest="",
    )


def _rows(per_class: int = 20, *, images: int = 1) -> list[Row]:
    return [(f"J{label}{k:03d}", label, None) for label in range(3) for k in range(per_class) for _ in range(images)]


def _sources(data: LabelledImages, parts: Parts) -> dict[str, list[str]]:
    indices = {"train": parts.train, "validation": parts.validation, "test": parts.test}
    return {name: sorted(data.source_ids[k] for k in chosen) for name, chosen in indices.items()}


def _per_class(data: LabelledImages, indices: Any) -> list[int]:
    return [int(count) for count in np.bincount(data.targets[indices], minlength=3)]


def test_split_puts_every_image_into_one_part() -> None:
    data = _labelled(_rows(images=2))
    parts = split_sources(data, None, 8901)
    everything = np.concatenate([parts.train, parts.validation, parts.test])
    assert sorted(everything.tolist()) == list(range(len(data)))
    for chosen in (parts.train, parts.validation, parts.test):
        assert chosen.dtype == np.int64
        assert chosen.tolist() == sorted(chosen.tolist())


def test_split_keeps_images_of_a_source_together_even_if_their_labels_differ() -> None:
    rows = _rows(images=3)
    rows[1] = (rows[1][0], 2, None)
    data = _labelled(rows)
    for seed in range(5):
        sources = _sources(data, split_sources(data, None, seed))
        owners = Counter(source for chosen in sources.values() for source in set(chosen))
        assert set(owners.values()) == {1}
        assert all(count == 3 for chosen in sources.values() for count in Counter(chosen).values())


def test_split_is_70_15_15_per_cent_by_default() -> None:
    data = _labelled(_rows(20))
    parts = split_sources(data, None, 1)
    assert [_per_class(data, part) for part in (parts.train, parts.validation, parts.test)] == [
        [14, 14, 14],
        [3, 3, 3],
        [3, 3, 3],
    ]


def test_split_counts_sources_of_each_class() -> None:
    data = _labelled([*_rows(20, images=2), *((f"K{k}", 1, None) for k in range(7))])
    parts = split_sources(data, Split(train=10, validation=4), 1)
    sources = {name: Counter(source[:2] for source in set(chosen)) for name, chosen in _sources(data, parts).items()}
    assert sum(sources["train"].values()) == 30
    assert sources["train"]["J0"] == sources["train"]["J2"] == 10
    assert sources["validation"]["J0"] == sources["validation"]["J2"] == 4
    assert sources["train"]["J1"] + sum(sources["train"][f"K{k}"] for k in range(7)) == 10
    assert sources["test"]["J0"] == sources["test"]["J2"] == 6
    assert sum(sources["test"].values()) == 6 + 6 + 13


def test_split_takes_fractions_of_each_class() -> None:
    data = _labelled([*_rows(10), *((f"K{k}", 0, None) for k in range(30))])
    parts = split_sources(data, Split(train=0.5, validation=0.2), 1)
    assert _per_class(data, parts.train) == [20, 5, 5]
    assert _per_class(data, parts.validation) == [8, 2, 2]
    assert _per_class(data, parts.test) == [12, 3, 3]


def test_split_does_not_depend_on_the_order_of_the_images() -> None:
    rows = [*_rows(images=2), *((f"J0{k:03d}", 2, None) for k in range(20))]  # some experts disagree on class 0
    shuffled = [rows[k] for k in Stream("shuffle").generator().permutation(len(rows))]
    one, other = _labelled(rows), _labelled(shuffled)
    first, second = split_sources(one, None, 8901), split_sources(other, None, 8901)
    assert _sources(one, first) == _sources(other, second)
    assert first.digest == second.digest
    assert not np.array_equal(first.train, second.train)


def test_split_depends_on_the_seed() -> None:
    data = _labelled(_rows())
    splits = [split_sources(data, None, seed) for seed in (8901, 8901, 1826, 4915)]
    assert splits[0].digest == splits[1].digest
    assert len({parts.digest for parts in splits}) == 3
    assert _sources(data, splits[0])["test"] != _sources(data, splits[2])["test"]


def test_split_shuffles_each_class_separately() -> None:
    data = _labelled(_rows())
    sources = _sources(data, split_sources(data, None, 1))["train"]
    assert len({tuple(source[2:] for source in sources if source[1] == str(label)) for label in range(3)}) == 3


def test_split_of_a_class_does_not_depend_on_other_classes() -> None:
    both = _labelled(_rows())
    one = _labelled([row for row in _rows() if row[1] != 2], Classification(classes=CLASSES[:2]))
    all_sources, fewer = (_sources(data, split_sources(data, Split(train=9, validation=3), 1)) for data in (both, one))
    with_two = {part: [source for source in chosen if source[1] != "2"] for part, chosen in all_sources.items()}
    assert with_two == fewer


@pytest.mark.parametrize(
    ("split", "described"),
    [
        (Split(train=4, validation=1), "FRI has 5 source(s): 4 for training and 1 for validation leave 0 for testing"),
        (Split(train=9, validation=9), "FRI has 5 source(s): 9 for training and 9 for validation leave 0 for testing"),
        (
            Split(train=0.05, validation=0.2),
            "FRI has 5 source(s): 0 for training and 1 for validation leave 4 for testing",
        ),
    ],
)
def test_split_with_too_few_sources_names_every_class(split: Split, described: str) -> None:
    rows = [row for row in _rows(20) if row[1] == 0 or row[0][2:] < "005"]
    with pytest.raises(SplitError) as caught:
        split_sources(_labelled(rows), split, 1)
    message = str(caught.value)
    assert described in message
    assert described.replace("FRI", "FRII") in message
    assert "compact" not in message
    assert "-t and -v" in message


def test_split_names_a_class_without_sources() -> None:
    with pytest.raises(SplitError, match="FRII has 0 source"):
        split_sources(_labelled([row for row in _rows() if row[1] != 2]), None, 1)


def _published(validation: bool = True) -> list[Row]:
    last: Part = "validation" if validation else "train"
    first: Part = "train"
    parts: list[Part] = [*[first] * 6, last, last, "test", "test"]
    return [(f"J{label}{k:03d}", label, parts[k]) for label in range(3) for k in range(10)]


def test_published_split_is_the_same_for_every_seed() -> None:
    rows = _published()
    for seed in (1, 2):
        parts = split_sources(_labelled(rows), None, seed)
        for name, chosen in (("train", parts.train), ("validation", parts.validation), ("test", parts.test)):
            assert chosen.tolist() == [k for k, (_, _, part) in enumerate(rows) if part == name]
        assert parts.shared_sources == ()


def test_published_split_never_trains_on_tested_sources() -> None:
    rows: list[Row] = [
        *_published(),
        ("J0009", 0, "train"),
        ("J0007", 0, "train"),
        ("J0008", 0, "validation"),
        ("J0000", 0, "train"),
    ]
    data = _labelled(rows)
    parts = split_sources(data, None, 1)
    published_test = [k for k, (_, _, part) in enumerate(rows) if part == "test"]
    assert parts.test.tolist() == published_test
    assert 30 not in parts.train  # tested
    assert 31 not in parts.train  # validated
    assert 32 not in parts.validation  # tested
    assert 33 in parts.train  # a second image of a source of the same part
    sources = {name: set(chosen) for name, chosen in _sources(data, parts).items()}
    assert not sources["train"] & (sources["validation"] | sources["test"])
    assert not sources["validation"] & sources["test"]
    assert parts.shared_sources == ("J0007", "J0008", "J0009")


def test_published_split_without_validation_draws_it_from_training() -> None:
    rows = _published(validation=False)
    data = _labelled(rows)
    first, again, other = (split_sources(data, None, seed) for seed in (1, 1, 2))
    assert _per_class(data, first.train) == [6, 6, 6]  # a fifth of eight is two
    assert _per_class(data, first.validation) == [2, 2, 2]
    assert first.test.tolist() == [k for k, (_, _, part) in enumerate(rows) if part == "test"]
    assert all(data.parts[k] == "train" for k in [*first.train, *first.validation])
    assert not set(first.train.tolist()) & set(first.validation.tolist())
    assert first.digest == again.digest != other.digest
    counted = split_sources(data, Split(validation=3), 1)
    assert _per_class(data, counted.validation) == [3, 3, 3]
    assert _per_class(data, counted.train) == [5, 5, 5]


def test_drawn_validation_keeps_images_of_a_source_together() -> None:
    rows = [row for row in _published(validation=False) for _ in range(2)]
    data = _labelled(rows)
    sources = _sources(data, split_sources(data, None, 1))
    assert not set(sources["train"]) & set(sources["validation"])
    assert all(count == 2 for chosen in sources.values() for count in Counter(chosen).values())


def test_counts_replace_a_published_split_unless_it_is_requested() -> None:
    data = _labelled(_published())
    drawn = split_sources(data, Split(train=5, validation=2), 1)
    assert _per_class(data, drawn.test) == [3, 3, 3]
    kept = split_sources(data, Split(published=True), 1)
    assert _per_class(data, kept.test) == [2, 2, 2]
    ignored = split_sources(data, Split(published=False), 1)
    assert _per_class(data, ignored.train) == [7, 7, 7]


def test_images_without_a_published_part_are_not_used() -> None:
    rows: list[Row] = [*_published(), ("J0100", 0, None)]
    parts = split_sources(_labelled(rows), None, 1)
    assert 30 not in np.concatenate([parts.train, parts.validation, parts.test])


@pytest.mark.parametrize("missing", ["train", "test"])
def test_published_split_needs_a_training_and_a_test_part(missing: str) -> None:
    rows = [row for row in _published() if row[2] != missing]
    with pytest.raises(SplitError, match=f"no {missing} part"):
        split_sources(_labelled(rows), None, 1)


def test_published_split_cannot_be_requested_if_there_is_none() -> None:
    with pytest.raises(SplitError, match="no published split"):
        split_sources(_labelled(_rows()), Split(published=True), 1)


@pytest.mark.parametrize("leaking", ["train", "validation"])
def test_published_part_with_only_shared_sources_is_refused(leaking: Part) -> None:
    test_sources = [row for row in _published() if row[2] == "test"]
    rows = [row for row in _published() if row[2] != leaking]
    rows += [(source, label, leaking) for source, label, _ in test_sources]
    with pytest.raises(SplitError, match=leaking):
        split_sources(_labelled(rows), None, 1)


def test_drawn_validation_with_too_few_sources_names_every_class() -> None:
    rows = [row for row in _published(validation=False) if row[1] == 0 or row[2] == "test" or row[0].endswith("0")]
    with pytest.raises(SplitError) as caught:
        split_sources(_labelled(rows), None, 1)
    assert "FRI has 1 source" in str(caught.value)
    assert "FRII has 1 source" in str(caught.value)


def test_bagging_draws_another_fraction_for_each_seed() -> None:
    data = _labelled(_published())
    whole = set(split_sources(data, None, 1).train.tolist())
    bags = [split_sources(data, Split(bagging=0.5), seed) for seed in (1, 1, 2)]
    for bag in bags:
        assert len(bag.train) == 9
        assert set(bag.train.tolist()) < whole
    assert bags[0].train.tolist() == bags[1].train.tolist() != bags[2].train.tolist()
    assert bags[0].test.tolist() == bags[2].test.tolist()
    assert bags[0].validation.tolist() == bags[2].validation.tolist()


def test_bagging_keeps_a_source_of_every_class() -> None:
    rows: list[Row] = [(f"J0{k:03d}", 0, None) for k in range(100)]
    rows += [(f"J{label}{k:03d}", label, None) for label in (1, 2) for k in range(7)]
    data = _labelled(rows)
    for seed in range(10):
        assert min(_per_class(data, split_sources(data, Split(bagging=0.2), seed).train)) >= 1


def test_bagging_keeps_images_of_a_source_together() -> None:
    data = _labelled(_rows(10, images=3))
    train = _sources(data, split_sources(data, Split(bagging=0.5), 1))["train"]
    assert set(Counter(train).values()) == {3}


def test_test_seed_gives_bags_of_all_seeds_one_test_part() -> None:
    data = _labelled(_rows(20, images=2))
    split = Split(train=0.7, validation=0.15, bagging=0.67, test_seed=100)
    first, second = (split_sources(data, split, seed) for seed in (1, 2))
    alone = split_sources(data, Split(train=0.7, validation=0.15), 100)
    assert first.test.tolist() == second.test.tolist() == alone.test.tolist()
    assert first.train.tolist() != second.train.tolist()
    assert first.validation.tolist() != second.validation.tolist()
    for parts in (first, second):
        train, validation, test = (set(chosen) for chosen in _sources(data, parts).values())
        assert len(train) + len(validation) + len(test) == len(train | validation | test)
        assert _per_class(data, parts.train) == [18, 18, 18]  # 67 % of 14 sources with two images each


def test_test_seed_is_refused_with_a_published_split() -> None:
    with pytest.raises(SplitError, match="test_seed"):
        split_sources(_labelled(_published()), Split(test_seed=1), 1)


def test_folds_test_every_source_once_under_each_seed() -> None:
    data = _labelled(_rows(23, images=2))
    for seed in (8901, 7):
        cells = [split_sources(data, Split(folds=5), cell) for cell in fold_seeds([seed], 5)]
        sources = [_sources(data, parts) for parts in cells]
        assert sorted(name for parts in sources for name in set(parts["test"])) == sorted(set(data.source_ids))
        for parts, named in zip(cells, sources, strict=True):
            train, validation, test = (set(chosen) for chosen in named.values())
            assert not train & validation
            assert not (train | validation) & test
            assert train | validation | test == set(data.source_ids)
            assert all(4 * 2 <= count <= 5 * 2 for count in _per_class(data, parts.test))
            assert _per_class(data, parts.validation) == [
                2 * round(0.15 * (23 - n // 2)) for n in _per_class(data, parts.test)
            ]
    sizes = [len(parts.test) for parts in cells]
    assert max(sizes) - min(sizes) <= 2  # remainders of classes are spread over the folds


def test_another_seed_draws_other_folds_whatever_the_order_of_images() -> None:
    rows = _rows(20)
    data, turned = _labelled(rows), _labelled(rows[::-1])
    one, same, other = (
        _sources(images, split_sources(images, Split(folds=4), cell))["test"]
        for images, cell in ((data, 101), (turned, 101), (data, 201))
    )
    assert one == same
    assert one != other


@pytest.mark.parametrize("seed", [6, 100, 106, 890100])
def test_a_seed_that_names_no_fold_is_refused(seed: int) -> None:
    with pytest.raises(SplitError, match=r"split\.folds"):
        split_sources(_labelled(_rows()), Split(folds=5), seed)


def test_folds_with_too_few_sources_name_the_class() -> None:
    with pytest.raises(SplitError, match="compact has 4"):
        split_sources(_labelled(_rows(4)), Split(folds=5), 101)


@pytest.mark.parametrize("other", [{"train": 5}, {"test_seed": 3}, {"draw": "manifest"}])
def test_folds_exclude_other_ways_to_choose_the_test_part(other: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="folds"):
        Split(folds=5, **other)


def test_regression_is_split_as_one_group() -> None:
    rows: list[Row] = [(f"J{k // 2:03d}", [45.0 + k], None) for k in range(40)]
    data = _labelled(rows, INCLINATION)
    parts = split_sources(data, Split(train=12, validation=3), 1)
    sources = _sources(data, parts)
    assert [len(set(chosen)) for chosen in sources.values()] == [12, 3, 5]
    assert [len(chosen) for chosen in sources.values()] == [24, 6, 10]
    with pytest.raises(SplitError, match="all has 20 source"):
        split_sources(data, Split(train=18, validation=2), 1)


def test_split_digest_depends_on_the_sources_of_each_part() -> None:
    data = _labelled(_rows())
    digests = {split_sources(data, split, 1).digest for split in (None, Split(train=13), Split(bagging=0.9))}
    assert len(digests) == 3


@pytest.mark.parametrize("size", [{"train": 2}, {"validation": 1}])
def test_published_split_refuses_counts_that_it_would_ignore(size: dict[str, int]) -> None:
    with pytest.raises(SplitError, match="published"):
        split_sources(_labelled(_published()), Split.model_validate({"published": True, **size}), 1)


def _listed(n: int, *, unusable: set[int]) -> LabelledImages:
    """Sources in the order of their names, of a manifest in the inverse order of which some rows cannot be used."""
    usable = [k for k in range(n) if n - 1 - k not in unusable]
    rows = [(f"J{k:03d}", k % 3, None) for k in usable]
    places = {"manifest_row": [n - 1.0 - k for k in usable], "manifest_rows": [float(n)] * len(usable)}
    attributes = {name: Attribute(values=np.array(values), unit="") for name, values in places.items()}
    return dataclasses.replace(_labelled(rows), attributes=attributes)


def test_manifest_draw_gives_the_partitions_of_the_radio_framework() -> None:
    data = _listed(24, unusable={4, 17})
    parts = split_sources(data, Split(train=3, validation=2, draw="manifest"), 8901)
    names = [f"J{k:03d}" for k in reversed(range(24))]
    random.Random(8901).shuffle(names)
    expected: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    counts = Counter[tuple[int, str]]()
    for name in names:
        if name in data.source_ids:
            label = int(name[1:]) % 3
            sizes = {"train": 3, "validation": 2, "test": 24}
            part = next(name for name, size in sizes.items() if counts[label, name] < size)
            counts[label, part] += 1
            expected[part].append(name)
    found = {name: [data.source_ids[k] for k in getattr(parts, name)] for name in expected}
    assert found == expected
    assert sorted(found["train"]) != found["train"]  # the order of the list is kept


def test_manifest_draw_needs_a_manifest_and_numbers() -> None:
    data = _listed(24, unusable=set())
    with pytest.raises(SplitError, match="manifest_order"):
        split_sources(_labelled(_rows()), Split(train=3, validation=2, draw="manifest"), 1)
    with pytest.raises(SplitError, match="whole numbers"):
        split_sources(data, Split(train=0.5, validation=2, draw="manifest"), 1)
    with pytest.raises(SplitError, match="-t and -v"):
        split_sources(data, Split(train=6, validation=2, draw="manifest"), 1)


def _placed(data: LabelledImages, where: Sequence[tuple[float, float]]) -> LabelledImages:
    """Return the images with positions in degrees."""
    columns = dict(zip(("ra", "dec"), np.array(where, dtype=np.float64).T, strict=True))
    return dataclasses.replace(
        data, attributes={name: Attribute(values=values, unit="deg") for name, values in columns.items()}
    )


def test_split_keeps_neighbours_on_the_sky_in_one_part() -> None:
    data = _labelled(_rows(30))
    # Six sources of several classes in a row, each 100 arcsec from the next, so that only others connect the ends.
    chain = {k * 13: (10.0, 20.0 + k * 100 / 3600) for k in range(6)}
    placed = _placed(data, [chain.get(k, (float(k), 60.0)) for k in range(len(data))])
    for seed in range(10):
        parts = split_sources(placed, Split(train=10, validation=5, group="position", radius=150.0), seed)
        held = [name for name in ("train", "validation", "test") if set(chain) & set(getattr(parts, name).tolist())]
        assert len(held) == 1
        assert sum(len(getattr(parts, name)) for name in ("train", "validation", "test")) == len(data)
    apart = [split_sources(placed, Split(train=10, validation=5), seed) for seed in range(10)]
    assert any(set(chain) & set(parts.train.tolist()) and set(chain) & set(parts.test.tolist()) for parts in apart)


def test_split_without_neighbours_is_that_of_sources() -> None:
    data = _placed(_labelled(_rows()), [(float(k), 60.0) for k in range(60)])
    grouped = split_sources(data, Split(train=0.5, validation=0.2, group="position", radius=150.0), 7)
    assert grouped.digest == split_sources(data, Split(train=0.5, validation=0.2), 7).digest


def test_published_split_leaves_out_training_sources_that_neighbour_a_test_source() -> None:
    parts: list[Part] = ["train", "validation", "test"]
    rows: list[Row] = [(f"J{label}{part}{k}", label, part) for label in range(3) for part in parts for k in range(4)]
    where = [(float(k), 60.0) for k in range(len(rows))]
    where[0] = (where[8][0], 60.0 + 100 / 3600)  # a training source beside a test source
    data = _placed(_labelled(rows), where)
    near = split_sources(data, Split(group="position", radius=150.0), 1)
    assert set(range(4)) - set(near.train.tolist()) == {0}
    assert len(near.test) == 12
    assert len(split_sources(data, Split(group="position", radius=50.0), 1).train) == 12


def test_grouping_needs_positions() -> None:
    with pytest.raises(SplitError, match="attributes ra and dec"):
        split_sources(_labelled(_rows()), Split(group="position", radius=150.0), 1)


@pytest.mark.parametrize(("text", "arcsec"), [("150 arcsec", 150), ("2.5 arcmin", 150), ("0.05 deg", 180), (12, 12)])
def test_radius_takes_a_unit(text: Any, arcsec: float) -> None:
    assert Split.model_validate({"group": "position", "radius": text}).radius == arcsec


@pytest.mark.parametrize("radius", ["150", "150 parsec", "wide arcsec", -1, None])
def test_radius_without_a_known_unit_is_refused(radius: Any) -> None:
    with pytest.raises(ValueError, match="radius"):
        Split.model_validate({"group": "position", "radius": radius})


def test_keys_of_splits_without_groups_are_unchanged() -> None:
    assert set(Split(train=5).model_dump()) == {"published", "train", "validation", "bagging"}


def test_caveats_count_test_images_that_neighbour_a_training_image() -> None:
    parts: list[Part] = ["train", "validation", "test"]
    rows: list[Row] = [(f"J{label}{part}{k}", label, part) for label in range(3) for part in parts for k in range(4)]
    where = [(float(k), 60.0) for k in range(len(rows))]
    where[0] = (where[8][0], 60.0 + 100 / 3600)
    data = _placed(_labelled(rows), where)
    (caveat,) = data_caveats(data, [split_sources(data, None, 1)])
    assert caveat.startswith("1 test image(s) lie within 150 arcsec")
    assert data_caveats(data, [split_sources(data, Split(group="position", radius=150.0), 1)]) == ()
