"""An equation evaluated on whole arrays: gather what each factor reads, then contract.

x[n, c, 2*o + t - 1]   becomes an array over (n, c, o, t), zero where a condition fails
sum(c,t) ... * w[k,c,t] becomes a matrix product over (c, t)
"""

from __future__ import annotations

from collections import defaultdict
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from convgrad.algebra.affine import Affine, numeric
from convgrad.algebra.expression import Access, Condition, Divides, Equation, Kronecker, Term, Zero
from convgrad.errors import ArrayError, EquationError
from convgrad.exact.arithmetic import Arithmetic, Array, Integers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Gathered = tuple[Array, tuple[str, ...]]
"""An array with the index that walks along each of its axes."""


def evaluate(
    equation: Equation,
    arrays: Mapping[str, Array],
    arithmetic: Arithmetic | None = None,
) -> Array:
    """All entries of the left side.

    Args:
        equation: an equation without letters.
        arrays: one array of integers (or Fractions) for each tensor on the right side.
        arithmetic: the numbers to calculate with; exact integers unless given.

    Returns: an array of the left side's shape.

    Raises:
        ArrayError: where an array is missing, is not of integers, or has another shape.

    >>> from convgrad.algebra import parse
    >>> z = parse("z[o] = sum(t) x[2*o + t - 1] * w[t] for o < 3, t < 3 with x[6]")
    >>> evaluate(z, {"x": np.arange(1, 7), "w": np.array([1, 10, 100])})
    array([210, 432, 654])
    """
    if arithmetic is None:
        arithmetic = _integers(equation, arrays)
    _check(equation, arrays)
    entered = {name: arithmetic.enter(arrays[name]) for name in equation.inputs}
    names = tuple(index.name for index in equation.indices)
    extents = {index.name: numeric(index.extent) for index in equation.indices}
    total = arithmetic.enter(np.zeros(tuple(extents.values()), dtype=np.int64))
    for term in equation.terms:
        total = arithmetic.add(total, _term(term, entered, names, extents, arithmetic))
    return _placed(equation, total)


def _term(
    term: Term,
    arrays: Mapping[str, Array],
    free: tuple[str, ...],
    extents: Mapping[str, int],
    arithmetic: Arithmetic,
) -> Array:
    """One term as an array over the free indices."""
    known = {**extents, **{index.name: numeric(index.extent) for index in term.sums}}
    conditions = list(term.conditions)
    applied: set[Condition] = set()
    gathered: list[Gathered] = []
    for factor in term.factors:
        match factor:
            case Access():
                array = arrays[factor.tensor.name]
                gathered.append(_gather(factor, array, conditions, applied, known))
            case Kronecker(left, right):
                conditions.append(Zero(left - right))
            case _:
                raise EquationError(f"{factor} has no value", expected="a finished equation")
    for condition in conditions:
        if condition in applied:
            continue  # what is left is in no single factor
        names = tuple(sorted(condition.value.indices))
        grid = _grid(names, known)
        mask = np.broadcast_to(_mask(condition, grid), tuple(known[name] for name in names))
        gathered.append((arithmetic.enter(mask.astype(np.int64)), names))
    ones = arithmetic.enter(np.ones((), dtype=np.int64))
    product: Gathered = (ones, ())
    for place, factor in enumerate(gathered):
        later = {name for _, names in gathered[place + 1 :] for name in names}
        product = _contract(product, factor, later | set(free), arithmetic)
    unused = [index for index in term.sums if all(index.name not in names for _, names in gathered)]
    times = prod(known[index.name] for index in unused)
    scaled = arithmetic.scale(
        product[0], term.coefficient.numerator * times, term.coefficient.denominator
    )
    return _spread((scaled, product[1]), free, known)


def _gather(
    access: Access,
    array: Array,
    conditions: Sequence[Condition],
    applied: set[Condition],
    extents: Mapping[str, int],
) -> Gathered:
    """The array read at every value of the indices of an access; its own conditions applied.

    Subscripts that share no index are read one axis at a time, the others all at once. Every factor
    obeys the conditions on its own indices, also one that another factor has obeyed: it may be what
    keeps this one inside its shape.
    """
    names: list[str] = []
    for subscripts, axes in reversed(_independent(access, conditions)):
        own, array = _read(access, array, subscripts, axes, conditions, extents)
        applied.update(c for c in conditions if c.value.indices <= set(own))
        names[:0] = own
    return array, tuple(names)


def _independent(
    access: Access, conditions: Sequence[Condition]
) -> list[tuple[tuple[Affine, ...], tuple[int, ...]]]:
    """Each subscript with its axis, or all together where they share an index or a condition."""
    alone = [((subscript,), (axis,)) for axis, subscript in enumerate(access.subscripts)]
    used = [name for subscript in access.subscripts for name in subscript.indices]
    inside = [c.value.indices for c in conditions if c.value.indices <= access.indices]
    apart = all(any(need <= s.indices for s in access.subscripts) for need in inside)
    if len(used) == len(set(used)) and apart:
        return alone
    return [(access.subscripts, tuple(range(len(alone))))] if alone else []


def _read(
    access: Access,
    array: Array,
    subscripts: tuple[Affine, ...],
    axes: tuple[int, ...],
    conditions: Sequence[Condition],
    extents: Mapping[str, int],
) -> tuple[tuple[str, ...], Array]:
    """Replace neighbouring axes of the array by the indices of their subscripts."""
    first = axes[0]
    sizes = array.shape[first : first + len(axes)]
    names = tuple(sorted({name for subscript in subscripts for name in subscript.indices}))
    own = [condition for condition in conditions if condition.value.indices <= set(names)]
    shape = tuple(extents[name] for name in names)
    if not own and len(subscripts) == 1 and subscripts[0].plain and shape == sizes:
        return names, array
    grid = _grid(names, extents)
    inside = np.ones(shape, dtype=bool)
    for condition in own:
        inside &= _mask(condition, grid)
    flat: Array = np.zeros((), dtype=np.int64)
    for subscript, size in zip(subscripts, sizes, strict=True):
        place, remainder = _value(subscript, grid)
        if np.any(inside & ((remainder != 0) | (place < 0) | (place >= size))):
            raise IndexError(f"{access} is read outside its shape")
        flat = flat * size + place
    merged = array.reshape(*array.shape[:first], -1, *array.shape[first + len(axes) :])
    chosen = np.where(inside, flat, 0).ravel()
    before, after = merged.shape[:first], merged.shape[first + 1 :]
    read = merged.take(chosen, axis=first).reshape(*before, *shape, *after)
    if not inside.all():
        wide = inside.reshape(*shape, *(1,) * len(after))
        read = np.where(wide, read, np.zeros((), dtype=array.dtype))
    return names, read


def _contract(left: Gathered, right: Gathered, kept: set[str], arithmetic: Arithmetic) -> Gathered:
    """Multiply two arrays and sum over every index that nobody needs any more.

    As a stack of matrix products: (stack, rows, inner) @ (stack, inner, columns).
    """
    (a, a_names), (b, b_names) = left, right
    both = [name for name in a_names if name in b_names]
    stack = [name for name in both if name in kept]
    inner = [name for name in both if name not in kept]
    rows = [name for name in a_names if name not in b_names]
    columns = [name for name in b_names if name not in a_names]
    length = {
        **dict(zip(a_names, a.shape, strict=True)),
        **dict(zip(b_names, b.shape, strict=True)),
    }

    def shaped(array: Array, names: Sequence[str], groups: Sequence[Sequence[str]]) -> Array:
        axes = [list(names).index(name) for group in groups for name in group]
        sizes = [prod(length[name] for name in group) for group in groups]
        return array.transpose(axes).reshape(sizes)

    matrix = arithmetic.matmul(
        shaped(a, a_names, (stack, rows, inner)), shaped(b, b_names, (stack, inner, columns))
    )
    names = (*stack, *rows, *columns)
    result = matrix.reshape([length[name] for name in names])
    return _sum_lone((result, names), kept, arithmetic)


def _sum_lone(gathered: Gathered, kept: set[str], arithmetic: Arithmetic) -> Gathered:
    """Sum over the axes whose index nobody needs any more."""
    array, names = gathered
    lone = [name for name in names if name not in kept]
    if not lone:
        return gathered
    rest = [name for name in names if name in kept]
    axes = [names.index(name) for name in (*rest, *lone)]
    shape = [array.shape[names.index(name)] for name in rest]
    matrix = array.transpose(axes).reshape(prod(shape), -1)
    ones = arithmetic.enter(np.ones((matrix.shape[1], 1), dtype=np.int64))
    return arithmetic.matmul(matrix, ones).reshape(shape), tuple(rest)


def _spread(gathered: Gathered, free: tuple[str, ...], extents: Mapping[str, int]) -> Array:
    """The array over all free indices, constant along those it does not depend on."""
    array, names = gathered
    ordered = array.transpose([names.index(name) for name in free if name in names])
    shape = [extents[name] if name in names else 1 for name in free]
    return np.broadcast_to(ordered.reshape(shape), [extents[name] for name in free])


def _placed(equation: Equation, values: Array) -> Array:
    """The values over the free indices, put where the left side's subscripts say."""
    target = equation.target
    names = tuple(index.name for index in equation.indices)
    if tuple(subscript.plain for subscript in target.subscripts) == names:
        return np.array(values)
    result = np.zeros(tuple(map(numeric, target.tensor.shape)), dtype=values.dtype)
    grid = _grid(names, {index.name: numeric(index.extent) for index in equation.indices})
    result[tuple(_value(subscript, grid)[0] for subscript in target.subscripts)] = values
    return result


def _grid(names: tuple[str, ...], extents: Mapping[str, int]) -> dict[str, Array]:
    """Each index as an array along an axis of its own."""
    axes = np.ogrid[tuple(slice(extents[name]) for name in names)] if names else ()
    return dict(zip(names, axes, strict=True))


def _value(affine: Affine, grid: Mapping[str, Array]) -> tuple[Array, Array]:
    total: Array = np.asarray(numeric(affine.constant))
    for name, coefficient in affine.terms:
        total = total + numeric(coefficient) * grid[name]
    quotient, remainder = np.divmod(total, numeric(affine.divisor))
    return quotient, remainder


def _mask(condition: Condition, grid: Mapping[str, Array]) -> Array:
    quotient, remainder = _value(condition.value, grid)
    match condition:
        case Divides(modulus):
            return (remainder == 0) & (quotient % numeric(modulus) == 0)
        case Zero():
            return (remainder == 0) & (quotient == 0)
        case _:
            return (quotient >= 0) & (quotient < numeric(condition.extent))


def _integers(equation: Equation, arrays: Mapping[str, Array]) -> Integers:
    """Integers wide enough for the largest sum that the equation can make of these arrays."""
    largest: dict[str, int] = defaultdict(int)
    fractions = any(term.coefficient.denominator > 1 for term in equation.terms)
    for name in equation.inputs:
        if name in arrays and arrays[name].size:
            array = arrays[name]
            fractions = fractions or array.dtype == object
            largest[name] = int(max(abs(array.max()), abs(array.min()))) + 1
    bound = 0
    for term in equation.terms:
        size = abs(term.coefficient.numerator) * prod(numeric(i.extent) for i in term.sums)
        bound += size * prod(largest[access.tensor.name] for access in term.accesses)
    return Integers.holding(bound, fractions=fractions)


def _check(equation: Equation, arrays: Mapping[str, Array]) -> None:
    for name, tensor in equation.inputs.items():
        if name not in arrays:
            raise ArrayError(f"no array for {name}", expected=f"one of shape {tensor}")
        shape = tuple(map(numeric, tensor.shape))
        if arrays[name].shape != shape:
            raise ArrayError(
                f"{name} does not have the shape of the equation",
                got=str(arrays[name].shape),
                expected=str(shape),
            )
        if arrays[name].dtype.kind not in "iuO":
            raise ArrayError(
                f"{name} is not exact",
                got=str(arrays[name].dtype),
                expected="integers, or Fractions in an array of objects",
            )
