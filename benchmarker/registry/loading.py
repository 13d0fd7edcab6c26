"""Reads a registry from a YAML file, from a text list of the radio framework, or by the name of a shipped registry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarker.discovery import Plugins, installed
from benchmarker.errors import PluginError, RegistryError, UnknownPluginError
from benchmarker.paths import expand_user, reading_problem, shipped_folder
from benchmarker.registry.models import Registry
from benchmarker.registry.names import repeated, unknown_generators, unknown_plugins
from benchmarker.registry.overrides import Overridden, Overrides, override
from benchmarker.registry.positions import KeyPath, Position, Problem, SourcePositions
from benchmarker.registry.text_list import read_text_list, text_list_data
from benchmarker.registry.validation import suggestion, validate
from benchmarker.registry.yaml_loader import Document, MalformedYamlError, load_yaml

MAXIMUM_BYTES = 1 << 20

_YAML_SUFFIXES = {".yaml", ".yml", ".json"}
_YAML_LINE = re.compile(r"^(---|[{\[%]|- |[\"']?[A-Za-z_]+[\"']?\s*:(\s|$))", re.MULTILINE)
_BRITISH = {"optimizer": "optimiser"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedRegistry:
    """A valid registry, and the file that it was read from.

    Parameters
    ----------
    registry : Registry
        The registry with overrides applied.
    path : Path
        Path of the file.
    content : bytes
        Bytes of the file, which is read once: what is run, kept and hashed is the same, whatever happens to the file.
    positions : SourcePositions
        Positions of keys and values, for messages.
    is_text_list : bool
        Whether the file is a text list of the radio framework.
    overridden : bool
        Whether settings of the command line changed the registry.
    """

    registry: Registry
    path: Path
    content: bytes
    positions: SourcePositions
    is_text_list: bool = False
    overridden: bool = False

    @property
    def lines(self) -> Mapping[int, int]:
        """Line of each model by its index."""
        return {index: self.positions.position(("models", index)).line for index in range(len(self.registry.models))}

    @property
    def data_path(self) -> Path | None:
        """Absolute path of the user's images; None if the dataset is downloaded or simulated.

        Raises
        ------
        ConfigurationError
            If it is below the home folder of an unknown user.
        """
        written = self.registry.dataset.path
        return None if written is None else (self.path.absolute().parent / expand_user(written)).resolve()


def load_registry(
    path: Path | str, overrides: Overrides | None = None, plugins: Plugins | None = None
) -> LoadedRegistry:
    """Read and validate a registry.

    Parameters
    ----------
    path : Path or str
        A YAML file, a text list, or the name of a shipped registry.
    overrides : Overrides, optional
        Settings of the command line.
    plugins : Plugins, optional
        The installed plugins. If they are given, an invalid registry is also checked for names and options that no
        plugin knows. Text lists and `overrides` always need plugins, by default those of this environment.

    Returns
    -------
    LoadedRegistry
        A registry that is valid in itself; `check_registry` checks it against the installed plugins.

    Raises
    ------
    RegistryError
        If the registry is invalid; it carries every problem.
    """
    file = find_registry(Path(path))
    chosen = overrides or Overrides()
    content = _read(file)
    text = _decode(file, content)
    is_text_list = file.suffix.lower() not in _YAML_SUFFIXES and not _YAML_LINE.search(text) and bool(text.strip())
    try:
        document = read_text_list(text) if is_text_list else load_yaml(text)
    except MalformedYamlError as error:
        line, column = error.position
        raise RegistryError((f"{file}:{line}:{column}: {error.message}",)) from error
    if is_text_list:
        document.data = _text_list_data(file, document, chosen, plugins or installed())
    positions = SourcePositions(source=str(file), keys=_british(document.keys), values=_british(document.values))
    registry = _validate(expand(document.data), positions, document.problems, plugins)
    if chosen != Overrides():
        result = override(registry, chosen, plugins or installed())
        positions = _moved(positions, result)
        registry = _validate(result.data, positions, result.problems)
    return LoadedRegistry(
        registry=registry,
        path=file,
        content=content,
        positions=positions,
        is_text_list=is_text_list,
        overridden=chosen != Overrides(),
    )


def shipped_names() -> tuple[str, ...]:
    """Return the names of the shipped registries, sorted."""
    return tuple(sorted(path.stem for path in shipped_folder().glob("*.yaml")))


def find_registry(path: Path) -> Path:
    """Return the file of a registry: the path itself if it exists, or else the shipped registry of that name.

    ``quickstart``, ``quickstart.yaml`` and ``registries/quickstart.yaml`` name the shipped registry from any folder.
    """
    named = path.parent in {Path(), Path("registries")} and path.suffix in {"", ".yaml", ".yml"}
    if path.exists() or not named or path.stem not in shipped_names():
        return path
    return shipped_folder() / f"{path.stem}.yaml"


def expand(data: Any) -> Any:
    """Return the data of a registry with its short forms written out.

    ``dataset: NAME`` is short for ``dataset: {name: NAME}``, and an augmentation can be written in the same way. An arm
    that is only a name has the augmentation of that name with default options; the arm ``real`` has none. ``generated:
    NAME`` means one image of that generator for each real image.
    """
    if not isinstance(data, Mapping):
        return data
    result = dict(data)
    if isinstance(data.get("dataset"), str):
        result["dataset"] = {"name": data["dataset"]}
    if isinstance(data.get("arms"), list):
        result["arms"] = [_expanded_arm(arm) for arm in data["arms"]]
    if isinstance(data.get("generators"), list):
        result["generators"] = [_with_augmentations(entry) for entry in data["generators"]]
    training = data.get("training")
    if isinstance(training, Mapping) and not any(name in training for name in _BRITISH.values()):
        result["training"] = {_BRITISH.get(key, key): value for key, value in training.items()}
    return result


def _expanded_arm(arm: Any) -> Any:
    if isinstance(arm, str):
        return {"name": arm} if arm == "real" else {"name": arm, "augmentations": [{"name": arm}]}
    result = _with_augmentations(arm)
    if isinstance(result, dict) and isinstance(result.get("generated"), str):
        result["generated"] = {"by": result["generated"], "ratio": 1.0}
    return result


def _with_augmentations(entry: Any) -> Any:
    """Return an arm or a generator with its augmentations written out."""
    if not isinstance(entry, Mapping):
        return entry
    result = dict(entry)
    if isinstance(entry.get("augmentations"), list):
        result["augmentations"] = [{"name": e} if isinstance(e, str) else e for e in entry["augmentations"]]
    return result


def _british(positions: Mapping[KeyPath, Position]) -> dict[KeyPath, Position]:
    """Return positions under the British names that `expand` gives to settings in American spelling."""
    moved: dict[KeyPath, KeyPath] = {
        ("training", american): ("training", british) for american, british in _BRITISH.items()
    }
    if any(british in positions for british in moved.values()):
        return dict(positions)
    return {(*moved.get(path[:2], path[:2]), *path[2:]): position for path, position in positions.items()}


def _read(file: Path) -> bytes:
    if file.exists() and (problem := reading_problem(file)):
        raise RegistryError((problem,))
    try:
        with file.open("rb") as stream:
            content = stream.read(MAXIMUM_BYTES + 1)
    except FileNotFoundError as error:
        meant = suggestion(file.stem, shipped_names())
        hint = f"did you mean {meant!r}?" if meant else f"the shipped ones are: {', '.join(shipped_names())}"
        raise RegistryError((f"{file}: no such registry; {hint}",)) from error
    except IsADirectoryError as error:
        raise RegistryError((f"{file}: is a folder; give the file of the registry in it",)) from error
    except OSError as error:
        raise RegistryError((f"{file}: cannot be read: {error.strerror}",)) from error
    if len(content) > MAXIMUM_BYTES:
        raise RegistryError((f"{file}: larger than {MAXIMUM_BYTES >> 20} MiB, so it cannot be a registry",))
    return content


def _decode(file: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise RegistryError((f"{file}:{line}:{column}: not UTF-8 text; save the file as UTF-8",)) from error


def _text_list_data(file: Path, document: Document, overrides: Overrides, plugins: Plugins) -> dict[str, Any]:
    try:
        return text_list_data(document.data["models"], own_data=overrides.data is not None, plugins=plugins)
    except (UnknownPluginError, PluginError) as error:
        raise RegistryError((f"{file}: {error}",)) from error


def _validate(
    data: Any, positions: SourcePositions, problems: list[Problem], plugins: Plugins | None = None
) -> Registry:
    if not isinstance(data, Mapping) and not problems:
        text = "a registry is a mapping with at least the keys 'dataset' and 'models'"
        raise RegistryError((positions.message(Problem(text=text)),))
    registry, found = validate(Registry, data)
    found += [*repeated(data, positions), *unknown_generators(data)]
    # A value that could not be read is reported already; it must not be reported again as missing or wrong.
    unread = {problem.path for problem in problems if problem.position is None and not problem.option}
    found = [each for each in found if not any(each.path[:length] in unread for length in range(len(each.path) + 1))]
    if registry is not None and not problems and not found:
        return registry
    named = unknown_plugins(data, plugins) if plugins is not None else []
    raise RegistryError(positions.messages([*problems, *found, *named]))


def _moved(positions: SourcePositions, result: Overridden) -> SourcePositions:
    """Return positions with the values that options set, and with the new indices of arms after some were left out."""
    new = {old: number for number, old in enumerate(result.arms)}

    def renumbered(found: Mapping[KeyPath, Position]) -> dict[KeyPath, Position]:
        moved: dict[KeyPath, Position] = {}
        for path, position in found.items():
            if len(path) < 2 or path[0] != "arms":
                moved[path] = position
            elif isinstance(path[1], int) and path[1] in new:
                moved["arms", new[path[1]], *path[2:]] = position
        return moved

    return replace(
        positions, options=result.options, keys=renumbered(positions.keys), values=renumbered(positions.values)
    )
