"""Every FITS file of the real test data: read with the pixels that astropy gives, or refused with a reason."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from benchmarker import UnreadableImageError, read_fits_image
from benchmarker.data.remarks import collect_remarks

# The HDU of the science image in files with several images; in others it is the only one.
SCIENCE = {"o4sp040b0_raw.fits": 1, "test0.fits": 1, "mask_first.fits": 2, "preview_primary.fits": 1}

REFUSED = {
    "fits_edge_cases/not_a_fits_file.fits": "not a FITS file",
    "fits_edge_cases/table.fits": "no image",
    "fits_edge_cases/truncated.fits": "truncated",
    "fits_edge_cases/zerowidth.fits": "no pixels",
}


def by_astropy(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    with fits.open(path, memmap=False) as hdus:
        images = [hdu for hdu in hdus if hdu.is_image and hdu.header["NAXIS"] > 0]
        chosen = hdus[SCIENCE[path.name]] if path.name in SCIENCE else images[0]
        assert path.name in SCIENCE or len(images) == 1
        pixels = np.asarray(chosen.data, dtype=np.float64)
    long = pixels.reshape([length for length in pixels.shape if length > 1] or [1, 1])
    return np.moveaxis(long, 0, -1) if long.ndim == 3 else long


@pytest.mark.shared
@pytest.mark.filterwarnings("ignore")  # of astropy, about the headers
def test_every_fits_file_has_the_pixels_of_astropy_or_a_reason(shared_data: Path) -> None:
    paths = sorted([*shared_data.rglob("*.fits"), *shared_data.rglob("*.fits.gz")])
    refused: dict[str, str] = {}
    with collect_remarks():
        for path in paths:
            name = path.relative_to(shared_data).as_posix()
            try:
                image = read_fits_image(path, planes="all")
            except UnreadableImageError as error:
                refused[name] = error.reason
                continue
            # float32 has a relative precision of 6e-8; scaled integers are computed in it.
            np.testing.assert_allclose(image, by_astropy(path), rtol=2e-7, atol=0, equal_nan=True, err_msg=name)
    # Shown by pytest -s.
    sys.stdout.write(f"{len(paths) - len(refused)} of {len(paths)} files were read; refused were:\n")
    for name, reason in refused.items():
        sys.stdout.write(f"  {name}: {reason}\n")
    assert len(paths) > len(REFUSED)
    assert refused.keys() == REFUSED.keys()
    assert all(REFUSED[name] in reason for name, reason in refused.items())
