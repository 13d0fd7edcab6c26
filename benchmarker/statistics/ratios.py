"""How a metric follows the ratio of generated to real images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmarker.statistics.comparison import Comparison
from benchmarker.statistics.paired import MeanDifference, judged, paired_t, spread_of
from benchmarker.statistics.summaries import mean, standard_deviation
from benchmarker.statistics.tables import RatioPoint, RatioResponse

if TYPE_CHECKING:
    from benchmarker.statistics.pairs import ComparisonSettings
    from benchmarker.statistics.seed_results import SeedResults


def ratio_responses(
    rows: Sequence[SeedResults], settings: ComparisonSettings, reference: str, lines: Sequence[Comparison]
) -> tuple[RatioResponse, ...]:
    """Return a ratio-response table for each network and generator that has a ratio.

    Only arms that differ from the reference in nothing but the ratio take part: no further augmentation, real images
    kept, no balancing of classes.

    Parameters
    ----------
    rows : sequence of SeedResults
        Of a study.
    settings : ComparisonSettings
        What is compared.
    reference : str
        The arm without generated images.
    lines : sequence of Comparison
        Table of arms, corrected.
    """
    bases = {row.network: row for row in rows if row.arm == reference and not row.generated}
    series: dict[tuple[str, str], list[tuple[float, SeedResults]]] = {}
    for row in rows:
        ratio = row.generated.get("ratio")
        keeps_real = row.generated.get("real", True) and not row.generated.get("balance", False)
        if row.network in bases and isinstance(ratio, (int, float)) and keeps_real and row.plain:
            series.setdefault((row.network, _generator(row)), []).append((float(ratio), row))
    known = {(line.first.network, line.first.arm): line for line in lines}
    return tuple(
        _response(
            network, generator, [(0.0, bases[network]), *sorted(points, key=lambda point: point[0])], settings, known
        )
        for (network, generator), points in series.items()
    )


def _generator(row: SeedResults) -> str:
    value = row.generated.get("name") or row.generated.get("by") or row.generated.get("generator") or "generator"
    return str(value.get("name", "generator")) if isinstance(value, dict) else str(value)


def _response(
    network: str,
    generator: str,
    points: Sequence[tuple[float, SeedResults]],
    settings: ComparisonSettings,
    known: dict[tuple[str, str], Comparison],
) -> RatioResponse:
    shown = []
    for ratio, row in points:
        values = list(row.values.values())
        shown.append(
            RatioPoint(
                ratio=ratio,
                arm=row.arm,
                mean=mean(values) if values else None,
                standard_deviation=standard_deviation(values) if values else None,
                comparison=known.get((network, row.arm)) if ratio else None,
            )
        )
    seeds = sorted(set.intersection(*(set(row.values) for _, row in points)))
    slope = _slope(points, seeds, settings)
    return RatioResponse(
        network=network,
        generator=generator,
        points=tuple(shown),
        slope=slope.value if slope else None,
        low=slope.low if slope else None,
        high=slope.high if slope else None,
        p=slope.p if slope else None,
        n=len(seeds),
    )


def _slope(
    points: Sequence[tuple[float, SeedResults]], seeds: Sequence[int], settings: ComparisonSettings
) -> MeanDifference | None:
    """Fit a line within each seed: a weighted sum of the metric, whose jackknife is the same sum."""
    ratios = np.array([ratio for ratio, _ in points])
    centred = ratios - ratios.mean()
    if len(seeds) < 2 or not centred.any():
        return None
    weights = centred / (centred**2).sum()
    slopes = [
        sum(weight * row.values[seed] for weight, (_, row) in zip(weights, points, strict=True)) for seed in seeds
    ]
    scores = [[row.score(seed, settings.metric) for _, row in points] for seed in seeds]
    tested = {row.sums[seed].sources for _, row in points for seed in seeds if seed in row.sums}
    deviation = standard_deviation(slopes)
    if len(tested) != 1 or deviation is None or any(each is None for line in scores for each in line):
        return paired_t(slopes, settings.level)
    left_out = np.array([weights @ np.array([each.left_out for each in line if each]) for line in scores])
    strata = points[0][1].sums[seeds[0]].strata
    return judged(mean(slopes), spread_of(deviation**2, len(seeds), left_out, strata), settings.level)
