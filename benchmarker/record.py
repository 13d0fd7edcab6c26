"""The base of everything that is written as JSON and read back through the same model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, PlainValidator, ValidationError

from benchmarker.contracts.tasks import Task, task_from_json
from benchmarker.errors import StorageError
from benchmarker.files import read_ordinary_text, write_json

Json = dict[str, Any]
"""A JSON object on its way to a file or a digest."""


_Read = TypeVar("_Read")
_Settings = TypeVar("_Settings", bound=BaseModel)


class Record(BaseModel):
    """Base of specifications, events and files: unknown names are refused, and nothing changes once it is read.

    What was not given is not written, unless it can have one value only, such as the format of a file. So a file that
    another version wrote keeps its digest when it is read and written again, and canonical JSON lacks optional parts.

    The docstring below each field describes it to readers of the source. Pydantic does not read them: that would parse
    the source of fifty classes whenever a process starts.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )

    _constants: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """Find the fields that can have one value only."""
        cls._constants = frozenset(
            name
            for name, field in cls.model_fields.items()
            if get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1
        )

    def model_post_init(self, _context: Any, /) -> None:
        """Count the fields that can have one value only as given."""
        self.__pydantic_fields_set__.update(self._constants)

    def to_json(self) -> Json:
        """Return the JSON object that `model_validate` reads; every part that was given, in the order of the fields."""
        return self.model_dump(mode="json", exclude_unset=True)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file that `write` wrote.

        Raises
        ------
        StorageError
            If the file cannot be read, or is not what this class describes.
        """
        return read_as(path, cls.model_validate)

    def write(self, path: Path, *, confirm: Callable[[], object] = lambda: None) -> None:
        """Write this object as indented JSON; a reader finds the old file or the new one, and nothing in between.

        Parameters
        ----------
        path : Path
            Path of the file.
        confirm : callable
            Called when the new content is complete, just before it replaces the old; raises what keeps it from that.

        Raises
        ------
        StorageError
            If the file cannot be written.
        """
        write_json(path, self.to_json(), confirm=confirm)


def read_as(path: Path, validate: Callable[[Any], _Read]) -> _Read:
    """Read a JSON file through a function that validates its content.

    Raises
    ------
    StorageError
        If the file cannot be read, or its content is not valid.
    """
    try:
        return validate(json.loads(read_ordinary_text(path)))
    except (OSError, ValueError, RecursionError) as error:
        reason = explain(error) if isinstance(error, ValidationError) else error
        raise StorageError(f"{path}: cannot be read: {reason}") from error


def explain(error: ValidationError) -> str:
    """Return the first thing that is wrong with JSON, and where: ``"cells.3.seed: Field required"``."""
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(step) for step in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]


def _write_out(value: Any) -> Any:
    return value.model_dump() if isinstance(value, BaseModel) else value


WrittenOut = Annotated[_Settings, BeforeValidator(_write_out)]
"""Settings of a registry as records hold them: defaults are written out, so that they are part of digests.

Settings that are read from a file stay as they are, with nothing added.
"""


def _read_task(value: Any) -> Task:
    return value if isinstance(value, Task) else task_from_json(value)


def _write_task(task: Task) -> Json:
    return task.to_json()


TaskRecord = Annotated[Task, PlainValidator(_read_task), PlainSerializer(_write_task)]
"""A task, as files hold it."""
