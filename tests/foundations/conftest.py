from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixture_plugins import install_distribution


class Site:
    """A folder on the path, into which tests install distributions; their modules begin with ``sky_``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, distribution: str, entries: dict[str, str], *, version: str = "1.0") -> None:
        """Install a distribution with a module for each entry point, given by its source."""
        prefix = f"sky_{distribution.replace('-', '_')}"
        modules = {name: (f"{prefix}_{number}", source) for number, (name, source) in enumerate(entries.items())}
        install_distribution(self.folder, distribution, modules, version)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An empty folder on the path, whose plugins are imported without a trial in another process."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("benchmarker.trials.problems", lambda _: {})
    yield Site(tmp_path)
    for name in [name for name in sys.modules if name.startswith("sky_")]:
        del sys.modules[name]
