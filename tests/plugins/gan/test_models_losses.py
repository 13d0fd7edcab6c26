"""Objectives and augmentation of the GANs, against the same in plain numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarker import Stream
from benchmarker_gan.augmentation import shift, turn
from benchmarker_gan.brightness import Brightness
from benchmarker_gan.objectives import CrossEntropy, HingeWithJudge, Judgement, RewardedError

REAL = np.array([[2.0], [-1.0], [0.5]], np.float32)
FAKE = np.array([[-2.0], [1.0], [-0.5]], np.float32)
CONDITIONS = np.array([[0.0, 1.0], [1.0, -1.0], [2.0, 0.0]], np.float32)
NEAR, FAR = CONDITIONS + 0.5, CONDITIONS + 2  # squared errors 0.5 and 8


def softplus(x: Any) -> Any:
    return np.log1p(np.exp(x))


def scalars(measured: Any) -> dict[str, float]:
    return {name: float(value) for name, value in measured.items()}


def test_cross_entropy() -> None:
    loss, measured = CrossEntropy().discriminator(Judgement(REAL), Judgement(FAKE), CONDITIONS)
    found = scalars(measured)
    assert found["d_loss_real"] == pytest.approx(softplus(-REAL).mean(), rel=1e-5)
    assert found["d_loss_fake"] == pytest.approx(softplus(FAKE).mean(), rel=1e-5)
    assert float(loss) == pytest.approx(found["d_loss_real"] + found["d_loss_fake"], rel=1e-6)
    assert (found["d_real_accuracy"], found["d_fake_accuracy"]) == pytest.approx((2 / 3, 2 / 3))
    loss, measured = CrossEntropy().generator(Judgement(FAKE), CONDITIONS)
    assert float(loss) == scalars(measured)["g_loss"] == pytest.approx(softplus(-FAKE).mean(), rel=1e-5)


@pytest.mark.parametrize(("real", "fake", "term"), [(FAR, NEAR, 7.5), (NEAR, FAR, 0.0)])
def test_the_published_losses(real: Any, fake: Any, term: float) -> None:
    objective = RewardedError(weight=50.0)
    loss, _ = objective.discriminator(Judgement(REAL, real), Judgement(FAKE, fake), CONDITIONS)
    assert float(loss) == pytest.approx(term + 50 * (softplus(-REAL).mean() + softplus(FAKE).mean()), rel=1e-5)
    loss, measured = objective.generator(Judgement(FAKE, NEAR), CONDITIONS)
    assert float(loss) == pytest.approx(0.5 + 50 * softplus(-FAKE).mean(), rel=1e-5)
    assert scalars(measured)["g_condition_error"] == pytest.approx(0.5)


def test_hinge_with_conditions_learnt_from_real_images_alone() -> None:
    objective = HingeWithJudge(n_classes=0, class_weight=1.0, attribute_weight=2.0)
    hinge = np.maximum(1 - REAL, 0).mean() + np.maximum(1 + FAKE, 0).mean()
    for predicted in (NEAR, FAR):  # what it says of generated images plays no role
        loss, _ = objective.discriminator(Judgement(REAL, NEAR), Judgement(FAKE, predicted), CONDITIONS)
        assert float(loss) == pytest.approx(hinge + 2 * 0.5, rel=1e-5)
    loss, _ = objective.generator(Judgement(FAKE, FAR), CONDITIONS)
    assert float(loss) == pytest.approx(-FAKE.mean() + 2 * 8, rel=1e-5)


def test_the_class_is_judged_by_its_cross_entropy() -> None:
    objective = HingeWithJudge(n_classes=2, class_weight=3.0, attribute_weight=0.0)
    classes = np.eye(2, dtype=np.float32)[[0, 1, 0]]
    logits = np.array([[1.0, 0.0], [0.0, 2.0], [0.0, 0.0]], np.float32)
    expected = np.mean([softplus(-1.0), softplus(-2.0), softplus(0.0)])
    loss, _ = objective.generator(Judgement(FAKE, logits), classes)
    assert float(loss) == pytest.approx(-FAKE.mean() + 3 * expected, rel=1e-5)


def test_turns_are_the_eight_symmetries_of_a_square() -> None:
    image = np.arange(25, dtype=np.float32).reshape(1, 5, 5, 1)
    numbers = np.array([[a, b, c] for a in (0.2, 0.7) for b in (0.2, 0.7) for c in (0.2, 0.7)], np.float32)
    found = np.array(turn(np.repeat(image, 8, axis=0), numbers))
    expected = {np.rot90(side, k).tobytes() for side in (image[0, ..., 0], image[0, :, ::-1, 0]) for k in range(4)}
    assert {each[..., 0].tobytes() for each in found} == expected
    np.testing.assert_array_equal(found[-1], image[0])  # three draws above one half


def test_shifts_move_whole_pixels_by_at_most_an_eighth() -> None:
    images = Stream("test", number=1).generator().random((3, 16, 16, 2)).astype(np.float32)
    numbers = np.array([[0.0, 0.999], [0.5, 0.5], [0.3, 0.7]], np.float32)  # of five places: -2 to 2
    found = np.array(shift(images, numbers))
    for image, moved, (down, right) in zip(images, found, [(-2, 2), (0, 0), (-1, 1)], strict=True):
        np.testing.assert_allclose(moved, np.roll(image, (down, right), axis=(0, 1)), atol=1e-6)


def test_standard_brightness_has_mean_0_and_deviation_1_and_comes_back() -> None:
    rng = Stream("test", number=2).generator()
    sky = np.where(rng.random((200, 6, 6, 2)) < 0.05, rng.random((200, 6, 6, 2)), 0.01).astype(np.float32)
    brightness = Brightness("standard", 0.5, 2)
    for start in range(0, 200, 20):
        brightness.learn(sky[start : start + 20])
    seen = np.asarray(brightness.learn(sky))
    np.testing.assert_allclose(seen.mean(axis=(0, 1, 2)), 0, atol=0.01)
    np.testing.assert_allclose(seen.std(axis=(0, 1, 2)), 1, rtol=0.01)
    np.testing.assert_allclose(brightness.back(seen), sky, atol=1e-5)


def test_published_brightness_is_that_of_the_papers() -> None:
    images = np.linspace(0, 1, 8, dtype=np.float32).reshape(2, 2, 2, 1)
    symmetric, prepared = Brightness("symmetric", 1, 1), Brightness("prepared", 1, 1)
    np.testing.assert_allclose(np.asarray(symmetric.learn(images)), 2 * images - 1)
    np.testing.assert_allclose(symmetric.back(2 * images - 1), images, atol=1e-7)
    np.testing.assert_array_equal(np.asarray(prepared.learn(images)), images)
    assert prepared.back(images - 0.5).min() == 0  # no negative flux


def test_batch_deviation_tells_a_batch_of_equals() -> None:
    from benchmarker_gan.layers import BatchDeviation

    rng = Stream("test", number=3).generator()
    features = rng.random((4, 2, 2, 3), dtype=np.float32)
    found = np.asarray(BatchDeviation()(features))
    np.testing.assert_array_equal(found[..., :3], features)
    np.testing.assert_allclose(found[..., 3], features.std(axis=0).mean(), rtol=1e-4)
    assert np.asarray(BatchDeviation()(np.ones((4, 2, 2, 3), np.float32)))[..., 3].max() < 1e-3
