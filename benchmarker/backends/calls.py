"""Calls a function in a fresh process with a pinned, deterministic backend: how plugins compute outside a study.

One process computes one thing, so nothing that was imported, seeded or trained before can change its bits. The process
ends when its parent does. It answers on standard output, one JSON object a line; what libraries print goes to a log,
whose end is part of the message if the process dies.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from benchmarker import errors
from benchmarker.backends import chosen, load, worker_environment
from benchmarker.errors import BenchmarkerError, PluginError
from benchmarker.record import Record

_LOG_END = 400  # characters of the log that a message quotes

Listen = Callable[[Any], None]


class _Call(Record):
    """What the process computes; argument, value and result are the plugin's and may be any JSON, NaN included."""

    reference: str
    argument: Any
    backend: str
    threads: int
    seed: int


class _Value(Record):
    """A value that the function emits while it works."""

    event: Literal["value"] = "value"
    value: Any


class _Result(Record):
    """What the function returns."""

    event: Literal["result"] = "result"
    result: Any


class _Error(Record):
    """What the function raises."""

    event: Literal["error"] = "error"
    type: str
    message: str

    def exception(self) -> BenchmarkerError:
        """Return the error that the parent raises."""
        kind = getattr(errors, self.type, None)
        if isinstance(kind, type) and issubclass(kind, BenchmarkerError):
            return kind(self.message)
        return PluginError(f"{self.type}: {self.message}")


_ANSWER: TypeAdapter[_Value | _Result | _Error] = TypeAdapter(
    Annotated[_Value | _Result | _Error, Field(discriminator="event")]
)


def call_in_process(
    reference: str, argument: Any, *, threads: int, seed: int, backend: str | None = None, listen: Listen | None = None
) -> Any:
    """Call a function in a fresh process whose backend is pinned and deterministic, and return its result.

    Parameters
    ----------
    reference : str
        ``"package.module:function"``, called as ``function(argument, emit)``; ``emit(value)`` passes a JSON value on
        to `listen` while the function works.
    argument : JSON value
        Passed to the function.
    threads : int
        Number of threads that one operation may use.
    seed : int
        Seed of the backend's own generators.
    backend : str, optional
        Name of the backend; ``KERAS_BACKEND`` or TensorFlow by default.
    listen : callable, optional
        Called with each value that the function emits.

    Returns
    -------
    JSON value
        Result of the function.

    Raises
    ------
    BenchmarkerError
        The error that the function raised, if it is one of the benchmarker's; a `PluginError` for any other end.
    """
    name = backend or chosen()
    call = _Call(reference=reference, argument=argument, backend=name, threads=threads, seed=seed)
    with tempfile.TemporaryFile() as log, _process(worker_environment(name, threads), log) as process:
        if process.stdin is None or process.stdout is None:
            raise PluginError(f"{reference}: no pipe to the process could be opened")
        process.stdin.write(_line(call).encode())
        process.stdin.flush()  # stays open: its end means that the parent is gone
        for line in process.stdout:
            answer = _ANSWER.validate_python(json.loads(line))
            if isinstance(answer, _Result):
                return answer.result
            if isinstance(answer, _Error):
                raise answer.exception()
            if listen is not None:
                listen(answer.value)
        code = process.wait()
        log.seek(0)
        end = log.read().decode("utf-8", "replace").strip()[-_LOG_END:]
        raise PluginError(f"{reference}: its process ended with exit code {code}: {end or 'it printed nothing'}")


@contextlib.contextmanager
def _process(environment: Mapping[str, str], log: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "benchmarker.backends.calls"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env=dict(environment),
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        process.wait()


def _line(record: Record) -> str:
    # Not by pydantic, which writes NaN as null.
    return json.dumps(record.model_dump()) + "\n"


def main() -> int:
    """Make the call that standard input asks for, and return the exit code."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not end up among the answers
    call = _Call.model_validate(json.loads(sys.stdin.buffer.readline()))
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def answer(record: Record) -> None:
        pipe.write(_line(record))
        pipe.flush()

    try:
        load(call.backend).configure(call.threads, call.seed)
        from benchmarker.discovery import resolve

        result = resolve(call.reference)(call.argument, lambda value: answer(_Value(value=value)))
    except BaseException as error:  # noqa: BLE001 - whatever the function raises is the answer
        import traceback

        traceback.print_exc()
        answer(_Error(type=type(error).__name__, message=str(error) or repr(error)))
        return 1
    answer(_Result(result=result))
    return 0


def _end_with_parent() -> None:
    # Not through `sys.stdin`: a thread that waits in there keeps the interpreter from ending.
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
