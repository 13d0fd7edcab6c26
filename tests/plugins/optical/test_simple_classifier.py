"""The network of galaxyCGAN's classifiers, and the scores of redshifts."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarker import Classification, Regression, RegressionTarget, Stream
from benchmarker.discovery import installed
from benchmarker.testing import check_architecture
from benchmarker_optical.redshift_report import redshift_scores
from benchmarker_optical.simple_classifier import build

DWARF = Classification(classes=("other", "dwarf"))
PUBLISHED = 164_913  # with a single sigmoid output
HIDDEN = 64


def test_network_has_the_published_layers_and_size() -> None:
    model = build((50, 50, 3), DWARF, 8901)
    assert model.count_params() == PUBLISHED + HIDDEN + 1
    convolutions = [layer for layer in model.layers if layer.name.startswith("convolution")]
    assert [layer.kernel_size for layer in convolutions] == [(4, 4), (8, 8), (16, 16)]
    assert {type(layer.kernel_initializer).__name__ for layer in convolutions} == {"GlorotUniform"}
    assert model.get_layer("flatten").output.shape == (None, 576)
    assert [model.get_layer(name).units for name in ("dense_1", "dense_2")] == [128, 64]


@pytest.mark.long
def test_network_conforms() -> None:
    check_architecture(installed().architecture("simple_classifier"), channels=3)


def test_network_estimates_redshifts() -> None:
    task = Regression(targets=(RegressionTarget(name="redshift", unit="", minimum=0, maximum=1),))
    assert build((50, 50, 3), task, 8901).output_shape == (None, 1)


def test_scatter_of_redshifts_is_the_standard_deviation_of_a_normal_distribution() -> None:
    draws = Stream("test-redshift").generator()
    truth = draws.uniform(0, 2, 20_000)
    residuals = draws.normal(0.01, 0.03, truth.size)
    residuals[:1000] = 0.5
    found = redshift_scores(truth, truth + residuals * (1 + truth))
    assert found.sigma_nmad == pytest.approx(0.03, rel=0.08)  # outliers widen the core a little
    assert found.bias == pytest.approx(0.01 * 0.95 + 0.5 * 0.05, abs=0.001)
    assert found.outliers == pytest.approx(0.05, abs=1e-4)
    assert found.outliers_error == pytest.approx(np.sqrt(0.05 * 0.95 / truth.size), rel=0.01)
