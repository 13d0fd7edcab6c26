"""Corrections of the ONNX graphs that the converter writes: names, order, and choices that products stand for.

The converter (tf2onnx) writes ``where(c, x, y)`` as ``c * x + (1 - c) * y``, which is NaN wherever one of the two is,
also where the other one is chosen. Missing pixels are NaN, so this must become a choice again.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def numbered_nodes() -> Iterator[None]:
    """Give the converter's nodes hashes of their own within a block, so that each process converts a model alike.

    tf2onnx keeps nodes in sets, which Python orders by addresses in memory, and `Graph.delete_unused_nodes` makes such
    a set the list of nodes. `TransposeOptimizer` removes nodes from this list while it goes through it, so that some
    orders hide a transposition from it: about one conversion in a hundred then left a computed shape of six nodes where
    the others wrote a constant. Numbers in the order in which nodes are first looked at make all sets of nodes alike.
    """
    from tf2onnx.graph import Node

    numbers = itertools.count()
    found = Node.__hash__

    def number(node: Any) -> int:
        if not hasattr(node, "_number_in_order"):
            node._number_in_order = next(numbers)
        return int(node._number_in_order)

    Node.__hash__ = number
    try:
        yield
    finally:
        Node.__hash__ = found


def rename_output(graph: Any, new: str) -> None:
    """Rename the only output of a graph, wherever it occurs; the converter calls it after the operation that made it.

    Parameters
    ----------
    graph : onnx.GraphProto
        The graph, which is changed.
    new : str
        New name.
    """
    (output,) = graph.output
    old = output.name
    for node in graph.node:
        for names in (node.input, node.output):
            for k, name in enumerate(names):
                if name == old:
                    names[k] = new
    output.name = new


def restore_choices(graph: Any) -> int:
    """Replace sums of two masked products by choices, and return how many there were.

    Parameters
    ----------
    graph : onnx.GraphProto
        The graph, which is changed; nodes whose results are not used any more are removed.
    """
    from onnx import helper

    makers = {name: node for node in graph.node for name in node.output}
    found = 0
    for node in graph.node:
        choice = _choice(node, makers) if node.op_type == "Add" else None
        if choice is not None:
            node.CopyFrom(helper.make_node("Where", choice, list(node.output), name=node.name))
            found += 1
    _remove_unused(graph)
    return found


def _choice(node: Any, makers: dict[str, Any]) -> list[str] | None:
    """Return condition and both alternatives of a sum that stands for a choice, or None for any other sum."""
    products = [makers.get(name) for name in node.input]
    if any(each is None or each.op_type != "Mul" for each in products):
        return None
    for first, second in (products, products[::-1]):
        for condition, chosen in _masked(first, makers, negated=False):
            for other, otherwise in _masked(second, makers, negated=True):
                if condition == other:
                    return [condition, chosen, otherwise]
    return None


def _masked(product: Any, makers: dict[str, Any], *, negated: bool) -> Iterator[tuple[str, str]]:
    """Yield condition and value of a product of a value with a condition that was made a number."""
    for mask, value in (tuple(product.input), tuple(product.input)[::-1]):
        cast = makers.get(mask)
        if cast is None or cast.op_type != "Cast":
            continue
        condition = makers.get(cast.input[0])
        if negated and condition is not None and condition.op_type == "Not":
            yield condition.input[0], value
        elif not negated:
            yield cast.input[0], value


def _remove_unused(graph: Any) -> None:
    while True:
        used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
        unused = [node for node in graph.node if not used.intersection(node.output)]
        if not unused:
            return
        for node in unused:
            graph.node.remove(node)


def in_fixed_order(graph: Any) -> None:
    """Sort nodes and constants by their way to the output, and name them by number.

    The converter orders and names them by addresses in memory, so that the same model would give other bytes each time.

    Parameters
    ----------
    graph : onnx.GraphProto
        The graph, which is changed; it has one output and no graphs inside.
    """
    makers = {name: node for node in graph.node for name in node.output}
    nodes = list(_upstream(graph.output[0].name, makers))
    constants = {each.name: each for each in graph.initializer}
    fixed = {each.name for each in (*graph.input, *graph.output)}
    names: dict[str, str] = {}
    used: list[Any] = []
    for number, node in enumerate(nodes):
        for name in (*node.input, *node.output):
            if name and name not in fixed and name not in names:
                names[name] = f"{'c' if name in constants else 't'}{len(names)}"
                used += [constants[name]] if name in constants else []
        node.name = f"n{number}"
        for each in (node.input, node.output):
            each[:] = [names.get(name, name) for name in each]
    for constant in used:
        constant.name = names[constant.name]
    ordered = [type(node).FromString(node.SerializeToString()) for node in nodes]
    kept = [type(constant).FromString(constant.SerializeToString()) for constant in used]
    for field in ("node", "initializer", "value_info"):
        graph.ClearField(field)
    graph.node.extend(ordered)
    graph.initializer.extend(kept)
    graph.doc_string = ""


def _upstream(output: str, makers: dict[str, Any]) -> Iterator[Any]:
    """Yield the nodes that lead to an output, each after those that it needs."""
    done: set[str] = set()
    waiting = [(output, False)]
    while waiting:
        name, ready = waiting.pop()
        node = makers.get(name)
        if node is None or node.output[0] in done:
            continue
        if ready:
            done.add(node.output[0])
            yield node
        else:
            waiting.append((name, True))
            waiting.extend((each, False) for each in reversed(node.input))
