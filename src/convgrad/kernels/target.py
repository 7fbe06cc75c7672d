"""The machines kernels are written for: each one a page of facts."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, replace
from functools import cache

from convgrad.errors import ConvgradError
from convgrad.kernels.hierarchy import cache_sizes


@dataclass(frozen=True)
class Target:
    """What a kernel must know of a processor.

    Attributes:
        name: how the user names it in CONVGRAD_TARGET.
        vector_bytes: width of one vector register.
        registers: how many of them there are.
        l1: bytes of first-level data cache of one core; in the table, where the machine does not
            say.
        l2: bytes of second-level cache of one core; the same.
        processor: the processor's name for LLVM; "host" means the one at hand.
        pause: the LLVM call that tells the core it is waiting.
        fma_per_cycle: multiply-adds of whole vectors that a core starts in a cycle.
    """

    name: str
    vector_bytes: int
    registers: int
    l1: int
    l2: int
    processor: str
    pause: str
    fma_per_cycle: int = 2

    def lanes(self, bits: int) -> int:
        """How many numbers of so many bits one register holds."""
        return self.vector_bytes * 8 // bits


TARGETS = {
    target.name: target
    for target in (
        Target("avx512", 64, 32, 32 << 10, 1 << 20, "host", "llvm.x86.sse2.pause"),
        Target("avx2", 32, 16, 32 << 10, 512 << 10, "x86-64-v3", "llvm.x86.sse2.pause"),
        Target("neon", 16, 32, 64 << 10, 1 << 20, "host", ""),
    )
}


ONE_WIDE = frozenset({"znver4", "icelake-client", "tigerlake", "rocketlake"})
"""Processors, by LLVM's names, that start one multiply-add of 64 bytes in a cycle and not two."""


@cache
def host_features() -> frozenset[str]:
    """The instruction sets of the processor at hand, by LLVM's names."""
    from convgrad.kernels import llvm

    return llvm.host_features()


@cache
def host_target(wish: str | None = None) -> Target | None:
    """The largest target this processor runs, or the one the user asked for.

    Returns: None where the processor is none of them; the reference answers then.
    """
    wish = wish or os.environ.get("CONVGRAD_TARGET", "")
    runs = [name for name in TARGETS if is_supported(name)]
    if not wish:
        return on_this_machine(TARGETS[runs[0]]) if runs else None
    if wish not in runs:
        raise ConvgradError(
            "this processor cannot run the target",
            got=f"CONVGRAD_TARGET={wish}",
            expected=", ".join(runs) or "no target: the NumPy reference only",
            mend="unset CONVGRAD_TARGET",
        )
    return on_this_machine(TARGETS[wish])


def on_this_machine(target: Target) -> Target:
    """The target with the caches and the pace of the processor at hand."""
    from convgrad.kernels import llvm

    l1, l2 = cache_sizes()
    is_one = target.vector_bytes == 64 and llvm.host_processor() in ONE_WIDE
    return replace(
        target,
        l1=l1 or target.l1,
        l2=l2 or target.l2,
        fma_per_cycle=1 if is_one else target.fma_per_cycle,
    )


def is_supported(name: str) -> bool:
    """Whether the processor at hand runs a target's code."""
    machine = platform.machine().lower()
    if name == "neon":
        return machine in {"aarch64", "arm64"}
    if machine not in {"x86_64", "amd64"}:
        return False
    needs = {"avx2": {"avx2", "fma"}, "avx512": {"avx512f", "avx512vl", "avx512dq", "avx512bw"}}
    return needs[name] <= host_features()
