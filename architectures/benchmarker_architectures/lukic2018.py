"""A network for compact and extended sources of Radio Galaxy Zoo.

References
----------
Lukic et al. 2018, MNRAS 476, 246 (2018MNRAS.476..246L; arXiv:1801.04861).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarker import Task
from benchmarker_architectures.network import Network, NetworkOptions

if TYPE_CHECKING:
    import keras


def radio_galaxy_zoo(input_shape: tuple[int, int, int], task: Task, seed: int, options: NetworkOptions) -> keras.Model:
    """Build the network: three convolutions, the first two strided, and two dense layers."""
    network = Network("radio_galaxy_zoo", input_shape, task, seed, options)
    network.convolution(16, 8, stride=3)
    network.convolution(32, 7, stride=2)
    network.pooling(3, padding="valid")
    network.convolution(64, 2)
    network.pooling(2, padding="valid")
    network.flatten()
    for _ in range(2):
        network.dense(1024, initialiser="he_normal")
        network.dropout(0.5)
    return network.model()
