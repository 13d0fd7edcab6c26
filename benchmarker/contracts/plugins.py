"""What plugins register: architectures, datasets, augmentations, generators, reports, commands and executors.

Builders, loaders and option models are given as ``"package.module:name"`` and imported only when they are used, so that
registering a hundred networks costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from benchmarker.contracts.tasks import Task

if TYPE_CHECKING:
    from benchmarker.contracts.settings import Preparation, Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A named builder of a Keras model.

    Parameters
    ----------
    name : str
        Name in registries, in lower case.
    builder : str
        ``"package.module:function"``, called as ``build(input_shape, task, seed)``, or, if `options` is given, as
        ``build(input_shape, task, seed, options)``; returns an uncompiled `keras.Model`. ``input_shape`` is (height,
        width, channels) in pixels, ``task`` says how many outputs there are, and every initialiser and dropout takes
        its seed from `benchmarker.layer_seeds` ``(seed)``.
    citation : str
        Bibcode, DOI or arXiv number of the paper.
    minimum_size : int
        Smallest height and width that the layers can process, in pixels.
    tasks : tuple of str
        What the network is for: ``"classification"``, ``"regression"``, or both.
    options : str, optional
        ``"package.module:Model"``, a subclass of `Options`.
    aliases : tuple of str
        Other spellings, compared without case, hyphens and underscores.
    summary : str
        One line for `benchmarker list`.

    Examples
    --------
    >>> from benchmarker import Architecture
    >>> Architecture(
    ...     name="small-cnn", builder="my_package.networks:small_cnn", citation="2021MNRAS.503.1828B", minimum_size=17
    ... ).minimum_size
    17
    """

    name: str
    builder: str
    citation: str
    minimum_size: int = 1
    tasks: tuple[Literal["classification", "regression"], ...] = ("classification", "regression")
    options: str | None = None
    aliases: tuple[str, ...] = ()
    summary: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A published file.

    Parameters
    ----------
    filename : str
        Name in the cache, and in a user's own folder.
    urls : tuple of str
        Addresses, tried in this order.
    checksum : str
        ``"sha256:..."`` or ``"md5:..."``.
    other_checksums : tuple of str
        Those of other published forms of the same images, which a user may give instead without a warning.
    """

    filename: str
    urls: tuple[str, ...]
    checksum: str
    other_checksums: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A named source of labelled images.

    Parameters
    ----------
    name : str
        Name in registries, in lower case.
    loader : str
        ``"package.module:function"``, called as ``load(options, context)`` with the validated options (None without
        `options`) and a `DatasetContext`; returns `DatasetContents`.
    reader : str
        ``"package.module:function"``, called as ``read(member, options)`` with a `Member` and the validated options:
        returns the pixels of a new image file, without a label, exactly as the loader reads those of the dataset, or a
        `SkyImage` with them, without which registries cannot cut squares out of the sky. By default `read_sky_image`
        reads FITS files, pictures and NumPy arrays.
    licence, citation, homepage : str
        Terms of use, bibcode or DOI, and the page where the data are published.
    task : Task, optional
        The task, if it does not depend on the options.
    downloads : tuple of Download
        The published files.
    options : str, optional
        ``"package.module:Model"``, a subclass of `Options`.
    default_preparation : mapping of str to JSON value
        Settings of the preparation that a registry may leave out, written as there:
        ``{"clip_sigma": 3.0, "crop": 150}``.
    default_split : mapping of str to JSON value, optional
        Split for registries without one, written as there: ``{"train": 250, "validation": 100}``.
    simulated : bool
        Whether the images are computed instead of read from files; then a path of the user's (``-d``) is refused.
    shortcuts : mapping of str to str
        Options of the command line that set one of the dataset's `options`: ``{"manifest": "catalogue"}`` for
        ``-f/--manifest``, ``{"image_size": "size"}`` for ``-i/--image-size`` (which also crops the images of every
        dataset), ``{"mnist": "validation"}`` for the number of validation images of ``-X/--mnist``.
    default_for : tuple of str
        Cases in which the dataset is used although the user does not name it; only one installed dataset may claim
        each: ``"mnist"`` (``-X/--mnist``), ``"text-list"`` and ``"text-list-with-data"`` (a text list of the radio
        framework without and with ``-d/--data``).
    summary : str
        One line for `benchmarker list`.
    """

    name: str
    loader: str
    licence: str
    citation: str
    homepage: str = ""
    task: Task | None = None
    downloads: tuple[Download, ...] = ()
    options: str | None = None
    default_preparation: Mapping[str, Any] = field(default_factory=dict)
    default_split: Mapping[str, Any] | None = None
    reader: str = ""
    simulated: bool = False
    shortcuts: Mapping[str, str] = field(default_factory=dict)
    default_for: tuple[str, ...] = ()
    summary: str = ""

    # The models of settings are built late, so that registering a dataset does not import pydantic.
    @property
    def preparation(self) -> Preparation:
        """The validated `default_preparation`."""
        from benchmarker.contracts.settings import Preparation

        return Preparation.model_validate(dict(self.default_preparation))

    @property
    def split(self) -> Split | None:
        """The validated `default_split`."""
        from benchmarker.contracts.settings import Split

        return None if self.default_split is None else Split.model_validate(dict(self.default_split))


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """A way to make more training images.

    Parameters
    ----------
    name : str
        Name in registries, in lower case.
    kind : {"expansion", "transform"}
        An *expansion* makes a fixed, larger set once: ``expand(training_set, options, stream) -> TrainingSet``. A
        *transform* changes each image in every epoch: ``transform(images, draws, options) -> images`` with
        ``images`` of shape (n, height, width, channels), float32, and ``draws`` of shape (n, `draws_per_image`),
        float64, uniform in [0, 1); image k may depend on row k only.
    builder : str
        ``"package.module:function"`` with the signature above; ``options`` is None without `options`.
    citation : str
        Bibcode, DOI or arXiv number of the method, if there is one.
    draws_per_image : int
        Number of random numbers that a transform needs for each image.
    options : str, optional
        ``"package.module:Model"``, a subclass of `Options`.
    shortcuts : mapping of str to str
        Options of the command line that set one of the augmentation's `options`: ``{"rotation": "step"}`` for
        ``-r/--rotation`` in degrees; 0 and 360 remove the augmentation from every arm.
    default_for : tuple of str
        Cases in which the augmentation is used although the user does not name it; only one installed augmentation may
        claim each: ``"text-list"`` (a text list of the radio framework, with a step of 15 degrees).
    summary : str
        One line for `benchmarker list`.
    """

    name: str
    kind: Literal["expansion", "transform"]
    builder: str
    citation: str = ""
    draws_per_image: int = 0
    options: str | None = None
    shortcuts: Mapping[str, str] = field(default_factory=dict)
    default_for: tuple[str, ...] = ()
    summary: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """A model that learns to make images like those of the training part, such as a GAN.

    Parameters
    ----------
    name : str
        Name in registries, in lower case.
    builder : str
        ``"package.module:function"``, called as ``build(image_shape, conditions, seed)``, or, if `options` is given, as
        ``build(image_shape, conditions, seed, options)``; returns a `GenerativeModel`. ``image_shape`` is (height,
        width, channels) in pixels, ``conditions`` a `ConditionSpace`, and every initialiser and dropout takes its seed
        from `benchmarker.layer_seeds` ``(seed)``.
    citation : str
        Bibcode, DOI or arXiv number of the paper.
    options : str, optional
        ``"package.module:Model"``, a subclass of `Options`.
    summary : str
        One line for `benchmarker list`.
    quality : str
        ``"package.module:function"``, called once at the end of training as ``measure(request)`` with a
        `QualityRequest`; returns a mapping of JSON values, which the run keeps. Empty for no measurement.
    check : str
        ``"package.module:function"``, called before anything is trained as ``check(conditions, image_size)``, or, if
        `options` is given, as ``check(conditions, image_size, options)``; raises a `ConfigurationError` if the builder
        could not make this generator. ``conditions`` is a tuple of names, with ``"class"`` for the class, and
        ``image_size`` is (height, width) in pixels, or None while it is unknown. `benchmarker validate` calls it, so
        its module should import nothing slow. Empty for no check.
    """

    name: str
    builder: str
    citation: str
    options: str | None = None
    summary: str = ""
    quality: str = ""
    check: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A format in which the results of a study can be shown.

    Parameters
    ----------
    name : str
        Name for ``--format`` of ``benchmarker leaderboard`` and ``benchmarker report``, in lower case.
    renderer : str
        ``"package.module:function"``, called as ``render(results, options)`` with `StudyResults` and `ReportOptions`;
        returns a str, a rich renderable for the terminal, or, for a report of several files, a mapping of file names to
        str or bytes.
    suffix : str
        Suffix of the file that the format is written to, for example ``".csv"``.
    summary : str
        One line for `benchmarker list`.
    """

    name: str
    renderer: str
    suffix: str = ".txt"
    summary: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A sub-command of ``benchmarker``.

    Parameters
    ----------
    name : str
        Name as typed: lower-case letters, digits and hyphens. The program's own commands cannot be replaced.
    command : str
        ``"package.module:command"``, a click command; imported when it is used.
    summary : str
        One line for `benchmarker --help` and `benchmarker list`.
    """

    name: str
    command: str
    summary: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """What runs the tasks of a study: this machine, a batch system, or a cluster.

    Parameters
    ----------
    name : str
        Name for ``--executor`` of ``benchmarker submit``, in lower case.
    executor : str
        ``"package.module:Class"``, called as ``Class(options)`` with the validated options (None without `options`);
        makes a `TaskExecutor`.
    options : str, optional
        ``"package.module:Model"``, a subclass of `Options` whose fields all have defaults. Each field becomes an option
        of ``benchmarker submit``: ``cpu_time`` is ``--cpu-time``, a ``bool`` is a flag, and a ``tuple`` may be given
        several times. Executors share an option if both have a field of that name and type.
    summary : str
        One line for `benchmarker list`.
    """

    name: str
    executor: str
    options: str | None = None
    summary: str = ""


Plugin = Architecture | Dataset | Augmentation | Generator | Report | Command | Executor

KINDS: Mapping[str, type[Plugin]] = {
    "architecture": Architecture,
    "dataset": Dataset,
    "augmentation": Augmentation,
    "generator": Generator,
    "report": Report,
    "command": Command,
    "executor": Executor,
}

BUILT_IN: tuple[tuple[str, Plugin], ...] = (
    (
        "executor",
        Executor(
            name="local",
            executor="benchmarker.executors.local:LocalExecutor",
            summary="processes on this machine",
        ),
    ),
)
"""Plugins of the core, each with its kind, which are installed wherever the benchmarker is."""

SHORTCUTS: Mapping[str, tuple[str, ...]] = {
    "dataset": ("manifest", "image_size", "mnist"),
    "augmentation": ("rotation",),
}
"""Options of the command line that may set an option of a plugin, by the kind of plugin."""

ROLES: Mapping[str, tuple[str, ...]] = {
    "dataset": ("mnist", "text-list", "text-list-with-data"),
    "augmentation": ("text-list",),
}
"""What a plugin may be the default for, by the kind of plugin."""
