"""What an export is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from benchmarker_serving.models.bundle import Format


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportJob:
    """What is to be exported.

    Parameters
    ----------
    study : str
        Path of the study.
    selector : str
        Selector of the network or generator.
    kind : {"network", "generator"}
        What it is.
    seed : int
        Seed of the run.
    checkpoint : {"best", "final"}
        Weights of a network.
    epoch : int or None
        Epoch of a generator's weights; the last one if None.
    formats : tuple of str
        Formats to write.
    folder : str
        Empty folder to write into.
    name : str
        Name of the model.
    version : int
        Number of the version.
    preparation : bool
        Whether a network gets the preparation inside.
    input_size : int or None
        Height and width of an image before the preparation.
    """

    study: str
    selector: str
    kind: str
    seed: int
    checkpoint: Any
    epoch: int | None
    formats: tuple[Format, ...]
    folder: str
    name: str
    version: int
    preparation: bool
    input_size: int | None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Return the job that `to_json` described."""
        return cls(**{**value, "formats": tuple(value["formats"])})
