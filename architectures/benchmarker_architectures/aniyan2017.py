"""Toothless, an AlexNet for FRI, FRII and bent-tailed radio galaxies.

References
----------
Aniyan & Thorat 2017, ApJS 230, 20 (2017ApJS..230...20A; arXiv:1705.03413).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarker import Task
from benchmarker_architectures.network import Network, NormalisedOptions

if TYPE_CHECKING:
    import keras


def toothless(input_shape: tuple[int, int, int], task: Task, seed: int, options: NormalisedOptions) -> keras.Model:
    """Build Toothless, with batch normalisation between each convolution and its activation."""
    network = Network("toothless", input_shape, task, seed, options)
    network.convolution(96, 11, stride=4, padding="valid", normalise="before")
    network.pooling(3, stride=2, padding="valid")
    network.convolution(256, 5, normalise="before")
    network.pooling(3, stride=2, padding="valid")
    for filters in (384, 384, 256):
        network.convolution(filters, 3, normalise="before")
    network.pooling(3, stride=2, padding="valid")
    network.flatten()
    for _ in range(2):
        network.dense(4096, initialiser="he_normal")
        network.dropout(0.5)
    return network.model()
