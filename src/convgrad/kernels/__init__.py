"""Compiled kernels: a sum of products -> loop plan -> LLVM -> machine code.

    run(pass, layer, arrays) -> array, or None where the reference must answer

`contraction` holds what a kernel knows of a layer, `layers` the sums of each pass, `algorithms`
the table of nests, `target` the machines. Code is compiled for a tile of registers, not for a
layer; a layer is a record of integers and tables.
"""

from __future__ import annotations

from convgrad.kernels.cache import clear as clear_disk_cache
from convgrad.kernels.entry import forget, prepare, prepare_sums, run, when_forgetting
from convgrad.kernels.memory import set_idle_bound, set_workspace_bound
from convgrad.kernels.plan import Plan, Program
from convgrad.kernels.program import plan_pass
from convgrad.kernels.threads import get_num_threads, set_num_threads
from convgrad.kernels.tuning import Trial, tune

__all__ = [
    "Plan",
    "Program",
    "Trial",
    "clear_disk_cache",
    "forget",
    "get_num_threads",
    "plan_pass",
    "prepare",
    "prepare_sums",
    "run",
    "set_idle_bound",
    "set_num_threads",
    "set_workspace_bound",
    "tune",
    "when_forgetting",
]
