"""Keeps the long simulations out of the usual run: ``pytest -m statistics tests/statistics`` takes them in."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "statistics: simulates thousands of studies; `make test-statistics` runs them")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "statistics" in str(config.getoption("-m")):
        return
    long = [item for item in items if item.get_closest_marker("statistics")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
