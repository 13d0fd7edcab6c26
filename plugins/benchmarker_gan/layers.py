"""Layers that GANs need and Keras has not; imported only where networks are built."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


def normalised_kernel(kernel: Any, direction: Any) -> tuple[Any, Any]:
    """Divide a kernel by its largest singular value.

    Parameters
    ----------
    kernel : tensor of shape (..., n)
        Seen as a matrix with n columns.
    direction : tensor of shape (n,)
        Estimate of the first right singular vector; one step of power iteration makes it better.

    Returns
    -------
    tuple of tensor
        The kernel, and the better direction. Gradients flow through the kernel alone.

    References
    ----------
    Miyato et al. 2018, *Spectral Normalization for Generative Adversarial Networks*, arXiv:1802.05957.
    """
    matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
    fixed = ops.stop_gradient(matrix)
    left = ops.normalize(ops.matmul(fixed, ops.stop_gradient(direction)), axis=0)
    better = ops.normalize(ops.matmul(left, fixed), axis=0)
    largest = ops.sum(left * ops.matmul(matrix, better))
    return kernel / largest, better


class SpectralConv2D(keras.layers.Conv2D):  # type: ignore[misc]
    """A convolution whose kernel is divided by its largest singular value."""

    def __init__(self, *arguments: Any, direction_seed: int, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._direction_seed = direction_seed

    def build(self, input_shape: Any) -> None:
        """Create kernel, bias and direction."""
        super().build(input_shape)
        self.direction = _direction(self, self.filters, self._direction_seed)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Convolve; improve the direction while training."""
        kernel, better = normalised_kernel(self.kernel, self.direction)
        if training:
            self.direction.assign(better)
        return self.activation(ops.add(self.convolution_op(inputs, kernel), ops.reshape(self.bias, (1, 1, 1, -1))))


class SpectralDense(keras.layers.Dense):  # type: ignore[misc]
    """A dense layer whose kernel is divided by its largest singular value."""

    def __init__(self, *arguments: Any, direction_seed: int, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._direction_seed = direction_seed

    def build(self, input_shape: Any) -> None:
        """Create kernel, bias and direction."""
        super().build(input_shape)
        self.direction = _direction(self, self.units, self._direction_seed)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Multiply; improve the direction while training."""
        kernel, better = normalised_kernel(self.kernel, self.direction)
        if training:
            self.direction.assign(better)
        outputs = ops.matmul(inputs, kernel)
        return self.activation(outputs if self.bias is None else outputs + self.bias)


def _direction(layer: Any, size: int, seed: int) -> Any:
    initialiser = keras.initializers.RandomNormal(seed=seed)
    return layer.add_weight(shape=(size,), initializer=initialiser, trainable=False, name="direction")


class MinibatchDiscrimination(keras.layers.Layer):  # type: ignore[misc]
    """Tells how close each image is to the others of its batch, so that a generator cannot repeat one image.

    Features (n, m) become ``kernels`` points of ``dimensions`` numbers for each image; for each kernel, the
    exponentials of the negative L1 distances to all images of the batch are added up.

    Parameters
    ----------
    kernels, dimensions : int
        How many points, and of how many numbers.
    seed : int
        Of the initial weights.

    References
    ----------
    Salimans et al. 2016, *Improved Techniques for Training GANs*, arXiv:1606.03498, section 3.2.
    """

    def __init__(self, kernels: int, dimensions: int, *, seed: int, **options: Any) -> None:
        super().__init__(**options)
        self._kernels, self._dimensions, self._seed = kernels, dimensions, seed

    def build(self, input_shape: Any) -> None:
        """Create the tensor that makes points of features."""
        self.projection = self.add_weight(
            shape=(input_shape[-1], self._kernels * self._dimensions),
            initializer=keras.initializers.GlorotUniform(seed=self._seed),
            name="projection",
        )

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        """Return (n, kernels)."""
        return (input_shape[0], self._kernels)

    def call(self, features: Any) -> Any:
        """Return the closeness, tensor of shape (n, kernels)."""
        points = ops.reshape(ops.matmul(features, self.projection), (-1, self._kernels, self._dimensions))
        apart = ops.sum(ops.abs(ops.expand_dims(points, 1) - ops.expand_dims(points, 0)), axis=3)
        return ops.sum(ops.exp(-apart), axis=1)


class BatchDeviation(keras.layers.Layer):  # type: ignore[misc]
    """Adds a map that holds how much the features differ within the batch, so that a generator cannot repeat itself.

    References
    ----------
    Karras et al. 2018, *Progressive Growing of GANs for Improved Quality, Stability, and Variation*, arXiv:1710.10196,
    section 3.
    """

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        """Return the shape with one channel more."""
        return (*input_shape[:-1], input_shape[-1] + 1)

    def call(self, features: Any) -> Any:
        """Return the features, tensor of shape (n, height, width, channels), with one map more."""
        # A little is added because the root of 0 has no gradient.
        deviation = ops.mean(ops.sqrt(ops.var(features, axis=0) + 1e-8))
        return ops.concatenate([features, ops.zeros_like(features[..., :1]) + deviation], axis=-1)
