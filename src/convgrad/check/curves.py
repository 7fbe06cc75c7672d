"""Curved activations that a layer may end in: its gradients are those of the error dz * f'(z).

With the error so changed such a layer is judged like any other, up to rounding. The weights of its
probes are made small by powers of two, so that no f'(z) vanishes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from convgrad.check.nest import truth

if TYPE_CHECKING:
    from collections.abc import Callable

    from convgrad.check.conventions.convention import Observation
    from convgrad.check.nest import Array
    from convgrad.check.probe import Probe

LARGEST = 2.0
INSIDE = "a {} inside the layer"
APPLIED = "a {} inside the layer, with its derivative on the error"
LEFT_OUT = "a {} inside the layer, whose derivative the backward pass leaves to its caller"
CALLER = (
    "the derivative f'(z) of the {} is not applied: this is right where the caller passes"
    " dz * f'(z), and wrong where it passes the error of the layer's own output"
)


@dataclass(frozen=True)
class Curve:
    """A function of every entry, and its derivative."""

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]


def _sigmoid(z: Array) -> Array:
    return np.exp(-np.logaddexp(0, -z))


def _leaky(leak: float) -> Curve:
    return Curve(lambda z: np.where(z > 0, z, leak * z), lambda z: np.where(z > 0, 1.0, leak))


CURVES = {
    "sigmoid": Curve(_sigmoid, lambda z: _sigmoid(z) * _sigmoid(-z)),
    "tanh": Curve(np.tanh, lambda z: 1 / np.cosh(z) ** 2),
    "softplus": Curve(lambda z: np.logaddexp(0, z), _sigmoid),
    "ELU": Curve(
        lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
        lambda z: np.where(z > 0, 1.0, np.exp(np.minimum(z, 0))),
    ),
    **{f"leaky ReLU ({leak:g})": _leaky(leak) for leak in (0.01, 0.1, 0.2, 0.3)},
}


def without_saturation(probe: Probe, *, bias: bool) -> Probe:
    """The probe with outputs of at most `LARGEST`; at 0, where a slope may jump, no error."""
    largest = float(np.max(np.abs(_output(probe, bias=bias)), initial=0.0))
    small = 2.0 ** -max(0, np.ceil(np.log2(largest / LARGEST))) if largest else 1.0
    calm = replace(probe, w=probe.w * small, b=probe.b * small)
    return replace(calm, dz=probe.dz * (_output(calm, bias=bias) != 0))


def slope_at(probe: Probe, curve: Curve, *, bias: bool, of_output: bool = False) -> Array:
    """The derivative at every output, f'(z); with `of_output` f'(f(z)), a mistake."""
    z = _output(probe, bias=bias)
    return curve.slope(curve.value(z) if of_output else z)


def behind(observation: Observation, slope: Array) -> Observation:
    """The observation with the error that comes through the activation."""
    probe = observation.probe
    return replace(observation, probe=replace(probe, dz=probe.dz * slope))


def _output(probe: Probe, *, bias: bool) -> Array:
    z = truth("forward", probe)
    return z if bias else z - probe.bias
