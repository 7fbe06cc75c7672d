"""The mask of a ReLU inside the layer: which gradients are computed with it.

All other probes keep the ReLU open, so that a layer with one is judged as a layer without. Here it
is closed in places. A gradient with the mask is that of the error `dz * (z > 0)`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from convgrad.check.conventions.convention import observe
from convgrad.check.conventions.roles import CannotExpressError
from convgrad.check.mistakes.mistake import agree
from convgrad.check.nest import GRADIENTS
from convgrad.check.probe import base_sizes, integers

if TYPE_CHECKING:
    from collections.abc import Callable

    from convgrad.check.conventions.convention import Convention
    from convgrad.check.nest import Array, Pass
    from convgrad.check.probe import Probe, Sizes
    from convgrad.check.sandbox import Sandbox

    Expected: TypeAlias = Callable[[Pass, Convention, Probe], Array]
    Bound: TypeAlias = Callable[[Pass, Convention, Probe, str], float]

Mask: TypeAlias = Literal["applied", "left out", "of the output", "neither"]

OPEN = "a ReLU inside the layer, probed where it is open"
APPLIED = "a ReLU inside the layer, with its mask on the error"
LEFT_OUT = "a ReLU inside the layer, whose mask the backward pass leaves to its caller"
CALLER = (
    "the mask of the ReLU is not applied: this is right where the caller passes dz * (z > 0), and"
    " wrong where it passes the error of the layer's own output"
)
NEITHER = "where the ReLU is closed, {} is the gradient neither with its mask nor without"


def masks_of(
    c: Convention,
    sandbox: Sandbox,
    fix: Callable[[Sizes], Sizes],
    expected: Expected,
    bound: Bound,
) -> dict[Pass, Mask]:
    """For every gradient, whether it is computed with the mask; empty where nothing came back."""
    probe = half_closed(fix(replace(base_sizes(c.abilities), relu=False)), c, expected)
    if probe is None:
        return {}
    try:
        found = observe(c, probe, sandbox)
    except CannotExpressError:
        return {}
    masked = replace(probe, dz=probe.dz * (expected("forward", c, probe) > 0))
    kinds: tuple[tuple[Mask, Probe], ...] = (("applied", masked), ("left out", probe))
    masks: dict[Pass, Mask] = {}
    for which in GRADIENTS:
        actual = found.found.get(which)
        if isinstance(actual, np.ndarray):
            room = bound(which, c, probe, found.dtypes.get(which, ""))
            masks[which] = "neither"
            for kind, p in kinds:
                right = expected(which, c, p)
                if any(agree(actual, right / n, room) for n in (1, p.sizes.batch)):
                    masks[which] = kind
                    break
    return masks


def half_closed(sizes: Sizes, c: Convention, expected: Expected) -> Probe | None:
    """A probe with outputs of both signs; at zero, where the derivative is a choice, no error."""
    for seed in range(20) if sizes.is_legal else ():
        probe = integers(sizes, "closed ReLU", seed=seed)
        z = expected("forward", c, probe)
        if z.min() < 0 < z.max():
            return replace(probe, dz=probe.dz * (z != 0))
    return None
