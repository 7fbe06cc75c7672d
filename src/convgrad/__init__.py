"""The backward pass of any convolution layer: read it, prove it, run it, check yours against it.

    >>> import convgrad
    >>> layer = convgrad.Convolution((32, 32), 3, 20, 5, stride=2, padding=1)
    >>> print(layer)
    Convolution 3x32x32 -> 20x15x15, kernel 5x5, stride 2, padding 1
    >>> print(convgrad.passes(layer).db.result)
    db[k] = sum(n,oh,ow) dz[n,k,oh,ow]

Every public name is listed here; each is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from convgrad.convolution import Convolution
from convgrad.errors import ArrayError, ConvgradError, EquationError, LayerError, ParseError

if TYPE_CHECKING:
    from convgrad.algebra.conditions import missing_conditions
    from convgrad.algebra.correlation import as_cross_correlation
    from convgrad.algebra.differentiate import differentiate
    from convgrad.algebra.layers import passes
    from convgrad.algebra.parse import parse
    from convgrad.algebra.phases import phases
    from convgrad.exact.proof import prove
    from convgrad.kernels import (
        get_num_threads,
        set_idle_bound,
        set_num_threads,
        set_workspace_bound,
    )
    from convgrad.ops import (
        conv,
        conv_backward,
        conv_bias_grad,
        conv_input_grad,
        conv_transpose,
        conv_weight_grad,
    )

__version__ = "0.1.0"

_HOMES = {
    "parse": "algebra.parse",
    "differentiate": "algebra.differentiate",
    "passes": "algebra.layers",
    "phases": "algebra.phases",
    "as_cross_correlation": "algebra.correlation",
    "missing_conditions": "algebra.conditions",
    "prove": "exact.proof",
    "get_num_threads": "kernels",
    "set_idle_bound": "kernels",
    "set_num_threads": "kernels",
    "set_workspace_bound": "kernels",
    "conv": "ops",
    "conv_transpose": "ops",
    "conv_backward": "ops",
    "conv_input_grad": "ops",
    "conv_weight_grad": "ops",
    "conv_bias_grad": "ops",
}
"""The module in which each name that is loaded late is defined."""

__all__ = [
    "ArrayError",
    "ConvgradError",
    "Convolution",
    "EquationError",
    "LayerError",
    "ParseError",
    "as_cross_correlation",
    "conv",
    "conv_backward",
    "conv_bias_grad",
    "conv_input_grad",
    "conv_transpose",
    "conv_weight_grad",
    "differentiate",
    "get_num_threads",
    "missing_conditions",
    "parse",
    "passes",
    "phases",
    "prove",
    "set_idle_bound",
    "set_num_threads",
    "set_workspace_bound",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'convgrad' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"convgrad.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
