"""Seeds of one network in one program on JAX: every lane holds the training of one seed.

Each lane trains as it would alone, in a thread of its own: with its own network, its own order of the images, callbacks
and snapshots. Only the compiled step is shared. A lane hands in its state and its batch, and waits; once all lanes
have, one program computes the steps of all of them, mapped over the lanes by `jax.vmap`.

The program always has the same number of lanes, whoever is there: an empty lane computes what another one does, and its
result is dropped. No operation mixes lanes. So the bits of a lane depend on the number of lanes and on its own place
among them, and on nothing that other lanes do.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jax

State = Any
StepFunction = Callable[[State, Any], tuple[Any, State]]
_Signature = tuple[Any, ...]


@dataclass(slots=True)
class _Request:
    """The step that a lane waits for, and what became of it."""

    signature: _Signature
    function: StepFunction
    arguments: tuple[Any, ...]
    result: Any = None
    error: BaseException | None = None
    done: bool = False


class Lanes:
    """The lanes of one process.

    Parameters
    ----------
    of : int
        Number of lanes of each program.
    """

    def __init__(self, of: int) -> None:
        self.of = of
        self._changed = threading.Condition()
        self._there: set[int] = set()
        self._requests: dict[int, _Request] = {}
        self._programs: dict[_Signature, Callable[..., Any]] = {}

    def expect(self, number: int) -> None:
        """Wait with every step for a lane, from now on.

        Parameters
        ----------
        number : int
            Number of the lane, counted from 0.

        Raises
        ------
        ValueError
            If there is no such lane, or it is taken.
        """
        with self._changed:
            if not 0 <= number < self.of or number in self._there:
                raise ValueError(f"lane {number} of {self.of} is taken or does not exist")
            self._there.add(number)

    def leave(self, number: int) -> None:
        """Wait for a lane no longer; without effect if it has left."""
        with self._changed:
            self._there.discard(number)
            self._step_if_all_wait()

    @contextmanager
    def training(self, number: int, model: Any) -> Iterator[None]:
        """Let a lane compute the steps of a compiled network together with the others, until the block ends.

        Parameters
        ----------
        number : int
            Number of a lane that is expected; it leaves at the end of the block.
        model : keras.Model
            Compiled network, whose ``fit`` is called within the block.
        """
        # Where `fit` finds functions, it makes none.
        model.train_function = self._iterated(number, "train", model.train_step)
        model.test_function = self._iterated(number, "test", model.test_step)
        try:
            yield
        finally:
            model.train_function = model.test_function = None
            self.leave(number)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let no lane compute a step until the block ends."""
        with self._changed:  # steps are computed with it
            yield

    def _iterated(self, number: int, kind: str, function: StepFunction) -> Callable[[State, Iterator[Any]], Any]:
        texts: dict[_Signature, str] = {}

        def step(state: State, iterator: Iterator[Any]) -> Any:
            arguments = (state, next(iterator))
            shapes = _shapes(arguments)
            if shapes not in texts:
                texts[shapes] = _digest(function, arguments)
            return self._call(number, _Request((kind, shapes, texts[shapes]), function, arguments))

        return step

    def _call(self, number: int, request: _Request) -> Any:
        """Hand in what a lane wants to be computed, and return the result."""
        with self._changed:
            self._requests[number] = request
            self._step_if_all_wait()
            self._changed.wait_for(lambda: request.done)
        if request.error is not None:
            raise request.error
        return request.result

    def _step_if_all_wait(self) -> None:
        """Compute a step of every lane, in the thread of whoever came last; called with the lock."""
        if not self._requests or self._there - set(self._requests):
            return
        together: dict[_Signature, dict[int, _Request]] = {}
        for number, request in self._requests.items():
            together.setdefault(request.signature, {})[number] = request
        self._requests = {}
        for requests in together.values():
            self._step(requests)
        self._changed.notify_all()

    def _step(self, requests: dict[int, _Request]) -> None:
        """Compute the same step of some lanes."""
        first = next(iter(requests.values()))
        arguments = [requests.get(number, first).arguments for number in range(self.of)]
        try:
            results = self._program(first)(arguments)
        except BaseException as error:  # noqa: BLE001 - raised again in the thread of each lane, or they wait forever
            for request in requests.values():
                request.error, request.done = error, True
            return
        for number, request in requests.items():
            request.result, request.done = results[number], True

    def _program(self, request: _Request) -> Callable[..., Any]:
        """Return the compiled program of a step, which takes and returns a list with one entry for each lane."""
        if request.signature not in self._programs:
            function, lanes = request.function, range(self.of)

            @jax.jit  # type: ignore[untyped-decorator]
            def program(arguments: list[Any]) -> list[Any]:
                stacked = jax.tree.map(lambda *values: jax.numpy.stack(values), *arguments)
                results = jax.vmap(function)(*stacked)
                return [jax.tree.map(lambda value, k=number: value[k], results) for number in lanes]

            self._programs[request.signature] = program
        return self._programs[request.signature]


def _shapes(arguments: Any) -> _Signature:
    leaves, structure = jax.tree.flatten(arguments)
    return (structure, *((leaf.shape, str(leaf.dtype)) for leaf in leaves))


def _digest(function: StepFunction, arguments: tuple[Any, ...]) -> str:
    """Return the SHA-256 of a step as the compiler gets it.

    A network may hold numbers that depend on its seed and are no variables, such as random projections. These are part
    of the text, so that lanes whose networks differ in them never share a program.
    """
    return hashlib.sha256(jax.jit(function).lower(*arguments).as_text().encode()).hexdigest()
