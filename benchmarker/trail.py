"""The trail of a run: a chain of SHA-256 digests, each link covering the one before.

A link has a *name*, a *content* (a JSON value, mostly digests of arrays) and a *digest*: the SHA-256 of the canonical
JSON ``[digest of the link before, name, content]``, where the first link follows 64 zeros. Two runs agree as
far as their links do, and the first link whose content differs says where they part. ``docs/reference/trail.md``
describes what each link holds, so that another program can check it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from benchmarker.digests import digest_json

START = "0" * 64
TRAIL_FILE = "trail.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One step of a run.

    Parameters
    ----------
    name : str
        Name of the step, for example ``"epoch 3"``.
    content : JSON value
        What the step left behind; `benchmarker.study.links` has a model for each link.
    digest : str
        SHA-256 of the digest of the link before, the name and the content.
    """

    name: str
    content: Any
    digest: str


class Trail:
    """A chain of links that only grows.

    Parameters
    ----------
    links : iterable of Link
        Links that an earlier part of the run recorded.

    Examples
    --------
    >>> trail = Trail()
    >>> trail.add("data", {"digest": "1" * 64})
    >>> trail.broken_link() is None
    True
    """

    def __init__(self, links: Iterable[Link] = ()) -> None:
        self._links = list(links)

    @classmethod
    def from_json(cls, links: Iterable[Mapping[str, Any]]) -> Self:
        """Return the trail whose links `to_json` gave."""
        return cls(Link(name=link["name"], content=link["content"], digest=link["digest"]) for link in links)

    @property
    def links(self) -> tuple[Link, ...]:
        """All links, the first one first."""
        return tuple(self._links)

    @property
    def head(self) -> str:
        """Digest of the last link, which covers the whole chain."""
        return self._links[-1].digest if self._links else START

    def add(self, name: str, content: Any) -> None:
        """Record a step."""
        self._links.append(Link(name=name, content=content, digest=digest_json([self.head, name, content])))

    def broken_link(self) -> str | None:
        """Return the name of the first link whose digest does not cover the chain before it, or None."""
        before = START
        for link in self._links:
            if link.digest != digest_json([before, link.name, link.content]):
                return link.name
            before = link.digest
        return None

    def to_json(self) -> list[dict[str, Any]]:
        """Return the links as JSON."""
        return [{"name": link.name, "content": link.content, "digest": link.digest} for link in self._links]
