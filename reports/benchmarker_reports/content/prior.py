"""The prior of a classification: what a network scores that knows nothing but how frequent the classes are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarker import Predictions, StudyResults, training_shares
from benchmarker_reports.content.charts import Floats, Panel, Series
from benchmarker_reports.content.leaderboard import Line
from benchmarker_reports.content.readable import predictions_of

_SMALLEST = 1e-7
_BINS = 25
PRIOR_COLOUR = 7
"""Index into the palette of lines that show the prior."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """The prior, averaged over seeds.

    Parameters
    ----------
    shares : tuple of float
        Share of each class in the training part.
    log_loss : float
        Cross-entropy of these shares on the test part, in nat.
    """

    shares: tuple[float, ...]
    log_loss: float

    @property
    def words(self) -> str:
        """What the number means, in a sentence."""
        return (
            f"Log loss of the prior: {self.log_loss:.3f}. A network that always predicts the shares of the classes in "
            "the training part scores this on the test part; one with a larger loss has learned nothing that its "
            "probabilities show."
        )


def prior(results: StudyResults, lines: Sequence[Line], checkpoint: str) -> Prior | None:
    r"""Return the prior of a study, or None where it is not known which sources trained.

    Parameters
    ----------
    results : StudyResults
        The study.
    lines : sequence of Line
        Lines with finished runs; the first one has the splits of all.
    checkpoint : {"best", "final"}

    Notes
    -----
    With the share :math:`q_c` of class c in the training part and the true class :math:`c_i` of test image i, the log
    loss of the prior is :math:`-\frac{1}{n} \sum_i \ln q_{c_i}`, the mean over the seeds of a line. For equal shares in
    both parts it is the entropy of the classes.
    """
    for line in lines if results.classes else ():
        found = []
        for run in line.runs:
            shares = training_shares(results.folder, run, results.classes)
            predictions = predictions_of(results, run, checkpoint)
            if shares is not None and predictions is not None and len(predictions.truth):
                logs = np.log(np.maximum(np.asarray(shares), _SMALLEST))
                found.append((shares, float(-logs[predictions.truth].mean())))
        if found:
            shares = tuple(float(each) for each in np.mean([shares for shares, _ in found], axis=0))
            return Prior(shares=shares, log_loss=math.fsum(loss for _, loss in found) / len(found))
    return None


def density_panel(
    title: str, runs: Sequence[Predictions], number: int, share: float | None, *, titled: bool = False
) -> Panel:
    """Return the densities of the probability of a class, for images of the class and for all others.

    Parameters
    ----------
    title : str
        Title of the panel.
    runs : sequence of Predictions
        Predictions of several seeds, which are pooled.
    number : int
        Number of the class.
    share : float, optional
        Its share in the training part, which is marked.
    titled : bool
        Whether the title names the class, so that panels of all classes can share one legend.
    """
    values = np.concatenate([run.values[:, number] for run in runs])
    members = np.concatenate([run.truth == number for run in runs])
    name = runs[0].classes[number]
    legend = ("the class", "other classes") if titled else (name, f"not {name}")
    edges = np.linspace(0.0, 1.0, _BINS + 1)
    series = []
    for colour, (label, chosen) in enumerate(zip(legend, (members, ~members), strict=True)):
        if chosen.any():
            density, _ = np.histogram(values[chosen], edges, density=True)
            series.append(Series(name=label, x=(edges[1:] + edges[:-1]) / 2, y=density, colour=colour))
    highest = max((float(each.y.max()) for each in series), default=1.0)
    if share is not None:
        ends: Floats = np.array([0.0, highest])
        series.append(Series(name="prior", x=np.full(2, share), y=ends, colour=PRIOR_COLOUR, dashed=True))
    return Panel(
        title=title,
        series=tuple(series),
        x_label=f"probability of {'the class' if titled else name}",
        y_label="density",
        x_range=(0.0, 1.0),
        y_range=(0.0, 1.05 * highest),
    )
