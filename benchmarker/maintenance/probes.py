"""Starts the doctor's probes, waits for them no longer than a limit, and leaves none behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarker.backends import worker_environment

# A backend needs some seconds to start; on a file system of a cluster, for the first time, a minute.
SECONDS = 120.0
_GRACE_SECONDS = 10.0
_LINES = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a probe said.

    Parameters
    ----------
    value : mapping or None
        The answer; None if there is none.
    problem : str
        Why there is none, in one line; empty otherwise.
    output : str
        The end of what the probe printed, if there is no answer.
    """

    value: Mapping[str, Any] | None = None
    problem: str = ""
    output: str = ""


class Probe:
    """A process that answers one question.

    Parameters
    ----------
    question : mapping
        ``about`` is "plugins" or "backend".
    environment : mapping of str to str or None
        Of the process; this one's by default.
    seconds : float
        After which it is ended.
    """

    def __init__(
        self, question: Mapping[str, Any], environment: Mapping[str, str] | None = None, seconds: float = SECONDS
    ) -> None:
        self._about = str(question["about"])
        self._seconds = seconds
        self._question = json.dumps({**question, "seconds": seconds}).encode()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "benchmarker.maintenance.probe_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )

    def answer(self) -> Answer:
        """Wait for the answer."""
        late = f"no answer after {self._seconds:.0f} s (--timeout gives it longer)"
        try:
            # The probe ends itself first, so that it can say where it hung.
            out, err = self._process.communicate(self._question, timeout=self._seconds + _GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return Answer(problem=late, output=_tail(self.end()))
        except BaseException:
            self.end()
            raise
        output = err.decode(errors="replace")
        if self._process.returncode == 0:
            with contextlib.suppress(ValueError):
                return Answer(value=json.loads(out))
        if "Timeout (" in output:
            # The innermost calls come first.
            return Answer(problem=late, output="\n".join(output.rpartition("Timeout (")[2].splitlines()[1:_LINES]))
        return Answer(problem=_last_words(output, self._process.returncode), output=_tail(output))

    def end(self) -> str:
        """End the process and whatever it started, if they are still there; return what it printed."""
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


def ask_plugins(seconds: float = SECONDS) -> Probe:
    """Start the question about plugins."""
    return Probe({"about": "plugins"}, seconds=seconds)


def ask_backend(name: str, threads: int, precision: str, seconds: float = SECONDS) -> Probe:
    """Start the question about a backend, in the environment of a worker."""
    question = {"about": "backend", "backend": name, "threads": threads, "precision": precision}
    return Probe(question, worker_environment(name, threads), seconds)
