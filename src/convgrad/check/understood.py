"""What was understood of someone's calling convention, in the words of a report."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from convgrad.check.child.names import is_dropped
from convgrad.check.conventions.convention import signature
from convgrad.check.mask import OPEN
from convgrad.check.probe import OWN_PADDINGS

if TYPE_CHECKING:
    from convgrad.check.conventions.convention import Convention
    from convgrad.check.source import Source


def describe(c: Convention) -> dict[str, str]:
    """The convention in words."""
    words = {"input": c.data, "output": c.out, "weights": c.weights}
    if c.target.is_class and c.target.forward is not None and not c.target.forward.returns:
        words["output"] += "".join(f", attribute {name}" for _, name in c.output[:1])
    if c.abilities.axes == 3:
        words["axes"] = "depth, height and width"
    if c.abilities.transposed or c.abilities.depthwise:
        words["layer"] = "transposed" if c.abilities.transposed else "depthwise"
    if c.abilities.mode != "constant":
        words["padding"] = f"copies of the input: {c.abilities.mode}"
    if c.abilities.own_padding:
        words["padding"] = OWN_PADDINGS[c.abilities.own_padding]
    if c.abilities.larger_in_front:
        words["padding"] = '"same" has its larger half in front'
    if c.bias:
        words["bias"] = "a number" if c.bias == "0" else "(" + ", ".join(c.bias) + ")"
    if c.abilities.relu:
        words["activation"] = OPEN
    if c.abilities.flipped:
        words["kernel"] = "flipped: a true convolution"
    if c.target.is_class and c.target.constructor is not None:
        kind = "constructor" if c.target.name == c.target.shown else "dictionary"
        words[kind] = signature(replace(c.target.constructor, name=c.target.shown), c.constructor)
    if c.forward is not None and c.target.forward is not None:
        words["forward"] = signature(c.target.forward, c.forward)
    for function, arguments in zip(c.target.backward, c.backward, strict=False):
        words["backward" if len(c.target.backward) == 1 else function.name] = signature(
            function, arguments
        )
    for gradient, place in c.places.items():
        layout = place.layout or "as it is"
        words[gradient] = f"{place}, layout {layout}"
        if place.kind == "change" and place.factor < 0:
            words[gradient] += ", added instead of subtracted"
    return words


def remarks(c: Convention, source: Source) -> list[str]:
    """What was not probed, and what the code was taken for."""
    notes: list[str] = []
    if source.python2:
        notes.append("written for Python 2: / between integers was read as //")
    dropped = dict.fromkeys(
        filter(is_dropped, re.findall(r"\b(?:np|numpy)\.((?:lib\.)?\w+)", source.text))
    )
    if dropped:
        names = ", ".join(f"np.{name}" for name in dropped)
        notes.append(f"written for an older NumPy: {names} stood for what newer ones dropped")
    a = c.abilities
    if a.odd_same:
        notes.append('"same" padding works with odd kernels and stride 1: no others were probed')
    if a.square_kernel and not a.flat:
        square = "square" if a.axes < 3 else "cubic"
        notes.append(f"only {square} kernels can be set or are understood: no others were probed")
    if not a.stride:
        fixed = f"the stride is {a.stride_fixed} in the code: no other was probed"
        plain = "no stride can be set: stride was not probed"
        notes.append(fixed if a.stride_fixed > 1 else plain)
    if not (a.padding or a.same or a.own_padding):
        fixed = f"the padding is {a.padding_fixed} in the code: no other was probed"
        notes.append(fixed if a.padding_fixed else "no padding can be set: padding was not probed")
    notes += [
        f"{gradient} shows only in the optimiser's step, which is no more than its sign: "
        + ("the sign is wrong" if gradient in c.places else "it is not judged")
        for gradient in c.only_steps
    ]
    notes += [f"{name} can be set, but the forward pass ignores it" for name in c.ignored]
    if c.forward is None:
        notes.append("no forward pass was found: gradients are judged alone")
    return notes
