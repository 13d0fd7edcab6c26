"""Dataset `synthetic-radio`: FITS files, statistics and reproducibility."""

from __future__ import annotations

import io
import json
import math
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from pydantic import ValidationError

from benchmarker import ConfigurationError, ImageRecord, Stream, digest_json, read_fits_image
from benchmarker.data.loading import Context
from benchmarker_radio.synthetic_observation import BEAM_FWHM, PIXEL, Beam, draw_beam, observe
from benchmarker_radio.synthetic_radio import SyntheticRadioOptions, draw_fits, load
from benchmarker_radio.synthetic_sources import CLASSES, FWHM_PER_SIGMA, Components, draw_source

BEAM_SIGMA = BEAM_FWHM / FWHM_PER_SIGMA
FEW = SyntheticRadioOptions(images_per_class=3)


def _point(x: float = 0.0, y: float = 0.0, sigma: float = 0.0) -> Components:
    return Components(x=np.array([x]), y=np.array([y]), flux=np.ones(1), sigma=np.array([sigma]))


def test_records_are_read_from_fits_files(isolated_cache: Path) -> None:
    contents = load(FEW, Context(dataset="synthetic-radio"))
    records = list(contents.records())
    assert contents.count == len(records) == 12
    assert [r.source_id for r in records if isinstance(r, ImageRecord)][2:5] == ["COMP-00002", "FRI-00000", "FRI-00001"]
    assert [r.target for r in records if isinstance(r, ImageRecord)] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    paths = sorted(isolated_cache.rglob("*.fits"))
    assert len(paths) == 12
    first = records[0]
    assert isinstance(first, ImageRecord)
    (own,) = (path for path in paths if path.name == "COMP-00000.fits")
    assert np.array_equal(first.image, read_fits_image(own))


def test_fits_files_are_written_once(isolated_cache: Path) -> None:
    contents = load(FEW, Context(dataset="synthetic-radio"))
    list(contents.records())
    before = {path: path.stat().st_mtime_ns for path in isolated_cache.rglob("*.fits")}
    list(load(FEW, Context(dataset="synthetic-radio")).records())
    assert {path: path.stat().st_mtime_ns for path in isolated_cache.rglob("*.fits")} == before


def test_signature_contains_the_options_and_is_json() -> None:
    context = Context(dataset="synthetic-radio")
    signatures = [load(SyntheticRadioOptions(seed=seed), context).signature for seed in (1, 1, 2)]
    assert digest_json(signatures[0]) == digest_json(signatures[1]) != digest_json(signatures[2])
    assert json.loads(json.dumps(signatures[0])) == signatures[0]


def test_synthetic_radio_refuses_a_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="fits-manifest"):
        load(FEW, Context(dataset="synthetic-radio", path=tmp_path))


@pytest.mark.parametrize(
    "options", [{"images_per_class": 0}, {"size": 16}, {"signal_to_noise": 1}, {"seed": -1}, {"pixels": 64}]
)
def test_synthetic_radio_refuses_bad_options(options: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        SyntheticRadioOptions.model_validate(options)


def test_source_depends_only_on_the_options_and_its_number() -> None:
    many = SyntheticRadioOptions(images_per_class=500)
    assert draw_fits("FRI", 1, FEW) == draw_fits("FRI", 1, many)
    assert draw_fits("FRI", 1, FEW) != draw_fits("FRI", 2, FEW)
    assert draw_fits("FRI", 1, FEW)[2880:] != draw_fits("FRII", 1, FEW)[2880:]
    assert draw_fits("FRI", 1, FEW)[2880:] != draw_fits("FRI", 1, SyntheticRadioOptions(seed=1))[2880:]


def test_fits_file_has_the_same_bytes_in_another_process() -> None:
    code = (
        "import hashlib, sys; from benchmarker_radio.synthetic_radio import SyntheticRadioOptions, draw_fits;"
        "sys.stdout.write(hashlib.sha256(draw_fits('BENT', 7, SyntheticRadioOptions())).hexdigest())"
    )
    results = {subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout for _ in range(2)}
    assert len(results) == 1


def test_fits_header_is_valid_and_complete() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with fits.open(io.BytesIO(draw_fits("FRII", 3, SyntheticRadioOptions(size=80)))) as hdus:
            hdus.verify("exception")
            header = hdus[0].header
            assert hdus[0].data.shape == (80, 80)
            wcs = WCS(header)
    assert (header["BUNIT"], header["TELESCOP"]) == ("JY/BEAM", "SYNTHETIC")
    assert (header["OBJECT"], header["CLASS"], header["SEED"]) == ("FRII-00003", "FRII", 20210201)
    assert header["STREAM"] == Stream("synthetic-radio", seed=20210201, label="FRII", source=3).key()
    assert header["BMIN"] * 3600 == pytest.approx(5.4)
    assert 5.4 <= header["BMAJ"] * 3600 <= 6.4
    assert "DATE" not in header
    east, north = wcs.pixel_to_world(38.5, 39.5), wcs.pixel_to_world(39.5, 40.5)
    centre = wcs.pixel_to_world(39.5, 39.5)
    assert centre.ra.deg == pytest.approx(header["CRVAL1"])
    assert east.ra > centre.ra
    assert centre.separation(north).arcsec == pytest.approx(1.8, rel=1e-4)
    assert north.dec > centre.dec


def test_point_source_has_the_shape_of_the_beam() -> None:
    beam = Beam(major=6.4, minor=5.4, angle=30.0)
    observation = observe(_point(), Stream("test", k=1).generator(), 65, 1e7, beam)
    image = observation.image.astype(np.float64)
    image[image < 0.1 * image.max()] = 0.0  # artefacts reach 3 % of the peak
    y, x = (np.mgrid[:65, :65] - 32.0) * PIXEL
    expected = np.exp(-4 * math.log(2) * _radius_squared(x, y, beam))
    expected[expected < 0.1] = 0.0
    assert np.abs(image / image.max() - expected).max() < 0.11
    assert np.abs(image / image.max() - expected).mean() < 2e-3
    weights = image / image.sum()
    xx, yy, xy = ((weights * a * b).sum() for a, b in ((x, x), (y, y), (x, y)))
    # The position angle runs from y towards negative x.
    assert math.degrees(0.5 * math.atan2(-2 * xy, yy - xx)) == pytest.approx(30.0, abs=6.0)


def _radius_squared(x: np.ndarray, y: np.ndarray, beam: Beam) -> np.ndarray:
    angle = math.radians(beam.angle)
    along, across = -math.sin(angle) * x + math.cos(angle) * y, math.cos(angle) * x + math.sin(angle) * y
    squared: np.ndarray = (along / beam.major) ** 2 + (across / beam.minor) ** 2
    return squared


def test_noise_has_the_stated_level_and_is_correlated_over_a_beam() -> None:
    beam = Beam(major=5.4, minor=5.4, angle=0.0)
    ratios, neighbours, far = [], [], []
    for k in range(12):
        observation = observe(_point(), Stream("test", noise=k).generator(), 128, 5.0, beam)
        noise = observation.image[:44] / observation.noise
        ratios.append(noise.std())
        centred = noise - noise.mean()
        neighbours.append((centred[:, 1:] * centred[:, :-1]).mean() / centred.var())
        far.append((centred[:, 9:] * centred[:, :-9]).mean() / centred.var())
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.12)
    # The autocorrelation of noise smoothed by a beam is a Gaussian wider than the beam by the square root of 2.
    assert np.mean(neighbours) == pytest.approx(math.exp(-2 * math.log(2) * (PIXEL / BEAM_FWHM) ** 2), abs=0.04)
    assert abs(np.mean(far)) < 0.1


def test_signal_to_noise_option_is_the_median() -> None:
    ratios = []
    for k in range(60):
        generator = Stream("test", snr=k).generator()
        observation = observe(_point(), generator, 64, 40.0, draw_beam(generator))
        ratios.append(float(observation.image.max()) / observation.noise)
    assert 30.0 < np.median(ratios) < 53.0
    assert min(ratios) < 20.0
    assert max(ratios) > 80.0


def test_effective_area_agrees_with_an_image() -> None:
    components = _point(-8.0, 3.0, 2.0) + _point(9.0, -4.0, 4.0)
    pixels = np.arange(-60.0, 60.0, 0.5)
    x, y = np.meshgrid(pixels, pixels)
    image = sum(
        np.exp(-0.5 * ((x - px) ** 2 + (y - py) ** 2) / (s**2 + BEAM_SIGMA**2)) / (s**2 + BEAM_SIGMA**2)
        for px, py, s in ((-8.0, 3.0, 2.0), (9.0, -4.0, 4.0))
    )
    expected = image.sum() ** 2 / (image**2).sum() * 0.25
    assert components.effective_area(BEAM_SIGMA) == pytest.approx(expected, rel=1e-4)


def test_all_classes_have_the_same_effective_areas() -> None:
    medians = []
    for label in CLASSES:
        areas = []
        for k in range(60):
            generator = Stream("test", label=label, area=k).generator()
            areas.append(draw_source(label, generator, 115.2, BEAM_SIGMA).effective_area(BEAM_SIGMA))
        assert min(areas) > 170.0
        assert max(areas) < 560.0
        medians.append(np.median(areas))
    assert max(medians) / min(medians) < 1.25


def test_drawing_takes_at_most_20_ms_per_image(tmp_path: Path) -> None:
    # The limit is generous because other processes share the processor.
    from time import process_time

    start = process_time()
    for k in range(25):
        for label in CLASSES:
            (tmp_path / f"{label}{k}.fits").write_bytes(draw_fits(label, k, FEW))
    assert (process_time() - start) / 100 < 0.02
