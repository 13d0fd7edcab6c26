"""The base of everything that a study writes as JSON and reads back through the same model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, PlainValidator, ValidationError

from benchmarker.contracts.tasks import Task, task_from_json
from benchmarker.errors import StorageError
from benchmarker.files import write_json

Json = dict[str, Any]
"""A JSON object on its way to a file or a digest."""


class Record(BaseModel):
    """Base of specifications, events and files: unknown names are refused, and nothing changes once it is read.

    What was not given is not written. So a file that another version wrote keeps its digest when it is read and written
    again, and optional parts can be left out of canonical JSON.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )

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
        try:
            return cls.model_validate(json.loads(path.read_text(encoding="utf-8")))
        except ValidationError as error:
            raise StorageError(f"{path}: {explain(error)}") from error
        except (OSError, ValueError) as error:
            raise StorageError(f"{path}: cannot be read: {error}") from error

    def write(self, path: Path) -> None:
        """Write this object as indented JSON; a reader finds the old file or the new one, and nothing in between.

        Raises
        ------
        StorageError
            If the file cannot be written.
        """
        write_json(path, self.to_json())


def explain(error: ValidationError) -> str:
    """Return the first thing that is wrong with JSON, and where: ``"cells.3.seed: Field required"``."""
    first = error.errors(include_url=False, include_context=False)[0]
    place = ".".join(str(step) for step in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]


def _write_out(value: Any) -> Any:
    return value.model_dump() if isinstance(value, BaseModel) else value


_Settings = TypeVar("_Settings", bound=BaseModel)

WrittenOut = Annotated[_Settings, BeforeValidator(_write_out)]
"""Settings of a registry as records hold them: defaults are written out, so that they are part of digests.

Settings that are read from a file stay as they are, with nothing added.
"""


def _to_task(value: Any) -> Task:
    return task_from_json(value) if isinstance(value, dict) else value


def _from_task(task: Task) -> Json:
    return task.to_json()


TaskRecord = Annotated[Task, PlainValidator(_to_task), PlainSerializer(_from_task)]
"""A task, as files hold it."""

FORMAT: Literal[1] = 1
"""Format of plan, manifest and trail; raised when older programs could not read them any more."""
