"""Three shallow parallel branches for compact, FRI, FRII and bent radio galaxies.

References
----------
Maslej-Kresnakova, El Bouchefry & Butka 2021, MNRAS 505, 1464 (2021MNRAS.505.1464M; arXiv:2107.00385).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarker import Task
from benchmarker_architectures.network import Network, NetworkOptions

if TYPE_CHECKING:
    import keras


def maslej(input_shape: tuple[int, int, int], task: Task, seed: int, options: NetworkOptions) -> keras.Model:
    """Build the network: one convolution in each of three branches, and a dense layer that joins them."""
    network = Network("maslej", input_shape, task, seed, options)
    branches = []
    for filters, kernel, stride, pooled in ((128, 3, 2, False), (64, 4, 1, True), (64, 2, 1, True)):
        network.restart()
        network.convolution(filters, kernel, stride=stride, padding="valid")
        if pooled:
            network.pooling(2, padding="valid")
        branches.append(network.flatten())
    network.concatenate(branches)
    network.dropout(0.2)
    network.dense(128, initialiser="glorot_uniform")
    return network.model()
