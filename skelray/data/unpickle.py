"""Reads a pickle without running it.

A pickle is a program: it names functions, and loading it imports and calls them. Here its instructions are read as
data. Dicts, lists, tuples, text, bytes and numbers are built; the few recipes by which numpy spells an array, a type
or a number are recognised by their names, never imported and never called; everything else is refused by name.

The numbers of an array stay in the file until `Array.read` fetches them, so a pickle far larger than the memory can be
opened. Sizes and shapes are claims and are compared with the file before anything is allocated.
"""

import mmap
import struct
from pathlib import Path
from pickletools import opcodes
from typing import Any

from skelray.data.pickled import RECIPES, Held, Refused, build, call
from skelray.errors import BadInput

INLINE = 512  # bytes; longer text and bytes stay in the file
MOST = 1 << 25  # instructions: NTU RGB+D 120 as PYSKL writes it has about 10 million
LONGEST = 16  # bytes of a whole number
OPERATIONS = {ord(operation.code): operation for operation in opcodes}
CODES = {operation.name: code for code, operation in OPERATIONS.items()}


def _of(**told: Any) -> dict[int, Any]:
    return {CODES[name]: value for name, value in told.items()}


NUMBERS = {
    code: struct.Struct(form) for code, form in _of(BININT="<i", BININT1="<B", BININT2="<H", BINFLOAT=">d").items()
}
CONSTANTS = _of(NONE=None, NEWTRUE=True, NEWFALSE=False, EMPTY_TUPLE=())
FRESH = _of(EMPTY_DICT=dict, EMPTY_LIST=list)
TUPLES = _of(TUPLE1=1, TUPLE2=2, TUPLE3=3)
TEXTS = _of(SHORT_BINUNICODE="<B", BINUNICODE="<I", BINUNICODE8="<Q")
BYTES = _of(SHORT_BINBYTES="<B", BINBYTES="<I", BINBYTES8="<Q", BYTEARRAY8="<Q")
STRINGS = _of(SHORT_BINSTRING="<B", BINSTRING="<I")  # of Python 2: text or bytes, nobody knows
LONGS = _of(LONG1="<B", LONG4="<I")
PUTS = _of(BINPUT="<B", LONG_BINPUT="<I")
GETS = _of(BINGET="<B", LONG_BINGET="<I")
SIZES = {
    code: struct.Struct(form) for forms in (TEXTS, BYTES, STRINGS, LONGS, PUTS, GETS) for code, form in forms.items()
}


def load(path: Path) -> Any:
    """What the pickle at `path` holds, its arrays as `skelray.data.pickled.Array`.

    Raises BadInput for a file that is no whole pickle, and for one that asks for anything but dicts, lists, tuples,
    text, bytes, numbers and arrays of numbers: the message says for what.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            machine = _Machine(content)
            try:
                return machine.run()
            except Refused as error:
                raise BadInput(f"{path}: {error} (at byte {machine.begun:,})") from error
            except (IndexError, KeyError, struct.error, UnicodeDecodeError) as error:
                raise BadInput(f"{path}: not a whole pickle (at byte {machine.begun:,})") from error
    except (OSError, ValueError) as error:  # ValueError: an empty file has nothing to map
        raise BadInput(f"{path}: cannot be read as a pickle ({error})") from error


class _Machine:
    """Reads instruction after instruction onto a stack. An IndexError or KeyError means that the pickle is broken."""

    def __init__(self, content: mmap.mmap):
        self.content, self.at, self.begun = content, 0, 0
        self.stack: list[Any] = []
        self.under: list[list[Any]] = []  # the stacks below the marks
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        stop = CODES["STOP"]
        for _ in range(MOST):
            self.begun = self.at
            code = self.content[self.at]
            self.at += 1
            if code == stop:
                return self._result()
            self._step(code)
        raise Refused(f"holds more than {MOST:,} instructions, which no data set has")

    def _result(self) -> Any:
        if len(self.stack) != 1 or self.under:
            raise Refused("is not a whole pickle")
        return self.stack[0]

    def _step(self, code: int) -> None:
        if code in SIZES:
            self._sized(code)
        elif code in NUMBERS:
            form = NUMBERS[code]
            self.stack.append(form.unpack_from(self.content, self.at)[0])
            self.at += form.size
        elif code in CONSTANTS:
            self.stack.append(CONSTANTS[code])
        elif code in FRESH:
            self.stack.append(FRESH[code]())
        elif code in TUPLES:
            self.stack[-TUPLES[code] :] = [self._taken(TUPLES[code])]
        elif code in OTHERS:
            OTHERS[code](self)
        else:
            self._refuse(code)

    def _sized(self, code: int) -> None:
        form = SIZES[code]
        (number,) = form.unpack_from(self.content, self.at)
        self.at += form.size
        if code in PUTS:
            self.memo[number] = self.stack[-1]
        elif code in GETS:
            self.stack.append(self.memo[number])
        elif code in LONGS:
            self.stack.append(self._long(number))
        else:
            self.stack.append(self._content(number, code))

    def _content(self, length: int, code: int) -> str | bytes | Held:
        offset = self._passed(length)
        if length > INLINE:
            return Held(offset, length, text=code in TEXTS)
        raw = self.content[offset : self.at]
        if code in BYTES:
            return raw
        return raw.decode("utf-8" if code in TEXTS else "latin1")

    def _long(self, length: int) -> int:
        if length > LONGEST:
            raise Refused(f"holds a whole number of {length:,} bytes")
        offset = self._passed(length)
        return int.from_bytes(self.content[offset : self.at], "little", signed=True)

    def _passed(self, length: int) -> int:
        """Go on behind so many bytes; where they begin."""
        if length > len(self.content) - self.at:
            raise Refused(f"claims {length:,} bytes, but {len(self.content) - self.at:,} follow")
        self.at += length
        return self.at - length

    def _line(self) -> str:
        end = self.content.find(b"\n", self.at, self.at + INLINE)
        if end < 0:
            raise IndexError("a line without end")
        line = self.content[self.at : end].decode("utf-8")
        self.at = end + 1
        return line

    def _taken(self, count: int) -> tuple[Any, ...]:
        if len(self.stack) < count:
            raise IndexError("too little on the stack")
        return tuple(self.stack[-count:])

    def _marked(self) -> list[Any]:
        """What lies above the last mark, taken away."""
        above, self.stack = self.stack, self.under.pop()
        return above

    def _mark(self) -> None:
        self.under.append(self.stack)
        self.stack = []

    def _memoize(self) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def _tuple(self) -> None:
        above = tuple(self._marked())  # before the append: this changes what the stack is
        self.stack.append(above)

    def _append(self) -> None:
        self._extend([self.stack.pop()])

    def _extend(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise Refused("appends to what is no list")
        self.stack[-1].extend(items)

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._update([key, value])

    def _update(self, items: list[Any]) -> None:
        keys, values = items[::2], items[1::2]
        if type(self.stack[-1]) is not dict:
            raise Refused("sets an item of what is no dict")
        if len(keys) != len(values) or any(type(key) not in (str, int, float) for key in keys):
            raise Refused("holds a dict with a key that is neither text nor a number")
        self.stack[-1].update(zip(keys, values, strict=True))

    def _global(self) -> None:
        self._named(self._line(), self._line())

    def _stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not (isinstance(module, str) and isinstance(name, str)):
            raise Refused("asks for something whose name is no text")
        self._named(module, name)

    def _named(self, module: str, name: str) -> None:
        recipe = RECIPES.get(f"{module}.{name}")
        if recipe is None or "." in name:
            asked = "".join(letter if letter.isprintable() else "?" for letter in f"{module}.{name}"[:80])
            raise Refused(f"asks for {asked}, but plain dicts, lists, text, numbers and arrays alone are read")
        self.stack.append(recipe)

    def _reduce(self) -> None:
        arguments, recipe = self.stack.pop(), self.stack.pop()
        self.stack.append(call(recipe, arguments))

    def _build(self) -> None:
        state = self.stack.pop()
        build(self.stack[-1], state)

    def _protocol(self) -> None:
        self._passed(1)  # which one it is shows in the instructions

    def _frame(self) -> None:
        self._passed(8)  # frames only say how much to read at once

    def _refuse(self, code: int) -> None:
        operation = OPERATIONS.get(code)
        if operation is None:
            raise Refused(f"is no pickle: there is no instruction 0x{code:02x}")
        if operation.name == "INST":
            self._named(self._line(), self._line())
        if operation.proto < 2 and operation.arg is not None and operation.name not in ("PERSID", "INST"):
            raise Refused(f"uses {operation.name} of protocol 0; write it again with protocol 2 or later")
        raise Refused(f"uses {operation.name}, which plain dicts, lists, text, numbers and arrays never need")


OTHERS = _of(
    PROTO=_Machine._protocol,
    FRAME=_Machine._frame,
    MARK=_Machine._mark,
    MEMOIZE=_Machine._memoize,
    TUPLE=_Machine._tuple,
    APPEND=_Machine._append,
    APPENDS=lambda machine: machine._extend(machine._marked()),
    SETITEM=_Machine._set_item,
    SETITEMS=lambda machine: machine._update(machine._marked()),
    GLOBAL=_Machine._global,
    STACK_GLOBAL=_Machine._stack_global,
    REDUCE=_Machine._reduce,
    BUILD=_Machine._build,
)
