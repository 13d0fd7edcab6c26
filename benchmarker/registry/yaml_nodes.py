"""Nodes of a YAML document with their positions, built from the events of PyYAML's parser.

PyYAML's own composer recurses, resolves tags and leaves the size of what aliases stand for to whoever expands them.
This one does not recurse, leaves every scalar as it was written, and weighs what aliases would expand to before
anything is expanded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import yaml

from benchmarker.registry.positions import Position

MAXIMUM_DEPTH = 40
MAXIMUM_WEIGHT = 100_000

# Each scalar weighs 1 and again 1 for as many characters as this, so that long texts cannot be multiplied either.
_CHARACTERS_PER_WEIGHT = 100

_PARSER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class MalformedYamlError(Exception):
    """The text cannot be read as one YAML document at all; carries the position."""

    def __init__(self, message: str, position: Position = (1, 1)) -> None:
        self.message = message
        self.position = position
        super().__init__(message)


@dataclass(slots=True)
class Node:
    """A scalar, a list, or a mapping, whose children are keys and values in turn.

    Parameters
    ----------
    kind : {"scalar", "list", "mapping"}
        What it is.
    position : Position
        Where it begins; an alias stands where it is written, what it holds where that was written.
    tag : str, optional
        As written; None almost always.
    text : str
        Of a scalar, unquoted.
    plain : bool
        The scalar was written without quotes.
    children : list of Node
        Of a list or mapping.
    weight, depth : int
        Nodes that it comes to with all aliases expanded, and levels.
    """

    kind: Literal["scalar", "list", "mapping"]
    position: Position
    tag: str | None
    text: str = ""
    plain: bool = False
    children: list[Node] = field(default_factory=list)
    weight: int = 1
    depth: int = 1

    def pairs(self) -> Iterator[tuple[Node, Node]]:
        """Return the keys of a mapping with their values."""
        yield from zip(self.children[::2], self.children[1::2], strict=True)


class Composer:
    """Builds the nodes of one document."""

    def __init__(self) -> None:
        self.open: list[tuple[Node, str | None, int]] = []
        self.anchors: dict[str, Node | None] = {}
        self.root: Node | None = None
        self.weight = 0
        self.documents = 0

    def compose(self, text: str) -> Node | None:
        """Return the root of a document; None where there is none.

        Raises
        ------
        MalformedYamlError
            If the text breaks the grammar, holds a second document, nests too deeply or expands to too much.
        """
        try:
            for event in yaml.parse(text, Loader=_PARSER):
                self._take(event)
        except yaml.MarkedYAMLError as error:
            position = _position(error.problem_mark or error.context_mark)
            raise MalformedYamlError(_grammar(error, text, position), position) from error
        except yaml.reader.ReaderError as error:
            before = text[: error.position]
            position = (before.count("\n") + 1, len(before) - before.rfind("\n"))
            raise MalformedYamlError(f"not valid YAML: {error.reason}", position) from error
        return self.root

    def _take(self, event: yaml.Event) -> None:
        position = _position(event.start_mark)
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise MalformedYamlError("a second document begins here; a registry is one document", position)
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event, position)
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event.anchor or "", position)
        elif isinstance(event, yaml.CollectionStartEvent):
            kind: Literal["list", "mapping"] = "list" if isinstance(event, yaml.SequenceStartEvent) else "mapping"
            node = Node(kind, position, event.tag)
            self._weigh(1, len(self.open) + 1, position)
            self._add(node)
            if event.anchor is not None:
                self.anchors[event.anchor] = None
            self.open.append((node, event.anchor, self.weight))
        elif isinstance(event, yaml.CollectionEndEvent):
            node, anchor, before = self.open.pop()
            node.weight = 1 + self.weight - before
            node.depth = 1 + max((child.depth for child in node.children), default=0)
            if anchor is not None:
                self.anchors[anchor] = node

    def _scalar(self, event: yaml.ScalarEvent, position: Position) -> None:
        weight = 1 + len(event.value) // _CHARACTERS_PER_WEIGHT
        node = Node("scalar", position, event.tag, text=event.value, plain=event.implicit[0], weight=weight)
        self._weigh(weight, len(self.open) + 1, position)
        self._add(node)
        if event.anchor is not None:
            self.anchors[event.anchor] = node

    def _alias(self, anchor: str, position: Position) -> None:
        if anchor not in self.anchors:
            raise MalformedYamlError(f"the alias *{anchor} has no anchor &{anchor} before it", position)
        node = self.anchors[anchor]
        if node is None:
            raise MalformedYamlError(f"the alias *{anchor} stands inside its own anchor &{anchor}", position)
        self._weigh(node.weight, len(self.open) + node.depth, position)
        # The alias itself stands here; what it holds stands where it was written.
        self._add(replace(node, position=position))

    def _weigh(self, weight: int, depth: int, position: Position) -> None:
        self.weight += weight
        if depth > MAXIMUM_DEPTH:
            raise MalformedYamlError(f"nested more than {MAXIMUM_DEPTH} levels deep", position)
        if self.weight > MAXIMUM_WEIGHT:
            cause = "its anchors and aliases expand" if self.anchors else "it comes"
            raise MalformedYamlError(
                f"the registry is too large: {cause} to more than {MAXIMUM_WEIGHT:,} entries", position
            )

    def _add(self, node: Node) -> None:
        if self.open:
            self.open[-1][0].children.append(node)
        else:
            self.root = node


def _position(mark: Any) -> Position:
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)


def _grammar(error: yaml.MarkedYAMLError, text: str, position: Position) -> str:
    line = text.split("\n")[position[0] - 1] if position[0] <= text.count("\n") + 1 else ""
    if line[position[1] - 1 : position[1]] == "\t":
        return "not valid YAML: a tab; indent with spaces"
    context = f"{error.context}, " if error.context else ""
    return f"not valid YAML: {context}{error.problem or error}"
