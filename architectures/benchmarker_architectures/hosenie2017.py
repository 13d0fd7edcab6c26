"""The network of Hosenie's thesis, as implemented in the comparison of radio networks.

References
----------
Hosenie, *Source classification in deep radio surveys using machine learning techniques*, MSc thesis, North-West
University (hdl:10394/31250, deposited in 2018); cited as Hosenie 2017 in the comparison.
Becker et al. 2021, MNRAS 503, 1828 (2021MNRAS.503.1828B).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarker import Task
from benchmarker_architectures.network import Network, NormalisedOptions

if TYPE_CHECKING:
    import keras


def hosenie(input_shape: tuple[int, int, int], task: Task, seed: int, options: NormalisedOptions) -> keras.Model:
    """Build the network, with its last dropout between the last dense layer and the softmax."""
    network = Network("hosenie", input_shape, task, seed, options)
    network.convolution(6, 11)
    network.pooling(3, padding="valid")
    network.convolution(19, 5)
    network.pooling(3, padding="valid")
    for filters in (38, 26, 26):
        network.convolution(filters, 3)
    network.pooling(2, padding="valid")
    network.flatten()
    network.dense(40, initialiser="he_normal")
    network.dense(40, initialiser="he_normal")
    network.dropout(0.5)
    return network.model(dropout=0.5)
