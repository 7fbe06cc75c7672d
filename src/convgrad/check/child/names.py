"""Names that NumPy has dropped and that older code still says, with what they stood for."""

from __future__ import annotations

from typing import Any

DROPPED: dict[str, str] = {
    "int": "builtins.int", "float": "builtins.float", "bool": "builtins.bool",
    "complex": "builtins.complex", "object": "builtins.object", "str": "builtins.str",
    "float_": "numpy.float64", "complex_": "numpy.complex128", "Inf": "numpy.inf",
    "Infinity": "numpy.inf", "infty": "numpy.inf", "NaN": "numpy.nan", "product": "numpy.prod",
    "cumproduct": "numpy.cumprod", "sometrue": "numpy.any", "alltrue": "numpy.all",
    "row_stack": "numpy.vstack", "in1d": "numpy.isin", "trapz": "numpy.trapezoid",
    "round_": "numpy.round", "mat": "numpy.asmatrix", "asfarray": "numpy.asarray",
    "lib.pad": "numpy.pad",
}  # fmt: skip
"""Of `numpy.` and a dropped name the one that has its value; see NumPy's 1.24 and 2.0 notes."""


def is_dropped(name: str) -> bool:
    """Whether a name was dropped and this NumPy no longer has it."""
    return name in DROPPED and _owner(name, ends=True) is None


def give_dropped() -> None:
    """Let this process have the dropped names."""
    for name, stands_for in DROPPED.items():
        owner, (module, _, value) = _owner(name), stands_for.partition(".")
        if owner is not None and is_dropped(name):
            found = getattr(__import__(module), value, None)
            if found is not None:
                setattr(owner, name.rpartition(".")[2], found)


def _owner(name: str, *, ends: bool = False) -> Any:
    """What a dropped name is looked up in; with `ends` what it is, or None."""
    import warnings

    import numpy as np

    owner: Any = np
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some names only warn that they will be dropped
        for part in name.split(".") if ends else name.split(".")[:-1]:
            owner = getattr(owner, part, None)
    return owner
