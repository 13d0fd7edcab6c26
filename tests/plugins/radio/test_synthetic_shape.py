"""Synthetic sources must be classified by shape: brightness hardly depends on the class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarker import Preparation, read_fits_image
from benchmarker.data.preparation import prepare_image
from benchmarker_radio.synthetic_radio import SyntheticRadioOptions, draw_fits
from benchmarker_radio.synthetic_sources import CLASSES

PER_CLASS = 130
Array = NDArray[Any]


@pytest.fixture(scope="module")
def raw() -> tuple[Array, Array]:
    options = SyntheticRadioOptions()
    images = [read_fits_image(draw_fits(label, k, options)) for label in CLASSES for k in range(PER_CLASS)]
    return np.stack(images), np.repeat(np.arange(len(CLASSES)), PER_CLASS)


def _prepared(images: Array, clip_sigma: float | None) -> Array:
    preparation = Preparation(clip_sigma=clip_sigma)
    return np.stack([prepare_image(image, preparation)[:, :, 0] for image in images])


def _brightness(images: Array) -> Array:
    """Return statistics that do not change if the pixels of an image are shuffled."""
    flat = images.reshape(len(images), -1)
    statistics = [flat.sum(1), flat.max(1), flat.mean(1), flat.std(1), (flat**3).mean(1)]
    percentiles = np.percentile(flat, [1, 5, 25, 50, 75, 90, 95, 97, 98, 99, 99.5, 99.9], axis=1)
    fractions = [(flat > level).mean(1) for level in np.linspace(0.0, 0.9, 10)]
    return np.column_stack([*statistics, *percentiles, *fractions])


def _polar(images: Array) -> Array:
    """Return moduli of the angular Fourier modes 0 to 4 in rings, which rotations do not change.

    The rings are centred on the image and on the centroid of the light.
    """
    y, x = np.mgrid[: images.shape[1], : images.shape[2]] - 0.5 * (images.shape[1] - 1)
    rows = []
    for image in images:
        weights = image / image.sum()
        centres = ((0.0, 0.0), (float((weights * x).sum()), float((weights * y).sum())))
        rows.append(np.concatenate([_modes(weights, x - x0, y - y0) for x0, y0 in centres]))
    return np.array(rows)


def _modes(weights: Array, x: Array, y: Array) -> Array:
    rings = np.digitize(np.hypot(x, y), [2, 4, 6, 8, 11, 14, 18, 23])
    modes = weights * np.exp(1j * np.arange(5)[:, None, None] * np.arctan2(y, x))
    return np.abs([modes[:, rings == ring].sum(1) for ring in range(9)]).ravel()


def _accuracy(features: Array, targets: Array, model: Any) -> float:
    return float((cross_val_predict(model, features, targets, cv=5) == targets).mean())


@pytest.mark.parametrize("clip_sigma", [3.0, None])
def test_brightness_hardly_predicts_the_class(raw: tuple[Array, Array], clip_sigma: float | None) -> None:
    images, targets = raw
    features = _brightness(_prepared(images, clip_sigma))
    forest = RandomForestClassifier(150, min_samples_leaf=3, random_state=0)
    linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    assert _accuracy(features, targets, forest) < 0.5
    assert _accuracy(features, targets, linear) < 0.5


def test_shape_predicts_the_class(raw: tuple[Array, Array]) -> None:
    images, targets = raw
    forest = RandomForestClassifier(150, min_samples_leaf=2, random_state=0)
    accuracy = _accuracy(_polar(_prepared(images, 3.0)), targets, forest)
    assert 0.8 < accuracy < 0.99
