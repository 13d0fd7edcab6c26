r"""Main effects of a crossed study: each arm averaged over networks, and each network averaged over arms.

A study of K networks, A arms and S seeds says more about an arm than the K comparisons of single networks do. The mean
over networks :math:`y_{as} = \frac{1}{K} \sum_k y_{kas}` is one number for each arm and seed, and two arms are compared
by these means with the same intervals as two networks (`benchmarker.statistics.pairing`). The variance over seeds comes
from the S means themselves: seeds of different networks may share a split or a generator, so they do not count as K
times as many. The networks are taken as they are; nothing is said about networks that were not trained.

The *interaction* of network k with arm a is its effect minus the mean effect on the other networks,

.. math:: I_{ka} = (y_{ka} - y_{k0}) - \frac{1}{K - 1} \sum_{j \ne k} (y_{ja} - y_{j0})

where arm 0 is the reference. Where it is not zero, the average over networks does not describe network k.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from benchmarker.results.metrics import metric_label
from benchmarker.statistics.averaging import averaged, weighted
from benchmarker.statistics.comparing import compare_pair, corrected_table
from benchmarker.statistics.comparison import Comparison, ComparisonSettings, ComparisonTable
from benchmarker.statistics.network_results import NetworkResults
from benchmarker.statistics.pairing import pooled_variance
from benchmarker.statistics.pooling import PooledVariance, SeedVariance

ALL_NETWORKS = "all networks"
"""Name of the average over networks."""
ALL_ARMS = "all arms"
"""Name of the average over arms."""
OTHER_NETWORKS = "the other networks"
"""Name of the average over all networks but one."""
INTERACTION = "interaction"
"""Scope of a comparison that is about an interaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossedRows:
    """The rows of a study that are complete: every network of them finished all seeds in every arm of them.

    Parameters
    ----------
    networks, arms : tuple of str
        Names in the order of the plan.
    rows : mapping of (str, str) to NetworkResults
        Row of each network in each arm.
    left_out : tuple of str
        Networks that are not complete.
    """

    networks: tuple[str, ...]
    arms: tuple[str, ...]
    rows: Mapping[tuple[str, str], NetworkResults]
    left_out: tuple[str, ...] = ()

    def over_networks(self, arm: str, metric: str) -> NetworkResults:
        """Return an arm, averaged over networks."""
        rows = [self.rows[network, arm] for network in self.networks]
        return averaged(rows, metric, network=ALL_NETWORKS, arm=arm)

    def over_arms(self, network: str, metric: str) -> NetworkResults:
        """Return a network, averaged over arms."""
        return averaged([self.rows[network, arm] for arm in self.arms], metric, network=network, arm=ALL_ARMS)

    @property
    def note(self) -> str:
        """Sentence that names the networks left out; empty where there are none."""
        names = ", ".join(self.left_out)
        return f" Left out, because runs of them are missing: {names}." if names else ""


def crossed_rows(rows: Sequence[NetworkResults], reference: str) -> CrossedRows | None:
    """Return the complete part of a study, or None where fewer than two networks or arms are complete.

    Parameters
    ----------
    rows : sequence of NetworkResults
        All rows of a study.
    reference : str
        Arm that others are compared with, which the complete part must have.
    """
    finished = {(row.network, row.arm): row for row in rows if row.seeds and not row.unfinished}
    arms = tuple(dict.fromkeys(row.arm for row in rows if (row.network, row.arm) in finished))
    names = tuple(dict.fromkeys(row.network for row in rows))
    complete = tuple(name for name in names if all((name, arm) in finished for arm in arms))
    # Where seeds were added until comparisons were decided, some rows have more than others: all have the first ones.
    seeds = [set(finished[name, arm].seeds) for name in complete for arm in arms]
    if (
        len(complete) < 2
        or len(arms) < 2
        or reference not in arms
        or len(set.intersection(*seeds)) < min(map(len, seeds))
    ):
        return None
    return CrossedRows(
        networks=complete,
        arms=arms,
        rows=finished,
        left_out=tuple(name for name in names if name not in complete),
    )


def main_effect_tables(
    rows: Sequence[NetworkResults], settings: ComparisonSettings, reference: str
) -> tuple[ComparisonTable, ...]:
    """Return the main effects of arms and of networks, and the interactions, each corrected as a table.

    Parameters
    ----------
    rows : sequence of NetworkResults
        All rows of a study.
    settings : ComparisonSettings
        Metric, level and margin.
    reference : str
        Arm that others are compared with.

    Returns
    -------
    tuple of ComparisonTable
        Empty where the study is not crossed.
    """
    found = crossed_rows(rows, reference)
    if found is None:
        return ()
    return (_arms(found, settings, reference), _networks(found, settings), _interactions(found, settings, reference))


def _arms(found: CrossedRows, settings: ComparisonSettings, reference: str) -> ComparisonTable:
    means = {arm: found.over_networks(arm, settings.metric) for arm in found.arms}
    pool = pooled_variance(list(means.values()), settings)
    label = metric_label(settings.metric).long
    return corrected_table(
        "main_arms",
        f"Arms against {reference}, averaged over {len(found.networks)} networks",
        f"Difference in {label}: arm minus {reference}, mean over {', '.join(found.networks)}.{found.note}",
        (compare_pair(means[arm], means[reference], settings, pool=pool) for arm in found.arms if arm != reference),
        settings.level,
    )


def _networks(found: CrossedRows, settings: ComparisonSettings) -> ComparisonTable:
    means = [found.over_arms(network, settings.metric) for network in found.networks]
    pool = pooled_variance(means, settings)
    label = metric_label(settings.metric).long
    return corrected_table(
        "main_networks",
        f"Networks, averaged over {len(found.arms)} arms",
        f"Difference in {label}: first network minus second, mean over {', '.join(found.arms)}.{found.note}",
        (compare_pair(first, second, settings, pool=pool) for first, second in combinations(means, 2)),
        settings.level,
    )


def _interactions(found: CrossedRows, settings: ComparisonSettings, reference: str) -> ComparisonTable:
    label = metric_label(settings.metric).long
    free = replace(settings, margin=None)  # a small interaction is no equivalence of two networks
    return corrected_table(
        "interactions",
        f"Arms that act differently on single networks (against {reference})",
        f"Difference in {label}: effect of the arm on the network minus its mean effect on the other networks.",
        (row for arm in found.arms if arm != reference for row in _arm_interactions(found, free, arm, reference)),
        settings.level,
    )


def _arm_interactions(
    found: CrossedRows, settings: ComparisonSettings, arm: str, reference: str
) -> Iterator[Comparison]:
    metric = settings.metric
    effects = {
        name: weighted(
            [(1.0, found.rows[name, arm]), (-1.0, found.rows[name, reference])], metric, network=name, arm=arm
        )
        for name in found.networks
    }
    pool = _OneAgainstOthers.of(list(effects.values()), f"{OTHER_NETWORKS}/{arm}")
    # With two networks, the interaction of the second is the negative of the first's.
    for name in found.networks if len(effects) > 2 else found.networks[:1]:
        others = [effect for other, effect in effects.items() if other != name]
        second = averaged(others, metric, network=OTHER_NETWORKS, arm=arm)
        yield replace(compare_pair(effects[name], second, settings, pool=pool), scope=INTERACTION)


class _OneAgainstOthers(PooledVariance):
    """Variance of one row against the mean of the others of its table, by the guards of `PooledVariance`."""

    others: str

    @classmethod
    def of(cls, rows: Sequence[NetworkResults], others: str) -> _OneAgainstOthers | None:
        """Return the pool of a table with the label of the mean of the others, or None where there are too few rows."""
        tested = {sums.sources for row in rows for seed in row.seeds if (sums := row.sums(seed)) is not None}
        pool = cls({row.label: row.values for row in rows}, paired=len(tested) > 1)
        pool.others = others
        return pool if pool.usable else None

    @property
    def names(self) -> tuple[str, ...]:
        """Rows, and the mean of the others."""
        return (*super().names, self.others)

    def pair(self, first: str, second: str) -> SeedVariance:  # noqa: ARG002 - always the mean of the others
        """Return the variance over seeds of a row minus the mean of the others."""
        one = self.row(first)
        return replace(one, value=one.value * (1 + 1 / (len(super().names) - 1)))
