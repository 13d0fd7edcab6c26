"""A safe YAML loader that reads scalars as YAML 1.2 does and keeps the position of every key and value.

PyYAML follows YAML 1.1: ``1e-4`` is a string there, ``no`` is False, ``1:30`` is 90, and of two equal keys the last one
wins silently. Therefore only its parser is used. This module builds plain strings, numbers, booleans, lists and
mappings by the core schema of YAML 1.2, and nothing else: no tag constructs anything.

PyYAML's composer is recursive and expands aliases without a limit. The composer of this module is not recursive, and it
counts what aliases would expand to before they are expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import yaml

from benchmarker.registry.positions import START, KeyPath, Position, Problem

MAXIMUM_DIGITS = 400
MAXIMUM_DEPTH = 40
MAXIMUM_WEIGHT = 100_000

# A scalar weighs 1, and 1 more for each 100 characters, so that long texts cannot be multiplied either.
_CHARACTERS_PER_WEIGHT = 100

_PARSER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o([0-7]+)")
_HEXADECIMAL = re.compile(r"0x([0-9a-fA-F]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_NOT_A_NUMBER = re.compile(r"\.(nan|NaN|NAN)")


class MalformedYamlError(Exception):
    """A text cannot be read as one YAML document.

    Parameters
    ----------
    message : str
        What is wrong.
    position : Position
        Where it is wrong.
    """

    def __init__(self, message: str, position: Position = START) -> None:
        self.message = message
        self.position = position
        super().__init__(message)


@dataclass(slots=True)
class Document:
    """The content of a YAML text.

    Parameters
    ----------
    data : str, int, float, bool, None, list or dict
        Plain data.
    keys, values : dict of KeyPath to Position
        Where each key and each value begins.
    problems : list of Problem
        Repeated keys, tags, and keys that are not text. The values concerned are None or missing in `data`.
    """

    data: Any = None
    keys: dict[KeyPath, Position] = field(default_factory=dict)
    values: dict[KeyPath, Position] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def load_yaml(text: str) -> Document:
    """Read one YAML document.

    Parameters
    ----------
    text : str
        The document, without a byte-order mark.

    Returns
    -------
    Document
        Plain data, positions, and those problems that do not keep the rest from being read.

    Raises
    ------
    MalformedYamlError
        If the text is empty, contains more than one document, is not valid YAML, nests too deeply, or expands too far.
    """
    root = _Composer().compose(text)
    if root is None or (root.kind == "scalar" and root.plain and not root.text):
        raise MalformedYamlError("the file is empty; a registry needs at least the keys 'dataset' and 'models'")
    builder = _Builder()
    builder.document.data = builder.value(root, ())
    return builder.document


def scalar(text: str) -> Any:
    """Return the value of a plain (unquoted) scalar in the core schema of YAML 1.2.

    Raises
    ------
    ValueError
        If it is a number with more digits than any setting could need.

    Examples
    --------
    >>> scalar("1e-4"), scalar("no"), scalar("~")
    (0.0001, 'no', None)
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


@dataclass(slots=True)
class _Node:
    """A scalar, a list, or a mapping with its keys and values as alternating children.

    Parameters
    ----------
    kind : {"scalar", "list", "mapping"}
        Kind of the node.
    position : Position
        Where it begins. An alias has its own position, but its children have those of the anchor's children.
    tag : str, optional
        The tag, if one is written.
    text : str
        Text of a scalar, without quotes.
    plain : bool
        Whether a scalar is written without quotes.
    children : list of _Node
        Entries of a list, or keys and values of a mapping.
    weight, depth : int
        Number of nodes and of levels with all aliases expanded.
    """

    kind: Literal["scalar", "list", "mapping"]
    position: Position
    tag: str | None
    text: str = ""
    plain: bool = False
    children: list[_Node] = field(default_factory=list)
    weight: int = 1
    depth: int = 1

    def pairs(self) -> Iterator[tuple[_Node, _Node]]:
        """Return the keys and values of a mapping."""
        yield from zip(self.children[::2], self.children[1::2], strict=True)


class _Composer:
    """Builds the nodes of one document from the events of PyYAML's parser."""

    def __init__(self) -> None:
        self.open: list[tuple[_Node, str | None, int]] = []
        self.anchors: dict[str, _Node | None] = {}
        self.root: _Node | None = None
        self.weight = 0
        self.documents = 0

    def compose(self, text: str) -> _Node | None:
        """Return the root of a document, or None if there is none."""
        try:
            for event in yaml.parse(text, Loader=_PARSER):
                self._take(event)
        except yaml.MarkedYAMLError as error:
            position = _position(error.problem_mark or error.context_mark)
            raise MalformedYamlError(_grammar(error, text, position), position) from error
        except yaml.reader.ReaderError as error:
            before = text[: error.position]
            position = Position(before.count("\n") + 1, len(before) - before.rfind("\n"))
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
        if "\0" in event.value:
            raise MalformedYamlError("a text with a NUL character, which no setting takes", position)
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
            raise MalformedYamlError(f"the alias *{anchor} is inside its own anchor &{anchor}", position)
        self._weigh(node.weight, len(self.open) + node.depth, position)
        self._add(replace(node, position=position))

    def _weigh(self, weight: int, depth: int, position: Position) -> None:
        self.weight += weight
        if depth > MAXIMUM_DEPTH:
            raise MalformedYamlError(f"nested more than {MAXIMUM_DEPTH} levels deep", position)
        if self.weight > MAXIMUM_WEIGHT:
            cause = "its anchors and aliases expand to" if self.anchors else "it has"
            raise MalformedYamlError(
                f"the registry is too large: {cause} more than {MAXIMUM_WEIGHT:,} entries", position
            )

    def _add(self, node: _Node) -> None:
        if self.open:
            self.open[-1][0].children.append(node)
        else:
            self.root = node


class _Builder:
    """Turns nodes into plain data, and records positions and problems."""

    def __init__(self) -> None:
        self.document = Document()

    def value(self, node: _Node, path: KeyPath) -> Any:
        self.document.values[path] = node.position
        if node.tag is not None:
            allowed = "tags are not allowed: a registry consists of text, numbers, lists and mappings"
            self._problem(f"{allowed}. Received: {_tag(node.tag)}", path)
            return None
        if node.kind == "scalar":
            return self._scalar(node, path)
        if node.kind == "list":
            return [self.value(child, (*path, index)) for index, child in enumerate(node.children)]
        return self._mapping(node, path)

    def _scalar(self, node: _Node, path: KeyPath) -> Any:
        if not node.plain:
            return node.text
        try:
            return scalar(node.text)
        except ValueError as error:
            self._problem(f"no setting needs {error}", path)
            return None

    def _mapping(self, node: _Node, path: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, (key_node, value_node) in self._entries(node, path).items():
            self.document.keys[*path, key] = key_node.position
            result[key] = self.value(value_node, (*path, key))
        return result

    def _entries(self, node: _Node, path: KeyPath) -> dict[str, tuple[_Node, _Node]]:
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
                self._problem(f"the key {key!r} is repeated; the first is at {first.position}", path, key_node.position)
            elif is_merge:
                merge = key_node
                for source in self._merged(value_node, path):
                    for name, pair in self._entries(source, path).items():
                        merged.setdefault(name, pair)
            else:
                own[key] = (key_node, value_node)
        return own | {name: pair for name, pair in merged.items() if name not in own}

    def _merged(self, node: _Node, path: KeyPath) -> list[_Node]:
        sources = node.children if node.kind == "list" else [node]
        if any(source.kind != "mapping" or source.tag is not None for source in sources):
            self._problem("'<<' merges a mapping or a list of mappings, and this is neither", path, node.position)
            return []
        return sources

    def _key(self, node: _Node, path: KeyPath) -> str | None:
        if node.kind != "scalar" or node.tag is not None:
            self._problem("a key must be text", path, node.position)
            return None
        read = scalar(node.text) if node.plain and len(node.text) < MAXIMUM_DIGITS else node.text
        if not isinstance(read, str):
            received = node.text or "nothing"
            self._problem(f"a key must be text. Received: {received}; put it in quotes", path, node.position)
            return None
        return read

    def _problem(self, text: str, path: KeyPath, position: Position | None = None) -> None:
        self.document.problems.append(Problem(text=text, path=path, position=position))


def _tag(tag: str) -> str:
    standard = "tag:yaml.org,2002:"
    return f"!!{tag.removeprefix(standard)}" if tag.startswith(standard) else tag


def _position(mark: Any) -> Position:
    return Position(mark.line + 1, mark.column + 1) if mark else START


def _grammar(error: yaml.MarkedYAMLError, text: str, position: Position) -> str:
    lines = text.split("\n")
    line = lines[position.line - 1] if position.line <= len(lines) else ""
    if line[position.column - 1 : position.column] == "\t":
        return "not valid YAML: a tab; indent with spaces"
    context = f"{error.context}, " if error.context else ""
    return f"not valid YAML: {context}{error.problem or error}"
