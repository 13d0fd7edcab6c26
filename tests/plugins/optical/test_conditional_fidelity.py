"""The example that plots fidelity curves, on a hand-written study, and its registry."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarker import digest_json

Main = Callable[[list[str]], int]


@pytest.fixture
def main(checkout: Path) -> Main:
    found: Main = runpy.run_path(str(checkout / "examples" / "conditional_fidelity.py"))["main"]
    return found


def _curve(rank: float | None, share: float) -> dict[str, Any]:
    requested = [8.0, 9.0, 10.0]
    return {
        "condition": "log_stellar_mass",
        "condition_unit": "dex(solMass)",
        "property": "aperture_flux",
        "property_unit": "pix",
        "requested": requested,
        "measured": [1.0, 2.0, 3.0],
        "p16": [0.5, 1.5, 2.5],
        "p84": [1.5, 2.5, 3.5],
        "rank_correlation": rank,
        "monotonic_share": share,
        "falling_share": 0.0,
        "n": 64,
    }


def _train(study: Any, name: str, curve: dict[str, Any]) -> None:
    generator = study.generator(name, 8901)
    generator["spec"]["generator"]["options"] = {"preset": name}
    generator["key"] = digest_json(generator["spec"])
    study.write_plan()
    study.train(generator, quality={"fidelity": [curve]})


def test_fidelity_curves_are_plotted_and_written(
    main: Main, study: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _train(study, "published", _curve(None, 0.0))
    _train(study, "default", _curve(0.975, 0.984))
    assert main([str(study.folder), "--out", str(tmp_path / "a")]) == 0
    shown = capsys.readouterr().out
    assert "| published (seed 8901) | - | 0 % | 0 % | 64 |" in shown
    assert "| default (seed 8901) | 0.975 | 98 % | 0 % | 64 |" in shown
    assert (tmp_path / "a" / "fidelity.csv").read_text().splitlines()[4] == "default (seed 8901),8.0,1.0,0.5,1.5"
    assert (tmp_path / "a" / "fidelity.svg").read_text().startswith("<?xml")
    assert main([str(study.folder), "--out", str(tmp_path / "b")]) == 0
    for name in ("fidelity.svg", "fidelity.csv", "fidelity.md"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_study_without_the_curve_is_reported(
    main: Main, study: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _train(study, "default", _curve(0.975, 0.984))
    assert main([str(study.folder), "--out", str(tmp_path / "a"), "--condition", "redshift"]) == 1
    assert "no generator has a curve of aperture_flux against redshift" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def test_registry_trains_the_steps_that_the_page_names(checkout: Path) -> None:
    from benchmarker.registry import load_registry

    registry = load_registry("conditional_fidelity").registry
    published, default = registry.generators
    images = 1200
    steps = {"published": published.epochs * (images // 64), "default": default.epochs * (images // 16)}
    page = (checkout / "docs" / "results" / "conditional_fidelity.md").read_text(encoding="utf-8")
    assert f"Its {steps['published']:,} steps" in page
    assert f"the default's {steps['default']:,} steps" in page
    assert published.conditions == default.conditions == ("redshift", "log_stellar_mass")
    assert published.options["preset"] == "published"
    assert not default.options
