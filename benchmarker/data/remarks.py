"""Remarks about images that are used although something about their files is odd.

A reader that meets a stale checksum in each of 10,000 files should say so once, with a count. `remark` notes it, and
`collect_remarks` gathers what was noted while a dataset was read.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

logger = logging.getLogger(__name__)

_collected: ContextVar[dict[str, list[str]] | None] = ContextVar("remarks", default=None)


def remark(text: str, name: str) -> None:
    """Note something odd about a file that is used nevertheless.

    Parameters
    ----------
    text : str
        What is odd, in words that are the same for every file: ``"the checksum DATASUM is stale"``.
    name : str
        Name of the file.
    """
    collected = _collected.get()
    if collected is None:
        logger.warning("%s: %s", name, text)
    else:
        collected.setdefault(text, []).append(name)


@contextmanager
def collect_remarks() -> Iterator[dict[str, list[str]]]:
    """Collect the remarks made within the block: the names of the files for each text.

    Examples
    --------
    >>> with collect_remarks() as remarks:
    ...     remark("the checksum DATASUM is stale", "a.fits")
    ...     remark("the checksum DATASUM is stale", "b.fits")
    >>> remarks
    {'the checksum DATASUM is stale': ['a.fits', 'b.fits']}
    """
    collected: dict[str, list[str]] = {}
    token = _collected.set(collected)
    try:
        yield collected
    finally:
        _collected.reset(token)
