"""Builds networks in a process of its own and counts their numbers, so that a run knows what fits on a GPU.

``python -m benchmarker.run.network_sizes`` reads a `SizesQuestion` as JSON from standard input, and writes a
`NetworkSize` for each network to standard output, one JSON object a line. No GPU is used.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from benchmarker.backends import DEVICES_VARIABLE, NO_DEVICE, worker_environment
from benchmarker.record import Record
from benchmarker.study.specs import CellSpec

_COMMAND = (sys.executable, "-P", "-m", "benchmarker.run.network_sizes")
_PATIENCE_SECONDS = 180


class SizesQuestion(Record):
    """Ask for the sizes of networks."""

    prepared: Path
    """Folder of the prepared images."""

    networks: dict[str, CellSpec]
    """A cell of each network, by any name."""


class NetworkSize(Record):
    """What a network holds, in numbers."""

    network: str
    """Name of the question."""

    total: int
    """Parameters."""

    trainable: int
    """Parameters that training changes."""

    activations: int
    """Numbers that the layers give for one image, the image included."""


def network_sizes(prepared: Path, networks: Mapping[str, CellSpec]) -> dict[str, NetworkSize]:
    """Return the sizes of networks; those that cannot be built or counted are left out.

    Parameters
    ----------
    prepared : Path
        Folder of the prepared images.
    networks : mapping of str to CellSpec
        A cell of each network, all with one backend and one number of threads.
    """
    if not networks:
        return {}
    some = next(iter(networks.values()))
    question = SizesQuestion(prepared=prepared.absolute(), networks=dict(networks))
    try:
        done = subprocess.run(
            _COMMAND,
            input=json.dumps(question.to_json()).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**worker_environment(some.backend, some.threads), DEVICES_VARIABLE: NO_DEVICE},
            check=False,
            timeout=_PATIENCE_SECONDS,
        )
        printed = done.stdout
    except subprocess.TimeoutExpired as expired:
        printed = expired.stdout or b""
    found = []
    for line in printed.splitlines():
        with contextlib.suppress(ValidationError):  # half a line
            found.append(NetworkSize.model_validate_json(line))
    return {size.network: size for size in found}


def main() -> int:
    """Answer the question on standard input."""
    from benchmarker.data.prepared import open_prepared
    from benchmarker.discovery import installed

    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what plugins print must not end up among the answers
    question = SizesQuestion.model_validate_json(sys.stdin.buffer.read())
    data = open_prepared(question.prepared)
    height, width, channels = map(int, data.images.shape[1:])
    plugins = installed()
    from benchmarker.evaluation.costs import parameters
    from benchmarker.evaluation.operations import UncountableError, activations
    from benchmarker.registry import validated_options
    from benchmarker.training.build import build_model

    for name, spec in question.networks.items():
        with contextlib.suppress(Exception):  # its cell will fail with the same error, and say so
            architecture = plugins.architecture(spec.model.architecture)
            options = validated_options(architecture, spec.model.options)
            model = build_model(architecture, options, (height, width, channels), data.task, seed=spec.seed)
            counted = parameters(model)
            with contextlib.suppress(UncountableError):
                size = NetworkSize(
                    network=name,
                    total=counted.total,
                    trainable=counted.trainable,
                    activations=activations(model),
                )
                pipe.write(size.model_dump_json() + "\n")
                pipe.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
