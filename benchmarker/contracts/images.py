"""Labelled images, as datasets hand them in and as the harness hands them on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from benchmarker.contracts.tasks import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchmarker.contracts.plugins import Download

Part = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """One labelled image as a dataset reads it, before any preparation.

    Parameters
    ----------
    image : ndarray of shape (height, width) or (height, width, channels), any real dtype
        Pixels as published; NaN where there is none.
    target : int or sequence of float
        Index of the class, or the numbers of a regression in their units.
    source_id : str
        Name of the astronomical source that the image shows. Two images of one source never part in a split.
    part : {"train", "validation", "test"}, optional
        Where the dataset's published split puts the image.
    attributes : mapping of str to float, optional
        Further facts, in the units that `DatasetContents.attribute_units` gives.
    """

    image: NDArray[Any]
    target: int | Sequence[float]
    source_id: str
    part: Part | None = None
    attributes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedImage:
    """An image that cannot be used, and why; never dropped in silence.

    Parameters
    ----------
    name : str
        File or source, as the user knows it.
    reason : str
        A few words, for example ``"every pixel is NaN"``.
    """

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetContents:
    """What a dataset's loader returns: what it holds now, and its images on demand.

    Parameters
    ----------
    task : Task
        What the targets mean.
    records : callable returning an iterable of ImageRecord or SkippedImage
        Called only when the prepared data are not in the cache; yields one image after the other, always in the same
        order, so that a set larger than memory can be prepared.
    signature : JSON value
        Changes whenever the records may have changed, and is cheap to get: names, sizes and modification times of
        files, options, a version number of a generator. Holds no absolute path.
    count : int, optional
        How many records there will be, for the progress bar.
    attribute_units : mapping of str to str
        Unit of each attribute, in the notation of `astropy.units`.
    """

    task: Task
    records: Callable[[], Iterable[ImageRecord | SkippedImage]]
    signature: Any
    count: int | None = None
    attribute_units: Mapping[str, str] = field(default_factory=dict)


class DatasetContext(Protocol):
    """What the harness offers a dataset's loader."""

    @property
    def path(self) -> Path | None:
        """The user's own file or folder (``-d``, or ``path`` in the registry), which exists; None without."""

    def fetch(self, download: Download) -> Path:
        """Return a file: the user's own where `path` is given, else downloaded once into the cache and verified.

        Raises
        ------
        DownloadError
            If it cannot be fetched; the message names the addresses and the folder to put the file in.
        """

    def produce(self, name: str, key: Any, write: Callable[[Path], None]) -> Path:
        """Return a cached folder named by ``name`` and the digest of ``key``, written once by ``write(folder)``.

        Safe when two processes ask at once and when one is killed half-way.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """A named fact about each image.

    Parameters
    ----------
    values : ndarray of shape (n,), float64
        NaN where unknown.
    unit : str
        In the notation of `astropy.units`.
    """

    values: NDArray[np.float64]
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledImages:
    """Prepared images with their targets.

    Parameters
    ----------
    task : Task
        What the targets mean.
    images : ndarray of shape (n, height, width, channels), float32
        Linear flux scaled to [0, 1] unless the preparation says otherwise; may be memory-mapped and read-only.
    targets : ndarray of shape (n,), int64, or (n, n_targets), float64
        Class indices, or numbers in the units of the task.
    source_ids : tuple of str
        Name of the source of each image.
    parts : tuple of {"train", "validation", "test", None}
        Published split of each image.
    attributes : mapping of str to Attribute
        Further facts with their units.
    skipped : tuple of SkippedImage
        What was left out, and why.
    digest : str
        SHA-256 of images, targets, sources, parts and attributes.
    """

    task: Task
    images: NDArray[np.float32]
    targets: NDArray[Any]
    source_ids: tuple[str, ...]
    parts: tuple[Part | None, ...]
    attributes: Mapping[str, Attribute]
    skipped: tuple[SkippedImage, ...]
    digest: str

    def __len__(self) -> int:
        return len(self.source_ids)


class TrainingSet(Protocol):
    """The images that a network is trained on, rendered when they are asked for.

    Expansions take one and return a larger one, and may keep the one they were given.
    """

    @property
    def task(self) -> Task:
        """What the targets mean."""

    @property
    def targets(self) -> NDArray[Any]:
        """Targets, ndarray of shape (n,), int64, or (n, n_targets), float64."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""

    def batch(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the images at ``indices``, ndarray of shape (len(indices), height, width, channels).

        The same index always gives the same image. The array is fresh: the caller may change it.
        """

    def __len__(self) -> int: ...
