"""Registration of the transforms package through its installed entry point."""

from __future__ import annotations

import sys
from subprocess import run

import pytest

from benchmarker import Options
from benchmarker.discovery import installed, options_model, resolve


@pytest.mark.parametrize("name", ["rotations", "repeats", "flips", "shifts", "quarter-turns"])
def test_registered_builders_and_options_exist(name: str) -> None:
    augmentation = installed().augmentation(name)
    assert callable(resolve(augmentation.builder))
    assert (augmentation.kind == "transform") == (augmentation.draws_per_image > 0)
    model = options_model(augmentation)
    if model is not None:
        assert issubclass(model, Options)
        assert all(field.description for field in model.model_fields.values())


def test_registration_imports_no_numerical_library() -> None:
    code = "import sys, benchmarker_transforms; print([m for m in ('numpy', 'scipy', 'keras') if m in sys.modules])"
    done = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
