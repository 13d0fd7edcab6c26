"""Registration of the data sets without a download: usable defaults and no heavy imports."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarker.discovery import discover, options_model, resolve


@pytest.mark.parametrize("name", ["synthetic-radio", "fits-manifest"])
def test_dataset_is_registered_with_valid_defaults(name: str) -> None:
    dataset = discover().dataset(name)
    assert callable(resolve(dataset.loader))
    assert dataset.preparation.clip_sigma == 3.0
    assert dataset.split is not None
    assert dataset.licence
    assert dataset.summary
    model = options_model(dataset)
    assert model is not None
    assert all(field.description for field in model.model_fields.values())
    model()


def test_options_import_no_numerical_library() -> None:
    code = (
        "import sys, benchmarker_radio.synthetic_radio, benchmarker_radio.fits_manifest;"
        "sys.exit(str({'numpy', 'astropy', 'PIL', 'scipy', 'keras'} & set(sys.modules) or ''))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).stderr.strip() == b""
