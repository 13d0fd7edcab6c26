"""Makes executors from their descriptions, and options of the command line from their specifications."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union, cast, get_args, get_origin

from benchmarker.contracts.executors import TaskExecutor
from benchmarker.contracts.plugins import Executor
from benchmarker.discovery import options_model, resolve
from benchmarker.errors import PluginError
from benchmarker.registry.options import validated_options

_METHODS = ("connected", "submit", "states", "cancel")
_STAYS = "stays"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorOption:
    """An option of ``benchmarker submit`` that executors specify.

    Parameters
    ----------
    field : str
        Name of the field, ``cpu_time`` for ``--cpu-time``.
    kind : type
        ``str``, ``int``, ``float``, ``bool`` for a flag, or `Path`.
    several : bool
        Whether it may be given several times.
    executors : tuple of str
        Names of the executors that have it.
    help : str
        What it does; from the docstring of the field.
    metavar : str
        What help shows for its value; empty for that of the type.
    """

    field: str
    kind: type
    several: bool
    executors: tuple[str, ...]
    help: str
    metavar: str = ""

    @property
    def flag(self) -> str:
        """The option as it is typed."""
        return f"--{self.field.replace('_', '-')}"


def open_executor(executor: Executor, options: Mapping[str, Any]) -> TaskExecutor:
    """Make an executor.

    Parameters
    ----------
    executor : Executor
        Its description.
    options : mapping of str to plain data
        Its options; what is missing has its default.

    Raises
    ------
    ConfigurationError
        If options are wrong.
    PluginError
        If the plugin is.
    """
    made = resolve(executor.executor)(validated_options(executor, options))
    missing = [name for name in _METHODS if not callable(getattr(made, name, None))]
    if missing:
        raise PluginError(
            f"the executor {executor.name!r} ({executor.executor}) must have the methods {', '.join(_METHODS)}. "
            f"Received: {type(made).__name__} without {', '.join(missing)}"
        )
    if not isinstance(getattr(made, _STAYS, None), bool):
        raise PluginError(
            f"the executor {executor.name!r} ({executor.executor}) must say whether it stays until its tasks have "
            f"ended: {_STAYS} = True or False. Received: {getattr(made, _STAYS, 'nothing')!r}"
        )
    return cast("TaskExecutor", made)


def executor_options(executors: Iterable[Executor]) -> list[ExecutorOption]:
    """Return the options that executors specify, in the order of the executors; equal ones are shared.

    Parameters
    ----------
    executors : iterable of Executor
        The installed executors.

    Raises
    ------
    PluginError
        If an executor has an option that cannot be typed on the command line, or that another executor has with
        another type.
    """
    found: dict[str, ExecutorOption] = {}
    for executor in executors:
        for option in _options_of(executor):
            same = found.get(option.field)
            if same is None:
                found[option.field] = option
            elif (same.kind, same.several) == (option.kind, option.several):
                found[option.field] = ExecutorOption(
                    field=option.field,
                    kind=option.kind,
                    several=option.several,
                    executors=(*same.executors, *option.executors),
                    help=same.help,
                    metavar=same.metavar,
                )
            else:
                raise PluginError(
                    f"the executors {same.executors[0]!r} and {executor.name!r} have an option {option.flag} of "
                    "different types: uninstall one of them"
                )
    return list(found.values())


def _options_of(executor: Executor) -> list[ExecutorOption]:
    model = options_model(executor)
    if model is None:
        return []
    found = []
    for name, field in model.model_fields.items():
        kind, several = _kind(field.annotation)
        if kind is None or field.is_required():
            what = "needs a default" if kind is not None else f"has a type that cannot be typed: {field.annotation}"
            raise PluginError(f"the option {name!r} of the executor {executor.name!r} {what}")
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        found.append(
            ExecutorOption(
                field=name,
                kind=kind,
                several=several,
                executors=(executor.name,),
                help=" ".join((field.description or "").split()),
                metavar=str(extra.get("metavar", "")),
            )
        )
    return found


def _kind(annotation: Any) -> tuple[type | None, bool]:
    """Return the type of a field's value, and whether there may be several."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        inner = [each for each in arguments if each is not type(None)]
        return _kind(inner[0]) if len(inner) == 1 else (None, False)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return _kind(arguments[0])[0], True
    return (annotation, False) if annotation in (str, int, float, bool, Path) else (None, False)
