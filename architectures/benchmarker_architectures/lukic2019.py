"""Networks of four and eight layers that were compared with capsule networks, and a short one from the same code.

References
----------
Lukic et al. 2019, MNRAS 487, 1729 (2019MNRAS.487.1729L; doi:10.1093/mnras/stz1289; arXiv:1905.03274).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarker import Task
from benchmarker_architectures.network import ConvolutionOptions, Network, NetworkOptions

if TYPE_CHECKING:
    import keras


def conv4(input_shape: tuple[int, int, int], task: Task, seed: int, options: NetworkOptions) -> keras.Model:
    """Build the four-layer network, with dropout before pooling."""
    network = Network("conv4", input_shape, task, seed, options)
    for _ in range(2):
        network.convolution(16, 5)
        network.convolution(16, 5)
        network.dropout(0.25)
        network.pooling(2, padding="same")
    _linear_head(network)
    return network.model()


def conv8(input_shape: tuple[int, int, int], task: Task, seed: int, options: NetworkOptions) -> keras.Model:
    """Build the eight-layer network."""
    network = Network("conv8", input_shape, task, seed, options)
    for filters in (32, 64, 128, 256):
        network.convolution(filters, 3)
        network.convolution(filters, 3)
        network.pooling(2, padding="same")
        network.dropout(0.25)
    _linear_head(network)
    return network.model()


def simple_net(input_shape: tuple[int, int, int], task: Task, seed: int, options: ConvolutionOptions) -> keras.Model:
    """Build the short network without a hidden dense layer."""
    network = Network("simple_net", input_shape, task, seed, options)
    for convolutions in (3, 2):
        for _ in range(convolutions):
            network.convolution(16, 4)
        network.pooling(4, padding="same")
        network.dropout(0.25)
    network.flatten()
    return network.model()


def _linear_head(network: Network) -> None:
    network.flatten()
    network.dense(500, activation="linear", initialiser="glorot_uniform", l2=0.01)
    network.dropout(0.5)
