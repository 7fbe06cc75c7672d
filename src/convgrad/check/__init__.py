"""Someone's backward pass against the equations: what is right, which index is wrong.

>>> from convgrad.check import check_equation
>>> check_equation("db[k] = sum(n,o) dz[n,k,o]").verdict
'right'
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from convgrad.check.checker import Options, check_file
    from convgrad.check.equations import check_equation

_HOMES = {"Options": "checker", "check_file": "checker", "check_equation": "equations"}

__all__ = ["Options", "check_equation", "check_file"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'convgrad.check' has no attribute {name!r}")
    return getattr(importlib.import_module(f"convgrad.check.{_HOMES[name]}"), name)
