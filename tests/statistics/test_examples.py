"""The examples in the docstrings of the statistics, and their completeness."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil

import pytest

import benchmarker
from benchmarker import statistics

MODULES = sorted(f"{statistics.__name__}.{module.name}" for module in pkgutil.iter_modules(statistics.__path__))
PURE = {"caveats", "intervals", "paired", "pareto", "power", "ranks", "verdicts"}


@pytest.mark.parametrize("module", MODULES)
def test_examples_give_what_they_show(module: str) -> None:
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def public_functions() -> list[str]:
    found = []
    for name in dir(benchmarker):
        public = getattr(benchmarker, name)
        _, _, module = getattr(public, "__module__", "").rpartition("benchmarker.statistics.")
        if inspect.isfunction(public) and module in PURE:
            found.append(name)
    return found


@pytest.mark.parametrize("name", public_functions())
def test_public_statistics_are_described_with_an_example(name: str) -> None:
    description = inspect.getdoc(getattr(benchmarker, name)) or ""
    for section in ("Parameters", "Examples"):
        assert f"{section}\n{'-' * len(section)}" in description, f"{name} lacks the section {section!r}"
