"""FR-DEEP, a network for transfer learning between FIRST and NVSS.

References
----------
Tang, Scaife & Leahy 2019, MNRAS 488, 3358 (2019MNRAS.488.3358T; doi:10.1093/mnras/stz1883; arXiv:1903.11921).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarker import Task
from benchmarker_architectures.network import Network, NormalisedOptions

if TYPE_CHECKING:
    import keras


def fr_deep(input_shape: tuple[int, int, int], task: Task, seed: int, options: NormalisedOptions) -> keras.Model:
    """Build FR-DEEP: five convolutions with batch normalisation, and three dense layers."""
    network = Network("fr_deep", input_shape, task, seed, options)
    network.convolution(6, 11)
    network.pooling(2, padding="valid")
    network.convolution(16, 5)
    network.pooling(3, padding="valid")
    for filters in (24, 24, 16):
        network.convolution(filters, 3)
    network.pooling(5, padding="valid")
    network.flatten()
    for _ in range(3):
        network.dense(256, initialiser="he_normal")
        network.dropout(0.5)
    return network.model()
