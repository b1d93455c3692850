"""Read the pickles of a PyTorch checkpoint as data: a closed set of opcodes, nothing is called.

Python's own unpickler runs what the file says; even restricted by `find_class` it would still
call allow-listed functions with the file's arguments and set attributes (BUILD) on them. This
module interprets the opcodes itself instead. It knows containers, numbers, strings, and three
records (a storage type, a storage, a tensor); everything else is refused. It reads no tensor
data and must never import, call or look up anything the file names.
"""

from __future__ import annotations

import io
import pickletools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NoReturn, TypeAlias

from cinescrub.errors import ModelError

__all__ = ["Global", "Storage", "Tensor", "Value", "read_pickle", "refuse"]

MAX_PICKLE_BYTES: Final = 16 << 20
"""A state dict's pickle takes about 160 bytes a tensor (24 kB for the 154 tensors of CRAFT); the
bound keeps a hostile file from growing a Python object for each of its bytes."""


class Global(StrEnum):
    """The names a checkpoint may mention. They are labels here: nothing is imported."""

    ORDERED_DICT = "collections OrderedDict"
    REBUILD_TENSOR = "torch._utils _rebuild_tensor_v2"
    FLOAT = "torch FloatStorage"
    DOUBLE = "torch DoubleStorage"
    HALF = "torch HalfStorage"
    LONG = "torch LongStorage"
    INT = "torch IntStorage"


@dataclass(frozen=True, slots=True)
class Storage:
    """A flat array that the container holds outside of the pickle."""

    kind: Global
    key: str
    count: int
    """Elements, not bytes."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """A view into a storage. Contiguous: strides other than C order are refused."""

    storage: Storage
    offset: int
    """First element in the storage."""
    shape: tuple[int, ...]


Value: TypeAlias = (
    bool
    | int
    | str
    | Global
    | Storage
    | Tensor
    | tuple[Any, ...]
    | list[Any]
    | dict[Any, Any]
    | None
)


def refuse(why: str) -> NoReturn:
    """Raise the one error for a checkpoint that is not plain tensors."""
    raise ModelError(f"checkpoint refused, {why}: use the published file")


def read_pickle(data: bytes | memoryview, start: int = 0) -> tuple[Value, int]:
    """Interpret one pickle.

    Parameters
    ----------
    data : bytes or memoryview
        The container, borrowed.
    start : int
        Where the pickle begins.

    Returns
    -------
    value : Value
        What the pickle holds, tensors as records.
    end : int
        The byte after its STOP.

    Raises
    ------
    ModelError
        The pickle is truncated, malformed or holds anything but tensors and plain values.
    """
    stream = io.BytesIO(data[start : start + MAX_PICKLE_BYTES])
    machine = _Machine()
    with warnings.catch_warnings():
        # genops decodes backslashes in names, and warns of those it does not know.
        warnings.simplefilter("error")
        try:
            for opcode, argument, _ in pickletools.genops(stream):
                if opcode.name == "STOP":
                    return machine.result(), start + stream.tell()
                machine.step(opcode.name, argument)
        except (ValueError, KeyError, IndexError, OverflowError, TypeError, Warning) as error:
            # What genops raises for an unknown opcode or a short argument.
            raise ModelError(
                "checkpoint refused, malformed pickle: use the published file"
            ) from error
    refuse("pickle without an end")


class _Mark:
    """The stack's bracket."""


_MARK: Final = _Mark()
_SCALARS: Final = frozenset({"BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE"})
_CONSTANTS: Final[dict[str, Callable[[], Value]]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_DICT": dict,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
}
_TUPLES: Final = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Machine:
    """The stack machine. Its memo is a dict, so that a wild index costs nothing."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def result(self) -> Value:
        """Return the one value that is left."""
        if len(self._stack) != 1 or isinstance(self._stack[0], _Mark):
            refuse("pickle leaves more or less than one value")
        value: Value = self._stack[0]
        return value

    def step(self, name: str, argument: Any) -> None:
        """Execute one opcode; an unknown one is refused."""
        if name in _SCALARS:
            self._stack.append(argument)
        elif name in _CONSTANTS:
            self._stack.append(_CONSTANTS[name]())
        elif name in _TUPLES:
            self._stack.append(tuple(self._pop_many(_TUPLES[name])))
        elif name in ("BINPUT", "LONG_BINPUT"):
            self._memo[argument] = self._top()
        elif name in ("BINGET", "LONG_BINGET"):
            self._stack.append(self._memo[argument])
        elif name in _HANDLERS:
            _HANDLERS[name](self, argument)
        else:
            refuse(f"opcode {name} has no place in one")

    def proto(self, argument: int) -> None:
        if argument != 2:
            refuse("pickle protocol is not 2")

    def mark(self, _: object) -> None:
        self._stack.append(_MARK)

    def tuple_(self, _: object) -> None:
        self._stack.append(tuple(self._pop_to_mark()))

    def append(self, _: object) -> None:
        (item,) = self._pop_many(1)
        self._target(list).append(item)

    def appends(self, _: object) -> None:
        items = self._pop_to_mark()
        self._target(list).extend(items)

    def set_item(self, _: object) -> None:
        self._set(self._pop_many(2))

    def set_items(self, _: object) -> None:
        self._set(self._pop_to_mark())

    def global_(self, argument: str) -> None:
        try:
            self._stack.append(Global(argument))
        except ValueError:
            refuse("it names code that is not a tensor's")

    def reduce(self, _: object) -> None:
        function, arguments = self._pop_many(2)
        if function is Global.ORDERED_DICT and arguments == ():
            self._stack.append({})
        elif function is Global.REBUILD_TENSOR:
            self._stack.append(_tensor(arguments))
        else:
            refuse("it calls something other than a tensor's constructor")

    def persistent(self, _: object) -> None:
        (argument,) = self._pop_many(1)
        self._stack.append(_storage(argument))

    def build(self, _: object) -> None:
        # state_dict() carries `_metadata` as the attribute of its OrderedDict. It is of no use
        # here, and dropping it means that no attribute is ever set on anything.
        (state,) = self._pop_many(1)
        self._target(dict)
        if not isinstance(state, dict):
            refuse("it sets attributes on an object")

    def _top(self) -> Any:
        if not self._stack or isinstance(self._stack[-1], _Mark):
            refuse("pickle stack underflow")
        return self._stack[-1]

    def _target(self, kind: type) -> Any:
        top = self._top()
        if type(top) is not kind:
            refuse("it changes an object that is no container")
        return top

    def _pop_many(self, count: int) -> list[Any]:
        values = self._stack[-count:]
        if len(values) != count or any(isinstance(v, _Mark) for v in values):
            refuse("pickle stack underflow")
        del self._stack[-count:]
        return values

    def _pop_to_mark(self) -> list[Any]:
        for index in range(len(self._stack) - 1, -1, -1):
            if self._stack[index] is _MARK:
                values = self._stack[index + 1 :]
                del self._stack[index:]
                return values
        refuse("pickle mark missing")

    def _set(self, pairs: list[Any]) -> None:
        target = self._target(dict)
        if len(pairs) % 2:
            refuse("a key without a value")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            if not isinstance(key, str | int):
                refuse("a key that is neither text nor number")
            target[key] = value


_HANDLERS: Final[dict[str, Callable[[_Machine, Any], None]]] = {
    "PROTO": _Machine.proto,
    "MARK": _Machine.mark,
    "TUPLE": _Machine.tuple_,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "GLOBAL": _Machine.global_,
    "REDUCE": _Machine.reduce,
    "BINPERSID": _Machine.persistent,
    "BUILD": _Machine.build,
}


def _storage(argument: Any) -> Storage:
    """Check a persistent id: ('storage', type, key, device, count[, view metadata])."""
    if not isinstance(argument, tuple) or len(argument) not in (5, 6):
        refuse("malformed storage")
    tag, kind, key, device, count = argument[:5]
    if tag != "storage" or not isinstance(kind, Global) or not isinstance(device, str):
        refuse("malformed storage")
    if not isinstance(key, str) or not _natural(count):
        refuse("malformed storage")
    if argument[5:] not in ((), (None,)):
        refuse("storage views are not supported")
    return Storage(kind, key, count)


def _tensor(arguments: Any) -> Tensor:
    """Check the arguments of the constructor: storage, offset, size, stride, grad, hooks."""
    if not isinstance(arguments, tuple) or len(arguments) != 6:
        refuse("malformed tensor")
    storage, offset, shape, stride, grad, hooks = arguments
    if not isinstance(storage, Storage) or not isinstance(shape, tuple):
        refuse("malformed tensor")
    if not _natural(offset) or not all(_natural(n) for n in shape):
        refuse("tensor of negative or non-integer size")
    if not isinstance(grad, bool) or hooks not in (None, {}):
        refuse("tensor with hooks")
    if not isinstance(stride, tuple) or len(stride) != len(shape):
        refuse("malformed tensor")
    size = 1
    for length, step in zip(reversed(shape), reversed(stride), strict=True):
        if length > 1 and step != size:  # the step of an axis of length 1 is never taken
            refuse("tensor is not contiguous")
        size *= length
    if offset + size > storage.count:
        refuse("tensor reaches outside of its storage")
    return Tensor(storage, offset, shape)


def _natural(value: Any) -> bool:
    return type(value) is int and value >= 0
