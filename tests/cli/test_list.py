"""``benchmarker list``."""

from __future__ import annotations

import pytest

from benchmarker import Architecture
from benchmarker.cli import main
from benchmarker.cli.list_command import _table
from benchmarker.discovery import BrokenPlugin, Plugins
from benchmarker.registry import shipped_names
from tests.registries import plugins_of


def broken() -> Plugins:
    tiny = Architecture(name="tiny", builder="a:b", citation="2021MNRAS.503.1828B", minimum_size=9, aliases=("small",))
    failed = BrokenPlugin(name="bad", distribution="bad-plugin 0.2", error="ImportError: no", traceback="Traceback 1\n")
    return plugins_of(tiny, broken=[failed])


def test_list_shows_citations_sizes_and_distributions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    for heading in ("Architectures (", "Datasets (", "Augmentations (", "Reports (", "Registries ("):
        assert heading in out
    (line,) = [line for line in out.splitlines() if line.startswith("  alexnet ")]
    assert line.split()[:3] == ["alexnet", "195", "doi:10.1145/3065386"]
    assert "galaxy-benchmarker" in line
    assert "\x1b" not in out


def test_list_shows_one_section(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "reports"]) == 0
    out = capsys.readouterr().out
    assert "terminal" in out
    assert "Architectures" not in out


def test_list_shows_broken_plugins(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("benchmarker.discovery.installed", broken)
    assert main(["list", "architectures"]) == 0
    out = capsys.readouterr().out
    assert "bad from bad-plugin 0.2: ImportError: no" in out
    assert "Traceback 1" not in out
    assert "benchmarker list -v" in out
    assert main(["list", "-v", "--strict"]) == 1
    out = capsys.readouterr().out
    assert "Traceback 1" in out
    assert "(also: small)" in out


def test_list_shows_disabled_plugins(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("BENCHMARKER_DISABLE", "radio, mine")
    assert main(["list", "registries"]) == 0
    out = capsys.readouterr().out
    assert "Disabled plugins (2)" in out
    assert "  mine: switched off by BENCHMARKER_DISABLE" in out


@pytest.mark.parametrize("width", [30, 40, 50, 70, 100])
def test_table_fits_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarker.cli.list_command.on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", str(width))
    rows = [("convxpress", "galaxy-benchmarker 0.1.0", "eleven convolutions with early strides, fast for its size")]
    lines = list(_table(("name", "distribution", "summary"), rows))[1:]
    assert max(map(len, lines)) <= width
    assert "".join(lines).count("strides") == "".join(lines).count("galaxy") == 1


def test_list_shows_every_shipped_registry(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "registries"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.endswith(".yaml")]
    assert tuple(listed) == shipped_names()
