"""How metrics are called in tables, how their numbers are written, and which way is better."""

from __future__ import annotations

import math
from dataclasses import dataclass

_LOWER_IS_BETTER = ("loss", "error", "seconds", "bytes", "parameters", "flops", "epoch")


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricLabel:
    """How a metric is shown.

    Parameters
    ----------
    short, long : str
        For the head of a column and for a sentence.
    digits : int
        Decimal places; -1 for a count, which is written with a prefix (k, M, G).
    """

    short: str
    long: str
    digits: int = 3

    def write(self, value: float) -> str:
        """Return a number as this metric's tables show it."""
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
    "epoch": MetricLabel(short="epoch", long="epoch of the checkpoint", digits=1),
    "parameters": MetricLabel(short="params", long="parameters", digits=-1),
    "trainable_parameters": MetricLabel(short="trainable", long="trainable parameters", digits=-1),
    "convolutional_parameters": MetricLabel(short="conv.", long="parameters of convolutions", digits=-1),
    "dense_parameters": MetricLabel(short="dense", long="parameters of dense layers", digits=-1),
    "flops": MetricLabel(short="FLOPs", long="floating-point operations for one image", digits=-1),
    "peak_memory_bytes": MetricLabel(short="memory", long="peak memory in bytes", digits=-1),
    "training_seconds": MetricLabel(short="train s", long="seconds of training", digits=1),
    "training_images_per_second": MetricLabel(short="train im/s", long="images per second in training", digits=0),
    "inference_images_per_second": MetricLabel(short="images/s", long="images per second at inference", digits=0),
}


def metric_label(name: str) -> MetricLabel:
    """Return how a metric is shown; one that is not known keeps its name."""
    words = name.replace("_", " ")
    return _LABELS.get(name) or MetricLabel(short=words, long=words)


def higher_is_better(name: str) -> bool:
    """Tell which way a metric improves, by its name."""
    return not any(word in name for word in _LOWER_IS_BETTER) or name.endswith("per_second")


def _count(value: float) -> str:
    for limit, divisor, suffix in ((1e4, 1.0, ""), (1e6, 1e3, " k"), (1e9, 1e6, " M"), (math.inf, 1e9, " G")):
        # What would be rounded up to 1,000 of one prefix is written as 1 of the next.
        if abs(value) < limit * 0.99995:
            scaled = value / divisor
            return f"{scaled:.0f}{suffix}" if not suffix or scaled >= 99.95 else f"{scaled:.1f}{suffix}"
    return f"{value:.3g}"
