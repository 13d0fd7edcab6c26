"""Positions of keys and values in a registry, and the problems found there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

T = TypeVar("T")

KeyPath = tuple[str | int, ...]
"""Keys and indices that lead to a value from the root of a registry: ``("models", 2, "options", "dropout")``."""


class Position(NamedTuple):
    """A line and a column of a file, both counted from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


START = Position(1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """An error in a registry.

    Parameters
    ----------
    text : str
        What was expected and what was received.
    path : KeyPath
        The value that is wrong.
    subject : str
        Beginning of the sentence, such as ``"'epochs'"``; left out if the value comes from a command-line option, whose
        name then begins the message.
    on_key : bool
        Whether the key is wrong, and not its value.
    position : Position, optional
        Position in the file, if it is neither that of a key nor that of a value.
    option : str
        Name of the command-line option that is wrong, if the problem is not in the file.
    """

    text: str
    path: KeyPath = ()
    subject: str = ""
    on_key: bool = False
    position: Position | None = None
    option: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcePositions:
    """Positions of all keys and values of a registry.

    Parameters
    ----------
    source : str
        Name of the file, as the user gave it.
    keys, values : mapping of KeyPath to Position
        Where each key and each value begins.
    options : mapping of KeyPath to str
        Values that come from the command line, with the names of the options.
    """

    source: str
    keys: Mapping[KeyPath, Position] = field(default_factory=dict)
    values: Mapping[KeyPath, Position] = field(default_factory=dict)
    options: Mapping[KeyPath, str] = field(default_factory=dict)

    def position(self, path: KeyPath, *, on_key: bool = False) -> Position:
        """Return the position of a value (or of its key), or of the innermost value around it that the file has."""
        if on_key and path in self.keys:
            return self.keys[path]
        return _innermost(self.values, path) or START

    def option(self, path: KeyPath) -> str:
        """Return the name of the command-line option that set a value, or an empty string."""
        return _innermost(self.options, path) or ""

    def message(self, problem: Problem) -> str:
        """Return a problem as one line: ``file:line:column: text``, or ``-o/--option: text``."""
        option = problem.option or self.option(problem.path)
        if option:
            return f"{option}: {problem.text}"
        line, column = self._position(problem)
        sentence = f"{problem.subject} {problem.text}".lstrip()
        return f"{self.source}:{line}:{column}: {sentence}"

    def messages(self, problems: Iterable[Problem]) -> tuple[str, ...]:
        """Return problems as lines without repetition: those of options first, the others in file order."""
        order: dict[str, tuple[bool, Position]] = {}
        for problem in problems:
            in_file = not (problem.option or self.option(problem.path))
            order.setdefault(self.message(problem), (in_file, self._position(problem)))
        return tuple(sorted(order, key=lambda line: order[line]))

    def _position(self, problem: Problem) -> Position:
        return problem.position or self.position(problem.path, on_key=problem.on_key)


def _innermost(found: Mapping[KeyPath, T], path: KeyPath) -> T | None:
    return next((found[path[:length]] for length in range(len(path), -1, -1) if path[:length] in found), None)
