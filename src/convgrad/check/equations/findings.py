"""What can be wrong with an equation besides its positions: letters of axes, and sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from convgrad.algebra.assemble import forgotten
from convgrad.algebra.differentiate import CHAIN, LINEAR, Rule

if TYPE_CHECKING:
    from convgrad.algebra.affine import Affine
    from convgrad.check.equations.reading import Factor, Reading


@dataclass(frozen=True)
class Finding:
    """Why an equation is wrong, and what to write.

    Attributes:
        reason: in one sentence.
        correction: the subscript as it should be, and as it is.
        corrected: the whole equation.
        conditions: under which it would be right nevertheless.
        notes: what else is worth saying.
        missed: the rule of the derivation that was not followed.
    """

    reason: str
    correction: str = ""
    corrected: str = ""
    missed: Rule = CHAIN
    conditions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def missing_sums(reading: Reading) -> Finding | None:
    """Letters on the right that are neither on the left nor summed over."""
    accesses = reading.term.accesses
    names = dict.fromkeys(name for access in accesses for name in forgotten(access))
    if not names:
        return None
    listed = ", ".join(names)
    return Finding(
        f"nothing sums over {listed}: every output that depends on the left side adds its part",
        f"a sum over {listed}",
        reading.written_with({}, names),
    )


def same_letters(reading: Reading) -> Finding | None:
    """Samples, channels and filters of two tensors that must be the same letter."""
    factors = reading.factors
    pairs = [("N", "x", "z"), ("G", "x", "z"), ("G", "w", "z"), ("K", "w", "z"), ("C", "x", "w")]
    if reading.which == "db":
        pairs = [("K", "b", "z")]
    right: dict[str, dict[str, Affine]] = {}
    for letter, first, second in pairs:
        a, b = factors.get(first), factors.get(second)
        one, two = (a.at(letter) if a else None), (b.at(letter) if b else None)
        if a is None or b is None or one is two is None:
            continue
        if one is None or two is None:
            lacks, has = (a, b) if one is None else (b, a)
            return _lone(reading, letter, lacks, has)
        if one != two:
            changed = reading.other if reading.other in {a, b} else None
            changed = changed or next(f for f in (a, b) if f in reading.product)
            value: Affine = two if changed is a else one
            right.setdefault(changed.role, {})[letter] = value
    if not right:
        return None
    pairs = [(factors[role], factors[role].with_subscripts(new)) for role, new in right.items()]
    return Finding(
        "; ".join(_why(old, new) for old, new in pairs),
        ", ".join(
            f"{reading.on_the_page(n)} instead of {reading.on_the_page(o)}" for o, n in pairs
        ),
        reading.written_with(dict(pairs)),
        LINEAR,
    )


def _lone(reading: Reading, letter: str, lacks: Factor, has: Factor) -> Finding | None:
    """An axis that only one of two tensors has."""
    words = {"N": "the sample", "C": "the channel", "K": "the filter", "G": "the group"}[letter]
    subscript = has.at(letter)
    if subscript is not None and letter == "N" and subscript.plain in reading.sums:
        return None  # a sum over samples of an input that has only one
    return Finding(
        f"{has.access.name} has an axis for {words} ({subscript}) and {lacks.access.name} has none",
        missed=LINEAR,
    )


def exchange(old: Factor, new: Factor) -> str:
    """Which two subscripts of a tensor are exchanged, if that is all; otherwise nothing."""
    changed = _changed(old, new)
    sides = (sorted(map(str, f.access.subscripts)) for f in (old, new))
    if next(sides) != next(sides) or len(changed) != 2:
        return ""
    first, second = changed
    return (
        f"subscripts {first} and {second} of {old.access.name} are exchanged:"
        " sums run over the other axis"
    )


def _why(old: Factor, new: Factor) -> str:
    a, b = old.access.subscripts, new.access.subscripts
    words = ", ".join(f"{a[n - 1]} should be {b[n - 1]}" for n in _changed(old, new))
    return exchange(old, new) or f"wrong subscript: {words}"


def _changed(old: Factor, new: Factor) -> list[int]:
    pairs = zip(old.access.subscripts, new.access.subscripts, strict=True)
    return [n for n, (a, b) in enumerate(pairs, 1) if a != b]


def sums_that_repeat(reading: Reading, *, alone: bool = True) -> Finding | None:
    """Sums over what nothing depends on, and sums that are missing for want of a letter."""
    used = {n for a in reading.term.accesses for s in a.subscripts for n in s.indices}
    idle = [name for name in reading.sums if name not in used]
    if idle:
        return Finding(f"the sum over {', '.join(idle)} adds the same product again and again")
    if not alone:
        return None  # other terms may hold what this one lacks: evaluation tells
    axes = {"forward": "C", "dx": "K", "dw": "N", "db": "N"}[reading.which]
    summed = reading.other if reading.which == "forward" else reading.error
    expected = [axes] if summed and axes in summed.axes else []
    kept = reading.left.axes if reading.which == "db" else ""
    expected += [letter for letter in reading.spatial if letter not in kept]
    if len(reading.sums) < len(expected):
        words = {
            "C": "channels",
            "K": "filters",
            "N": "samples",
            "D": "slices",
            "H": "rows",
            "W": "columns",
        }
        return Finding(
            f"{len(reading.sums)} sums where {len(expected)} are needed: over"
            f" {', '.join(words[letter] for letter in expected)}"
        )
    if len(reading.sums) > len(expected):
        return Finding("there are more sums than products: some are added more than once")
    return None
