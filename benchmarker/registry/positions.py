"""Where things stand in a registry, and what is wrong with them there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Path = tuple[str | int, ...]
"""The way to a value from the root of a registry: ``("models", 2, "options", "dropout")``."""

Position = tuple[int, int]
"""Line and column, both counted from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong.

    Parameters
    ----------
    path : Path
        Where it is.
    text : str
        What was expected and what was received.
    subject : str
        What the text is about; left out where the problem is told under the name of a command-line option.
    on_key : bool
        The key is wrong, not its value.
    """

    path: Path
    text: str
    subject: str = ""
    on_key: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Lines and columns of everything that a registry holds.

    Parameters
    ----------
    source : str
        The file, as the user named it.
    keys, values : mapping of Path to Position
        Where each key and each value begins.
    options : mapping of Path to str
        What came from a command-line option, and its name.
    """

    source: str
    keys: Mapping[Path, Position] = field(default_factory=dict)
    values: Mapping[Path, Position] = field(default_factory=dict)
    options: Mapping[Path, str] = field(default_factory=dict)

    def position(self, path: Path, *, on_key: bool = False) -> Position:
        """Return where a value (or its key) stands, or the nearest thing around it that is written in the file."""
        if on_key and path in self.keys:
            return self.keys[path]
        for length in range(len(path), -1, -1):
            found = self.values.get(path[:length])
            if found is not None:
                return found
        return (1, 1)

    def option(self, path: Path) -> str | None:
        """Return the name of the command-line option that set a value, or None."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.options:
                return self.options[path[:length]]
        return None

    def tell(self, problem: Problem) -> str:
        """Return a problem as one line for the user."""
        option = self.option(problem.path)
        if option is not None:
            return f"{option}: {problem.text}"
        line, column = self.position(problem.path, on_key=problem.on_key)
        told = f"{problem.subject} {problem.text}" if problem.subject else problem.text
        return f"{self.source}:{line}:{column}: {told}"

    def tell_all(self, problems: Iterable[Problem]) -> tuple[str, ...]:
        """Return problems as lines: those of options first, then in the order of the file, none twice."""
        told: dict[str, tuple[bool, Position]] = {}
        for problem in problems:
            in_file = self.option(problem.path) is None
            told.setdefault(self.tell(problem), (in_file, self.position(problem.path, on_key=problem.on_key)))
        return tuple(sorted(told, key=lambda line: told[line]))
