"""What a network is asked to predict. The core asks the task; it never assumes classification."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """Predict one class out of several for each image.

    Parameters
    ----------
    classes : tuple of str
        Names of the classes; the target of an image is an index into it.

    Examples
    --------
    >>> from benchmarker import Classification
    >>> task = Classification(classes=("FRI", "FRII"))
    >>> task.n_outputs, task.output_activation
    (2, 'softmax')
    """

    classes: tuple[str, ...]

    @property
    def kind(self) -> Literal["classification"]:
        """Name of the kind of task in files."""
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
        """Return the JSON object that `task_from_json` reads."""
        return {"kind": self.kind, "classes": list(self.classes)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegressionTarget:
    """One number to be predicted.

    Parameters
    ----------
    name : str
        Name of the quantity, for example ``"inclination"``.
    unit : str
        Unit in the notation of `astropy.units`; empty for a pure number.
    minimum, maximum : float
        Range of the target in ``unit``, which holds every value of the dataset; ``minimum`` is smaller than
        ``maximum``. Networks are trained on this range mapped to [-1, 1].
    """

    name: str
    unit: str
    minimum: float
    maximum: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """Predict one or more numbers for each image.

    Parameters
    ----------
    targets : tuple of RegressionTarget
        The numbers, in the order of the columns of the target array.

    Examples
    --------
    >>> from benchmarker import Regression, RegressionTarget
    >>> inclination = RegressionTarget(name="inclination", unit="deg", minimum=45, maximum=90)
    >>> Regression(targets=(inclination,)).n_outputs
    1
    """

    targets: tuple[RegressionTarget, ...]

    @property
    def kind(self) -> Literal["regression"]:
        """Name of the kind of task in files."""
        return "regression"

    @property
    def n_outputs(self) -> int:
        """Number of units of a network's last layer."""
        return len(self.targets)

    @property
    def output_activation(self) -> str:
        """Activation of a network's last layer, unless its paper says otherwise."""
        return "linear"

    @property
    def error_scales(self) -> tuple[float, ...]:
        """What the error of each target is divided by before errors are averaged over targets.

        1 where all targets share a unit. Otherwise the width of each target's range, since degrees and solar masses
        have no sum: the target with the largest numbers would decide every ranking.
        """
        if len({target.unit for target in self.targets}) == 1:
            return (1.0,) * len(self.targets)
        return tuple(float(target.maximum - target.minimum) for target in self.targets)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that `task_from_json` reads."""
        return {"kind": self.kind, "targets": [asdict(target) for target in self.targets]}


Task = Classification | Regression
"""What a network predicts."""


def task_from_json(value: Any) -> Task:
    """Return the task that a ``to_json`` described.

    Parameters
    ----------
    value : JSON value
        Numbers stay what they are, integers or not, so that the task has the same digest as before.

    Raises
    ------
    ValueError
        If the value does not describe a task.
    """
    try:
        if value["kind"] == "classification":
            return Classification(classes=tuple(value["classes"]))
        if value["kind"] == "regression":
            return Regression(targets=tuple(RegressionTarget(**target) for target in value["targets"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not the description of a task: {value!r:.200}") from error
    raise ValueError(f"a task must be a classification or a regression. Received: {value['kind']!r:.100}")
