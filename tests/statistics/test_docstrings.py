"""Completeness of the docstrings of public statistics; tests/test_project.py runs their examples."""

from __future__ import annotations

import inspect

import pytest

import benchmarker

PURE = {"caveats", "intervals", "paired", "pareto", "power", "ranks", "verdicts"}


def public_functions() -> list[str]:
    found = []
    for name in dir(benchmarker):
        public = getattr(benchmarker, name)
        _, _, module = getattr(public, "__module__", "").rpartition("benchmarker.statistics.")
        if inspect.isfunction(public) and module in PURE:
            found.append(name)
    return found


@pytest.mark.parametrize("name", public_functions())
def test_public_statistics_have_parameters_and_an_example(name: str) -> None:
    description = inspect.getdoc(getattr(benchmarker, name)) or ""
    for section in ("Parameters", "Examples"):
        assert f"{section}\n{'-' * len(section)}" in description, f"{name} lacks the section {section!r}"
