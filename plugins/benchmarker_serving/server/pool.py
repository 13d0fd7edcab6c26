"""Worker processes that run models, restarted when they die, and batches of the requests that wait for them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarker_serving.server.catalogue import Served
from benchmarker_serving.server.contract import Arrays, RequestError
from benchmarker_serving.server.worker import LENGTHS, Head, pack, unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

ATTEMPTS = 3
"""How often a batch is tried before its requests fail: a worker may die of something else than the batch."""

_START_SECONDS = 120.0
_BATCH_SECONDS = 120.0
_FAILURES = (ConnectionError, asyncio.IncompleteReadError, TimeoutError)


class Worker:
    """One process that runs models.

    Parameters
    ----------
    models : sequence of Served
        Models to load.
    threads : int
        Threads of one batch.
    """

    def __init__(self, models: Sequence[Served], threads: int) -> None:
        self._models = models
        self._threads = threads
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the process and wait until it has loaded its models."""
        words = [f"{model.key}={model.file}" for model in self._models]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "benchmarker_serving.server.worker", str(self._threads), *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip
        async with asyncio.timeout(_START_SECONDS):
            await self._receive()

    async def run(self, key: str, inputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """Return the output of a model.

        Raises
        ------
        RequestError
            If the model refuses the inputs.
        ConnectionError, IncompleteReadError, TimeoutError
            If the process has died, or takes too long.
        """
        process = self._process
        if process is None or process.stdin is None:
            raise ConnectionError("the worker has not been started")
        process.stdin.write(pack(inputs, model=key))
        await process.stdin.drain()
        async with asyncio.timeout(_BATCH_SECONDS):
            header, arrays = await self._receive()
        if header.error:
            raise RequestError(header.error, 500)
        return arrays["outputs"]

    async def _receive(self) -> tuple[Head, dict[str, NDArray[Any]]]:
        if self._process is None or self._process.stdout is None:
            raise ConnectionError("the worker has not been started")
        head, content = LENGTHS.unpack(await self._process.stdout.readexactly(LENGTHS.size))
        read = self._process.stdout.readexactly
        return unpack(await read(head), await read(content))

    async def stop(self) -> None:
        """End the process, whatever it is doing."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()

    @property
    def process_id(self) -> int:
        """Number of the process; 0 before it is started."""
        return 0 if self._process is None else self._process.pid


class Pool:
    """Several workers with the same models.

    Parameters
    ----------
    models : sequence of Served
        Models to load.
    workers, threads : int
        Number of processes, and threads of each.
    """

    def __init__(self, models: Sequence[Served], *, workers: int, threads: int) -> None:
        self.workers = [Worker(models, threads) for _ in range(workers)]
        self.restarts = 0
        self._idle: asyncio.Queue[Worker] = asyncio.Queue()

    async def start(self) -> None:
        """Start all workers."""
        await asyncio.gather(*(worker.start() for worker in self.workers))
        for worker in self.workers:
            self._idle.put_nowait(worker)

    async def run(self, key: str, inputs: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """Return the output of a model, from whichever worker is idle; one that dies is restarted.

        Raises
        ------
        RequestError
            If the model refuses the inputs, or worker after worker died.
        """
        for _ in range(ATTEMPTS):
            worker = await self._idle.get()
            try:
                return await worker.run(key, inputs)
            except _FAILURES:
                await self._restart(worker)
            finally:
                self._idle.put_nowait(worker)
        raise RequestError("the model's process died repeatedly", 503)

    async def _restart(self, worker: Worker) -> None:
        self.restarts += 1
        logger.warning("the worker process %d has died; it is restarted", worker.process_id)
        await worker.stop()
        with contextlib.suppress(*_FAILURES):  # the next attempt finds it dead again
            await worker.start()

    async def stop(self) -> None:
        """End all workers."""
        await asyncio.gather(*(worker.stop() for worker in self.workers))


@dataclass(slots=True)
class _Waiting:
    inputs: Arrays
    images: int
    answer: asyncio.Future[NDArray[Any]] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Batcher:
    """Joins requests to one model that arrive within a moment into batches.

    Parameters
    ----------
    pool : Pool
        Runs the batches.
    model : Served
        The model.
    images : int
        Largest number of images in a batch, but for a single request that has more.
    delay : float
        Seconds that a request waits for others.
    waiting : int
        Largest number of images that wait; further requests are refused.
    """

    def __init__(self, pool: Pool, model: Served, *, images: int, delay: float, waiting: int) -> None:
        self._pool = pool
        self._model = model
        self._images = images
        self._delay = delay
        self._limit = waiting
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue()
        self._queued = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._collector: asyncio.Task[None] | None = None

    async def run(self, inputs: Arrays) -> NDArray[Any]:
        """Return the output for the inputs of one request.

        Raises
        ------
        RequestError
            If too many images wait already, or the model fails.
        """
        waiting = _Waiting(inputs, len(next(iter(inputs.values()))))
        if self._queued and self._queued + waiting.images > self._limit:
            raise RequestError("too many images wait already; try again later", 503)
        if self._collector is None:
            self._collector = asyncio.create_task(self._collect())
        self._queued += waiting.images
        self._queue.put_nowait(waiting)
        try:
            return await waiting.answer
        finally:
            self._queued -= waiting.images

    async def _collect(self) -> None:
        pending: _Waiting | None = None
        while True:
            batch = [pending if pending is not None else await self._queue.get()]
            pending = None
            images = batch[0].images
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._delay):
                    while images < self._images:
                        following = await self._queue.get()
                        if images + following.images > self._images:
                            pending = following
                            break
                        batch.append(following)
                        images += following.images
            task = asyncio.create_task(self._answer(batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, batch: list[_Waiting]) -> None:
        import numpy as np

        try:
            joined = {name: np.concatenate([each.inputs[name] for each in batch]) for name in batch[0].inputs}
            outputs = await self._pool.run(self._model.key, joined)
        # Broad on purpose: every request of the batch must get an answer, whatever happened.
        except Exception as error:  # noqa: BLE001
            for each in batch:
                if not each.answer.done():
                    each.answer.set_exception(error)
            return
        start = 0
        for each in batch:
            if not each.answer.done():
                each.answer.set_result(outputs[start : start + each.images])
            start += each.images

    async def stop(self) -> None:
        """Stop collecting; requests that are being answered are finished first."""
        if self._tasks:
            await asyncio.gather(*self._tasks)
        if self._collector is not None:
            self._collector.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._collector
