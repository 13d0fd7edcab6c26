"""Architecture ``simple_classifier``: the network that galaxyCGAN compares its generated galaxies with.

Three convolutions of growing kernels, for 50 x 50 pixels in three bands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarker import Task, layer_seeds

if TYPE_CHECKING:
    import keras

_KERNELS = (4, 8, 16)
_FILTERS = 16
_DENSE = (128, 64)
_DROPOUT = 0.25


def build(input_shape: tuple[int, int, int], task: Task, seed: int) -> keras.Model:
    """Build the network: convolutions of 4, 8 and 16 pixels, each pooled, and two dense layers.

    Parameters
    ----------
    input_shape : tuple of int
        Height, width (8 pixels or more) and channels of the images.
    task : Task
        Its outputs. Two classes get a softmax, which is the sigmoid of the original with one weight vector more.
    seed : int
        Seed of all initial kernels (Glorot-uniform) and dropouts.

    Returns
    -------
    keras.Model
        164,978 parameters for 50 x 50 pixels, three channels and two classes; 65 fewer in the original.

    References
    ----------
    The simple classifier of https://github.com/egentry/galaxyCGAN.
    """
    import keras
    from keras import initializers, layers

    seeds = layer_seeds(seed)
    image = keras.Input(shape=input_shape, name="image")
    tensor = image
    for number, kernel in enumerate(_KERNELS, start=1):
        start = initializers.GlorotUniform(seed=next(seeds))
        tensor = layers.Conv2D(
            _FILTERS, kernel, padding="same", activation="relu", kernel_initializer=start, name=f"convolution_{number}"
        )(tensor)
        tensor = layers.MaxPooling2D(2, name=f"pooling_{number}")(tensor)
        tensor = layers.Dropout(_DROPOUT, seed=next(seeds), name=f"dropout_{number}")(tensor)
    tensor = layers.Flatten(name="flatten")(tensor)
    for number, units in enumerate(_DENSE, start=1):
        start = initializers.GlorotUniform(seed=next(seeds))
        tensor = layers.Dense(units, activation="relu", kernel_initializer=start, name=f"dense_{number}")(tensor)
    output = layers.Dense(
        task.n_outputs,
        activation=task.output_activation,
        kernel_initializer=initializers.GlorotUniform(seed=next(seeds)),
        dtype="float32",
        name="output",
    )
    return keras.Model(image, output(tensor), name="simple_classifier")
