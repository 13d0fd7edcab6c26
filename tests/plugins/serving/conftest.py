"""Two trained studies that all long tests of serving share: one of a network, one of a generator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.registries import model, tiny, write_registry


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, fits_folder: Path, command_line: Any) -> Path:
    """A study of one network under two seeds that share their test part."""
    folder = tmp_path_factory.mktemp("trained")
    registry = tiny(fits_folder, seeds=[8901, 1826], models=[model(epochs=6)])
    registry["dataset"]["split"] |= {"test_seed": 1}
    write_registry(folder / "tiny.yaml", **registry)
    done = command_line.run("run", "tiny.yaml", "-p", "study", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "study"


@pytest.fixture(scope="session")
def painted(tmp_path_factory: pytest.TempPathFactory, fits_folder: Path, command_line: Any) -> Path:
    """A study of one generator, which draws images of two classes."""
    folder = tmp_path_factory.mktemp("painted")
    generators = [{"generator": "dcgan", "options": {"batch_size": 4}, "epochs": 1}]
    write_registry(folder / "tiny.yaml", **tiny(fits_folder, generators=generators))
    done = command_line.run("gan", "train", "tiny.yaml", "-p", "study", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "study"
