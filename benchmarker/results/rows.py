"""Turns the nested files of a run into flat names and numbers, one name for each metric."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarker.study.layout import CHECKPOINTS, METRICS_FILE

_PARAMETERS = {
    "total": "parameters",
    "trainable": "trainable_parameters",
    "convolutional": "convolutional_parameters",
    "dense": "dense_parameters",
}
_COSTS = (
    "flops",
    "peak_memory_bytes",
    "training_seconds",
    "training_images_per_second",
    "inference_images_per_second",
)


class MalformedError(ValueError):
    """A file of a run does not hold what it should; the message says which and what."""


def evaluation_rows(metrics: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return each metric of each checkpoint by its flat name.

    Metrics of the test part keep their names; those of the other parts are ``train_...`` and ``validation_...``, ratios
    are ``ratio_...``, and those of one class ``recall_<class>``. Numbers that are not finite are left out.

    Raises
    ------
    MalformedError
        If there is no checkpoint, or one without test metrics. (A test of saved weights may have one only.)
    """
    rows = {}
    for checkpoint in (name for name in CHECKPOINTS if name in metrics):
        evaluation = metrics[checkpoint]
        if not isinstance(evaluation, dict) or not isinstance(evaluation.get("test"), dict):
            raise MalformedError(f"{METRICS_FILE} holds no test metrics of the {checkpoint} checkpoint")
        rows[checkpoint] = _flat(evaluation)
    if not rows:
        raise MalformedError(f"{METRICS_FILE} holds neither a best nor a final checkpoint")
    return rows


def flatten_costs(costs: Mapping[str, Any]) -> dict[str, float]:
    """Return costs by their flat names; what was not measured is left out."""
    found: dict[str, float] = {}
    parameters = costs.get("parameters")
    if isinstance(parameters, dict):
        found.update({_PARAMETERS[name]: value for name, value in _numbers(parameters) if name in _PARAMETERS})
    found.update({name: value for name, value in _numbers(costs) if name in _COSTS})
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _flat(evaluation: Mapping[str, Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    _take(found, evaluation["test"])
    for part, prefix in (("train", "train_"), ("validation", "validation_"), ("ratios", "ratio_")):
        _take(found, evaluation.get(part), prefix)
    per_class = evaluation.get("per_class")
    if isinstance(per_class, dict):
        for label, scores in per_class.items():
            _take(found, scores, suffix=f"_{label}")
    if "epoch" in evaluation:
        _take(found, {"epoch": evaluation["epoch"]})
    return found


def _take(found: dict[str, float], value: object, prefix: str = "", suffix: str = "") -> None:
    """Add the finite numbers of an object; done a million times where there are ten thousand runs."""
    if isinstance(value, dict):
        for name, entry in value.items():
            if isinstance(entry, (int, float)) and not isinstance(entry, bool) and math.isfinite(entry):
                found[f"{prefix}{name}{suffix}"] = entry


def _numbers(value: object) -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        for name, entry in value.items():
            if isinstance(entry, (int, float)) and not isinstance(entry, bool):
                yield str(name), entry
