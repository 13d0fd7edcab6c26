"""Load pickles of numpy arrays and plain containers without running anything that they name.

A pickle is a program for a small stack machine. The machine here knows only the instructions that build numbers, text,
lists, tuples, dictionaries and sets, and calls nothing but the checked substitutes of `pickled_arrays`. Python's own
unpickler is not used: it can be made to recurse until the process dies, and to read a pickle otherwise than a check
that went before it.
"""

from __future__ import annotations

import codecs
import io
import pickletools
from collections.abc import Callable, Hashable, Iterator
from typing import Any, NoReturn

from benchmarker.data.pickled_arrays import ADMITTED, Array, Dtype, Name
from benchmarker.errors import DataError, UnsafePickleError

_DEEPEST = 32
_MOST_OBJECTS = 20_000_000
_LONGEST_INTEGER = 64
"""Bytes of an integer."""

_DAMAGE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes}
_MARK = object()
_SCALARS = (str, bytes, int, float, complex, type(None))


def load_plain_pickle(data: bytes, name: str = "the pickle") -> object:
    """Load numpy arrays and scalars, and plain containers, text and numbers around them.

    Parameters
    ----------
    data : bytes
        A pickle of any protocol, written by Python 2 or 3; text of Python 2 is read as Latin-1.
    name : str
        Name of the pickle in messages.

    Returns
    -------
    object
        The content, with arrays as `numpy.ndarray`.

    Raises
    ------
    UnsafePickleError
        If the pickle names anything else, holds arrays of objects or structures, announces more data than it holds, or
        nests or repeats containers beyond measure. None of it has been run.
    DataError
        If the pickle is damaged.

    Examples
    --------
    >>> import pickle
    >>> import numpy as np
    >>> batch = load_plain_pickle(pickle.dumps({"labels": [0, 1], "data": np.arange(3)}))
    >>> batch["labels"], batch["data"].tolist()
    ([0, 1], [0, 1, 2])
    >>> import os
    >>> class Attack:
    ...     def __reduce__(self):
    ...         return os.system, ("rm -rf ~",)
    >>> load_plain_pickle(pickle.dumps(Attack()))
    Traceback (most recent call last):
    benchmarker.errors.UnsafePickleError: the pickle is refused and was not run: it names posix.system; ...
    """
    try:
        found = _Machine(data).run()
        _require_tree(found)
    except UnsafePickleError as error:
        raise UnsafePickleError(f"{name} is refused and was not run: {error}") from error
    except _DAMAGE as error:
        raise DataError(f"{name} is damaged, or not a pickle: {error}") from error
    return found


def _instructions(data: bytes) -> Iterator[tuple[str, Any]]:
    """Yield the name and the argument of each instruction up to the last."""
    stream = io.BytesIO(data)
    while code := stream.read(1):
        opcode = _OPCODES[code.decode("latin1")]
        if opcode.name == "STRING":  # pickletools accepts only ASCII in the text of Python 2
            yield opcode.name, _text_of_python_2(stream.readline())
        else:
            yield opcode.name, opcode.arg.reader(stream) if opcode.arg is not None else None
        if opcode.name == "STOP":
            return
    raise ValueError("it ends too early")


def _text_of_python_2(line: bytes) -> str:
    quoted = line.rstrip()
    if len(quoted) < 2 or quoted[:1] != quoted[-1:] or quoted[:1] not in {b"'", b'"'}:
        raise ValueError("text without quotes")
    plain, _ = codecs.escape_decode(quoted[1:-1])
    return plain.decode("latin1")


class _Machine:
    """A stack machine for the instructions of plain pickles.

    Parameters
    ----------
    data : bytes
        The pickle.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> object:
        """Carry out the instructions, and return what is on the stack at the end."""
        for name, argument in _instructions(self._data):
            if name == "STOP":
                return self._pop()
            if name in _CONSTANTS:
                self._stack.append(_CONSTANTS[name]())
            elif name in _LITERALS:
                self._stack.append(_LITERALS[name](argument))
            elif name in _ACTIONS:
                _ACTIONS[name](self, argument)
            elif name not in {"PROTO", "FRAME"}:
                raise UnsafePickleError(f"it uses the instruction {name}, which no plain data need")
        raise ValueError("it ends too early")

    def _pop(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise ValueError("it takes more from the stack than it put there")
        return self._stack.pop()

    def _top(self, kind: type | tuple[type, ...]) -> Any:
        if not self._stack or self._stack[-1] is _MARK or not isinstance(self._stack[-1], kind):
            raise ValueError("an instruction finds something else on the stack than it expects")
        return self._stack[-1]

    def _pop_to_mark(self) -> list[Any]:
        for position in range(len(self._stack) - 1, -1, -1):
            if self._stack[position] is _MARK:
                items = self._stack[position + 1 :]
                del self._stack[position:]
                return items
        raise ValueError("a mark is missing")

    def mark(self, _: object) -> None:
        self._stack.append(_MARK)

    def pop(self, _: object) -> None:
        if not self._stack:
            raise ValueError("it takes more from the stack than it put there")
        self._stack.pop()

    def pop_mark(self, _: object) -> None:
        self._pop_to_mark()

    def duplicate(self, _: object) -> None:
        self._stack.append(self._top(object))

    def get(self, number: int) -> None:
        self._stack.append(self._memo[int(number)])

    def put(self, number: int) -> None:
        self._memo[int(number)] = self._top(object)

    def memoize(self, _: object) -> None:
        self._memo[len(self._memo)] = self._top(object)

    def append(self, _: object) -> None:
        item = self._pop()
        self._top(list).append(item)

    def appends(self, _: object) -> None:
        items = self._pop_to_mark()
        self._top(list).extend(items)

    def list_(self, _: object) -> None:
        self._stack.append(self._pop_to_mark())

    def tuple_(self, _: object) -> None:
        self._stack.append(tuple(self._pop_to_mark()))

    def short_tuple(self, length: int) -> None:
        items = [self._pop() for _ in range(length)]
        self._stack.append(tuple(reversed(items)))

    def dict_(self, _: object) -> None:
        self._stack.append(_paired(self._pop_to_mark()))

    def set_item(self, _: object) -> None:
        value, key = self._pop(), self._pop()
        self._top(dict).update(_paired([key, value]))

    def set_items(self, _: object) -> None:
        items = self._pop_to_mark()
        self._top(dict).update(_paired(items))

    def add_items(self, _: object) -> None:
        items = self._pop_to_mark()
        self._top(set).update(map(_hashable, items))

    def frozen_set(self, _: object) -> None:
        self._stack.append(frozenset(map(_hashable, self._pop_to_mark())))

    def global_(self, names: str) -> None:
        module, _, name = names.partition(" ")
        self._stack.append(_substitute(module, name))

    def stack_global(self, _: object) -> None:
        name, module = self._pop(), self._pop()
        self._stack.append(_substitute(module, name))

    def reduce(self, _: object) -> None:
        arguments, function = self._pop(), self._pop()
        if not isinstance(function, Name) or not callable(function) or not isinstance(arguments, tuple):
            raise UnsafePickleError("it calls something that is no function of numpy")
        self._stack.append(function(*arguments))

    def build(self, _: object) -> None:
        state = self._pop()
        self._top((Array, Dtype)).__setstate__(state)


def _refuse_names(*_: object) -> NoReturn:
    raise UnsafePickleError("it refers to something outside itself")


def _substitute(module: object, name: object) -> Name:
    found = ADMITTED.get((module, name)) if isinstance(module, str) and isinstance(name, str) else None
    if found is None:
        raise UnsafePickleError(f"it names {module}.{name}; only numpy arrays and plain containers are admitted")
    return found


def _hashable(item: Any) -> Hashable:
    if not isinstance(item, _SCALARS):
        raise UnsafePickleError(f"keys and members of sets are text or numbers. Received: {type(item).__name__}")
    return item


def _paired(items: list[Any]) -> dict[Hashable, Any]:
    if len(items) % 2:
        raise ValueError("a dictionary has a key without a value")
    return dict(zip(map(_hashable, items[::2]), items[1::2], strict=True))


def _integer(value: int) -> int:
    if value.bit_length() > 8 * _LONGEST_INTEGER:
        raise UnsafePickleError(f"it holds an integer of more than {_LONGEST_INTEGER} bytes")
    return value


def _same(value: Any) -> Any:
    return value


def _latin1(value: Any) -> str:
    """Return the text of Python 2, which `pickletools` has decoded as Latin-1 already."""
    return value if isinstance(value, str) else value.decode("latin1")


_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}
_LITERALS: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"), _integer),
    **dict.fromkeys(("FLOAT", "BINFLOAT"), _same),
    **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING"), _latin1),
    **dict.fromkeys(("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"), _same),
    **dict.fromkeys(("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"), _same),
    "BYTEARRAY8": bytes,
}
_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine.mark,
    "POP": _Machine.pop,
    "POP_MARK": _Machine.pop_mark,
    "DUP": _Machine.duplicate,
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine.get),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.put),
    "MEMOIZE": _Machine.memoize,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "LIST": _Machine.list_,
    "TUPLE": _Machine.tuple_,
    "TUPLE1": lambda machine, _: machine.short_tuple(1),
    "TUPLE2": lambda machine, _: machine.short_tuple(2),
    "TUPLE3": lambda machine, _: machine.short_tuple(3),
    "DICT": _Machine.dict_,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "ADDITEMS": _Machine.add_items,
    "FROZENSET": _Machine.frozen_set,
    "GLOBAL": _Machine.global_,
    "STACK_GLOBAL": _Machine.stack_global,
    "REDUCE": _Machine.reduce,
    "BUILD": _Machine.build,
    **dict.fromkeys(("EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID", "NEXT_BUFFER"), _refuse_names),
}


def _require_tree(root: object) -> None:
    """Refuse circles, deep nesting, and containers that hold each other so often that walking them would never end.

    The number of objects is that which a walk would meet: what is shared counts again wherever it appears.
    """
    measured: dict[int, tuple[int, int]] = {}  # levels and objects of each container that has been left
    entered: set[int] = set()
    pending: list[tuple[Any, bool]] = [(root, False)]
    while pending:
        one, left = pending.pop()
        if left:
            entered.discard(id(one))
            measured[id(one)] = _measure([measured[id(child)] for child in _containers(one)], len(one))
        elif id(one) in entered:
            raise UnsafePickleError("a container holds itself")
        elif isinstance(one, list | tuple | dict) and id(one) not in measured:
            entered.add(id(one))
            pending.append((one, True))
            pending += [(child, False) for child in _containers(one)]


def _measure(inner: list[tuple[int, int]], length: int) -> tuple[int, int]:
    levels = 1 + max((levels for levels, _ in inner), default=0)
    objects = 1 + length + sum(objects for _, objects in inner)
    if levels > _DEEPEST:
        raise UnsafePickleError(f"it nests containers more than {_DEEPEST} deep")
    if objects > _MOST_OBJECTS:
        raise UnsafePickleError(f"it unfolds to more than {_MOST_OBJECTS:,} objects")
    return levels, objects


def _containers(one: Any) -> list[Any]:
    children = one.values() if isinstance(one, dict) else one
    return [child for child in children if isinstance(child, list | tuple | dict)]
