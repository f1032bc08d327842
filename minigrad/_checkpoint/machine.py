"""The stack machine of pickle protocol 2, without any power of its own.

Opcodes build numbers, text, lists, dicts and tuples. For a global name, a storage's reference and
a call the machine asks its owner, who answers from a closed list (`decode`).
"""

from __future__ import annotations

import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from .keys import plain_key


class Builder:
    """An allowed global: an inert object that only the opcode REDUCE knows what to do with."""

    def __init__(self, name: str, build: Callable[..., Any]) -> None:
        self.name = name
        self.build = build


class Held:
    """A storage's reference on the stack; only a tensor can be made of it."""


def broken(what: str) -> pickle.UnpicklingError:
    """Return the error for opcodes that no checkpoint contains."""
    return pickle.UnpicklingError(
        f"load: {what}; the file is damaged, or was made to do damage. Nothing in it was executed"
    )


def need(condition: bool, what: str) -> None:
    """Raise UnpicklingError unless a condition holds."""
    if not condition:
        raise broken(what)


STOP = ord(".")
BINPERSID = ord("Q")
_SIZED = (str, bytes, list, tuple, dict)


class Machine:
    """Run opcodes. Subclasses answer `find` and `persistent`."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.position = 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.budget = 1000 + 4 * len(data)  # items that calls may copy: see `reduce`

    def find(self, module: str, name: str) -> Any:
        """Return what a global stands for."""
        raise NotImplementedError

    def persistent(self, reference: Any) -> Held:
        """Return what a reference to something outside the opcodes stands for."""
        raise NotImplementedError

    def decode(self) -> Any:
        """Run the opcodes and return the object they make."""
        while True:
            code, value = self.run()
            if code == STOP:
                return value
            self.stack.append(self.persistent(value))  # whose errors are not about the opcodes

    def run(self) -> tuple[int, Any]:
        """Run up to the end, or to a reference; return the opcode and the object on top."""
        try:
            while True:
                code = self.data[self.position]
                self.position += 1
                if code == STOP:
                    return code, self.value()
                if code == BINPERSID:
                    return code, self.pop()
                if code not in OPERATIONS:
                    raise broken(f"opcode {code:#04x} is not one that a checkpoint uses")
                OPERATIONS[code](self)
        except (LookupError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise broken(f"the opcodes make no sense ({error})") from error

    # ---- reading
    def take(self, count: int) -> bytes:
        data = self.data[self.position : self.position + count]
        need(len(data) == count, "the opcodes end too early")
        self.position += count
        return data

    def number(self, form: str) -> Any:
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def line(self) -> str:
        end = self.data.index(b"\n", self.position)
        return self.take(end + 1 - self.position)[:-1].decode()

    # ---- the stack
    def pop(self) -> Any:
        need(len(self.stack) > (self.marks[-1] if self.marks else 0), "the stack is empty")
        return self.stack.pop()

    def top(self) -> Any:
        need(len(self.stack) > (self.marks[-1] if self.marks else 0), "the stack is empty")
        return self.stack[-1]

    def value(self) -> Any:
        return checked(self.pop())

    def since_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items

    def push_tuple(self, length: int) -> None:
        items = [self.pop() for _ in range(length)]
        self.stack.append(tuple(reversed(items)))

    # ---- opcodes with more than one step
    def set_items(self, pairs: list[Any]) -> None:
        target = self.top()
        need(type(target) in (dict, OrderedDict) and len(pairs) % 2 == 0, "items have no dict")
        for key, value in zip(pairs[::2], pairs[1::2], strict=True):
            need(plain_key(key), f"an object of type {type(key).__name__} is a dict's key")
            target[key] = checked(value)

    def append(self, items: list[Any]) -> None:
        target = self.top()
        need(type(target) is list, "items have no list")
        target.extend(map(checked, items))

    def reduce(self) -> None:
        """Call a builder. What it copies is counted: a file may name one object many times."""
        arguments, function = self.pop(), self.pop()
        need(isinstance(function, Builder), "something that is no builder is called")
        need(type(arguments) is tuple, "the arguments of a call are no tuple")
        self.budget -= sum(len(each) for each in arguments if type(each) in _SIZED)
        need(self.budget >= 0, "a small file would become large")
        self.stack.append(function.build(*arguments))

    def build(self) -> None:
        """Set the attribute `_metadata` that a Module's state_dict carries, and no other."""
        state, target = self.value(), self.top()
        allowed = type(target) is OrderedDict and type(state) is dict and [*state] == ["_metadata"]
        need(allowed, f"attributes of an object of type {type(target).__name__} are set")
        target._metadata = state["_metadata"]


def checked(value: Any) -> Any:
    """Return a value that goes into the result; builders and storages do not."""
    if isinstance(value, (Builder, Held)):
        name = getattr(value, "name", "a storage")
        raise pickle.UnpicklingError(f"load: the file contains {name} as a value of its own")
    return value


def _memoize(form: str) -> Callable[[Machine], None]:
    def operation(machine: Machine) -> None:
        machine.memo[machine.number(form)] = machine.top()

    return operation


def _push(read: Callable[[Machine], Any]) -> Callable[[Machine], None]:
    return lambda machine: machine.stack.append(read(machine))


def _set_item(machine: Machine) -> None:
    value, key = machine.pop(), machine.pop()
    machine.set_items([key, value])


def _global(machine: Machine) -> Any:
    module = machine.line()
    return machine.find(module, machine.line())


def _protocol(machine: Machine) -> None:
    version = machine.number("<B")
    need(version == 2, f"the file is of pickle protocol {version}, PyTorch's checkpoints of 2")


OPERATIONS: dict[int, Callable[[Machine], None]] = {
    0x80: _protocol,
    ord("N"): _push(lambda machine: None),
    0x88: _push(lambda machine: True),
    0x89: _push(lambda machine: False),
    ord("K"): _push(lambda machine: machine.number("<B")),
    ord("M"): _push(lambda machine: machine.number("<H")),
    ord("J"): _push(lambda machine: machine.number("<i")),
    0x8A: _push(lambda m: int.from_bytes(m.take(m.number("<B")), "little", signed=True)),
    ord("G"): _push(lambda machine: machine.number(">d")),
    ord("X"): _push(lambda m: m.take(m.number("<I")).decode("utf-8", "surrogatepass")),
    ord("]"): _push(lambda machine: []),
    ord("}"): _push(lambda machine: {}),
    ord(")"): _push(lambda machine: ()),
    ord("("): lambda machine: machine.marks.append(len(machine.stack)),
    ord("t"): _push(lambda machine: tuple(machine.since_mark())),
    0x85: lambda machine: machine.push_tuple(1),
    0x86: lambda machine: machine.push_tuple(2),
    0x87: lambda machine: machine.push_tuple(3),
    ord("a"): lambda machine: machine.append([machine.pop()]),
    ord("e"): lambda machine: machine.append(machine.since_mark()),
    ord("s"): _set_item,
    ord("u"): lambda machine: machine.set_items(machine.since_mark()),
    ord("q"): _memoize("<B"),
    ord("r"): _memoize("<I"),
    ord("h"): _push(lambda machine: machine.memo[machine.number("<B")]),
    ord("j"): _push(lambda machine: machine.memo[machine.number("<I")]),
    ord("c"): _push(_global),
    ord("R"): lambda machine: machine.reduce(),
    ord("b"): lambda machine: machine.build(),
}
