"""A safe YAML loader that reads YAML 1.2 scalars and remembers where everything stands.

PyYAML follows YAML 1.1: ``1e-4`` is a string there, ``no`` is False, ``1:30`` is 90, and of two equal keys the last one
stays without a word. Only its parser is used. This module builds plain strings, numbers, booleans, lists and mappings
by the core schema of YAML 1.2, and nothing else: no tag constructs anything. Anchors are allowed, but
`yaml_nodes` weighs what they expand to before it is expanded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from benchmarker.registry.positions import Path, Position, Problem
from benchmarker.registry.yaml_nodes import Composer, MalformedYamlError, Node

MAXIMUM_DIGITS = 400

_NULL = re.compile(r"null|Null|NULL|~|")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o([0-7]+)")
_HEXADECIMAL = re.compile(r"0x([0-9a-fA-F]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"([-+]?)\.(inf|Inf|INF)")
_NOT_A_NUMBER = re.compile(r"\.(nan|NaN|NAN)")


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
    root = Composer().compose(text)
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


class _Builder:
    """Turns nodes into plain data, noting positions and problems."""

    def __init__(self) -> None:
        self.document = Document()

    def value(self, node: Node, path: Path) -> Any:
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

    def _scalar(self, node: Node, path: Path) -> Any:
        if not node.plain:
            return node.text
        try:
            return scalar(node.text)
        except ValueError as error:
            self._problem(path, f"no setting needs {error}")
            return None

    def _mapping(self, node: Node, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, (key_node, value_node) in self._entries(node, path).items():
            self.document.keys[*path, key] = key_node.position
            result[key] = self.value(value_node, (*path, key))
        return result

    def _entries(self, node: Node, path: Path) -> dict[str, tuple[Node, Node]]:
        """Return the pairs of a mapping; its own keys win over merged ones, and earlier merges over later ones."""
        own: dict[str, tuple[Node, Node]] = {}
        merged: dict[str, tuple[Node, Node]] = {}
        merge: Node | None = None
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

    def _merged(self, node: Node, path: Path) -> list[Node]:
        sources = node.children if node.kind == "list" else [node]
        if any(source.kind != "mapping" or source.tag is not None for source in sources):
            self._at(node.position, path, "'<<' merges a mapping or a list of mappings, and this is neither")
            return []
        return sources

    def _key(self, node: Node, path: Path) -> str | None:
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
