"""The images that a registry, or a dataset by its name, would give to a study: read, prepared and split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from benchmarker.contracts.images import ImageRecord, LabelledImages, SkippedImage
from benchmarker.contracts.plugins import Dataset
from benchmarker.contracts.settings import Options, Preparation, Split
from benchmarker.data.loading import Context, checked_records, load
from benchmarker.data.prepared import Progress, prepare
from benchmarker.data.splits import Parts, split_sources
from benchmarker.discovery import Plugins
from benchmarker.errors import ConfigurationError, SplitError
from benchmarker.paths import reading_problem
from benchmarker.registry import (
    LoadedRegistry,
    Overrides,
    canonical,
    check_registry,
    load_registry,
    merged_preparation,
    validated_options,
)
from benchmarker.registry.loading import find_registry

DEFAULT_SEED = 8901


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyImages:
    """A dataset as a study would use it.

    Parameters
    ----------
    dataset : Dataset
        The dataset.
    options : Options, optional
        Its validated options.
    context : Context
        Where its loader finds files.
    preparation : Preparation
        How each image was prepared.
    data : LabelledImages
        The prepared images.
    folder : Path
        Folder of the prepared images.
    splits : mapping of int to Parts
        The parts under each seed; empty if the dataset cannot be split as asked.
    split_problem : str
        Why it cannot be split.
    """

    dataset: Dataset
    options: Options | None
    context: Context
    preparation: Preparation
    data: LabelledImages
    folder: Path
    splits: Mapping[int, Parts] = field(default_factory=dict)
    split_problem: str = ""

    def published_records(self) -> Iterator[ImageRecord | SkippedImage]:
        """Read the images again, one after the other, as they are before the preparation."""
        contents, _inputs = load(self.dataset, self.options, self.context)
        yield from checked_records(self.dataset, contents)

    def unclipped(self, progress: Progress = lambda _description, _done, _total: None) -> NDArray[Any] | None:
        """Return the prepared images with their noise: without clipping and thresholds.

        Returns
        -------
        ndarray of shape (n, height, width, channels), float32, or None
            The same images in the same order; None if the preparation removes no noise, or if these images are others.
        """
        if self.preparation.clip_sigma is None and self.preparation.binary_threshold is None:
            return None
        gentle = self.preparation.model_copy(update={"clip_sigma": None, "binary_threshold": None})
        data, _folder = prepare(self.dataset, self.options, gentle, self.context, progress)
        # Clipping only adds reasons to leave an image out, so one list of sources is part of the other.
        kept, rest = [], iter(enumerate(data.source_ids))
        for source in self.data.source_ids:
            index = next((index for index, other in rest if other == source), None)
            if index is None:
                return None
            kept.append(index)
        return data.images if len(kept) == len(data) else data.images[kept]


def open_images(
    place: str,
    plugins: Plugins,
    *,
    path: Path | None = None,
    seeds: tuple[int, ...] = (),
    offline: bool = False,
    progress: Progress = lambda _description, _done, _total: None,
) -> StudyImages:
    """Read, prepare and split the images of a registry or of a dataset.

    Parameters
    ----------
    place : str
        Path of a registry, name of a dataset, or name of a shipped registry; tried in this order.
    plugins : Plugins
        Plugins to look names up in.
    path : Path, optional
        The user's own file or folder of images.
    seeds : tuple of int
        Seeds to split by; by default those of the registry, and 8901 for a dataset.
    offline : bool
        Never use the network.
    progress : callable
        Called as in `benchmarker.data.prepared.prepare`.

    Returns
    -------
    StudyImages
        The images and their parts.

    Raises
    ------
    ConfigurationError
        If there is neither such a registry nor such a dataset, or the registry is wrong.
    DataError
        If the images cannot be read.
    """
    if not Path(place).exists() and place in {entry.plugin.name for entry in plugins.all("dataset")}:
        return _open(
            plugins.dataset(place),
            seeds=seeds or (DEFAULT_SEED,),
            path=readable(path),
            offline=offline,
            progress=progress,
        )
    if not find_registry(Path(place)).exists():
        raise ConfigurationError(
            f"{place}: no such registry and no such dataset; `benchmarker list datasets registries` lists both"
        )
    loaded = load_registry(Path(place), Overrides(seeds=seeds, data=path), plugins)
    check_registry(loaded, plugins)
    return open_registry_images(canonical(loaded, plugins), plugins, offline=offline, progress=progress)


def open_registry_images(
    loaded: LoadedRegistry,
    plugins: Plugins,
    *,
    offline: bool,
    progress: Progress = lambda _description, _done, _total: None,
) -> StudyImages:
    """Read, prepare and split the images of a registry that was checked.

    Parameters
    ----------
    loaded : LoadedRegistry
        The registry, with names as plugins spell them.
    plugins, offline, progress
        As in `open_images`.

    Raises
    ------
    DataError
        If the images cannot be read.
    """
    entry = loaded.registry.dataset
    return _open(
        plugins.dataset(entry.name),
        seeds=loaded.registry.seeds,
        options=entry.options,
        preparation=entry.preparation,
        split=entry.split,
        path=readable(loaded.data_path),
        offline=offline,
        progress=progress,
    )


def readable(path: Path | None) -> Path | None:
    """Return the path of the user's images, if there is one.

    Raises
    ------
    ConfigurationError
        If it cannot be read.
    """
    if path is not None and (problem := reading_problem(path)):
        raise ConfigurationError(f"{problem}; correct dataset.path (or -d)")
    return path


def _open(
    dataset: Dataset,
    *,
    seeds: tuple[int, ...],
    path: Path | None,
    offline: bool,
    progress: Progress,
    options: Mapping[str, object] | None = None,
    preparation: Preparation | None = None,
    split: Split | None = None,
) -> StudyImages:
    validated = validated_options(dataset, options or {})
    merged = merged_preparation(dataset, preparation)
    context = Context(dataset=dataset.name, path=path, offline=offline)
    data, folder = prepare(dataset, validated, merged, context, progress)
    problem = ""
    splits: dict[int, Parts] = {}
    try:
        splits = {seed: split_sources(data, split or dataset.split, seed) for seed in seeds}
    except SplitError as error:
        problem = str(error)
    return StudyImages(
        dataset=dataset,
        options=validated,
        context=context,
        preparation=merged,
        data=data,
        folder=folder,
        splits=splits,
        split_problem=problem,
    )
