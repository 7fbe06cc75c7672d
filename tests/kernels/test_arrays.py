"""Arrays of any layout, numbers of any kind, and nothing touched outside of them."""

from __future__ import annotations

import ctypes
import mmap
from types import SimpleNamespace

import numpy as np
import pytest
from oracle import passes
from shapes import arrays, layer, operands

from convgrad.kernels import bound, run
from convgrad.kernels.algorithms import ALGORITHMS, JOINT

NAMES = ("forward", "input_gradient", "weight_gradient")


def negative(array):
    return np.ascontiguousarray(array[..., ::-1])[..., ::-1]


def sliced(array):
    wide = np.repeat(np.repeat(array, 2, axis=0), 3, axis=-1)
    return wide[::2, ..., ::3]


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def misaligned(array):
    raw = np.zeros(array.nbytes + 1, np.uint8)
    moved = raw[1:].view(array.dtype).reshape(array.shape)
    moved[...] = array
    return moved


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("change", [negative, sliced, read_only, misaligned, np.asfortranarray])
def test_strides_do_not_matter(name, change):
    made = layer((11, 12), 6, 10, 3, padding=1)
    x, w, dz = arrays(made, 2)
    expected = passes(made, x, w, dz)[NAMES.index(name)]
    got = run(name, made, *(change(a) for a in operands(name, x, w, dz)))
    np.testing.assert_array_equal(got, expected)


def test_a_broadcast_array_is_read_as_what_it_shows():
    made = layer((11, 12), 6, 10, 3, padding=1)
    x, w, dz = arrays(made, 3)
    x = np.broadcast_to(x[:1], x.shape)
    np.testing.assert_array_equal(run("forward", made, x, w), passes(made, x, w, dz)[0])


@pytest.mark.parametrize("name", NAMES)
def test_out_is_filled_and_returned_whatever_its_layout(name):
    made = layer((11, 12), 6, 10, 3, padding=1)
    x, w, dz = arrays(made, 2)
    expected = passes(made, x, w, dz)[NAMES.index(name)]
    for out in (np.empty_like(expected), np.empty_like(expected, order="F")):
        assert run(name, made, *operands(name, x, w, dz), out=out) is out
        np.testing.assert_array_equal(out, expected)


def test_out_may_overlap_the_input():
    made = layer((11, 12), 6, 6, 3, padding=1)
    x, w, dz = arrays(made, 2)
    expected = passes(made, x, w, dz)[0]
    assert run("forward", made, x, w, out=x) is x
    np.testing.assert_array_equal(x, expected)


@pytest.mark.parametrize("number", ["int64", "float16", "complex64"])
def test_other_numbers_are_left_to_the_reference(number):
    made = layer((5, 5), 2, 3, 3)
    x, w, _ = arrays(made, 1)
    assert run("forward", made, x.astype(number), w.astype(number)) is None


def test_an_empty_batch_is_left_to_the_reference():
    made = layer((5, 5), 2, 3, 3)
    x, w, _ = arrays(made, 0)
    assert run("forward", made, x, w) is None


class Fence:
    """Arrays that end, or begin, where a page begins that must not be touched."""

    def __init__(self):
        self.kept = []
        self.protect = ctypes.CDLL(None).mprotect
        self.protect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)

    def hold(self, array, *, front):
        page = mmap.PAGESIZE
        room = -(-array.nbytes // page) * page
        memory = mmap.mmap(-1, room + 2 * page)
        self.kept.append(memory)
        base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        for edge in (base, base + page + room):
            assert self.protect(edge, page, 0) == 0
        start = page if front else page + room - array.nbytes
        held = np.frombuffer(memory, array.dtype, array.size, start).reshape(array.shape)
        held[...] = array
        return held


@pytest.mark.parametrize("front", [True, False])
@pytest.mark.parametrize("algorithm", [*ALGORITHMS, *JOINT])
def test_nothing_is_touched_outside_of_an_array(algorithm, front):
    fence = Fence()
    for made in (
        layer((7, 9), 5, 11, 3, padding=1),
        layer((13, 10), 4, 6, 1),
        layer((43, 61), 9, 70, 1),
        layer((13, 11), 3, 20, 3, stride=2, padding=2),
        layer((9, 9), 6, 6, 3, groups=6),
        layer((19, 34), 6, 6, 5, stride=2, padding=2, groups=6),
        layer((19, 36), 6, 6, 3, padding=1, groups=6),
        layer((9, 7), 6, 4, 3, stride=2, groups=2, transposed=True),
        layer((53,), 2, 3, 5),
    ):
        x, w, dz = (fence.hold(a, front=front) for a in arrays(made, 2))
        for name, expected in zip(NAMES, passes(made, x, w, dz), strict=True):
            out = fence.hold(np.zeros_like(expected), front=front)
            got = run(name, made, *operands(name, x, w, dz), out=out, algorithm=algorithm)
            if got is not None:
                np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, *JOINT])
def test_nothing_is_touched_behind_the_workspace(algorithm, monkeypatch):
    fence = Fence()

    class Fenced:
        def take(self, size):
            memory = fence.hold(np.zeros(size, np.uint8), front=False)
            return SimpleNamespace(begin=memory.ctypes.data)

        def give(self, block):
            pass

    monkeypatch.setattr(bound, "WORKSPACE", Fenced())
    for made in (
        layer((43, 61), 9, 70, 1),
        layer((57, 13), 130, 33, 1),
        layer((7, 9), 5, 11, 3, padding=1),
        layer((13, 11), 3, 20, 3, stride=2, padding=2),
        layer((19, 34), 6, 6, 5, stride=2, padding=2, groups=6),
        layer((53,), 2, 3, 5),
    ):
        x, w, dz = arrays(made, 3)
        for name, expected in zip(NAMES, passes(made, x, w, dz), strict=True):
            got = run(name, made, *operands(name, x, w, dz), algorithm=algorithm)
            if got is not None:
                np.testing.assert_array_equal(got, expected)


DEPTHWISE = layer((14, 13), 4, 4, 3, stride=2, padding=1, groups=4)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("algorithm", [*ALGORITHMS, *JOINT])
def test_a_number_that_is_not_finite_spreads_as_in_the_equation(value, algorithm):
    """Either the kernel is right, or it says that it does not know."""
    for made in (
        layer((9, 9), 5, 7, 3, padding=1),
        layer((9, 9), 5, 7, 3, stride=2),
        layer((9, 9), 5, 7, 1),
        DEPTHWISE,
    ):
        for place in range(3):
            given = arrays(made, 2)
            given[place].reshape(-1)[given[place].size // 2] = value
            with np.errstate(invalid="ignore"):
                expected = passes(made, *given)
            for name, right in zip(NAMES, expected, strict=True):
                got = run(name, made, *operands(name, *given), algorithm=algorithm)
                if got is not None:
                    np.testing.assert_array_equal(got, right)
