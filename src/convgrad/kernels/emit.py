"""Writing LLVM's language with Python's: values with operators, loops as `with` blocks.

Variables that change are stack slots; LLVM turns them into registers. A generator written with
these reads as the loop nest it emits, and its text can be printed and tested without LLVM.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

INTEGER = "i64"
POINTER = "ptr"


@dataclass(frozen=True)
class Number:
    """An element type: "float" or "double"."""

    name: str

    @property
    def bits(self) -> int:
        """Bits of one number."""
        return 32 if self.name == "float" else 64

    @property
    def bytes(self) -> int:
        """Bytes of one number."""
        return self.bits // 8

    def vector(self, lanes: int) -> str:
        """The type of a vector of these."""
        return f"<{lanes} x {self.name}>"


def is_loaded(vector_bytes: int, vectors: int, nth: int) -> bool:
    """Whether the nth factor of a row of so many vectors is loaded before it is multiplied.

    Processors with vectors of 64 bytes repeat a number from memory within the multiply-add. LLVM
    would load it once for all vectors: one more instruction to issue, but fewer loads. With two
    vectors every second factor is loaded, which is fastest both where loads are what there is too
    little of and where another thread of the core takes its share of what is issued. Measured for
    14 x 2 vectors: 178 and 141 GFLOP/s; all loaded 178 and 122, none 178 and 141 but 161 and 126
    with some other loads beside them.
    """
    return vector_bytes < 64 or vectors > 2 or (vectors == 2 and nth % 2 == 1)


NUMBERS = {"float32": Number("float"), "float64": Number("double")}


@dataclass(frozen=True)
class Value:
    """A value of the program being written."""

    code: Code = field(repr=False)
    type: str
    text: str

    def __add__(self, other: Value | int) -> Value:
        return self._binary("add", other)

    __radd__ = __add__

    def __sub__(self, other: Value | int) -> Value:
        return self._binary("sub", other)

    def __mul__(self, other: Value | int) -> Value:
        return self._binary("mul", other)

    __rmul__ = __mul__

    def __floordiv__(self, other: Value | int) -> Value:
        return self._binary("sdiv", other)

    def __mod__(self, other: Value | int) -> Value:
        return self._binary("srem", other)

    def __and__(self, other: Value | int) -> Value:
        return self._binary("and", other)

    def __or__(self, other: Value | int) -> Value:
        return self._binary("or", other)

    def __lt__(self, other: Value | int) -> Value:
        return self._compare("slt", other)

    def __le__(self, other: Value | int) -> Value:
        return self._compare("sle", other)

    def __gt__(self, other: Value | int) -> Value:
        return self._compare("sgt", other)

    def __ge__(self, other: Value | int) -> Value:
        return self._compare("sge", other)

    def within(self, limit: Value | int) -> Value:
        """Whether it is in [0, limit): one comparison, a negative number being a large one."""
        return self._compare("ult", limit)

    def equals(self, other: Value | int) -> Value:
        """Whether both are the same integer."""
        return self._compare("eq", other)

    def minimum(self, other: Value | int) -> Value:
        """The smaller of two integers."""
        return self.code.select(self < other, self, self.code.lift(other))

    def maximum(self, other: Value | int) -> Value:
        """The larger of two integers."""
        return self.code.select(self > other, self, self.code.lift(other))

    def __xor__(self, other: Value | int) -> Value:
        return self._binary("xor", other)

    def _binary(self, operation: str, other: Value | int) -> Value:
        right = self.code.lift(other, self.type)
        return self.code.define(self.type, f"{operation} {self.type} {self.text}, {right.text}")

    def _compare(self, relation: str, other: Value | int) -> Value:
        right = self.code.lift(other, self.type)
        return self.code.define("i1", f"icmp {relation} {self.type} {self.text}, {right.text}")


@dataclass(frozen=True)
class Pointer:
    """An address of elements of one type."""

    code: Code = field(repr=False)
    element: str
    text: str

    def at(self, index: Value | int) -> Pointer:
        """The address so many elements further on."""
        offset = self.code.lift(index)
        address = self.code.define(
            POINTER, f"getelementptr {self.element}, ptr {self.text}, i64 {offset.text}"
        )
        return Pointer(self.code, self.element, address.text)

    def load(self, index: Value | int = 0) -> Value:
        """One element."""
        return self.code.define(self.element, f"load {self.element}, ptr {self.at(index).text}")

    def store(self, value: Value, index: Value | int = 0) -> None:
        """Write one element, or a vector of them at no particular alignment."""
        size = ", align 4" if value.type.startswith("<") else ""
        self.code.write(f"store {value.type} {value.text}, ptr {self.at(index).text}{size}")

    def vector(self, lanes: int, index: Value | int = 0) -> Value:
        """So many consecutive elements, at no particular alignment."""
        kind = f"<{lanes} x {self.element}>"
        return self.code.define(kind, f"load {kind}, ptr {self.at(index).text}, align 4")

    def masked(self, lanes: int, mask: Value, index: Value | int = 0) -> Value:
        """Consecutive elements where the mask is set, 0 elsewhere; the others are not read."""
        kind, suffix = f"<{lanes} x {self.element}>", _suffix(lanes, self.element)
        return self.code.call(
            f"llvm.masked.load.{suffix}.p0",
            kind,
            (
                Value(self.code, POINTER, self.at(index).text),
                Value(self.code, "i32", "4"),
                mask,
                Value(self.code, kind, "zeroinitializer"),
            ),
        )

    def store_masked(self, value: Value, lanes: int, mask: Value, index: Value | int = 0) -> None:
        """Write elements where the mask is set; the others are not touched."""
        self.code.call(
            f"llvm.masked.store.{_suffix(lanes, self.element)}.p0",
            "void",
            (
                value,
                Value(self.code, POINTER, self.at(index).text),
                Value(self.code, "i32", "4"),
                mask,
            ),
        )

    def chosen(self, inside: Sequence[bool], index: int = 0) -> Value:
        """Consecutive elements where it is known beforehand which are read; 0 elsewhere."""
        if all(inside):
            return self.vector(len(inside), index)
        return self.masked(len(inside), self.code.mask(inside), index)

    def store_chosen(self, value: Value, inside: Sequence[bool], index: int = 0) -> None:
        """Write elements where it is known beforehand which are written."""
        if all(inside):
            self.store(value, index)
        else:
            self.store_masked(value, len(inside), self.code.mask(inside), index)

    def prefetch(self, index: Value | int = 0, *, near: bool = False, write: bool = False) -> None:
        """Ask for a cache line that is read soon; an address that does not exist is harmless.

        `near` asks for it in the first-level cache, otherwise it may come to the second only.
        `write` asks for it as this core's own.
        """
        self.code.call(
            "llvm.prefetch.p0",
            "void",
            (
                Value(self.code, POINTER, self.at(index).text),
                Value(self.code, "i32", "1" if write else "0"),
                Value(self.code, "i32", "3" if near else "2"),
                Value(self.code, "i32", "1"),
            ),
        )

    def settled(self) -> Pointer:
        """The same address in a register of its own, for many uses.

        LLVM would compute it anew in every instruction that reads from it, and a multiply-add that
        does is issued as two.
        """
        text = f'call ptr asm "", "=r,0"(ptr {self.text})'
        return Pointer(self.code, self.element, self.code.define(POINTER, text).text)

    def cast(self, element: str) -> Pointer:
        """The same address, of elements of another type."""
        return Pointer(self.code, element, self.text)


def _suffix(lanes: int, element: str) -> str:
    return f"v{lanes}{'f32' if element == 'float' else 'f64'}"


@dataclass(frozen=True)
class Variable:
    """A variable that changes."""

    code: Code = field(repr=False)
    type: str
    slot: str

    def get(self) -> Value:
        """Its value now."""
        return self.code.define(self.type, f"load {self.type}, ptr {self.slot}")

    def set(self, value: Value | int) -> None:
        """Give it another value."""
        lifted = self.code.lift(value, self.type)
        self.code.write(f"store {self.type} {lifted.text}, ptr {self.slot}")


class Module:
    """Functions that belong together, and what they call."""

    def __init__(self) -> None:
        self.declarations: dict[str, str] = {}
        self.functions: list[Code] = []

    def function(self, name: str, *parameters: tuple[str, str], public: bool = False) -> Code:
        """Begin a function; parameters are pairs of a type and a name."""
        code = Code(self, name, parameters, public=public)
        self.functions.append(code)
        return code

    def __str__(self) -> str:
        parts = [*self.declarations.values(), *(str(function) for function in self.functions)]
        return "\n".join(parts) + "\n"


class Code:
    """One function being written, line by line."""

    def __init__(
        self, module: Module, name: str, parameters: Sequence[tuple[str, str]], *, public: bool
    ) -> None:
        self.module = module
        self.name = name
        self.parameters = tuple(parameters)
        self.public = public
        self.lines: list[str] = []
        self.slots: list[str] = []
        self.block = "start"
        self.count = 0

    def __str__(self) -> str:
        linkage = "" if self.public else "internal "
        names = ", ".join(
            f"i64 %{name}" if kind == INTEGER else f"ptr noalias %{name}"
            for kind, name in self.parameters
        )
        inline = "" if self.public else " noinline"
        body = "\n".join(["entry:", *self.slots, "  br label %start", "start:", *self.lines])
        return f"define {linkage}void @{self.name}({names}){inline} {{\n{body}\n  ret void\n}}\n"

    def integer(self, name: str) -> Value:
        """A parameter that is an integer."""
        return Value(self, INTEGER, f"%{name}")

    def pointer(self, name: str) -> Pointer:
        """A parameter that is an address; its element type is the parameter's."""
        element = next(kind for kind, other in self.parameters if other == name)
        return Pointer(self, element.removesuffix("*"), f"%{name}")

    def lift(self, value: Value | int, kind: str = INTEGER) -> Value:
        """A Python integer as a constant; a value as it is."""
        return value if isinstance(value, Value) else Value(self, kind, str(value))

    def fresh(self, stem: str = "v") -> str:
        """A name not used before in this function."""
        self.count += 1
        return f"{stem}{self.count}"

    def write(self, line: str) -> None:
        """Append an instruction without a result."""
        self.lines.append(f"  {line}")

    def define(self, kind: str, expression: str) -> Value:
        """Append an instruction, and name its result."""
        name = f"%{self.fresh()}"
        self.lines.append(f"  {name} = {expression}")
        return Value(self, kind, name)

    def before(self, kind: str, expression: str) -> Value:
        """The same where the function begins, out of all loops."""
        name = f"%{self.fresh()}"
        self.slots.append(f"  {name} = {expression}")
        return Value(self, kind, name)

    def label(self, name: str) -> None:
        """Begin a block."""
        self.lines.append(f"{name}:")
        self.block = name

    def call(self, name: str, kind: str, arguments: Sequence[Value]) -> Value:
        """Call one of LLVM's own functions, declared as it is used."""
        types = ", ".join(argument.type for argument in arguments)
        self.module.declarations[name] = f"declare {kind} @{name}({types})"
        text = ", ".join(f"{argument.type} {argument.text}" for argument in arguments)
        if kind == "void":
            self.write(f"call void @{name}({text})")
            return Value(self, kind, "")
        return self.define(kind, f"call {kind} @{name}({text})")

    def run(self, function: Code, *arguments: Value | Pointer | int) -> None:
        """Call a function of the same module."""
        parts: list[str] = []
        for argument in arguments:
            if isinstance(argument, Pointer):
                parts.append(f"ptr {argument.text}")
            else:
                parts.append(f"i64 {self.lift(argument).text}")
        self.write(f"call void @{function.name}({', '.join(parts)})")

    def select(self, condition: Value, yes: Value, no: Value) -> Value:
        """One of two values."""
        return self.define(
            yes.type,
            f"select i1 {condition.text}, {yes.type} {yes.text}, {no.type} {no.text}",
        )

    def blend(self, mask: Value, yes: Value, no: Value) -> Value:
        """Lane by lane one of two vectors."""
        return self.define(
            yes.type,
            f"select {mask.type} {mask.text}, {yes.type} {yes.text}, {no.type} {no.text}",
        )

    def choose(self, condition: Value, yes: Pointer, no: Pointer) -> Pointer:
        """One of two addresses."""
        address = self.select(
            condition, Value(self, POINTER, yes.text), Value(self, POINTER, no.text)
        )
        return Pointer(self, yes.element, address.text)

    def address(self, number: Value, element: str) -> Pointer:
        """An integer read as an address."""
        pointer = self.define(POINTER, f"inttoptr i64 {number.text} to ptr")
        return Pointer(self, element, pointer.text)

    def variable(self, kind: str, value: Value | int) -> Variable:
        """A variable with its first value."""
        slot = f"%{self.fresh('s')}"
        self.slots.append(f"  {slot} = alloca {kind}")
        variable = Variable(self, kind, slot)
        variable.set(value)
        return variable

    def array(self, element: str, count: int) -> Pointer:
        """A few elements on the stack."""
        slot = f"%{self.fresh('a')}"
        self.slots.append(f"  {slot} = alloca [{count} x {element}], align 64")
        return Pointer(self, element, slot)

    def zero(self, kind: str) -> Value:
        """Zero of a number or vector type."""
        return Value(self, kind, "zeroinitializer" if kind.startswith("<") else "0.0")

    def splat(self, scalar: Value, lanes: int) -> Value:
        """A number in every lane."""
        kind = f"<{lanes} x {scalar.type}>"
        one = self.define(kind, f"insertelement {kind} poison, {scalar.type} {scalar.text}, i32 0")
        return self.define(
            kind,
            f"shufflevector {kind} {one.text}, {kind} poison, <{lanes} x i32> zeroinitializer",
        )

    def shuffle(self, left: Value, right: Value, order: Sequence[int]) -> Value:
        """Lanes of two vectors in a given order."""
        element = left.type.split(" x ")[1].rstrip(">")
        picks = ", ".join(f"i32 {lane}" for lane in order)
        return self.define(
            f"<{len(order)} x {element}>",
            f"shufflevector {left.type} {left.text}, {right.type} {right.text}, "
            f"<{len(order)} x i32> <{picks}>",
        )

    def lanes_between(self, low: Value | int, high: Value | int, lanes: int) -> Value:
        """The mask of the lanes in [low, high)."""
        kind = f"<{lanes} x i32>"
        iota = "<" + ", ".join(f"i32 {lane}" for lane in range(lanes)) + ">"

        def bound(value: Value | int) -> Value:
            clipped = self.lift(value).maximum(0).minimum(lanes)
            narrow = self.define("i32", f"trunc i64 {clipped.text} to i32")
            return self.splat(narrow, lanes)

        below = self.define(f"<{lanes} x i1>", f"icmp slt {kind} {iota}, {bound(high).text}")
        if isinstance(low, int) and low == 0:
            return below
        above = self.define(f"<{lanes} x i1>", f"icmp sge {kind} {iota}, {bound(low).text}")
        return below & above

    def mask(self, lanes: Sequence[bool]) -> Value:
        """A mask that is known beforehand."""
        text = ", ".join(f"i1 {int(lane)}" for lane in lanes)
        return Value(self, f"<{len(lanes)} x i1>", f"<{text}>")

    def alternate(self, lanes: int) -> Value:
        """The mask of every second lane."""
        return self.mask([lane % 2 == 0 for lane in range(lanes)])

    def bits(self, low: Value, high: Value) -> Value:
        """The integer whose bits low..high-1 are set, clipped to [0, 64)."""
        ones = self.lift(-1)

        def below(bound: Value) -> Value:
            clipped = bound.maximum(0).minimum(63)
            return self.define(INTEGER, f"shl i64 {ones.text}, {clipped.text}") ^ -1

        return below(high) & (below(low) ^ -1)

    def mask_of(self, bits: Value, shift: Value | int, lanes: int) -> Value:
        """The mask of the lanes whose bit is set, after dropping the lowest `shift` bits."""
        moved = self.define(INTEGER, f"lshr i64 {bits.text}, {self.lift(shift).text}")
        short = self.define(f"i{lanes}", f"trunc i64 {moved.text} to i{lanes}")
        return self.define(f"<{lanes} x i1>", f"bitcast i{lanes} {short.text} to <{lanes} x i1>")

    def add_products(
        self, factor: Pointer, across: Sequence[Value], totals: Sequence[Variable], nth: int = 0
    ) -> None:
        """totals[v] += factor[0] * across[v], for a factor at a fixed distance from a pointer."""
        lanes = int(across[0].type[1:].split(" ")[0])
        size = 4 if factor.element == "float" else 8
        if is_loaded(lanes * size, len(across), nth):
            down = self.splat(factor.load(), lanes)
            for value, total in zip(across, totals, strict=True):
                total.set(self.fma(down, value, total.get()))
            return
        suffix = "ps" if factor.element == "float" else "pd"
        text = f'"vfmadd231{suffix} $3{{1to{lanes}}}, $2, $0", "=v,0,v,*m"'
        for value, total in zip(across, totals, strict=True):
            kind, addend = value.type, total.get()
            total.set(
                self.define(
                    kind,
                    f"call {kind} asm {text}({kind} {addend.text}, {kind} {value.text}, "
                    f"ptr elementtype({factor.element}) {factor.text})",
                )
            )

    def fma(self, left: Value, right: Value, addend: Value) -> Value:
        """Left * right + addend with one rounding."""
        kind = addend.type
        if kind.startswith("<"):
            lanes, element = kind.strip("<>").split(" x ")
            name = f"llvm.fma.{_suffix(int(lanes), element)}"
        else:
            name = f"llvm.fma.{'f32' if kind == 'float' else 'f64'}"
        return self.call(name, kind, (left, right, addend))

    def total(self, vector: Value) -> Value:
        """The sum of a vector's lanes, halves added to halves: one fixed order."""
        lanes, element = vector.type.strip("<>").split(" x ")
        width = int(lanes)
        while width > 1:
            width //= 2
            low = self.shuffle(vector, vector, range(width))
            high = self.shuffle(vector, vector, range(width, 2 * width))
            vector = self.define(low.type, f"fadd {low.type} {low.text}, {high.text}")
        return self.define(element, f"extractelement <1 x {element}> {vector.text}, i32 0")

    @contextmanager
    def loop(
        self, start: Value | int, stop: Value | int, step: Value | int = 1
    ) -> Generator[Value]:
        """For index in range(start, stop, step), with a positive step."""
        name = self.fresh("loop")
        first, last, stride = self.lift(start), self.lift(stop), self.lift(step)
        before = self.block
        self.write(f"br label %{name}")
        self.label(name)
        self.lines.append(
            f"  %{name}.i = phi i64 [ {first.text}, %{before} ], [ %{name}.n, %{name}.next ]"
        )
        self.lines.append(f"  %{name}.c = icmp slt i64 %{name}.i, {last.text}")
        self.write(f"br i1 %{name}.c, label %{name}.body, label %{name}.end")
        self.label(f"{name}.body")
        yield Value(self, INTEGER, f"%{name}.i")
        self.write(f"br label %{name}.next")
        self.label(f"{name}.next")
        self.lines.append(f"  %{name}.n = add i64 %{name}.i, {stride.text}")
        self.write(f"br label %{name}")
        self.label(f"{name}.end")

    @contextmanager
    def when(self, condition: Value) -> Generator[None]:
        """If."""
        name = self.fresh("when")
        self.write(f"br i1 {condition.text}, label %{name}.then, label %{name}.end")
        self.label(f"{name}.then")
        yield
        self.write(f"br label %{name}.end")
        self.label(f"{name}.end")

    @contextmanager
    def unless(self, condition: Value) -> Generator[None]:
        """If not."""
        name = self.fresh("unless")
        self.write(f"br i1 {condition.text}, label %{name}.end, label %{name}.then")
        self.label(f"{name}.then")
        yield
        self.write(f"br label %{name}.end")
        self.label(f"{name}.end")
