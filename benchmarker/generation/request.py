"""Asks for images of a generator: what they are drawn for, and the process of its own that draws them."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from benchmarker import errors
from benchmarker.errors import BenchmarkerError, PluginError, StorageError

IMAGES_FILE = "images.f32"
REQUEST_FILE = "request.npz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What images are drawn for, row by row.

    Parameters
    ----------
    targets : ndarray of shape (n,), int64, or (n, n_targets), float64
        As of the training part.
    attributes : mapping of str to ndarray of shape (n,), float64
        In their units.
    """

    targets: NDArray[Any]
    attributes: Mapping[str, NDArray[np.float64]]

    def save(self, file: IO[bytes]) -> None:
        """Write the rows, always into the same bytes."""
        named: dict[str, Any] = {f"attribute/{name}": values for name, values in sorted(self.attributes.items())}
        np.savez(file, allow_pickle=False, targets=self.targets, **named)

    @classmethod
    def read(cls, path: Path) -> Request:
        """Read what `save` wrote.

        Raises
        ------
        StorageError
            If it cannot be read.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                attributes = {name.removeprefix("attribute/"): file[name] for name in file.files if name != "targets"}
                return cls(targets=file["targets"], attributes=attributes)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise StorageError(f"{path}: conditions of images were expected there: {error}") from error


def draw_in_process(
    run: Path,
    folder: Path,
    request: Request,
    image_shape: tuple[int, int, int],
    *,
    stream: tuple[str, Mapping[str, Any]],
    epoch: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Draw images into ``images.f32`` of a folder, in a process of its own.

    Parameters
    ----------
    run : Path
        Of the generator.
    folder : Path
        Where the images are written, and what they are drawn for.
    request : Request
        What they are drawn for.
    image_shape : tuple of int
        Height, width and channels.
    stream : tuple of str and mapping
        Purpose and axes of the stream of latent points.
    epoch : int, optional
        Whose weights are used instead of the last one's.
    environment : mapping of str to str, optional
        Of the process, instead of this one's, which is that of a worker.

    Raises
    ------
    BenchmarkerError
        That the process ended with.
    """
    with (folder / REQUEST_FILE).open("wb") as file:
        request.save(file)
    job = {"run": str(run.absolute()), "folder": str(folder.absolute()), "shape": image_shape, "stream": stream}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "benchmarker.generation.drawing"],
        input=json.dumps({**job, "epoch": epoch}).encode(),
        stdout=subprocess.PIPE,
        env=environment,
        check=False,
    )
    if done.returncode:
        raise _told(done.stdout, done.returncode)


def _told(output: bytes, code: int) -> BenchmarkerError:
    """Return the error that the other process ended with."""
    try:
        told = json.loads(output)
        error: BenchmarkerError = getattr(errors, told["error"])(told["message"])
    except (ValueError, KeyError, TypeError, AttributeError):  # it was killed, or a plugin failed; see its output
        return PluginError(f"drawing samples ended with exit code {code}; the output above says why")
    return error
