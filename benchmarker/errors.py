"""The tree of errors that the benchmarker raises on purpose.

::

    BenchmarkerError
    ├── ConfigurationError          something that the user wrote cannot be done
    │   ├── RegistryError           a registry (YAML or text list) is wrong; carries every problem found
    │   └── UnknownPluginError      a name that no plugin registered
    ├── PluginError                 a plugin failed to import, register or build
    ├── DataError                   a dataset cannot be used
    │   ├── DownloadError           a file could not be fetched, or its checksum is wrong
    │   ├── UnsafeArchiveError      an archive tries to leave its folder or to unpack without end
    │   ├── UnsafePickleError       a pickle names something other than plain arrays
    │   ├── UnreadableImageError    one image cannot be read; carries the reason
    │   └── SplitError              a class holds too few sources for the split
    ├── StorageError                a file of a study cannot be written or read
    ├── DeterminismError            a switch that keeps results reproducible is off
    └── CellError                   one cell failed; carries its kind
        └── DivergedError           the loss is not finite

Every message says what is wrong, where, and what to do about it.
"""

from __future__ import annotations

from typing import ClassVar


class BenchmarkerError(Exception):
    """Base of every error raised on purpose.

    Attributes
    ----------
    kind : str
        The kind of failure that a cell is given when this error ends it: ``configuration``, ``plugin``, ``data``,
        ``diverged``, ``crashed`` ...
    """

    kind: ClassVar[str] = "crashed"


class ConfigurationError(BenchmarkerError):
    """Something that the user wrote cannot be done."""

    kind = "configuration"


class RegistryError(ConfigurationError):
    """A registry is wrong.

    Parameters
    ----------
    problems : sequence of str
        One ``file:line:column: what was expected, what was received`` for each problem found, in the order of lines.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class UnknownPluginError(ConfigurationError):
    """A name that no plugin registered."""


class PluginError(BenchmarkerError):
    """A plugin failed to import, to register or to build what it promised."""

    kind = "plugin"


class DataError(BenchmarkerError):
    """A dataset cannot be used."""

    kind = "data"


class DownloadError(DataError):
    """A file could not be fetched, or what was fetched has the wrong checksum."""


class UnsafeArchiveError(DataError):
    """An archive tries to leave its folder, or to unpack without end."""


class UnsafePickleError(DataError):
    """A pickle names something other than plain arrays and containers."""


class UnreadableImageError(DataError):
    """One image cannot be read.

    Parameters
    ----------
    reason : str
        A few words for the summary of skipped images, for example ``"every pixel is NaN"``.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class SplitError(DataError):
    """A class holds too few sources for the split that was asked for."""


class StorageError(BenchmarkerError):
    """A file of a study cannot be written or read.

    That says nothing about a cell which it ends: the same command runs it again, once there is space.
    """

    kind = "interrupted"


class DeterminismError(BenchmarkerError):
    """A switch that keeps results reproducible is off."""

    kind = "configuration"


class CellError(BenchmarkerError):
    """One cell failed."""


class DivergedError(CellError):
    """The loss is not a finite number."""

    kind = "diverged"
