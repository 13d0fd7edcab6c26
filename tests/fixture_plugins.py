"""Packages of somebody else's, put where Python finds them without pip."""

from __future__ import annotations

from pathlib import Path


def install(folder: Path, name: str, source: str) -> Path:
    """Write a plugin of one module as an installer would, and return the folder, which is for PYTHONPATH."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(source)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[benchmarker]\na_{name} = {name}\n")
    return folder


# Compiled in a moment, with all that a resumed training must get back: statistics of batch normalisation, the random
# state of dropout, moments of two kinds of layers.
SMALL_NETWORK = """
from benchmarker import Architecture, hookimpl, layer_seeds


@hookimpl
def benchmarker_register(registrar):
    registrar.architecture(Architecture(name="small", builder="small_network:build", citation="none"))


def build(input_shape, task, seed):
    import keras
    from keras import initializers, layers

    seeds = layer_seeds(seed)
    return keras.Sequential([
        layers.Input(input_shape),
        layers.Conv2D(4, 5, strides=4, activation="relu", kernel_initializer=initializers.HeNormal(next(seeds))),
        layers.BatchNormalization(),
        layers.GlobalAveragePooling2D(),
        layers.Dropout(0.25, seed=next(seeds)),
        layers.Dense(
            task.n_outputs, activation="softmax", kernel_initializer=initializers.GlorotUniform(next(seeds))
        ),
    ])
"""
