"""What a network is asked to predict. The core asks the task; it never assumes classification."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """One class out of several for each image.

    Parameters
    ----------
    classes : tuple of str
        Names of the classes; the target of an image is an index into it.
    """

    classes: tuple[str, ...]

    @property
    def kind(self) -> Literal["classification"]:
        """Name of the kind of task, as stored in files."""
        return "classification"

    @property
    def n_outputs(self) -> int:
        """Number of units of a network's last layer."""
        return len(self.classes)

    @property
    def output_activation(self) -> str:
        """Activation of a network's last layer, unless its paper says otherwise."""
        return "softmax"

    def to_json(self) -> dict[str, Any]:
        """Return what `task_from_json` reads."""
        return {"kind": self.kind, "classes": list(self.classes)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionTarget:
    """One number to be predicted.

    Parameters
    ----------
    name : str
        For example ``"inclination"``.
    unit : str
        In the notation of `astropy.units`; empty for a pure number.
    minimum, maximum : float
        The range of the target in ``unit``. Networks are trained on the range mapped to [-1, 1].
    """

    name: str
    unit: str
    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """One or more numbers for each image.

    Parameters
    ----------
    targets : tuple of RegressionTarget
        The numbers, in the order of the columns of the target array.
    """

    targets: tuple[RegressionTarget, ...]

    @property
    def kind(self) -> Literal["regression"]:
        """Name of the kind of task, as stored in files."""
        return "regression"

    @property
    def n_outputs(self) -> int:
        """Number of units of a network's last layer."""
        return len(self.targets)

    @property
    def output_activation(self) -> str:
        """Activation of a network's last layer, unless its paper says otherwise."""
        return "linear"

    def to_json(self) -> dict[str, Any]:
        """Return what `task_from_json` reads."""
        return {
            "kind": self.kind,
            "targets": [
                {"name": t.name, "unit": t.unit, "minimum": t.minimum, "maximum": t.maximum} for t in self.targets
            ],
        }


Task = Classification | Regression


def task_from_json(value: dict[str, Any]) -> Task:
    """Rebuild a task from what its ``to_json`` gave."""
    if value["kind"] == "classification":
        return Classification(classes=tuple(value["classes"]))
    return Regression(targets=tuple(RegressionTarget(**target) for target in value["targets"]))
