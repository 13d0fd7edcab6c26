"""Options of the radio networks change what they describe and nothing else."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest

from benchmarker import Architecture, Classification
from benchmarker.discovery import installed, options_model, resolve
from benchmarker.testing import check_architecture

CLASSES = Classification(classes=("COMP", "FRI", "FRII", "BENT"))
RADIO = sorted(
    owner.plugin.name
    for owner in installed().all("architecture")
    if isinstance(owner.plugin, Architecture) and owner.plugin.builder.startswith("benchmarker_architectures.")
)
SMALL = ("convxpress", "fr_deep", "hosenie", "mcrgnet", "simple_net")


def given_options(name: str, **options: Any) -> Any:
    model = options_model(installed().architecture(name))
    assert model is not None
    return model(**options)


def build(name: str, **options: Any) -> Any:
    network = installed().architecture(name)
    size = max(network.minimum_size, 24)
    return resolve(network.builder)((size, size, 1), CLASSES, 8901, given_options(name, **options))


def kinds(model: Any) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


def configurations(model: Any, kind: str) -> list[dict[str, Any]]:
    return [layer.get_config() for layer in model.layers if type(layer).__name__ == kind]


@pytest.mark.parametrize("name", RADIO)
@pytest.mark.parametrize(
    "wrong",
    [{"drop_out": 0.5}, {"dropout": 1.0}, {"dropout": -0.1}, {"activation": "step"}, {"convolution_l2": -1}],
    ids=str,
)
def test_wrong_options_are_refused(name: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        given_options(name, **wrong)


@pytest.mark.parametrize("name", RADIO)
def test_every_option_is_described(name: str) -> None:
    fields = type(given_options(name)).model_fields
    assert {"activation", "dropout", "batch_normalisation", "convolution_l2"} <= set(fields)
    assert all(field.description for field in fields.values())


def test_network_without_hidden_dense_layers_has_no_options_for_them() -> None:
    with pytest.raises(pydantic.ValidationError, match="l2"):
        given_options("simple_net", l2=0.1)


@pytest.mark.parametrize("name", SMALL)
def test_dropout_option_changes_rates_but_not_initial_weights(name: str) -> None:
    import numpy as np

    paper, none, some = build(name), build(name, dropout=0), build(name, dropout=0.125)
    assert "Dropout" in kinds(paper)
    assert "Dropout" not in kinds(none)
    assert {layer["rate"] for layer in configurations(some, "Dropout")} == {0.125}
    # Equal initial weights make a comparison of dropout rates paired.
    for other in (none, some):
        assert all(map(np.array_equal, paper.get_weights(), other.get_weights()))


@pytest.mark.parametrize("name", ["convxpress", "toothless", "hosenie", "simple_net"])
def test_activation_option_replaces_only_the_relus(name: str) -> None:
    def activations(model: Any) -> list[str]:
        return [config["activation"] for layer in model.layers if "activation" in (config := layer.get_config())]

    paper, variant = activations(build(name)), activations(build(name, activation="elu"))
    assert "relu" in paper
    assert variant == ["elu" if activation == "relu" else activation for activation in paper]


def test_l2_option_applies_to_hidden_dense_layers() -> None:
    def penalties(model: Any) -> list[Any]:
        regularisers = [layer["kernel_regularizer"] for layer in configurations(model, "Dense")]
        return [regulariser and pytest.approx(regulariser["config"]["l2"]) for regulariser in regularisers]

    assert penalties(build("convxpress")) == [0.01, None]
    assert penalties(build("convxpress", l2=0)) == [None, None]
    assert penalties(build("convxpress", l2=0.5)) == [0.5, None]
    assert penalties(build("mcrgnet")) == [None, None]
    assert penalties(build("mcrgnet", l2=0.5)) == [0.5, None]


def test_convolution_l2_option_applies_to_all_convolutions() -> None:
    penalised = build("simple_net", convolution_l2=0.25)
    assert len(penalised.losses) == 5
    kernels = [weight for weight in penalised.get_weights() if weight.ndim == 4]
    assert float(sum(penalised.losses)) == pytest.approx(
        sum(0.25 * float((kernel**2).sum()) for kernel in kernels), rel=1e-4
    )
    assert build("simple_net").losses == []


def test_batch_normalisation_option_adds_it_after_each_activation() -> None:
    found = kinds(build("convxpress", batch_normalisation=True))
    assert found.count("BatchNormalization") == found.count("Conv2D") == 11
    assert all(found[k + 1] == "BatchNormalization" for k, kind in enumerate(found) if kind == "Conv2D")
    assert "BatchNormalization" not in kinds(build("convxpress"))


@pytest.mark.parametrize("name", ["fr_deep", "hosenie", "toothless"])
def test_batch_normalisation_of_the_paper_can_be_removed(name: str) -> None:
    assert kinds(build(name)).count("BatchNormalization") == 5
    assert "BatchNormalization" not in kinds(build(name, batch_normalisation=False))


def test_alexnets_differ_only_in_batch_normalisation() -> None:
    assert kinds(build("alexnet", batch_normalisation=True)) == kinds(build("alexnet_bn"))
    assert kinds(build("alexnet_bn", batch_normalisation=False)) == kinds(build("alexnet"))


def test_dense_initialiser_option_applies_to_hidden_layers() -> None:
    def starts(model: Any) -> list[str]:
        return [layer["kernel_initializer"]["class_name"] for layer in configurations(model, "Dense")]

    assert starts(build("mcrgnet")) == ["HeNormal", "GlorotUniform"]
    assert starts(build("mcrgnet", dense_initialiser="he_uniform")) == ["HeUniform", "GlorotUniform"]
    assert starts(build("convxpress", dense_initialiser="he_uniform")) == ["HeUniform", "GlorotUniform"]


def test_atlas_with_softmax_gives_rows_that_sum_to_one() -> None:
    import numpy as np

    images = np.ones((2, 24, 24, 1), "float32")
    assert np.allclose(np.asarray(build("atlas", output="softmax")(images)).sum(axis=1), 1, atol=1e-6)
    with pytest.raises(pydantic.ValidationError):
        given_options("atlas", output="linear")


@pytest.mark.parametrize("name", SMALL)
def test_variants_conform(name: str) -> None:
    network = installed().architecture(name)
    plain = given_options(name).batch_normalisation
    variant = given_options(
        name, activation="leaky_relu", dropout=0.1, batch_normalisation=not plain, convolution_l2=1e-4
    )
    check_architecture(network, options=variant)
