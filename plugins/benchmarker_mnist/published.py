"""Where MNIST is published, and under which checksum."""

from __future__ import annotations

from benchmarker import Download

MNIST = Download(
    filename="mnist.npz",
    urls=("https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",),
    checksum="sha256:731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
)
