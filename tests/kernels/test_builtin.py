"""Small passes, called as functions of the interpreter's own."""

from __future__ import annotations

import sys
import threading

import numpy as np
import pytest
from oracle import passes
from shapes import arrays, layer

from convgrad import conv, conv_backward
from convgrad.kernels import builtin, forget, run

SMALL = layer((6, 7), 3, 4, 3, padding=1)


@pytest.fixture(autouse=True)
def forgotten():
    forget()
    yield
    forget()


@pytest.fixture
def called(monkeypatch):
    """The answers of the functions, in their order."""
    answers, made = [], builtin.call

    def call(*needs):
        function = made(*needs)

        def noted(*given):
            answers.append(function(*given))
            return answers[-1]

        return noted

    monkeypatch.setattr(builtin, "call", call)
    return answers


def test_this_interpreter_has_them():
    assert builtin.is_possible() == (sys.implementation.name == "cpython")


def test_all_passes_of_a_small_layer_are_called_so_and_are_right(called):
    x, w, dz = arrays(SMALL, 2)
    z, dx, dw = passes(SMALL, x, w, dz)
    np.testing.assert_array_equal(run("forward", SMALL, x, w), z)
    np.testing.assert_array_equal(run("input_gradient", SMALL, dz, w), dx)
    np.testing.assert_array_equal(run("weight_gradient", SMALL, dz, x), dw)
    assert called == [True, True, True]


def test_a_bias_and_out_go_the_same_way(called):
    x, w, dz = arrays(SMALL, 2)
    b = np.arange(4, dtype=np.float32)
    z, dx, dw = passes(SMALL, x, w, dz)
    out = np.empty_like(z)
    assert conv(x, w, b, padding=1, out=out) is out
    np.testing.assert_array_equal(out, z + b.reshape(4, 1, 1))
    found = conv_backward(dz, x, w, padding=1)
    for one, expected in zip(found, (dx, dw, dz.sum((0, 2, 3))), strict=True):
        np.testing.assert_array_equal(one, expected)
    assert called == [True] * 4


class Kind(np.ndarray):
    """An array type of somebody's own."""


def misaligned(array):
    room = np.empty(array.nbytes + 1, np.uint8)
    view = room[1:].view(array.dtype).reshape(array.shape)
    view[...] = array
    return view


@pytest.mark.parametrize(
    "other",
    [
        np.asfortranarray,
        lambda a: a[..., ::-1].copy()[..., ::-1],
        lambda a: a.view(Kind),
        misaligned,
    ],
    ids=["Fortran order", "backwards", "subclass", "misaligned"],
)
def test_other_arrays_are_declined_and_copied(other, called):
    x, w, dz = arrays(SMALL, 2)
    expected = passes(SMALL, x, w, dz)[0]
    np.testing.assert_array_equal(run("forward", SMALL, other(x), w), expected)
    np.testing.assert_array_equal(run("forward", SMALL, x, other(w)), expected)
    assert called == [None, None]


def test_a_number_that_is_not_finite_raises_the_flag(called):
    x, w, dz = arrays(SMALL, 2)
    w[0, 0, 0, 0] = np.inf
    found, expected = run("forward", SMALL, x, w), passes(SMALL, x, w, dz)[0]
    assert called[0] is False
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(expected))


def test_without_them_the_results_are_the_same(monkeypatch):
    x, w, dz = arrays(SMALL, 2)
    given = {"forward": (x, w), "input_gradient": (dz, w), "weight_gradient": (dz, x)}
    found = [run(name, SMALL, *two) for name, two in given.items()]
    monkeypatch.setattr(builtin, "is_possible", lambda: False)
    monkeypatch.setattr(builtin, "call", None)
    forget()
    for (name, two), one in zip(given.items(), found, strict=True):
        np.testing.assert_array_equal(run(name, SMALL, *two), one)


def test_objects_are_neither_kept_nor_lost():
    x, w, _ = arrays(SMALL, 2)
    other = np.asfortranarray(x)
    run("forward", SMALL, x, w)
    kept = (x, w, other, None, True)
    before = [sys.getrefcount(one) for one in kept]
    for _ in range(1000):
        run("forward", SMALL, x, w)
        run("forward", SMALL, other, w)
    assert all(
        abs(sys.getrefcount(one) - count) < 50 for one, count in zip(kept, before, strict=True)
    )


def test_a_large_layer_lets_other_threads_run(called):
    large = layer((60, 60), 32, 32, 3, padding=1)
    x, w, dz = arrays(large, 2)
    np.testing.assert_array_equal(run("forward", large, x, w), passes(large, x, w, dz)[0])
    assert called == []


def test_small_layers_in_several_threads_share_no_workspace_at_a_time():
    wrong, made = [], []
    for size in range(4, 10):
        one = layer((size, 9), 5, 7, 3, padding=1)
        x, w, dz = arrays(one, 1)
        made.append((one, x, w, dz, passes(one, x, w, dz)))

    def call(turn):
        for _ in range(200):
            for one, x, w, dz, (z, dx, dw) in made[turn:] + made[:turn]:
                same = (
                    np.array_equal(run("forward", one, x, w), z)
                    and np.array_equal(run("input_gradient", one, dz, w), dx)
                    and np.array_equal(run("weight_gradient", one, dz, x), dw)
                )
                wrong.extend([] if same else [one])

    threads = [threading.Thread(target=call, args=(turn,)) for turn in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_pass_that_needs_much_workspace_borrows_it(monkeypatch, called):
    monkeypatch.setattr(builtin, "MOST", -1)
    x, w, dz = arrays(SMALL, 2)
    np.testing.assert_array_equal(run("forward", SMALL, x, w), passes(SMALL, x, w, dz)[0])
    assert called == []
