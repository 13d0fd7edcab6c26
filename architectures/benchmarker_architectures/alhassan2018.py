"""The FIRST Classifier for compact, FRI, FRII and bent radio galaxies.

References
----------
Alhassan, Taylor & Vaccari 2018, MNRAS 480, 2085 (2018MNRAS.480.2085A; arXiv:1807.10380).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarker import Task
from benchmarker_architectures.network import Network, NetworkOptions

if TYPE_CHECKING:
    import keras


def first_classifier(input_shape: tuple[int, int, int], task: Task, seed: int, options: NetworkOptions) -> keras.Model:
    """Build the FIRST Classifier: three convolutions, each pooled, and one dense layer."""
    network = Network("first_classifier", input_shape, task, seed, options)
    for filters in (32, 64, 194):
        network.convolution(filters, 3)
        network.pooling(2, padding="valid")
    network.flatten()
    network.dense(194, initialiser="he_normal")
    network.dropout(0.5)
    return network.model()
