"""Copies of training images are found, however they are turned."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarker import DataError, Stream
from benchmarker_gan.quality import memorisation

SIZE = 16


def images(name: str, n: int, size: int = SIZE, width: int | None = None) -> NDArray[np.float32]:
    """Blobs at random places under a little noise."""
    rng = Stream("test-blobs", name=name).generator()
    y, x = np.mgrid[:size, : width or size]
    places = rng.uniform(3, size - 3, (n, 4))
    blobs = [
        np.exp(-((y - a) ** 2 + (x - b) ** 2) / 6) + np.exp(-((y - c) ** 2 + (x - d) ** 2) / 6) for a, b, c, d in places
    ]
    return (np.array(blobs) + rng.normal(0, 0.02, (n, size, width or size))).astype(np.float32)[..., None]


def test_eight_symmetries_of_a_square_differ_and_include_the_image() -> None:
    one = images("one", 1)
    found = list(memorisation.symmetries(one))

    assert len({each.tobytes() for each in found}) == 8
    np.testing.assert_array_equal(found[0], one)
    assert len(list(memorisation.symmetries(images("flat", 1, width=20)))) == 4


@pytest.mark.parametrize("symmetry", range(8))
def test_a_planted_copy_is_at_zero_and_named(symmetry: int) -> None:
    training, samples = images("training", 30), images("samples", 12)
    samples[5] = list(memorisation.symmetries(training[17:18]))[symmetry][0]
    distances, indices = memorisation.nearest(samples, [training[:11], training[11:]])

    assert distances[5] == 0
    assert indices[5] == 17
    assert np.delete(distances, 5).min() > 0.03


def test_distances_are_those_of_a_search_one_by_one() -> None:
    training, samples = images("training", 9), images("samples", 4)
    expected = [
        min(
            float(np.sqrt(np.square(turned.astype(np.float64) - sample).mean(axis=(1, 2, 3))).min())
            for turned in memorisation.symmetries(training)
        )
        for sample in samples
    ]
    distances, _ = memorisation.nearest(samples, [training])

    np.testing.assert_allclose(distances, expected, rtol=1e-12)


def test_large_images_are_compared_in_blocks_of_pixels() -> None:
    large = images("large", 3, size=150)
    small = memorisation.shrink(large)

    assert small.shape == (3, 50, 50, 1)
    assert small[1, 2, 4, 0] == pytest.approx(large[1, 6:9, 12:15].mean(), rel=1e-5)
    distances, indices = memorisation.nearest(large[:, ::-1], [large])
    assert distances.max() < 1e-7
    assert indices.tolist() == [0, 1, 2]


def test_a_generator_that_copies_is_told_from_one_that_does_not() -> None:
    training, held_out, fresh = images("training", 60), images("held out", 100), images("fresh", 80)
    copied = training[np.arange(80) % 60] + Stream("grain").generator().normal(0, 0.005, (80, SIZE, SIZE, 1))
    reference, _ = memorisation.nearest(held_out, [training])
    honest, copying = (
        memorisation.summarise(memorisation.nearest(samples, [training])[0], reference) for samples in (fresh, copied)
    )

    assert honest["share_below"] < 0.06
    assert 0.35 < honest["probability_nearer"] < 0.65
    assert copying["share_below"] == 1
    assert copying["probability_nearer"] == 1
    assert copying["ratio"] < 0.2
    assert honest["ratio"] > 0.8
    assert (copying["n"], copying["n_reference"]) == (80, 100)


def test_one_planted_copy_among_many_is_counted() -> None:
    training, held_out, samples = images("training", 40), images("held out", 60), images("samples", 50)
    samples[7] = np.rot90(training[3])
    reference, _ = memorisation.nearest(held_out, [training])
    found, indices = memorisation.nearest(samples, [training])
    summary = memorisation.summarise(found, reference)

    assert summary["smallest"] == 0 < summary["threshold"]
    assert summary["share_below"] >= 1 / 50
    assert indices[found.argmin()] == 3


def test_without_training_images_there_is_no_nearest_one() -> None:
    with pytest.raises(DataError, match="one training image"):
        memorisation.nearest(images("samples", 2), [])
