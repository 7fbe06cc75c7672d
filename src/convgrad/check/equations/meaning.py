"""What a written equation computes, on arrays of small integers: literally, zero outside."""

from __future__ import annotations

import ast
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from convgrad.errors import EquationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from convgrad.check.equations.written import Written

MOST_POINTS = 4_000_000


def names_in(text: str) -> set[str]:
    """The names in a subscript."""
    return {n.id for n in ast.walk(ast.parse(text, mode="eval")) if isinstance(n, ast.Name)}


def is_plain(text: str) -> bool:
    """Whether a subscript is one index alone."""
    return text.isidentifier()


@dataclass(frozen=True, eq=False)
class Bound:
    """A tensor of an equation: its array and the number of its first entry on every axis.

    Attributes:
        array: the entries.
        first: the number by which the first entry of every axis is called.
        turned: the axes that a rotation by 180 degrees turns.
    """

    array: NDArray[Any]
    first: tuple[int, ...]
    turned: tuple[int, ...] = ()


def evaluate(
    equation: Written,
    tensors: Mapping[str, Bound],
    left: tuple[int, ...],
    left_first: tuple[int, ...],
    parameters: Mapping[str, int],
) -> NDArray[Any]:
    """The left side as an array of the shape `left`.

    Raises: EquationError: a name that is neither an index nor a known parameter.
    """
    indices = _ranges(equation, tensors, left, left_first, parameters)
    shape = [len(r) for r in indices.values()]
    if math.prod(shape) > MOST_POINTS:
        raise EquationError("an equation with too many free indices", got=", ".join(indices))
    grids: dict[str, Any] = {}
    for axis, (name, values) in enumerate(indices.items()):
        grids[name] = values.reshape([-1 if i == axis else 1 for i in range(len(shape))])
    scope: dict[str, Any] = {**parameters, **grids}
    total: Any = np.full(shape, float(equation.sign))
    for factor in equation.factors:
        bound = tensors[factor.name]
        total = total * _read(bound, factor.subscripts, scope, rotated=factor.rotated)
    for condition in equation.conditions:
        total = total * _holds(condition, scope)
    names = list(indices)
    for at, text in enumerate(equation.left.subscripts):
        if not is_plain(text) or text not in names:
            raise EquationError(f"subscript {at + 1} of the left side is not an index", got=text)
    order = [names.index(text) for text in equation.left.subscripts]
    rest = [i for i in range(len(names)) if i not in order]
    return np.transpose(total, order + rest).reshape(*left, -1).sum(axis=-1)


def _ranges(
    equation: Written,
    tensors: Mapping[str, Bound],
    left: tuple[int, ...],
    left_first: tuple[int, ...],
    parameters: Mapping[str, int],
) -> dict[str, NDArray[Any]]:
    """Every index with the values it takes: an axis it is the subscript of, or a wide range."""
    found: dict[str, NDArray[Any]] = {}
    for text, length, first in zip(equation.left.subscripts, left, left_first, strict=True):
        if is_plain(text):
            found[text] = np.arange(first, first + length)
    for factor in equation.factors:
        bound = tensors[factor.name]
        for text, length, first in zip(
            factor.subscripts, bound.array.shape, bound.first, strict=True
        ):
            if is_plain(text) and text not in parameters and text not in found:
                found[text] = np.arange(first, first + length)
    used = {n for f in equation.factors for t in f.subscripts for n in names_in(t)}
    used |= set(equation.sums) | {n for c in equation.conditions for n in names_in(c)}
    for name in sorted(used - set(found) - set(parameters)):
        if name not in equation.sums:
            raise EquationError(f"{name} is neither summed over nor known", got=str(equation))
        found[name] = np.arange(-12, 13)
    return found


def _read(
    bound: Bound, subscripts: tuple[str, ...], scope: dict[str, Any], *, rotated: bool
) -> Any:
    inside: Any = True
    indices: list[Any] = []
    for axis, text in enumerate(subscripts):
        value, whole = _value(ast.parse(text, mode="eval").body, scope)
        value = np.asarray(value) - bound.first[axis]
        length = bound.array.shape[axis]
        if rotated and axis in bound.turned:
            value = length - 1 - value
        inside = inside & whole & (value >= 0) & (value < length)
        indices.append(np.clip(value, 0, length - 1).astype(int))
    if not indices:
        return bound.array
    return bound.array[tuple(np.broadcast_arrays(*indices))] * inside


def _value(node: ast.expr, scope: dict[str, Any]) -> tuple[Any, Any]:
    """The value of a subscript, and where every division comes out even."""
    match node:
        case ast.Constant(value=int(number)):
            return number, True
        case ast.Name(id=name):
            return scope[name], True
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value, whole = _value(operand, scope)
            return -value, whole
        case ast.BinOp(left=a, op=op, right=b):
            x, first = _value(a, scope)
            y, second = _value(b, scope)
            both = first & second
            match op:
                case ast.Add():
                    return x + y, both
                case ast.Sub():
                    return x - y, both
                case ast.Mult():
                    return x * y, both
                case ast.Div():
                    return np.floor_divide(x, y), both & (np.mod(x, y) == 0)
                case ast.FloorDiv():
                    return np.floor_divide(x, y), both
                case ast.Mod():
                    return np.mod(x, y), both
                case _:
                    pass
        case _:
            pass
    raise EquationError("a subscript is not affine", got=ast.unparse(node))


def _holds(text: str, scope: dict[str, Any]) -> Any:
    node = ast.parse(text, mode="eval").body
    if not isinstance(node, ast.Compare):
        raise EquationError("a condition compares", got=text, expected="such as s*o + t == i + p")
    signs: dict[type[ast.cmpop], Any] = {
        ast.Eq: np.equal,
        ast.LtE: np.less_equal,
        ast.Lt: np.less,
        ast.GtE: np.greater_equal,
        ast.Gt: np.greater,
    }
    holds: Any = True
    first, last = node.left, node.comparators[-1]
    if isinstance(first, ast.Constant) and isinstance(last, ast.Constant) and first.value == 0:
        return True  # 0 <= o < 5: the size of an array, outside of which it is zero anyway
    values = [_value(n, scope) for n in (node.left, *node.comparators)]
    for (a, whole), op, (b, also) in zip(values, node.ops, values[1:], strict=False):
        compare = signs.get(type(op))
        if compare is None:
            raise EquationError("a condition compares", got=text)
        holds = holds & whole & also & compare(a, b)
    return holds
