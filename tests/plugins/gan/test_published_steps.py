"""Steps of the published GANs, checked against their equations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from keras.ops import convert_to_numpy as to_numpy

from benchmarker import Batches, ConditionSpace, Stream
from benchmarker_gan import cgan, dcgan
from benchmarker_gan.adversarial import Gan
from benchmarker_gan.layers import CornerResizing, MinibatchDiscrimination
from benchmarker_gan.objectives import DiscriminatorOutput, NonSaturatingAuxiliary
from benchmarker_gan.presets import RECIPES, CganOptions, DcganOptions

NOTHING = ConditionSpace()
SPACE = ConditionSpace(attributes=("z", "mass"), units=("", ""), means=(0.0, 0.0), deviations=(1.0, 1.0))


@pytest.fixture(autouse=True)
def eager() -> Any:
    """Run steps operation by operation, because compiling them takes longer than all of these tests."""
    tensorflow = pytest.importorskip("tensorflow")
    tensorflow.config.run_functions_eagerly(True)
    yield
    tensorflow.config.run_functions_eagerly(False)


def test_condition_error_is_half_the_sum_of_squares_over_batch_and_conditions() -> None:
    rng = Stream("test", number=1).generator()
    predicted, conditions = rng.normal(size=(2, 64, 2)).astype(np.float32)
    undecided = DiscriminatorOutput(np.zeros((64, 1), np.float32), predicted)
    loss, measured = NonSaturatingAuxiliary(adversarial_weight=50.0).generator(undecided, conditions)
    error = 0.5 * ((predicted - conditions) ** 2).sum()
    assert float(measured["g_condition_error"]) == pytest.approx(error, rel=1e-5)
    assert error / ((predicted - conditions) ** 2).sum(axis=1).mean() == pytest.approx(32)  # of a mean over the images
    assert float(loss) == pytest.approx(error + 50 * np.log(2), rel=1e-5)


def test_minibatch_features_compare_with_both_halves_and_leave_the_image_itself_out() -> None:
    layer = MinibatchDiscrimination(3, 2, seed=1)
    features = Stream("test", number=2).generator().normal(size=(8, 5)).astype(np.float32)
    found = np.array(layer(features))
    vectors = (features @ to_numpy(layer.projection) + to_numpy(layer.bias)).reshape(8, 3, 2)
    expected = np.zeros((8, 6))
    for i in range(8):
        for j in range(8):
            if i != j:
                half = slice(0, 3) if j < 4 else slice(3, 6)
                expected[i, half] += np.exp(-np.abs(vectors[i] - vectors[j]).sum(axis=1))
    np.testing.assert_allclose(found, expected / (4 * 7), rtol=1e-5)


def test_minibatch_features_start_as_in_the_code() -> None:
    layer = MinibatchDiscrimination(128, 5, seed=1)
    assert np.array(layer(np.zeros((128, 200), np.float32))).shape == (128, 256)
    projection = to_numpy(layer.projection)
    assert (projection.mean(), projection.std()) == pytest.approx((0, 0.02), abs=2e-4)  # 128,000 normal numbers
    assert to_numpy(layer.bias).shape == (640,)
    assert not to_numpy(layer.bias).any()
    alike = np.array(layer(np.ones((128, 200), np.float32)))
    np.testing.assert_allclose(alike[0], [63 / 8128] * 128 + [64 / 8128] * 128, rtol=1e-5)  # B(2B - 1) is 8,128


def test_corner_resizing_is_anchored_at_the_first_pixel() -> None:
    row = np.arange(16, dtype=np.float32)
    found = np.array(CornerResizing(35)(np.tile(row[None, None, :, None], (1, 16, 1, 1))))[0, 0, :, 0]
    np.testing.assert_allclose(found, np.minimum(np.arange(35) * 16 / 35, 15), rtol=1e-5)


def test_published_discriminator_normalises_real_and_generated_images_together() -> None:
    """Its output for real images depends on the generated ones, and its loss is that of one batch of both."""
    model = cgan.build((16, 16, 1), SPACE, 8, CganOptions(preset="published", filters=4))
    assert isinstance(model, Gan)
    rng = Stream("test", number=3).generator()
    real, fake, other = rng.random((3, 4, 16, 16, 1), dtype=np.float32)
    logits = [to_numpy(model.discriminator(np.concatenate([real, x]), training=True)[0])[:4] for x in (fake, other)]
    assert not np.allclose(*logits)
    draws = model.draw(rng, 4)
    assert set(draws) == {"generator_noise"}  # one set of latent points for both networks
    conditions = SPACE.encode(None, {"z": rng.random(4), "mass": rng.random(4)})
    generated = model.generator([draws["generator_noise"], conditions], training=True)
    logit, predicted = (
        to_numpy(each) for each in model.discriminator(np.concatenate([real, generated]), training=True)
    )
    measured = model.train_step(real, conditions, draws)
    error = 0.5 * ((predicted[:4] - conditions) ** 2).sum()
    assert float(measured["d_condition_error_real"]) == pytest.approx(error, rel=1e-4)
    assert float(measured["d_loss_fake"]) == pytest.approx(np.log1p(np.exp(logit[4:])).mean(), rel=1e-4)


def test_published_networks_start_and_normalise_as_in_the_code() -> None:
    import keras

    model = cgan.build((24, 24, 3), SPACE, 8, CganOptions(preset="published", filters=16))
    assert isinstance(model, Gan)
    for network in (model.generator, model.discriminator):
        for layer in network.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                assert (layer.momentum, layer.epsilon) == (0.9, 1e-5)
            elif isinstance(layer, keras.layers.Conv2D | keras.layers.Dense):
                truncated = isinstance(layer, keras.layers.Conv2D)
                kernel = to_numpy(layer.kernel)
                assert (np.abs(kernel).max() <= 0.0401) or not truncated
                # A normal distribution that is cut at two deviations has a deviation of 0.88 of it.
                assert kernel.std() == pytest.approx(0.02 * (0.88 if truncated else 1), rel=0.25)
                assert not to_numpy(layer.bias).any()


def test_published_images_are_neither_shuffled_nor_clipped() -> None:
    model = cgan.build((16, 16, 1), SPACE, 8, CganOptions(preset="published", filters=4))
    assert isinstance(model, Gan)
    assert model.batches == Batches(order="fixed")
    model.set_pixel_range(0.0, 1.0)
    model.generator.layers[-1].bias.assign(np.array([-7.5], np.float32))
    sample = model.sample(model.noise(Stream("test").generator(), 2), np.zeros((2, 2), np.float32))
    assert sample.max() < -7


def test_radio_networks_learn_together_from_one_set_of_images() -> None:
    """Both gradients are those at the weights before the step, and a smaller last batch meets a full generated one."""
    model = dcgan.build((16, 16, 1), NOTHING, 5, DcganOptions(preset="radio", filters=4, batch_size=8))
    assert isinstance(model, Gan)
    assert model.batches == Batches(incomplete=True)
    rng = Stream("test", number=4).generator()
    draws = model.draw(rng, 3)
    assert {name: len(values) for name, values in draws.items()} == {"generator_noise": 8}
    before = model.generator(draws["generator_noise"], training=True)
    shown: list[Any] = []
    update = model._discriminator_steps[0]

    def watched(*arrays: Any) -> Any:
        shown.append(arrays[2])
        return update(*arrays)

    model._discriminator_steps = [watched]
    model.train_step(rng.random((3, 16, 16, 1), dtype=np.float32), np.zeros((3, 0), np.float32), draws)
    np.testing.assert_allclose(to_numpy(shown[0]), to_numpy(before), rtol=1e-5, atol=1e-6)
    assert not np.allclose(to_numpy(model.generator(draws["generator_noise"], training=True)), to_numpy(before))


@pytest.mark.parametrize("preset", ["radio", "published"])
def test_kept_state_holds_both_networks_and_both_optimisers(preset: Any) -> None:
    """What `keep_state` writes are the variables of the model; moments and steps of Adam are among them."""
    if preset == "radio":
        model: Any = dcgan.build((16, 16, 1), NOTHING, 5, DcganOptions(preset=preset, filters=4))
    else:
        model = cgan.build((16, 16, 1), SPACE, 8, CganOptions(preset=preset, filters=4))
    held = {id(variable) for variable in model.variables}
    for network in (model.generator, model.discriminator):
        assert {id(variable) for variable in network.variables} <= held
        assert len(network.trainable_variables) > 4
    assert len(model._optimisers) == 2
    for optimiser in model._optimisers:
        assert {id(variable) for variable in optimiser.variables} <= held
        assert len(optimiser.variables) > 10  # the step, the rate, and two moments of each weight


def test_colour_discriminator_has_two_updates_of_half_a_batch() -> None:
    model = dcgan.build((16, 16, 3), NOTHING, 5, DcganOptions(preset="colour", filters=16, batch_size=8))
    assert isinstance(model, Gan)
    assert model.batches == Batches(order="drawn")
    rng = Stream("test", number=5).generator()
    draws = model.draw(rng, 8)
    assert {name: len(values) for name, values in draws.items()} == {"discriminator_noise": 4, "generator_noise": 8}
    measured = model.train_step(rng.random((8, 16, 16, 3), dtype=np.float32), np.zeros((8, 0), np.float32), draws)
    assert {"d_loss_real", "d_loss_fake", "d_real_accuracy", "d_fake_accuracy", "g_loss"} == set(measured)
    assert int(to_numpy(model._optimisers[0].iterations)) == 2
    assert int(to_numpy(model._optimisers[1].iterations)) == 1


def test_accuracy_on_a_fresh_sample_changes_no_variable() -> None:
    model = dcgan.build((8, 8, 1), NOTHING, 5, DcganOptions(filters=4))
    assert isinstance(model, Gan)
    rng = Stream("test", number=6).generator()
    images, noise = rng.random((5, 8, 8, 1), dtype=np.float32), model.noise(rng, 5)
    before = [to_numpy(variable) for variable in model.variables]
    judged = model.discriminator_accuracy(images, np.zeros((5, 0), np.float32), noise)
    assert set(judged) == {"fresh_real_accuracy", "fresh_fake_accuracy"}
    assert all(0 <= value <= 1 for value in judged.values())
    assert all(np.array_equal(old, to_numpy(new)) for old, new in zip(before, model.variables, strict=True))


@pytest.mark.parametrize("preset", ["small", "radio", "colour", "published", "projection"])
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_every_preset_trains_in_every_precision(preset: str, precision: str) -> None:
    import keras

    conditional = preset in {"published", "projection"}
    space, shape = (SPACE if conditional else NOTHING), (16, 16, 1)
    rng = Stream("test", number=7).generator()
    images = rng.uniform(-40, 900, (6, *shape)).astype(np.float32)
    values = {"z": rng.random(6), "mass": rng.random(6)}
    conditions = space.encode(None, values) if conditional else np.zeros((6, 0), np.float32)
    keras.config.set_dtype_policy(precision)
    try:
        if conditional:
            model: Any = cgan.build(shape, space, 1, CganOptions(preset=preset, filters=4))
        else:
            model = dcgan.build(shape, space, 1, DcganOptions(preset=preset, filters=8, batch_size=6))
        model.set_pixel_range(float(images.min()), float(images.max()))
        measured = model.train_step(images, conditions, model.draw(rng, 6))
        samples = model.sample(model.noise(rng, 6), conditions)
    finally:
        keras.config.set_dtype_policy("float32")
    assert all(np.isfinite(float(value)) for value in measured.values())
    assert samples.dtype == np.float32
    assert np.isfinite(samples).all()
    if RECIPES[preset].scaling != "none":
        # Untrained generators make pixels all over the range: with the range [0, 1] all would be at most 1.
        assert images.min() <= samples.min() < samples.max() <= images.max()
        assert samples.max() > 100


@pytest.mark.long
@pytest.mark.parametrize(
    ("preset", "shape", "parameters"),
    [
        ("radio", (128, 128, 1), (7_842_112, 337_665)),
        ("colour", (128, 128, 3), (1_990_659, 817_665)),
        ("published", (50, 50, 3), (33_962_307, 36_160_195)),
    ],
)
def test_every_preset_takes_a_step_at_its_published_width(
    preset: Any, shape: tuple[int, int, int], parameters: tuple[int, int]
) -> None:
    space = SPACE if preset == "published" else NOTHING
    if preset == "published":
        model: Any = cgan.build(shape, space, 1, CganOptions(preset=preset, batch_size=2))
    else:
        model = dcgan.build(shape, space, 1, DcganOptions(preset=preset, batch_size=2))
    networks = (model.generator, model.discriminator)
    assert tuple(network.count_params() for network in networks) == parameters
    rng = Stream("test", number=8).generator()
    images = rng.random((2, *shape), dtype=np.float32)
    before = [to_numpy(network.trainable_variables[0]) for network in networks]
    conditions = np.zeros((2, space.size), np.float32)
    measured = model.train_step(images, conditions, model.draw(rng, 2))
    assert all(np.isfinite(float(value)) for value in measured.values())
    after = [to_numpy(network.trainable_variables[0]) for network in networks]
    assert not any(np.array_equal(old, new) for old, new in zip(before, after, strict=True))
