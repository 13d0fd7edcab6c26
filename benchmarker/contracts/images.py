"""Labelled images: as datasets provide them, and as the harness passes them on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from benchmarker.contracts.sky import SkyColumns, SkyFacts
from benchmarker.contracts.tasks import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from benchmarker.contracts.plugins import Download

Part = Literal["train", "validation", "test"]
"""Name of a part of a split."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecord:
    """One labelled image as a dataset reads it, before any preparation.

    Parameters
    ----------
    image : ndarray of shape (height, width) or (height, width, channels), any real dtype
        Pixels as published, in any unit; NaN where there is no value.
    target : int or sequence of float
        Index of the class, or the values of a regression in the units of its targets.
    source_id : str
        Name of the astronomical source in the image. A split never separates images of one source.
    part : {"train", "validation", "test"}, optional
        Part of the image in the published split of the dataset.
    attributes : mapping of str to float, optional
        Further quantities, in the units of `DatasetContents.attribute_units`; NaN where unknown.
    sky : SkyFacts, optional
        What the header of a FITS image says about the sky, for the same height and width as the image.

    Examples
    --------
    >>> import numpy as np
    >>> from benchmarker import ImageRecord
    >>> record = ImageRecord(
    ...     image=np.zeros((150, 150)), target=1, source_id="3C 212", attributes={"redshift": 1.049}
    ... )
    >>> record.part is None
    True
    """

    image: NDArray[Any]
    target: int | Sequence[float]
    source_id: str
    part: Part | None = None
    attributes: Mapping[str, float] = field(default_factory=dict)
    sky: SkyFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedImage:
    """An image that cannot be used, and why; such images are always reported.

    Parameters
    ----------
    name : str
        Name of the file or source, as the user knows it.
    reason : str
        Reason in a few words, for example ``"every pixel is NaN"``.
    """

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetContents:
    """What a dataset's loader returns: facts about the dataset, and its images on demand.

    Parameters
    ----------
    task : Task
        Meaning of the targets.
    records : callable returning an iterable of ImageRecord or SkippedImage
        Called only if the prepared data are not in the cache; yields one image after the other, always in the same
        order, so that a dataset larger than memory can be prepared.
    signature : JSON value
        Value that changes whenever the records may have changed, and is cheap to get: names, sizes and modification
        times of files (see `path_signature`), options, the version of a simulation. Holds no absolute path.
    count : int, optional
        Number of records, for the progress bar.
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
        """The user's own file or folder (``-d``, or ``path`` in the registry), which exists; None if there is none."""

    def fetch(self, download: Download) -> Path:
        """Return a file: the user's own if `path` is given, otherwise downloaded once into the cache and verified.

        Raises
        ------
        DownloadError
            If it cannot be downloaded; the message names the addresses, and the folder to put the file in by hand.
        """

    def produce(self, name: str, key: Any, write: Callable[[Path], object]) -> Path:
        """Return a cached folder named by ``name`` and the digest of ``key``, written once by ``write(folder)``.

        Safe if two processes ask at the same time, and if one is killed while it writes.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """A quantity that is known of each image, such as a redshift.

    Parameters
    ----------
    values : ndarray of shape (n,), float64
        Values; NaN where unknown.
    unit : str
        Unit in the notation of `astropy.units`; empty for a pure number.
    """

    values: NDArray[np.float64]
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledImages:
    """Prepared images with their targets.

    Parameters
    ----------
    task : Task
        Meaning of the targets.
    images : ndarray of shape (n, height, width, channels), float32
        Flux scaled to [0, 1] without unit, or in the unit of the files if the preparation does not normalise. May be
        memory-mapped and read-only.
    targets : ndarray of shape (n,), int64, or (n, n_targets), float64
        Class indices, or values in the units of the task.
    source_ids : tuple of str
        Name of the source of each image.
    parts : tuple of {"train", "validation", "test", None}
        Part of each image in the published split.
    attributes : mapping of str to Attribute
        Further quantities with their units.
    skipped : tuple of SkippedImage
        Images that were left out, and why.
    digest : str
        SHA-256 of images, targets, sources, parts and attributes.
    remarks : tuple of str
        What is odd about files that are used nevertheless, with the number of files; covered by no digest.
    equal_pixels : tuple of tuple of int
        Indices of the images in each group whose prepared pixels are equal; covered by no digest of its own.
    sky : SkyColumns, optional
        What FITS headers say about the prepared images; None if no image is from a FITS file, or an older version
        prepared them. Covered by no digest.
    """

    task: Task
    images: NDArray[np.float32]
    targets: NDArray[Any]
    source_ids: tuple[str, ...]
    parts: tuple[Part | None, ...]
    attributes: Mapping[str, Attribute]
    skipped: tuple[SkippedImage, ...]
    digest: str
    remarks: tuple[str, ...] = ()
    equal_pixels: tuple[tuple[int, ...], ...] = ()
    sky: SkyColumns | None = None

    def __len__(self) -> int:
        return len(self.source_ids)


class TrainingSet(Protocol):
    """The images that a network is trained on, rendered on demand.

    An expansion takes a training set and returns a larger one, and may keep the one that it was given.
    """

    @property
    def task(self) -> Task:
        """Meaning of the targets."""

    @property
    def targets(self) -> NDArray[Any]:
        """Class indices, ndarray of shape (n,), int64, or values in their units, shape (n, n_targets), float64."""

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height and width in pixels, and number of channels, of every image."""

    def batch(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the images at ``indices``, ndarray of shape (len(indices), height, width, channels).

        The same index always gives the same image. The array is new: the caller may change it.
        """

    def __len__(self) -> int: ...
