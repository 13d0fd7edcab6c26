"""What a network needs of its images; checked before anything is trained, without importing Keras."""

from __future__ import annotations

from benchmarker.contracts.plugins import Architecture
from benchmarker.errors import ConfigurationError


def check_size(architecture: Architecture, input_shape: tuple[int, int, int]) -> None:
    """Refuse images that are smaller than a network's minimum, before its layers do.

    Raises
    ------
    ConfigurationError
        If height or width is too small.
    """
    smallest = min(input_shape[:2])
    if smallest < architecture.minimum_size:
        raise ConfigurationError(
            f"{architecture.name} needs images of at least {architecture.minimum_size} x {architecture.minimum_size} "
            f"pixels. Received: {input_shape[0]} x {input_shape[1]}"
        )
