"""All comparisons of a study: every arm with the reference arm, and all networks within an arm."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarker.contracts.tasks import Regression
from benchmarker.results.metrics import metric_label
from benchmarker.statistics import caveats
from benchmarker.statistics.comparing import compare_pair, corrected_table
from benchmarker.statistics.comparison import (
    OVERALL,
    Comparison,
    ComparisonSettings,
    ComparisonTable,
    TableName,
)
from benchmarker.statistics.main_effects import main_effect_tables
from benchmarker.statistics.mean_scores import MeanScore, mean_scores
from benchmarker.statistics.network_results import NetworkResults, read_network_results
from benchmarker.statistics.pairing import pooled_variance
from benchmarker.statistics.pooling import PooledVariance
from benchmarker.statistics.published_folds import means_of_folds
from benchmarker.statistics.rank_ranges import RankRange, rank_ranges
from benchmarker.statistics.ratios import RatioResponse, ratio_responses
from benchmarker.statistics.sequential import sequential_tables
from benchmarker.statistics.verdicts import DEFAULT_MARGIN

if TYPE_CHECKING:
    import pandas as pd

    from benchmarker.results.study_results import StudyResults

METHOD = (
    "Differences are taken under the same seed and split, on the same test sources. Intervals treat seeds and test "
    "sources as random draws: Var = v/S + c, with the variance v of a difference over S seeds and the covariance c "
    "that shared test sources cause (Obuchowski and Rockette 1995, doi:10.1080/03610919508813243; jackknife over "
    "sources: Efron and Stein 1981, doi:10.1214/aos/1176345462), each part with its own t quantile, added in "
    "quadrature (Howe 1974, doi:10.1080/01621459.1974.10480206). In a table of three or more rows, v is pooled over "
    "the rows; it is never below what the two rows show themselves, and a row that varies much more than the others "
    "is judged by its own variance. Where every seed has its own split, the variance is multiplied by 1/S + "
    "n_test/n_train instead (Nadeau and Bengio 2003, doi:10.1023/A:1024068626366); where folds of the training sources "
    "share one test part, v is multiplied by 1/S + n_validation/n_train. p is corrected by Holm (1979) "
    "over all rows of a table, and intervals are those of Bonferroni, cut at zero where Holm's procedure excludes it "
    "(Strassburger and Bretz 2008, doi:10.1002/sim.3338); equivalent means inside the margin by two one-sided tests "
    "(Schuirmann 1987, doi:10.1007/BF01068419). A study that adds seeds until it is decided spends its error rate over "
    "the rounds (Lan and DeMets 1983, doi:10.1093/biomet/70.3.659; Maurer and Bretz 2013, "
    "doi:10.1080/19466315.2013.807748)."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparisons:
    """All comparisons of a study.

    Parameters
    ----------
    title : str
        Title of the study.
    metric, unit, checkpoint : str
        Metric compared, unit of its differences, and weights tested (``"best"`` or ``"final"``).
    higher_is_better : bool
        True for scores, False for errors.
    reference : str
        Arm that others are compared with.
    level : float
        Confidence level of intervals; verdicts accept an error rate of one minus this per table.
    margin : float or None
        Half the width of the region of practical equivalence of the overall metric.
    tables : tuple of ComparisonTable
        Tables with at least one row. Every pair of rows is in at most one of them, so it has one verdict.
    means : tuple of MeanScore
        Mean score of each row of the leaderboard, with an interval for new seeds and new sources.
    ratios : tuple of RatioResponse
        One for each network and generator with at least two ratios, of which 0 is one.
    caveats : tuple of str
        Sentences that a reader must know before believing any row.
    method : str
        One paragraph on how verdicts are made, with references.
    """

    title: str
    metric: str
    unit: str
    checkpoint: str
    higher_is_better: bool
    reference: str
    level: float
    margin: float | None
    tables: tuple[ComparisonTable, ...]
    means: tuple[MeanScore, ...] = ()
    ratios: tuple[RatioResponse, ...] = ()
    caveats: tuple[str, ...] = ()
    method: str = METHOD

    def table(self, name: TableName) -> ComparisonTable | None:
        """Return a table by its name, or None where the study has no such comparison."""
        return next((table for table in self.tables if table.name == name), None)

    def rows(self) -> Iterator[tuple[ComparisonTable, Comparison]]:
        """Yield every row with its table."""
        for table in self.tables:
            for row in table.rows:
                yield table, row

    def mean(self, network: str, arm: str) -> MeanScore | None:
        """Return the mean score of a row of the leaderboard, or None where no seed has finished."""
        return next((each for each in self.means if (each.network, each.arm) == (network, arm)), None)

    def pair(self, first: tuple[str, str], second: tuple[str, str]) -> Comparison | None:
        """Return the comparison of two rows, first minus second, or None where the study does not compare them.

        Parameters
        ----------
        first, second : (str, str)
            Network and arm of each side.
        """
        for table, row in self.rows():
            sides = ((row.first.network, row.first.arm), (row.second.network, row.second.arm))
            if row.scope == OVERALL and table.name in {"arms", "networks"} and {*sides} == {first, second}:
                return row if sides[0] == first else row.reversed
        return None

    def ranks(self, arm: str, networks: Sequence[str]) -> Mapping[str, RankRange]:
        """Return the ranks that networks may have within an arm.

        Parameters
        ----------
        arm : str
            Name of the arm.
        networks : sequence of str
            Networks that are ranked.
        """
        table = self.table("networks")
        return rank_ranges(networks, [] if table is None else [row for row in table.rows if row.first.arm == arm])

    def ranks_of_arms(self, arms: Sequence[str]) -> Mapping[str, RankRange]:
        """Return the ranks that the arms of a study's only network may have; arms are compared with the reference.

        Parameters
        ----------
        arms : sequence of str
            Arms that are ranked.
        """
        table = self.table("arms")
        return rank_ranges(arms, () if table is None else table.rows, by="arm")

    def to_json(self) -> dict[str, Any]:
        """Return everything as nested JSON values; infinitely many degrees of freedom are null."""
        found: dict[str, Any] = _finite(asdict(self))
        return found

    def frame(self) -> pd.DataFrame:
        """Return every row of every table as a tidy table."""
        import pandas as pd

        return pd.DataFrame([_flat(table.name, row) for table, row in self.rows()])


def compare_study(
    results: StudyResults,
    *,
    checkpoint: str = "best",
    reference: str = "real",
    level: float = 0.95,
    margin: float | None = None,
    predictions: bool = True,
) -> Comparisons:
    """Compare every arm with the reference arm, and all networks within an arm.

    Parameters
    ----------
    results : StudyResults
        An open study.
    checkpoint : {"best", "final"}
        Weights that made the predictions.
    reference : str
        Arm that others are compared with. If the study has no such arm, its first arm is used.
    level : float
        Confidence level of intervals; verdicts accept an error rate of one minus this per table.
    margin : float, optional
        Half the width of the region of practical equivalence, in the unit of the primary metric. By default one
        percentage point for scores, and none for errors.
    predictions : bool
        Read predictions. Without them test sources are taken as fixed, and classes are not compared.

    Returns
    -------
    Comparisons
        Tables of comparisons with verdicts, responses to ratios of generated images, and caveats.

    Examples
    --------
    .. code-block:: python

        from benchmarker import compare_study, open_results

        print(compare_study(open_results("results/quickstart")).frame())
    """
    settings = comparison_settings(results, level=level, margin=margin, checkpoint=checkpoint)
    read = read_network_results(results, settings.metric, checkpoint, predictions=predictions)
    rows = [means_of_folds(row) for row in read]
    arms = list(dict.fromkeys(cell.arm for cell in results.cells))
    notes = []
    if reference not in arms and len(arms) > 1:
        notes.append(f"The study has no arm {reference!r}, so arms are compared with {arms[0]!r}.")
        reference = arms[0]
    pool = pooled_variance(rows, settings)
    rounds = results.study.plan.until_decided

    def judged(rows: Sequence[NetworkResults]) -> list[ComparisonTable]:
        return _tables(rows, settings, reference, arms)

    tables = judged(rows) if rounds is None else sequential_tables(rows, level, rounds, judged)
    found = tuple(table for table in tables if table.rows)
    overall = next((table for table in found if table.name == "arms"), None)
    return Comparisons(
        title=results.title,
        metric=settings.metric,
        unit=settings.unit,
        checkpoint=checkpoint,
        higher_is_better=settings.higher_is_better,
        reference=reference,
        level=level,
        margin=settings.margin,
        tables=found,
        means=mean_scores(rows, settings, pool),
        ratios=ratio_responses(rows, settings, reference, overall.rows if overall else ()),
        caveats=(
            *notes,
            *([] if rounds is None else [rounds.summary]),
            *_cluster_caveats(results),
            *_table_caveats(found, level),
            *_environment_caveats(results),
        ),
    )


def _tables(
    rows: Sequence[NetworkResults], settings: ComparisonSettings, reference: str, arms: Sequence[str]
) -> list[ComparisonTable]:
    """Return all tables of a study, also those without a row."""
    pool = pooled_variance(rows, settings)
    return [
        *main_effect_tables(rows, settings, reference),
        _arms(rows, settings, reference, pool),
        _arms_per_class(rows, settings, reference),
        _networks(rows, settings, arms, pool),
    ]


def comparison_settings(
    results: StudyResults, *, level: float = 0.95, margin: float | None = None, checkpoint: str = "best"
) -> ComparisonSettings:
    """Return how a study is compared: its primary metric, the unit of differences and the margin of equivalence.

    Parameters
    ----------
    results, level, margin, checkpoint
        As in `compare_study`.
    """
    board = results.leaderboard(checkpoint)
    metric = board.primary
    percent = metric == "mean_per_class_accuracy"
    higher = results.leaderboard(checkpoint, sort=metric).higher_is_better
    if margin is None and higher:
        margin = DEFAULT_MARGIN if percent else DEFAULT_MARGIN / 100
    regression = isinstance(board.task, Regression)
    targets = [target.name for target in board.task.targets] if isinstance(board.task, Regression) else []
    return ComparisonSettings(
        metric=metric,
        unit="pp" if percent else board.unit(metric),
        higher_is_better=higher,
        level=level,
        margin=margin,
        scopes=tuple(targets if regression else results.classes) if not regression or len(targets) > 1 else (),
        scope_metric=metric if regression else "recall",
    )


def _arms(
    rows: Sequence[NetworkResults], settings: ComparisonSettings, reference: str, pool: PooledVariance | None
) -> ComparisonTable:
    label = metric_label(settings.metric).long
    return corrected_table(
        "arms",
        f"Arms against {reference}",
        f"Difference in {label}: arm minus {reference}, paired by seed and test source.",
        (compare_pair(row, base, settings, pool=pool) for row, base in arm_pairs(rows, reference)),
        settings.level,
    )


def _arms_per_class(rows: Sequence[NetworkResults], settings: ComparisonSettings, reference: str) -> ComparisonTable:
    what = "Classes" if settings.scope_metric == "recall" else "Targets"
    measure = "recall in percent" if settings.scope_metric == "recall" else metric_label(settings.metric).long
    pools = {index: pooled_variance(rows, settings, index) for index in range(len(settings.scopes))}
    return corrected_table(
        "arms_per_class",
        f"{what}: arms against {reference}",
        f"Difference in {measure}: arm minus {reference}, paired by seed and test source.",
        (
            compare_pair(row, base, settings, index, pool=pools[index])
            for row, base in arm_pairs(rows, reference)
            for index in range(len(settings.scopes))
            if any(row.score(seed, settings.scope_metric, index) for seed in row.seeds)
        ),
        settings.level,
    )


def _networks(
    rows: Sequence[NetworkResults], settings: ComparisonSettings, arms: Sequence[str], pool: PooledVariance | None
) -> ComparisonTable:
    label = metric_label(settings.metric).long
    return corrected_table(
        "networks",
        "Networks within an arm",
        f"Difference in {label}: first network minus second, in the same arm, paired by seed and test source.",
        (
            compare_pair(first, second, settings, pool=pool)
            for arm in arms
            for first, second in combinations([row for row in rows if row.arm == arm], 2)
        ),
        settings.level,
    )


def arm_pairs(rows: Sequence[NetworkResults], reference: str) -> list[tuple[NetworkResults, NetworkResults]]:
    """Return every network's arms with the same network's reference arm."""
    bases = {row.network: row for row in rows if row.arm == reference}
    return [(row, bases[row.network]) for row in rows if row.arm != reference and row.network in bases]


def _table_caveats(tables: Sequence[ComparisonTable], level: float) -> list[str]:
    found: dict[str, None] = {}
    for table in tables:
        counts = [row.n for row in table.rows if row.n and row.scope == OVERALL]
        if not counts:
            continue
        known = [row.degrees_of_freedom for row in table.rows if row.degrees_of_freedom is not None]
        freedom = float(np.median(known)) if known else float(np.median(counts)) - 1
        for caveat in (
            caveats.one_seed(min(counts)),
            caveats.too_few_for_correction(int(np.median(counts)), freedom, table.tests, level),
        ):
            if caveat:
                found[caveat] = None
    return list(found)


def _cluster_caveats(results: StudyResults) -> list[str]:
    return [caveats.clustered(len(set(results.clusters.values())))] if results.clusters else []


def _environment_caveats(results: StudyResults) -> list[str]:
    known = [environment.label for environment in results.environments]
    if len(known) < 2:
        return []
    return [f"The fingerprints differ: {len(known)} environments ({'; '.join(filter(None, known))})."]


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _flat(table: str, row: Comparison) -> dict[str, Any]:
    values = asdict(row)
    first, second, mcnemar = values.pop("first"), values.pop("second"), values.pop("mcnemar")
    values.pop("differences")
    values.pop("variance")
    flat: dict[str, Any] = {"table": table}
    for name, side in (("first", first), ("second", second)):
        flat.update({f"{name}_{key}": value for key, value in side.items()})
    flat.update(values)
    flat.update({"seeds": " ".join(map(str, row.seeds)), "n": row.n, "caveats": "; ".join(row.caveats)})
    flat["mcnemar_p"] = None if mcnemar is None else mcnemar["p"]
    return flat
