"""What the letters of a written equation stand for: its gradient, its tensors, their axes.

A backward pass is one product of two of the three tensors x, w, dz, or a sum of dz alone. Names
tell which is which; the place of a subscript and what stands in it tell which axis it is. Positions
move (i + p - t) and samples, channels and filters do not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from convgrad.algebra.affine import Affine
from convgrad.algebra.expression import Zero
from convgrad.algebra.polynomial import ONE, Polynomial
from convgrad.errors import EquationError, ParseError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from convgrad.algebra.written import Origins, Written, WrittenAccess, WrittenTerm
    from convgrad.check.nest import Pass

Role: TypeAlias = str
"""x, w or z: the input, the weights, the output or its error. The left side has the role of what
it is the gradient of."""

ERROR = re.compile(
    r"(delta|err|error|dout|grad|up|top_diff|eps|epsilon)\w*|d_?[A-Za-z]{1,2}\d*|[gGeE]|\w+_grad|dz\w*"
)
WEIGHTS = re.compile(r"(w|k|f|theta|kernel|filter|weight|phi)\w*", re.IGNORECASE)
BIAS = re.compile(r"(b|bias|beta)\w*", re.IGNORECASE)
SPATIAL = "DHW"


@dataclass(frozen=True)
class Factor:
    """One tensor of an equation with its role and the letter of each of its axes.

    Attributes:
        role: x, w or z.
        access: as written, counted from 0, a turned kernel turned.
        axes: N sample, C channel, K filter; D, H and W position or tap.
    """

    role: Role
    access: WrittenAccess
    axes: str

    def at(self, letter: str) -> Affine | None:
        """The subscript on an axis; None where there is no such axis."""
        place = self.axes.find(letter)
        return self.access.subscripts[place] if place >= 0 else None

    def pairs(self) -> list[tuple[str, Affine]]:
        """Every axis with its subscript."""
        return list(zip(self.axes, self.access.subscripts, strict=True))

    def with_subscripts(self, changes: dict[str, Affine]) -> Factor:
        """The same tensor read elsewhere."""
        pairs = zip(self.axes, self.access.subscripts, strict=True)
        subscripts = tuple(changes.get(letter, old) for letter, old in pairs)
        return replace(self, access=replace(self.access, subscripts=subscripts))


@dataclass(frozen=True)
class Reading:
    """A written equation that is understood.

    Attributes:
        which: the gradient it states.
        left, error, other: its tensors; no other one for the bias.
        term: the product with its sums and conditions; those that tie a position are solved.
        written: the equation, counted from 0.
        first: the number that its indices count from on the page.
        origins: the same for every index and axis.
    """

    which: Pass
    left: Factor
    error: Factor
    other: Factor | None
    term: WrittenTerm
    written: Written
    first: int
    origins: Origins

    @property
    def factors(self) -> dict[Role, Factor]:
        """The tensors by role, the left one included."""
        found = {self.left.role: self.left, "z": self.error}
        return found | ({self.other.role: self.other} if self.other else {})

    @property
    def spatial(self) -> str:
        """The letters of the spatial axes."""
        return "".join(letter for letter in SPATIAL if letter in self.error.axes)

    @property
    def sums(self) -> tuple[str, ...]:
        """The names that are summed over."""
        return tuple(index.name for index in self.term.sums)

    def on_the_page(self, factor: Factor) -> str:
        """A tensor in the counting of the page."""
        return str(replace(self.origins.on_the_page(factor.access), rotated=False))

    def written_with(self, changed: Mapping[Factor, Factor], sums: Iterable[str] = ()) -> str:
        """The equation in the counting of the page, some tensors read elsewhere, more sums."""
        factors = [f for f in (self.left, self.error, self.other) if f is not None]
        left, *product = (self.on_the_page(changed.get(f, f)) for f in factors)
        if self.term.accesses[0].name != self.error.access.name:
            product.reverse()
        names = ", ".join([*self.sums, *sums])
        return f"{left} = {f'sum({names}) ' if names else ''}{' * '.join(product)}"


def bare(name: str) -> str:
    """A name without the number of its layer.

    >>> bare("delta^l+1")
    'delta'
    """
    return name.partition("^")[0]


def role_of(name: str, known: dict[str, Role]) -> Role:
    """The role of a tensor by its name; names of the forward pass come first."""
    name = bare(name)
    undone = name[1:].lstrip("_") if name.startswith("d") else ""
    if name in known:
        return known[name]
    if undone in known and known[undone] == "z":
        return "z"
    if ERROR.fullmatch(name):
        return "z"
    return "w" if WEIGHTS.fullmatch(name) else "x"


def roles_of(written: Written, text: str, known: dict[str, Role]) -> tuple[Pass, dict[str, Role]]:
    """Which gradient an equation states, and the role of every factor by name."""
    if len(written.terms) != 1 or not written.terms[0].accesses:
        column = text.find("+") + 1 or len(text) + 1
        raise ParseError(text, column, expected="one product; sums of several terms are not read")
    (term,) = written.terms
    roles = {a.name: role_of(a.name, known) for a in term.accesses}
    found = sorted(roles.values())
    if len(term.accesses) > 2 or found not in (["z"], ["w", "z"], ["x", "z"]):
        raise EquationError(
            "the factors are not those of a backward pass",
            got=" * ".join(map(str, term.accesses)),
            expected="the error (dz, delta^{l+1}) times the weights (w) or the input (x)",
        )
    which: Pass = "dx" if "w" in found else "dw" if "x" in found else "db"
    return which, roles


def confused(left: str, which: Pass) -> str:
    """Why the left side cannot be the gradient that the product is; empty where it can."""
    name = bare(left)
    undone = name[1:].lstrip("_") if name.startswith("d") and len(name) > 1 else ""
    if BIAS.fullmatch(undone) and which != "db":
        return "the bias gradient is the sum of the error alone: z grows with b at rate 1"
    if WEIGHTS.fullmatch(undone) and which == "dx":
        return "the weights stand where the input belongs: dw multiplies the error by x"
    return ""


def without_ties(written: Written, errors: Sequence[str]) -> Written:
    """The equation with conditions such as s*o + t == i solved, for the position of the error."""
    (term,) = written.terms
    plain = {s.plain for a in term.accesses if a.name in errors for s in a.subscripts}
    for condition in term.conditions:
        if not isinstance(condition, Zero):
            continue
        names = [s.name for s in term.sums if condition.value.coefficient(s.name)]
        names.sort(key=lambda name: name not in plain)
        if not names:
            continue
        coefficient = condition.value.coefficient(names[0])
        rest = condition.value - Affine.index(names[0]) * coefficient
        negative = (-coefficient).is_nonnegative()
        value = rest.over(-coefficient) if negative else (-rest).over(coefficient)
        kept = tuple(c for c in term.conditions if c != condition)
        sums = tuple(s for s in term.sums if s.name != names[0])
        put = replace(term, conditions=kept, sums=sums)
        put = put.map(lambda a, n=names[0], v=value: a.with_indices({n: v}))
        return without_ties(replace(written, terms=(put,)), errors)
    return written


def moving(written: Written) -> frozenset[str]:
    """The indices that occur in a sum of several: positions and taps."""
    (term,) = written.terms
    forms = [s for access in written.accesses() for s in access.subscripts]
    forms += [condition.value for condition in term.conditions]
    together = [form for form in forms if not form.plain and form.terms]
    return frozenset[str]().union(*(form.indices for form in together))


def axes_of(access: WrittenAccess, role: Role, moves: frozenset[str], count: int) -> str:
    """The letters of the axes of one tensor; positions are those whose index moves."""
    subscripts = access.subscripts
    lone = [not s.terms and not s.constant.number and len(s.letters) == 1 for s in subscripts]
    spatial = [
        bool(s.indices & moves) or not (s.plain or alone)
        for s, alone in zip(subscripts, lone, strict=True)
    ]
    if not any(spatial) and role != "w":
        spatial = [n >= len(subscripts) - count for n in range(len(subscripts))]
    places = [n for n, yes in enumerate(spatial) if yes]
    others = [n for n, yes in enumerate(spatial) if not yes]
    letters = [""] * len(subscripts)
    names = SPATIAL[-len(places) :] if places else ""
    for place, letter in zip(places, names, strict=False):
        letters[place] = letter
    channel = {"x": "C", "z": "K"}.get(role, "")
    last = bool(places) and bool(others) and others[0] > places[-1]
    first, second = ("K", "C") if role == "w" else ("N", channel)
    pair = second + first if last else first + second
    chosen = pair if len(others) == 2 else channel or "?"
    for place, letter in zip(others, chosen, strict=False):
        letters[place] = letter
    if "" in letters or len(places) > 3:
        raise EquationError(
            f"the axes of {access} are not those of a layer",
            expected="samples, channels or filters, and up to three positions",
        )
    return "".join(letters)


def shared(factor: Factor, others: Sequence[Factor]) -> Factor:
    """A single axis that could be channel, filter or sample is what it shares an index with."""
    for letter in "?CK":
        place = factor.axes.find(letter)
        if place < 0 or sum(c in "NCK?" for c in factor.axes) > 1:
            continue
        subscript = factor.access.subscripts[place]
        for other in others:
            for axis, form in zip(other.axes, other.access.subscripts, strict=True):
                allowed = "CK" if factor.role == "w" else "N"
                if axis in allowed and form == subscript and axis != letter:
                    return replace(factor, axes=factor.axes.replace(letter, axis))
    return replace(factor, axes=factor.axes.replace("?", "K"))


def turned(factor: Factor) -> Factor:
    """A kernel that is read turned: tap t from the near end is T - 1 - t from the far end."""
    if not factor.access.rotated:
        return factor
    changes: dict[str, Affine] = {}
    for letter in SPATIAL:
        subscript = factor.at(letter)
        if subscript is not None:
            changes[letter] = Affine.number(size_of_kernel(letter) - ONE) - subscript
    return factor.with_subscripts(changes)


def size_of_kernel(letter: str) -> Polynomial:
    """The letter for the taps on an axis."""
    return Polynomial.letter(f"T_{letter.lower()}")
