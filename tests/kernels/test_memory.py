"""Memory: bounded, used again, given back, and never silently too little."""

from __future__ import annotations

import gc
from math import prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import passes
from shapes import arrays, layer, layers, operands

import convgrad
from convgrad.errors import ConvgradError
from convgrad.kernels import (
    arena,
    get_num_threads,
    plan_pass,
    run,
    set_idle_bound,
    set_num_threads,
    set_workspace_bound,
    shelf,
)
from convgrad.kernels.plan import WORKERS
from convgrad.kernels.target import TARGETS

NAMES = ("forward", "input_gradient", "weight_gradient")
QUICK = settings(
    max_examples=80, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


def bytes_of(made, batch, number="float32"):
    """Bytes of x, w and z."""
    elements = batch * made.in_channels * prod(made.input_size)
    elements += batch * made.filters * prod(made.output_size) + prod(made.weight_shape)
    return elements * np.dtype(number).itemsize


# Workspace

EXTREMES = (
    layer((56, 56), 64, 64, 3, padding=1),
    layer((7, 7), 512, 512, 3, padding=1),
    layer((112, 112), 96, 96, 3, stride=2, padding=1, groups=96),
    layer((224, 224), 3, 64, 7, stride=2, padding=3),
    layer((65536,), 1, 1, 1024),
    layer((1, 1), 100_000, 1, 1),
    layer((1, 1), 1, 100_000, 1),
    layer((3000, 3000), 1, 1, 3, padding=1),
    layer((64,), 2, 3, 2, padding=((512, 0),), dilation=512),
    layer((31, 31), 8, 8, 31, padding=15, groups=8),
    layer((9, 9), 30, 20, 3, stride=4, transposed=True),
)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("made", EXTREMES, ids=str)
def test_a_pass_takes_no_more_workspace_than_one_and_a_half_times_its_arrays(made, target):
    """Or four mebibytes for each processor, which a tiny layer needs."""
    for name in NAMES:
        program = plan_pass(made, name, batch=8, target=TARGETS[target])
        most = max(1.5 * bytes_of(made, 8), WORKERS << 22)
        assert program.workspace(WORKERS) <= program.bound <= most


@QUICK
@given(layers(), st.integers(1, 4), st.sampled_from(("float32", "float64")))
def test_there_always_is_a_plan_within_the_bound(made, batch, number):
    for name in NAMES:
        program = plan_pass(made, name, batch=batch, number=number, target=TARGETS["avx512"])
        most = max(1.5 * bytes_of(made, batch, number), WORKERS << 22)
        assert program.workspace(WORKERS) <= program.bound <= most


@pytest.fixture
def bounds():
    yield
    set_workspace_bound(None)
    set_idle_bound(256 << 20)


@pytest.mark.usefixtures("bounds")
def test_a_smaller_bound_leads_to_another_plan_and_the_same_numbers():
    made = layer((30, 30), 24, 40, 3, padding=1)
    x, w, dz = arrays(made, 4)
    before = plan_pass(made, "forward", batch=4, target=TARGETS["avx512"])
    bound = before.workspace(WORKERS) - 1
    set_workspace_bound(bound)
    after = plan_pass(made, "forward", batch=4, target=TARGETS["avx512"])
    assert after.workspace(WORKERS) <= bound == after.bound
    np.testing.assert_array_equal(run("forward", made, x, w), passes(made, x, w, dz)[0])


@pytest.mark.usefixtures("bounds")
def test_more_threads_than_processors_stay_within_the_bound():
    made = layer((30, 30), 24, 40, 3, padding=1)
    x, w, dz = arrays(made, 4)
    program = plan_pass(made, "forward", batch=4, target=TARGETS["avx512"])
    set_workspace_bound(program.workspace(WORKERS))
    taken = []
    take = arena.WORKSPACE.take
    before = get_num_threads()
    set_num_threads(WORKERS + 3)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(arena.WORKSPACE, "take", lambda size: (taken.append(size), take(size))[1])
            np.testing.assert_array_equal(run("forward", made, x, w), passes(made, x, w, dz)[0])
    finally:
        set_num_threads(before)
    assert taken
    assert max(taken) <= program.workspace(WORKERS)


@pytest.mark.usefixtures("bounds")
def test_a_bound_within_which_there_is_no_plan_is_said_with_the_sizes():
    set_workspace_bound(0)
    x, w = np.ones((1, 4, 9, 9), np.float32), np.ones((3, 4, 3, 3), np.float32)
    with pytest.raises(MemoryError, match=r"into 0 bytes of workspace; the smallest takes [\d,]+"):
        convgrad.conv(x, w, padding=1)
    set_workspace_bound(None)
    assert convgrad.conv(x, w, padding=1).shape == (1, 3, 9, 9)


@pytest.mark.parametrize("bad", [-1, 1.5, True, "1"])
@pytest.mark.parametrize("setting", [set_workspace_bound, set_idle_bound])
def test_a_bound_is_a_number_of_bytes(setting, bad):
    with pytest.raises(ConvgradError, match=r"size=.*: a bound is a whole number of bytes"):
        setting(bad)


def test_the_plan_reports_the_peak_and_the_bound():
    text = str(plan_pass(EXTREMES[0], "forward", batch=8, target=TARGETS["avx512"]))
    assert "peak workspace: " in text
    assert "KiB allowed" in text


# Used again


def test_the_arena_keeps_no_more_than_its_bound():
    kept = arena.Arena(bound=1 << 20)
    with kept.borrow(1 << 16) as first:
        assert first % 64 == 0
    with kept.borrow(1 << 16) as second:
        assert second == first
    with kept.borrow(1 << 21):
        pass
    assert kept.idle <= 1 << 20
    kept.restrict(0)
    assert kept.idle == 0


def test_memory_is_lent_again_when_the_last_view_is_gone():
    kept = shelf.Shelf(bound=1 << 24)
    array = kept.array((3, 1 << 20), np.dtype(np.float32))
    assert array.flags.c_contiguous
    assert array.flags.writeable
    assert array.ctypes.data % 64 == 0
    place = array.ctypes.data
    row = array[1]
    del array
    assert kept.idle == 0
    row[...] = 5
    del row
    assert kept.idle >= 12 << 20
    assert kept.array((3 << 20,), np.dtype(np.float32)).ctypes.data == place


def test_two_arrays_never_have_the_same_memory():
    kept = shelf.Shelf(bound=1 << 26)
    for _ in range(3):
        held = [kept.array((1 << 19,), np.dtype(np.float64)) for _ in range(4)]
        for number, array in enumerate(held):
            array[...] = number
        assert all((array == number).all() for number, array in enumerate(held))


def test_the_shelf_keeps_no_more_than_its_bound():
    kept = shelf.Shelf(bound=5 << 20)
    held = [kept.array((size << 20,), np.dtype(np.uint8)) for size in (1, 2, 3, 8)]
    held.clear()
    assert 0 < kept.idle <= 5 << 20
    kept.restrict(0)
    assert kept.idle == 0


def test_an_array_that_only_the_garbage_collector_finds_gives_its_memory_back():
    kept = shelf.Shelf(bound=1 << 24)
    ring = [kept.array((1 << 21,), np.dtype(np.uint8))]
    ring.append(ring)
    del ring
    gc.collect()
    assert kept.idle >= 1 << 21


@pytest.mark.usefixtures("bounds")
def test_large_results_are_right_the_second_time_too():
    made = layer((130, 130), 3, 20, 3)
    x, w, dz = arrays(made, 2)
    set_idle_bound(64 << 20)
    expected = passes(made, x, w, dz)
    for _ in range(3):
        for name, right in zip(NAMES, expected, strict=True):
            np.testing.assert_array_equal(run(name, made, *operands(name, x, w, dz)), right)
    assert shelf.RESULTS.idle > 0
    set_idle_bound(0)
    assert shelf.RESULTS.idle == arena.WORKSPACE.idle == 0


# Given back


def resident():
    """Pages of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1])


def test_memory_does_not_grow_over_many_calls():
    """Of every function, on layers seen before and on new ones."""
    x, w = np.ones((1, 4, 8, 8), np.float32), np.ones((4, 4, 3, 3), np.float32)
    dz, b = np.ones((1, 4, 6, 6), np.float32), np.ones(4, np.float32)
    out = np.empty_like(dz)

    def call():
        convgrad.conv(x, w, b)
        convgrad.conv(x, w, b, out=out)
        convgrad.conv_transpose(dz, w)
        convgrad.conv_input_grad(dz, w, input_size=8)
        convgrad.conv_weight_grad(dz, x, kernel_size=3)
        convgrad.conv_bias_grad(dz)
        convgrad.conv_backward(dz, x, w)

    for _ in range(300):
        call()
    before = resident()
    for _ in range(10_000):
        call()
    assert resident() - before < 256


def test_large_results_do_not_pile_up():
    x, w = np.ones((1, 1, 1 << 20), np.float32), np.ones((1, 1, 1), np.float32)
    for _ in range(3):
        convgrad.conv(x, w)
    before = resident()
    for _ in range(50):
        convgrad.conv(x, w)
    assert resident() - before < 2048


# Too little

HUGE = 1 << 44


def broadcast(*shape, dtype):
    """An array that shows itself as a huge one, and takes the memory of one number."""
    return np.broadcast_to(np.ones((), dtype), shape)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
@pytest.mark.parametrize(
    ("call", "what"),
    [
        (convgrad.conv, "x"),
        (lambda huge, one: convgrad.conv(one, huge, padding=HUGE), "w"),
        (lambda huge, one: convgrad.conv(one, one, padding=HUGE), "z"),
        (convgrad.conv_transpose, "x"),
        (lambda huge, one: convgrad.conv_transpose(one, one, padding=-HUGE), "z"),
        (lambda huge, one: convgrad.conv_input_grad(huge, one, input_size=HUGE), "dz"),
        (lambda huge, one: convgrad.conv_input_grad(one, one, input_size=HUGE, stride=HUGE), "dx"),
        (lambda huge, one: convgrad.conv_weight_grad(huge, huge, kernel_size=1), "dz"),
        (lambda huge, one: convgrad.conv_weight_grad(one, huge, kernel_size=HUGE), "x"),
        (lambda huge, one: convgrad.conv_bias_grad(huge), "dz"),
        (lambda huge, one: convgrad.conv_bias_grad(huge, bias="position"), "dz"),
        (lambda huge, one: convgrad.conv_backward(huge, huge, one), "dz"),
    ],
)
def test_a_layer_too_large_for_memory_says_so_with_the_sizes(call, what, dtype):
    huge, one = broadcast(1, 1, HUGE, dtype=dtype), np.ones((1, 1, 1), dtype)
    with pytest.raises(MemoryError, match=rf"no memory for {what} of shape \(.*\d{{14}}.*bytes"):
        call(huge, one)


def test_a_size_beyond_all_addresses_is_too_large_as_well():
    one = np.ones((1, 1, 1), np.float32)
    with pytest.raises(MemoryError, match="no memory for z"):
        convgrad.conv(one, one, padding=1 << 62)
