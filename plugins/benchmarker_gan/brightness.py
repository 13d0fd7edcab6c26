"""What brightness is to the networks: pixels of the images as prepared, stretched, shifted and scaled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import keras

Unit = Literal["standard", "symmetric", "prepared"]

_SLOWEST = 0.01
"""Share of a new batch in the mean: the first hundred steps are averaged, later ones followed."""


class Brightness:
    """Turns prepared images into what networks see, and back.

    Most pixels of an astronomical image are sky at one level, with a few bright ones: in [-1, 1] nearly all are at one
    number, and what tells images apart is a small part of what a network sees. In units of the standard deviation of
    the real pixels about their mean it is not. Both are learnt from the batches of real images, for each channel.

    Parameters
    ----------
    unit : {"standard", "symmetric", "prepared"}
        In standard deviations about the mean, [0, 1] as [-1, 1], or as they are.
    stretch : float
        Power that brightness is raised to before that: below 1, faint structure counts more, and what a generator
        leaves in an empty sky comes out fainter.
    channels : int
        Of the images.
    """

    def __init__(self, unit: Unit, stretch: float, channels: int) -> None:
        import keras

        self._unit, self._stretch = unit, stretch
        self.variables: Sequence[keras.Variable] = ()
        if unit == "standard":
            shapes = {"batches": (), "mean": (channels,), "square": (channels,)}
            self.variables = [
                keras.Variable(np.zeros(shape, np.float32), trainable=False, name=name)
                for name, shape in shapes.items()
            ]

    def learn(self, images: Any) -> Any:
        """Learn from a batch of real images, tensor of shape (n, height, width, channels), and return it as seen."""
        from keras import ops

        seen = images if self._stretch == 1 else ops.power(ops.maximum(images, 0.0), self._stretch)
        if self._unit == "symmetric":
            return seen * 2.0 - 1.0
        if self._unit == "prepared":
            return seen
        batches, mean, square = self.variables
        share = ops.maximum(1.0 / (batches.value + 1.0), _SLOWEST)
        for variable, values in ((mean, seen), (square, ops.square(seen))):
            variable.assign(variable.value + share * (ops.mean(values, axis=(0, 1, 2)) - variable.value))
        batches.assign(batches.value + 1.0)
        deviation = ops.sqrt(ops.maximum(square.value - ops.square(mean.value), 1e-8))
        return (seen - mean.value) / deviation

    def back(self, seen: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return images as prepared, in [0, 1], ndarray of shape (n, height, width, channels), float32."""
        from keras import ops

        linear: NDArray[Any] = seen
        if self._unit == "symmetric":
            linear = (seen + 1) / 2
        elif self._unit == "standard":
            _, mean, square = (ops.convert_to_numpy(variable) for variable in self.variables)
            linear = seen * np.sqrt(np.maximum(square - mean**2, 1e-8)) + mean
        images: NDArray[np.float32] = np.clip(linear, 0, 1).astype(np.float32, copy=False)
        return images if self._stretch == 1 else images ** np.float32(1 / self._stretch)
