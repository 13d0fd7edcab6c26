"""Predictions of several networks combined into one: averages and votes of classes, means and medians of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from benchmarker.contracts.tasks import Classification, Task
from benchmarker.evaluation.metrics import Details, details, scores

Rule = Literal["average", "majority", "mean", "median"]
Over = Literal["seeds", "networks", "networks and seeds"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """How the members of an ensemble are combined.

    Parameters
    ----------
    rule : {"average", "majority", "mean", "median"}
        What `combine` does.
    over : {"seeds", "networks", "networks and seeds"}
        In what the members differ.
    size, planned : int
        Number of members, and number of members that the plan would have given.
    network : str
        Network that all members share; empty if they are different networks.
    """

    rule: Rule
    over: Over
    size: int
    planned: int
    network: str = ""

    @property
    def label(self) -> str:
        """Name in tables: ``"mcrgnet, average of 3 seeds"``."""
        number = f"{self.size}" if self.size == self.planned else f"{self.size} of {self.planned}"
        unit = "runs" if self.over == "networks and seeds" else self.over
        return f"{self.network + ', ' if self.network else ''}{self.rule} of {number} {unit}"


def rules(task: Task) -> tuple[Rule, Rule]:
    """Return the ways in which predictions of a task are combined, the usual one first.

    Examples
    --------
    >>> from benchmarker import Classification
    >>> rules(Classification(classes=("FRI", "FRII")))
    ('average', 'majority')
    """
    return ("average", "majority") if isinstance(task, Classification) else ("median", "mean")


def combine(members: ArrayLike, rule: Rule) -> NDArray[np.float64]:
    r"""Combine the predictions of several networks for the same images.

    Parameters
    ----------
    members : array_like of shape (n_members, n, n_outputs), float64
        Probabilities, whose rows sum to 1, or values in the units of the task.
    rule : {"average", "majority", "mean", "median"}
        With the prediction :math:`p_{mik}` of member :math:`m` of :math:`M` for image :math:`i` and output :math:`k`:

        ============  ==========================================================================================
        rule          prediction of the ensemble
        ============  ==========================================================================================
        ``average``   :math:`\bar p_{ik} = \frac{1}{M} \sum_m p_{mik}`
        ``mean``      the same, for a regression
        ``median``    median of :math:`p_{mik}` over members, for each target
        ``majority``  :math:`(v_{ik} + \bar p_{ik}) / (M + 1)` with the number :math:`v_{ik}` of members whose
                      most probable class is :math:`k`: the class with most votes wins, and among classes with equally
                      many votes the one with the largest average probability
        ============  ==========================================================================================

    Returns
    -------
    ndarray of shape (n, n_outputs), float64
        Probabilities, shares of votes, or values in the units of the task. Shares of votes are no probabilities, so
        that no cross-entropy should be taken of them.

    Notes
    -----
    The average keeps what members are sure of and is rarely worse than their mean; a vote is safer where one member is
    wrong with great confidence. The median of a regression ignores single members that fail.

    References
    ----------
    Hansen & Salamon 1990, IEEE Trans. Pattern Anal. Mach. Intell. 12, 993, doi:10.1109/34.58871; Dietterich 2000,
    Multiple Classifier Systems, LNCS 1857, 1, doi:10.1007/3-540-45014-9_1.

    Examples
    --------
    Two members lean towards the first class, and one is sure of the second:

    >>> members = [[[0.6, 0.4]], [[0.6, 0.4]], [[0.0, 1.0]]]
    >>> combine(members, "average").round(2).tolist(), combine(members, "majority").round(2).tolist()
    ([[0.4, 0.6]], [[0.6, 0.4]])
    """
    table = np.asarray(members, dtype=np.float64)
    if table.ndim != 3 or not table.size:
        raise ValueError(f"predictions of shape (n_members, n, n_outputs) were expected. Received: {table.shape}")
    if rule == "median":
        medians: NDArray[np.float64] = np.median(table, axis=0)
        return medians
    average: NDArray[np.float64] = table.sum(axis=0) / len(table)
    if rule != "majority":
        return average
    votes = (table.argmax(axis=2)[:, :, None] == np.arange(table.shape[2])).sum(axis=0)
    shares: NDArray[np.float64] = (votes + average) / (len(table) + 1)
    return shares


def ensemble_scores(
    task: Task, targets: NDArray[Any], combined: NDArray[np.float64], rule: Rule
) -> tuple[dict[str, float], Details]:
    """Return the metrics of an ensemble's predictions, and what reports show beside them.

    Parameters
    ----------
    task : Task
        Meaning of targets and predictions.
    targets : ndarray of shape (n,), int64, or (n, n_targets), float64
        True class indices, or true values in the units of the task.
    combined : ndarray of shape (n, n_outputs), float64
        What `combine` returned.
    rule : {"average", "majority", "mean", "median"}
        How they were combined; a majority has no ``loss``.
    """
    found = scores(task, targets, combined)
    if rule == "majority":
        del found["loss"]
    return found, details(task, targets, combined)
