"""Validates plain data with pydantic, and turns its errors into problems that say where and what is wrong.

The messages are pydantic's own but for a small table of types, whose names come from Python and JSON rather than from
YAML.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from benchmarker.hooks import spelling
from benchmarker.registry.positions import KeyPath, Problem
from benchmarker.registry.yaml_loader import scalar

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

M = TypeVar("M", bound=BaseModel)

# What a value should be, by the first word of pydantic's error type: "int" of "int_type", "int_parsing",
# "int_from_float".
_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "text",
    "tuple": "a list",
    "list": "a list",
    "model": "a mapping of keys and values",
    "dict": "a mapping of keys and values",
}
_TYPE_ERROR = re.compile(r"(?P<type>[a-z]+)_(type|parsing|from_float|attributes_type)")
_LONGEST_QUOTE = 60

# What users may write for a key whose name is spelt too differently to be suggested by similarity.
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


def validate(model: type[M], data: Any, *, owner: str = "") -> tuple[M | None, list[Problem]]:
    """Validate plain data strictly, as JSON: ``"16"`` is not a number and ``1`` is not a boolean.

    Parameters
    ----------
    model : type of BaseModel
        Model of the data.
    data : plain data
        Text, numbers, booleans, None, lists, and mappings with text as keys.
    owner : str
        Plugin whose options the data are, such as ``"the architecture 'convxpress'"``; empty for a registry.

    Returns
    -------
    tuple of (model or None, list of Problem)
        The validated model, or None and every problem, with paths from the root of ``data``.
    """
    try:
        return model.model_validate_json(json.dumps(data), strict=True), []
    except ValidationError as error:
        return None, list(_problems(model, data, error, owner))


def suggestion(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that was probably meant, or None."""
    by_spelling = {spelling(each): each for each in known}
    wanted = spelling(name)
    if wanted in by_spelling:
        return by_spelling[wanted]
    close = difflib.get_close_matches(wanted, by_spelling, n=1, cutoff=0.6)
    return by_spelling[close[0]] if close else None


def _problems(model: type[BaseModel], data: Any, error: ValidationError, owner: str) -> Iterator[Problem]:
    found: dict[KeyPath, list[ErrorDetails]] = {}
    for details in error.errors(include_url=False):
        found.setdefault(_path(details, data), []).append(details)
    meant = {_meant(model, path) for path, errors in found.items() if errors[0]["type"] == "extra_forbidden"}
    parents = {path[:length] for path in found for length in range(len(path))}
    for path, errors in found.items():
        kind = errors[0]["type"]
        # A list counts only its valid entries, and a union complains about every branch: the error below says more.
        if path in parents:
            continue
        if kind == "extra_forbidden":
            yield Problem(path=path, text=_unknown_key(model, path, owner), on_key=True)
        elif kind in {"value_error", "assertion_error"}:
            yield Problem(path=path, subject=f"{_subject(path, owner)}:", text=errors[0]["msg"].partition(", ")[2])
        elif kind != "missing":
            yield Problem(path=path, subject=_subject(path, owner), text=_wrong_value(errors, _value_at(data, path)))
        elif path not in meant:
            yield Problem(path=path, subject=_subject(path, owner), text="is missing")


def _path(details: ErrorDetails, data: Any) -> KeyPath:
    """Return the location of an error without the names of union branches that pydantic adds to it."""
    path: list[str | int] = []
    value = data
    *_, last = details["loc"] or ("",)
    for step in details["loc"]:
        if isinstance(value, Mapping):
            inside = step in value
        else:
            inside = isinstance(value, list) and isinstance(step, int) and step < len(value)
        if inside:
            value = value[step]
            path.append(step)
        elif details["type"] == "missing" and step == last:
            path.append(step)
    return tuple(path)


def _value_at(data: Any, path: KeyPath) -> Any:
    for step in path:
        data = data[step]
    return data


def _wrong_value(errors: Sequence[ErrorDetails], received: Any) -> str:
    """Return what a value should be, in every branch of a union, and what was received."""
    expected = ", or ".join(dict.fromkeys(map(_expected, errors)))
    return f"{expected}. Received: {_quote(received)}{_hint(errors, received)}"


def _expected(details: ErrorDetails) -> str:
    type_error = _TYPE_ERROR.fullmatch(details["type"])
    if type_error and type_error["type"] in _TYPES:
        return f"should be {_TYPES[type_error['type']]}"
    # "Input should be greater than 0", "Tuple should have at least 1 item after validation, not 0"
    return re.sub(r"^\w+ (?=should )| after validation, not \d+$", "", details["msg"])


def _hint(errors: Sequence[ErrorDetails], received: Any) -> str:
    """Return how a value could be corrected; empty if that is not obvious."""
    kinds = {details["type"].partition("_")[0] for details in errors}
    if isinstance(received, str):
        return _hint_for_text(errors, kinds, received)
    if isinstance(received, float) and received.is_integer() and "int" in kinds:
        return f"; write {int(received)}"
    if kinds & {"tuple", "list"} and isinstance(received, bool | int | float):
        return f"; write [{_quote(received)}]"
    return "; put it in quotes" if "string" in kinds and isinstance(received, bool | int | float) else ""


def _hint_for_text(errors: Sequence[ErrorDetails], kinds: set[str], received: str) -> str:
    choices = [
        choice for details in errors for choice in re.findall(r"'([^']+)'", details.get("ctx", {}).get("expected", ""))
    ]
    meant = suggestion(received, choices)
    if meant:
        return f"; did you mean {meant!r}?"
    if "bool" in kinds and received.lower() in _BOOLEAN_WORDS:
        return f"; did you mean {_BOOLEAN_WORDS[received.lower()]}?"
    if kinds & {"tuple", "list"}:
        return f"; write [{received}]"
    return "; write it without quotes" if kinds & {"int", "float"} and _is_number(received) else ""


def _is_number(text: str) -> bool:
    try:
        return isinstance(scalar(text.strip()), int | float)
    except ValueError:
        return False


def _quote(value: Any) -> str:
    """Return a received value as messages quote it, in the words of YAML."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        quoted = f"a mapping with {', '.join(map(repr, value))}" if value else "an empty mapping"
    elif isinstance(value, list):
        quoted = f"[{', '.join(map(_quote, value))}]"
    else:
        quoted = repr(value)
    return quoted if len(quoted) <= _LONGEST_QUOTE else f"{quoted[: _LONGEST_QUOTE - 4]} ..."


def _subject(path: KeyPath, owner: str) -> str:
    of_owner = f" of {owner}" if owner else ""
    if not path:
        return f"the options{of_owner}" if owner else "the registry"
    *above, last = path
    if not isinstance(last, int):
        return f"{last!r}{of_owner}"
    return f"entry {last + 1} of {above[-1]!r}{of_owner}" if above else f"entry {last + 1}{of_owner}"


def _unknown_key(model: type[BaseModel], path: KeyPath, owner: str) -> str:
    meant = _meant(model, path)
    known = ", ".join(_keys(model, path[:-1])) or "none"
    hint = f"did you mean {meant[-1]!r}?" if meant else f"the known ones are: {known}"
    noun = f"unknown option {path[-1]!r} of {owner}" if owner else f"unknown key {path[-1]!r}"
    return f"{noun}; {hint}"


def _meant(model: type[BaseModel], path: KeyPath) -> KeyPath | None:
    """Return the path that was probably meant by one that does not exist."""
    key, known = str(path[-1]), _keys(model, path[:-1])
    other = _OTHER_WORDS.get(key.lower())
    close = other if other in known else suggestion(key, known)
    return (*path[:-1], close) if close else None


def _keys(model: type[BaseModel], path: KeyPath) -> tuple[str, ...]:
    """Return the keys that a mapping may have, in the order of its model."""
    models = [model]
    for step in path:
        if isinstance(step, str):
            fields = [each.model_fields[step].annotation for each in models if step in each.model_fields]
            models = [inner for annotation in fields for inner in _models_in(annotation)]
    return tuple(dict.fromkeys(name for each in models for name in each.model_fields))


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Return the models in a type such as ``tuple[ArmEntry, ...]`` or ``Split | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
