"""MNIST, for those who want to see that everything works before they look at galaxies."""

from __future__ import annotations

from benchmarker import Classification, Dataset, Registrar, hookimpl
from benchmarker_mnist.published import MNIST


@hookimpl
def benchmarker_register(registrar: Registrar) -> None:
    """Register the dataset `mnist`."""
    registrar.dataset(
        Dataset(
            name="mnist",
            loader="benchmarker_mnist.digits:load",
            licence="CC BY-SA 3.0; copyright Yann LeCun and Corinna Cortes",
            citation="doi:10.1109/5.726791",
            homepage="http://yann.lecun.com/exdb/mnist/",
            task=Classification(classes=tuple(str(digit) for digit in range(10))),
            downloads=(MNIST,),
            options="benchmarker_mnist.digits:MnistOptions",
            stands_for=("mnist",),
            summary="70,000 handwritten digits of 28 x 28 pixels, with the published test part",
        )
    )
