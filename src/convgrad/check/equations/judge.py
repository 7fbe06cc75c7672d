"""The verdict on an equation: right, right under a condition, or wrong at a subscript.

The algebra decides: samples, channels and filters are the same letter on both sides, the positions
of every axis satisfy the relation of a layer, and every index that the left side lacks is summed
once. Ranges are proved by exact evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from textwrap import fill
from typing import TYPE_CHECKING, Any

from convgrad.algebra.differentiate import CHAIN, LINEAR, RANGES, SOLVE
from convgrad.algebra.parse import read, read_all
from convgrad.algebra.polynomial import ONE, ZERO
from convgrad.algebra.written import counted_from, origins
from convgrad.check.equations.findings import Finding, missing_sums, same_letters, sums_that_repeat
from convgrad.check.equations.proof import holds
from convgrad.check.equations.reading import (
    SPATIAL,
    Factor,
    Reading,
    axes_of,
    bare,
    confused,
    moving,
    roles_of,
    shared,
    turned,
    without_ties,
)
from convgrad.check.equations.relation import PADDING, STRIDE, Layer, meant, solve
from convgrad.check.mistakes.equations import in_words, right_equation
from convgrad.errors import EquationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from convgrad.algebra.polynomial import Polynomial
    from convgrad.algebra.written import Written
    from convgrad.check.nest import Pass

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
        text: LaTeX or index notation: one product under sums, for dx, dw or db.
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
    """What a given forward pass says: names, axes of the kernel, layer, start of counting."""

    roles: Mapping[str, str]
    kernel: str
    starts: Mapping[tuple[str, int], Polynomial]
    layers: Mapping[str, Layer]


def _forward(text: str) -> Forward:
    """A forward pass read as z = sum x*w, by the subscript that moves."""
    written = read(text)
    term = next((t for t in written.terms if len(t.accesses) == 2), None)
    if term is None:
        raise EquationError("the forward pass has no product", got=str(written))
    product = replace(written, terms=(term,))
    input_, weights = sorted(term.accesses, key=lambda a: all(s.plain for s in a.subscripts))
    roles = {bare(input_.name): "x", bare(weights.name): "w"}
    roles.setdefault(bare(written.left.name), "z")
    firsts = {s.name: s.first for s in term.sums if s.first is not None}
    starts = {
        ("w", axis): firsts[subscript.plain]
        for axis, subscript in enumerate(weights.subscripts)
        if subscript.plain in firsts
    }
    counted = counted_from(product, origins(product, 0))
    moves = moving(counted)
    (put,) = counted.terms
    x, w = (next(a for a in put.accesses if a.name == n.name) for n in (input_, weights))
    parts = [Factor("x", x, axes_of(x, "x", moves, 2)), Factor("w", w, axes_of(w, "w", moves, 2))]
    z = Factor("z", counted.left, axes_of(counted.left, "z", moves, 2))
    kernel = _kernel_axes(parts[1], parts[0], z)
    layers: dict[str, Layer] = {}
    for letter in SPATIAL:
        forms = [f.at(letter) for f in (parts[0], z, parts[1])]
        if all(form is not None for form in forms):
            found = solve(*(form for form in forms if form is not None))
            if found is not None:
                layers[letter] = found
    return Forward(roles, kernel, starts, layers)


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


def _readings(written: Written, text: str, forward: Forward | None) -> list[Reading]:
    """The equation counted from 0 and from 1, where the page leaves that open."""
    known = dict(forward.roles) if forward else {}
    which, roles = roles_of(written, text, known)
    firsts = {s.first.number for t in written.terms for s in t.sums if s.first is not None}
    stated = firsts & {0, 1}
    bases = sorted(n for n in stated if n is not None) if len(stated) == 1 else [0, 1]
    return [
        _reading(way, which, roles, base, forward) for way in _operations(written) for base in bases
    ]


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
    written: Written, which: Pass, roles: dict[str, str], first: int, forward: Forward | None
) -> Reading:
    target = {"dx": "x", "dw": "w", "db": "b"}[which]
    every = {**roles, written.left.name: target}
    given: Mapping[tuple[str, int], Polynomial] = forward.starts if forward else {}
    starts = {
        (name, axis): start
        for (role, axis), start in given.items()
        for name, own in every.items()
        if own == role
    }
    start = origins(written, first, starts)
    counted = counted_from(written, start)
    counted = without_ties(counted, [name for name, role in roles.items() if role == "z"])
    moves = moving(counted)
    (term,) = counted.terms
    count = max((sum(not s.plain for s in a.subscripts) for a in counted.accesses()), default=0)

    def factor(access: Any, role: str) -> Factor:
        return Factor(role, access, axes_of(access, role, moves, count or 2))

    if which == "db":
        (access,) = term.accesses
        error, left = _bias_axes(access, counted.left)
        return Reading(which, left, error, None, term, counted, first, start)
    left = factor(counted.left, target)
    parts = [factor(access, roles[access.name]) for access in term.accesses]
    if forward and forward.kernel:
        w = left if left.role == "w" else next(p for p in parts if p.role == "w")
        if len(forward.kernel) == len(w.axes):
            put = replace(w, axes=forward.kernel)
            left = put if w is left else left
            parts = [put if p is w else p for p in parts]
    parts = [turned(shared(p, [left, *(o for o in parts if o is not p)])) for p in parts]
    left = shared(left, parts)
    error = next(p for p in parts if p.role == "z")
    other = next(p for p in parts if p.role != "z")
    return Reading(which, left, error, other, term, counted, first, start)


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
    axes = "K" * len(left.subscripts)
    return Factor("z", error, "".join(letters)), Factor("b", left, axes)


# ----------------------------------------------------------------------------------------- judging


def _check(written: Written, text: str, forward: str | None) -> EquationReport:
    given = _forward(forward) if forward else None
    which, _ = roles_of(written, text, dict(given.roles) if given else {})
    if reason := confused(written.left.name, which):
        return EquationReport(
            str(written), which, "wrong", reason=reason, missed=LINEAR.name, notes=written.notes
        )
    judged = [(r, _judge(r, written, given)) for r in _readings(written, text, given)]
    return min(judged, key=lambda pair: _rank(*pair))[1]


def _rank(reading: Reading, report: EquationReport) -> tuple[bool, bool, int]:
    """Right before wrong, no padding before a number that might be where counting starts."""
    layers, _ = _solved(reading, None)
    odd = any(not _is_usual(layer.padding) for layer in layers.values())
    return (report.verdict == "wrong", odd, reading.first)


def _is_usual(padding: Polynomial) -> bool:
    """No padding, a letter for it, or k - 1: not a number that may come from counting."""
    named = str(padding) in padding.letters and bool(PADDING.fullmatch(str(padding)))
    return padding == ZERO or named or _is_size_less_one(padding)


def _judge(reading: Reading, written: Written, forward: Forward | None) -> EquationReport:
    notes = [*written.notes, f"indices count from {reading.first}"]
    if forward is None:
        shown = ", ".join(f"{role} {f.axes}" for role, f in sorted(reading.factors.items()))
        notes.append(f"no forward pass was given: axes are taken as {shown}")
    report = EquationReport(
        str(written),
        reading.which,
        "wrong",
        derived=in_words(right_equation(reading.which)),
        notes=tuple(notes),
    )
    if written.rounded:
        return replace(
            report,
            reason="rounding adds products that do not exist: there is one only where the stride"
            " divides the difference",
            correction="the quotient without rounding, where it comes out even",
            missed=SOLVE.name,
        )
    found = missing_sums(reading) or same_letters(reading)
    layers, turn = _solved(reading, forward)
    if found is None:
        found = turn or sums_that_repeat(reading)
    if found is not None:
        return _with(report, found)
    return _conditions(report, reading, written, layers)


def _with(report: EquationReport, found: Finding) -> EquationReport:
    return replace(
        report,
        reason=found.reason,
        correction=found.correction,
        corrected=found.corrected,
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
    explicit = any(a.rotated for t in reading.written.terms for a in t.accesses)
    for letter in reading.spatial:
        i, o, t = x.at(letter), reading.error.at(letter), w.at(letter)
        if i is None or o is None or t is None:
            return layers, Finding("the tensors do not have the same number of positions")
        found = solve(i, o, t)
        known = forward.layers.get(letter) if forward else None
        if found is None or _impossible(found, known, explicit=explicit):
            return layers, _misplaced(reading, forward, found)
        layers[letter] = found
    strides = {n for f in reading.factors.values() for s in f.access.subscripts for n in s.letters}
    named = sorted(n for n in strides if STRIDE.fullmatch(n))
    ignored = named and all(not layer.stride.letters for layer in layers.values())
    if ignored:
        return layers, _misplaced(reading, forward, next(iter(layers.values())))
    return layers, None


def _impossible(found: Layer, known: Layer | None, *, explicit: bool) -> bool:
    """No layer has this padding, or runs its taps this way."""
    if known is not None:
        return found.flipped != known.flipped or (found.flipped and found.padding != known.padding)
    if found.flipped:
        return not explicit
    return not found.padding.is_nonnegative() and not _is_size_less_one(found.padding)


def _is_size_less_one(padding: Polynomial) -> bool:
    """Whether it is k - 1 for a kernel of k taps: the error is padded for a full correlation."""
    more = padding + 1
    return len(more.terms) == 1 and len(more.letters) == 1 and str(more) in more.letters


def _misplaced(reading: Reading, forward: Forward | None, found: Layer | None) -> Finding:
    """The subscript of the factor that moves, as it should be."""
    x, w, z = reading.factors["x"], reading.factors["w"], reading.error
    forms = [f.at(letter) for f in (x, z, w) for letter in reading.spatial]
    moved = next(
        (f for f in (z, reading.other, reading.left) if f and any(
            not s.plain for c, s in f.pairs() if c in SPATIAL)), z,
    )  # fmt: skip
    changes: dict[str, Any] = {}
    for letter in reading.spatial:
        i, o, t = x.at(letter), z.at(letter), w.at(letter)
        if i is None or o is None or t is None:
            continue
        own = [i, o, t]
        layer = meant([f for f in forms if f is not None and set(f.letters) <= _letters(own)])
        layer = forward.layers.get(letter, layer) if forward else layer
        right = {"x": layer.input(o, t), "z": layer.output(i, t), "w": layer.tap(i, o)}
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
    x, w, z = reading.factors["x"], reading.factors["w"], reading.error
    ones = dict.fromkeys(_strides(reading), 1)
    if not ones:
        return False
    for letter in reading.spatial:
        forms = [f.at(letter) for f in (x, z, w)]
        found = solve(*(form.with_sizes(ones) for form in forms if form is not None))
        if found is None or found.flipped:
            return False
    return True


def _page(reading: Reading, factor: Factor) -> list[str]:
    inside = reading.on_the_page(factor).partition("[")[2].rpartition("]")[0]
    return inside.split(",")


# -------------------------------------------------------------------------------------- conditions


def _conditions(
    report: EquationReport,
    reading: Reading,
    written: Written,
    layers: dict[str, Layer],
) -> EquationReport:
    words: dict[str, None] = {}
    layers_found = tuple(layers.values())
    if any(layer.flipped for layer in layers_found):
        words["the forward pass is a true convolution (its taps run against the input)"] = None
    for layer in layers_found:
        words |= dict.fromkeys(_words(layer))
    if written.operation == "ast" and layers:
        flipped = any(layer.flipped for layer in layers_found)
        words = {w: None for w in words if "true convolution" not in w}
        same = flipped == (reading.written.operation == "ast")
        words[SAME_OPERATION if same else OTHER_OPERATION] = None
    axes = {c for f in reading.factors.values() for c in f.axes}
    if reading.which != "db" and "C" not in axes:
        words["one channel"] = None
    if "K" not in axes:
        words["one filter"] = None
    over, under = reading.term.factor
    if (over, under) != (ONE, ONE):
        words[f"the loss is a mean with the factor {over}/{under}, which belongs to the loss"] = (
            None
        )
    if reading.term.coefficient != 1:
        return replace(
            report,
            reason=f"the factor {reading.term.coefficient} does not come out of the chain rule",
            correction=f"no factor instead of {reading.term.coefficient}",
            missed=CHAIN.name,
        )
    shown = holds(reading, layers)
    if shown is False:
        return replace(
            report,
            reason="the subscripts are right, but the ranges leave products out or add some",
            missed=RANGES.name,
            notes=(*report.notes, "found by exact evaluation on a small layer"),
        )
    if shown is None and (reading.term.conditions or any(i.last for i in reading.term.sums)):
        words["the ranges under the sum leave nothing out"] = None
    proved = "proved on a small layer by exact evaluation" if shown else ""
    verdict = "right under a condition" if words else "right"
    return replace(
        report,
        verdict=verdict,
        conditions=tuple(words),
        reason=RIGHT,
        notes=(*report.notes, *([proved] if proved else [])),
    )


def _words(layer: Layer) -> list[str]:
    """What a layer must be for the equation to be its gradient."""
    stride, padding = layer.stride, layer.padding
    found: list[str] = []
    if not stride.letters:
        found.append(f"stride {stride}")
    dilation = -layer.dilation if layer.flipped else layer.dilation
    if layer.flipped:
        pass
    elif padding == ZERO:
        found.append("no padding")
    elif _is_size_less_one(padding):
        found.append("the error is padded by the kernel's size minus one (a full correlation)")
    elif not padding.letters:
        found.append(f"padding {padding}")
    if not dilation.letters and dilation != ONE:
        found.append(f"dilation {dilation}")
    return found
