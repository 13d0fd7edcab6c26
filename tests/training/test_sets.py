"""Training sets: images of a part, expansions, transforms and their streams."""

from __future__ import annotations

import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarker import (
    Attribute,
    Augmentation,
    Classification,
    LabelledImages,
    Options,
    PluginError,
    Regression,
    RegressionTarget,
    Stream,
    Task,
    TrainingSet,
    digest_arrays,
    digest_json,
)
from benchmarker.training.sets import (
    AppliedAugmentation,
    ExpandedSet,
    PartSet,
    Transform,
    digest_part,
    digest_set,
    expand,
    pixel_range,
    transforms,
)

TASK = Classification(classes=("compact", "FRI"))
INCLINATION = Regression(targets=(RegressionTarget(name="inclination", unit="deg", minimum=45, maximum=90),))


def _labelled(images: NDArray[np.float32], task: Task = TASK) -> LabelledImages:
    n = len(images)
    targets = np.arange(n) % 2 if task is TASK else 45.0 + np.arange(n)[:, None]
    return LabelledImages(
        task=task,
        images=images,
        targets=targets,
        source_ids=tuple(map(str, range(n))),
        parts=(None,) * n,
        attributes={},
        skipped=(),
        digest="",
    )


def _numbered(n: int, size: int = 4) -> NDArray[np.float32]:
    """Images that show their number: every pixel of image k is k."""
    return np.tile(np.arange(n, dtype=np.float32)[:, None, None, None], (1, size, size, 1))


class Brighter(Options):
    """Options of an expansion."""

    by: float = 100.0
    """Added to every pixel."""


class Doubled:
    """A set and a brighter copy of it, with the stream that made it."""

    def __init__(self, base: TrainingSet, options: Brighter | None, stream: Stream) -> None:
        self.base = base
        self.stream = stream
        self.task = base.task
        self.targets = np.concatenate([base.targets, base.targets])
        self.image_shape = base.image_shape
        self._by = options.by if options else 100.0

    def __len__(self) -> int:
        return 2 * len(self.base)

    def batch(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        copy, index = np.divmod(indices, len(self.base))
        return (self.base.batch(index) + np.float32(self._by) * copy[:, None, None, None]).astype(np.float32)


def _same(images: Any, _draws: Any, _options: Any) -> Any:
    return images


@pytest.fixture(autouse=True)
def _plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("fake_augmentations")
    vars(module).update(double=Doubled, same=_same)
    monkeypatch.setitem(sys.modules, "fake_augmentations", module)


def _expansion(name: str, options: Options | None = None) -> AppliedAugmentation:
    augmentation = Augmentation(name=name, kind="expansion", builder="fake_augmentations:double")
    return AppliedAugmentation(augmentation=augmentation, options=options)


def _transform(name: str, draws: int = 1, options: Options | None = None) -> AppliedAugmentation:
    augmentation = Augmentation(name=name, kind="transform", builder="fake_augmentations:same", draws_per_image=draws)
    return AppliedAugmentation(augmentation=augmentation, options=options)


def test_part_set_holds_the_images_and_targets_of_its_indices() -> None:
    part = PartSet(_labelled(_numbered(10)), np.array([7, 2, 5]))
    assert len(part) == 3
    assert part.task == TASK
    assert part.image_shape == (4, 4, 1)
    assert part.targets.tolist() == [1, 0, 1]
    assert part.batch(np.array([2, 0, 0]))[:, 0, 0, 0].tolist() == [5, 7, 7]


def test_part_set_of_a_regression_keeps_the_axis_of_targets() -> None:
    part = PartSet(_labelled(_numbered(10), INCLINATION), np.array([7, 2]))
    assert part.targets.tolist() == [[52.0], [47.0]]


def test_batch_is_a_copy() -> None:
    data = _labelled(_numbered(4))
    part = PartSet(data, np.arange(4))
    part.batch(np.array([1]))[:] = 99
    assert data.images[1].max() == 1
    assert part.batch(np.array([1])).max() == 1


def test_part_set_reads_the_same_after_its_pages_were_released(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarker.training.sets._MAPPED_BYTES", 1000)
    images = _numbered(64, size=8)
    images.tofile(tmp_path / "images.f32")
    mapped = np.memmap(tmp_path / "images.f32", dtype="<f4", mode="r", shape=images.shape)
    part = PartSet(_labelled(mapped), np.arange(64))
    kept = []
    for _ in range(3):
        for start in range(0, 64, 16):
            batch = part.batch(np.arange(start, start + 16))
            assert batch.flags.writeable
            assert not isinstance(batch, np.memmap)
            kept.append((start, batch))
    for start, batch in kept:  # also those from before
        np.testing.assert_array_equal(batch, images[start : start + 16])


def test_expand_returns_the_set_itself_without_expansions() -> None:
    base = PartSet(_labelled(_numbered(4)), np.arange(4))
    assert expand(base, [_transform("flips")], 1, "train") is base


def test_expansions_are_chained_in_order() -> None:
    base = PartSet(_labelled(_numbered(3)), np.arange(3))
    applied = [_expansion("first", Brighter(by=10)), _transform("flips"), _expansion("second", Brighter(by=100))]
    expanded = expand(base, applied, 1, "train")
    assert len(expanded) == 12
    pixels = expanded.batch(np.arange(12))[:, 0, 0, 0].tolist()
    assert pixels == [0, 1, 2, 10, 11, 12, 100, 101, 102, 110, 111, 112]
    assert expanded.targets.tolist() == [0, 1, 0] * 4


class _Fixed:
    """A training set of given facts, as an expansion might return."""

    task: Any = TASK
    image_shape: Any = (4, 4, 1)

    def __init__(self, n: int = 6, **facts: Any) -> None:
        self.n = n
        self.targets: Any = np.arange(n) % 2
        self.images: Any = _numbered(n)
        vars(self).update(facts)

    def __len__(self) -> int:
        return self.n

    def batch(self, indices: NDArray[np.int64]) -> Any:
        return self.images[indices]


@pytest.mark.parametrize(
    ("made", "complaint"),
    [
        (_Fixed(3), "at least 4 images were expected. Received: 3"),
        (_Fixed(task=INCLINATION), "the task Classification"),
        (_Fixed(image_shape=(4, 4, 3)), "images of shape (4, 4, 1) were expected"),
        (_Fixed(image_shape=(2, 2, 1)), "images of shape (4, 4, 1) were expected"),
        (_Fixed(targets=np.zeros(5, np.int64)), "Received: int64 of shape (5,)"),
        (_Fixed(targets=np.zeros(6)), "Received: float64 of shape (6,)"),
        (_Fixed(targets=np.arange(6) - 1), "class indices from 0 to 1 were expected. Received: -1 to 4"),
        (_Fixed(targets=np.full(6, 2)), "class indices from 0 to 1 were expected. Received: 2 to 2"),
        (None, "failed: TypeError"),
    ],
    ids=["smaller", "task", "shape", "small", "targets", "type", "negative", "class", "nothing"],
)
def test_expansion_that_returns_something_else_is_a_plugin_error(
    made: Any, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fake_augmentations.double", lambda _base, _options, _stream: made)
    with pytest.raises(PluginError) as caught:
        expand(PartSet(_labelled(_numbered(4)), np.arange(4)), [_expansion("mine")], 1, "train")
    assert str(caught.value).startswith("the expansion 'mine'")
    assert complaint in str(caught.value)


@pytest.mark.parametrize(
    ("images", "received"),
    [
        (_numbered(6, size=5), "float32 of shape (2, 5, 5, 1)"),
        (_numbered(6).astype(np.float64), "float64 of shape (2, 4, 4, 1)"),
        (np.full((6, 4, 4, 1), np.nan, np.float32), "NaN or infinity"),
        (_numbered(1), "IndexError"),
    ],
)
def test_batch_of_an_expansion_is_checked(images: Any, received: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fake_augmentations.double", lambda _base, _options, _stream: _Fixed(images=images))
    expanded = expand(PartSet(_labelled(_numbered(4)), np.arange(4)), [_expansion("mine")], 1, "train")
    with pytest.raises(PluginError, match="the expansion 'mine'") as caught:
        expanded.batch(np.array([5, 2]))
    assert received in str(caught.value)


def test_failure_of_an_expansion_names_it_and_cuts_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("x" * 5_000_000)

    monkeypatch.setattr("fake_augmentations.double", fail)
    with pytest.raises(PluginError, match="the expansion 'mine' failed: ValueError: xxx") as caught:
        expand(PartSet(_labelled(_numbered(4)), np.arange(4)), [_expansion("mine")], 1, "train")
    assert len(str(caught.value)) < 600


def _streams(applied: list[AppliedAugmentation], seed: int = 1, part: str = "train") -> list[str]:
    """Return the keys of the streams that expansions were given, outermost last."""
    expanded: Any = expand(PartSet(_labelled(_numbered(2)), np.arange(2)), applied, seed, part)
    keys: list[str] = []
    while isinstance(expanded, ExpandedSet):
        made: Any = expanded.made
        keys.insert(0, made.stream.key())
        expanded = made.base
    return keys


def test_stream_of_an_augmentation_is_named_by_its_repetition() -> None:
    """These names are part of what a seed means: other ones would change the bits of every augmented cell."""
    expected = [
        Stream("augmentation", seed=3, name="gan", repetition=repetition, part="train").key() for repetition in (0, 1)
    ]
    assert _streams([_expansion("gan"), _expansion("gan")], seed=3) == expected


def test_digest_of_a_set_is_that_of_its_targets_and_batches_of_64() -> None:
    images = _numbered(150)
    part = PartSet(_labelled(images), np.arange(149, -1, -1))
    reversed_images = images[::-1]
    expected: list[tuple[str, NDArray[Any]]] = [
        ("targets", np.arange(149, -1, -1) % 2),
        ("images 0", reversed_images[:64]),
        ("images 64", reversed_images[64:128]),
        ("images 128", reversed_images[128:]),
    ]
    assert digest_set(part) == digest_arrays(expected)


def test_digest_of_a_part_covers_attributes_in_the_order_of_their_names() -> None:
    flux, size = np.arange(3.0), np.arange(3.0) ** 2
    attributes = {"size": Attribute(values=size, unit="arcsec"), "flux": Attribute(values=flux, unit="Jy")}
    part = PartSet(replace(_labelled(_numbered(3)), attributes=attributes), np.array([2, 0]))
    named = digest_arrays([("flux", flux[[2, 0]]), ("size", size[[2, 0]])])
    assert digest_part(part) == digest_json([digest_set(part), named])


def test_pixel_range_is_that_of_all_batches() -> None:
    images = _numbered(150)
    images[70, 1, 2] = -5
    images[149, 3, 3] = 900
    assert pixel_range(PartSet(_labelled(images), np.arange(150))) == (-5, 900)
    assert pixel_range(PartSet(_labelled(images), np.arange(60))) == (0, 59)


class Watched:
    """Stands for a mapping, and counts how often its pages are released."""

    def __init__(self) -> None:
        self.released = 0

    def madvise(self, _advice: int) -> None:
        self.released += 1


def test_pages_are_released_after_tens_of_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Releasing them after every batch would read everything from the disk again."""
    part = PartSet(_labelled(_numbered(16, size=512)), np.arange(16))  # of one MiB each
    mapping = Watched()
    monkeypatch.setattr(part, "_mapping", mapping)
    counts = []
    for _ in range(9):
        part.batch(np.arange(16))
        counts.append(mapping.released)
    assert counts == [0, 0, 0, 0, 1, 1, 1, 1, 1]


def test_stream_of_an_expansion_does_not_depend_on_the_rest_of_the_arm() -> None:
    (single,) = _streams([_expansion("gan")])
    assert _streams([_expansion("rotations"), _expansion("gan")])[1] == single
    assert _streams([_transform("flips"), _expansion("gan"), _expansion("rotations")])[0] == single


def test_streams_differ_by_name_seed_part_and_repetition() -> None:
    keys = [
        *_streams([_expansion("gan"), _expansion("gan"), _expansion("rotations")]),
        *_streams([_expansion("gan")], seed=2),
        *_streams([_expansion("gan")], part="validation"),
    ]
    assert len(set(keys)) == 5


def test_stream_of_a_transform_does_not_depend_on_the_rest_of_the_arm() -> None:
    (single,) = transforms([_transform("flips")], 1)
    both = transforms([_transform("shifts"), _expansion("gan"), _transform("flips")], 1)
    assert [transform.name for transform in both] == ["shifts", "flips"]
    assert both[1].stream.key() == single.stream.key() != both[0].stream.key()
    assert transforms([_transform("flips")], 2)[0].stream.key() != single.stream.key()


def test_draws_are_uniform_and_differ_by_epoch() -> None:
    (transform,) = transforms([_transform("flips", draws=2)], 1)
    first = transform.draws(0, 500)
    assert first.shape == (500, 2)
    assert first.min() >= 0
    assert first.max() < 1
    assert abs(first.mean() - 0.5) < 0.05
    assert np.array_equal(first, transform.draws(0, 500))
    assert not np.array_equal(first, transform.draws(1, 500))


def _made(function: Any, options: Options | None = None) -> Transform:
    return Transform(name="mine", function=function, options=options, draws_per_image=1, stream=Stream("test"))


def test_transform_receives_images_draws_and_options() -> None:
    options = Brighter(by=7)
    images, draws = _numbered(2), np.array([[0.5], [0.25]])
    changed = _made(lambda i, d, o: (i + d[:, :, None, None] + o.by).astype(np.float32), options).apply(images, draws)
    assert changed[:, 0, 0, 0].tolist() == [7.5, 8.25]


@pytest.mark.parametrize(
    ("function", "received"),
    [
        (lambda images, _draws, _options: images[:, ::2], "float32 of shape (2, 2, 4, 1)"),
        (lambda images, _draws, _options: images[0], "float32 of shape (4, 4, 1)"),
        (lambda images, _draws, _options: images.astype(np.float64), "float64 of shape (2, 4, 4, 1)"),
        (lambda images, _draws, _options: images.tolist(), "list"),
        (lambda _images, _draws, _options: None, "NoneType"),
    ],
)
def test_transform_that_returns_something_else_is_a_plugin_error(function: Any, received: str) -> None:
    with pytest.raises(PluginError) as caught:
        _made(function).apply(_numbered(2), np.zeros((2, 1)))
    assert str(caught.value).startswith("the transform 'mine' must return float32 images of shape (2, 4, 4, 1)")
    assert str(caught.value).endswith(f"Received: {received}")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_transform_that_makes_no_numbers_is_a_plugin_error(value: float) -> None:
    with pytest.raises(PluginError, match="the transform 'mine' must return finite pixels"):
        _made(lambda images, _draws, _options: images + np.float32(value)).apply(_numbered(2), np.zeros((2, 1)))


def test_failure_of_a_transform_names_it() -> None:
    with pytest.raises(PluginError, match="the transform 'mine' failed: ZeroDivisionError"):
        _made(lambda _images, _draws, _options: 1 / 0).apply(_numbered(2), np.zeros((2, 1)))


def resident_file_bytes() -> int:
    """Return the resident memory of this process that is mapped from files."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssFile:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the system does not say")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_part_set_releases_the_pages_of_a_large_set(tmp_path: Path) -> None:
    n, size = 400, 512  # of one MiB each
    path = tmp_path / "images.f32"
    with path.open("wb") as stream:
        stream.truncate(n * 4 * size * size)
    mapped = np.memmap(path, dtype="<f4", mode="r", shape=(n, size, size, 1))
    images = PartSet(_labelled(mapped), np.arange(n))
    before = resident_file_bytes()
    largest = 0
    for start in range(0, n, 8):
        batch = images.batch(np.arange(start, start + 8))
        assert not batch.any()
        largest = max(largest, resident_file_bytes() - before)
    assert largest < 128 * (1 << 20)
