"""Objects that a constructor asks for and that have no bearing on the gradients of the layer."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from . import wire

_DERIVATIVE = re.compile(r"deriv|prime|grad|slope|^_?d_?f?$|^d[a-z]$|jacob|diff", re.IGNORECASE)
_BACKWARD = re.compile(r"back|bprop", re.IGNORECASE)


class Identity:
    """An activation that does nothing, whatever its methods are called.

    A method that is named after a derivative gives ones, one that goes backward what it is given
    last: the error.
    """

    def __call__(self, z: Any, *_: Any, **__: Any) -> Any:
        """The value itself."""
        return z

    def __getattr__(self, name: str) -> Any:
        """A method of any name."""
        if name.startswith("__"):
            raise AttributeError(name)
        if _BACKWARD.search(name):
            return _last
        if _DERIVATIVE.search(name):
            return _ones
        return self


def _last(*values: Any, **_: Any) -> Any:
    return values[-1]


def _ones(z: Any, *_: Any, **__: Any) -> Any:
    return np.ones_like(z, dtype=float)


class Maker:
    """What makes the first weights, whatever its methods are called: an array of a shape.

    Which numbers it holds does not matter: weights are set for every probe.
    """

    def __call__(self, *values: Any, **options: Any) -> Any:
        """An array of the first shape among the arguments, or of the sizes that they are."""
        for value in (*values, *options.values()):
            if (wire.is_tuple(value) or wire.is_list(value)) and value:
                shape: tuple[int, ...] = tuple(value)
                return np.full(shape, 0.5)
        sizes = [value for value in values if isinstance(value, int)]
        return np.full(tuple(sizes), 0.5)

    def __getattr__(self, name: str) -> Any:
        """A method of any name."""
        if name.startswith("__"):
            raise AttributeError(name)
        return self


STAND_INS = {"identity": Identity, "maker": Maker}
