"""From the page to the algebra: every index gets its range, every tensor its shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from convgrad.algebra.affine import Affine
from convgrad.algebra.conditions import reading_conditions
from convgrad.algebra.expression import Access, Equation, Index, Tensor, Term
from convgrad.algebra.polynomial import ONE, Polynomial
from convgrad.algebra.written import (
    Written,
    WrittenAccess,
    counted_from,
    origins,
    with_both_ends,
)
from convgrad.errors import EquationError, ParseError

if TYPE_CHECKING:
    from collections.abc import Callable


def assemble(written: Written, text: str, *, zero_outside: bool, first: int) -> Equation:
    """The equation that a written one means; see `parse`."""
    _refuse_what_is_no_index_form(written)
    _refuse_forgotten_sums(written, text)
    shapes = dict(written.shapes)
    extents = dict(written.extents)
    for term in written.terms:
        for index in term.sums:
            if index.first is not None and index.last is not None:
                extents.setdefault(index.name, index.last - index.first + 1)
    counted = counted_from(written, origins(written, first))
    accesses = tuple(counted.accesses())
    for access in accesses:
        for subscript, size in zip(access.subscripts, shapes.get(access.name, ()), strict=False):
            if subscript.plain:
                extents.setdefault(subscript.plain, size)

    def extent(name: str) -> Polynomial:
        return extents.setdefault(name, Polynomial.letter(name.upper()))

    tensors: dict[str, Tensor] = {}
    for name in dict.fromkeys(access.name for access in accesses):
        uses = [access.subscripts for access in accesses if access.name == name]
        if len({len(use) for use in uses}) > 1 or len(shapes.get(name, uses[0])) != len(uses[0]):
            raise EquationError(
                f"{name} is read with different numbers of subscripts",
                got=", ".join(sorted({str(len(use)) for use in uses})),
                expected="the same number everywhere",
                mend="give the tensors different names",
            )
        axes = list(zip(*uses, strict=True))
        guessed = tuple(_axis_size(name, axis, uses, extent) for axis, uses in enumerate(axes))
        names = tuple(next((s.plain for s in axis if s.plain), "") for axis in axes)
        tensors[name] = Tensor(name, shapes.get(name, guessed), names)

    def finished(access: WrittenAccess) -> Access:
        tensor = tensors[access.name]
        subscripts = list(access.subscripts)
        if access.rotated:  # the last two axes, or all of a kernel that has no channels
            for axis in range(len(subscripts))[-2:]:
                subscripts[axis] = Affine.number(tensor.shape[axis] - 1) - subscripts[axis]
        return Access(tensor, tuple(subscripts))

    target = finished(counted.left)
    free = dict.fromkeys(name for s in counted.left.subscripts for name in sorted(s.indices))
    indices = tuple(Index(name, extent(name)) for name in free)
    terms: list[Term] = []
    for part in counted.terms:
        sums = tuple(Index(index.name, extent(index.name)) for index in part.sums)
        factors = tuple(finished(access) for access in part.accesses)
        known = {index.name: index.extent for index in (*indices, *sums)}
        conditions = with_both_ends(part.conditions, known)
        if conditions is None:
            raise EquationError(
                "a range has one end, and which is its other one depends on a sign",
                got=", ".join(map(str, part.conditions)),
                expected="a range with both ends, such as 0 <= i - t < I",
            )
        term = Term(sums, factors, conditions, part.coefficient)
        if zero_outside and not term.free - free.keys():
            needed = reading_conditions(term, known)
            conditions = tuple(dict.fromkeys((*conditions, *needed)))
            term = Term(sums, factors, conditions, part.coefficient)
        terms.append(term)
    return Equation(target, indices, tuple(terms))


def _axis_size(
    name: str, axis: int, uses: tuple[Affine, ...], extent: Callable[[str], Polynomial]
) -> Polynomial:
    """The range of the index that walks along the axis; a letter of its own where none does."""
    for subscript in uses:
        if subscript.plain:
            return extent(subscript.plain)
    if all(not subscript.terms for subscript in uses):
        places = [subscript.constant.number for subscript in uses]
        numbers = [place for place in places if place is not None]
        if len(numbers) == len(places):
            return Polynomial.of(max(numbers) + 1)
    return Polynomial.letter(f"{name.upper()}{axis}")


def _refuse_what_is_no_index_form(written: Written) -> None:
    if written.rounded:
        raise EquationError(
            "a subscript is rounded",
            expected="a quotient that comes out even, such as (i - t)/s",
            mend="leave the rounding out: where the quotient is broken there is no product",
        )
    applied = [f"{f}({name})" for name, f in written.activated]
    applied += [f"{f}({of or ''})" for f, of in written.slopes]
    if applied:
        raise EquationError(
            f"{applied[0]} is no entry of a tensor",
            expected="tensors with subscripts",
            mend="give the array that the function makes a name of its own, such as a",
        )
    for term in written.terms:
        if term.factor != (ONE, ONE):
            raise EquationError(
                f"the factor {term.factor[0]}/{term.factor[1]} is no number",
                expected="a number before the sum",
                mend="leave the letters out, or give them values",
            )


def _refuse_forgotten_sums(written: Written, text: str) -> None:
    """A size alone in a subscript is an index whose sum was forgotten."""
    for access in written.accesses():
        for name in forgotten(access):
            raise ParseError(
                text,
                access.column,
                expected=f"a sum over {name}, or {name} on the left side",
                mend=f"write sum({name}) before the product",
            )


def forgotten(access: WrittenAccess) -> tuple[str, ...]:
    """The names that are a whole subscript and no index."""
    found: list[str] = []
    for subscript in access.subscripts:
        constant = subscript.constant
        lone = constant.letters if not subscript.terms and len(constant.terms) == 1 else ()
        found += [name for name in lone if len(lone) == 1 and str(constant) == name]
    return tuple(found)
