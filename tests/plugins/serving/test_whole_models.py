"""Whole models under the file names of the radio framework."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarker import load_network, network_outputs, open_results, trained_networks
from benchmarker.trained.whole_models import model_name, save_whole_models


@pytest.mark.long
def test_whole_models_predict_as_the_networks_of_the_study(trained: Path, tmp_path: Path) -> None:
    import keras

    cells = [cell for cell in open_results(trained).cells if cell.status == "ok"]
    assert save_whole_models(trained, tmp_path) == 2 * len(cells)
    written = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.h5"))
    assert written == sorted(model_name(cell, checkpoint) for cell in cells for checkpoint in ("best", "final"))
    (network,) = trained_networks(trained, cells[0].key)
    images = np.zeros((2, *network.shape), np.float32)
    images[1] = 0.5
    whole = keras.models.load_model(tmp_path / model_name(cells[0], "best"), compile=False)
    expected = network_outputs(load_network(network), images, 2)[0]
    assert np.array_equal(network_outputs(whole, images, 2)[0], expected)
