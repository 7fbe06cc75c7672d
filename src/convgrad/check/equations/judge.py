"""The verdict on an equation: right, right under a condition, or wrong at a subscript.

The algebra decides: samples, channels and filters are the same letter on both sides, the positions
of every axis satisfy the relation of a layer, and every index that the left side lacks is summed
once. Ranges are proved by exact evaluation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from itertools import product
from textwrap import fill
from typing import TYPE_CHECKING, Any, TypeAlias

from convgrad.algebra.differentiate import CHAIN, GIVEN, LINEAR, RANGES, SOLVE
from convgrad.algebra.expression import Divides
from convgrad.algebra.parse import read, read_all
from convgrad.algebra.polynomial import ONE, ZERO, Polynomial
from convgrad.algebra.written import counted_from, origins
from convgrad.check.equations.activations import fault_of_activation, without_activations
from convgrad.check.equations.findings import (
    Finding,
    exchange,
    missing_sums,
    same_letters,
    sums_that_repeat,
)
from convgrad.check.equations.proof import holds
from convgrad.check.equations.reading import (
    SPATIAL,
    WEIGHTS,
    Factor,
    Reading,
    Terms,
    axes_by_sharing,
    axes_of,
    bare,
    common,
    confused,
    moving,
    shared,
    split_groups,
    stated_sizes,
    terms_of,
    turned,
    without_ties,
)
from convgrad.check.equations.relation import PADDING, STRIDE, Layer, meant, solve
from convgrad.check.mistakes.equations import in_words, right_equation
from convgrad.errors import EquationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from convgrad.algebra.affine import Affine
    from convgrad.algebra.written import Written, WrittenTerm
    from convgrad.check.nest import Pass

Products: TypeAlias = "tuple[Reading, ...]"
"""The products of one equation, each understood; the first says what they have in common."""

RIGHT_FORWARD = "it is the forward pass of a layer, up to names and order"
RIGHT = "it is the gradient of the forward pass, up to names and order"
MULTIPLIES = (
    "the stride multiplies where it must divide: input i belongs to output (i + p - t)/s,"
    " and only where s divides it"
)
SAME_OPERATION = "∗ stands for the operation of the forward pass"
OTHER_OPERATION = "∗ is a true convolution, and the forward pass a cross-correlation"


@dataclass(frozen=True)
class EquationReport:
    """The verdict on an equation.

    Attributes:
        equation: as it was read.
        gradient: which gradient it states.
        verdict: "right", "right under a condition" or "wrong".
        conditions: under which it is right.
        reason: why, in one sentence.
        correction: the subscript that is wrong, and the right one.
        corrected: the whole equation with the right subscript, in the letters of the page.
        derived: the gradient as the algebra derives it, with stride, padding and dilation.
        missed: the rule of the derivation that a wrong equation departs from.
        notes: what was assumed.
        transposed: the forward pass is that of a transposed layer.
    """

    equation: str
    gradient: Pass
    verdict: str
    conditions: tuple[str, ...] = ()
    reason: str = ""
    correction: str = ""
    corrected: str = ""
    derived: str = ""
    missed: str = ""
    notes: tuple[str, ...] = ()
    transposed: bool = False

    @property
    def is_right(self) -> bool:
        """Whether it holds, perhaps under a condition that was found."""
        return self.verdict != "wrong"

    def as_json(self) -> dict[str, Any]:
        """Plain dictionaries and lists."""
        return {"version": 1, **{name: getattr(self, name) for name in self.__dataclass_fields__}}

    def __str__(self) -> str:
        """For people."""
        rows = [("read as", self.equation), ("verdict", f"{self.gradient}: {self.verdict}")]
        rows += [("condition", condition) for condition in self.conditions]
        rows += [
            ("reason", self.reason), ("write", self.correction), ("corrected", self.corrected),
            ("derived", self.derived), *(("note", note) for note in self.notes),
        ]  # fmt: skip
        return "\n".join(
            fill(text, 80, initial_indent=f"{label:<12}", subsequent_indent=" " * 12,
                 break_long_words=False, break_on_hyphens=False)
            for label, text in rows
            if text
        )  # fmt: skip


def check_equation(text: str, forward: str | None = None) -> EquationReport:
    """Check an equation of a backward pass against the gradient of the forward pass.

    Args:
        text: LaTeX or index notation: products under sums, for dx, dw, db or the forward pass.
        forward: the forward pass it belongs to; by default a cross-correlation in the same layout.
    Returns: the report.
    Raises: EquationError: (also ParseError) where the text has no meaning.

    >>> print(check_equation("dx[i] = sum(t) dz[i + t] * w[t]").correction)
    dz[i-t] instead of dz[i+t]
    """
    return _check(read(text), text, forward)


def check_equations(text: str, forward: str | None = None) -> tuple[EquationReport, ...]:
    """The same for every equation of a text, such as the lines of an `align`."""
    return tuple(_check(written, text, forward) for written in read_all(text))


# ----------------------------------------------------------------------------------- understanding


@dataclass(frozen=True)
class Forward:
    """What a given forward pass says, counted from 0 or from 1.

    Attributes:
        roles: of its tensors by name.
        kernel: the axes of the weights; empty where they tell themselves.
        starts: the first tap where the page states it.
        layers: the relation on every axis.
        transposed: its output is the long side of the relation.
        first: the number that counting starts at.
        operation: what the sign of a convolution was taken for, where it was written with one.
        sizes: the lengths of axes that its sums state.
        axes: the axes of its tensors.
        numbers: how many layers the input and the weights are from the output, by superscript.
        around: the activation around the input.
    """

    roles: Mapping[str, str]
    kernel: str
    starts: Mapping[tuple[str, int], Polynomial]
    layers: Mapping[str, Layer]
    transposed: bool = False
    first: int = 0
    operation: str = ""
    sizes: Mapping[tuple[str, str], Polynomial] = field(default_factory=dict[Any, Any])
    axes: Mapping[str, str] = field(default_factory=dict[str, str])
    numbers: Mapping[str, int] = field(default_factory=dict[str, int])
    around: str = ""

    @property
    def input(self) -> str:
        """The name of the input."""
        return next(name for name, role in self.roles.items() if role == "x")


def _forwards(text: str) -> list[Forward]:
    """A forward pass under every meaning that its page leaves open."""
    written = read(text)
    term = next((t for t in written.terms if len(t.accesses) == 2), None)
    if term is None:
        raise EquationError(
            "the forward pass has no product",
            got=str(written),
            expected="a sum of input times weights, such as z[o] = sum(t) x[o+t] * w[t]",
        )
    alone = replace(written, terms=(term,))
    pairs = product(_operations(alone), _bases(alone))
    return [_forward(way, first) for way, first in pairs]


def _forward(alone: Written, first: int) -> Forward:
    """A forward pass read as z = sum x*w, by the names or by the subscript that moves."""
    (term,) = alone.terms
    named = [a for a in term.accesses if WEIGHTS.fullmatch(bare(a.name))]
    input_, weights = sorted(term.accesses, key=lambda a: all(s.plain for s in a.subscripts))
    if len(named) == 1 and input_ in named:
        input_, weights = weights, input_
    roles = {bare(input_.name): "x", bare(weights.name): "w"}
    roles.setdefault(bare(alone.left.name), "z")
    firsts = {s.name: s.first for s in term.sums if s.first is not None}
    starts = {
        ("w", axis): firsts[subscript.plain]
        for axis, subscript in enumerate(weights.subscripts)
        if subscript.plain in firsts
    }
    counted = without_ties(counted_from(alone, origins(alone, first)), [input_.name])
    x, w, z = _forward_factors(counted, input_.name, weights.name)
    kernel = "" if "G" in w.axes else _kernel_axes(w, x, z)
    layers = _layers_of(x, z, w)
    around = {} if layers else _layers_of(z, x, w)
    parts = (x, replace(w, axes=kernel or w.axes), z)
    names = {"x": input_.name, "w": weights.name, "z": alone.left.name}
    return Forward(
        roles, kernel, starts, layers or around, bool(around), first, alone.operation,
        sizes=stated_sizes(parts, counted),
        axes={part.role: part.axes for part in parts},
        numbers=_numbers(alone, names),
        around=dict(alone.activated).get(input_.name, ""),
    )  # fmt: skip


def _numbers(written: Written, names: Mapping[str, str]) -> dict[str, int]:
    """How many layers x and w are from z; empty where superscripts do not say."""
    layers = dict(written.layers)
    at = {role: layers[name] for role, name in names.items() if name in layers}
    return {role: at[role] - at["z"] for role in "xw" if role in at} if "z" in at else {}


def _forward_factors(counted: Written, x: str, w: str) -> tuple[Factor, Factor, Factor]:
    """The tensors of a forward pass with their axes, with groups where all three share a letter."""
    (put,) = counted.terms
    accesses = {
        role: next(a for a in put.accesses if a.name == n) for role, n in (("x", x), ("w", w))
    }
    accesses |= {"z": counted.left}
    moves = moving(counted)
    groups = common(list(accesses.values()), moves)
    axes = axes_by_sharing(accesses, groups, moves) if groups else None
    if axes is None:
        axes = {role: axes_of(a, role, moves, 2) for role, a in accesses.items()}
    one, two, three = (Factor(role, accesses[role], axes[role]) for role in "xwz")
    return one, two, three


def _layers_of(long: Factor, short: Factor, w: Factor) -> dict[str, Layer]:
    """The relation on every axis; of a transposed layer the output is the long side."""
    layers: dict[str, Layer] = {}
    for letter in SPATIAL:
        i, o, t = long.at(letter), short.at(letter), w.at(letter)
        found = solve(i, o, t) if i is not None and o is not None and t is not None else None
        if found is not None:
            layers[letter] = found
    return layers


def _kernel_axes(w: Factor, x: Factor, z: Factor) -> str:
    """The axes of the kernel by the letters that the forward pass shares with x and z."""
    letters = list(w.axes)
    for n, subscript in enumerate(w.access.subscripts):
        if letters[n] in SPATIAL:
            continue
        letters[n] = "C" if subscript in x.access.subscripts else "K"
        if subscript not in x.access.subscripts and subscript not in z.access.subscripts:
            letters[n] = w.axes[n]
    return "".join(letters)


AXES = ("letters", "places", "groups")
"""What tells the axes: the letters that tensors share, without groups and with, or their places.
Without a forward pass only its usual order tells channels from filters."""

Way: TypeAlias = "tuple[Products, Forward | None]"
"""One meaning of an equation, and of the forward pass that it is held against."""


def _readings(written: Written, terms: Terms, forwards: list[Forward]) -> list[Way]:
    """The equation under every meaning of its axes, counted from 0 and 1 where that is open."""
    parts = [replace(written, terms=(term,)) for term in terms.products]
    bases = _bases(written)
    ways = _operations(parts[0]) if len(parts) == 1 else [None]
    found: list[Way] = []
    refused: EquationError | None = None
    models = forwards or [None]
    for way, base, model, by in product(ways, bases, models, AXES if forwards else AXES[1:]):
        if model and not _alike(model, forwards, base, bases, way.operation if way else ""):
            continue
        try:
            each = [
                _reading(way or part, terms.which, terms.roles, base, model, by) for part in parts
            ]
        except EquationError as error:
            refused = refused or error
            continue
        kept = tuple(r for r in each if r is not None)
        if len(kept) == len(each):
            found.append((kept, model))
    if not found:
        raise refused or EquationError(
            "the axes are not those of a layer",
            got=", ".join(map(str, written.accesses())),
            expected="samples, groups, channels or filters, and up to three positions",
        )
    return found


def _alike(
    model: Forward, forwards: list[Forward], base: int, bases: list[int], operation: str
) -> bool:
    """Whether a page that counts and convolves like this can be that of the forward pass."""
    counted = {f.first for f in forwards} & set(bases)
    meant_alike = not (operation and model.operation) or operation == model.operation
    return meant_alike and (model.first == base or not counted)


def _bases(written: Written) -> list[int]:
    """The numbers that counting may start at: what is written under a sum over positions."""
    firsts = {s.name: s.first.number for t in written.terms for s in t.sums if s.first is not None}
    moves = {n for t in written.terms for n in moving(replace(written, terms=(t,)))}
    positions = {number for name, number in firsts.items() if name in moves} & {0, 1}
    if len(positions) == 1:
        return sorted(n for n in positions if n is not None)
    return [1, 0] if set(firsts.values()) == {1} else [0, 1]


def _operations(written: Written) -> list[Written]:
    """`*` may stand for a cross-correlation or for a true convolution."""
    if written.operation != "ast":
        return [written]
    (term,) = written.terms
    moved, other = term.accesses
    against = {s.plain: -s for s in other.subscripts if s.plain and s.plain.endswith("'")}
    subscripts = tuple(s.with_indices(against) for s in moved.subscripts)
    along = replace(term, accesses=(replace(moved, subscripts=subscripts), other))
    return [replace(written, terms=(along,), operation="cross"), written]


def _reading(
    written: Written,
    which: Pass,
    roles: dict[str, str],
    first: int,
    forward: Forward | None,
    by: str,
) -> Reading | None:
    target = {"dx": "x", "dw": "w", "db": "b", "forward": "z"}[which]
    every = {**roles, written.left.name: target}
    given: Mapping[tuple[str, int], Polynomial] = forward.starts if forward else {}
    starts = {
        (name, axis): start
        for (role, axis), start in given.items()
        for name, own in every.items()
        if own == role
    }
    start = origins(written, first, starts)
    names = frozenset(forward.roles) if forward else frozenset[str]()
    counted = counted_from(written, start)
    counted = without_ties(counted, [name for name, role in every.items() if role == "z"])
    counted, named, together = split_groups(counted, every)
    moves = moving(counted)
    (term,) = counted.terms
    transposed = forward.transposed if forward else False
    if which == "db":
        (access,) = term.accesses
        error, left = _bias_axes(access, counted.left)
        reading = Reading(which, left, (error,), term, counted, first, start, transposed, (), names)
        return reading if by == "places" else None
    owners = [(target, counted.left), *((roles[a.name], a) for a in term.accesses)]
    if by != "places" or named:
        groups = named or common([a for _, a in owners], moves)
        axes = axes_by_sharing(dict(owners), groups, moves)
        if axes is None or (by == "groups") != bool(groups):
            return None
        left, *parts = (turned(Factor(role, access, axes[role])) for role, access in owners)
        return Reading(
            which, left, tuple(parts), term, counted, first, start, transposed, together, names
        )
    count = max((sum(not s.plain for s in a.subscripts) for a in counted.accesses()), default=0)
    left, *parts = (Factor(r, a, axes_of(a, r, moves, count or 2)) for r, a in owners)
    if forward and forward.kernel:
        w = left if left.role == "w" else next(p for p in parts if p.role == "w")
        if len(forward.kernel) == len(w.axes):
            put = replace(w, axes=forward.kernel)
            left = put if w is left else left
            parts = [put if p is w else p for p in parts]
    parts = [turned(shared(p, [left, *(o for o in parts if o is not p)])) for p in parts]
    left = turned(shared(left, parts))
    return Reading(which, left, tuple(parts), term, counted, first, start, transposed, (), names)


def _bias_axes(error: Any, left: Any) -> tuple[Factor, Factor]:
    """The axis of the bias is the filter; of the others the last two are positions."""
    kept = left.subscripts[0] if left.subscripts else None
    rest = [n for n, s in enumerate(error.subscripts) if s != kept]
    letters = ["K"] * len(error.subscripts)
    names = {0: "", 1: "W", 2: "HW", 3: "NHW", 4: "NDHW"}.get(len(rest), "")
    if len(names) != len(rest):
        raise EquationError(f"the axes of {error} are not those of an error", got=str(error))
    for place, letter in zip(rest, names, strict=True):
        letters[place] = letter
    own = dict(zip(error.subscripts, letters, strict=True))
    axes = "".join(own.get(s, "K") for s in left.subscripts)
    if len(set(axes)) < len(axes):
        raise EquationError(
            f"the axes of {left} are not those of a bias",
            expected="the filter, and the positions of the output where it has one for each",
        )
    return Factor("z", error, "".join(letters)), Factor("b", left, axes)


# ----------------------------------------------------------------------------------------- judging


def _check(written: Written, text: str, forward: str | None) -> EquationReport:
    given = _forwards(forward) if forward else []
    written, beside = without_activations(_without_scalars(written))
    known = dict(given[0].roles) if given else {}
    terms = terms_of(written, text, known)
    if reason := confused(written.left.name, terms.which, known):
        return EquationReport(
            str(written), terms.which, "wrong", reason=reason, missed=LINEAR.name,
            notes=written.notes,
        )  # fmt: skip
    ways = _readings(written, terms, given)
    judged = [_judge(products, written, terms, model) for products, model in ways]
    bases = _bases(written)
    ranks = [_rank(r, *way, bases) for r, way in zip(judged, ways, strict=True)]
    report = judged[min(range(len(judged)), key=lambda n: (*ranks[n], n))]
    named = (given[0].input, given[0].around) if given else ("", "")
    fault = fault_of_activation(written, terms, *named, beside) if report.is_right else None
    return _with(replace(report, verdict="wrong"), fault, "") if fault else report


def _rank(
    report: EquationReport, products: Products, model: Forward | None, bases: list[int]
) -> tuple[bool, bool, bool, int, int]:
    """Right before wrong, no padding before a number that might be where counting starts.

    Of several meanings that are right the one that needs the fewest conditions, and of those that
    are wrong one in which a change of a subscript puts it right.
    """
    known = model.layers.values() if model else _layers(products[0]).values()
    odd = any(not _is_usual(layer.padding) for layer in known)
    conditions = len(report.conditions) if report.is_right and model else 0
    hopeless = not report.is_right and not report.correction
    return (not report.is_right, odd, hopeless, conditions, bases.index(products[0].first))


def _layers(reading: Reading) -> dict[str, Layer]:
    """The layers that the subscripts satisfy, possible or not."""
    found: dict[str, Layer] = {}
    for letter in reading.spatial if reading.which != "db" else "":
        i, o, t = _triple(reading, letter)
        layer = solve(i, o, t) if i is not None and o is not None and t is not None else None
        if layer is not None:
            found[letter] = layer
    return found


def _without_scalars(written: Written) -> Written:
    """Letters without subscripts beside tensors, such as a rate, as factors of the product."""

    def put(term: WrittenTerm) -> WrittenTerm:
        scalars = [a.name for a in term.accesses if not a.subscripts and not a.rotated]
        if len(scalars) == len(term.accesses):
            return term
        over, under = term.factor
        for name in scalars:
            over = over * Polynomial.letter(name)
        kept = tuple(a for a in term.accesses if a.subscripts or a.rotated)
        return replace(term, accesses=kept, factor=(over, under))

    return replace(written, terms=tuple(map(put, written.terms)))


def _is_usual(padding: Polynomial) -> bool:
    """No padding, a letter for it, or k - 1: not a number that may come from counting."""
    named = str(padding) in padding.letters and bool(PADDING.fullmatch(str(padding)))
    return padding == ZERO or named or _is_size_less_one(padding)


def _judge(
    products: Products, written: Written, terms: Terms, forward: Forward | None
) -> EquationReport:
    reading, *others = products
    notes = [*written.notes, f"indices count from {reading.first}"]
    if forward is None:
        shown = ", ".join(f"{role} {f.axes}" for role, f in sorted(reading.factors.items()))
        notes.append(f"no forward pass was given: axes are taken as {shown}")
    report = EquationReport(
        str(written),
        reading.which,
        "wrong",
        derived=in_words(right_equation(reading.which, transposed=reading.transposed)),
        notes=tuple(notes),
        transposed=reading.transposed,
    )
    if written.rounded and not all(_divides(r) for r in products):
        return replace(
            report,
            reason="rounding adds products that do not exist: there is one only where the stride"
            " divides the difference",
            correction="the quotient without rounding, where it comes out even",
            conditions=("right only for stride 1",) if _strides(reading) else (),
            missed=SOLVE.name,
        )
    layers: dict[str, Layer] = {}
    model = forward or _model(products)
    for one in products:
        found, solved = _fault(one, model, alone=not others)
        if found is not None:
            return _with(report, found, _whole(products, one, found, terms))
        if layers and solved != layers:
            return _with(report, Finding("the products belong to layers that differ"), "")
        layers = solved
    faults = [fault for extra in terms.extra if (fault := _fault_of_extra(extra, reading))]
    if faults:
        return _with(report, faults[0], "")
    for one in products:
        if forward and (found := _departs(one, forward)):
            return _with(report, found, _whole(products, one, found, terms))
    return _conditions(report, products, written, terms, layers, forward)


def _departs(reading: Reading, forward: Forward) -> Finding | None:
    """Where an equation that holds by itself speaks of other tensors than the forward pass."""
    names = {role: f.access.name for role, f in reading.factors.items()}
    numbers = _numbers(reading.written, names)
    for role, number in numbers.items():
        if number != forward.numbers.get(role, number):
            away = number - forward.numbers[role]
            return Finding(
                f"the layer of {names[role]} is {abs(away)} too {'high' if away > 0 else 'low'}"
                f" beside that of {names['z']}: the forward pass has them otherwise",
                f"the superscript of {names[role]} {'less' if away > 0 else 'more'} by {abs(away)}",
            )
    for role, factor in reading.factors.items():
        theirs = forward.axes.get(role, "")
        if theirs == factor.axes or sorted(theirs) != sorted(factor.axes):
            continue
        if _same_but_for_layout(theirs, factor.axes):
            continue
        forms = dict(factor.pairs())
        subscripts = tuple(forms[letter] for letter in theirs)
        fixed = replace(factor, access=replace(factor.access, subscripts=subscripts))
        old, new = reading.on_the_page(factor), reading.on_the_page(fixed)
        exchanged = "" if role == reading.left.role else exchange(factor, fixed)
        order = f"the subscripts of {factor.access.name} stand in another order than in the forward"
        return Finding(
            exchanged or f"{order} pass",
            f"{new} instead of {old}",
            reading.written_with({factor: fixed}),
        )
    return _range_that_differs(reading, forward)


def _same_but_for_layout(one: str, other: str) -> bool:
    """Whether only the positions as a whole stand elsewhere, such as before the channels."""
    kinds = (SPATIAL, "NGCK")
    return all([c for c in one if c in k] == [c for c in other if c in k] for k in kinds)


def _range_that_differs(reading: Reading, forward: Forward) -> Finding | None:
    """A sum with other limits than the forward pass has on the same axis, by a number."""
    sums = {index.name: index for index in reading.term.sums}
    for (role, letter), mine in stated_sizes(reading.factors.values(), reading.written).items():
        theirs = forward.sizes.get((role, letter))
        if theirs is None or mine == theirs or (mine - theirs).letters:
            continue
        plain = ((f.at(letter), f) for f in reading.factors.values() if role in {"", f.role})
        name = next(s.plain for s, _ in plain if s is not None and s.plain in sums)
        first = reading.origins.indices.get(name or "", ZERO)
        return Finding(
            f"wrong range: the sum over {name} has {mine} terms, and the forward pass has {theirs}",
            f"{name}={first}..{theirs - 1 + first} instead of {name}={first}..{mine - 1 + first}",
            missed=RANGES,
        )
    return None


def _model(products: Products) -> Forward | None:
    """The layer of the first product that has one, for what the others should be."""
    if len(products) < 2:
        return None
    solved = [_solved(one, None) for one in products]
    layers = next((layers for layers, fault in solved if fault is None), None)
    return None if layers is None else Forward({}, "", {}, layers)


def _divides(reading: Reading) -> bool:
    """Whether every quotient stands beside the condition that it comes out even."""
    forms = [s for f in reading.factors.values() for s in f.access.subscripts if s.divisor != ONE]
    known = [c for c in reading.term.conditions if isinstance(c, Divides)]
    return all(
        any(c.modulus == f.divisor and c.value in {f.numerator, -f.numerator} for c in known)
        for f in forms
    )


def _fault(
    reading: Reading, forward: Forward | None, *, alone: bool
) -> tuple[Finding | None, dict[str, Layer]]:
    """What is wrong with one product, and the layer that it belongs to."""
    found = missing_sums(reading) or same_letters(reading)
    layers, turn = _solved(reading, forward)
    return found or turn or sums_that_repeat(reading, alone=alone), layers


def _whole(products: Products, wrong: Reading, found: Finding, terms: Terms) -> str:
    """The corrected equation with what is right in it."""
    if not found.corrected:
        return ""
    each = [found.corrected if r is wrong else r.written_with({}) for r in products]
    left, _, first = each[0].partition(" = ")
    others = [text.partition(" = ")[2] for text in each[1:]]
    return " + ".join([f"{left} = {first}", *others, *map(str, terms.extra)])


def _fault_of_extra(term: WrittenTerm, reading: Reading) -> Finding | None:
    """The bias of a forward pass is b[k], added once."""
    if reading.which != "forward":
        return None
    (access,) = term.accesses
    filters = reading.error.at("K")
    counted = reading.origins.from_zero(access)
    if term.sums or term.coefficient != 1:
        return Finding(f"{access} is added once to every output", f"{access} alone", missed=GIVEN)
    if access.subscripts and filters is not None and filters not in counted.subscripts:
        name = reading.on_the_page(reading.error).partition("[")[0]
        return Finding(
            f"every filter of {name} has its own bias: {access} has another letter",
            f"{access.name}[{filters}] instead of {access}",
            missed=GIVEN,
        )
    return None


def _with(report: EquationReport, found: Finding, corrected: str) -> EquationReport:
    return replace(
        report,
        reason=found.reason,
        correction=found.correction,
        corrected=corrected,
        conditions=found.conditions,
        missed=found.missed.name,
        notes=(*report.notes, *found.notes),
    )


def _solved(reading: Reading, forward: Forward | None) -> tuple[dict[str, Layer], Finding | None]:
    """The layer of every axis, or what is wrong with its subscripts."""
    layers: dict[str, Layer] = {}
    if reading.which == "db":
        return layers, None
    x, w = reading.factors["x"], reading.factors["w"]
    if len({"".join(c for c in f.axes if c in SPATIAL) for f in (x, w, reading.error)}) > 1:
        return layers, Finding("the tensors do not have the same number of positions")
    explicit = w.access.rotated or marked(reading, w, TURNED)
    for letter in reading.spatial:
        i, o, t = _triple(reading, letter)
        if i is None or o is None or t is None:
            return layers, Finding("the tensors do not have the same number of positions")
        found = solve(i, o, t)
        known = forward.layers.get(letter) if forward else None
        if found is None or _impossible(found, known, reading, explicit=explicit):
            return layers, _misplaced(reading, forward, found)
        layers[letter] = found
    strides = {n for f in reading.factors.values() for s in f.access.subscripts for n in s.letters}
    named = sorted(n for n in strides if STRIDE.fullmatch(n))
    ignored = named and all(not layer.stride.letters for layer in layers.values())
    if ignored:
        return layers, _misplaced(reading, forward, next(iter(layers.values())))
    return layers, None


def _triple(reading: Reading, letter: str) -> tuple[Affine | None, Affine | None, Affine | None]:
    """The subscripts of the long side, the short side and the kernel on one axis."""
    x, z, w = (reading.factors[role].at(letter) for role in "xzw")
    return (z, x, w) if reading.transposed else (x, z, w)


def _impossible(found: Layer, known: Layer | None, reading: Reading, *, explicit: bool) -> bool:
    """No layer has this padding, or runs its taps this way; or the given one does not."""
    if known is not None:
        return _needed(found, known, reading) is None
    if found.flipped:
        return not explicit and reading.which != "forward"
    return not found.padding.is_nonnegative() and not _is_size_less_one(found.padding)


def _needed(found: Layer, known: Layer, reading: Reading) -> list[str] | None:
    """What must hold for one layer to be the given one; None where no sizes make it so.

    Left open are a stride that zeros between the entries of the error undo, the padding of a full
    correlation, and that of a sign such as `*`, which does not say how far the arrays are padded.
    """
    if found.flipped != known.flipped:
        return None
    sign = -1 if known.flipped else 1
    pairs = [(found.dilation * sign, known.dilation * sign)]
    if not marked(reading, reading.error, SPREAD):
        pairs.append((found.stride, known.stride))
    if not (reading.written.operation or _is_size_less_one(found.padding)):
        pairs.append((found.padding, known.padding))
    words: list[str] = []
    for mine, theirs in pairs:
        if mine == theirs:
            continue
        below = bool(mine) and (-mine).is_nonnegative() and theirs.is_nonnegative()
        if below or not (mine - theirs).letters:
            return None
        words.append(f"{theirs} = {mine}" if theirs.letters else f"{mine} = {theirs}")
    return words


def _is_size_less_one(padding: Polynomial) -> bool:
    """Whether it is k - 1 for a kernel of k taps: the error is padded for a full correlation."""
    more = padding + 1
    return len(more.terms) == 1 and len(more.letters) == 1 and str(more) in more.letters


def _misplaced(reading: Reading, forward: Forward | None, found: Layer | None) -> Finding:
    """The subscript of the factor that moves, as it should be."""
    z = reading.error
    if reading.left.access.rotated and not z.access.rotated:
        name = z.access.name
        reason = f"{name} has to be turned by 180 degrees where the result is"
        return Finding(reason, f"rot180({name}) instead of {name}", missed=SOLVE)
    forms = [form for letter in reading.spatial for form in _triple(reading, letter)]
    moved = next(
        (f for f in (z, reading.other, reading.left) if f and any(
            not s.plain for c, s in f.pairs() if c in SPATIAL)), z,
    )  # fmt: skip
    changes: dict[str, Any] = {}
    for letter in reading.spatial:
        i, o, t = _triple(reading, letter)
        if i is None or o is None or t is None:
            continue
        own = [i, o, t]
        layer = meant([f for f in forms if f is not None and set(f.letters) <= _letters(own)])
        layer = forward.layers.get(letter, layer) if forward else layer
        long, short = ("z", "x") if reading.transposed else ("x", "z")
        right = {long: layer.input(o, t), short: layer.output(i, t), "w": layer.tap(i, o)}
        changes[letter] = right[moved.role]
    fixed = moved.with_subscripts(changes)
    old, new = reading.on_the_page(moved), reading.on_the_page(fixed)
    both = zip(_page(reading, moved), _page(reading, fixed), strict=True)
    reason = "wrong subscript: " + ", ".join(f"{a} should be {b}" for a, b in both if a != b)
    conditions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    turned_kernel = reading.written.operation and found is not None and found.flipped
    if found is None and _right_for_stride_one(reading):
        reason, conditions = MULTIPLIES, ("right only for stride 1",)
    elif turned_kernel:
        reason = (
            "the kernel has to be turned by 180 degrees: the gradient of a cross-correlation"
            " runs its taps against the error"
        )
    elif found is not None and not found.stride.letters and _strides(reading):
        name = _strides(reading)[0]
        reason = f"the stride {name} stands at the tap, which makes it a dilation: " + reason
        conditions = ("right only for stride 1",)
    elif found is not None and found.flipped:
        notes = ("it would be right for a true convolution, whose taps run against the input",)
    elif found is not None and not found.padding.is_nonnegative():
        reason += f"; as it stands it asks for a padding of {found.padding}"
        if set(_strides(reading)) & found.padding.letters:
            reason += ": the one of counting from 1 stands outside the division by the stride"
    whole = reading.written_with({moved: fixed})
    rule = SOLVE if reading.which == "dx" else LINEAR
    return Finding(reason, f"{new} instead of {old}", whole, rule, conditions, notes)


def _letters(forms: list[Any]) -> set[str]:
    return {letter for form in forms for letter in form.letters}


def _strides(reading: Reading) -> list[str]:
    forms = [s for f in reading.factors.values() for s in f.access.subscripts]
    return sorted(n for n in _letters(forms) if STRIDE.fullmatch(n))


def _right_for_stride_one(reading: Reading) -> bool:
    """Whether the subscripts belong together once every stride is 1."""
    ones = dict.fromkeys(_strides(reading), 1)
    if not ones:
        return False
    for letter in reading.spatial:
        i, o, t = _triple(reading, letter)
        if i is None or o is None or t is None:
            return False
        found = solve(i.with_sizes(ones), o.with_sizes(ones), t.with_sizes(ones))
        if found is None or found.flipped:
            return False
    return True


def _page(reading: Reading, factor: Factor) -> list[str]:
    inside = reading.on_the_page(factor).partition("[")[2].rpartition("]")[0]
    return inside.split(",")


# -------------------------------------------------------------------------------------- conditions


def _conditions(
    report: EquationReport,
    products: Products,
    written: Written,
    terms: Terms,
    layers: dict[str, Layer],
    forward: Forward | None,
) -> EquationReport:
    reading = products[0]
    words: dict[str, None] = {}
    layers_found = tuple(layers.values())
    w = reading.factors.get("w")
    turned_kernel = marked(reading, w, TURNED) if w else False
    if any(layer.flipped for layer in layers_found) and turned_kernel:
        words[f"{reading.factors['w'].access.name} is the kernel turned by 180 degrees"] = None
    elif any(layer.flipped for layer in layers_found):
        words["the forward pass is a true convolution (its taps run against the input)"] = None
    for layer in layers_found:
        words |= dict.fromkeys(_words(layer, reading))
    if reading.written.operation and written.operation == "ast" and layers:
        flipped = any(layer.flipped for layer in layers_found)
        words = {w: None for w in words if "true convolution" not in w}
        same = flipped == (reading.written.operation == "ast")
        words[SAME_OPERATION if same else OTHER_OPERATION] = None
    if forward:
        words |= dict.fromkeys(_against(reading, layers, forward))
    words |= dict.fromkeys(_sizes(reading))
    words |= dict.fromkeys(_factors(products, terms))
    wrong = next((r.term.coefficient for r in products if r.term.coefficient != 1), None)
    if wrong is not None:
        return replace(
            report,
            reason=f"the factor {wrong} does not come out of the chain rule",
            correction=f"no factor instead of {wrong}",
            missed=CHAIN.name,
        )
    shown, meanings = holds(products, layers)
    words |= dict.fromkeys(meanings)
    if shown is False:
        several = "products are missing or added twice" if len(products) > 1 else ""
        return replace(
            report,
            reason="the subscripts are right, but "
            + (several or "the ranges leave products out or add some"),
            missed=RANGES.name,
            notes=(*report.notes, "found by exact evaluation on a small layer"),
        )
    limited = any(r.term.conditions or any(i.last for i in r.term.sums) for r in products)
    if shown is None and (limited or len(products) > 1):
        words["the ranges under the sum leave nothing out"] = None
    proved = "proved on a small layer by exact evaluation" if shown else ""
    verdict = "right under a condition" if words else "right"
    return replace(
        report,
        verdict=verdict,
        conditions=tuple(words),
        reason=RIGHT if reading.which != "forward" else RIGHT_FORWARD,
        notes=(*report.notes, *([proved] if proved else [])),
    )


def _against(reading: Reading, layers: Mapping[str, Layer], forward: Forward) -> Iterator[str]:
    """What must hold besides for the equation to be that of the given forward pass."""
    for letter, found in layers.items():
        known = forward.layers.get(letter)
        yield from (_needed(found, known, reading) or ()) if known else ()
    for role, factor in reading.factors.items():
        theirs = forward.axes.get(role, factor.axes)
        if theirs != factor.axes and _same_but_for_layout(theirs, factor.axes):
            yield f"{factor.access.name} has its positions before or after other axes than there"
    stated = stated_sizes(reading.factors.values(), reading.written)
    for (role, letter), mine in stated.items():
        theirs = forward.sizes.get((role, letter))
        if theirs is not None and mine != theirs:
            yield f"{theirs} = {mine}"
        others = [axis for axis, size in forward.sizes.items() if size == mine]
        if theirs is None and mine.letters and others and (role, letter) not in others:
            yield f"{_thing(letter)} are as many as {_thing(others[0][1])} ({mine})"


def _thing(letter: str) -> str:
    words = {"N": "samples", "G": "groups", "C": "channels", "K": "filters"}
    return words.get(letter, "positions")


def _sizes(reading: Reading) -> Iterator[str]:
    """What the tensors' axes say of the layer."""
    axes = {c for f in reading.factors.values() for c in f.axes}
    if reading.which == "db":
        axes |= {"C"}
    if "G" in axes and not {"C", "K"} & axes:
        yield "every channel has a filter of its own (a depthwise layer)"
    elif reading.which == "db" and set(SPATIAL) & set(reading.left.axes):
        yield "every output position has a bias of its own (untied)"
    elif "G" not in axes:
        if "C" not in axes:
            yield "one channel"
        if "K" not in axes:
            yield "one filter"


def _factors(products: Products, terms: Terms) -> Iterator[str]:
    """What stands before the sums, and what is added to them."""
    for reading in products:
        over, under = reading.term.factor
        if (over, under) == (ONE, ONE):
            continue
        if over == ONE:
            yield f"the loss is a mean with the factor {over}/{under}, which belongs to the loss"
        else:
            whole = str(over) if under == ONE else f"{over}/{under}"
            yield f"the factor {whole} belongs to the loss or to the step, not to the gradient"
    if products[0].which == "dw":
        for term in terms.extra:
            yield f"the loss has a penalty on the weights, whose derivative is {term}"


def _words(layer: Layer, reading: Reading) -> list[str]:
    """What a layer must be for the equation to be its gradient."""
    stride, padding = layer.stride, layer.padding
    error, data = reading.error, reading.factors.get("x", reading.error)
    found: list[str] = []
    if stride == ONE and marked(reading, error, SPREAD) and reading.which != "forward":
        name = error.access.name
        found.append(
            f"{name} is the error with s - 1 zeros between its entries (for stride 1 the error)"
        )
    elif not stride.letters:
        found.append(f"stride {stride}")
    dilation = -layer.dilation if layer.flipped else layer.dilation
    if layer.flipped:
        pass
    elif padding == ZERO and marked(reading, data, PADDED):
        found.append(f"{data.access.name} is the input with its padding")
    elif padding == ZERO:
        found.append("no padding")
    elif _is_size_less_one(padding) and reading.which == "dw":
        found.append("dw is the part of the convolution in which the error lies inside the input")
    elif _is_size_less_one(padding):
        found.append("the error is padded by the kernel's size minus one (a full correlation)")
    elif not padding.letters:
        found.append(f"padding {padding}")
    if not dilation.letters and dilation != ONE:
        found.append(f"dilation {dilation}")
    return found


# Marks on a tensor that make another one of it, at the end of its name.
SPREAD = re.compile(r".*_(tilde|hat|check|up|dil|dilated)")
PADDED = re.compile(r".*_(tilde|hat|check|pad|padded|ext)")
TURNED = re.compile(r".*_(tilde|hat|check|rot)")


def marked(reading: Reading, factor: Factor, mark: re.Pattern[str]) -> bool:
    """Whether the name of a tensor says that something was done to it first.

    A name that the forward pass has as well is only a name, whatever mark it bears.
    """
    name = bare(factor.access.name)
    return not {name, name.removeprefix("d")} & reading.given and bool(mark.fullmatch(name))
