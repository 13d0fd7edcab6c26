"""Layers of the GANs, checked against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras.ops import convert_to_numpy as to_numpy

from benchmarker import Stream
from benchmarker_gan.layers import (
    MinibatchStandardDeviation,
    SpectralConv2D,
    SpectralDense,
    spectral_normalise,
)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (SpectralConv2D(6, 4, 2, padding="same", vector_seed=1), (2, 8, 8, 3)),
        (SpectralDense(5, vector_seed=1), (2, 7)),
    ],
    ids=["convolution", "dense"],
)
def test_spectral_kernel_has_a_largest_singular_value_of_1(layer: Any, shape: tuple[int, ...]) -> None:
    images = Stream("test", number=3).generator().normal(size=shape).astype(np.float32)
    for _ in range(200):
        layer(images, training=True)
    kernel, _ = spectral_normalise(layer.kernel.value, layer.singular_vector.value)
    matrix = np.array(kernel).reshape(-1, kernel.shape[-1])
    assert np.linalg.svd(matrix, compute_uv=False)[0] == pytest.approx(1, abs=1e-4)
    before = to_numpy(layer.singular_vector)
    layer(images, training=False)
    np.testing.assert_array_equal(before, to_numpy(layer.singular_vector))


def test_minibatch_standard_deviation_recognises_equal_images() -> None:
    features = Stream("test", number=3).generator().random((4, 2, 2, 3), dtype=np.float32)
    found = np.asarray(MinibatchStandardDeviation()(features))
    np.testing.assert_array_equal(found[..., :3], features)
    np.testing.assert_allclose(found[..., 3], features.std(axis=0).mean(), rtol=1e-4)
    equal = np.asarray(MinibatchStandardDeviation()(np.ones((4, 2, 2, 3), np.float32)))
    assert equal[..., 3].max() < 1e-3
