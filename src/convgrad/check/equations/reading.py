"""What the letters of a written equation stand for: its gradient, its tensors, their axes.

A pass is a product of two of the three tensors x, w, z (or its error), or a sum of the error alone.
Names tell which is which; the place of a subscript and what stands in it tell which axis it is.
Positions move (i + p - t) and samples, channels and filters do not; what all three tensors share is
the group.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from convgrad.algebra.affine import Affine
from convgrad.algebra.expression import Zero
from convgrad.algebra.polynomial import ONE, ZERO, Polynomial
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
# The number of channels or filters in a group, as a factor in a subscript.
MANY = re.compile(r"[A-OQRT-Z]\w*'*|[A-Z](_\w+|'+)")


@dataclass(frozen=True)
class Factor:
    """One tensor of an equation with its role and the letter of each of its axes.

    Attributes:
        role: x, w or z.
        access: as written, counted from 0, a turned kernel turned.
        axes: N sample, G group, C channel, K filter; D, H and W position or tap.
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
class Together:
    """Two neighbouring axes of a tensor that the page writes as one, group * size + within.

    Attributes:
        tensor: its name.
        axis: of the two the first, which is the group.
        size: how many channels or filters a group has.
        offset: what is left where a page counts its groups from 0 and the rest from 1.
    """

    tensor: str
    axis: int
    size: Polynomial
    offset: Polynomial


@dataclass(frozen=True)
class Reading:
    """A written equation that is understood.

    Attributes:
        which: the gradient it states.
        left, product: its tensors; the product in the order of the page.
        term: the product with its sums and conditions; those that tie a position are solved.
        written: the equation, counted from 0.
        first: the number that its indices count from on the page.
        origins: the same for every index and axis.
        transposed: the layer is transposed: its output is the long side of the relation.
        together: the axes that the page writes together, as in g*C' + c.
        given: the names of the forward pass.
    """

    which: Pass
    left: Factor
    product: tuple[Factor, ...]
    term: WrittenTerm
    written: Written
    first: int
    origins: Origins
    transposed: bool = False
    together: tuple[Together, ...] = ()
    given: frozenset[str] = frozenset()

    @property
    def factors(self) -> dict[Role, Factor]:
        """The tensors by role, the left one included."""
        return {self.left.role: self.left} | {f.role: f for f in self.product}

    @property
    def error(self) -> Factor:
        """The error, or the output of a forward pass."""
        return self.factors["z"]

    @property
    def other(self) -> Factor | None:
        """The factor beside the error; of a forward pass the input."""
        return next((f for f in self.product if f.role in {"x", "w"}), None)

    @property
    def spatial(self) -> str:
        """The letters of the spatial axes."""
        return "".join(letter for letter in SPATIAL if letter in self.error.axes)

    @property
    def sums(self) -> tuple[str, ...]:
        """The names that are summed over."""
        return tuple(index.name for index in self.term.sums)

    def on_the_page(self, factor: Factor) -> str:
        """A tensor as the page writes and counts it."""
        access = factor.access
        for pair in sorted(self.together, key=lambda pair: -pair.axis):
            if pair.tensor == access.name:
                before, after = access.subscripts[: pair.axis], access.subscripts[pair.axis + 2 :]
                group, within = access.subscripts[pair.axis : pair.axis + 2]
                joined = group * pair.size + within + Affine.number(pair.offset)
                access = replace(access, subscripts=(*before, joined, *after))
        return str(replace(self.origins.on_the_page(access), rotated=False))

    def _written(self, factor: Factor) -> str:
        f = dict(self.written.activated).get(factor.access.name)
        on_the_page = self.on_the_page(factor)
        return f"{f}({on_the_page})" if f else on_the_page

    def written_with(self, changed: Mapping[Factor, Factor], sums: Iterable[str] = ()) -> str:
        """The equation in the counting of the page, some tensors read elsewhere, more sums."""
        left, *product = (self._written(changed.get(f, f)) for f in (self.left, *self.product))
        product += [f"{f}({of})" for f, of in self.written.slopes if of and of.subscripts]
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


def gradient_of(found: Sequence[Role]) -> Pass | None:
    """Which pass sums products of tensors with these roles."""
    passes: dict[tuple[str, ...], Pass] = {
        ("w", "z"): "dx", ("x", "z"): "dw", ("z",): "db", ("w", "x"): "forward",
    }  # fmt: skip
    return passes.get(tuple(sorted(found)))


@dataclass(frozen=True)
class Terms:
    """An equation sorted into the products of one pass and what else is added.

    Attributes:
        which: the pass.
        roles: of every tensor on the right side by name.
        products: the terms that are its sums of products.
        extra: the others: the bias of a forward pass, or a penalty on the weights.
    """

    which: Pass
    roles: dict[str, Role]
    products: tuple[WrittenTerm, ...]
    extra: tuple[WrittenTerm, ...] = ()


def terms_of(written: Written, text: str, known: dict[str, Role]) -> Terms:
    """Which pass an equation states, and the role of every factor by name."""
    if not written.terms or not all(term.accesses for term in written.terms):
        column = text.find("+") + 1 or len(text) + 1
        raise ParseError(text, column, expected="products of tensors; a number alone is none")
    roles = {a.name: role_of(a.name, known) for t in written.terms for a in t.accesses}
    for name, f in written.activated:
        if name.startswith("d") and roles[name] == "z":
            raise EquationError(
                f"{f}({name}) is no factor of a gradient",
                expected=f"{name} itself: an activation acts on what a layer reads or returns",
                mend=f"write {name} without {f}, or {f}' of the input as a factor of the sum",
            )
        roles[name] = "x"
    is_forward = not ERROR.fullmatch(bare(written.left.name)) or known.get(written.left.name) == "z"
    passes: list[Pass | None] = []
    for term in written.terms:
        which = gradient_of([roles[a.name] for a in term.accesses])
        passes.append(None if which == "forward" and not is_forward else which)
    sort: Pass | None = next((found for found in passes if found is not None), None)
    products = [t for t, which in zip(written.terms, passes, strict=True) if which == sort]
    extra = [t for t in written.terms if t not in products]
    lone = all(len(t.accesses) == 1 for t in extra)
    allowed = sort == "forward" or (sort == "dw" and all(_is_weight(t, roles) for t in extra))
    if sort is None or not lone or (extra and not allowed):
        wrong = extra[0] if extra else written.terms[0]
        raise EquationError(
            "the factors are not those of a backward pass",
            got=" * ".join(map(str, wrong.accesses)),
            expected="the error (dz, delta^{l+1}) times the weights (w) or the input (x)",
        )
    return Terms(sort, roles, tuple(products), tuple(extra))


def _is_weight(term: WrittenTerm, roles: Mapping[str, Role]) -> bool:
    return all(roles[a.name] == "w" for a in term.accesses)


def confused(left: str, which: Pass, known: Mapping[str, Role]) -> str:
    """Why the left side cannot be the gradient that the product is; empty where it can."""
    name = bare(left)
    undone = name[1:].lstrip("_") if name.startswith("d") and len(name) > 1 else ""
    if which == "forward" or known.get(undone) == {"dx": "x", "dw": "w"}.get(which, "-"):
        return ""
    if BIAS.fullmatch(undone) and which != "db":
        return "the bias gradient is the sum of the error alone: z grows with b at rate 1"
    if WEIGHTS.fullmatch(undone) and which == "db":
        return "the input is missing: dw multiplies the error by x"
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


def split_groups(
    written: Written, roles: Mapping[str, Role]
) -> tuple[Written, frozenset[str], tuple[Together, ...]]:
    """Channels g*C' + c as two axes g and c; the names of the groups; and what was split.

    Positions s*o + t and i + D*t are written the same way: what tells them apart is the letter, a
    number of things and no stride, and that a tap stands in the weights alone.
    """
    groups: set[str] = set()
    together: dict[Together, None] = {}
    ends = [a for a in written.accesses() if roles.get(a.name) in {"x", "z"}]
    both = [{n for s in a.subscripts for n in s.indices} for a in ends]
    everywhere = both[0].intersection(*both[1:]) if both else set[str]()
    taps = {s.plain for a in written.accesses() for s in a.subscripts} - everywhere

    def access(old: WrittenAccess) -> WrittenAccess:
        parts: list[Affine] = []
        for subscript in old.subscripts:
            found = _group_and_channel(subscript)
            if found is None or found[0] in taps:
                parts.append(subscript)
                continue
            group, size, within = found
            groups.add(group)
            together[Together(old.name, len(parts), size, subscript.constant)] = None
            parts += [Affine.index(group), Affine.index(within)]
        return replace(old, subscripts=tuple(parts))

    terms = tuple(replace(t, accesses=tuple(map(access, t.accesses))) for t in written.terms)
    split = replace(written, left=access(written.left), terms=terms)
    return split, frozenset(groups), tuple(together)


def _group_and_channel(subscript: Affine) -> tuple[str, Polynomial, str] | None:
    """g, C' and c of g*C' + c; None where it is something else."""
    if subscript.divisor != ONE or len(subscript.terms) != 2:
        return None
    within = next((n for n, size in subscript.terms if size == ONE), "")
    many = ((n, size) for n, size in subscript.terms if MANY.fullmatch(str(size)))
    group, size = next(many, ("", ONE))
    is_whole = not subscript.constant or subscript.constant == size
    return (group, size, within) if group and within and is_whole else None


def common(accesses: Sequence[WrittenAccess], moves: frozenset[str]) -> frozenset[str]:
    """The indices that stand alone in all three tensors and do not move: groups."""
    each = [frozenset(s.plain for s in a.subscripts if s.plain) for a in accesses]
    return each[0].intersection(*each[1:]) - moves if len(each) == 3 else frozenset[str]()


def axes_by_sharing(
    accesses: Mapping[Role, WrittenAccess], groups: frozenset[str], moves: frozenset[str]
) -> dict[Role, str] | None:
    """The axes of three tensors with groups: sample, channel and filter are each in two of them."""
    plain = {role: {s.plain for s in a.subscripts} - {None} for role, a in accesses.items()}
    pairs = {"N": ("x", "z"), "C": ("x", "w"), "K": ("w", "z")}
    found: dict[Role, str] = {}
    for role, access in accesses.items():
        letters: list[str] = []
        for subscript in access.subscripts:
            name = subscript.plain
            shared_by = [
                letter
                for letter, both in pairs.items()
                if role in both and all(name in plain[other] for other in both)
            ]
            if name in groups:
                letters.append("G")
            elif subscript.indices & moves or not name:
                letters.append("-")
            elif len(shared_by) == 1:
                letters += shared_by
            else:
                return None
        spatial = iter(SPATIAL[-letters.count("-") :] if "-" in letters else "")
        found[role] = "".join(next(spatial, "?") if c == "-" else c for c in letters)
    known = set("NGCK" + SPATIAL)
    once = all(len(set(axes)) == len(axes) and set(axes) <= known for axes in found.values())
    return found if once else None


def stated_sizes(factors: Iterable[Factor], written: Written) -> dict[tuple[Role, str], Polynomial]:
    """The lengths of axes that are stated; a number of samples or channels belongs to no tensor."""
    (term,) = written.terms
    ranges = {s.name: s.last + 1 for s in term.sums if s.first == ZERO and s.last is not None}
    ranges |= dict(written.extents)
    found: dict[tuple[Role, str], Polynomial] = {}
    for factor in factors:
        for letter, subscript in factor.pairs():
            if subscript.plain in ranges:
                role = factor.role if letter in SPATIAL else ""
                found[role, letter] = ranges[subscript.plain]
    return found


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
