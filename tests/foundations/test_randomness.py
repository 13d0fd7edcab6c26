"""Streams depend on their names, and on nothing else."""

from __future__ import annotations

import hashlib
import random  # noqa: TID251 - to prove that nothing reads or moves it
from itertools import islice

import numpy as np
import pytest

from benchmarker import Stream, layer_seeds


def test_stream_key_is_the_sha256_of_the_canonical_name() -> None:
    name = b'{"axes":{"epoch":3,"seed":8901},"purpose":"order"}'
    assert Stream("order", seed=8901, epoch=3).key() == hashlib.sha256(name).hexdigest()


def test_stream_gives_known_numbers() -> None:
    """If these numbers change, every published result changes, so it must not happen by mistake."""
    stream = Stream("order", seed=8901, epoch=3)
    assert stream.key() == "c0f911b311ecc5e37cdb3163200bc75235a198598fa7f6cb6095e8092a17a50a"
    assert stream.seed() == 1090064819
    assert stream.generator().random(2).tolist() == [0.9058869007176504, 0.7567680739789191]
    assert stream.generator().permutation(6).tolist() == [1, 3, 0, 5, 4, 2]
    assert list(islice(layer_seeds(8901), 3)) == [546825264, 2142305313, 587481492]


def test_stream_does_not_depend_on_the_order_of_axes() -> None:
    one, other = Stream("split", seed=1, group="FRI"), Stream("split", group="FRI", seed=1)
    assert one.key() == other.key()
    assert one.generator().random() == other.generator().random()


def test_stream_depends_on_purpose_axes_and_values() -> None:
    streams = [
        Stream("order"),
        Stream("split"),
        Stream("order", seed=1),
        Stream("order", seed=2),
        Stream("order", epoch=1),
        Stream("order", seed=1, epoch=1),
        Stream("order", seed="1"),
        Stream("order", seed=1).child("epoch"),
        Stream("order", seed=1).child("epoch", epoch=1),
    ]
    assert len({stream.key() for stream in streams}) == len(streams)
    assert len({stream.generator().random() for stream in streams}) == len(streams)


def test_child_stream_inherits_purpose_and_axes() -> None:
    child = Stream("augmentation", seed=8901, name="gan").child("epoch", epoch=2)
    assert child.key() == Stream("augmentation/epoch", name="gan", seed=8901, epoch=2).key()


def test_axis_cannot_be_repeated() -> None:
    with pytest.raises(TypeError, match="seed"):
        Stream("order", seed=1).child("epoch", seed=2)


def test_each_generator_starts_at_the_beginning_of_the_stream() -> None:
    stream = Stream("noise", seed=1)
    first = stream.generator().random(5)
    assert np.array_equal(stream.generator().random(5), first)


def test_stream_neither_reads_nor_changes_global_generators() -> None:
    random.seed(1)
    before = random.getstate()
    first = (Stream("noise", seed=1).generator().random(3).tolist(), next(layer_seeds(1)))
    assert random.getstate() == before
    random.seed(2)
    assert (Stream("noise", seed=1).generator().random(3).tolist(), next(layer_seeds(1))) == first


def test_seeds_use_all_of_31_bits() -> None:
    seeds = [Stream("seed", k=k).seed() for k in range(2000)]
    assert min(seeds) >= 0
    assert 2**30 < max(seeds) < 2**31
    assert len(set(seeds)) == len(seeds)


def test_layer_seeds_depend_only_on_seed_and_position() -> None:
    assert list(islice(layer_seeds(1), 5)) == list(islice(layer_seeds(1), 9))[:5]
    both = [*islice(layer_seeds(1), 500), *islice(layer_seeds(2), 500)]
    assert len(set(both)) == 1000
    assert all(0 <= seed < 2**31 for seed in both)


def test_repr_names_purpose_and_axes() -> None:
    assert repr(Stream("order", seed=1, epoch=2)) == "Stream('order', epoch=2, seed=1)"
