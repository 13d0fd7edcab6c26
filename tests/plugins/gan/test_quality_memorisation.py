"""Memorisation: copies of training images are detected in any orientation."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarker import DataError, Stream
from benchmarker_gan.quality import memorisation

SIZE = 16


def images(name: str, n: int, size: int = SIZE, width: int | None = None) -> NDArray[np.float32]:
    """Return blobs at random positions with little noise."""
    rng = Stream("test-blobs", name=name).generator()
    y, x = np.mgrid[:size, : width or size]
    places = rng.uniform(3, size - 3, (n, 4))
    blobs = [
        np.exp(-((y - a) ** 2 + (x - b) ** 2) / 6) + np.exp(-((y - c) ** 2 + (x - d) ** 2) / 6) for a, b, c, d in places
    ]
    return (np.array(blobs) + rng.normal(0, 0.02, (n, size, width or size))).astype(np.float32)[..., None]


def test_orientations_of_a_square_differ_and_include_the_image() -> None:
    one = images("one", 1)
    found = list(memorisation.orientations(one))

    assert len({each.tobytes() for each in found}) == 8
    np.testing.assert_array_equal(found[0], one)
    assert len(list(memorisation.orientations(images("flat", 1, width=20)))) == 4


@pytest.mark.parametrize("orientation", range(8))
def test_planted_copy_is_at_distance_zero_and_identified(orientation: int) -> None:
    training, samples = images("training", 30), images("samples", 12)
    samples[5] = list(memorisation.orientations(training[17:18]))[orientation][0]
    distances, indices = memorisation.nearest(samples, [training[:11], training[11:]])

    assert distances[5] == 0
    assert indices[5] == 17
    assert np.delete(distances, 5).min() > 0.03


def test_nearest_distances_agree_with_an_exhaustive_search() -> None:
    training, samples = images("training", 9), images("samples", 4)
    expected = [
        min(
            float(np.sqrt(np.square(turned.astype(np.float64) - sample).mean(axis=(1, 2, 3))).min())
            for turned in memorisation.orientations(training)
        )
        for sample in samples
    ]
    distances, _ = memorisation.nearest(samples, [training])

    np.testing.assert_allclose(distances, expected, rtol=1e-12)


def test_large_images_are_compared_after_averaging_blocks() -> None:
    large = images("large", 3, size=150)
    small = memorisation.shrink(large)

    assert small.shape == (3, 50, 50, 1)
    assert small[1, 2, 4, 0] == pytest.approx(large[1, 6:9, 12:15].mean(), rel=1e-5)
    distances, indices = memorisation.nearest(large[:, ::-1], [large])
    assert distances.max() < 1e-7
    assert indices.tolist() == [0, 1, 2]


def test_summary_distinguishes_copies_from_new_images() -> None:
    training, held_out, fresh = images("training", 60), images("held out", 100), images("fresh", 80)
    copied = training[np.arange(80) % 60] + Stream("grain").generator().normal(0, 0.005, (80, SIZE, SIZE, 1))
    reference, _ = memorisation.nearest(held_out, [training])
    honest, copying = (
        memorisation.summarise(memorisation.nearest(samples, [training])[0], reference) for samples in (fresh, copied)
    )

    assert honest.share_below < 0.06
    assert 0.35 < honest.probability_nearer < 0.65
    assert copying.share_below == 1
    assert copying.probability_nearer == 1
    assert copying.median < 0.2 * copying.held_out_median
    assert honest.median > 0.8 * honest.held_out_median
    assert (copying.n, copying.n_reference) == (80, 100)


def test_single_planted_copy_is_counted() -> None:
    training, held_out, samples = images("training", 40), images("held out", 60), images("samples", 50)
    samples[7] = np.rot90(training[3])
    reference, _ = memorisation.nearest(held_out, [training])
    found, indices = memorisation.nearest(samples, [training])
    summary = memorisation.summarise(found, reference)

    assert summary.smallest == 0 < summary.threshold
    assert summary.share_below >= 1 / 50
    assert indices[found.argmin()] == 3


def test_nearest_needs_training_images() -> None:
    with pytest.raises(DataError, match="at least one training image"):
        memorisation.nearest(images("samples", 2), [])
