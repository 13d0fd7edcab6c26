"""An exported model in a folder: which files it consists of, and what a reader of them must know."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from benchmarker import StorageError, digest_file, write_bytes
from benchmarker_serving.messages import Message

Format = Literal["keras", "savedmodel", "onnx", "litert"]

FILES: Mapping[Format, str] = {
    "keras": "model.keras",
    "savedmodel": "saved_model.pb",
    "onnx": "model.onnx",
    "litert": "model.tflite",
}
"""File by which each format is recognised; a SavedModel also has the folder ``variables``."""

DESCRIPTION_FILE = "model.json"
CARD_FILE = "card.md"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LARGEST_DESCRIPTION = 1 << 20


class Bundle(Message):
    """What is to know about an exported model.

    Parameters
    ----------
    name : str
        Name in addresses: letters, digits, ``.``, ``_`` and ``-``.
    version : int
        Number of the version, at least 1.
    kind : {"network", "generator"}
        What the model is.
    inputs : mapping of str to sequence of int
        Shape of each input without the axis of the images.
    output : str
        Name of the output.
    output_shape : tuple of int
        Its shape without the axis of the images.
    classes : tuple of str
        Classes of a classification, or those that images are generated for.
    conditions : tuple of str
        Encoded conditions of a generator, in the order of the input ``conditions``.
    units : mapping of str to str
        Unit of each target of a regression.
    prepared : bool
        Whether inputs are prepared images; otherwise the preparation is inside.
    preparation : mapping
        How images are prepared; empty for a generator.
    run : str
        Key of the run that trained the model.
    weights : str
        SHA-256 of its weights.
    difference : mapping of str to float
        Largest absolute difference between the outputs of each format and those of the run's network.
    files : mapping of str to str
        SHA-256 of each file.
    pixel_range : tuple of float
        Smallest and largest pixel that a generator draws.
    latent : {"", "normal", "uniform"}
        Distribution of the latent points of a generator: standard normal, or uniform in [-1, 1].
    """

    name: str
    version: int
    kind: Literal["network", "generator"]
    inputs: Mapping[str, tuple[int, ...]]
    output: str
    output_shape: tuple[int, ...]
    classes: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    units: Mapping[str, str] = {}
    prepared: bool = True
    preparation: Mapping[str, Any] = {}
    run: str = ""
    weights: str = ""
    difference: Mapping[str, float] = {}
    files: Mapping[str, str] = {}
    pixel_range: tuple[float, float] = (0.0, 1.0)
    latent: Literal["", "normal", "uniform"] = ""

    def write(self, folder: Path) -> None:
        """Write the description into the folder of the version."""
        write_bytes(folder / DESCRIPTION_FILE, (self.model_dump_json(indent=2) + "\n").encode())

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the description in the folder of a version.

        Raises
        ------
        StorageError
            If there is none that can be read.
        """
        path = folder / DESCRIPTION_FILE
        try:
            with path.open("rb") as stream:
                bundle = cls.from_bytes(stream.read(_LARGEST_DESCRIPTION))
        except (OSError, StorageError) as error:
            raise StorageError(f"{path}: does not describe an exported model: {error}") from error
        if not valid_name(bundle.name):
            raise StorageError(f"{path}: the name of a model is letters, digits, '.', '_' and '-'")
        return bundle


def valid_name(name: str) -> bool:
    """Whether a name can be part of an address and the name of a folder."""
    return _NAME.fullmatch(name) is not None


def name_of(*parts: str) -> str:
    """Return a valid name made of the names of a network and an arm.

    Examples
    --------
    >>> name_of("resnet/18", "real images")
    'resnet-18-real-images'
    """
    name = "-".join(re.sub(r"[^A-Za-z0-9._-]+", "-", part).strip("-.") for part in parts)[:100].strip("-.")
    return name or "model"


def next_version(folder: Path) -> int:
    """Return the number after the highest version in the folder of a model."""
    found = [int(path.name) for path in folder.glob("*") if path.name.isdigit()] if folder.is_dir() else []
    return max(found, default=0) + 1


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file of a model by its name in the folder, but not of the description."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != DESCRIPTION_FILE)
    return {path.relative_to(folder).as_posix(): digest_file(path) for path in files}
