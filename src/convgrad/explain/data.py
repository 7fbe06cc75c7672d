"""An explanation as data: sizes, and every equation as LaTeX and as text that `parse` reads."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from convgrad.notation.compose import compose
from convgrad.notation.latex import latex
from convgrad.notation.plain import plain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from convgrad.algebra.expression import Equation
    from convgrad.algebra.phases import Progression
    from convgrad.convolution import Convolution
    from convgrad.explain.content import Explanation
    from convgrad.explain.equation import EquationExplanation
    from convgrad.notation.conventions import Convention

VERSION = 1
"""Of the format; it grows when a key changes its meaning or goes."""


def layer_data(explanation: Explanation) -> dict[str, Any]:
    """The data of a layer's explanation; docs/explain.md describes the keys."""
    numbers = explanation.equations(explanation.numbers)
    general = explanation.equations(explanation.general)
    return {
        "version": VERSION,
        "layer": layer_options(explanation.layer),
        "output_size": list(explanation.layer.output_size),
        "weight_shape": list(explanation.layer.weight_shape),
        "bias_shape": list(explanation.layer.bias_shape or ()) or None,
        "parameters": explanation.layer.parameters,
        "unreached": [list(axis.unreached) for axis in explanation.layer.axes],
        "equations": _all(explanation, numbers),
        "general": _all(explanation, general),
        "phases": [
            [
                {
                    "positions": [_progression(p) for p in phase.positions],
                    "taps": [_progression(t) for t in phase.taps],
                    "empty": phase.empty,
                    "text": plain(phase.equation),
                }
                for phase in found
            ]
            for found in explanation.axis_phases
        ],
    }


def equation_data(explanation: EquationExplanation) -> dict[str, Any]:
    """The data of an equation's explanation."""
    return {
        "version": VERSION,
        "equation": _both(explanation.equation, explanation.way),
        "derivatives": {
            derivation.wrt: {
                **_both(derivation.result, explanation.way),
                "steps": [
                    {
                        "rule": step.rule.name,
                        "why": step.why,
                        "latex": latex(compose(step.equation, explanation.way)),
                    }
                    for step in derivation.steps
                ],
            }
            for derivation in explanation.derivations
        },
    }


def layer_options(layer: Convolution) -> dict[str, Any]:
    """The arguments that make the layer again."""
    return {
        "input_size": list(layer.input_size),
        "in_channels": layer.in_channels,
        "filters": layer.filters,
        "kernel": list(layer.kernel),
        "stride": list(layer.stride),
        "padding": [list(pair) for pair in layer.padding],
        "dilation": list(layer.dilation),
        "groups": layer.groups,
        "bias": layer.bias,
        "transposed": layer.transposed,
        "output_padding": list(layer.output_padding),
        "padding_mode": layer.padding_mode,
        "flipped": layer.flipped,
    }


def _all(
    explanation: Explanation, equations: Mapping[str, Sequence[Equation]]
) -> dict[str, list[dict[str, str]]]:
    ways = {"dx": explanation.way.for_input()}
    return {
        name: [_both(equation, ways.get(name, explanation.way)) for equation in part]
        for name, part in equations.items()
    }


def _both(equation: Equation, way: Convention) -> dict[str, str]:
    return {"text": plain(equation), "latex": latex(compose(equation, way))}


def _progression(walk: Progression) -> dict[str, Any]:
    """`of` = first + step * u for u below count."""
    return {"of": walk.of, "first": walk.first, "step": walk.step, "count": walk.count}


def to_json(data: dict[str, Any]) -> str:
    """The text of the data."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"
