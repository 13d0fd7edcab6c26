"""What the radio networks share: their options, and the layers in the conventions of the comparison.

Convolutions start from He-normal kernels [1]_, hidden dense layers from He-uniform or Glorot-uniform ones [2]_, the
last dense layer from a Glorot-uniform one, and every bias from zero, as in the comparison of Becker et al. [3]_.

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
    """In place of every ReLU of the paper; its sigmoid and linear layers stay."""

    dropout: Rate | None = None
    """Rate of every dropout; null keeps the paper's rates, 0 leaves dropout out."""

    batch_normalisation: bool = False
    """Normalise after every convolution and its activation; AlexNet where its adapted form does."""

    convolution_l2: Penalty = 0.0
    """Penalty on the squared kernels of the convolutions."""


class NetworkOptions(ConvolutionOptions):
    """Variants of a network with hidden dense layers; the defaults are the paper's."""

    l2: Penalty | None = None
    """Penalty on the squared kernels of the hidden dense layers; null keeps the paper's, 0 leaves it out."""

    dense_initialiser: Initialiser | None = None
    """How the hidden dense layers start; null keeps the paper's."""


class NormalisedOptions(NetworkOptions):
    """Variants of a network whose paper normalises batches; the defaults are the paper's."""

    batch_normalisation: bool = True
    """Normalise where the paper does; false leaves it out."""


class Network:
    """A network that grows layer by layer, each with a name of its own and, where it is random, a seed of its own.

    Seeds are drawn for what options leave out, too: a variant without dropout starts from the same weights.

    Parameters
    ----------
    name : str
        Of the Keras model.
    input_shape : tuple of int
        Height, width (pixels) and channels.
    task : Task
        Says how many outputs there are.
    seed : int
        All seeds are derived from it.
    options : ConvolutionOptions
        Variants of what the paper says.
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
        """Add a square convolution and its activation, normalised after or before that where the options say so."""
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
        """Add max pooling; its stride is its size unless given."""
        from keras import layers

        self._add(layers.MaxPooling2D(size, strides=stride, padding=padding, name=self._layer_name("pooling")))

    def normalisation(self) -> None:
        """Add batch normalisation, whatever the options say."""
        from keras import layers

        self._add(layers.BatchNormalization(name=self._layer_name("normalisation")))

    def dropout(self, rate: float) -> None:
        """Add dropout at the paper's rate or at that of the options."""
        from keras import layers

        seed = next(self._seeds)
        rate = rate if self._options.dropout is None else self._options.dropout
        if rate:
            self._add(layers.Dropout(rate, seed=seed, name=self._layer_name("dropout")))

    def flatten(self) -> Any:
        """Add the step from maps to a vector, and return its Keras tensor."""
        from keras import layers

        self._add(layers.Flatten(name=self._layer_name("flatten")))
        return self._tensor

    def restart(self) -> None:
        """Let the next layer take the image again, as the first of another branch."""
        self._tensor = self._input

    def concatenate(self, branches: Sequence[Any]) -> None:
        """Join branches, given as Keras tensors."""
        from keras import layers

        self._tensor = layers.Concatenate(name=self._layer_name("concatenate"))(list(branches))

    def dense(
        self,
        units: int,
        *,
        initialiser: Literal["he_uniform", "glorot_uniform"],
        activation: Literal["relu", "sigmoid", "linear"] = "relu",
        l2: float = 0.0,
    ) -> None:
        """Add a hidden dense layer; the options replace its ReLU, its initialiser and its penalty."""
        from keras import initializers, layers, regularizers

        start: str = initialiser
        # Networks without hidden dense layers offer no options for them.
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
            In place of the task's, for a classification.
        dropout : float
            Rate of a dropout between the last dense layer and its activation.

        Returns
        -------
        keras.Model
            Not compiled; gives float32, of shape (n, n_outputs), whatever the precision of the layers.
        """
        import keras
        from keras import initializers, layers

        if activation is None or self._task.kind != "classification":
            activation = self._task.output_activation
        # Under mixed precision probabilities in bfloat16 would have two digits.
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
