"""The sizes of the caches of the processor at hand: what blocks of arrays are cut to fit into."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import sys
from functools import cache
from pathlib import Path

L1_RANGE = range(8 << 10, (512 << 10) + 1)
L2_RANGE = range(128 << 10, (16 << 20) + 1)
"""Bytes that a core's caches have on machines that exist; anything else is not believed."""

CPU0 = Path("/sys/devices/system/cpu/cpu0/cache")


@cache
def cache_sizes() -> tuple[int | None, int | None]:
    """Bytes of the first-level data cache and of the second-level cache that one core has.

    A cache that several cores share counts by its share. None where the system does not say, or
    says what cannot be.
    """
    l1, l2 = _apple() if sys.platform == "darwin" else (_linux(1), _linux(2))
    return (l1 if l1 in L1_RANGE else None), (l2 if l2 in L2_RANGE else None)


def _linux(level: int) -> int:
    """From the kernel's table, which knows how many share a cache; else from the C library."""
    return _from_table(CPU0, level) or _from_library(level)


def _from_table(folder: Path, level: int) -> int:
    for entry in sorted(folder.glob("index*")):
        try:
            facts = {
                name: (entry / name).read_text().strip()
                for name in ("level", "type", "size", "shared_cpu_list")
            }
            siblings = (folder.parent / "topology/thread_siblings_list").read_text()
        except OSError:
            continue
        if facts["level"] == str(level) and facts["type"] != "Instruction":
            cores = max(_count(facts["shared_cpu_list"]) // max(_count(siblings), 1), 1)
            return _bytes(facts["size"]) // cores
    return 0


def _from_library(level: int) -> int:
    name = {1: "SC_LEVEL1_DCACHE_SIZE", 2: "SC_LEVEL2_CACHE_SIZE"}[level]
    try:
        return os.sysconf(name)
    except (AttributeError, OSError, ValueError):
        return 0


def _apple() -> tuple[int, int]:
    """The performance cores' caches; their second level is one for a cluster."""
    l1 = _sysctl("hw.perflevel0.l1dcachesize") or _sysctl("hw.l1dcachesize")
    l2 = _sysctl("hw.perflevel0.l2cachesize") or _sysctl("hw.l2cachesize")
    return l1, l2 // max(_sysctl("hw.perflevel0.cpusperl2"), 1)


def _sysctl(name: str) -> int:
    library = ctypes.CDLL(ctypes.util.find_library("c"))
    value = ctypes.c_int64(0)
    size = ctypes.c_size_t(ctypes.sizeof(value))
    failed = library.sysctlbyname(name.encode(), ctypes.byref(value), ctypes.byref(size), None, 0)
    return 0 if failed else value.value


def _bytes(text: str) -> int:
    """`48K` as a number; 0 for what is none."""
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    digits = text.rstrip("KMG")
    return int(digits) * units.get(text[-1:], 1) if digits.isdigit() else 0


def _count(listed: str) -> int:
    """How many processors `0-3,8` names."""
    total = 0
    for part in filter(None, listed.strip().split(",")):
        first, _, last = part.partition("-")
        total += int(last or first) - int(first) + 1
    return total
