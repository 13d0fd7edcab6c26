"""The one view of a study that every format draws from."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from benchmarker import ReportOptions, StudyResults, counted, metric_label
from benchmarker_reports.content.leaderboard import Column, Line, build_lines, columns, footnotes, page_columns
from benchmarker_reports.content.values import CHECKPOINTS, written_level

if TYPE_CHECKING:
    from benchmarker import Comparisons, Leaderboard, LeaderboardRow
    from benchmarker_reports.content.charts import Panel
    from benchmarker_reports.content.classes import ClassScores, Confusion
    from benchmarker_reports.content.comparisons import ComparisonSection, RatioChart
    from benchmarker_reports.content.costs import CostChart, ParetoLine
    from benchmarker_reports.content.ensembles import EnsembleLine
    from benchmarker_reports.content.examples import Examples, Picture
    from benchmarker_reports.content.generators import GeneratorTraining, Quality
    from benchmarker_reports.content.leaderboard import Averages
    from benchmarker_reports.content.prior import Prior
    from benchmarker_reports.content.probabilities import Calibration, Probabilities
    from benchmarker_reports.content.reproduction import Reproduction
    from benchmarker_reports.content.sources import WrongImage
    from benchmarker_reports.published.comparison import PublishedComparison

MOST_COMPARED = 120
"""Lines of a leaderboard that are compared with each other; with more, all pairs take minutes and few read them."""
MOST_DETAILED = 24
"""Lines that are shown in detail in a study with more lines than `MOST_COMPARED`."""
FEW_ENSEMBLES = 6
"""Ensembles that the terminal shows, the best first."""
MOST_CURVES = 6
"""Lines whose probabilities are drawn, each in a colour."""


class StudyContent:
    """Everything that reports show of a study; each part is read when a format first asks for it.

    Parameters
    ----------
    results : StudyResults
        The study.
    options : ReportOptions
        Choices of whoever asked for the report.
    most_compared : int
        Lines of the leaderboard above which comparisons and Pareto fronts are left out.
    """

    def __init__(self, results: StudyResults, options: ReportOptions, *, most_compared: int = MOST_COMPARED) -> None:
        self.results = results
        self.options = options
        self._most_compared = most_compared

    @cached_property
    def board(self) -> Leaderboard:
        """The leaderboard itself, with the denominator, failures and notes."""
        return self.results.board(self.options)

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """Lines of the leaderboard."""
        return build_lines(self.results, self.board, self.options.confidence, self.comparisons)

    @cached_property
    def messages(self) -> tuple[str, ...]:
        """What the study says, in sentences."""
        from benchmarker_reports.content.message import Material, messages

        return messages(Material(board=self.board, lines=self.lines, comparisons=self.comparisons, level=self.level))

    @cached_property
    def ensembles(self) -> tuple[EnsembleLine, ...]:
        """Ensembles of the study's runs, as lines below the leaderboard; none where there are too many lines."""
        if not self.lines or len(self.lines) > self._most_compared:
            return ()
        from benchmarker_reports.content.ensembles import ensemble_lines

        return ensemble_lines(self.results, self.board, self.options.confidence)

    @property
    def table_lines(self) -> tuple[Line, ...]:
        """Lines of the leaderboard's table: those of networks, then those of ensembles."""
        return (*self.lines, *(each.line for each in self.ensembles))

    @property
    def brief_table_lines(self) -> tuple[Line, ...]:
        """The same with a few ensembles only, for formats that have little room."""
        return (*self.lines, *(each.line for each in self.ensembles[:FEW_ENSEMBLES]))

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """Columns of the leaderboard as a table of text shows it."""
        return columns(self.board, in_arm=self.ranks_in_arm)

    @property
    def ranks_in_arm(self) -> bool:
        """Whether ranks are those among the networks of an arm, because only these are compared with each other."""
        several = len({row.label for row in self.board.rows}) > 1
        return several and self.several_arms and any(line.ranks is not None for line in self.lines)

    @cached_property
    def page_columns(self) -> tuple[Column, ...]:
        """Metrics and costs of the leaderboard as a page shows it, the sorted one first."""
        return page_columns(self.board)

    @cached_property
    def footnotes(self) -> tuple[str, ...]:
        """What the signs in the leaderboard mean."""
        from benchmarker_reports.content.ensembles import ensemble_notes

        return (*footnotes(self.board, self.lines, in_arm=self.ranks_in_arm), *ensemble_notes(self.ensembles))

    @property
    def several_arms(self) -> bool:
        """Whether the study has more than one arm."""
        return len({row.arm for row in self.board.rows}) > 1

    @property
    def checkpoint(self) -> str:
        """The checkpoint that everything but the leaderboard is shown for."""
        return self.options.checkpoint

    @property
    def checkpoint_words(self) -> str:
        """What that checkpoint is."""
        return CHECKPOINTS.get(self.checkpoint, self.checkpoint)

    @property
    def metric_words(self) -> str:
        """Name of the metric that the leaderboard is sorted by."""
        return metric_label(self.board.sort).long

    @property
    def level(self) -> str:
        """Level of intervals: ``"95 %"``."""
        return written_level(self.options.confidence)

    @property
    def interval_words(self) -> str:
        """What the intervals of the leaderboard cover."""
        known = [line.estimate for line in self.lines if line.estimate is not None and line.estimate.low is not None]
        if known and all(estimate.covers_sources for estimate in known):
            return "for new seeds and new galaxies"
        return "over seeds alone (Student's t); those for new galaxies are wider"

    @cached_property
    def facts(self) -> tuple[str, ...]:
        """Dataset, sizes and backend in a few words each."""
        board, classes = self.board, self.results.classes
        skipped = f" ({board.skipped:,} skipped)" if board.skipped else ""
        backends = sorted({f"{row.backend} {row.precision}".strip() for row in board.rows if row.n})
        found = (
            board.dataset,
            f"{board.images:,} images{skipped}" if board.images else "",
            _classes(classes, self.results.study.dataset.class_counts),
            counted(len({line.label for line in self.lines}), "network"),
            counted(len({line.arm for line in self.lines}), "arm"),
            counted(len({cell.seed for cell in self.results.cells}), "seed"),
            ", ".join(backends),
        )
        return tuple(filter(None, found))

    @cached_property
    def comparisons(self) -> Comparisons | None:
        """Arms and networks compared, and the means of single lines; None for too many lines, or one with one seed."""
        if not self._comparable and not self._one_line:
            return None
        from benchmarker import compare_study

        return compare_study(
            self.results,
            checkpoint=self.checkpoint,
            reference=self.options.reference,
            level=self.options.confidence,
            margin=self.options.equivalence,
        )

    @cached_property
    def comparison_sections(self) -> tuple[ComparisonSection, ...]:
        """Tables of comparisons with their numbers written."""
        from benchmarker_reports.content.comparisons import comparison_section

        tables = self.comparisons.tables if self.comparisons else ()
        return tuple(comparison_section(table) for table in tables if table.rows)

    @cached_property
    def ratio_charts(self) -> tuple[RatioChart, ...]:
        """A chart for each generator whose images were used in several ratios, all on one scale."""
        from benchmarker_reports.content.comparisons import ratio_charts

        return ratio_charts(self.comparisons) if self.comparisons else ()

    @cached_property
    def pareto(self) -> tuple[ParetoLine, ...]:
        """Lines that no other one beats in the metric and a cost."""
        from benchmarker_reports.content.costs import pareto_lines

        return pareto_lines(self.board, self.lines) if self._comparable else ()

    @cached_property
    def cost_charts(self) -> tuple[CostChart, ...]:
        """The metric against each cost."""
        from benchmarker_reports.content.costs import cost_charts

        return cost_charts(self.board, self.lines)

    @cached_property
    def averages(self) -> tuple[Averages, ...]:
        """Other averages of lines; none where there are too many lines for bootstraps."""
        from benchmarker_reports.content.leaderboard import averages

        few = len(self.lines) <= MOST_COMPARED
        return averages(self.lines, self.options.confidence) if few else ()

    @cached_property
    def finished(self) -> tuple[Line, ...]:
        """Lines with at least one finished run."""
        return tuple(line for line in self.lines if line.runs)

    @property
    def detailed(self) -> tuple[Line, ...]:
        """Finished lines that are shown in detail: reading the runs of thousands would take minutes."""
        return self.finished if len(self.lines) <= MOST_COMPARED else self.finished[:MOST_DETAILED]

    @cached_property
    def class_scores(self) -> tuple[ClassScores, ...]:
        """Precision, recall and F1 of each class; none for a regression."""
        from benchmarker_reports.content.classes import class_scores

        return class_scores(self.results, self.detailed, self.checkpoint)

    @cached_property
    def confusions(self) -> tuple[Confusion, ...]:
        """Confusion matrices summed over seeds; none for a regression."""
        from benchmarker_reports.content.classes import confusions

        return confusions(self.results, self.detailed, self.checkpoint)

    @cached_property
    def confused(self) -> Mapping[tuple[int, int], tuple[Picture, ...]]:
        """Pictures behind the cells of the first confusion matrix, by true and predicted class."""
        from benchmarker_reports.content.confused import confused_pictures

        return confused_pictures(self.results, self.detailed[:1], self.checkpoint, self.options.stretch)

    @cached_property
    def learning(self) -> Mapping[str, tuple[Panel, ...]]:
        """Learning curves of each network, by metric."""
        from benchmarker_reports.content.learning import learning_panels

        known = self.prior
        return learning_panels(self.results, self.detailed, None if known is None else known.log_loss)

    @cached_property
    def prior(self) -> Prior | None:
        """The prior of a classification; None where it is not known which sources trained."""
        from benchmarker_reports.content.prior import prior

        return prior(self.results, self.finished[:1], self.checkpoint)

    @cached_property
    def probabilities(self) -> Probabilities | None:
        """Curves and calibration of predicted probabilities; None for a regression."""
        from benchmarker_reports.content.probabilities import probabilities

        return probabilities(self.results, self.finished[:MOST_CURVES], self.checkpoint)

    @cached_property
    def calibrations(self) -> Mapping[tuple[str, str, str], Calibration]:
        """Scores of the probabilities of each detailed line, by network, arm and checkpoint."""
        from benchmarker_reports.content.probabilities import calibration

        found = {
            (line.label, line.arm, checkpoint): calibration(self.results, line.runs, line, checkpoint)
            for line in self.detailed
            for checkpoint in line.rows
        }
        return {key: each for key, each in found.items() if each is not None}

    @cached_property
    def examples(self) -> Examples | None:
        """Test images that every run, or none, classifies correctly."""
        from benchmarker_reports.content.examples import examples

        return examples(self.results, self.detailed, self.checkpoint, self.options.stretch)

    @cached_property
    def attributes(self) -> tuple[Panel, ...]:
        """Accuracy against each quantity of the sources that the dataset knows."""
        from benchmarker_reports.content.attributes import attribute_panels

        return attribute_panels(self.results, self.finished[:MOST_CURVES], self.checkpoint)

    @cached_property
    def label_doubts(self) -> tuple[WrongImage, ...]:
        """Test images whose label all runs of at least two lines contradict, all with the same class."""
        from benchmarker_reports.content.sources import wrong_images

        found = wrong_images(self.results, self.detailed, self.checkpoint) if len(self.detailed) > 1 else ()
        return tuple(each for each in found if each.label_doubt)

    @cached_property
    def quality(self) -> tuple[Quality, ...]:
        """Quality of generators' samples, averaged over seeds."""
        if not self.results.generators:
            return ()
        from benchmarker_reports.content.generators import quality

        return quality(self.results.generators)

    @cached_property
    def trainings(self) -> tuple[GeneratorTraining, ...]:
        """Each training of a generator."""
        from benchmarker_reports.content.generators import trainings

        return trainings(self.results)

    @cached_property
    def published(self) -> tuple[PublishedComparison, ...]:
        """Published numbers for the same task beside those of the study."""
        from benchmarker_reports.published.comparison import compare_with_published

        return compare_with_published(self.results, self.board, self.comparisons)

    @cached_property
    def reproduction(self) -> Reproduction:
        """Commands, environments, data and registry."""
        from benchmarker_reports.content.reproduction import reproduction

        return reproduction(self.results)

    @property
    def _rows(self) -> tuple[LeaderboardRow, ...]:
        return self.board.at(self.board.checkpoints[0]) if self.board.checkpoints else ()

    @property
    def _comparable(self) -> bool:
        return 1 < len(self._rows) <= self._most_compared

    @property
    def _one_line(self) -> bool:
        return len(self._rows) == 1 and self._rows[0].n > 1


def _classes(names: tuple[str, ...], counts: Mapping[str, int] | None) -> str:
    """Return the number of classes, with the number of images of each where the study knows it."""
    if not names:
        return ""
    listed = ", ".join(f"{name} {count:,}" for name, count in (counts or {}).items())
    return f"{len(names)} classes" + (f" ({listed})" if listed else "")
