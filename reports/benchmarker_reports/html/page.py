"""What a page shows, as plain data for the templates; sections that a study has nothing for are left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from markupsafe import Markup

from benchmarker import Comparisons, FailedCell, metric_label
from benchmarker_reports.contents.averages import Averages
from benchmarker_reports.contents.generators import GeneratorPart
from benchmarker_reports.contents.model import Confusion, CostChart, Entry, Examples, Panel, PerClass, Series
from benchmarker_reports.contents.probabilities import Probabilities
from benchmarker_reports.html.comparing import DoseView, TableView
from benchmarker_reports.yardsticks import Judged

SECTIONS = {
    "leaderboard": "Leaderboard",
    "comparisons": "Comparisons",
    "classes": "Classes",
    "learning": "Learning",
    "probabilities": "Probabilities",
    "costs": "Costs",
    "examples": "Examples",
    "generators": "Generators",
    "yardsticks": "Published",
    "again": "Again",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One figure that stands out."""

    what: str
    value: str
    more: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """An environment, flat."""

    label: str
    runs: int
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class YardstickLine:
    """A published number, and ours drawn beside it."""

    judged: Judged
    bar: Markup | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorView:
    """A generator's training, with its pictures and their titles."""

    part: GeneratorPart
    pictures: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Everything that the templates show."""

    title: str
    facts: tuple[str, ...]
    denominator: str
    metric_long: str
    checkpoint_words: str
    level: str
    version: str
    cards: tuple[Card, ...]
    notes: tuple[str, ...]
    failed: tuple[FailedCell, ...]
    heads: tuple[str, ...]
    entries: tuple[Entry, ...]
    domain: tuple[float, float]
    classes: tuple[str, ...]
    commands: tuple[str, ...]
    registry: str
    environments: tuple[Surroundings, ...]
    data: tuple[tuple[str, str], ...]
    comparisons: Comparisons | None
    comparison_tables: tuple[TableView, ...] = ()
    doses: tuple[DoseView, ...] = ()
    per_class: tuple[PerClass, ...] = ()
    confusions: tuple[Confusion, ...] = ()
    learning: Mapping[str, tuple[Panel, ...]] = field(default_factory=dict)
    probabilities: Probabilities | None = None
    costs: tuple[CostChart, ...] = ()
    examples: Examples | None = None
    generators: tuple[GeneratorView, ...] = ()
    yardsticks: tuple[YardstickLine, ...] = ()
    averages: tuple[Averages, ...] = ()
    sort: str = ""

    def write(self, value: float) -> str:
        """Write a value of the metric that lines are sorted by."""
        return metric_label(self.sort).write(value)

    @property
    def several_arms(self) -> bool:
        """Whether tables need a column for arms."""
        return len({entry.arm for entry in self.entries}) > 1

    @property
    def partial(self) -> bool:
        """Whether some line lacks seeds."""
        return any(not entry.complete for entry in self.entries)

    @property
    def untrained(self) -> bool:
        """Whether some line tells of saved weights."""
        return any(entry.untrained for entry in self.entries)

    @property
    def n_finished(self) -> int:
        """Lines with results."""
        return sum(bool(entry.runs) for entry in self.entries)

    @property
    def learning_legend(self) -> tuple[Series, ...]:
        """One line of each name among the learning curves."""
        found = {series.name: series for panels in self.learning.values() for one in panels for series in one.series}
        return tuple(sorted(found.values(), key=lambda series: series.colour))

    @property
    def sections(self) -> tuple[tuple[str, str], ...]:
        """Anchors and titles of the sections that have something to show."""
        having = {
            "comparisons": bool(self.comparison_tables),
            "classes": bool(self.per_class or self.confusions),
            "learning": bool(self.learning),
            "probabilities": self.probabilities is not None,
            "costs": bool(self.costs),
            "examples": self.examples is not None,
            "generators": bool(self.generators),
            "yardsticks": bool(self.yardsticks),
        }
        return tuple((anchor, title) for anchor, title in SECTIONS.items() if having.get(anchor, True))
