"""Objectives of the GANs, checked against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarker_gan.objectives import DiscriminatorOutput, HingeAuxiliary, NonSaturating, NonSaturatingAuxiliary

REAL = np.array([[2.0], [-1.0], [0.5]], np.float32)
FAKE = np.array([[-2.0], [1.0], [-0.5]], np.float32)
CONDITIONS = np.array([[0.0, 1.0], [1.0, -1.0], [2.0, 0.0]], np.float32)
NEAR, FAR = CONDITIONS + 0.5, CONDITIONS + 2  # squared errors 0.5 and 8


def softplus(x: Any) -> Any:
    return np.log1p(np.exp(x))


def scalars(measured: Any) -> dict[str, float]:
    return {name: float(value) for name, value in measured.items()}


def test_non_saturating_losses() -> None:
    loss, measured = NonSaturating().discriminator(DiscriminatorOutput(REAL), DiscriminatorOutput(FAKE), CONDITIONS)
    found = scalars(measured)
    assert found["d_loss_real"] == pytest.approx(softplus(-REAL).mean(), rel=1e-5)
    assert found["d_loss_fake"] == pytest.approx(softplus(FAKE).mean(), rel=1e-5)
    assert float(loss) == pytest.approx(found["d_loss_real"] + found["d_loss_fake"], rel=1e-6)
    assert (found["d_real_accuracy"], found["d_fake_accuracy"]) == pytest.approx((2 / 3, 2 / 3))
    loss, measured = NonSaturating().generator(DiscriminatorOutput(FAKE), CONDITIONS)
    assert float(loss) == scalars(measured)["g_loss"] == pytest.approx(softplus(-FAKE).mean(), rel=1e-5)


@pytest.mark.parametrize(("real", "fake", "term"), [(FAR, NEAR, 11.25), (NEAR, FAR, 0.0)])
def test_non_saturating_auxiliary_losses_count_only_excess_errors(real: Any, fake: Any, term: float) -> None:
    objective = NonSaturatingAuxiliary(adversarial_weight=50.0)
    loss, _ = objective.discriminator(DiscriminatorOutput(REAL, real), DiscriminatorOutput(FAKE, fake), CONDITIONS)
    assert float(loss) == pytest.approx(term + 50 * (softplus(-REAL).mean() + softplus(FAKE).mean()), rel=1e-5)
    loss, measured = objective.generator(DiscriminatorOutput(FAKE, NEAR), CONDITIONS)
    assert float(loss) == pytest.approx(0.75 + 50 * softplus(-FAKE).mean(), rel=1e-5)
    assert scalars(measured)["g_condition_error"] == pytest.approx(0.75)


@pytest.mark.parametrize("predicted", [NEAR, FAR])
def test_hinge_auxiliary_learns_conditions_from_real_images_only(predicted: Any) -> None:
    objective = HingeAuxiliary(n_classes=0, class_weight=1.0, attribute_weight=2.0)
    hinge = np.maximum(1 - REAL, 0).mean() + np.maximum(1 + FAKE, 0).mean()
    real, fake = DiscriminatorOutput(REAL, NEAR), DiscriminatorOutput(FAKE, predicted)
    loss, _ = objective.discriminator(real, fake, CONDITIONS)
    assert float(loss) == pytest.approx(hinge + 2 * 0.5, rel=1e-5)


def test_hinge_auxiliary_penalises_generated_images_with_wrong_conditions() -> None:
    objective = HingeAuxiliary(n_classes=0, class_weight=1.0, attribute_weight=2.0)
    loss, _ = objective.generator(DiscriminatorOutput(FAKE, FAR), CONDITIONS)
    assert float(loss) == pytest.approx(-FAKE.mean() + 2 * 8, rel=1e-5)


def test_hinge_auxiliary_uses_the_cross_entropy_of_the_class() -> None:
    objective = HingeAuxiliary(n_classes=2, class_weight=3.0, attribute_weight=0.0)
    classes = np.eye(2, dtype=np.float32)[[0, 1, 0]]
    logits = np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]], np.float32)
    expected = np.mean([softplus(-1.0), softplus(-2.0), softplus(0.0)])
    loss, _ = objective.generator(DiscriminatorOutput(FAKE, logits), classes)
    assert float(loss) == pytest.approx(-FAKE.mean() + 3 * expected, rel=1e-5)
