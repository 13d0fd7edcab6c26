"""VGG-16 in configuration D, the network with which CLARAN detects and classifies radio sources.

References
----------
Wu et al. 2019, MNRAS 482, 1211 (2019MNRAS.482.1211W; arXiv:1805.12008).
Simonyan & Zisserman 2015, arXiv:1409.1556.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarker import Task
from benchmarker_architectures.network import Network, NetworkOptions

if TYPE_CHECKING:
    import keras


def vgg16d(input_shape: tuple[int, int, int], task: Task, seed: int, options: NetworkOptions) -> keras.Model:
    """Build VGG-16 D: thirteen convolutions in five groups, each followed by pooling, and two wide dense layers."""
    network = Network("vgg16d", input_shape, task, seed, options)
    for filters, convolutions in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(convolutions):
            network.convolution(filters, 3)
        network.pooling(2, padding="valid")
    network.flatten()
    for _ in range(2):
        network.dense(4096, initialiser="glorot_uniform")
        network.dropout(0.5)
    return network.model()
