"""Shared options and layers of the radio networks, in the conventions of the comparison.

Initial kernels are He-normal for convolutions [1]_, He-normal or Glorot-uniform for hidden dense layers [2]_, and
Glorot-uniform for the last dense layer; all biases are zero. This is as in the comparison of Becker et al. [3]_.

References
----------
.. [1] He et al. 2015, arXiv:1502.01852.
.. [2] Glorot & Bengio 2010, Proceedings of Machine Learning Research 9, 249.
.. [3] Becker et al. 2021, MNRAS 503, 1828 (2021MNRAS.503.1828B; arXiv:2102.03780).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from benchmarker import Options, Task, layer_seeds

if TYPE_CHECKING:
    import keras

Activation = Literal["relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh", "sigmoid"]
Initialiser = Literal["he_uniform", "he_normal", "glorot_uniform", "glorot_normal"]
Padding = Literal["same", "valid"]
Rate = Annotated[float, Field(ge=0, lt=1)]
Penalty = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ConvolutionOptions(Options):
    """Variants of a network; the defaults are the paper's."""

    activation: Activation = "relu"
    """Activation that replaces every ReLU of the paper; its sigmoid and linear layers stay."""

    dropout: Rate | None = None
    """Rate of every dropout; null keeps the rates of the paper, 0 removes dropout."""

    batch_normalisation: bool = False
    """Add batch normalisation after the activation of every convolution; in AlexNet, where its adapted form has it."""

    convolution_l2: Penalty = 0.0
    """L2 penalty on the kernels of the convolutions."""


class NetworkOptions(ConvolutionOptions):
    """Variants of a network with hidden dense layers; the defaults are the paper's."""

    l2: Penalty | None = None
    """L2 penalty on the kernels of the hidden dense layers; null keeps that of the paper, 0 removes it."""

    dense_initialiser: Initialiser | None = None
    """Initial distribution of the kernels of the hidden dense layers; null keeps that of the paper."""


class NormalisedOptions(NetworkOptions):
    """Variants of a network with batch normalisation in its paper; the defaults are the paper's."""

    batch_normalisation: bool = True
    """Use batch normalisation as in the paper; false removes it."""


class Network:
    """A network that is built layer by layer; each layer has a unique name and, if it is random, a separate seed.

    Layers that the options remove use up their seed as well, so that a variant without dropout has the same initial
    weights.

    Parameters
    ----------
    name : str
        Name of the Keras model.
    input_shape : tuple of int
        Height, width (pixels) and channels of the images.
    task : Task
        Task, which determines the outputs.
    seed : int
        Seed that all seeds are derived from.
    options : ConvolutionOptions
        Variant of the network.

    Examples
    --------
    >>> from benchmarker import Classification
    >>> task = Classification(classes=("FRI", "FRII"))
    >>> network = Network("example", (16, 16, 1), task, 8901, NetworkOptions())
    >>> network.convolution(8, 3)
    >>> network.flatten().shape
    (None, 2048)
    >>> network.model().output_shape
    (None, 2)
    """

    def __init__(
        self, name: str, input_shape: tuple[int, int, int], task: Task, seed: int, options: ConvolutionOptions
    ) -> None:
        import keras

        self._name = name
        self._task = task
        self._seeds = layer_seeds(seed)
        self._options = options
        self._counts: Counter[str] = Counter()
        self._input = keras.Input(shape=input_shape, name="image")
        self._tensor: Any = self._input

    def convolution(
        self,
        filters: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: Padding = "same",
        normalise: Literal["after", "before", "never"] = "after",
    ) -> None:
        """Add a convolution with a square kernel and its activation.

        Parameters
        ----------
        filters, kernel, stride : int
            Number of filters, and size and stride in pixels.
        padding : {"same", "valid"}
            Padding of the input.
        normalise : {"after", "before", "never"}
            Position of batch normalisation relative to the activation, if the options ask for it.
        """
        from keras import initializers, layers, regularizers

        before = normalise == "before" and self._options.batch_normalisation
        penalty = self._options.convolution_l2
        self._add(
            layers.Conv2D(
                filters,
                kernel,
                strides=stride,
                padding=padding,
                activation=None if before else self._options.activation,
                kernel_initializer=initializers.HeNormal(seed=next(self._seeds)),
                kernel_regularizer=regularizers.L2(penalty) if penalty else None,
                name=self._layer_name("convolution"),
            )
        )
        if before:
            self.normalisation()
            self._add(layers.Activation(self._options.activation, name=self._layer_name("activation")))
        elif normalise == "after" and self._options.batch_normalisation:
            self.normalisation()

    def pooling(self, size: int, *, stride: int | None = None, padding: Padding) -> None:
        """Add max pooling; the stride is the size by default."""
        from keras import layers

        self._add(layers.MaxPooling2D(size, strides=stride, padding=padding, name=self._layer_name("pooling")))

    def normalisation(self) -> None:
        """Add batch normalisation, whatever the options."""
        from keras import layers

        self._add(layers.BatchNormalization(name=self._layer_name("normalisation")))

    def leaky_relu(self, slope: float) -> None:
        """Add a leaky rectifier with this slope for negative numbers, whatever the options."""
        from keras import layers

        self._add(layers.LeakyReLU(slope, name=self._layer_name("activation")))

    def dropout(self, rate: float) -> None:
        """Add dropout at the rate of the paper, unless the options override it."""
        from keras import layers

        seed = next(self._seeds)
        rate = rate if self._options.dropout is None else self._options.dropout
        if rate:
            self._add(layers.Dropout(rate, seed=seed, name=self._layer_name("dropout")))

    def flatten(self) -> Any:
        """Flatten the maps to a vector, and return its Keras tensor."""
        from keras import layers

        self._add(layers.Flatten(name=self._layer_name("flatten")))
        return self._tensor

    def restart(self) -> None:
        """Start another branch: the next layer has the image as its input."""
        self._tensor = self._input

    def concatenate(self, branches: Sequence[Any]) -> None:
        """Concatenate the Keras tensors of several branches."""
        from keras import layers

        self._tensor = layers.Concatenate(name=self._layer_name("concatenate"))(list(branches))

    def dense(
        self,
        units: int,
        *,
        initialiser: Literal["he_normal", "glorot_uniform"],
        activation: Literal["relu", "sigmoid", "linear"] = "relu",
        l2: float = 0.0,
    ) -> None:
        """Add a hidden dense layer; the options may override its ReLU, initialiser and L2 penalty."""
        from keras import initializers, layers, regularizers

        start: str = initialiser
        # Networks without hidden dense layers have no options for them.
        if isinstance(self._options, NetworkOptions):
            l2 = l2 if self._options.l2 is None else self._options.l2
            start = self._options.dense_initialiser or initialiser
        self._add(
            layers.Dense(
                units,
                activation=self._options.activation if activation == "relu" else activation,
                kernel_initializer=initializers.get({"class_name": start, "config": {"seed": next(self._seeds)}}),
                kernel_regularizer=regularizers.L2(l2) if l2 else None,
                name=self._layer_name("dense"),
            )
        )

    def model(self, *, activation: str | None = None, dropout: float = 0.0) -> keras.Model:
        """Add the last dense layer and return the network.

        Parameters
        ----------
        activation : str, optional
            Output activation for a classification, instead of that of the task.
        dropout : float
            Rate of a dropout between the last dense layer and its activation.

        Returns
        -------
        keras.Model
            Uncompiled network with float32 outputs of shape (n, n_outputs), whatever the precision of its layers.
        """
        import keras
        from keras import initializers, layers

        if activation is None or self._task.kind != "classification":
            activation = self._task.output_activation
        # With mixed precision, probabilities in bfloat16 would have only two digits.
        self._add(
            layers.Dense(
                self._task.n_outputs,
                activation=None if dropout else activation,
                kernel_initializer=initializers.GlorotUniform(seed=next(self._seeds)),
                dtype="float32",
                name="logits" if dropout else "output",
            )
        )
        if dropout:
            self.dropout(dropout)
            self._add(layers.Activation(activation, dtype="float32", name="output"))
        return keras.Model(self._input, self._tensor, name=self._name)

    def _add(self, layer: Any) -> None:
        self._tensor = layer(self._tensor)

    def _layer_name(self, kind: str) -> str:
        self._counts[kind] += 1
        return f"{kind}_{self._counts[kind]}"
