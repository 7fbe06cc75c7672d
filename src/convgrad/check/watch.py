"""How a layer is run on a probe, and with which error its gradients are compared.

A layer that ends in an activation has the gradients of one without it, for the error dz * f'(z).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from convgrad.check import curves
from convgrad.check.conventions.convention import observe
from convgrad.check.mask import half_closed

if TYPE_CHECKING:
    from collections.abc import Callable

    from convgrad.check.conventions.convention import Convention, Observation
    from convgrad.check.mask import Expected
    from convgrad.check.nest import Array
    from convgrad.check.probe import Probe
    from convgrad.check.sandbox import Sandbox


@dataclass(frozen=True, eq=False)
class Watched:
    """What the code did on one probe.

    Attributes:
        given: the probe as the code was given it.
        seen: what was observed; its probe has the error behind the activation.
        slope: the derivative of the activation at every output; None where there is none.
    """

    given: Probe
    seen: Observation
    slope: Array | None = None


Watch: TypeAlias = "Callable[[Probe, float | None], Watched | None]"


def watch_plain(c: Convention, sandbox: Sandbox) -> Watch:
    """Run it, and compare with the error that it was given."""

    def watch(probe: Probe, seconds: float | None) -> Watched:
        return Watched(probe, observe(c, probe, sandbox, seconds))

    return watch


def watch_curve(c: Convention, sandbox: Sandbox, *, applied: bool = True) -> Watch:
    """The same for a layer that ends in a curve, on weights so small that no slope vanishes.

    With `applied` the error is compared behind the curve.
    """
    curve, bias = curves.CURVES[c.abilities.activation], bool(c.bias)

    def watch(probe: Probe, seconds: float | None) -> Watched:
        calm = curves.without_saturation(probe, bias=bias)
        seen = observe(c, calm, sandbox, seconds)
        if not applied:
            return Watched(calm, seen)
        slope = curves.slope_at(calm, curve, bias=bias)
        return Watched(calm, curves.behind(seen, slope), slope)

    return watch


def watch_mask(c: Convention, sandbox: Sandbox, expected: Expected) -> Watch:
    """The same for a layer that ends in a ReLU, which is closed in places."""

    def watch(probe: Probe, seconds: float | None) -> Watched | None:
        closed = half_closed(replace(probe.sizes, relu=False), c, expected)
        if closed is None:
            return None
        slope = (expected("forward", c, closed) > 0).astype(float)
        seen = curves.behind(observe(c, closed, sandbox, seconds), slope)
        return Watched(closed, seen, slope)

    return watch
