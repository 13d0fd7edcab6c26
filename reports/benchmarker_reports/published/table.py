"""The table of published results; the YAML files beside this module hold it.

A file names the datasets that its results apply to (``match``) and lists them (``results``). To add a paper, add its
numbers with source and protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_validator

from benchmarker import BenchmarkerError, Regression, StudyResults

T = TypeVar("T")

BEST_RATIO = "best_ratio"
"""In place of a metric: the ratio of generated to real images that does best."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PublishedResult(_Entry):
    """One published result."""

    what: str
    """Network or effect."""

    source: str
    """Publication."""

    protocol: str
    """How the result was measured."""

    metrics: tuple[str, ...] = ()
    """Flat name of the metric, in the spellings of several datasets; empty for a finding in words."""

    value: float | None = None
    """The number as published."""

    band: tuple[float, float] | None = None
    """Range that agrees with the published number, both ends included; Wilson's interval if `test_sources` is given."""

    test_sources: int | None = None
    """Number of test sources behind a proportion."""

    finding: str = ""
    """A result in words, which is shown but not compared."""

    architectures: tuple[str, ...] = ()
    """Architectures to compare with; the best row of a study that has none of them."""

    same_protocol: dict[str, str] = {}
    """Settings of a cell, by flat name, under which the protocol is the same; empty if it never is."""

    @model_validator(mode="before")
    @classmethod
    def _fill_band(cls, entry: Any) -> Any:
        if isinstance(entry, Mapping) and {"value", "test_sources"} <= set(entry) and "band" not in entry:
            from benchmarker import wilson_interval

            interval = wilson_interval(float(entry["value"]), int(entry["test_sources"]))
            return {**entry, "band": (interval.low, interval.high)}
        return entry

    @model_validator(mode="after")
    def _check(self) -> PublishedResult:
        if bool(self.metrics) == bool(self.finding):
            raise ValueError("either metrics or a finding is required")
        if self.metrics and self.band is None:
            raise ValueError("a metric needs a band, or a value with test_sources")
        return self


class _Match(_Entry):
    """Datasets that results apply to; an empty condition always holds."""

    datasets: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    def applies(self, results: StudyResults) -> bool:
        dataset = results.study.dataset.name
        task = results.task
        targets = {target.name for target in task.targets} if isinstance(task, Regression) else set()
        return (
            (not self.datasets or dataset in self.datasets)
            and (not self.classes or set(self.classes) == set(results.classes))
            and (not self.targets or bool(targets & set(self.targets)))
        )


class _File(_Entry):
    name: str
    match: tuple[_Match, ...]
    results: list[Any]

    @cached_property
    def published(self) -> tuple[PublishedResult, ...]:
        """The results; read only for studies that they apply to, as intervals need a statistics library."""
        return _checked(self.name, _RESULTS.validate_python, self.results)


_RESULTS = TypeAdapter(tuple[PublishedResult, ...])


def published_results(results: StudyResults) -> tuple[PublishedResult, ...]:
    """Return the published results for the dataset or the targets of a study, in the order of the files."""
    return tuple(
        published
        for file in published_files()
        if any(match.applies(results) for match in file.match)
        for published in file.published
    )


@lru_cache(maxsize=1)
def published_files() -> tuple[_File, ...]:
    """Return all files, sorted by name."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where it was built
    found = []
    for resource in sorted(files(__package__).iterdir(), key=lambda entry: entry.name):
        if resource.name.endswith(".yaml"):
            content = yaml.load(resource.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - a safe one
            found.append(_checked(resource.name, _File.model_validate, {"name": resource.name, **content}))
    return tuple(found)


def _checked(name: str, validate: Callable[[Any], T], content: Any) -> T:
    try:
        return validate(content)
    except ValidationError as error:
        raise BenchmarkerError(f"{name}: {error}") from error
