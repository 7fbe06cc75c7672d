"""The verdict on an equation: right, right under a condition, or wrong at a subscript."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from convgrad.check.equations.meaning import Bound, evaluate, is_plain, names_in
from convgrad.check.equations.written import Factor, Written, read_equation
from convgrad.check.layout import arrange
from convgrad.check.nest import truth
from convgrad.check.probe import Sizes, integers
from convgrad.errors import EquationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from convgrad.check.nest import Array, Pass

ERROR = re.compile(r"delta|d_?(z|y|out|o)\b|d_O|dZ|dY|dout|grad|g$|e$", re.IGNORECASE)
WEIGHTS = re.compile(r"^(w|k|f|theta|kernel|filter|weight)", re.IGNORECASE)


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
        derived: the right equation.
        notes: what was assumed.
    """

    equation: str
    gradient: Pass
    verdict: str
    conditions: tuple[str, ...] = ()
    reason: str = ""
    correction: str = ""
    derived: str = ""
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
        lines = [f"read as     {self.equation}", f"verdict     {self.gradient}: {self.verdict}"]
        lines += [f"condition   {c}" for c in self.conditions]
        for label, text in (
            ("reason", self.reason),
            ("write", self.correction),
            ("derived", self.derived),
        ):
            if text:
                lines.append(f"{label:<12}{text}")
        return "\n".join([*lines, *(f"note        {n}" for n in self.notes)])


def check_equation(text: str, forward: str | None = None) -> EquationReport:
    """Check an equation of a backward pass against the gradient of the forward pass.

    Args:
        text: LaTeX or index notation: one product under sums, for dx, dw or db.
        forward: the forward pass it belongs to; by default a cross-correlation in the same layout.
    Returns: the report.
    Raises: EquationError: (also ParseError) where the text has no meaning.

    >>> print(check_equation("dx[i] = sum(t) dz[i + t] * w[t]").correction)
    dz[i - t] instead of dz[i + t]
    """
    equation = read_equation(text)
    setting = _setting(equation, read_equation(forward) if forward else None)
    return _judge(equation, setting)


@dataclass(frozen=True)
class Setting:
    """What the letters of an equation stand for.

    Attributes:
        which: the gradient.
        layouts: of x, w, z by role.
        roles: the role of every tensor by its name.
        forward_weights: where a forward pass was given, the layout of the weights there.
    """

    which: Pass
    layouts: dict[str, str]
    roles: dict[str, str]
    notes: tuple[str, ...] = ()
    has_stride: bool = False
    has_padding: bool = False


def _setting(equation: Written, forward: Written | None) -> Setting:
    which, roles = _roles(equation)
    layouts = _layouts(equation, which, roles)
    notes: list[str] = []
    if forward is not None:
        layouts |= _forward_layouts(forward, layouts)
    else:
        notes.append(
            "no forward pass was given: axes are taken as "
            + ", ".join(f"{r} {t}" for r, t in layouts.items())
        )
    if equation.activation:
        notes.append(
            "the derivative of the activation was read as a factor outside the convolution"
        )
    every = {n for f in equation.factors for t in f.subscripts for n in names_in(t)}
    every |= {n for c in equation.conditions for n in names_in(c)}
    indices = {*equation.sums, *(t for t in equation.left.subscripts)}
    free = every - indices
    stride = any(re.match(r"s|stride", n) for n in free)
    padding = any(re.match(r"p|pad", n) for n in free)
    return Setting(which, layouts, roles, tuple(notes), stride, padding)


def _roles(equation: Written) -> tuple[Pass, dict[str, str]]:
    roles: dict[str, str] = {}
    errors = [f for f in equation.factors if ERROR.search(f.name)]
    weights = [f for f in equation.factors if f not in errors and WEIGHTS.match(f.name)]
    inputs = [f for f in equation.factors if f not in errors and f not in weights]
    for role, found in (("z", errors), ("w", weights), ("x", inputs)):
        roles |= {f.name: role for f in found}
    if len(errors) != 1 or len(equation.factors) > 2 or len(weights) + len(inputs) > 1:
        raise EquationError(
            "the factors are not those of a backward pass",
            got=" * ".join(map(str, equation.factors)),
            expected="the error (dz, delta^{l+1}) times the weights (w) or the input (x)",
        )
    which: Pass = "dx" if weights else "dw" if inputs else "db"
    return which, roles


def _layouts(equation: Written, which: Pass, roles: dict[str, str]) -> dict[str, str]:
    """The axes of every tensor, from which of its subscripts are sums of indices."""
    error = next(f for f in equation.factors if roles[f.name] == "z")
    other = next((f for f in equation.factors if roles[f.name] != "z"), None)
    if which == "db":
        rest = len(error.subscripts) - 1
        at = error.subscripts.index(equation.left.subscripts[0]) if equation.left.subscripts else -1
        letters_left = {1: "W", 2: "HW", 3: "NHW"}.get(rest if at >= 0 else rest + 1, "")
        out_layout = letters_left[:at] + "K" + letters_left[at:] if at >= 0 else letters_left
        return {"z": out_layout}
    tied = {n for c in equation.conditions for n in names_in(c)}
    moved = error if which != "dw" else other
    rank = len(moved.subscripts) if moved is not None else len(error.subscripts)
    compound = [not is_plain(t) or t in tied for t in moved.subscripts] if moved is not None else []
    letters = {1: "W", 2: "HW"}
    spatial = max(1, sum(compound)) if any(compound) else min(2, rank)
    data = letters.get(spatial, "HW")
    first = compound.index(True) if any(compound) else (rank - spatial if rank > spatial else 0)
    after = rank - spatial - first if first else rank - spatial
    layout = {0: "", 1: "K", 2: "NK"}.get(first, "NK") + data
    if not first:
        layout = data + {0: "", 1: "K", 2: "KN"}.get(after, "K")
    elif after:
        layout = "N" * (first == 1) + data + "K"
    out = {"z": layout}
    channel_last = layout.endswith(("K", "KN")) and not layout.startswith(("K", "NK"))
    x_rank = len(equation.left.subscripts) if which == "dx" else rank
    if which == "dw":
        out["z"] = _with_rank(layout, len(error.subscripts))
    x = layout.replace("K", "C")
    out["x"] = _with_rank(x, x_rank)
    w_rank = (
        len(other.subscripts)
        if which == "dx" and other is not None
        else len(equation.left.subscripts)
    )
    full = data + "CK" if channel_last else "KC" + data
    if w_rank == len(data):
        full = data
    elif w_rank == len(data) + 1:
        keep = "K" if "K" in out["z"] and "C" not in out["x"] else "C"
        full = full.replace("C" if keep == "K" else "K", "")
    out["w"] = full
    return out


def _with_rank(layout: str, rank: int) -> str:
    for letter in ("N", "C", "K"):
        if len(layout) > rank and letter in layout:
            layout = layout.replace(letter, "")
    return layout


def _forward_layouts(forward: Written, layouts: dict[str, str]) -> dict[str, str]:
    """The layouts of the weights and of the data, read off a forward pass."""
    moved = next((f for f in forward.factors if any(not is_plain(t) for t in f.subscripts)), None)
    weights = next((f for f in forward.factors if f is not moved), None)
    if moved is None or weights is None:
        return {}
    left = forward.left.subscripts
    spatial_outputs = [
        t for t in left if any(t in names_in(s) and not is_plain(s) for s in moved.subscripts)
    ]
    taps = {n for s in moved.subscripts if not is_plain(s) for n in names_in(s)} & set(
        weights.subscripts
    )
    channels = [t for t in weights.subscripts if t not in taps and t in moved.subscripts]
    filters = [t for t in weights.subscripts if t not in taps and t in left]
    spatial = "HW" if len(spatial_outputs) == 2 else "W"
    order = [n for s in moved.subscripts if not is_plain(s) for n in names_in(s) if n in taps]
    letter = {n: spatial[i] for i, n in enumerate(dict.fromkeys(order)) if i < len(spatial)}
    letter |= dict.fromkeys(channels, "C") | dict.fromkeys(filters, "K")
    found = {"w": "".join(letter.get(t, "?") for t in weights.subscripts)}
    fits = "w" in layouts and "?" not in found["w"] and len(found["w"]) == len(layouts["w"])
    return found if fits else {}


# ------------------------------------------------------------------------------------- judging


@dataclass(frozen=True)
class Try:
    """One layer on which the equation is evaluated."""

    sizes: Sizes
    base: int


def _sizes(
    setting: Setting,
    *,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    flipped: bool = False,
) -> Sizes:
    letters = {c for layout in setting.layouts.values() for c in layout}
    flat = "H" not in letters
    channels = 2 if "C" in letters else 1
    filters = 3 if "K" in letters else 1
    return Sizes(
        batch=2 if "N" in letters else 1,
        channels=channels,
        filters=filters,
        size=(1, 6 + dilation) if flat else (5 + dilation, 4 + dilation),
        kernel=(1, 3) if flat else (3, 2),
        stride=(1 if flat else stride, stride),
        pads=((0, 0) if flat else (padding, padding), (padding, padding)),
        dilation=(1 if flat else dilation, dilation),
        flipped=flipped,
    )


_AXES = {"x": "NCHW", "w": "KCHW", "z": "NKHW"}


def _agrees(
    equation: Written, setting: Setting, sizes: Sizes, base: int, *, full: bool = False
) -> bool:
    """Whether the equation gives the gradient of this layer, with indices from `base`.

    `full`: the error is taken as padded by the kernel's size minus one.
    """
    probe = integers(sizes)
    arrays = {"x": probe.x, "w": probe.w, "z": probe.dz}
    tensors: dict[str, Bound] = {}
    for factor in equation.factors:
        role = setting.roles[factor.name]
        layout = setting.layouts[role]
        if len(layout) != len(factor.subscripts):
            return False
        array = arrange(arrays[role], _AXES[role], layout)
        shift = {"H": sizes.kernel[0] - 1, "W": sizes.kernel[1] - 1} if full and role == "z" else {}
        first = tuple(base + shift.get(letter, 0) for letter in layout)
        turned = tuple(i for i, letter in enumerate(layout) if letter in "HW")
        tensors[factor.name] = Bound(array, first, turned)
    target = {"dx": "x", "dw": "w"}.get(setting.which)
    if target is None:
        expected: Array = truth("db", probe)
        expected = expected if equation.left.subscripts else expected.sum(keepdims=False)
        left = expected.shape
    else:
        layout = setting.layouts[target]
        if len(layout) != len(equation.left.subscripts):
            return False
        expected = arrange(truth(setting.which, probe), _AXES[target], layout)
        left = expected.shape
    parameters = _parameters(equation, sizes)
    try:
        found = evaluate(equation, tensors, left, (base,) * len(left), parameters)
    except EquationError:
        raise
    except (ValueError, IndexError):
        return False
    return found.shape == expected.shape and bool(np.array_equal(found, expected))


def _parameters(equation: Written, sizes: Sizes) -> dict[str, int]:
    """Names that are no indices: stride, padding, dilation and kernel size."""
    every = {n for f in equation.factors for t in f.subscripts for n in names_in(t)}
    every |= {n for c in equation.conditions for n in names_in(c)}
    indices = {*equation.sums, *(t for t in equation.left.subscripts if is_plain(t))}
    indices |= {t for f in equation.factors for t in f.subscripts if is_plain(t)}
    values: dict[str, int] = {}
    for name in every - indices:
        wide = name.endswith(("w", "2", "x", "W"))
        axis = 1 if wide or sizes.size[0] == 1 else 0
        if re.match(r"s(tride)?", name, re.IGNORECASE):
            values[name] = sizes.stride[axis]
        elif re.match(r"p", name, re.IGNORECASE):
            values[name] = sizes.pads[axis][0]
        elif re.match(r"d", name, re.IGNORECASE):
            values[name] = sizes.dilation[axis]
        elif re.match(r"[kftrK]", name):
            values[name] = sizes.kernel[axis]
    return values


def _judge(equation: Written, setting: Setting) -> EquationReport:
    report = EquationReport(
        str(equation), setting.which, "wrong", derived=_derived(setting), notes=setting.notes
    )
    for flipped in (False, True):
        bases = [b for b in (0, 1) if _holds(equation, setting, b, flipped=flipped)]
        if bases:
            return _conditions(equation, setting, report, bases[0], flipped=flipped)
        for base in (0, 1):
            if (
                not flipped
                and setting.which == "dx"
                and _agrees(equation, setting, _sizes(setting, flipped=flipped), base, full=True)
            ):
                found = _conditions(equation, setting, report, base, flipped=flipped)
                padded = "the error is padded by the kernel's size minus one (a full correlation)"
                return replace(
                    found, verdict="right under a condition", conditions=("stride 1", padded)
                )
    numbers = _numbers(equation, setting)
    if numbers:
        return replace(
            report,
            verdict="right under a condition",
            conditions=numbers,
            reason="it is the gradient of the forward pass of this layer",
        )
    fix = _correction(equation, setting)
    if fix is not None:
        fixed, old, new = fix
        words = f"{new} instead of {old}"
        reason = _reason(old, new)
        del fixed
        return replace(report, reason=reason, correction=words)
    return replace(report, reason="no change of a single subscript makes it right")


def _numbers(equation: Written, setting: Setting) -> tuple[str, ...]:
    """The stride, padding and dilation that are written into an equation as numbers."""
    if setting.which == "db":
        return ()
    for dilation, stride, padding, base in itertools.product(
        (1, 2, 3), (1, 2, 3), range(4), (0, 1)
    ):
        sizes = _sizes(setting, stride=stride, padding=padding, dilation=dilation)
        if sizes.is_legal and _agrees(equation, setting, sizes, base):
            words = [f"stride {stride}", f"padding {padding}"]
            return tuple(words + ([f"dilation {dilation}"] if dilation > 1 else []))
    return ()


def _holds(equation: Written, setting: Setting, base: int, *, flipped: bool = False) -> bool:
    return _agrees(equation, setting, _sizes(setting, flipped=flipped), base)


def _conditions(
    equation: Written, setting: Setting, report: EquationReport, base: int, *, flipped: bool
) -> EquationReport:
    conditions: list[str] = []
    notes = [*report.notes, f"indices count from {base}"]
    if flipped:
        conditions.append("the forward pass is a true convolution (the kernel is flipped)")
    reason, correction = "it is the gradient of the forward pass, up to names and order", ""
    if setting.which != "db" and not _with(equation, setting, base, stride=2, flipped=flipped):
        conditions.append("stride 1")
        if setting.has_stride:
            reason = (
                "the stride multiplies where it must divide: input i belongs to output (i + p - t)/s,"  # noqa: E501
                " and only where s divides it"
            )
            fix = _correction(equation, setting, stride=2)
            correction = f"{fix[2]} instead of {fix[1]}" if fix else ""
    if setting.which != "db" and not _with(equation, setting, base, padding=1, flipped=flipped):
        conditions.append("no padding")
    letters = {c for layout in setting.layouts.values() for c in layout}
    if "C" not in letters and setting.which != "db":
        conditions.append("one channel")
    if "K" not in letters:
        conditions.append("one filter")
    wrong = setting.has_stride and "stride 1" in conditions
    verdict = "wrong" if wrong else "right under a condition" if conditions else "right"
    if wrong:
        conditions = [f"right only for {c}" if c == "stride 1" else c for c in conditions]
    return replace(
        report,
        verdict=verdict,
        conditions=tuple(conditions),
        reason=reason,
        correction=correction,
        notes=tuple(notes),
    )


def _with(
    equation: Written,
    setting: Setting,
    base: int,
    *,
    flipped: bool,
    stride: int = 1,
    padding: int = 0,
) -> bool:
    """Whether the equation still holds with a stride or a padding."""
    sizes = _sizes(setting, stride=stride, padding=padding, flipped=flipped)
    return _agrees(equation, setting, sizes, base)


def _correction(
    equation: Written, setting: Setting, stride: int = 1
) -> tuple[Written, Factor, Factor] | None:
    """The first change of one factor's subscripts that makes the equation right."""
    for i, factor in enumerate(equation.factors):
        for new in _changes(factor, equation):
            factors = (*equation.factors[:i], new, *equation.factors[i + 1 :])
            changed = replace(equation, factors=factors)
            try:
                if any(
                    _agrees(changed, setting, _sizes(setting, stride=stride), b) for b in (0, 1)
                ):
                    return changed, factor, new
            except EquationError:
                continue
    return None


def _changes(factor: Factor, equation: Written) -> Iterator[Factor]:
    """Factors that differ in one thing: order of subscripts, a sign, one too many, the stride."""
    texts = factor.subscripts
    for i, j in itertools.combinations(range(len(texts)), 2):
        swapped = list(texts)
        swapped[i], swapped[j] = swapped[j], swapped[i]
        yield replace(factor, subscripts=tuple(swapped))
    yield replace(factor, rotated=not factor.rotated)
    edits = [_edits(t, equation) for t in texts]
    for kind in range(max(map(len, edits), default=0)):
        # The same edit on every subscript it applies to, then on each alone.
        both = tuple(
            e[kind] if kind < len(e) and e[kind] else t for e, t in zip(edits, texts, strict=True)
        )
        if both != texts:
            yield replace(factor, subscripts=both)
        for at, edit in enumerate(edits):
            if kind < len(edit) and edit[kind]:
                yield replace(factor, subscripts=(*texts[:at], edit[kind], *texts[at + 1 :]))


def _edits(text: str, equation: Written) -> list[str]:
    """Ways to rewrite one compound subscript; '' where a way does not apply."""
    import ast

    if is_plain(text):
        return []
    strides = sorted(
        n for n in names_in(text) if re.match(r"s(tride)?", n) and n not in equation.sums
    )
    signs = text.translate(str.maketrans("+-", "-+"))
    first, *_ = re.split(r"[+-]", text)
    tail = text[len(first) :]
    names = sorted(names_in(text) & set(equation.sums))
    found = [
        signs,
        f"{text} + 1",
        f"{text} - 1",
        f"{first}{tail.translate(str.maketrans('+-', '-+'))}",
    ]
    if strides:
        s = strides[0]
        without = re.sub(rf"\b{s}\s*\*\s*|\s*\*\s*{s}\b", "", text)
        found += [f"({without}) / {s}"]
    else:
        found.append("")
    found += [_with_other_sign(text, name) for name in names]
    return [ast.unparse(ast.parse(t, mode="eval")) if t else "" for t in found]


def _with_other_sign(text: str, name: str) -> str:
    def other(match: re.Match[str]) -> str:
        return f"{'-' if match.group(1) == '+' else '+'} {name}"

    return re.sub(rf"([+-])\s*{name}\b", other, text)


def _reason(old: Factor, new: Factor) -> str:
    if sorted(old.subscripts) == sorted(new.subscripts) and old.subscripts != new.subscripts:
        changed = [
            i + 1
            for i, (a, b) in enumerate(zip(old.subscripts, new.subscripts, strict=True))
            if a != b
        ]
        return f"subscripts {changed[0]} and {changed[1]} of {old.name} are exchanged: sums run over the other axis"  # noqa: E501
    if old.rotated != new.rotated:
        return "the kernel is turned by 180 degrees" + (
            "" if old.rotated else " in the right equation, not here"
        )
    pairs = zip(old.subscripts, new.subscripts, strict=True)
    return "wrong subscript: " + ", ".join(f"{a} should be {b}" for a, b in pairs if a != b)


def _derived(setting: Setting) -> str:
    from convgrad.check.report import EQUATIONS

    return EQUATIONS[setting.which]
