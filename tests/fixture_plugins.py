"""Plugin packages of third parties, installed for a test without pip."""

from __future__ import annotations

from pathlib import Path


def plugin_source(*registrations: str) -> str:
    """Return the source of a module that registers plugins, each given as a call of a method of the registrar."""
    names = "Architecture, Augmentation, Classification, Command, Dataset, Executor, Generator, Report"
    lines = "".join(f"    registrar.{line}\n" for line in registrations)
    return f"from benchmarker import {names}, hookimpl\n\n@hookimpl\ndef benchmarker_register(registrar):\n{lines}"


def install_distribution(folder: Path, name: str, entries: dict[str, tuple[str, str]], version: str = "1.0") -> None:
    """Install a distribution into a folder, as pip would.

    Parameters
    ----------
    folder : Path
        Folder of the distribution; it is created if needed.
    name, version : str
        Name and version of the distribution.
    entries : dict of str to (str, str)
        Module and source of each entry point.
    """
    folder.mkdir(exist_ok=True)
    information = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = [f"{entry} = {module}\n" for entry, (module, _) in entries.items()]
    (information / "entry_points.txt").write_text("[benchmarker]\n" + "".join(lines))
    for module, source in entries.values():
        (folder / f"{module}.py").write_text(source)


def install(folder: Path, name: str, source: str) -> Path:
    """Install a plugin of one module into a folder, and return the folder, to be added to PYTHONPATH."""
    install_distribution(folder, name, {f"a_{name}": (name, source)})
    return folder


# Compiles quickly, and has every kind of state that a resumed training must restore: statistics of batch normalisation,
# the random state of dropout, and optimiser moments of two kinds of layers.
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
