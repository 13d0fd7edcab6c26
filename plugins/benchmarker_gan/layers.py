"""Layers of GANs that Keras does not provide: spectral normalisation and statistics of a minibatch."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def spectral_normalise(kernel: Any, singular_vector: Any) -> tuple[Any, Any]:
    r"""Divide a kernel by its largest singular value.

    With the kernel as a matrix W and one step of power iteration per call,

    .. math:: u = \frac{W v}{|W v|}, \qquad v' = \frac{W^T u}{|W^T u|}, \qquad \hat W = \frac{W}{u^T W v'}

    A layer with this kernel changes distances by at most a factor of 1, which bounds the gradients of a discriminator.

    Parameters
    ----------
    kernel : tensor of shape (..., n)
        Kernel, considered as a matrix with n columns.
    singular_vector : tensor of shape (n,)
        Estimate v of the first right singular vector.

    Returns
    -------
    kernel : tensor of shape (..., n)
        Normalised kernel; gradients flow through the kernel only, not through the singular vectors.
    singular_vector : tensor of shape (n,)
        Improved estimate v'.

    References
    ----------
    Miyato et al. 2018, *Spectral Normalization for Generative Adversarial Networks*, arXiv:1802.05957.

    Examples
    --------
    >>> import numpy as np
    >>> kernel, _ = spectral_normalise(np.diag([4.0, 2.0]).astype("float32"), np.array([1.0, 0.0], "float32"))
    >>> np.asarray(kernel).diagonal().tolist()
    [1.0, 0.5]
    """
    matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
    fixed = ops.stop_gradient(matrix)
    left = ops.normalize(ops.matmul(fixed, ops.stop_gradient(singular_vector)), axis=0)
    improved = ops.normalize(ops.matmul(left, fixed), axis=0)
    largest = ops.sum(left * ops.matmul(matrix, improved))
    return kernel / largest, improved


class SpectralConv2D(keras.layers.Conv2D):  # type: ignore[misc]
    """A convolution with spectral normalisation, see `spectral_normalise`.

    Parameters
    ----------
    vector_seed : int
        Seed of the initial singular vector; all other arguments are those of `keras.layers.Conv2D`.
    """

    def __init__(self, *arguments: Any, vector_seed: int, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._vector_seed = vector_seed

    def build(self, input_shape: Any) -> None:
        """Create kernel, bias and singular vector."""
        super().build(input_shape)
        self.singular_vector = _singular_vector(self, self.filters, self._vector_seed)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return the convolution; improve the singular vector while training."""
        kernel, improved = spectral_normalise(self.kernel, self.singular_vector)
        if training:
            self.singular_vector.assign(improved)
        return self.activation(ops.add(self.convolution_op(inputs, kernel), ops.reshape(self.bias, (1, 1, 1, -1))))


class SpectralDense(keras.layers.Dense):  # type: ignore[misc]
    """A dense layer with spectral normalisation, see `spectral_normalise`.

    Parameters
    ----------
    vector_seed : int
        Seed of the initial singular vector; all other arguments are those of `keras.layers.Dense`.
    """

    def __init__(self, *arguments: Any, vector_seed: int, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._vector_seed = vector_seed

    def build(self, input_shape: Any) -> None:
        """Create kernel, bias and singular vector."""
        super().build(input_shape)
        self.singular_vector = _singular_vector(self, self.units, self._vector_seed)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return the product with the kernel; improve the singular vector while training."""
        kernel, improved = spectral_normalise(self.kernel, self.singular_vector)
        if training:
            self.singular_vector.assign(improved)
        outputs = ops.matmul(inputs, kernel)
        return self.activation(outputs if self.bias is None else outputs + self.bias)


def _singular_vector(layer: Any, size: int, seed: int) -> Any:
    initialiser = keras.initializers.RandomNormal(seed=seed)
    return layer.add_weight(shape=(size,), initializer=initialiser, trainable=False, name="singular_vector")


class MinibatchDiscrimination(keras.layers.Layer):  # type: ignore[misc]
    r"""Measures how close each image is to the others of its batch, so that a generator cannot repeat one image.

    A tensor T turns the features :math:`f_i` of image i into K vectors :math:`m_{ik} = f_i T_k`. The outputs are

    .. math:: o_{ik} = \sum_j e^{-|m_{ik} - m_{jk}|_1}

    The sum includes j = i, so each output is at least 1. The output for an image depends on the other images of the
    batch.

    Parameters
    ----------
    kernels : int
        Number K of vectors.
    dimensions : int
        Length of each vector.
    seed : int
        Seed of the initial weights.

    References
    ----------
    Salimans et al. 2016, *Improved Techniques for Training GANs*, arXiv:1606.03498, section 3.2.

    Examples
    --------
    >>> import numpy as np
    >>> layer = MinibatchDiscrimination(2, 3, seed=1)
    >>> np.asarray(layer(np.ones((4, 5), "float32"))).tolist()[0]
    [4.0, 4.0]
    """

    def __init__(self, kernels: int, dimensions: int, *, seed: int, **options: Any) -> None:
        super().__init__(**options)
        self._kernels, self._dimensions, self._seed = kernels, dimensions, seed

    def build(self, input_shape: Any) -> None:
        """Create the tensor T."""
        self.projection = self.add_weight(
            shape=(input_shape[-1], self._kernels * self._dimensions),
            initializer=keras.initializers.GlorotUniform(seed=self._seed),
            name="projection",
        )

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        """Return (n, kernels)."""
        return (input_shape[0], self._kernels)

    def call(self, features: Any) -> Any:
        """Return the outputs for features of shape (n, m), tensor of shape (n, kernels)."""
        vectors = ops.reshape(ops.matmul(features, self.projection), (-1, self._kernels, self._dimensions))
        distances = ops.sum(ops.abs(ops.expand_dims(vectors, 1) - ops.expand_dims(vectors, 0)), axis=3)
        return ops.sum(ops.exp(-distances), axis=1)


class MinibatchStandardDeviation(keras.layers.Layer):  # type: ignore[misc]
    """Appends a map with the standard deviation of the features within the batch, averaged over features and pixels.

    A generator whose images are all alike is recognised by its small value.

    References
    ----------
    Karras et al. 2018, *Progressive Growing of GANs for Improved Quality, Stability, and Variation*, arXiv:1710.10196,
    section 3.

    Examples
    --------
    >>> import numpy as np
    >>> features = np.stack([np.zeros((2, 2, 1)), np.ones((2, 2, 1))]).astype("float32")
    >>> round(float(MinibatchStandardDeviation()(features)[0, 0, 0, 1]), 3)
    0.5
    """

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return the shape with one more channel."""
        return (*input_shape[:-1], input_shape[-1] + 1)

    def call(self, features: Any) -> Any:
        """Return features of shape (n, height, width, channels) with the additional map."""
        # The small constant keeps the gradient of the root finite at a variance of zero.
        deviation = ops.mean(ops.sqrt(ops.var(features, axis=0) + 1e-8))
        return ops.concatenate([features, ops.zeros_like(features[..., :1]) + deviation], axis=-1)
