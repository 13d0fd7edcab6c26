"""Limits of a server: how large a body may be, how long it may take, and how often a client may ask."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarker_serving.server.contract import RequestError

if TYPE_CHECKING:
    from starlette.requests import Request

_MOST_CLIENTS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a request may cost.

    Parameters
    ----------
    body_bytes : int
        Largest body in bytes.
    body_seconds : float
        Longest time in seconds for a body to arrive.
    images : int
        Largest number of images in a request.
    rate : float
        Requests of one client per second, averaged over some seconds; 0 for any number.
    """

    body_bytes: int = 64 << 20
    body_seconds: float = 30.0
    images: int = 1024
    rate: float = 0.0


async def read_body(request: Request, limits: Limits) -> bytes:
    """Return the body of a request.

    Raises
    ------
    RequestError
        If it is too large (413) or takes too long (408).
    """
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for piece in request.stream():
                body += piece
                if len(body) > limits.body_bytes:
                    raise RequestError(f"the body is larger than {limits.body_bytes:,} bytes", 413)
    except TimeoutError:
        raise RequestError(f"the body did not arrive within {limits.body_seconds:g} s", 408) from None
    return bytes(body)


class RateLimiter:
    """Counts the requests of each client: a bucket of tokens that fills at a steady rate.

    Parameters
    ----------
    rate : float
        Requests per second; 0 for any number.
    seconds : float
        A client that was quiet for this long may make that many seconds' requests at once.

    Examples
    --------
    >>> limiter = RateLimiter(1.0, seconds=2.0)
    >>> [limiter.allows("10.0.0.1", now=0.0) for _ in range(3)], limiter.allows("10.0.0.1", now=1.0)
    ([True, True, False], True)
    """

    def __init__(self, rate: float, seconds: float = 5.0) -> None:
        self._rate = rate
        self._most = max(1.0, rate * seconds)
        self._clients: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, client: str, now: float | None = None) -> bool:
        """Whether a client may make another request now."""
        if not self._rate:
            return True
        moment = time.monotonic() if now is None else now
        tokens, since = self._clients.pop(client, (self._most, moment))
        tokens = min(self._most, tokens + (moment - since) * self._rate)
        allowed = tokens >= 1
        self._clients[client] = (tokens - allowed, moment)
        while len(self._clients) > _MOST_CLIENTS:  # those that were quiet longest
            self._clients.popitem(last=False)
        return allowed
