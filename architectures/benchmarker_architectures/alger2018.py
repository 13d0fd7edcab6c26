"""A network for host galaxies of radio sources in ATLAS.

References
----------
Alger et al. 2018, MNRAS 478, 5547 (2018MNRAS.478.5547A; doi:10.1093/mnras/sty1308; arXiv:1805.05540).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from benchmarker import Task
from benchmarker_architectures.network import Network, NetworkOptions

if TYPE_CHECKING:
    import keras


class AtlasOptions(NetworkOptions):
    """Variants of the ATLAS network; the defaults are the paper's."""

    output: Literal["sigmoid", "softmax"] = "sigmoid"
    """Activation of the last layer in a classification; with sigmoid the outputs for an image need not sum to 1."""


def atlas(input_shape: tuple[int, int, int], task: Task, seed: int, options: AtlasOptions) -> keras.Model:
    """Build the ATLAS network, with sigmoid activations of the hidden dense layer and the output."""
    network = Network("atlas", input_shape, task, seed, options)
    for pool in (5, 2):
        network.convolution(32, 10)
        network.pooling(pool, padding="same")
        network.dropout(0.25)
    network.flatten()
    network.dense(64, activation="sigmoid", initialiser="glorot_uniform")
    network.dropout(0.5)
    return network.model(activation=options.output)
