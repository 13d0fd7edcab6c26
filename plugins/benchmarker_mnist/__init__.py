"""MNIST, the handwritten digits: a familiar set for a first look at the benchmarker."""

from __future__ import annotations

from benchmarker import Classification, Dataset, Download, Registrar, hookimpl

CLASSES = tuple(str(digit) for digit in range(10))

MNIST = Download(
    filename="mnist.npz",
    urls=("https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",),
    checksum="sha256:731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
)


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
            task=Classification(classes=CLASSES),
            downloads=(MNIST,),
            options="benchmarker_mnist.digits:MnistOptions",
            default_for=("mnist",),
            shortcuts={"mnist": "validation"},
            summary="70,000 handwritten digits of 28 x 28 pixels, with the published test part",
        )
    )
