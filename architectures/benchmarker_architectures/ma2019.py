"""MCRGNet, the encoder of a convolutional autoencoder for radio galaxies, trained directly.

References
----------
Ma et al. 2019, ApJS 240, 34 (2019ApJS..240...34M; doi:10.3847/1538-4365/aaf9a2; arXiv:1812.07190).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarker import Task
from benchmarker_architectures.network import Network, NetworkOptions

if TYPE_CHECKING:
    import keras


def mcrgnet(input_shape: tuple[int, int, int], task: Task, seed: int, options: NetworkOptions) -> keras.Model:
    """Build MCRGNet: five convolutions with stride 2 instead of pooling, and a small dense layer."""
    network = Network("mcrgnet", input_shape, task, seed, options)
    for filters in (8, 8, 16, 16, 32):
        network.convolution(filters, 3, stride=2)
        network.dropout(0.25)
    network.flatten()
    network.dense(64, initialiser="he_normal")
    network.dropout(0.25)
    return network.model()
