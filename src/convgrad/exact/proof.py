"""Proofs that a gradient is right, none of which uses the rules that derived it.

J(x) = sum of dz * z(x) is what the gradient dx differentiates: dJ = sum of dx * (change of x).

difference quotient   z is linear in x, so J(x + e_m) - J(x) in integers *is* dJ/dx[m], no limit
                      taken. Compared for every basis vector e_m of x, of dz and of every other
                      tensor: expressions that are linear in each and agree there are equal.
coefficients          both sides are sums of products; the coefficient of every product is compared,
                      one group of joined indices at a time: see `coefficients`.
identity test         the two sides of dJ = sum of dx * v are polynomials; they are compared at a
                      random point of a prime field. Polynomials of degree d that differ agree
                      there with probability at most d/p [Schwartz 1980, Zippel 1979].
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from math import ceil, floor, log10, prod
from typing import TYPE_CHECKING

import numpy as np

from convgrad.algebra.affine import Affine, numeric
from convgrad.algebra.expression import Access, Equation, Index, Tensor, Term
from convgrad.algebra.polynomial import Polynomial
from convgrad.convolution import Convolution
from convgrad.errors import MADE, ConvgradError, require
from convgrad.exact import coefficients
from convgrad.exact.arithmetic import PRIME, Array, PrimeField
from convgrad.exact.vectorised import evaluate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


COEFFICIENTS = coefficients.METHOD
COMPLETE = "difference quotient over the complete basis"
IDENTITY = "polynomial identity test"

SMALL = 1_000_000
"""Up to so many products the complete basis is tried: well under a second."""


@dataclass(frozen=True)
class Proof:
    """What was compared, how, and with which outcome.

    Attributes:
        gradient: "dx", "dw", ...
        method: `COMPLETE`, `COEFFICIENTS` or `IDENTITY`.
        holds: whether everything agreed.
        compared: how many exact numbers were compared.
        error: a bound on the probability that a wrong gradient passes; 0 for a complete basis.
        counterexample: where the two sides differ, in words; empty where they agree.
    """

    gradient: str
    method: str
    holds: bool
    compared: int
    error: float = 0.0
    counterexample: str = ""

    def __str__(self) -> str:
        if not self.holds:
            return f"{self.gradient} is WRONG, by the {self.method}: {self.counterexample}"
        if self.method == COEFFICIENTS:
            return f"{self.gradient} is proved: {self.method}, {self.compared:,} numbers equal"
        if self.method == COMPLETE:
            return (
                f"{self.gradient} is proved: {self.method}, {self.compared:,} exact integers equal"
            )
        return (
            f"{self.gradient} agrees: {self.method} at {self.compared} random "
            f"{'point' if self.compared == 1 else 'points'} modulo 2^61 - 1; "
            f"a wrong equation passes with probability below {_rounded_up(self.error)}"
        )


def _rounded_up(bound: float) -> str:
    """A small number with two digits, never below it."""
    exponent = floor(log10(bound)) - 1
    return f"{ceil(bound / 10.0**exponent) / 10:.1f}e{exponent + 1:+03d}"


def prove(
    layer: Convolution,
    *,
    batch: int = 2,
    method: str = "",
    trials: int = 1,
    seed: int | None = None,
) -> tuple[Proof, ...]:
    """Check the derived gradients of a layer against its forward pass, exactly.

    Args:
        layer: the layer.
        batch: how many instances; 2 would show a gradient that mixes them.
        method: `COMPLETE`, `COEFFICIENTS` (complete for any size; where it does not decide, the
            identity test), `IDENTITY`, or empty for the first where it is small enough and the
            last where it is not.
        trials: random points for the identity test.
        seed: of the random numbers; fresh ones unless given.

    Returns: one proof for each gradient.

    >>> from convgrad.convolution import Convolution
    >>> for proof in prove(Convolution(5, 2, 2, 3, stride=2, padding=1)):
    ...     print(proof)
    dx is proved: difference quotient over the complete basis, 3,120 exact integers equal
    dw is proved: difference quotient over the complete basis, 3,024 exact integers equal
    db is proved: difference quotient over the complete basis, 24 exact integers equal
    """
    require(Convolution, MADE, layer=layer)
    from convgrad.algebra.layers import passes

    found = passes(layer)
    forward = [equation.with_sizes({"N": batch}) for equation in found.forward]
    proofs: list[Proof] = []
    decided = coefficients.compare_layer(layer, batch) if method == COEFFICIENTS else {}
    for name, equations in found.gradients.items():
        if outcome := decided.get(name):
            text = "" if outcome.holds else "a coefficient differs"
            proof = Proof(name, COEFFICIENTS, outcome.holds, outcome.compared, 0.0, text)
            proofs.append(proof)
            continue
        gradient = [equation.with_sizes({"N": batch}) for equation in equations]
        proofs.append(
            prove_gradient(
                forward,
                gradient,
                name[1:],
                method=IDENTITY if method == COEFFICIENTS else method,
                trials=trials,
                seed=seed,
            )
        )
    return tuple(proofs)


def prove_gradient(
    forward: Sequence[Equation],
    gradient: Sequence[Equation],
    wrt: str,
    *,
    method: str = "",
    trials: int = 1,
    seed: int | None = None,
) -> Proof:
    """Check one gradient against the forward pass it claims to differentiate.

    Args:
        forward: equations without letters, each of which may read what the ones before define.
        gradient: the same for the gradient; its last equation defines it, and it reads the
            derivative by the last forward equation's left side under that name after a "d".
        wrt: the tensor it is the gradient by.
        method: `COMPLETE`, `IDENTITY`, or empty for the first where it is small enough.
        trials: random points for the identity test.
        seed: of the random numbers; fresh ones unless given.

    Returns: the proof, or its counterexample.

    Raises:
        ConvgradError: where a complete basis was asked for and z is not linear in `wrt`.
    """
    generator = np.random.default_rng(seed)
    linear = _linear(forward, wrt)
    if method == COMPLETE and not linear:
        raise ConvgradError(
            f"the forward pass is not linear in {wrt}",
            mend="use the identity test, which holds for polynomials",
        )
    if not method:
        method = COMPLETE if linear and _basis_size(forward, gradient, wrt) <= SMALL else IDENTITY
    if method == COMPLETE:
        return _difference_quotient(forward, gradient, wrt, generator)
    return _identity_test(forward, gradient, wrt, trials, generator)


def run(
    equations: Sequence[Equation], arrays: Mapping[str, Array], field: PrimeField | None = None
) -> Array:
    """Evaluate equations one after the other; the last one's left side."""
    known = dict(arrays)
    for equation in equations:
        known[equation.target.tensor.name] = evaluate(equation, known, field)
    return known[equations[-1].target.tensor.name]


def inputs_of(equations: Sequence[Equation]) -> dict[str, Tensor]:
    """The tensors that equations read and do not define."""
    defined = {equation.target.tensor.name for equation in equations}
    found = {name: tensor for equation in equations for name, tensor in equation.inputs.items()}
    return {name: tensor for name, tensor in found.items() if name not in defined}


def _difference_quotient(
    forward: Sequence[Equation],
    gradient: Sequence[Equation],
    wrt: str,
    generator: np.random.Generator,
) -> Proof:
    """Both sides for all basis vectors at once, each tensor with an axis that counts its own."""
    z = forward[-1].target.tensor
    adjoint = f"d{z.name}"
    varied = {name: t for name, t in inputs_of(gradient).items() if name != adjoint}
    others = {name: t for name, t in inputs_of(forward).items() if name not in {*varied, wrt}}
    fixed = {name: _small_integers(t, generator) for name, t in others.items()}
    # J at x0 and at x0 + e_m, for every m, with every basis vector of the other tensors
    source = inputs_of(forward)[wrt]
    start = _small_integers(source, generator)
    stack = np.concatenate([start[None], start[None] + _basis(source)[1:]])
    arrays = {name: _basis(t) for name, t in varied.items()} | fixed | {wrt: stack}
    counts = {name: len(arrays[name]) for name in (*varied, wrt)}
    values = run(_stacked(forward, counts), arrays)
    axis = list(counts).index(wrt)
    moved = np.moveaxis(values, axis, 0)
    quotient = (moved[1:] - moved[:1]).reshape(_size(source), -1, _size(z))
    # dx for every basis vector of dz and of the other tensors
    adjoints = _basis(_tensor(gradient, adjoint, z))[1:]
    arrays = {name: _basis(t) for name, t in varied.items()} | {adjoint: adjoints}
    counts = {name: len(arrays[name]) for name in (*varied, adjoint)}
    results = run(_stacked(gradient, counts), arrays)
    claimed = results.reshape(-1, _size(z), _size(source)).transpose(2, 0, 1)
    wrong = np.argwhere(quotient != claimed)
    text = ""
    if len(wrong):
        m, _, o = (int(place) for place in wrong[0])
        expected, got = quotient[tuple(wrong[0])], claimed[tuple(wrong[0])]
        text = (
            f"with dz = 1 at {_at(z, o)} only, the derivative by "
            f"{wrt}{list(_at(source, m))} is {expected}, not {got}"
        )
    return Proof(f"d{wrt}", COMPLETE, not len(wrong), int(quotient.size), 0.0, text)


def _identity_test(
    forward: Sequence[Equation],
    gradient: Sequence[Equation],
    wrt: str,
    trials: int,
    generator: np.random.Generator,
) -> Proof:
    """Both sides of dJ = sum of dx * v at random points of the prime field."""
    field = PrimeField()
    degree = _degree(forward, wrt)
    total = _total_degree(forward) + 1
    z = forward[-1].target.tensor
    for _ in range(trials):
        arrays = {n: field.random(_shape(t), generator) for n, t in inputs_of(forward).items()}
        adjoint = field.random(_shape(z), generator)
        direction = field.random(_shape(inputs_of(forward)[wrt]), generator)
        change = _directional(forward, arrays, wrt, direction, degree, field)
        claimed = run(gradient, arrays | {f"d{z.name}": adjoint}, field)
        if _dot(adjoint, change, field) != _dot(claimed, direction, field):
            return Proof(
                f"d{wrt}", IDENTITY, False, 1, 0.0, "the two sides differ at a random point"
            )
    return Proof(f"d{wrt}", IDENTITY, True, trials, (total / PRIME) ** trials)


def _directional(
    forward: Sequence[Equation],
    arrays: Mapping[str, Array],
    wrt: str,
    direction: Array,
    degree: int,
    field: PrimeField,
) -> Array:
    """The derivative of z(x + h*v) by h at 0, from its values at h = 0, 1, ..., degree.

    A polynomial of that degree is known from so many values; the weights are the derivatives of
    Lagrange's basis at 0.
    """

    def part(h: int) -> Array:
        moved = field.add(arrays[wrt], field.scale(direction, h, 1))
        value = run(forward, {**arrays, wrt: moved}, field)
        return field.scale(value, *_lagrange_slope(h, degree))

    return reduce(field.add, (part(h) for h in range(degree + 1)))


def _lagrange_slope(h: int, degree: int) -> tuple[int, int]:
    """The derivative at 0 of the polynomial that is 1 at h and 0 at the other points."""
    others = [point for point in range(degree + 1) if point != h]
    bottom = prod(h - point for point in others)
    top = sum(prod(-point for point in others if point != left) for left in others)
    return top, bottom


def _stacked(equations: Sequence[Equation], counts: Mapping[str, int]) -> list[Equation]:
    """The equations with one more axis for each named tensor, which counts its basis vectors."""
    carried: dict[str, tuple[str, ...]] = {name: (name,) for name in counts}
    found: list[Equation] = []
    for equation in equations:
        axes: dict[str, None] = {}
        for name in equation.inputs:
            axes.update(dict.fromkeys(carried.get(name, ())))
        last = equation is equations[-1]  # it carries all, also those that it does not depend on
        ordered = tuple(name for name in counts if last or name in axes)
        carried[equation.target.tensor.name] = ordered
        found.append(_with_axes(equation, carried, counts))
    return found


def _with_axes(
    equation: Equation, carried: Mapping[str, tuple[str, ...]], counts: Mapping[str, int]
) -> Equation:
    def widened(access: Access) -> Access:
        extra = carried.get(access.tensor.name, ())
        sizes = tuple(Polynomial.of(counts[name]) for name in extra)
        tensor = replace(access.tensor, shape=(*sizes, *access.tensor.shape))
        return Access(tensor, (*(Affine.index(f"#{name}") for name in extra), *access.subscripts))

    def term(old: Term) -> Term:
        factors = tuple(widened(f) if isinstance(f, Access) else f for f in old.factors)
        return replace(old, factors=factors)

    extra = carried[equation.target.tensor.name]
    stack = tuple(Index(f"#{name}", Polynomial.of(counts[name])) for name in extra)
    terms = tuple(term(old) for old in equation.terms)
    return Equation(widened(equation.target), (*stack, *equation.indices), terms)


def _basis(tensor: Tensor) -> Array:
    """Zero and every unit vector: affine functions that agree on these are equal."""
    size = _size(tensor)
    vectors = np.concatenate([np.zeros((1, size), np.int64), np.eye(size, dtype=np.int64)])
    return vectors.reshape(size + 1, *_shape(tensor))


def _basis_size(forward: Sequence[Equation], gradient: Sequence[Equation], wrt: str) -> int:
    """About how many numbers the two sides read and make for all basis vectors."""
    z = forward[-1].target.tensor
    source = inputs_of(forward)[wrt]
    varied = [t for name, t in inputs_of(gradient).items() if name != f"d{z.name}"]
    made = _size(source) * _size(z) * prod(_size(t) + 1 for t in varied)
    read = _size(source) * _products(forward) + _size(z) * _products(gradient)
    return max(made, read)


def _products(equations: Sequence[Equation]) -> int:
    """How many values the indices of the largest term take."""
    sizes = [
        prod(numeric(index.extent) for index in (*equation.indices, *term.sums))
        for equation in equations
        for term in equation.terms
    ]
    return max(sizes, default=0)


def _degree(equations: Sequence[Equation], wrt: str) -> int:
    """The degree of the last left side in one tensor."""
    degrees = {wrt: 1}
    for equation in equations:
        sums = [sum(degrees.get(a.tensor.name, 0) for a in t.accesses) for t in equation.terms]
        degrees[equation.target.tensor.name] = max(sums, default=0)
    return degrees[equations[-1].target.tensor.name]


def _total_degree(equations: Sequence[Equation]) -> int:
    """The degree of the last left side in all tensors together."""
    degrees = dict.fromkeys(inputs_of(equations), 1)
    for equation in equations:
        sums = [sum(degrees[a.tensor.name] for a in t.accesses) for t in equation.terms]
        degrees[equation.target.tensor.name] = max(sums, default=0)
    return degrees[equations[-1].target.tensor.name]


def _linear(equations: Sequence[Equation], wrt: str) -> bool:
    """Whether z is affine in each single tensor, as every layer is."""
    return all(_degree(equations, name) <= 1 for name in {wrt, *inputs_of(equations)})


def _tensor(equations: Sequence[Equation], name: str, otherwise: Tensor) -> Tensor:
    return inputs_of(equations).get(name, otherwise)


def _small_integers(tensor: Tensor, generator: np.random.Generator) -> Array:
    return generator.integers(-9, 10, size=_shape(tensor))


def _shape(tensor: Tensor) -> tuple[int, ...]:
    return tuple(map(numeric, tensor.shape))


def _size(tensor: Tensor) -> int:
    return prod(_shape(tensor))


def _at(tensor: Tensor, place: int) -> tuple[int, ...]:
    return tuple(int(number) for number in np.unravel_index(place, _shape(tensor)))


def _dot(left: Array, right: Array, field: PrimeField) -> int:
    return int(field.matmul(left.reshape(1, -1), right.reshape(-1, 1))[0, 0])
