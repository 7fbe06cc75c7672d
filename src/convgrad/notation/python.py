"""An equation as NumPy code to be pasted: as loops, or gathered and contracted.

Both are the equation again. The loops read like it; the vectorised form makes one array for each
factor (what it reads at every value of its indices, zero where a condition fails) and leaves the
sum to `einsum`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from string import ascii_letters
from textwrap import wrap
from types import MappingProxyType
from typing import TYPE_CHECKING

from convgrad.algebra.expression import (
    Access,
    Condition,
    Divides,
    Equation,
    Index,
    Tensor,
    Term,
    Within,
)
from convgrad.algebra.polynomial import ONE, Polynomial

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from convgrad.algebra.affine import Affine

TAB = "    "
EMPTY: Mapping[Affine, str] = MappingProxyType({})


def program(equations: Sequence[Equation], name: str, *, vectorised: bool) -> str:
    """Code of a function that evaluates equations one after the other.

    Args:
        equations: each may read what the ones before it define.
        name: of the function.
        vectorised: whether to gather and contract, or to loop.

    Returns: the function; it takes the arrays that the equations read, in the order of reading,
        then by keyword the sizes that no array tells.

    >>> from convgrad.algebra import parse
    >>> z = parse("z[o] = sum(t) x[2*o+t] * w[t] for o < 3, t < 2 with x[6]")
    >>> print(program([z], "forward", vectorised=False))
    import numpy as np
    <BLANKLINE>
    <BLANKLINE>
    def forward(x, w):
        # z[o] = sum(t) x[2*o+t] * w[t]
        z = np.zeros((3,), np.result_type(x, w))
        for o in range(3):
            for t in range(2):
                place0 = 2 * o + t
                z[o] += x[place0] * w[t]
        return z
    """
    write = _vectorised if vectorised else _loops
    names = _inputs(equations)
    letters = dict.fromkeys(letter for e in equations for letter in sorted(e.letters))
    told = {letter: place for letter in letters if (place := _told(letter, names.values()))}
    keywords = [letter for letter in letters if letter not in told]
    arguments = [*names, *(["*", *keywords] if keywords else [])]
    lines = ["import numpy as np", "", "", f"def {name}({', '.join(arguments)}):"]
    lines += [f"{TAB}{letter} = {place}" for letter, place in told.items()]
    for tensor in names.values():
        if grouped := _grouping(tensor):
            lines.append(f"{TAB}{tensor.name} = {tensor.name}.reshape({grouped})")
    for equation in equations:
        comment = wrap(str(equation), 90, subsequent_indent=TAB)
        lines += [f"{TAB}# {line}" for line in comment]
        lines += [TAB + line for line in write(equation)]
    result = equations[-1].target.tensor
    merged = _merging(result)
    ending = f".reshape({merged})" if merged else ""
    lines.append(f"{TAB}return {result.name}{ending}")
    return "\n".join(lines)


def _inputs(equations: Sequence[Equation]) -> dict[str, Tensor]:
    """What is read and not defined, x before w before b, gradients first."""
    defined = {equation.target.tensor.name for equation in equations}
    found = {n: t for e in equations for n, t in e.inputs.items() if n not in defined}
    order = {name: place for place, name in enumerate(("dz", "x", "w", "b"))}
    return dict(sorted(found.items(), key=lambda item: order.get(item[0], 0)))


def _told(letter: str, tensors: Iterable[Tensor]) -> str:
    """Where an array tells a size: `x.shape[0]`. An axis that is split into groups does not."""
    for tensor in tensors:
        place = 0
        for axis, size in enumerate(tensor.shape):
            split = "g" in tensor.axes[max(axis - 1, 0) : axis + 1]
            if size == Polynomial.letter(letter) and not split:
                return f"{tensor.name}.shape[{place}]"
            place += tensor.axes[axis : axis + 1] != ("g",)
    return ""


def _grouping(tensor: Tensor) -> str:
    """The shape with the channel axis split in groups; empty where there are none."""
    return ", ".join(map(str, tensor.shape)) if "g" in tensor.axes else ""


def _merging(tensor: Tensor) -> str:
    """The shape of the user's array, groups and channels in one axis."""
    if "g" not in tensor.axes:
        return ""
    place = tensor.axes.index("g")
    merged = tensor.shape[place] * tensor.shape[place + 1]
    shape = (*tensor.shape[:place], merged, *tensor.shape[place + 2 :])
    return ", ".join(map(str, shape))


def _loops(equation: Equation) -> list[str]:
    lines = [_zeros(equation)]
    if not equation.terms:
        return lines
    for depth, index in enumerate(equation.indices):
        lines.append(TAB * depth + _loop(index))
    for term in equation.terms:
        depth = len(equation.indices)
        for index in term.sums:
            lines.append(TAB * depth + _loop(index))
            depth += 1
        names = _places(equation, term)
        lines += [f"{TAB * depth}{name} = {_python(place)}" for place, name in names.items()]
        if term.conditions:
            tests = " and ".join(_scalar_test(condition, names) for condition in term.conditions)
            lines.append(f"{TAB * depth}if {tests}:")
            depth += 1
        factors = [*_coefficient(term), *(_element(access, names) for access in term.accesses)]
        lines.append(f"{TAB * depth}{_element(equation.target)} += {' * '.join(factors) or '1'}")
    return lines


def _loop(index: Index) -> str:
    return f"for {_name(index.name)} in range({index.extent}):"


def _places(equation: Equation, term: Term) -> dict[Affine, str]:
    """Names for the subscripts that are calculated: the axis they walk along, `ih = 2*oh + th`."""
    taken = {index.name for index in (*equation.indices, *term.sums)} | equation.letters
    names: dict[Affine, str] = {}
    for access in term.accesses:
        axes = access.tensor.axes or ("",) * len(access.subscripts)
        for subscript, axis in zip(access.subscripts, axes, strict=True):
            if subscript.plain or not subscript.terms or subscript in names:
                continue
            pool = (axis, *(f"place{number}" for number in range(len(taken))))
            name = next(name for name in pool if name and name not in taken)
            taken.add(name)
            names[subscript] = name
    return names


def _vectorised(equation: Equation) -> list[str]:
    lines: list[str] = []
    target = equation.target
    name = target.tensor.name
    plain = tuple(s.plain for s in target.subscripts) == tuple(i.name for i in equation.indices)
    terms: list[str] = []
    for term in sorted(equation.terms, key=lambda term: not term.sums):
        gathered = _Gather(equation, term, len(terms))
        lines += gathered.lines
        terms.append(gathered.contraction)
    if plain and terms:
        head = f"{name} = "
        lines += [f"{head if not n else f'{name} = {name} + '}{t}" for n, t in enumerate(terms)]
        return lines
    names = ", ".join(_name(index.name) for index in equation.indices)
    sizes = ", ".join(f":{index.extent}" for index in equation.indices)
    place = ", ".join(_python(subscript) for subscript in target.subscripts)
    lines += [_zeros(equation)]
    if terms:
        lines += [f"{names} = np.ogrid[{sizes}]"] if names else []
        lines += [f"{name}[{place}] = {' + '.join(terms)}"]
    return lines


@dataclass
class _Gather:
    """The lines that gather the factors of one term, and the contraction of what they made.

    A term that is added to others may be left to broadcasting: `z + b[None, :, None]`.
    """

    equation: Equation
    term: Term
    number: int

    def __post_init__(self) -> None:
        indices = (*self.equation.indices, *self.term.sums)
        self.extents = {index.name: index.extent for index in indices}
        self.letters = dict(zip(self.extents, _letters(list(self.extents)), strict=True))
        self.lines: list[str] = []
        conditions = list(self.term.conditions)
        operands: list[tuple[str, tuple[str, ...]]] = []
        for access in self.term.accesses:
            own = [c for c in conditions if c.value.indices <= access.indices]
            conditions = [c for c in conditions if c not in own]
            operands.append(self.operand(access, own))
        operands.extend(self.mask(condition) for condition in conditions)
        free = tuple(index.name for index in self.equation.indices)
        covered = {name for _, names in operands for name in names}
        lone = len(operands) == 1 and not self.term.sums
        if lone and self.number and operands[0][1] == tuple(n for n in free if n in covered):
            axes = ", ".join(":" if name in covered else "None" for name in free)
            self.contraction = "".join(f"{c} * " for c in _coefficient(self.term))
            self.contraction += (
                operands[0][0] if covered == set(free) else f"{operands[0][0]}[{axes}]"
            )
            return
        missing = [index for index in indices if index.name not in covered]
        operands.extend((f"np.ones({index.extent}, int)", (index.name,)) for index in missing)
        self.contraction = self.contracted(operands)

    def grid(self, names: Sequence[str]) -> None:
        sizes = ", ".join(f":{self.extents[name]}" for name in names)
        shown = ", ".join(map(_name, names)) + ("," if len(names) == 1 else "")
        if names:
            self.lines.append(f"{shown} = np.ogrid[{sizes}{',' if len(names) == 1 else ''}]")

    def operand(self, access: Access, conditions: list[Condition]) -> tuple[str, tuple[str, ...]]:
        plain = [subscript.plain for subscript in access.subscripts]
        whole = [name for name in plain if name]
        walks = [self.extents[name] for name in whole] == list(access.tensor.shape)
        if len(set(whole)) == len(plain) and not conditions and walks:
            return access.tensor.name, tuple(whole)
        used = tuple(name for name in self.extents if name in access.indices)
        self.grid(used)
        names = _places(self.equation, replace(self.term, factors=(access,)))
        self.lines += [f"{name} = {_python(place)}" for place, name in names.items()]
        own = f"{access.tensor.name}{self.number + 1 if self.number else ''}"
        inside = f"inside_{own}"
        if conditions:
            self.lines.append(f"{inside} = {' & '.join(_array_tests(conditions, names))}")
        places: list[str] = []
        for subscript, size in zip(access.subscripts, access.tensor.shape, strict=True):
            place = names.get(subscript, _python(subscript))
            walks = subscript.plain and self.extents[subscript.plain] == size
            guarded = any(c.value.indices & subscript.indices for c in conditions)
            places.append(f"np.where({inside}, {place}, 0)" if guarded and not walks else place)
        read = f"{access.tensor.name}[{', '.join(places)}]" if places else access.tensor.name
        result = f"read_{own}"
        self.lines.append(f"{result} = {f'np.where({inside}, {read}, 0)' if conditions else read}")
        return result, used

    def mask(self, condition: Condition) -> tuple[str, tuple[str, ...]]:
        used = tuple(name for name in self.extents if name in condition.value.indices)
        self.grid(used)
        tests = " & ".join(_array_tests([condition], {}))
        name = f"mask{self.number + 1 if self.number else ''}_{len(self.lines)}"
        self.lines.append(f"{name} = ({tests}).astype(int)")
        return name, used

    def contracted(self, operands: list[tuple[str, tuple[str, ...]]]) -> str:
        free = tuple(index.name for index in self.equation.indices)
        coefficient = "".join(f"{part} * " for part in _coefficient(self.term))
        if not operands:
            return coefficient.removesuffix(" * ") or "1"
        if len(operands) == 1 and operands[0][1] == free:
            return coefficient + operands[0][0]
        sides = ",".join("".join(self.letters[n] for n in names) for _, names in operands)
        output = "".join(self.letters[name] for name in free)
        arrays = ", ".join(text for text, _ in operands)
        return f'{coefficient}np.einsum("{sides}->{output}", {arrays}, optimize=True)'


def _zeros(equation: Equation) -> str:
    target = equation.target.tensor
    shape = ", ".join(map(str, target.shape))
    shape = f"({shape},)" if len(target.shape) == 1 else f"({shape})"
    whole = all(term.coefficient.denominator == 1 for term in equation.terms)
    inputs = ", ".join([*equation.inputs, *([] if whole else ["float"])]) or "int"
    return f"{target.name} = np.zeros({shape}, np.result_type({inputs}))"


def _element(access: Access, names: Mapping[Affine, str] = EMPTY) -> str:
    inside = ", ".join(names.get(place, _python(place)) for place in access.subscripts)
    return f"{access.tensor.name}[{inside or '()'}]"


def _coefficient(term: Term) -> list[str]:
    """The coefficient as code, a quotient in brackets; nothing for 1."""
    if term.coefficient == 1:
        return []
    text = str(term.coefficient)
    return [f"({text})" if "/" in text or text.startswith("-") else text]


def _python(affine: Affine) -> str:
    """A form as Python: the division is whole, since its condition has been asked."""
    top = _spaced(str(affine.numerator))
    if affine.divisor == ONE:
        return top
    return f"({top}) // {_bracketed(affine.divisor)}"


def _scalar_test(condition: Condition, names: Mapping[Affine, str]) -> str:
    match condition:
        case Within(value, extent):
            return f"0 <= {names.get(value, _python(value))} < {extent}"
        case Divides(modulus, value):
            return f"({_python(value)}) % {_bracketed(modulus)} == 0"
        case _:
            return f"{_python(condition.value)} == 0"


def _array_tests(conditions: Sequence[Condition], names: Mapping[Affine, str]) -> list[str]:
    """Conditions to be joined by `&`: a chain of comparisons has no meaning for arrays."""
    found: list[str] = []
    for condition in conditions:
        match condition:
            case Within(value, extent):
                place = names.get(value, _python(value))
                found += [f"({place} >= 0)", f"({place} < {extent})"]
            case _:
                found.append(f"({_scalar_test(condition, names)})")
    return found


def _bracketed(size: Polynomial) -> str:
    text = str(size)
    return text if text.isidentifier() or text.isdigit() else f"({_spaced(text)})"


def _spaced(text: str) -> str:
    return _name(text.replace("*", " * "))


def _name(name: str) -> str:
    """An index as an identifier: a prime is no part of one."""
    return name.replace("'", "_")


def _letters(names: list[str]) -> list[str]:
    """A letter of its own for each index, one of its name where that is free."""
    chosen: list[str] = []
    for name in names:
        pool = (*filter(str.isalpha, (name[0], name[-1], name[0].upper())), *ascii_letters)
        chosen.append(next(letter for letter in pool if letter not in chosen))
    return chosen
