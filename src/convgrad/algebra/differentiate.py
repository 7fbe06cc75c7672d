"""The chain rule on sums of products, every rewriting a step that can be read.

    d/dx[m] of sum(o) dz[o] * ( sum(t) x[f(o,t)] * w[t] )
      = sum(o,t) dz[o] * delta(f(o,t), m) * w[t]

and each Kronecker delta removes one sum.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from convgrad.algebra.affine import Affine
from convgrad.algebra.conditions import always, tighten
from convgrad.algebra.expression import (
    Access,
    Derivative,
    Equation,
    Index,
    Kronecker,
    Tensor,
    Term,
    Within,
)
from convgrad.algebra.solve import Elimination, eliminate, substitute
from convgrad.errors import READ, EquationError, require

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Rule:
    """A law that a step uses, with its statement."""

    name: str
    statement: str


GIVEN = Rule("given", "The forward pass.")
CHAIN = Rule(
    "chain rule",
    "A change of one entry reaches the loss through every output entry it touches, "
    "so the derivative is the sum over all of them.",
)
LINEAR = Rule(
    "sum and product rule",
    "The derivative of a sum is the sum of the derivatives; of a product, one factor at a time.",
)
DELTA = Rule(
    "Kronecker delta",
    "An entry changes with itself at rate 1 and with no other entry: one delta for each subscript.",
)
SIFT = Rule(
    "sifting",
    "A sum over an index that a delta ties to one value is that one term.",
)
SOLVE = Rule(
    "solving a subscript",
    "The delta is a linear equation between indices; solve it for one of them. Its range, and the "
    "divisibility where its coefficient is not 1, stay behind as conditions.",
)
RANGES = Rule(
    "ranges",
    "A condition that the ranges of the indices guarantee says nothing and is dropped.",
)
COLLECT = Rule("collecting", "Equal terms are added.")


@dataclass(frozen=True)
class Step:
    """One line of a derivation: an equation, the rule that gave it and why, in one sentence."""

    equation: Equation
    rule: Rule
    why: str

    def __str__(self) -> str:
        return f"{self.equation}\n    [{self.rule.name}] {self.why}"


@dataclass(frozen=True)
class Derivation:
    """A gradient with the steps that lead to it, the forward pass first.

    >>> from convgrad.algebra import parse
    >>> forward = parse("z[o] = sum(t) x[o+t] * w[t] for o < 4, t < 3 with x[6]")
    >>> print(differentiate(forward, "w").result)
    dw[t] = sum(o) dz[o] * x[o+t]
    """

    wrt: str
    steps: tuple[Step, ...]

    @property
    def result(self) -> Equation:
        """The equation of the last step."""
        return self.steps[-1].equation

    def __str__(self) -> str:
        return "\n".join(map(str, self.steps))

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from convgrad.notation.notebook import derivation_html

        return derivation_html(self)


def differentiate(
    equation: Equation, wrt: str, *, adjoint: str = "", gradient: str = ""
) -> Derivation:
    """The gradient of a loss J with respect to one tensor of an equation.

    Args:
        equation: defines z, say, as a sum of products with affine subscripts.
        wrt: the name of a tensor on the right side, say x.
        adjoint: the name for dJ/dz; "dz" unless given.
        gradient: the name for dJ/dx; "dx" unless given.

    Returns: the steps from the equation to `dx[...] = ...`, in which every sum is over `dz`.
        Applied again to such a result it gives the double backward.

    Raises:
        EquationError: where the equation does not contain `wrt`.

    >>> from convgrad.algebra import parse
    >>> z = parse("z[o] = sum(t) x[2*o+t] * w[t] for o < 4, t < 3 with x[9]")
    >>> print(differentiate(z, "x").result)
    dx[i] = sum(t if (i - t) % 2 == 0, 0 <= (i - t)/2 < 4) dz[(i-t)/2] * w[t]
    """
    require(Equation, READ, equation=equation)
    tensors = equation.inputs
    if wrt not in tensors:
        raise EquationError(
            f"{wrt} does not occur on the right side",
            got=str(equation),
            expected=f"one of {', '.join(tensors)}",
            mend="differentiate with respect to a tensor that the equation reads",
        )
    start = _Start.of(equation, tensors[wrt], adjoint, gradient)
    chained = start.chained()
    split = start.inserted()
    deltas = start.deltas(split)
    sifted = _sift(deltas)
    solved, eliminations = _solve(sifted, start.outputs)
    steps = [
        Step(
            equation,
            GIVEN,
            f"{equation.left.tensor.name} as the layer computes it."
            if isinstance(equation.left, Access)
            else "",
        ),
        Step(chained, CHAIN, start.why_chain()),
        Step(split, LINEAR, start.why_inserted()),
        Step(deltas, DELTA, f"Two entries of {wrt} are one entry where every subscript agrees."),
    ]
    if sifted != deltas:
        steps.append(Step(sifted, SIFT, _why_sifted(deltas, sifted)))
    if eliminations:
        steps.append(Step(solved, SOLVE, _why_solved(eliminations)))
    tight = tighten(solved)
    if tight != solved:
        steps.append(Step(tight, RANGES, _why_tight(solved, tight)))
    collected = _collect(tight)
    if collected != tight:
        steps.append(Step(collected, COLLECT, "Terms that differ in their factor only are one."))
    return Derivation(wrt, tuple(steps))


@dataclass(frozen=True)
class _Start:
    """The equation with its indices out of the way of those of the gradient."""

    equation: Equation
    element: Access
    adjoint: Access
    gradient: Tensor
    free: tuple[Index, ...]

    @classmethod
    def of(cls, equation: Equation, tensor: Tensor, adjoint: str, gradient: str) -> _Start:
        target = equation.target.tensor
        free = tuple(map(Index, axis_names(equation, tensor), tensor.shape))
        moved = primed(equation, (index.name for index in free))
        names = tuple(index.name for index in free)
        subscripts = tuple(Affine.index(name) for name in names)
        dz = replace(target, name=adjoint or f"d{target.name}")
        return cls(
            moved,
            Access(tensor, subscripts),
            Access(dz, moved.target.subscripts),
            Tensor(gradient or f"d{tensor.name}", tensor.shape, names),
            free,
        )

    @property
    def outputs(self) -> tuple[str, ...]:
        return tuple(index.name for index in self.equation.indices)

    def equal_to(self, terms: Sequence[Term]) -> Equation:
        return Equation(Access(self.gradient, self.element.subscripts), self.free, tuple(terms))

    def chained(self) -> Equation:
        change = Derivative(self.equation.target, self.element)
        return self.equal_to([Term(self.equation.indices, (self.adjoint, change))])

    def inserted(self) -> Equation:
        terms: list[Term] = []
        for term in self.equation.terms:
            for place, factor in enumerate(term.factors):
                if not isinstance(factor, Access) or factor.tensor != self.element.tensor:
                    continue
                others = (*term.factors[:place], *term.factors[place + 1 :])
                factors = (self.adjoint, Derivative(factor, self.element), *others)
                terms.append(
                    Term(
                        (*self.equation.indices, *term.sums),
                        factors,
                        term.conditions,
                        term.coefficient,
                    )
                )
        return self.equal_to(terms)

    def deltas(self, split: Equation) -> Equation:
        def opened(term: Term) -> Term:
            factors: list[Access | Kronecker] = []
            for factor in term.factors:
                if isinstance(factor, Derivative) and isinstance(factor.of, Access):
                    pairs = zip(factor.of.subscripts, factor.by.subscripts, strict=True)
                    factors.extend(Kronecker(left, right) for left, right in pairs)
                elif isinstance(factor, Access | Kronecker):
                    factors.append(factor)
            return replace(term, factors=tuple(factors))

        return self.equal_to([opened(term) for term in split.terms])

    def why_chain(self) -> str:
        target, adjoint = self.equation.target.tensor.name, self.adjoint.tensor.name
        return (
            f"{adjoint} = dJ/d{target} is known from the layer above; "
            f"it arrives at {self.element} through every entry of {target}."
        )

    def why_inserted(self) -> str:
        name = self.element.tensor.name
        without = [
            str(term)
            for term in self.equation.terms
            if all(access.tensor.name != name for access in term.accesses)
        ]
        gone = f" {' and '.join(without)} does not contain {name} and vanishes." if without else ""
        return f"Put the forward pass in; only {name} varies.{gone}"


def axis_names(equation: Equation, tensor: Tensor) -> tuple[str, ...]:
    """Names for the axes of a tensor: its own, else those it is read with, else free letters."""
    read = [access.subscripts for access in equation.accesses() if access.tensor == tensor]
    taken = {index.name for index in equation.all_indices()} | equation.letters
    names: list[str] = []
    for axis, subscripts in enumerate(zip(*read, strict=True)):
        own = tensor.axes[axis] if axis < len(tensor.axes) else ""
        plain = (subscript.plain for subscript in subscripts if subscript.plain)
        name = own or next((name for name in plain if name not in names), "")
        if not name or name in names:
            pool = (*"ijyvuqr", *(f"m{number}" for number in range(len(names) + 1)))
            name = next(letter for letter in pool if letter not in taken and letter not in names)
        names.append(name)
    return tuple(names)


def primed(equation: Equation, names: Iterable[str]) -> Equation:
    """The equation with a prime on each index that has one of the given names."""
    names = tuple(names)
    taken = {index.name for index in equation.all_indices()} | set(names)
    renaming: dict[str, str] = {}
    for name in names:
        new = f"{name}'"
        while new in taken:
            new += "'"
        renaming[name] = new
    return equation.renamed(renaming)


def _sift(equation: Equation) -> Equation:
    """Remove every sum whose index a delta sets equal to a free one."""

    def sifted(term: Term) -> Term:
        for factor in term.factors:
            if not isinstance(factor, Kronecker) or not factor.left.plain:
                continue
            index = next((i for i in term.sums if i.name == factor.left.plain), None)
            if index is None:
                continue
            # the sum reached only so far; a shorter one than the free index leaves a condition
            inside = Within(factor.right, index.extent)
            needed = () if always(inside, equation.extents(term)) else (inside,)
            rest = replace(
                term,
                sums=tuple(i for i in term.sums if i != index),
                factors=tuple(other for other in term.factors if other is not factor),
                conditions=(*term.conditions, *needed),
            )
            return sifted(substitute(rest, {index.name: factor.right}))
        return term

    return replace(equation, terms=tuple(sifted(term) for term in equation.terms))


def _solve(
    equation: Equation, outputs: Iterable[str]
) -> tuple[Equation, tuple[Elimination | Kronecker, ...]]:
    """Turn the deltas that are left into values and conditions."""
    terms: list[Term] = []
    used: dict[Elimination | Kronecker, None] = {}
    for start in equation.terms:
        term = start
        while delta := next((f for f in term.factors if isinstance(f, Kronecker)), None):
            rest = tuple(other for other in term.factors if other is not delta)
            term, elimination = eliminate(
                replace(term, factors=rest), delta.left - delta.right, outputs
            )
            used[elimination or delta] = None
        terms.append(term)
    return replace(equation, terms=tuple(terms)), tuple(used)


def _collect(equation: Equation) -> Equation:
    total: dict[Term, Fraction] = {}
    for term in equation.terms:
        unit = replace(term, coefficient=Fraction(1))
        total[unit] = total.get(unit, Fraction(0)) + term.coefficient
    terms = (replace(term, coefficient=total[term]) for term in total if total[term])
    return replace(equation, terms=tuple(terms))


def _why_sifted(before: Equation, after: Equation) -> str:
    left = {index.name for term in after.terms for index in term.sums}
    gone = [i.name for term in before.terms for i in term.sums if i.name not in left]
    return f"The sums over {', '.join(dict.fromkeys(gone))} have one term each."


def _why_solved(eliminations: Iterable[Elimination | Kronecker]) -> str:
    parts: list[str] = []
    for elimination in eliminations:
        if isinstance(elimination, Kronecker):
            parts.append(f"{elimination.left} = {elimination.right} stays as a condition")
        else:
            conditions = " and ".join(map(str, elimination.conditions))
            parts.append(f"{elimination.index} = {elimination.value}, where {conditions}")
    return "; ".join(parts) + "."


def _why_tight(before: Equation, after: Equation) -> str:
    kept = {condition for term in after.terms for condition in term.conditions}
    gone = [c for term in before.terms for c in term.conditions if c not in kept]
    listed = "; ".join(str(condition) for condition in dict.fromkeys(gone))
    return f"Always true here: {listed}." if listed else "Terms that never occur are dropped."
