"""Probes ask one question in a fresh process, so that a hang or a crash there cannot end the command that asks.

``python -m benchmarker.maintenance.probes`` reads the question as JSON from standard input and writes the answer to
standard output. The question about a backend is asked in the environment of a worker.
"""

from __future__ import annotations

import contextlib
import faulthandler
import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from benchmarker.backends import worker_environment
from benchmarker.record import Record
from benchmarker.study.fingerprint import Fingerprint
from benchmarker.study.plan import DatasetRecord
from benchmarker.study.specs import CellSpec

A = TypeVar("A", bound=Record)

SECONDS = 120.0
"""A backend needs some seconds to start; a minute the first time on the file system of a cluster."""

_GRACE_SECONDS = 10.0
_IN_FINGERPRINTS = ("architecture", "augmentation", "dataset", "generator")
_LINES = 15


class PluginsQuestion(Record):
    """Ask which plugins are installed."""

    about: Literal["plugins"] = "plugins"
    """Tells the questions apart."""

    seconds: float
    """Time after which the probe gives up."""


class BackendQuestion(Record):
    """Ask for the fingerprint of a worker."""

    about: Literal["backend"] = "backend"
    """Tells the questions apart."""

    seconds: float
    """Time after which the probe gives up."""

    backend: str
    """Name of the backend of Keras."""

    threads: int
    """Threads that one operation may use."""

    precision: str
    """Arithmetic of the layers."""


class SpeedQuestion(Record):
    """Ask how fast a network trains."""

    about: Literal["speed"] = "speed"
    """Tells the questions apart."""

    seconds: float
    """Time after which the probe gives up."""

    spec: CellSpec
    """A cell of the network, with the backend and the precision in question."""

    dataset: DatasetRecord
    """The images that it is made for; noise of their shape takes their place."""

    steps: int
    """Gradient steps of each epoch."""


Question = PluginsQuestion | BackendQuestion | SpeedQuestion

_QUESTION: TypeAdapter[Question] = TypeAdapter(Annotated[Question, Field(discriminator="about")])


class EntryPoint(Record):
    """An entry point that plugins are loaded from."""

    name: str
    """Name of the entry point."""

    distribution: str
    """Name and version of the distribution that has it."""

    path: str
    """Path of the module."""


class BrokenEntry(Record):
    """A plugin that cannot be used."""

    name: str
    """Name of the entry point or plugin."""

    distribution: str
    """Name and version of its distribution."""

    error: str
    """What is wrong with it."""

    traceback: str
    """Traceback of the error; empty where there is none."""


class PluginsAnswer(Record):
    """The plugins that are installed."""

    entries: tuple[EntryPoint, ...]
    """Entry points, sorted by name."""

    broken: tuple[BrokenEntry, ...]
    """Plugins that cannot be used."""

    registered: dict[str, dict[str, str]]
    """Distribution of each plugin, by kind and name."""

    code: dict[str, str]
    """SHA-256 of the code of each plugin that a run may use, such as ``"architecture mcrgnet"``."""


class BackendAnswer(Record):
    """The fingerprint that a worker would record, without plugins."""

    fingerprint: Fingerprint
    """What of the environment may change bits."""


class SpeedAnswer(Record):
    """How fast a network trains."""

    images_per_second: float | None = None
    """Training images per second, after compilation; None if it was refused."""

    start_seconds: float | None = None
    """Time to build the network and train for one epoch of some steps."""

    refused: str = ""
    """Why it was not trained; empty if it was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[A]):
    """What came of a probe.

    Parameters
    ----------
    answer : Record or None
        The answer; None if there is none.
    problem : str
        Why there is none, in one line; empty otherwise.
    output : str
        End of what the probe printed, if there is no answer.
    """

    answer: A | None = None
    problem: str = ""
    output: str = ""


class Probe(Generic[A]):
    """A process that answers one question.

    Parameters
    ----------
    question : Question
        What to ask.
    answers : type
        Model of the answer.
    environment : mapping of str to str, optional
        Environment of the process; that of this process by default.
    """

    def __init__(
        self,
        question: Question,
        answers: type[A],
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._question = question
        self._answers = answers
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "benchmarker.maintenance.probes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )

    def outcome(self) -> Outcome[A]:
        """Wait for the answer."""
        seconds = self._question.seconds
        late = f"no answer after {seconds:.0f} s (--timeout allows more)"
        written = self._question.model_dump_json().encode()
        try:
            # The probe ends itself first, so that it can say where it hung.
            out, err = self._process.communicate(written, timeout=seconds + _GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return Outcome(problem=late, output=_tail(self.end()))
        except BaseException:
            self.end()
            raise
        output = err.decode(errors="replace")
        if self._process.returncode == 0:
            with contextlib.suppress(ValidationError):
                return Outcome(answer=self._answers.model_validate_json(out))
        if "Timeout (" in output:
            # The innermost calls come first.
            return Outcome(problem=late, output="\n".join(output.rpartition("Timeout (")[2].splitlines()[1:_LINES]))
        return Outcome(problem=_last_words(output, self._process.returncode), output=_tail(output))

    def end(self) -> str:
        """End the process and whatever it started, if they are still running; return what it printed."""
        if self._process.returncode is not None:
            return ""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        _, err = self._process.communicate()
        return err.decode(errors="replace")


def _tail(output: str) -> str:
    return "\n".join(output.splitlines()[-_LINES:])


def _last_words(output: str, code: int) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    if code < 0:
        return f"its process was ended by {signal.Signals(-code).name}"
    return lines[-1] if lines else f"its process ended with code {code}"


def probe_plugins(seconds: float = SECONDS) -> Probe[PluginsAnswer]:
    """Start a process that lists the installed plugins."""
    return Probe(PluginsQuestion(seconds=seconds), PluginsAnswer)


def probe_backend(name: str, threads: int, precision: str, seconds: float = SECONDS) -> Probe[BackendAnswer]:
    """Start a backend in the environment of a worker."""
    question = BackendQuestion(backend=name, threads=threads, precision=precision, seconds=seconds)
    return Probe(question, BackendAnswer, worker_environment(name, threads))


def probe_speed(question: SpeedQuestion) -> Probe[SpeedAnswer]:
    """Start a process that trains a network for some steps, in the environment of a worker."""
    return Probe(question, SpeedAnswer, worker_environment(question.spec.backend, question.spec.threads))


def main() -> int:
    """Answer the question on standard input."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever libraries print must not end up in the answer
    question = _QUESTION.validate_json(sys.stdin.read())
    # If it hangs, the end of standard error says where.
    faulthandler.dump_traceback_later(question.seconds, exit=True)
    answer = _answer(question)
    faulthandler.cancel_dump_traceback_later()
    with pipe:
        pipe.write(answer.model_dump_json(exclude_unset=True))
    return 0


def _answer(question: Question) -> Record:
    match question:
        case BackendQuestion():
            return _backend(question)
        case SpeedQuestion():
            return _speed(question)
        case PluginsQuestion():
            return _plugins()


def _speed(question: SpeedQuestion) -> SpeedAnswer:
    from benchmarker.maintenance.speed_step import train_steps

    dataset = question.dataset
    found = train_steps(question.spec, dataset.shape, dataset.task, question.steps)
    return SpeedAnswer.model_validate(found)


def _backend(question: BackendQuestion) -> BackendAnswer:
    from benchmarker import backends
    from benchmarker.study.fingerprint import fingerprint

    backends.load(question.backend).configure(question.threads, 1)
    found = fingerprint(question.backend, question.threads, question.precision, {})
    return BackendAnswer(fingerprint=found)


def _plugins() -> PluginsAnswer:
    from benchmarker.contracts.plugins import KINDS
    from benchmarker.discovery import discover
    from benchmarker.entry_points import find

    found = discover()
    entries = [
        EntryPoint(name=point.entry.name, distribution=point.distribution, path=_path(point.entry.module))
        for point in find()
    ]
    broken = [
        BrokenEntry(name=one.name, distribution=one.distribution, error=one.error, traceback=one.traceback)
        for one in found.broken
    ]
    registered = {kind: {one.plugin.name: one.distribution for one in found.all(kind)} for kind in KINDS}
    used = [(kind, name) for kind in _IN_FINGERPRINTS for name in registered[kind]]
    return PluginsAnswer(
        entries=tuple(entries),
        broken=tuple(broken),
        registered=registered,
        code={name: code.digest for name, code in found.code(used).items()},
    )


def _path(module: str) -> str:
    loaded = sys.modules.get(module)
    if loaded is not None and getattr(loaded, "__file__", None):
        return str(loaded.__file__)
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return "not found"
    return str(spec.origin) if spec is not None and spec.origin else "not found"


if __name__ == "__main__":
    sys.exit(main())
