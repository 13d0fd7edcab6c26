"""The errors that the benchmarker raises on purpose.

::

    BenchmarkerError
    ├── ConfigurationError          something that the user wrote cannot be done
    │   ├── RegistryError           a registry (YAML or text list) is wrong; carries every problem
    │   └── UnknownPluginError      no plugin registered a name
    ├── PluginError                 a plugin cannot be imported or registered, or fails when it is called
    ├── DataError                   a dataset cannot be used
    │   ├── DownloadError           a file cannot be downloaded, or its checksum is wrong
    │   ├── UnsafeArchiveError      an archive would write outside its folder, or unpack without end
    │   ├── UnsafePickleError       a pickle contains something other than plain arrays
    │   ├── UnreadableImageError    an image cannot be read; carries the reason
    │   └── SplitError              a class has too few sources for the split
    ├── StorageError                a file of a study cannot be written or read
    │   └── DamagedPlanError        a plan is cut short or holds something else, so that the cells are unknown
    ├── DeterminismError            a setting that makes results reproducible is off
    └── CellError                   a cell failed; carries the kind of failure
        ├── DivergedError           the loss is not finite
        └── GpuError                the GPU that a cell was placed on cannot be used

Every message says what is wrong, where, and what to do about it.
"""

from __future__ import annotations

from typing import ClassVar

MESSAGE_LENGTH = 500
"""Characters of a message of foreign code that are shown; tracebacks hold all of it."""


def shorten(text: str) -> str:
    """Return a text of at most `MESSAGE_LENGTH` characters, with a mark where the rest was cut off.

    Examples
    --------
    >>> shorten("too small")
    'too small'
    >>> shorten("x" * 600).endswith("x... (600 characters)")
    True
    """
    if len(text) <= MESSAGE_LENGTH:
        return text
    mark = f"... ({len(text)} characters)"
    return text[: MESSAGE_LENGTH - len(mark)] + mark


class BenchmarkerError(Exception):
    """Base of all errors that are raised on purpose.

    Attributes
    ----------
    kind : str
        Kind of failure of a cell that ends with this error: ``configuration``, ``plugin``, ``data``, ``diverged``,
        ``out-of-memory``, ``interrupted`` or ``crashed``.
    """

    kind: ClassVar[str] = "crashed"


class ConfigurationError(BenchmarkerError):
    """Something that the user wrote cannot be done."""

    kind = "configuration"


class RegistryError(ConfigurationError):
    """A registry is wrong.

    Parameters
    ----------
    problems : tuple of str
        Every problem, in file order, as ``file:line:column: what was expected and what was received``.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class UnknownPluginError(ConfigurationError):
    """No plugin registered a name."""


class PluginError(BenchmarkerError):
    """A plugin cannot be imported or registered, or fails when it is called."""

    kind = "plugin"


class DataError(BenchmarkerError):
    """A dataset cannot be used."""

    kind = "data"


class DownloadError(DataError):
    """A file cannot be downloaded, or its checksum is wrong."""


class UnsafeArchiveError(DataError):
    """An archive would write outside its folder, or unpack without end."""


class UnsafePickleError(DataError):
    """A pickle contains something other than plain arrays and containers."""


class UnreadableImageError(DataError):
    """An image cannot be read.

    Parameters
    ----------
    reason : str
        Reason in a few words for the list of skipped images, such as ``"every pixel is NaN"``.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class UnplacedImageError(UnreadableImageError):
    """An image cannot be placed on the sky: it has no celestial coordinates, or no position is known or shown."""


class SplitError(DataError):
    """A class has too few sources for the split."""


class StorageError(BenchmarkerError):
    """A file of a study cannot be written or read.

    The cell that it ends is not at fault: the same command runs it again once there is space.
    """

    kind = "interrupted"


class DamagedPlanError(StorageError):
    """The plan of a study is cut short or holds something else, so that its cells are unknown.

    Running the registry again writes another plan, with the runs that have finished.
    """


class DeterminismError(BenchmarkerError):
    """A setting that makes results reproducible is off."""

    kind = "configuration"


class CellError(BenchmarkerError):
    """A cell failed."""


class DivergedError(CellError):
    """The loss is not a finite number."""

    kind = "diverged"


class GpuError(CellError):
    """The GPU that a cell was placed on cannot be used, most often because other processes have all of its memory."""

    kind = "out-of-memory"
