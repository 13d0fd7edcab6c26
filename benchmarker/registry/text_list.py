"""Text lists of the radio framework: a line ``convXpress,1e-4,16`` for each network, and ``#`` for comments."""

from __future__ import annotations

from collections import Counter
from typing import Any, cast

from benchmarker.contracts.plugins import Augmentation
from benchmarker.discovery import Plugins
from benchmarker.hooks import spelling
from benchmarker.registry.positions import START, Position, Problem
from benchmarker.registry.yaml_loader import Document, MalformedYamlError, scalar

MOST_MODELS = 5_000
"""Networks of a list; a longer one was not written for this program."""

_FIELDS = ("architecture", "learning_rate", "epochs")
_EXAMPLE = "'network,learning rate,epochs', for example convXpress,1e-4,16"


def read_text_list(text: str) -> Document:
    """Read the networks of a text list.

    Parameters
    ----------
    text : str
        A network on each line. Blank lines are ignored, and so are comments, on their own line or after a network.

    Returns
    -------
    Document
        Its data have only the key ``"models"``.

    Raises
    ------
    MalformedYamlError
        If the list names no network, or more than any comparison has.
    """
    document = Document(data={"models": []}, values={(): START, ("models",): START})
    for number, line in enumerate(text.splitlines(), start=1):
        content = line.split("#", 1)[0]
        if content.strip():
            if len(document.data["models"]) == MOST_MODELS:
                raise MalformedYamlError(f"the list names more than {MOST_MODELS:,} networks")
            _read_line(content, number, document)
    models = document.data["models"]
    if not models:
        raise MalformedYamlError(f"the list names no network; each line is {_EXAMPLE}")
    _name_repeated(models)
    return document


def text_list_data(models: list[dict[str, Any]], *, own_data: bool, plugins: Plugins) -> dict[str, Any]:
    """Return the data of a registry for the networks of a text list; everything else is as in the radio framework.

    Parameters
    ----------
    models : list of dict
        Entries of a registry.
    own_data : bool
        Whether the user gives images. Otherwise the images and the split of the default dataset for text lists are
        used.
    plugins : Plugins
        The installed plugins, of which one dataset and one augmentation are the defaults for text lists.

    Raises
    ------
    UnknownPluginError, PluginError
        If no plugin is the default, or if several are.
    """
    role = "text-list-with-data" if own_data else "text-list"
    dataset: dict[str, Any] = {"name": plugins.default_for("dataset", role).name}
    if own_data:
        dataset["split"] = {"published": False, "train": 250, "validation": 100}
    dataset["preparation"] = {"normalise": True, "clip_sigma": 3}
    augmentation = cast("Augmentation", plugins.default_for("augmentation", "text-list"))
    rotated: dict[str, Any] = {"name": augmentation.name}
    if option := augmentation.shortcuts.get("rotation"):
        rotated["options"] = {option: 15}
    return {
        "dataset": dataset,
        "arms": [{"name": augmentation.name, "augmentations": [rotated], "augment_validation": True}],
        "models": models,
    }


def _read_line(content: str, number: int, document: Document) -> None:
    path = ("models", len(document.data["models"]))
    document.values[path] = document.keys[path] = Position(number, len(content) - len(content.lstrip()) + 1)
    fields = content.split(",")
    if len(fields) != len(_FIELDS):
        document.problems.append(Problem(path=path, text=f"expected {_EXAMPLE}. Received: {content.strip()!r}"))
        document.data["models"].append(None)
        return
    entry: dict[str, Any] = {}
    column = 1
    for name, written in zip(_FIELDS, fields, strict=True):
        position = Position(number, column + len(written) - len(written.lstrip()))
        document.values[*path, name] = document.keys[*path, name] = position
        column += len(written) + 1
        entry[name] = written.strip() if name == "architecture" else _value(written.strip())
    document.data["models"].append(entry)


def _value(text: str) -> Any:
    try:
        return scalar(text)
    except ValueError:
        return text


def _name_repeated(models: list[dict[str, Any] | None]) -> None:
    """Name networks that occur more than once after their settings, because a text list cannot name them."""
    entries = [entry for entry in models if entry is not None]
    counts = Counter(spelling(entry["architecture"]) for entry in entries)
    for entry in entries:
        if counts[spelling(entry["architecture"])] > 1:
            entry["name"] = f"{entry['architecture']}-{entry['learning_rate']}-{entry['epochs']}"
