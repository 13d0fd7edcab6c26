"""What processes say to each other, and what is kept between calls: frozen models, checked when they are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmarker import StorageError


class Message(BaseModel):
    """Base of all messages; unknown and missing fields, and values of another type, are errors.

    Examples
    --------
    >>> class Progress(Message):
    ...     done: int
    >>> Progress.from_json({"done": 3})
    Progress(done=3)
    >>> Progress.from_json({"done": "three"})
    Traceback (most recent call last):
    ...
    benchmarker.errors.StorageError: Progress: done: Input should be a valid integer...
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object that `from_json` reads."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, value: Any) -> Self:
        """Return the message that `to_json` described.

        Raises
        ------
        StorageError
            If it is none; the message of the error names the first wrong field.
        """
        return cls._checked(cls.model_validate, value)

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Return the message in a JSON file.

        Raises
        ------
        StorageError
            If it is none; the message of the error names the first wrong field.
        """
        return cls._checked(cls.model_validate_json, content)

    @classmethod
    def _checked(cls, validate: Callable[[Any], Self], value: Any) -> Self:
        try:
            return validate(value)
        except ValidationError as error:
            raise StorageError(f"{cls.__name__}: {_first(error)}") from error

    def to_bytes(self) -> bytes:
        """Return the content of the JSON file that `from_bytes` reads."""
        return self.model_dump_json().encode()


def _first(error: ValidationError) -> str:
    """Return the place and the reason of the first thing that is wrong."""
    found = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, found['loc']))}: {found['msg']}".removeprefix(": ")
