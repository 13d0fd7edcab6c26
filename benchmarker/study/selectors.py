"""Selectors: the one way in which commands name the networks, arms and runs of a study.

The grammar::

    selector   = choice {"," choice}
    choice     = network | network "/" arm | network "/" arm "/" seed | beginning of a key (4 to 64 hexadecimal digits)
    selection  = study [":" selector]

A generator is the network of the arm ``generator``. Names may contain the separators themselves, as in ``resnet/18``,
``c:d`` or ``a,b``: a choice is compared with the names that a study has, not taken apart. Case, hyphens, underscores
and spaces do not count, unless a name is given exactly. A name has priority over the beginning of a key.
"""

from __future__ import annotations

import difflib
import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from benchmarker.errors import ConfigurationError
from benchmarker.hooks import spelling
from benchmarker.paths import expand_user

_KEY = re.compile(r"[0-9a-fA-F]{4,64}")
_MOST_NAMES = 8


class Planned(Protocol):
    """A cell or generator of a plan, as far as its names go."""

    @property
    def key(self) -> str:
        """Digest of everything that may change the result."""

    @property
    def model(self) -> str:
        """Name of the network or generator."""

    @property
    def arm(self) -> str:
        """Name of the arm; ``"generator"`` for a generator."""

    @property
    def seed(self) -> int:
        """Seed of every stream."""


P = TypeVar("P", bound=Planned)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunName:
    """The names under which a run can be chosen.

    Parameters
    ----------
    networks : tuple of str
        Names of the network; a variant has that of its row in the leaderboard, too.
    arm : str
        Name of the arm.
    seed : int or None
        Seed; None for all seeds of a network in an arm together.
    key : str
        Key of the cell; empty where it is unknown.
    """

    networks: tuple[str, ...]
    arm: str
    seed: int | None = None
    key: str = ""

    @property
    def written(self) -> str:
        """The longest form: ``network/arm/seed``."""
        seed = "" if self.seed is None else f"/{self.seed}"
        return f"{self.networks[0]}/{self.arm}{seed}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What one choice of a selector means.

    Parameters
    ----------
    positions : tuple of int
        Positions of the runs in the sequence that was chosen from, ascending.
    parts : int
        1 if the choice names a network, 2 for a network in an arm, 3 for a single run.
    """

    positions: tuple[int, ...]
    parts: int


def choose_runs(names: Sequence[RunName], selector: str, *, where: str) -> tuple[Choice, ...]:
    """Return what the choices of a selector mean, in their order.

    Parameters
    ----------
    names : sequence of RunName
        Names of the runs to choose from.
    selector : str
        Choices, separated by commas.
    where : str
        Study, for messages.

    Raises
    ------
    ConfigurationError
        If a choice means nothing, or may mean several things.

    Examples
    --------
    >>> names = [RunName(networks=("resnet/18",), arm="real", seed=seed) for seed in (1, 2)]
    >>> choose_runs(names, "resnet/18", where="a study")
    (Choice(positions=(0, 1), parts=1),)
    >>> choose_runs(names, "resnet/18/real/2,ResNet/18/real", where="a study")
    (Choice(positions=(1,), parts=3), Choice(positions=(0, 1), parts=2))
    """
    found = []
    left = [part.strip() for part in selector.split(",")]
    known = _Known(names)
    while left:
        # The longest name first: commas may belong to it.
        for length in range(min(len(left), known.most_parts), 0, -1):
            choice = _meaning(known, ",".join(left[:length]), where)
            if choice is not None:
                found.append(choice)
                left = left[length:]
                break
        else:
            if left[0]:
                raise ConfigurationError(_unknown(names, left[0], where))
            left = left[1:]
    if not found:
        raise ConfigurationError(f"{where}: a network, network/arm or network/arm/seed was expected. Received: nothing")
    return tuple(found)


def select_runs(records: Sequence[P], selector: str, *, where: str) -> list[P]:
    """Return the cells or generators that a selector names, each once, in the order of the plan.

    Parameters
    ----------
    records : sequence
        Cells and generators of a study.
    selector : str
        Choices, separated by commas.
    where : str
        Study, for messages.

    Raises
    ------
    ConfigurationError
        If a choice means nothing, or may mean several things.
    """
    names = [RunName(networks=(each.model,), arm=each.arm, seed=each.seed, key=each.key) for each in records]
    chosen = {position for choice in choose_runs(names, selector, where=where) for position in choice.positions}
    return [records[position] for position in sorted(chosen)]


def split_study(selection: str) -> tuple[str, str]:
    """Return the study of ``STUDY:SELECTOR``, and the selector, which is empty where there is none.

    Both may contain colons: the study is the longest beginning that is a folder. ``~`` is a home folder.

    Raises
    ------
    ConfigurationError
        If the study is below the home folder of an unknown user.

    Examples
    --------
    >>> split_study(".:c:d")
    ('.', 'c:d')
    """
    parts = selection.split(":")
    for length in range(len(parts), 0, -1):
        study = ":".join(parts[:length])
        if study and _is_folder(study):
            return str(expand_user(study)), ":".join(parts[length:])
    study, _, selector = selection.partition(":")
    return (str(expand_user(study)), selector) if study else (selection, "")


def _is_folder(text: str) -> bool:
    try:
        return expand_user(text).is_dir()
    except ConfigurationError:
        return False


class _Known:
    """The names that a study has, so that a text which is none of them is not compared with each.

    Parameters
    ----------
    names : sequence of RunName
        Names of the runs.

    Attributes
    ----------
    most_parts : int
        Parts, separated by commas, of the name that has most.
    """

    def __init__(self, names: Sequence[RunName]) -> None:
        self.names = names
        self._spelled = {spelling(form) for name in names for form in _forms(name)}
        self.most_parts = 1 + max((form.count(",") for form in self._spelled), default=0)
        self._keys = sorted((name.key, position) for position, name in enumerate(names))

    def named(self, text: str) -> Sequence[RunName]:
        """Return all names, or none if the text is the name of no run however it is spelt."""
        return self.names if spelling(text) in self._spelled else ()

    def with_key(self, beginning: str) -> tuple[int, ...]:
        """Return the positions of the runs whose keys begin so."""
        found = []
        for index in range(bisect_left(self._keys, (beginning, -1)), len(self._keys)):
            key, position = self._keys[index]
            if not key.startswith(beginning):
                break
            found.append(position)
        return tuple(sorted(found))


def _forms(name: RunName) -> Iterator[str]:
    """Yield each form in which a run can be named, as `_readings` reads them."""
    for network in name.networks:
        yield network
        yield f"{network}/{name.arm}"
        if name.seed is not None:
            yield f"{network}/{name.arm}/{name.seed}"


def _meaning(known: _Known, text: str, where: str) -> Choice | None:
    """Return what a choice means, or None if it means nothing here."""
    exactly: Callable[[str], str] = str
    for form in (exactly, spelling):
        found: dict[tuple[int, str, str], list[int]] = {}
        for position, name in enumerate(known.named(text)):
            for reading in _readings(name, text, form):
                found.setdefault(reading, []).append(position)
        if len(found) > 1:
            meanings = " or ".join(map(_described, found))
            raise ConfigurationError(
                f"{where}: {text!r} may mean {meanings}. Give the beginning of a key instead, which "
                "`benchmarker show` lists"
            )
        if found:
            ((reading, positions),) = found.items()
            return Choice(positions=tuple(positions), parts=reading[0])
    if not _KEY.fullmatch(text):
        return None
    by_key = known.with_key(text.lower())
    return Choice(positions=by_key, parts=3) if by_key else None


def _readings(name: RunName, text: str, form: Callable[[str], str]) -> Iterator[tuple[int, str, str]]:
    """Yield each way in which a text names a run: the number of its parts, the network and the arm."""
    wanted = form(text)
    for network in dict.fromkeys(name.networks):
        if form(network) == wanted:
            yield 1, network, ""
        if form(f"{network}/{name.arm}") == wanted:
            yield 2, network, name.arm
        if name.seed is not None and form(f"{network}/{name.arm}/{name.seed}") == wanted:
            yield 3, network, name.arm


def _described(reading: tuple[int, str, str]) -> str:
    parts, network, arm = reading
    return f"the network {network!r}" + (f" in the arm {arm!r}" if parts > 1 else "")


def _unknown(names: Sequence[RunName], text: str, where: str) -> str:
    known = list(dict.fromkeys(name.written for name in names))
    parts = [written for name in names for written in (name.networks[0], f"{name.networks[0]}/{name.arm}")]
    close = difflib.get_close_matches(text, [*known, *dict.fromkeys(parts)], n=3, cutoff=0.4)
    if close:
        return f"{where} has no cell {text!r}: did you mean {', '.join(close)}?"
    shown = ", ".join(known[:_MOST_NAMES]) + (" ..." if len(known) > _MOST_NAMES else "")
    return f"{where} has no cell {text!r}; there are: {shown or 'none'}"
