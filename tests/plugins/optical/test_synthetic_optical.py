"""Dataset `synthetic-optical`: true properties, reproducibility and prepared images."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units
from pydantic import ValidationError

from benchmarker import Classification, ConfigurationError, ImageRecord, Regression, digest_json
from benchmarker.data.loading import Context
from benchmarker.data.preparation import prepare_image
from benchmarker.discovery import discover, options_model, resolve
from benchmarker_optical.galaxies import draw_galaxy
from benchmarker_optical.observation import GAIN, observe, sky_flux, stretch, unstretch
from benchmarker_optical.synthetic_optical import UNITS, SyntheticOpticalOptions, load, target_of, truth_of

FEW = SyntheticOpticalOptions(images=6, size=32)


def _records(**options: Any) -> list[ImageRecord]:
    chosen = SyntheticOpticalOptions(**{"images": 6, "size": 32, **options})
    return [r for r in load(chosen, Context(dataset="synthetic-optical")).records() if isinstance(r, ImageRecord)]


def test_synthetic_optical_is_registered_without_normalisation() -> None:
    dataset = discover().dataset("synthetic-optical")
    assert callable(resolve(dataset.loader))
    assert not dataset.preparation.normalise
    assert dataset.split is not None
    model = options_model(dataset)
    assert model is not None
    assert all(field.description for field in model.model_fields.values())
    model()


def test_options_import_no_numerical_library() -> None:
    code = (
        "import sys, benchmarker_optical.synthetic_optical;"
        "sys.exit(str({'numpy', 'astropy', 'PIL', 'scipy', 'keras'} & set(sys.modules) or ''))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).stderr.strip() == b""


def test_brightness_survives_the_preparation(isolated_cache: Path) -> None:
    preparation = discover().dataset("synthetic-optical").preparation
    records = _records(images=30, log_stellar_mass=(10.0, 11.0), redshift=(0.1, 0.3))
    for record in records:
        image = unstretch(prepare_image(record.image, preparation))
        for band, name in enumerate(("flux_g", "flux_r", "flux_i")):
            # The missing flux lies beyond the edges of an image of 16 arcseconds.
            assert 0.75 < image[:, :, band].sum() / record.attributes[name] < 1.1
    assert len(list(isolated_cache.rglob("flux.npy"))) == 1


@pytest.mark.usefixtures("isolated_cache")
def test_records_have_pixels_and_attributes_in_range() -> None:
    contents = load(FEW, Context(dataset="synthetic-optical"))
    records = _records()
    assert contents.count == len(records) == 6
    assert records[3].source_id == "galaxy-000003"
    assert set(contents.attribute_units) == set(records[0].attributes) == set(UNITS)
    for record in records:
        assert record.image.shape == (32, 32, 3)
        assert 0.0 <= record.image.min() < record.image.max() <= 1.0
        assert 0.05 <= record.attributes["redshift"] <= 0.3
        assert 8.0 <= record.attributes["log_stellar_mass"] <= 11.0
        assert 0.0 <= record.attributes["inclination"] <= 90.0


def test_units_are_valid_in_astropy() -> None:
    parsed = {name: units.Unit(unit) for name, unit in UNITS.items()}
    assert (9.0 * parsed["log_stellar_mass"]).to_value("solMass") == pytest.approx(1e9)
    assert parsed["redshift"] == units.dimensionless_unscaled
    magnitude = (1.0 * parsed["flux_r"]).to_value(units.ABmag, units.zero_point_flux(3631 * units.Jy))
    assert magnitude == pytest.approx(22.5, abs=1e-3)
    assert parsed["inclination"].is_equivalent("rad")


@pytest.mark.usefixtures("isolated_cache")
def test_galaxy_depends_only_on_the_options_and_its_number() -> None:
    few, many, other = _records(), _records(images=9), _records(seed=1)
    for k in range(6):
        assert np.array_equal(few[k].image, many[k].image)
        assert few[k].attributes == many[k].attributes
        assert not np.array_equal(few[k].image, other[k].image)
    assert not np.array_equal(few[0].image, few[1].image)


def test_images_are_drawn_once_for_all_targets(isolated_cache: Path) -> None:
    classes, numbers = _records(), _records(target="inclination")
    assert len(list(isolated_cache.rglob("flux.npy"))) == 1
    assert np.array_equal(classes[2].image, numbers[2].image)
    assert numbers[2].target == (numbers[2].attributes["inclination"],)


def test_signature_contains_the_options_and_is_json() -> None:
    def signature(**options: Any) -> Any:
        return load(SyntheticOpticalOptions(**options), Context(dataset="synthetic-optical")).signature

    assert digest_json(signature()) == digest_json(signature())
    assert json.loads(json.dumps(signature())) == signature()
    changes: list[dict[str, Any]] = [{"seed": 1}, {"target": "redshift"}, {"exposure": 2.0}, {"redshift": (0.1, 0.2)}]
    for change in changes:
        assert digest_json(signature(**change)) != digest_json(signature())


@pytest.mark.parametrize(
    ("log_mass", "redshift", "dwarf"), [(8.5, 0.1, 1), (8.5, 0.15, 0), (9.1, 0.1, 0), (7.9, 0.1, 0), (8.0, 0.149, 1)]
)
def test_dwarfs_have_low_mass_and_low_redshift(log_mass: float, redshift: float, dwarf: int) -> None:
    assert target_of({"log_stellar_mass": log_mass, "redshift": redshift}, "dwarf") == dwarf


def test_task_follows_the_target() -> None:
    context = Context(dataset="synthetic-optical")
    assert load(FEW, context).task == Classification(classes=("other", "dwarf"))
    task = load(SyntheticOpticalOptions(target="log_stellar_mass"), context).task
    assert isinstance(task, Regression)
    assert (task.targets[0].name, task.targets[0].unit) == ("log_stellar_mass", "dex(solMass)")
    assert (task.targets[0].minimum, task.targets[0].maximum) == (8.0, 11.0)


def test_noise_is_that_of_counted_electrons() -> None:
    galaxy, generator = draw_galaxy(0, 8901, redshifts=(0.9, 0.9), log_masses=(6.0, 6.0))
    once = observe(galaxy, generator, 64, 1.0)
    longer = observe(galaxy, generator, 64, 100.0)
    assert once.std((0, 1)) == pytest.approx(np.sqrt(sky_flux() / GAIN), rel=0.05)
    assert longer.std((0, 1)) == pytest.approx(0.1 * np.sqrt(sky_flux() / GAIN), rel=0.05)
    assert once.mean((0, 1)) == pytest.approx(np.zeros(3), abs=5.0 * float(once.std()) / 64)


def test_masses_fill_their_range_and_discs_are_isotropic() -> None:
    truths = [truth_of(draw_galaxy(k, 8901, redshifts=(0.05, 0.3), log_masses=(8.0, 11.0))[0]) for k in range(400)]
    cosines = np.cos(np.radians([truth["inclination"] for truth in truths]))
    assert np.histogram(cosines, 4, (0, 1))[0].min() > 70
    masses = [truth["log_stellar_mass"] for truth in truths]
    assert np.histogram(masses, 4, (8, 11))[0].min() > 70
    assert abs(np.corrcoef(masses, [truth["redshift"] for truth in truths])[0, 1]) < 0.15
    # No pixel within the default ranges is clipped by the stretch.
    assert stretch(np.array([30.0]))[0] < 0.9


@pytest.mark.parametrize(
    "options",
    [
        {"images": 0},
        {"size": 8},
        {"redshift": [0.3, 0.1]},
        {"redshift": [0.0, 0.1]},
        {"log_stellar_mass": [8, 13]},
        {"exposure": 0.01},
        {"target": "colour"},
        {"seed": -1},
        {"bands": "gri"},
    ],
)
def test_synthetic_optical_refuses_bad_options(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SyntheticOpticalOptions.model_validate(options)


def test_options_accept_lists_from_yaml() -> None:
    assert SyntheticOpticalOptions.model_validate({"redshift": [0.1, 0.2]}).redshift == (0.1, 0.2)


def test_synthetic_optical_refuses_a_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="reads none"):
        load(FEW, Context(dataset="synthetic-optical", path=tmp_path))
