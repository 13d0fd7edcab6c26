"""Figures of the radio framework: learning curves of a run, and accuracy by network and against time."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from benchmarker import CellRecord, History

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_METRIC = "mean_per_class_accuracy"
_TITLES = {"loss": "Loss", "accuracy": "Accuracy"}


def draw_history(history: History, metric: str) -> bytes:
    """Draw a metric of the training and of the validation part by epoch, as PNG.

    Parameters
    ----------
    history : History
        What the run recorded.
    metric : {"loss", "accuracy"}
        Metric to draw.
    """
    figure = _figure()
    axes = figure.subplots()
    for name, label in ((metric, "training"), (f"validation_{metric}", "validation")):
        if name in history.columns:
            axes.plot(history.epochs, history.columns[name], ".-", label=label)
    axes.set(xlabel="Epoch", ylabel=_TITLES[metric])
    if axes.lines:
        axes.legend()
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def draw_accuracies(networks: Mapping[str, Sequence[CellRecord]], *, against_time: bool) -> bytes:
    """Draw the mean per-class accuracy of each network with its standard deviation over seeds, as PDF.

    Parameters
    ----------
    networks : mapping of str to sequence of CellRecord
        Finished runs of each network.
    against_time : bool
        Draw it against the mean time of one pass over the test part in seconds, instead of by network.
    """
    figure = _figure()
    axes = figure.subplots()
    for number, (network, runs) in enumerate(networks.items()):
        values = [cell.evaluations["best"][_METRIC] for cell in runs if _METRIC in cell.evaluations.get("best", {})]
        times = [second for cell in runs if cell.costs is not None for second in cell.costs.inference_seconds]
        if values and (times or not against_time):
            place = math.fsum(times) / len(times) if against_time else number
            axes.errorbar(place, math.fsum(values) / len(values), yerr=_deviation(values), fmt="o", label=network)
            if against_time:
                axes.annotate(network, (place, math.fsum(values) / len(values)), fontsize="small")
    axes.set(ylabel="MPCA [%]")
    if against_time:
        axes.set(xlabel="Inference time of the test part [s]", xscale="log")
    else:
        axes.set_xticks(range(len(networks)), list(networks), rotation=60, ha="right")
    stream = io.BytesIO()
    figure.savefig(stream, format="pdf", metadata={"CreationDate": None, "Producer": None, "Creator": None})
    return stream.getvalue()


def _deviation(values: Sequence[float]) -> float:
    """Return the sample standard deviation, 0 for a single value."""
    mean = math.fsum(values) / len(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / max(1, len(values) - 1))


def _figure() -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(7, 5), layout="constrained")
