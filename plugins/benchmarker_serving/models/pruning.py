"""Makes networks and generators smaller: whole channels are removed, or small weights are set to zero."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from benchmarker import PluginError

if TYPE_CHECKING:
    import keras
    import numpy as np
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

_PASSING = (
    "Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax", "Dropout", "SpatialDropout2D", "GaussianNoise",
    "MaxPooling2D", "AveragePooling2D", "UpSampling2D", "ZeroPadding2D", "Cropping2D", "InputLayer", "Identity",
    "GlobalAveragePooling2D", "GlobalMaxPooling2D", "Rescaling",
)  # fmt: skip
_WEIGHTED = ("Conv2D", "Conv2DTranspose", "Dense")


def zero_smallest(model: keras.Model, fraction: float) -> keras.Model:
    r"""Return a copy of a model in which the smallest weights of each kernel are zero (magnitude pruning).

    Parameters
    ----------
    model : keras.Model
        Any model.
    fraction : float
        Fraction of the weights of each kernel with two or more axes that become zero.

    Notes
    -----
    Zeros make files smaller that are compressed, but no computation faster: the kernels keep their shape.

    References
    ----------
    Han, Pool, Tran & Dally 2015, arXiv:1506.02626.
    """
    import keras
    import numpy as np

    pruned = keras.models.clone_model(model)
    pruned.set_weights(model.get_weights())
    for variable in pruned.trainable_variables:
        if len(variable.shape) > 1:
            values = np.array(keras.ops.convert_to_numpy(variable))
            limit = np.quantile(np.abs(values), fraction)
            variable.assign(np.where(np.abs(values) <= limit, 0, values) if fraction else values)
    return pruned


def without_channels(model: keras.Model, fraction: float) -> keras.Model:
    r"""Return a smaller copy of a chain of layers, without its least important channels (structured pruning).

    The importance of a channel is :math:`|\gamma|` of the batch normalisation that follows, or else the sum of
    :math:`|w|` over its kernel. Of :math:`C` channels, :math:`\max(1, \lceil (1 - f) C \rceil)` stay. Inputs and the
    channels of the last weighted layer stay as they are.

    Parameters
    ----------
    model : keras.Model
        Chain of convolutions, transposed convolutions, dense layers, batch normalisation, activations, pooling,
        dropout, `Flatten` and `Reshape`.
    fraction : float
        Fraction :math:`f` of the channels of each layer to remove.

    Raises
    ------
    PluginError
        If the model is no such chain.

    References
    ----------
    Li et al. 2017, arXiv:1608.08710; by the size of gamma, Liu et al. 2017, arXiv:1708.06519.
    """
    import keras

    layers = list(_chain(model))
    last = max(k for k, layer in enumerate(layers) if type(layer).__name__ in _WEIGHTED)
    inputs = keras.Input(model.input_shape[1:])
    tensor: Any = inputs
    kept: Any = None  # which channels of the previous layer stay; None for all
    for k in range(len(layers)):
        copy, weights, kept = _smaller(layers, k, kept, fraction if k < last else 0.0)
        if copy is None:
            continue
        tensor = copy(tensor)
        copy.set_weights(weights)
    return keras.Model(inputs, tensor, name=model.name)


def _chain(model: keras.Model) -> Iterator[Any]:
    """Yield the layers of a chain, those of nested chains in their place."""
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _chain(layer)
            continue
        if type(layer).__name__ not in (*_PASSING, *_WEIGHTED, "BatchNormalization", "Flatten", "Reshape"):
            raise PluginError(
                f"channels are removed from chains of plain layers, and {model.name} has a {type(layer).__name__}; use "
                "--method magnitude"
            )
        if isinstance(layer.input, list) and len(layer.input) > 1:
            raise PluginError(f"channels are removed from chains, and {layer.name} has several inputs")
        yield layer


def _smaller(layers: list[Any], k: int, kept: Any, fraction: float) -> tuple[Any, list[Any], Any]:
    """Return a copy of a layer without channels, its weights, and which of its channels stay."""
    import numpy as np

    layer = layers[k]
    kind = type(layer).__name__
    config = layer.get_config()
    if kind == "InputLayer":
        return None, [], kept
    if kind in _WEIGHTED:
        weights = layer.get_weights()
        outputs = _importance(layers, k)
        stay = _strongest(outputs, fraction, _group(layers, k))
        config["units" if kind == "Dense" else "filters"] = int(stay.sum())
        return type(layer).from_config(config), _sliced(kind, weights, kept, stay), stay
    if kind == "BatchNormalization":
        rows = slice(None) if kept is None else kept
        return type(layer).from_config(config), [each[rows] for each in layer.get_weights()], kept
    if kind == "Flatten":
        places = int(np.prod(layer.input.shape[1:-1]))
        return type(layer).from_config(config), [], None if kept is None else np.tile(kept, places)
    if kind == "Reshape":
        return _reshaped(layer, config, kept)
    return type(layer).from_config(config), layer.get_weights() if kind == "PReLU" else [], kept


def _reshaped(layer: Any, config: dict[str, Any], kept: Any) -> tuple[Any, list[Any], Any]:
    if kept is None:
        return type(layer).from_config(config), [], None
    channels = int(layer.target_shape[-1])
    stay = kept[:channels]  # a dense layer before a reshape keeps or loses a channel at all places alike
    config["target_shape"] = (*layer.target_shape[:-1], int(stay.sum()))
    return type(layer).from_config(config), [], stay


def _importance(layers: list[Any], k: int) -> NDArray[np.float64]:
    """Return the importance of each output of a weighted layer."""
    import numpy as np

    layer = layers[k]
    following = next((each for each in layers[k + 1 :] if type(each).__name__ not in _PASSING), None)
    if type(following).__name__ == "BatchNormalization" and following is not None and following.scale:
        return np.abs(np.asarray(following.gamma, dtype=np.float64))
    kernel = np.abs(np.asarray(layer.kernel, dtype=np.float64))
    axes = {"Conv2D": (0, 1, 2), "Conv2DTranspose": (0, 1, 3), "Dense": (0,)}[type(layer).__name__]
    found: NDArray[np.float64] = kernel.sum(axis=axes)
    return found


def _group(layers: list[Any], k: int) -> int:
    """Return how many neighbouring outputs are the channels of one place, where a dense layer is reshaped; else 0."""
    if type(layers[k]).__name__ == "Dense":
        for layer in layers[k + 1 :]:
            if type(layer).__name__ == "Reshape":
                return int(layer.target_shape[-1])
            if type(layer).__name__ in _WEIGHTED:
                break
    return 0


def _strongest(importance: NDArray[np.float64], fraction: float, group: int) -> Mask:
    """Return which outputs stay; with a group, a channel stays at all places or at none."""
    import numpy as np

    by_channel = importance.reshape(-1, group).sum(axis=0) if group else importance
    n = max(1, int(np.ceil((1 - fraction) * len(by_channel))))
    stay = np.zeros(len(by_channel), dtype=bool)
    stay[np.argsort(-by_channel, kind="stable")[:n]] = True
    return np.tile(stay, len(importance) // group) if group else stay


def _sliced(kind: str, weights: list[Any], kept: Any, stay: Any) -> list[Any]:
    """Return kernel and bias without the inputs and outputs that are gone."""
    import numpy as np

    kernel, *bias = weights
    inputs = slice(None) if kept is None else np.flatnonzero(kept)
    outputs = np.flatnonzero(stay)
    if kind == "Conv2DTranspose":
        kernel = kernel[:, :, outputs, :][:, :, :, inputs]
    elif kind == "Conv2D":
        kernel = kernel[:, :, inputs, :][..., outputs]
    else:
        kernel = kernel[inputs][:, outputs]
    return [kernel, *(each[outputs] for each in bias)]


def prune_parts(model: keras.Model, fraction: float, *, channels: bool) -> keras.Model:
    """Return a copy of a graph in which every network that it contains is pruned.

    Parameters
    ----------
    model : keras.Model
        Graph of `benchmarker_serving.models.graphs`: networks between operations.
    fraction : float
        Fraction of the channels, or of the weights, to remove.
    channels : bool
        Whether to remove channels instead of setting weights to zero.
    """
    import keras

    prune = without_channels if channels else zero_smallest

    def copied(layer: Any) -> Any:
        return prune(layer, fraction) if isinstance(layer, keras.Model) else layer

    pruned: keras.Model = keras.models.clone_model(model, clone_function=copied)
    return pruned


def distil(
    pruned: keras.Model, inputs: list[NDArray[np.float32]], wanted: NDArray[np.float32], *, epochs: int, seed: int
) -> None:
    """Train a pruned model to give the outputs of the original (fine-tuning by distillation), in a fixed order.

    Parameters
    ----------
    pruned : keras.Model
        Model to train.
    inputs : list of ndarray of shape (n, ...)
        Its inputs.
    wanted : ndarray of shape (n, ...)
        Outputs of the original for them.
    epochs : int
        Passes over the inputs.
    seed : int
        Seed of the order of the batches.

    References
    ----------
    Hinton, Vinyals & Dean 2015, arXiv:1503.02531.
    """
    import keras
    import numpy as np

    from benchmarker import Stream

    pruned.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse")
    for epoch in range(epochs):
        order = Stream("distillation", seed=seed, epoch=epoch).generator().permutation(len(wanted))
        given = [each[order] for each in inputs]
        pruned.fit(
            given if len(given) > 1 else given[0], np.asarray(wanted)[order], batch_size=32, shuffle=False, verbose=0
        )
