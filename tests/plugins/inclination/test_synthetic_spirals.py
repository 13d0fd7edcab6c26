"""Dataset `synthetic-spirals` and the axis-ratio baseline: flux, projection, dust, reproducibility."""

from __future__ import annotations

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from benchmarker import Classification, ConfigurationError, ImageRecord, Regression, RegressionTarget
from benchmarker.data.loading import Context
from benchmarker.discovery import discover, options_model
from benchmarker_inclination.spiral_images import EXTINCTION, observe, render, stretch
from benchmarker_inclination.spirals import Spiral, draw_spiral
from benchmarker_inclination.synthetic_spirals import UNITS, SyntheticSpiralsOptions, load

SIZE = 48


def _plain(inclination: float, **changes: Any) -> Spiral:
    """Return a disc without dust, arms, bulge and stars, along the rows of the image."""
    spiral, _ = draw_spiral(3, 1, size=SIZE, inclinations=(45.0, 90.0))
    plain = {"optical_depth": 0.0, "arm_contrast": 0.0, "bulge_share": 0.0, "angle": 0.0, "offset": (0.0, 0.0)}
    return replace(spiral, **{**plain, "scale_length": 5.0, "height": 1.0, "inclination": inclination, **changes})


def _flux(spiral: Spiral) -> Any:
    return render(spiral, SIZE).sum(axis=(1, 2)) / 4


def _records(**options: Any) -> list[ImageRecord]:
    chosen = SyntheticSpiralsOptions(**{"images": 5, "size": 24, **options})
    return [r for r in load(chosen, Context(dataset="synthetic-spirals")).records() if isinstance(r, ImageRecord)]


@pytest.mark.parametrize("inclination", [45.0, 70.0, 85.0, 90.0])
def test_transparent_disc_has_the_same_flux_at_every_inclination(inclination: float) -> None:
    spiral = _plain(inclination)
    expected = 2 * math.pi * spiral.scale_length**2 * spiral.signal
    assert _flux(spiral)[1] == pytest.approx(expected, rel=0.04)  # light beyond the frame is missing


@pytest.mark.parametrize("inclination", [0.0, 60.0, 80.0])
def test_axis_ratio_is_that_of_a_disc_of_finite_thickness(inclination: float) -> None:
    # Second moments: 3 h^2 in the plane, and pi^2 z0^2 / 12 along the vertical of a sech^2 profile.
    spiral = _plain(inclination, scale_length=3.0, height=1.2)
    image = render(spiral, SIZE)[1]
    place = (np.arange(2 * SIZE) + 0.5) / 2 - SIZE / 2
    along, across = (float((image * p**2).sum() / image.sum()) for p in (place[None, :], place[:, None]))
    angle = math.radians(inclination)
    vertical = math.pi**2 / 12 * spiral.height**2
    expected = 3 * spiral.scale_length**2 * math.cos(angle) ** 2 + vertical * math.sin(angle) ** 2
    assert across == pytest.approx(expected, rel=0.08)
    assert along == pytest.approx(3 * spiral.scale_length**2, rel=0.08)


def test_dust_dims_inclined_and_blue_light_most() -> None:
    dimming = [
        1 - _flux(_plain(inclination, optical_depth=1.0)) / _flux(_plain(inclination)) for inclination in (0.0, 75.0)
    ]
    assert (dimming[1] > dimming[0]).all()
    for dimmed in dimming:
        assert dimmed[0] > dimmed[1] > dimmed[2] > 0
    assert EXTINCTION[0] > EXTINCTION[1] > EXTINCTION[2]


def test_dust_makes_a_lane_in_an_edge_on_disc() -> None:
    bright, dusty = (render(_plain(90.0, optical_depth=depth, height=2.5), SIZE)[0] for depth in (0.0, 1.5))
    column = slice(SIZE + 8, SIZE + 16)
    profile = dusty[:, column].mean(axis=1)
    assert bright[:, column].mean(axis=1).argmax() in {SIZE - 1, SIZE}
    assert profile[SIZE] < 0.9 * profile.max()
    np.testing.assert_allclose(profile, profile[::-1], rtol=0.03, atol=1e-3)


def test_bulge_adds_its_share_of_the_flux() -> None:
    without, with_bulge = (_flux(_plain(60.0, bulge_share=share, bulge_radius=1.5)) for share in (0.0, 0.25))
    assert with_bulge[1] / without[1] == pytest.approx(1 / 0.75, rel=0.05)


def test_galaxy_depends_on_its_number_and_not_on_the_others() -> None:
    few, many = (draw_spiral(k, 5, size=24, inclinations=(45, 90), stars=2.0) for k in (4, 4))
    assert few[0] == many[0]
    np.testing.assert_array_equal(observe(*few, 24), observe(*many, 24))
    assert few[0] != draw_spiral(5, 5, size=24, inclinations=(45, 90), stars=2.0)[0]


def test_observed_sky_has_unit_noise() -> None:
    spiral, generator = draw_spiral(0, 1, size=SIZE, inclinations=(45, 90))
    image = observe(replace(spiral, signal=1e-6), generator, SIZE)
    assert image.std(axis=(0, 1)) == pytest.approx(1.0, rel=0.06)
    assert image.mean(axis=(0, 1)) == pytest.approx(0.0, abs=0.08)
    assert (stretch(image) > 0).mean() > 0.99


@pytest.mark.usefixtures("isolated_cache")
def test_records_hold_the_true_inclination() -> None:
    records = _records(inclination=(60.0, 70.0))
    assert len(records) == 5
    for record in records:
        assert record.image.shape == (24, 24, 3)
        assert 0.0 <= record.image.min() < record.image.max() <= 1.0
        assert record.target == (record.attributes["inclination"],)
        assert 60.0 <= record.attributes["inclination"] <= 70.0
        assert set(record.attributes) == set(UNITS)
    again = _records(inclination=(60.0, 70.0), images=7)
    np.testing.assert_array_equal(records[4].image, again[4].image)


def test_synthetic_spirals_are_registered_without_normalisation(tmp_path: Path) -> None:
    dataset = discover().dataset("synthetic-spirals")
    assert not dataset.preparation.normalise
    model = options_model(dataset)
    assert model is not None
    assert all(field.description for field in model.model_fields.values())
    with pytest.raises(ConfigurationError, match="path"):
        load(SyntheticSpiralsOptions(), Context(dataset="synthetic-spirals", path=tmp_path))
    with pytest.raises(ValidationError, match="lower and an upper"):
        SyntheticSpiralsOptions(inclination=(70.0, 60.0))


def test_options_import_no_numerical_library() -> None:
    code = (
        "import sys, benchmarker_inclination.synthetic_spirals;"
        "sys.exit(str({'numpy', 'astropy', 'PIL', 'scipy', 'keras'} & set(sys.modules) or ''))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).stderr.strip() == b""


def test_axis_ratio_baseline_recovers_the_inclination_of_clean_discs() -> None:
    from benchmarker_inclination.axis_ratio import build

    task = Regression(targets=(RegressionTarget(name="inclination", unit="deg", minimum=45, maximum=90),))
    network = build((SIZE, SIZE, 3), task, 1)
    spirals = [_plain(inclination, scale_length=6.0, signal=300.0) for inclination in (48.0, 55.0, 62.0, 70.0)]
    images = np.stack(
        [stretch(render(s, SIZE).reshape(3, SIZE, 2, SIZE, 2).mean((2, 4)).transpose(1, 2, 0)) for s in spirals]
    )
    degrees = 67.5 + 22.5 * np.asarray(network(images.astype(np.float32)))[:, 0]
    assert degrees == pytest.approx([48.0, 55.0, 62.0, 70.0], abs=4.0)
    turned = 67.5 + 22.5 * np.asarray(network(np.rot90(images, axes=(1, 2)).astype(np.float32)))[:, 0]
    assert turned == pytest.approx(degrees, abs=0.05)
    assert network.count_params() == 3


def test_axis_ratio_baseline_refuses_classes() -> None:
    from benchmarker_inclination.axis_ratio import build

    with pytest.raises(ConfigurationError, match="classification"):
        build((SIZE, SIZE, 3), Classification(classes=("accepted", "rejected")), 1)
