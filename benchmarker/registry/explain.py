"""Turns pydantic's errors into sentences for people, all of them, each with its path."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from benchmarker.discovery import spelling
from benchmarker.registry.expectations import Expectations
from benchmarker.registry.positions import Path, Problem
from benchmarker.registry.yaml_loader import scalar

M = TypeVar("M", bound=BaseModel)

_LONGEST_QUOTE = 60

# What people write for a key, where the spelling alone does not lead to it.
_OTHER_WORDS = {
    "lr": "learning_rate",
    "rate": "learning_rate",
    "model": "architecture",
    "network": "architecture",
    "networks": "models",
    "seed": "seeds",
    "arm": "arms",
    "augmentation": "augmentations",
    "generator": "generators",
    "condition": "conditions",
    "batch": "batch_size",
    "val": "validation",
}

_BOOLEAN_WORDS = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def validate(model: type[M], data: Any, *, what: str = "") -> tuple[M | None, list[Problem]]:
    """Validate plain data strictly, as JSON would be: ``"16"`` is no number and ``1`` is no boolean.

    Parameters
    ----------
    model : type of BaseModel
        What the data must fit.
    data : plain data
        Texts, numbers, booleans, None, lists and mappings with texts as keys.
    what : str
        Whose options the data are, for example ``"the architecture 'convxpress'"``; empty for a registry.

    Returns
    -------
    tuple of (model or None, list of Problem)
        Either the validated model, or every problem found, with paths from the root of ``data``.
    """
    try:
        return model.model_validate_json(json.dumps(data), strict=True), []
    except ValidationError as error:
        return None, _Explainer(Expectations(model), data, what).explain(error)


def suggestion(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that was probably meant, or None."""
    by_spelling = {spelling(each): each for each in known}
    wanted = spelling(name)
    if wanted in by_spelling:
        return by_spelling[wanted]
    close = difflib.get_close_matches(wanted, by_spelling, n=1, cutoff=0.6)
    return by_spelling[close[0]] if close else None


def show(value: Any) -> str:
    """Return a received value as it is quoted in messages."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        told = f"a mapping with {', '.join(map(repr, value))}" if value else "an empty mapping"
    elif isinstance(value, Sequence) and not isinstance(value, str):
        told = f"[{', '.join(map(show, value))}]"
    else:
        told = repr(value)
    return told if len(told) <= _LONGEST_QUOTE else f"{told[: _LONGEST_QUOTE - 4]} ..."


@dataclass(frozen=True, slots=True)
class _Error:
    """A pydantic error whose location was matched with the data."""

    path: Path
    union: Path | None
    kind: str
    message: str


class _Explainer:
    def __init__(self, expectations: Expectations, data: Any, what: str) -> None:
        self.expectations = expectations
        self.data = data
        self.what = what

    def explain(self, error: ValidationError) -> list[Problem]:
        errors = [self._match(each["loc"], each["type"], each["msg"]) for each in error.errors(include_url=False)]
        # Where one branch of a union got further, the complaint of the other branches is noise.
        deeper = {each.union for each in errors if each.union is not None and len(each.path) > len(each.union)}
        problems: dict[tuple[Path, bool], Problem] = {}
        misspelt = {self._meant(each.path) for each in errors if each.kind == "extra_forbidden"}
        for each in errors:
            if each.kind == "missing" and each.path in misspelt:
                continue
            if each.path in deeper and each.path == each.union:
                continue
            beneath = (e.path for e in errors if len(e.path) > len(each.path))
            if each.kind == "too_short" and any(path[: len(each.path)] == each.path for path in beneath):
                # pydantic counts only the valid entries; the invalid ones are told about already.
                continue
            problem = self._problem(each)
            problems.setdefault((problem.path, problem.on_key), problem)
        return list(problems.values())

    def _match(self, location: tuple[int | str, ...], kind: str, message: str) -> _Error:
        """Leave the names of union branches out of a location, which stand between the steps through the data."""
        path: list[str | int] = []
        union: Path | None = None
        value = self.data
        for number, step in enumerate(location):
            inside_mapping = isinstance(value, Mapping) and step in value
            inside_list = isinstance(value, list) and isinstance(step, int) and step < len(value)
            if inside_mapping or inside_list:
                value = value[step]
                path.append(step)
            elif kind == "missing" and number == len(location) - 1:
                path.append(step)
            else:
                union = tuple(path)
        return _Error(tuple(path), union, kind, message)

    def _problem(self, error: _Error) -> Problem:
        if error.kind == "extra_forbidden":
            return self._unknown_key(error.path)
        subject = self._subject(error.path)
        expected = self.expectations.describe(error.path)
        if error.kind == "missing":
            told = f"is missing; it must be {expected}" if expected else "is missing"
            return Problem(path=error.path, subject=subject, text=told)
        received = _get(self.data, error.path)
        if error.kind in {"value_error", "assertion_error"}:
            told = error.message.split(", ", 1)[-1]
            return Problem(path=error.path, subject=f"{subject}:", text=told)
        if not expected:
            words = error.message.removeprefix("Input should be ").removeprefix("Value should have ")
            told = f"must be {words}. Received: {show(received)}"
        else:
            told = f"must be {expected}. Received: {show(received)}{self._hint(error.path, received)}"
        return Problem(path=error.path, subject=subject, text=told)

    def _meant(self, path: Path) -> Path | None:
        """Return the path that was probably meant by one that does not exist."""
        key, known = str(path[-1]), self.expectations.keys(path[:-1])
        other = _OTHER_WORDS.get(key.lower())
        close = other if other in known else suggestion(key, known)
        return (*path[:-1], close) if close else None

    def _unknown_key(self, path: Path) -> Problem:
        key, known = str(path[-1]), self.expectations.keys(path[:-1])
        meant = self._meant(path)
        hint = f"did you mean {meant[-1]!r}?" if meant else f"known are: {', '.join(known) or 'none'}"
        noun = f"unknown option {key!r} of {self.what}" if self.what else f"unknown key {key!r}"
        return Problem(path=path, text=f"{noun}; {hint}", on_key=True)

    def _subject(self, path: Path) -> str:
        of = f" of {self.what}" if self.what else ""
        if not path:
            return f"the options{of}" if self.what else "the registry"
        if isinstance(path[-1], int):
            return f"entry {path[-1] + 1} of {path[-2]!r}{of}" if len(path) > 1 else f"entry {path[-1] + 1}{of}"
        return f"{path[-1]!r}{of}"

    def _hint(self, path: Path, received: Any) -> str:
        types = self.expectations.types(path)
        if isinstance(received, str):
            choices = [choice for choice in self.expectations.choices(path) if isinstance(choice, str)]
            told = _hint_for_text(received, types, choices)
            if told:
                return told
        if isinstance(received, float) and "integer" in types and "number" not in types and received.is_integer():
            return f"; write {int(received)}"
        if "array" in types and received is not None and not isinstance(received, list | dict):
            return f"; write [{received}]"
        meant_as_text = "string" in types <= {"string", "null"} and isinstance(received, bool | int | float)
        return "; put it in quotes" if meant_as_text else ""


def _hint_for_text(received: str, types: frozenset[str], choices: Sequence[str]) -> str:
    meant = suggestion(received, choices)
    if meant:
        return f"; did you mean {meant!r}?"
    if "boolean" in types and received.lower() in _BOOLEAN_WORDS:
        return f"; did you mean {_BOOLEAN_WORDS[received.lower()]}?"
    if types & {"integer", "number"} and received and isinstance(_scalar(received), int | float):
        return "; write it without quotes"
    return ""


def _scalar(text: str) -> Any:
    try:
        return scalar(text.strip())
    except ValueError:
        return None


def _get(data: Any, path: Path) -> Any:
    for step in path:
        data = data[step]
    return data
