"""Measurement of quality as a whole, on tiny images and generators of known quality."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarker import (
    Classification,
    ConditionSpace,
    DataError,
    QualityRequest,
    Regression,
    RegressionTarget,
    Stream,
    Task,
    canonical_json,
)
from benchmarker_gan.quality import feature_network, measure

SIZE = 24
CLASSES = Classification(classes=("single", "double"))


class Blobs:
    """Images of single or double blobs with their brightness as an attribute."""

    def __init__(self, name: str, n: int, task: Task = CLASSES, *, one_class: bool = False) -> None:
        rng = Stream("test-galaxies", name=name).generator()
        labels = np.zeros(n, dtype=np.int64) if one_class else np.arange(n) % 2
        self.brightness = rng.uniform(0.3, 1.0, n)
        self.images = draw(labels, self.brightness, rng)
        self.task = task
        regression = isinstance(task, Regression)
        self.targets: NDArray[Any] = self.brightness[:, None] if regression else labels
        self.attributes: Mapping[str, NDArray[np.float64]] = {"brightness": self.brightness}
        self.largest_batch = 0

    @property
    def image_shape(self) -> tuple[int, int, int]:
        return SIZE, SIZE, 1

    def batch(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        self.largest_batch = max(self.largest_batch, len(indices))
        return self.images[indices]

    def __len__(self) -> int:
        return len(self.images)


def draw(labels: NDArray[np.int64], brightness: NDArray[np.float64], rng: Any) -> NDArray[np.float32]:
    """Return images of one blob near the centre, or of two blobs on either side, with the given peak."""
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    angle, width = rng.uniform(0, np.pi, len(labels)), rng.uniform(1.2, 2.2, len(labels))
    images = []
    for k, label in enumerate(labels):
        dy, dx = 6 * label * np.sin(angle[k]), 6 * label * np.cos(angle[k])
        sides = [np.exp(-((y - s * dy) ** 2 + (x - s * dx) ** 2) / 2 / width[k] ** 2) for s in (-1, 1)]
        images.append(np.maximum(*sides) * brightness[k])
    noisy = np.array(images) + rng.normal(0, 0.01, (len(labels), SIZE, SIZE))
    return np.asarray(noisy[..., None], dtype=np.float32)


Sampler = Callable[[NDArray[np.float32], Stream], Iterator[NDArray[np.float32]]]
BOTH = ConditionSpace(
    classes=CLASSES.classes, attributes=("brightness",), units=("mJy",), means=(0.65,), deviations=(0.2,)
)


def truthful(conditions: NDArray[np.float32], stream: Stream) -> Iterator[NDArray[np.float32]]:
    """A generator with the true distribution."""
    rng = stream.generator()
    for start in range(0, len(conditions), 16):
        part = conditions[start : start + 16]
        yield draw(BOTH.class_indices(part), BOTH.values(part, "brightness"), rng)


def collapsed(conditions: NDArray[np.float32], _stream: Stream) -> Iterator[NDArray[np.float32]]:
    """A generator that always draws the same image."""
    one = draw(np.zeros(1, dtype=np.int64), np.array([0.7]), Stream("one").generator())
    yield np.repeat(one, len(conditions), axis=0)


def request(sample: Sampler, space: ConditionSpace = BOTH, **changes: Any) -> QualityRequest:
    given = {"train": Blobs("train", 96), "held_out": Blobs("held out", 81), "batch_size": 16, **changes}
    return QualityRequest(conditions=space, sample=sample, stream=Stream("test-quality", seed=1), **given)


def rows(measured: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in measured["rows"]}


@pytest.fixture(scope="module", autouse=True)
def _few_steps() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feature_network, "STEPS", 100)
        yield


@pytest.fixture(scope="module")
def good() -> Mapping[str, Any]:
    return measure(request(truthful))


@pytest.fixture(scope="module")
def bad() -> Mapping[str, Any]:
    return measure(request(collapsed, batch_size=13))  # the batch size must not change the floors


def test_perfect_generator_is_near_the_floor(good: Mapping[str, Any]) -> None:
    for name, row in rows(good).items():
        allowed = 3 * row["floor_scatter"] + 0.1 * abs(row["floor"]) + 0.05
        worse = row["value"] - row["floor"] if row["better"] == "lower" else row["floor"] - row["value"]
        assert worse < allowed, name


def test_collapsed_generator_is_far_from_the_floor(good: Mapping[str, Any], bad: Mapping[str, Any]) -> None:
    found, honest = rows(bad), rows(good)

    assert found["frechet_distance"]["value"] > 3 * found["frechet_distance"]["floor"]
    assert found["kernel_distance"]["value"] > 10 * abs(found["kernel_distance"]["floor"])
    assert found["recall"]["value"] < 0.1 < honest["recall"]["value"]
    assert found["coverage"]["value"] < 0.3 < honest["coverage"]["value"]
    assert found["class_agreement"]["value"] == pytest.approx(0.5, abs=0.1)
    assert found["wasserstein_m20"]["value"] > 3 * honest["wasserstein_m20"]["value"]


def test_rows_have_the_number_of_images_and_a_floor(good: Mapping[str, Any]) -> None:
    names = ["frechet_distance", "kernel_distance", "precision", "recall", "density", "coverage", "class_agreement"]
    statistics = ["total_flux", "peak", "gini", "m20", "concentration", "asymmetry", "ellipticity", "power_spectrum"]

    assert list(rows(good)) == [*names, *(f"wasserstein_{name}" for name in statistics)]
    for row in good["rows"]:
        assert (row["n"], row["n_reference"]) == (40, 40)  # halves of 81
        assert {"label", "value", "floor", "unit", "better", "scatter", "floor_scatter"} < set(row)
        assert row["better"] in {"lower", "higher"}
    assert (good["n_samples"], good["n_held_out"], good["n_train"]) == (81, 81, 96)
    assert rows(good)["wasserstein_gini"]["unit"] == "real standard deviations"


def test_floors_are_the_same_for_all_generators(good: Mapping[str, Any], bad: Mapping[str, Any]) -> None:
    assert good["feature_network"] == bad["feature_network"]
    assert good["feature_network"]["score"] > 0.9 > good["feature_network"]["chance"]
    for name, row in rows(good).items():
        assert row["floor"] == rows(bad)[name]["floor"], name


def test_repeated_measurement_gives_the_same_json_from_small_batches(good: Mapping[str, Any]) -> None:
    quality_request = request(truthful)

    assert canonical_json(measure(quality_request)) == canonical_json(good)
    assert isinstance(quality_request.train, Blobs)
    assert isinstance(quality_request.held_out, Blobs)
    assert max(quality_request.train.largest_batch, quality_request.held_out.largest_batch) <= 32
    assert json.loads(json.dumps(good, allow_nan=False)) == good


def test_fidelity_is_measured_for_each_continuous_condition_and_property(
    good: Mapping[str, Any], bad: Mapping[str, Any]
) -> None:
    curve, aperture = good["fidelity"]

    assert aperture["property"] == "aperture_flux"
    assert (curve["condition"], curve["condition_unit"], curve["property"]) == ("brightness", "mJy", "total_flux")
    assert curve["rank_correlation"] > 0.4  # single and double sources differ in flux
    assert curve["monotonic_share"] > 0.9
    assert curve["real_rank_correlation"] > 0.4
    assert curve["requested"][0] > 0.3
    assert curve["requested"][-1] < 1.0
    assert bad["fidelity"][0]["rank_correlation"] is None
    assert bad["fidelity"][0]["monotonic_share"] == 0


def test_generator_that_copies_is_detected(good: Mapping[str, Any]) -> None:
    quality_request = request(truthful)

    def copies(conditions: NDArray[np.float32], _stream: Stream) -> Iterator[NDArray[np.float32]]:
        yield np.rot90(quality_request.train.batch(np.arange(len(conditions)) % 96), axes=(1, 2))

    found = measure(request(copies))["memorisation"]
    assert (found["share_below"], found["smallest"], found["closest"]["training_image"]) == (1, 0, 0)
    assert good["memorisation"]["share_below"] < 0.1
    assert good["memorisation"]["n"] == good["memorisation"]["n_reference"] == 81


def test_features_of_a_single_class_learn_physical_statistics() -> None:
    space = ConditionSpace(classes=("single",))

    def sample(conditions: NDArray[np.float32], stream: Stream) -> Iterator[NDArray[np.float32]]:
        rng = stream.generator()
        yield draw(np.zeros(len(conditions), dtype=np.int64), rng.uniform(0.3, 1, len(conditions)), rng)

    task = Classification(classes=("single",))
    train, held_out = (Blobs(name, 64, task, one_class=True) for name in ("one train", "one held out"))
    found = measure(request(sample, space, train=train, held_out=held_out))

    assert found["feature_network"]["pretext"] == "physical statistics"
    assert found["feature_network"]["score"] > 0.2
    assert "class_agreement" not in rows(found)
    assert rows(found)["recall"]["value"] > 0.6


def test_features_of_a_regression_learn_its_targets() -> None:
    task = Regression(targets=(RegressionTarget(name="brightness", unit="mJy", minimum=0.0, maximum=1.0),))
    train, held_out = (Blobs(name, 64, task) for name in ("train", "held out"))
    space = ConditionSpace(attributes=("brightness",), units=("mJy",), means=(0.65,), deviations=(0.2,))

    def sample(conditions: NDArray[np.float32], stream: Stream) -> Iterator[NDArray[np.float32]]:
        labels = np.arange(len(conditions), dtype=np.int64) % 2
        yield draw(labels, space.values(conditions, "brightness"), stream.generator())

    held_out.attributes = {"brightness": np.where(np.arange(64) < 4, np.nan, held_out.brightness)}
    found = measure(request(sample, space, train=train, held_out=held_out))

    assert found["feature_network"]["pretext"] == "regression"
    assert found["feature_network"]["score"] > 0.8
    assert (found["n_samples"], found["n_held_out"]) == (60, 64)  # four have no condition to generate for


def test_generated_images_must_be_finite_and_complete() -> None:
    def broken(conditions: NDArray[np.float32], _stream: Stream) -> Iterator[NDArray[np.float32]]:
        yield np.full((len(conditions), SIZE, SIZE, 1), np.nan, dtype=np.float32)

    def lazy(conditions: NDArray[np.float32], stream: Stream) -> Iterator[NDArray[np.float32]]:
        yield from truthful(conditions[:-1], stream)

    with pytest.raises(DataError, match="not finite"):
        measure(request(broken))
    with pytest.raises(DataError, match="64 images"):
        measure(request(lazy))


def test_three_held_out_images_are_too_few_for_a_table() -> None:
    found = measure(request(truthful, held_out=Blobs("held out", 3)))

    assert (found["rows"], found["n_samples"]) == ([], 3)
