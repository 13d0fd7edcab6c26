"""Layers of GANs that Keras lacks: spectral normalisation, statistics of a minibatch, and an older resizing."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray


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
        kernel = _normalised_kernel(self, training)
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
        kernel = _normalised_kernel(self, training)
        outputs = ops.matmul(inputs, kernel)
        return self.activation(outputs if self.bias is None else outputs + self.bias)


def _singular_vector(layer: Any, size: int, seed: int) -> Any:
    initialiser = keras.initializers.RandomNormal(seed=seed)
    return layer.add_weight(
        shape=(size,), initializer=initialiser, trainable=False, autocast=False, name="singular_vector"
    )


def _normalised_kernel(layer: Any, training: bool) -> Any:
    """Return the normalised kernel in the layer's precision; improve the singular vector while training."""
    # In float32 also where the layer computes in bfloat16: norms of thousands of numbers need more than 8 bits.
    kernel, improved = spectral_normalise(ops.cast(layer.kernel, "float32"), layer.singular_vector)
    if training:
        layer.singular_vector.assign(improved)
    return ops.cast(kernel, layer.compute_dtype)


class MinibatchDiscrimination(keras.layers.Layer):  # type: ignore[misc]
    r"""Measures how close each image is to the real and to the generated ones, as published for the conditional GAN.

    The batch has 2B images: real ones first, then as many generated ones. A dense layer turns the features of image i
    into K vectors :math:`m_{ik}`. The outputs are 2K sums, over the real and over the generated half,

    .. math:: o_{ik}^h = \frac{1}{B (2B - 1)} \sum_{j \in h, j \neq i} e^{-|m_{ik} - m_{jk}|_1}

    A generator that repeats one image is recognised by them. The published divisor is the number of pairs of all
    images with those of a half, not that of the terms, so the outputs are small: at most :math:`1 / (2B - 1)`.

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
    Salimans et al. 2016, *Improved Techniques for Training GANs*, arXiv:1606.03498, section 3.2, with one sum over the
    whole batch, undivided.

    Examples
    --------
    Four images that are all alike: two real and two generated ones, each close to one or two others of a half.

    >>> import numpy as np
    >>> layer = MinibatchDiscrimination(1, 3, seed=1)
    >>> (np.asarray(layer(np.ones((4, 5), "float32"))) * 6).round(4).tolist()
    [[1.0, 2.0], [1.0, 2.0], [2.0, 1.0], [2.0, 1.0]]
    """

    def __init__(self, kernels: int, dimensions: int, *, seed: int, **options: Any) -> None:
        super().__init__(**options)
        self._kernels, self._dimensions, self._seed = kernels, dimensions, seed

    def build(self, input_shape: Any) -> None:
        """Create the weights of the dense layer."""
        size = self._kernels * self._dimensions
        self.projection = self.add_weight(
            shape=(input_shape[-1], size),
            initializer=keras.initializers.RandomNormal(stddev=0.02, seed=self._seed),
            name="projection",
        )
        self.bias = self.add_weight(shape=(size,), initializer="zeros", name="bias")

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        """Return (2B, 2 kernels)."""
        return (input_shape[0], 2 * self._kernels)

    def call(self, features: Any) -> Any:
        """Return the outputs for features of shape (2B, m), tensor of shape (2B, 2 kernels)."""
        n = features.shape[0]
        vectors = ops.reshape(ops.matmul(features, self.projection) + self.bias, (n, self._kernels, self._dimensions))
        distances = ops.sum(ops.abs(ops.expand_dims(vectors, 1) - ops.expand_dims(vectors, 0)), axis=3)
        others = ops.cast(1.0 - ops.eye(n), distances.dtype)
        closeness = ops.exp(-distances) * ops.expand_dims(others, -1)
        halves = ops.sum(ops.reshape(closeness, (n, 2, n // 2, self._kernels)), axis=2)
        return ops.reshape(halves, (n, 2 * self._kernels)) / (n // 2 * (n - 1))


class CornerResizing(keras.layers.Layer):  # type: ignore[misc]
    r"""Bilinear resizing whose grid is anchored at the first pixel, as TensorFlow 1 did it.

    Output pixel i is interpolated at :math:`x_i = i \, n_\mathrm{in} / n_\mathrm{out}`, and the last input pixel is
    repeated. `keras.layers.Resizing` anchors the grid at the centre of the image.

    Parameters
    ----------
    size : int
        Height and width of the outputs, in pixels.

    Examples
    --------
    >>> import numpy as np
    >>> row = np.array([0.0, 1.0], "float32").reshape(1, 2, 1, 1)
    >>> np.asarray(CornerResizing(4)(np.tile(row, (1, 1, 2, 1))))[0, :, 0, 0].tolist()
    [0.0, 0.5, 1.0, 1.0]
    """

    def __init__(self, size: int, **options: Any) -> None:
        super().__init__(**options)
        self.size = size

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return (n, size, size, channels)."""
        return (input_shape[0], self.size, self.size, input_shape[3])

    def call(self, images: Any) -> Any:
        """Return images of shape (n, height, width, channels) with `size` rows and columns."""
        # Products with fixed matrices: their gradients are the same in every run, on every device.
        rows, columns = (ops.cast(_interpolation(n, self.size), images.dtype) for n in images.shape[1:3])
        return ops.einsum("ri,nijc,sj->nrsc", rows, images, columns)


def _interpolation(n: int, size: int) -> NDArray[np.float32]:
    """Return the weights of ``n`` input pixels in each of ``size`` output pixels, ndarray of shape (size, n)."""
    positions = np.arange(size) * (n / size)
    lower = np.minimum(np.floor(positions).astype(int), n - 1)
    matrix = np.zeros((size, n), np.float32)
    np.add.at(matrix, (np.arange(size), lower), 1 - (positions - lower))
    np.add.at(matrix, (np.arange(size), np.minimum(lower + 1, n - 1)), positions - lower)
    return matrix


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
