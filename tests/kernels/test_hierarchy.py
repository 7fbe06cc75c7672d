"""Caches: believed where they can be, and part of what tuned plans are kept for."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
from shapes import layer

from convgrad.kernels import hierarchy, tuned
from convgrad.kernels.layers import contractions
from convgrad.kernels.target import TARGETS, host_target


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A processor's table as Linux shows it; `machine(cache...)` writes one."""
    monkeypatch.setattr(hierarchy.sys, "platform", "linux")
    monkeypatch.setattr(hierarchy, "CPU0", tmp_path / "cache")
    monkeypatch.setattr(hierarchy, "_from_library", lambda level: 0)
    hierarchy.cache_sizes.cache_clear()
    host_target.cache_clear()

    def write(*caches, siblings="0"):
        for number, facts in enumerate(caches):
            entry = tmp_path / "cache" / f"index{number}"
            entry.mkdir(parents=True)
            for name, text in zip(("level", "type", "size", "shared_cpu_list"), facts, strict=True):
                (entry / name).write_text(f"{text}\n")
        (tmp_path / "topology").mkdir()
        (tmp_path / "topology/thread_siblings_list").write_text(f"{siblings}\n")

    yield write
    hierarchy.cache_sizes.cache_clear()
    host_target.cache_clear()


def test_the_data_caches_are_read_and_not_that_of_instructions(machine):
    machine((1, "Instruction", "64K", 0), (1, "Data", "48K", 0), (2, "Unified", "2M", 0))
    assert hierarchy.cache_sizes() == (48 << 10, 2 << 20)


def test_threads_of_a_core_have_one_cache_and_cores_that_share_one_have_a_part_each(machine):
    machine((1, "Data", "32K", "0-1"), (2, "Unified", "4096K", "0-3,8-11"), siblings="0-1")
    assert hierarchy.cache_sizes() == (32 << 10, 1 << 20)


@pytest.mark.parametrize("size", ["0K", "3K", "2G", "unknown", ""])
def test_a_size_that_no_machine_has_is_not_believed(machine, size):
    machine((1, "Data", size, 0), (2, "Unified", size, 0))
    assert hierarchy.cache_sizes() == (None, None)
    assert host_target().l2 == TARGETS[host_target().name].l2


def test_the_target_has_the_caches_of_this_machine(machine):
    machine((1, "Data", "48K", 0), (2, "Unified", "2048K", 0))
    table, here = TARGETS[host_target().name], host_target()
    assert here == replace(table, l1=48 << 10, l2=2 << 20, fma_per_cycle=here.fma_per_cycle)


def test_where_there_is_no_table_the_library_is_asked(machine, monkeypatch):
    monkeypatch.setattr(hierarchy, "_from_library", lambda level: level << 17)
    assert hierarchy.cache_sizes() == (128 << 10, 256 << 10)


def test_a_library_that_does_not_know_is_no_error(monkeypatch):
    monkeypatch.delattr(os, "sysconf", raising=False)
    assert hierarchy._from_library(1) == 0


def test_a_cluster_of_cores_shares_its_second_level(monkeypatch):
    told = {
        "hw.perflevel0.l1dcachesize": 128 << 10,
        "hw.perflevel0.l2cachesize": 16 << 20,
        "hw.perflevel0.cpusperl2": 4,
    }
    monkeypatch.setattr(hierarchy, "_sysctl", lambda name: told.get(name, 0))
    assert hierarchy._apple() == (128 << 10, 4 << 20)
    monkeypatch.setattr(hierarchy, "_sysctl", lambda name: 64 << 10 if name[3] == "l" else 0)
    assert hierarchy._apple() == (64 << 10, 64 << 10)


def test_plans_tuned_for_other_caches_are_not_used():
    (item,) = contractions(layer((9, 9), 4, 4, 3), 1, "forward")
    target = TARGETS["avx2"]
    names = {
        tuned._entry(item, "float32", replace(target, l2=size)) for size in (512 << 10, 2 << 20)
    }
    assert len(names) == 2
