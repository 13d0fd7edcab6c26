"""Metrics and costs: their flat names, how tables show them, which way is better, and averages over seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarker.study.runs import CellCosts, CheckpointMetrics, ClassScores, GeneratorCosts, NormalisedClassScores

_LOWER_IS_BETTER = ("loss", "error", "seconds", "bytes", "parameters", "flops", "epoch", "width")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricLabel:
    """How tables show a metric.

    Parameters
    ----------
    short, long : str
        Column heading, and name in a sentence.
    digits : int
        Decimal places; -1 for a count, which is written with a prefix (k, M, G).
    """

    short: str
    long: str
    digits: int = 3

    def write(self, value: float) -> str:
        """Return a number as tables show it."""
        return _count(value) if self.digits < 0 else f"{value:,.{self.digits}f}"


_LABELS = {
    "mean_per_class_accuracy": MetricLabel(short="MPCA %", long="mean per-class accuracy in percent", digits=1),
    "accuracy": MetricLabel(short="accuracy", long="accuracy"),
    "macro_f1": MetricLabel(short="macro-F1", long="macro-averaged F1"),
    "macro_precision": MetricLabel(short="precision", long="macro-averaged precision"),
    "macro_recall": MetricLabel(short="recall", long="macro-averaged recall"),
    "mean_absolute_error": MetricLabel(short="MAE", long="mean absolute error"),
    "root_mean_squared_error": MetricLabel(short="RMSE", long="root mean squared error"),
    "loss": MetricLabel(short="loss", long="loss on the test part"),
    "loss_with_penalties": MetricLabel(short="loss + L2", long="loss on the test part with the penalties of training"),
    "ratio_loss": MetricLabel(short="ratio loss", long="training loss over validation loss"),
    "ratio_accuracy": MetricLabel(short="ratio accuracy", long="training accuracy over validation accuracy"),
    "epoch": MetricLabel(short="epoch", long="epoch of the checkpoint", digits=1),
    "parameters": MetricLabel(short="params", long="parameters", digits=-1),
    "trainable_parameters": MetricLabel(short="trainable", long="trainable parameters", digits=-1),
    "convolutional_parameters": MetricLabel(short="conv.", long="parameters of convolutions", digits=-1),
    "dense_parameters": MetricLabel(short="dense", long="parameters of dense layers", digits=-1),
    "flatten_width": MetricLabel(short="flatten", long="length of the flattened maps", digits=-1),
    "flops": MetricLabel(short="FLOPs", long="floating-point operations for one image", digits=-1),
    "peak_memory_bytes": MetricLabel(short="memory", long="peak memory in bytes", digits=-1),
    "peak_device_memory_bytes": MetricLabel(short="GPU memory", long="peak memory on the GPU in bytes", digits=-1),
    "training_seconds": MetricLabel(short="train s", long="seconds of training", digits=1),
    "training_images_per_second": MetricLabel(short="train im/s", long="images per second in training", digits=0),
    "inference_images_per_second": MetricLabel(short="images/s", long="images per second at inference", digits=0),
}


def metric_label(name: str) -> MetricLabel:
    """Return how tables show a metric or cost; one without a label of its own is shown by its name."""
    words = name.replace("_", " ")
    return _LABELS.get(name) or MetricLabel(short=words, long=words)


def higher_is_better(name: str) -> bool:
    """Return whether larger values of a metric or cost are better, judged by its name."""
    return not any(word in name for word in _LOWER_IS_BETTER) or name.endswith("per_second")


def _count(value: float) -> str:
    for limit, divisor, suffix in ((1e4, 1.0, ""), (1e6, 1e3, " k"), (1e9, 1e6, " M"), (math.inf, 1e9, " G")):
        # A number that would round to 1,000 of one prefix is written as 1 of the next.
        if abs(value) < limit * 0.99995:
            scaled = value / divisor
            return f"{scaled:.0f}{suffix}" if not suffix or scaled >= 99.95 else f"{scaled:.1f}{suffix}"
    return f"{value:.3g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One metric over the seeds of a row.

    Parameters
    ----------
    mean : float
        Mean over the finished seeds.
    standard_deviation : float or None
        Sample standard deviation (n - 1 in the denominator); None for a single value.
    n, planned : int
        Number of seeds with a value, and number of seeds in the plan.
    values : mapping of int to float
        Value of each seed, in the order of the seeds.
    """

    mean: float
    standard_deviation: float | None
    n: int
    planned: int
    values: Mapping[int, float]

    @classmethod
    def of(cls, values: Mapping[int, float], *, planned: int) -> Summary:
        """Summarise one value for each seed; the order in which they are given changes no bit."""
        ordered = dict(sorted(values.items()))
        n = len(ordered)
        mean = math.fsum(ordered.values()) / n
        squares = math.fsum((value - mean) ** 2 for value in ordered.values())
        deviation = math.sqrt(squares / (n - 1)) if n > 1 else None
        return cls(mean=mean, standard_deviation=deviation, n=n, planned=planned, values=ordered)


def write_summary(name: str, summary: Summary | None) -> str:
    """Return a summary as tables show it: the mean, and the standard deviation where there is one."""
    if summary is None:
        return "-"
    label = metric_label(name)
    mean = label.write(summary.mean)
    # The deviation of a count that is the same for every seed carries no information.
    if summary.standard_deviation is None or (label.digits < 0 and summary.standard_deviation == 0):
        return mean
    return f"{mean} ± {label.write(summary.standard_deviation)}"


def flat_metrics(scores: CheckpointMetrics) -> dict[str, float]:
    """Return the metrics of one checkpoint by their flat names.

    Metrics of the test part keep their names; those of the other parts are ``train_...`` and ``validation_...``, ratios
    of training to validation are ``ratio_...``, and those of one class ``recall_<class>``. The precision and F1 of
    Becker et al. 2021 are ``normalised_precision_<class>`` and ``normalised_f1_<class>``. Numbers that are not finite
    are left out.
    """
    found: dict[str, float] = {}
    for prefix, part in (("", scores.test), ("train_", scores.train), ("validation_", scores.validation)):
        for name, value in part.items():
            found[prefix + name] = value
    # Not as written: earlier versions wrote the inverse, and old and new runs share tables.
    for name in scores.ratios:
        if scores.validation.get(name):
            found[f"ratio_{name}"] = scores.train.get(name, math.nan) / scores.validation[name]
    found |= flat_class_scores(scores.per_class or {}, scores.per_class_normalised or {})
    found["epoch"] = scores.epoch
    return {name: value for name, value in found.items() if math.isfinite(value)}


def flat_class_scores(
    per_class: Mapping[str, ClassScores], normalised: Mapping[str, NormalisedClassScores]
) -> dict[str, float]:
    """Return the scores of each class by their flat names, such as ``recall_FRI``."""
    found: dict[str, float] = {}
    for label, one in per_class.items():
        if one.support:  # without a test image of the class there is no recall, and a precision of 0 says nothing
            found[f"precision_{label}"] = one.precision
            found[f"recall_{label}"] = one.recall
            found[f"f1_{label}"] = one.f1
        found[f"support_{label}"] = one.support
    for label, paper in normalised.items():
        found[f"normalised_precision_{label}"] = paper.precision
        found[f"normalised_f1_{label}"] = paper.f1
    return found


def flat_costs(costs: CellCosts | GeneratorCosts) -> dict[str, float]:
    """Return costs by their flat names; what was not measured is left out."""
    found: dict[str, float | None] = {"parameters": costs.parameters.total}
    if isinstance(costs, CellCosts):
        found["trainable_parameters"] = costs.parameters.trainable
        found["convolutional_parameters"] = costs.parameters.convolutional
        found["dense_parameters"] = costs.parameters.dense
        found["flatten_width"] = costs.parameters.flatten_width
        found["flops"] = costs.flops
    found["peak_memory_bytes"] = costs.peak_memory_bytes
    found["peak_device_memory_bytes"] = costs.peak_device_memory_bytes
    found["training_seconds"] = costs.training_seconds
    found["training_images_per_second"] = costs.training_images_per_second
    if isinstance(costs, CellCosts):
        found["inference_images_per_second"] = costs.inference_images_per_second
    return {name: value for name, value in found.items() if value is not None and math.isfinite(value)}
