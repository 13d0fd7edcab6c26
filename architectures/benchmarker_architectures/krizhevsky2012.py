"""AlexNet as in the comparison of radio networks, plain and with batch normalisation of the convolutions.

References
----------
Krizhevsky, Sutskever & Hinton 2012, NIPS 25, 1097 (doi:10.1145/3065386).
Becker et al. 2021, MNRAS 503, 1828 (2021MNRAS.503.1828B).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarker import Task
from benchmarker_architectures.network import Network, NetworkOptions, NormalisedOptions

if TYPE_CHECKING:
    import keras


def alexnet(input_shape: tuple[int, int, int], task: Task, seed: int, options: NetworkOptions) -> keras.Model:
    """Build AlexNet; its dense layers always have batch normalisation, whatever the options."""
    return _alexnet(Network("alexnet", input_shape, task, seed, options), between=options.batch_normalisation)


def alexnet_bn(input_shape: tuple[int, int, int], task: Task, seed: int, options: NormalisedOptions) -> keras.Model:
    """Build AlexNet with batch normalisation after each pooling and after the third and fourth convolution."""
    return _alexnet(Network("alexnet_bn", input_shape, task, seed, options), between=options.batch_normalisation)


def _alexnet(network: Network, *, between: bool) -> keras.Model:
    layers = ((96, 11, 4, True), (256, 5, 1, True), (384, 3, 1, False), (384, 3, 1, False), (256, 3, 1, True))
    for filters, kernel, stride, pooled in layers:
        network.convolution(filters, kernel, stride=stride, padding="valid", normalise="never")
        if pooled:
            network.pooling(3, stride=2, padding="valid")
        if between:
            network.normalisation()
    network.flatten()
    for _ in range(2):
        network.dense(4096, initialiser="he_normal")
        network.dropout(0.4)
        network.normalisation()
    return network.model()
