"""A safe YAML loader that reads YAML 1.2 scalars and remembers where everything stands.

PyYAML follows YAML 1.1: ``1e-4`` is a string there, ``no`` is False, ``1:30`` is 90, and of two equal keys the last one
stays without a word. Only its parser is used here. From its events this module builds plain strings, numbers,
booleans, lists and mappings by the core schema of YAML 1.2, and nothing else: no tag constructs anything. Anchors are
allowed, but what they expand to is counted before it is expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import yaml

from benchmarker.registry.places import Path, Position, Problem

MAXIMUM_DEPTH = 40
MAXIMUM_WEIGHT = 100_000
MAXIMUM_DIGITS = 400

# Each scalar weighs 1 and again 1 for as many characters as this, so that long texts cannot be multiplied either.
_CHARACTERS_PER_WEIGHT = 100

_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o([0-7]+)")
_HEXADECIMAL = re.compile(r"0x([0-9a-fA-F]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_NOT_A_NUMBER = re.compile(r"\.(nan|NaN|NAN)")

_PARSER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class MalformedYamlError(Exception):
    """The text cannot be read as one YAML document at all; carries the position."""

    def __init__(self, message: str, position: Position = (1, 1)) -> None:
        self.message = message
        self.position = position
        super().__init__(message)


@dataclass(slots=True)
class Document:
    """What a YAML text holds.

    Parameters
    ----------
    data : str, int, float, bool, None, list or dict
        Plain data.
    keys, values : dict of Path to Position
        Where each key and each value begins.
    problems : list of Problem
        Equal keys, tags and keys that are no text; what they concern is left out of `data` or None.
    """

    data: Any = None
    keys: dict[Path, Position] = field(default_factory=dict)
    values: dict[Path, Position] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


@dataclass(slots=True)
class _Node:
    kind: Literal["scalar", "list", "mapping"]
    position: Position
    tag: str | None
    text: str = ""
    plain: bool = False
    children: list[_Node] = field(default_factory=list)
    weight: int = 1
    depth: int = 1

    def pairs(self) -> Iterator[tuple[_Node, _Node]]:
        yield from zip(self.children[::2], self.children[1::2], strict=True)


def load_yaml(text: str) -> Document:
    """Read one YAML document.

    Parameters
    ----------
    text : str
        The document, without a byte-order mark.

    Returns
    -------
    Document
        Plain data, positions, and problems that do not keep the rest from being read.

    Raises
    ------
    MalformedYamlError
        If it is empty, holds more than one document, breaks the grammar, nests too deeply, or expands to too much.
    """
    root = _Composer().compose(text)
    if root is None or (root.kind == "scalar" and root.plain and not root.text):
        raise MalformedYamlError("the file is empty; a registry needs at least the keys 'dataset' and 'models'")
    builder = _Builder()
    builder.document.data = builder.value(root, ())
    return builder.document


def scalar(text: str) -> Any:
    """Return what a plain (unquoted) scalar means in the core schema of YAML 1.2.

    Raises
    ------
    ValueError
        If it is a number with more digits than any setting could need.
    """
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
        return text[0] in "tT"
    return _number(text)


def _number(text: str) -> str | int | float:
    infinite = _INFINITE.fullmatch(text)
    if infinite:
        return float(f"{infinite[1]}inf")
    if _NOT_A_NUMBER.fullmatch(text):
        return float("nan")
    if not (text[0] in "+-." or text[0].isdigit()):
        return text
    readers = ((_INTEGER, 10, 0), (_OCTAL, 8, 1), (_HEXADECIMAL, 16, 1))
    for pattern, base, group in readers:
        match = pattern.fullmatch(text)
        if match:
            if len(text) > MAXIMUM_DIGITS:
                raise ValueError(f"a number of {len(text)} digits")
            return int(match[group], base)
    return float(text) if _FLOAT.fullmatch(text) else text


class _Composer:
    """Builds nodes from the parser's events, without recursion, and weighs what aliases would expand to."""

    def __init__(self) -> None:
        self.open: list[tuple[_Node, str | None, int]] = []
        self.anchors: dict[str, _Node | None] = {}
        self.root: _Node | None = None
        self.weight = 0
        self.documents = 0

    def compose(self, text: str) -> _Node | None:
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
            node = _Node(kind, position, event.tag)
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
        node = _Node("scalar", position, event.tag, text=event.value, plain=event.implicit[0], weight=weight)
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

    def _add(self, node: _Node) -> None:
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


class _Builder:
    """Turns nodes into plain data, noting positions and problems."""

    def __init__(self) -> None:
        self.document = Document()

    def value(self, node: _Node, path: Path) -> Any:
        self.document.values[path] = node.position
        if node.tag is not None:
            allowed = "tags are not allowed: a registry holds texts, numbers, lists and mappings"
            self._problem(path, f"{allowed}. Received: {_tag(node.tag)}")
            return None
        if node.kind == "scalar":
            return self._scalar(node, path)
        if node.kind == "list":
            return [self.value(child, (*path, index)) for index, child in enumerate(node.children)]
        return self._mapping(node, path)

    def _scalar(self, node: _Node, path: Path) -> Any:
        if not node.plain:
            return node.text
        try:
            return scalar(node.text)
        except ValueError as error:
            self._problem(path, f"no setting needs {error}")
            return None

    def _mapping(self, node: _Node, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, (key_node, value_node) in self._entries(node, path).items():
            self.document.keys[*path, key] = key_node.position
            result[key] = self.value(value_node, (*path, key))
        return result

    def _entries(self, node: _Node, path: Path) -> dict[str, tuple[_Node, _Node]]:
        """Return the pairs of a mapping; its own keys win over merged ones, and earlier merges over later ones."""
        own: dict[str, tuple[_Node, _Node]] = {}
        merged: dict[str, tuple[_Node, _Node]] = {}
        merge: _Node | None = None
        for key_node, value_node in node.pairs():
            is_merge = key_node.kind == "scalar" and key_node.plain and key_node.text == "<<"
            key = self._key(key_node, path)
            if key is None:
                continue
            first = merge if is_merge else own.get(key, (None,))[0]
            if first is not None:
                line, column = first.position
                self._duplicate(key, path, key_node.position, f"line {line}, column {column}")
            elif is_merge:
                merge = key_node
                for source in self._merged(value_node, path):
                    for name, pair in self._entries(source, path).items():
                        merged.setdefault(name, pair)
            else:
                own[key] = (key_node, value_node)
        return own | {name: pair for name, pair in merged.items() if name not in own}

    def _merged(self, node: _Node, path: Path) -> list[_Node]:
        sources = node.children if node.kind == "list" else [node]
        if any(source.kind != "mapping" or source.tag is not None for source in sources):
            self._at(node.position, path, "'<<' merges a mapping or a list of mappings, and this is neither")
            return []
        return sources

    def _key(self, node: _Node, path: Path) -> str | None:
        if node.kind != "scalar" or node.tag is not None:
            self._at(node.position, path, "a key must be a plain text")
            return None
        read = scalar(node.text) if node.plain and len(node.text) < MAXIMUM_DIGITS else node.text
        if not isinstance(read, str):
            self._at(node.position, path, f"a key must be a text. Received: {node.text or 'nothing'}; put it in quotes")
            return None
        return read

    def _duplicate(self, key: str, path: Path, position: Position, first: str) -> None:
        self._at(position, path, f"the key {key!r} stands here a second time; the first is at {first}")

    def _at(self, position: Position, path: Path, text: str) -> None:
        """Note a problem at a position that belongs to no value: a path of its own makes it known."""
        own = (*path, f"\0{position}")
        self.document.values[own] = position
        self.document.problems.append(Problem(path=own, text=text))

    def _problem(self, path: Path, text: str) -> None:
        self.document.problems.append(Problem(path=path, text=text))


def _tag(tag: str) -> str:
    standard = "tag:yaml.org,2002:"
    return f"!!{tag.removeprefix(standard)}" if tag.startswith(standard) else tag
