"""ConvXpress, the network introduced with the comparison of radio networks.

References
----------
Becker et al. 2021, MNRAS 503, 1828 (2021MNRAS.503.1828B; arXiv:2102.03780).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarker import Task
from benchmarker_architectures.network import Network, NetworkOptions

if TYPE_CHECKING:
    import keras


def convxpress(input_shape: tuple[int, int, int], task: Task, seed: int, options: NetworkOptions) -> keras.Model:
    """Build ConvXpress: eleven convolutions in four groups, two of them strided, and a linear dense layer."""
    network = Network("convxpress", input_shape, task, seed, options)
    for filters, convolutions, stride in ((32, 3, 2), (64, 3, 2), (128, 3, 1), (256, 2, 1)):
        for k in range(convolutions):
            network.convolution(filters, 3, stride=stride if k == 0 else 1)
        network.pooling(2, padding="same")
        network.dropout(0.25)
    network.flatten()
    network.dense(500, activation="linear", initialiser="glorot_uniform", l2=0.01)
    network.dropout(0.5)
    return network.model()
