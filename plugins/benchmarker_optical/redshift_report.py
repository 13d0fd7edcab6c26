"""Report ``redshift``: bias, scatter and outliers of estimated redshifts, as the field gives them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

from benchmarker import (
    ConfigurationError,
    Regression,
    ReportOptions,
    StudyResults,
    find_ensembles,
    jackknife_covariance,
    markdown_text,
)

OUTLIER = 0.15
"""Normalised residual beyond which an estimate is an outlier."""

_EXPLANATION = (
    "Residuals are (estimated - true) / (1 + true). Bias: their mean; sigma_NMAD: 1.4826 times their median absolute "
    "deviation; outliers: the share beyond"
)
_NMAD = 1.4826
"""Standard deviation of a normal distribution over its median absolute deviation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedshiftScores:
    """Scores of estimated redshifts, all without unit.

    Parameters
    ----------
    n : int
        Number of galaxies.
    bias : float
        Mean of the normalised residuals.
    sigma_nmad : float
        Normalised median absolute deviation.
    outliers : float
        Fraction beyond `OUTLIER`, between 0 and 1.
    outliers_error : float
        Its standard error for other galaxies.
    """

    n: int
    bias: float
    sigma_nmad: float
    outliers: float
    outliers_error: float


def redshift_scores(truth: ArrayLike, estimated: ArrayLike) -> RedshiftScores:
    r"""Return bias, scatter and fraction of outliers of estimated redshifts.

    Parameters
    ----------
    truth, estimated : array_like of shape (n,), float64
        True (spectroscopic or simulated) and estimated redshifts.

    Returns
    -------
    RedshiftScores

    Notes
    -----
    With the normalised residual :math:`\Delta_i = (\hat z_i - z_i) / (1 + z_i)`:

    .. math:: \mathrm{bias} = \langle \Delta_i \rangle, \quad
              \sigma_\mathrm{NMAD} = 1.4826 \, \mathrm{median}_i |\Delta_i - \mathrm{median}_j \Delta_j|, \quad
              \eta = \frac{1}{n} \#\{ |\Delta_i| > 0.15 \}

    The scatter is that of the core and ignores outliers; the bias does not. For a normal distribution it equals the
    standard deviation.

    References
    ----------
    Hildebrandt et al. 2010, A&A 523, A31, doi:10.1051/0004-6361/201014885; Brammer et al. 2008, ApJ 686, 1503,
    doi:10.1086/591786 (normalised median absolute deviation).

    Examples
    --------
    >>> found = redshift_scores([0.0, 1.0, 1.0, 3.0], [0.01, 1.02, 1.0, 4.0])
    >>> round(found.bias, 3), round(found.sigma_nmad, 4), found.outliers
    (0.068, 0.0074, 0.25)
    """
    true = np.asarray(truth, dtype=np.float64)
    residuals = (np.asarray(estimated, dtype=np.float64) - true) / (1 + true)
    beyond = np.abs(residuals) > OUTLIER
    n = len(residuals)
    error = 0.0
    if n > 1:
        covariance, _ = jackknife_covariance([(beyond.sum() - beyond) / (n - 1)])
        error = float(np.sqrt(covariance[0, 0]))
    return RedshiftScores(
        n=n,
        bias=float(residuals.mean()),
        sigma_nmad=float(_NMAD * np.median(np.abs(residuals - np.median(residuals)))),
        outliers=float(beyond.mean()),
        outliers_error=error,
    )


def render(results: StudyResults, options: ReportOptions) -> Mapping[str, str]:
    """Return the scores of every run of a study of redshifts, and of its ensembles.

    Parameters
    ----------
    results : StudyResults
        A study whose task is a regression of the redshift alone.
    options : ReportOptions
        Choices of the user; the first checkpoint is shown.

    Returns
    -------
    mapping of str to str
        ``redshift.md`` and ``redshift.json``.

    Raises
    ------
    ConfigurationError
        If the task is another one, or no run has finished.
    """
    task = results.task
    if not isinstance(task, Regression) or [target.name for target in task.targets] != ["redshift"]:
        raise ConfigurationError(
            f"the report 'redshift' is for a regression of the target redshift. Received: {task!r:.200}"
        )
    found = _scores(results, options.checkpoint)
    if not found:
        raise ConfigurationError(f"{results.folder}: has no finished run; the report needs predictions")
    written = {name: asdict(scores) for name, scores in found.items()}
    return {"redshift.md": _markdown(results.title, found), "redshift.json": json.dumps(written, indent=2) + "\n"}


def _scores(results: StudyResults, checkpoint: str) -> dict[str, RedshiftScores]:
    found = {}
    for row in results.leaderboard(checkpoint).rows:
        for cell in results.cells_of(row):
            predictions = results.predictions(cell, checkpoint)
            if predictions is not None:
                name = f"{row.label}/{row.arm}/{cell.seed}"
                found[name] = redshift_scores(predictions.truth[:, 0], predictions.values[:, 0])
    for ensemble in find_ensembles(results, checkpoint):
        for seed, predictions in ensemble.combined.items():
            suffix = "" if ensemble.over_seeds else f"/{seed}"
            name = f"{ensemble.row.label}/{ensemble.row.arm}{suffix}"
            found[name] = redshift_scores(predictions.truth[:, 0], predictions.values[:, 0])
    return found


def _markdown(title: str, found: Mapping[str, RedshiftScores]) -> str:
    lines = [
        f"# {markdown_text(title)}: redshifts",
        "",
        f"{_EXPLANATION} {OUTLIER:g}, with its standard error for other galaxies.",
        "",
        "| | n | bias | sigma_NMAD | outliers |",
        "|---|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {markdown_text(name)} | {scores.n} | {scores.bias:+.4f} | {scores.sigma_nmad:.4f} | "
        f"{100 * scores.outliers:.1f} ± {100 * scores.outliers_error:.1f} % |"
        for name, scores in found.items()
    ]
    return "\n".join(lines) + "\n"
