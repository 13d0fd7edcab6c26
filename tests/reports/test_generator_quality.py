"""Quality of generators in reports: memorisation, and fidelity to conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarker import open_results
from benchmarker_reports.content.generators import quality

if TYPE_CHECKING:
    from tests.conftest import StudyFiles


def curve(condition: str, real: float, **figures: float) -> dict[str, object]:
    return {"condition": condition, "property": "aperture_flux", "real_rank_correlation": real, "n": 64, **figures}


def test_memorisation_and_fidelity_are_averaged_over_seeds(study: StudyFiles) -> None:
    for seed, share, rise in ((1, 0.0, 1.0), (2, 0.5, 0.5)):
        measured = {
            "rows": [{"name": "precision", "value": share, "floor": 1.0, "better": "higher", "n": 8}],
            "memorisation": {"n": 8, "share_below": share, "expected_share": 0.01, "probability_nearer": 0.25},
            "fidelity": [
                curve("mass", 0.6, rank_correlation=0.75, monotonic_share=rise, falling_share=0.0),
                curve("redshift", -0.6, rank_correlation=-0.5, monotonic_share=0.0, falling_share=rise),
                curve("mass", 0.6) | {"property": "total_flux"},
            ],
        }
        study.train(study.generator("cgan", seed), quality=measured)
    study.cell("convxpress", 1)
    lines = {line.name: line for line in quality(open_results(study.folder).generators)}
    assert list(lines) == [
        "precision",
        "memorisation_share_below",
        "memorisation_probability_nearer",
        "fidelity_mass_rank_correlation",
        "fidelity_mass_monotonic_share",
        "fidelity_redshift_rank_correlation",
        "fidelity_redshift_falling_share",
    ]
    memorised = lines["memorisation_share_below"]
    assert (memorised.value, memorised.floor, memorised.better, memorised.n, memorised.n_samples) == (
        0.25,
        0.01,
        "lower",
        2,
        8,
    )
    rises, falls = (lines[f"fidelity_{name}_share"] for name in ("mass_monotonic", "redshift_falling"))
    assert rises.value == falls.value == 0.75
    assert rises.standard_deviation == pytest.approx(0.5**0.5 / 2)
    assert "rises" in rises.label
    assert "falls" in falls.label
    assert (lines["fidelity_redshift_rank_correlation"].value, rises.better) == (-0.5, "higher")
    assert lines["fidelity_redshift_rank_correlation"].better == "lower"
