r"""Baseline for inclinations: the axis ratio of the light, turned into an inclination as before there were networks.

An oblate spheroid of intrinsic axis ratio :math:`q_0`, seen at the inclination i, has the axis ratio q with

.. math:: \cos^2 i = \frac{q^2 - q_0^2}{1 - q_0^2}

(Hubble 1926, ApJ 64, 321; 1926ApJ....64..321H). The ratio is measured from second moments of the light: with the
brightness w of a pixel above the border of the image, :math:`M = \sum w \, x x^T / \sum w` has the eigenvalues
:math:`\lambda_1 \geq \lambda_2`, and :math:`q^2 = \lambda_2 / \lambda_1`.

Seeing, bulges and the stretch of the image bias q. The baseline therefore fits what an astronomer would calibrate on a
training set: :math:`q_0`, and the slope and zero of a line from this inclination to the label. These are its only
weights. It masks no stars: a bright one in front of the galaxy counts as its light.
"""

from __future__ import annotations

from typing import Any

from benchmarker import ConfigurationError, Task

_START = 0.2
"""First value of the intrinsic axis ratio, the one in use for spirals."""

_THRESHOLD = 0.1
"""Part of the range between border and brightest pixel below which a pixel does not count."""

_SMALLEST = 1e-4


def build(input_shape: tuple[int, int, int], task: Task, seed: int) -> Any:  # noqa: ARG001 - part of the contract
    """Build the baseline: moments, Hubble's relation and a line.

    Parameters
    ----------
    input_shape : tuple of int
        Height, width and channels. Channels are averaged.
    task : Task
        A regression with one target.
    seed : int
        Not used: no weight starts at random.

    Raises
    ------
    ConfigurationError
        If the task has another number of outputs than one, or is a classification.
    """
    from keras import Input, Sequential, layers

    if task.kind != "regression" or task.n_outputs != 1:
        raise ConfigurationError(
            f"axis_ratio predicts one number, the inclination. Received: a {task.kind} with {task.n_outputs} output(s)"
        )
    line = layers.Dense(1, kernel_initializer="ones", bias_initializer="zeros", dtype="float32", name="line")
    return Sequential([Input(input_shape), _hubble_layer()(dtype="float32"), line], name="axis_ratio")


def _hubble_layer() -> Any:
    """Return the class of the layer; keras is imported only when a network is built."""
    import keras
    from keras import initializers, layers, ops

    @keras.saving.register_keras_serializable(package="benchmarker_inclination")
    class HubbleInclination(layers.Layer):  # type: ignore[misc]
        """Inclination from the moments of the light, with 45 to 90 degrees mapped to [-1, 1]."""

        def build(self, input_shape: Any) -> None:  # noqa: ARG002 - part of the contract
            """Make the weight: the intrinsic axis ratio."""
            start = initializers.Constant(_START)
            self.thickness = self.add_weight(shape=(1,), initializer=start, name="intrinsic_axis_ratio")

        def call(self, images: Any) -> Any:
            """Return the inclinations, shape (n, 1)."""
            light = ops.mean(images, axis=-1)
            sky = 0.25 * (
                ops.mean(light[:, 0], -1) + ops.mean(light[:, -1], -1)
                + ops.mean(light[:, :, 0], -1) + ops.mean(light[:, :, -1], -1)
            )  # fmt: skip
            above = light - sky[:, None, None]
            weight = ops.relu(above - _THRESHOLD * ops.max(above, axis=(1, 2), keepdims=True)) + 1e-9
            q2 = _squared_ratio(weight)
            q02 = ops.square(ops.clip(self.thickness, 0.0, 0.9))
            cosine2 = ops.clip((q2 - q02) / (1.0 - q02), _SMALLEST, 1.0 - _SMALLEST)
            degrees = ops.arccos(ops.sqrt(cosine2)) * (180.0 / 3.141592653589793)
            return ops.expand_dims((degrees - 67.5) / 22.5, -1)

        def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
            """Return (n, 1)."""
            return (input_shape[0], 1)

    return HubbleInclination


def _squared_ratio(weight: Any) -> Any:
    """Return the ratio of the smaller to the larger eigenvalue of the second moments, shape (n,)."""
    from keras import ops

    height, width = weight.shape[1:]
    y = ops.reshape(ops.arange(height, dtype="float32"), (1, height, 1)) / width
    x = ops.reshape(ops.arange(width, dtype="float32"), (1, 1, width)) / width
    total = ops.sum(weight, axis=(1, 2))

    def mean(values: Any) -> Any:
        return ops.sum(weight * values, axis=(1, 2)) / total

    centre_x, centre_y = mean(x), mean(y)
    dx, dy = x - centre_x[:, None, None], y - centre_y[:, None, None]
    xx, yy, xy = mean(dx * dx), mean(dy * dy), mean(dx * dy)
    spread = ops.sqrt(ops.square(xx - yy) + 4.0 * ops.square(xy) + 1e-12)
    return ops.clip((xx + yy - spread) / (xx + yy + spread), _SMALLEST, 1.0)
