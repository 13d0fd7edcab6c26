"""The images of a study as its networks see them: new files prepared alike, and the parts that they were trained on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarker.containment import PluginErrors
from benchmarker.contracts.images import LabelledImages, Part, TrainingSet
from benchmarker.contracts.settings import Options, Preparation
from benchmarker.contracts.sky import SkyImage
from benchmarker.contracts.tasks import Task
from benchmarker.data.folders import Member
from benchmarker.data.image_files import read_sky_image
from benchmarker.data.loading import Context
from benchmarker.data.positions import named_position
from benchmarker.data.preparation import prepare_image
from benchmarker.data.prepared import prepare
from benchmarker.data.sky_preparation import NO_COORDINATES, cut_from_sky
from benchmarker.data.splits import Parts, split_sources
from benchmarker.discovery import installed, resolve
from benchmarker.errors import ConfigurationError, DataError, UnplacedImageError, UnreadableImageError
from benchmarker.paths import expand_user, reading_problem
from benchmarker.registry import validated_options
from benchmarker.results.study import Study, read_study
from benchmarker.results.study_results import find_prepared
from benchmarker.study.plan import SourceRecord
from benchmarker.trained.networks import TrainedNetwork
from benchmarker.training.sets import PartSet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class StudyImages:
    """Reads images as a study did, and gives back the images that its networks were trained on.

    Everything comes from the study's plan: dataset, options, preparation, shape and task.

    Parameters
    ----------
    study : Path
        Path of the study.
    data : Path, optional
        Where the images of the study are now, if they were moved; by default where the plan says.

    Raises
    ------
    ConfigurationError
        If an early version wrote the plan, which does not say how images were prepared.
    """

    def __init__(self, study: Path, data: Path | None = None) -> None:
        self._study: Study = read_study(study)
        source = self._study.plan.source
        if source is None:
            raise ConfigurationError(
                f"{study}: an early version wrote its plan, which does not say how images were prepared; run the "
                "registry again into this folder, which trains nothing that has finished"
            )
        self._source: SourceRecord = source
        self._data = data

    @property
    def task(self) -> Task:
        """What networks predict."""
        return self._study.task

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of a prepared image, in pixels."""
        return self._study.dataset.shape

    @property
    def preparation(self) -> Preparation:
        """How each image is prepared."""
        return self._source.preparation

    @cached_property
    def _read(self) -> Callable[[Member], SkyImage]:
        dataset = installed().dataset(self._study.dataset.name)
        options: Options | None = validated_options(dataset, self._source.options)
        if not dataset.reader:
            return read_sky_image
        function = resolve(dataset.reader)

        def read(member: Member) -> SkyImage:
            with PluginErrors(f"reading an image as {dataset.name!r} does ({dataset.reader})", passing=(OSError,)):
                found: SkyImage | NDArray[Any] = function(member, options)
                return found if isinstance(found, SkyImage) else SkyImage(pixels=found)

        return read

    def read(self, member: Member, position: tuple[float, float] | None = None) -> NDArray[np.float32]:
        """Read and prepare one image file exactly as those that the networks were trained on.

        Parameters
        ----------
        member : Member
            The file.
        position : tuple of float, optional
            Right ascension and declination of its source in degrees, for a preparation that cuts squares out of the
            sky; by default those that the name of the file contains.

        Returns
        -------
        ndarray of shape (height, width, channels), float32
            Input of the networks.

        Raises
        ------
        UnreadableImageError
            If it cannot be used, with a short reason.
        """
        image = self._read(member)
        square = self.preparation.sky
        if square is not None:
            image = cut_from_sky(image, square, position or named_position(member.name), name=member.name)
        return self._prepared(image.pixels)

    def prepare(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """Prepare the pixels of one image exactly as those that the networks were trained on.

        Parameters
        ----------
        pixels : ndarray of shape (height, width) or (height, width, channels)
            Pixels as they were read.

        Returns
        -------
        ndarray of shape (height, width, channels), float32
            Input of the networks.

        Raises
        ------
        UnreadableImageError
            If it cannot be used, with a short reason; always if the preparation cuts squares out of the sky.
        """
        if self.preparation.sky is not None:
            raise UnplacedImageError(NO_COORDINATES)
        return self._prepared(pixels)

    def _prepared(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        prepared = prepare_image(pixels, self.preparation)
        if prepared.shape != self.shape:
            expected, received = (" x ".join(map(str, shape)) for shape in (self.shape, prepared.shape))
            raise UnreadableImageError(f"{received} pixels and channels after the preparation, not {expected}")
        return prepared

    @cached_property
    def labelled(self) -> LabelledImages:
        """The prepared images of the study: from this machine's cache, or else prepared again.

        Raises
        ------
        ConfigurationError, DataError
            If the images cannot be read, or are not those of the study any more.
        """
        digest = self._study.dataset.digest
        found = find_prepared(digest)
        if found is not None:
            return found
        dataset = installed().dataset(self._study.dataset.name)
        options = validated_options(dataset, self._source.options)
        context = Context(dataset=dataset.name, path=self._path(), progress=False)
        prepared, folder = prepare(dataset, options, self.preparation, context)
        if prepared.digest != digest:
            raise DataError(
                f"{folder}: the images of the study have changed since it was run: other images or labels are found "
                "now; restore them, or name a copy"
            )
        return prepared

    def _path(self) -> Path | None:
        if self._data is None and self._source.path is None:
            return None
        if self._data is not None:
            path = expand_user(self._data).absolute()
        else:
            path = (self._study.folder.resolve() / str(self._source.path)).resolve()
        if problem := reading_problem(path):
            raise ConfigurationError(f"the images of the study cannot be read: {problem}; say where they are now")
        return path

    def parts(self, network: TrainedNetwork) -> Parts:
        """Return which images are in which part for a network: ``train``, ``validation`` and ``test``."""
        return split_sources(self.labelled, network.cell.spec.split, network.seed)

    def part(self, network: TrainedNetwork, name: Part) -> TrainingSet:
        """Return the images of one part for a network."""
        return self.chosen(getattr(self.parts(network), name))

    def chosen(self, indices: NDArray[np.int64]) -> TrainingSet:
        """Return the images at ``indices`` with their targets."""
        return PartSet(self.labelled, indices)
