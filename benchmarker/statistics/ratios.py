"""Response of a metric to the ratio of generated to real images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarker.statistics.comparison import Comparison, ComparisonSettings
from benchmarker.statistics.intervals import mean, standard_deviation
from benchmarker.statistics.network_results import NetworkResults
from benchmarker.statistics.paired import MeanDifference, overlapping_splits_t, paired_t, seeds_and_sources


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioPoint:
    """The metric at one ratio.

    Parameters
    ----------
    ratio : float
        Generated images per real one; 0 for the reference arm.
    arm : str
        Name of the arm.
    mean, standard_deviation : float or None
        Metric over finished seeds.
    comparison : Comparison or None
        Comparison with the reference arm, the same row as in the table of arms; None for the reference itself.
    """

    ratio: float
    arm: str
    mean: float | None
    standard_deviation: float | None
    comparison: Comparison | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioResponse:
    """Response of a network's metric to the ratio of generated images.

    Parameters
    ----------
    network, generator : str
        The network trained, and the generator of its additional images.
    points : tuple of RatioPoint
        Ascending ratios, from 0.
    slope : float or None
        Change of the metric per additional generated image per real one: least squares within each seed, then the mean.
    low, high, p : float or None
        Interval and two-sided p of the slope, not corrected; None for fewer than two seeds with all ratios.
    n : int
        Number of seeds with all ratios.
    """

    network: str
    generator: str
    points: tuple[RatioPoint, ...]
    slope: float | None
    low: float | None
    high: float | None
    p: float | None
    n: int


def ratio_responses(
    rows: Sequence[NetworkResults], settings: ComparisonSettings, reference: str, compared: Sequence[Comparison]
) -> tuple[RatioResponse, ...]:
    r"""Return the response of each network to the images of each generator.

    Parameters
    ----------
    rows : sequence of NetworkResults
        All networks and arms of a study. Only arms that differ from the reference in nothing but the ratio take part:
        no further augmentation, real images kept, classes not balanced.
    settings : ComparisonSettings
        Metric and level.
    reference : str
        Arm without generated images.
    compared : sequence of Comparison
        Table of arms against the reference, corrected.

    Notes
    -----
    With the metric :math:`y_{rs}` at ratio r under seed s,

    .. math:: b_s = \frac{\sum_r (r - \bar{r}) \, y_{rs}}{\sum_r (r - \bar{r})^2}, \qquad b = \frac{1}{S} \sum_s b_s

    A slope is a weighted sum of metrics, so its jackknife over test sources is the same sum, and its interval is that
    of `seeds_and_sources`, or of `overlapping_splits_t` where every seed has its own split. A straight line
    describes the trend only: a response that rises and then falls may have a slope of zero, so look at the points too.
    """
    references = {row.network: row for row in rows if row.arm == reference and not row.generator}
    series: dict[tuple[str, str], list[tuple[float, NetworkResults]]] = {}
    for row in rows:
        if row.network in references and row.ratio is not None:
            series.setdefault((row.network, row.generator), []).append((row.ratio, row))
    known = {(each.first.network, each.first.arm): each for each in compared}
    return tuple(
        _response(generator, [(0.0, references[network]), *sorted(arms, key=lambda arm: arm[0])], settings, known)
        for (network, generator), arms in series.items()
    )


def _response(
    generator: str,
    arms: Sequence[tuple[float, NetworkResults]],
    settings: ComparisonSettings,
    known: Mapping[tuple[str, str], Comparison],
) -> RatioResponse:
    points = []
    for ratio, row in arms:
        values = list(row.values.values())
        points.append(
            RatioPoint(
                ratio=ratio,
                arm=row.arm,
                mean=mean(values) if values else None,
                standard_deviation=standard_deviation(values) if values else None,
                comparison=known.get((row.network, row.arm)) if ratio else None,
            )
        )
    seeds = sorted(set.intersection(*(set(row.seeds) for _, row in arms)))
    slope = _slope(arms, seeds, settings)
    return RatioResponse(
        network=arms[0][1].network,
        generator=generator,
        points=tuple(points),
        slope=slope.value if slope else None,
        low=slope.low if slope else None,
        high=slope.high if slope else None,
        p=slope.p if slope else None,
        n=len(seeds),
    )


def _slope(
    arms: Sequence[tuple[float, NetworkResults]], seeds: Sequence[int], settings: ComparisonSettings
) -> MeanDifference | None:
    ratios = np.array([ratio for ratio, _ in arms])
    centred = ratios - ratios.mean()
    if len(seeds) < 2 or not centred.any():
        return None
    weights = centred / (centred**2).sum()
    values = [row.values for _, row in arms]
    slopes = [sum(weight * of_arm[seed] for weight, of_arm in zip(weights, values, strict=True)) for seed in seeds]
    scores = [[row.score(seed, settings.metric) for _, row in arms] for seed in seeds]
    first = arms[0][1]
    tested = [[found.sources for seed in seeds if (found := row.sums(seed)) is not None] for _, row in arms]
    known = all(each is not None for line in scores for each in line)
    if not known or any(each != tested[0] for each in tested):
        return paired_t(slopes, settings.level)
    if len(set(tested[0])) > 1:
        n_test = len(first.seeds[seeds[0]].image_sources)
        return overlapping_splits_t(slopes, n_test=n_test, n_train=first.n_train or 1, level=settings.level)
    left_out = np.array([weights @ np.array([each.left_out for each in line if each]) for line in scores])
    sums = first.sums(seeds[0])
    return seeds_and_sources(
        slopes, left_out, strata=None if sums is None else sums.strata, level=settings.level, overlap=first.overlap
    )
