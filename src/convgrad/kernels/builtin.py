"""A small pass as a function of the interpreter's own, machine code from end to end.

Handing addresses to compiled code by `ctypes` takes 2 us, as long as a small pass itself. CPython
calls a built-in function with a row of objects [PEP 590], and NumPy's binary interface says where
the object of an array has its address and its flags. So compiled code takes the arrays themselves.

Such a call keeps the interpreter's lock, as NumPy's own small sums do. It lasts 20 us at most, and
all calls can share one workspace.
"""

from __future__ import annotations

import ctypes
import sys
import sysconfig
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from convgrad.kernels.address import HEAD
from convgrad.kernels.arena import ALIGN, Block
from convgrad.kernels.compile import load
from convgrad.kernels.record import (
    ARGUMENTS,
    BIAS,
    FACTOR,
    FLAG,
    OUTPUT,
    SCRATCH,
    SCRATCH_BYTES,
    SHARED,
    THREADS,
    WINDOW,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[Any]
    Call = Callable[[Array, Array, Array | None, Array | None], bool | None]

MOST = 1 << 18
"""Bytes of workspace up to which a pass is called like this; it is kept for the next call."""

_TAKEN = (OUTPUT, WINDOW, FACTOR, BIAS)
_TYPE_PLACE = HEAD - 8
_FLAGS_PLACE = HEAD + 48  # behind data, nd, dimensions, strides, base and descr
_C_ORDER, _ALIGNED = 0x0001, 0x0100
_PLAIN = _C_ORDER | _ALIGNED
_METH_FASTCALL = 0x0080

# The words of a function: what it compares with and returns, what it runs, a call's arguments.
_NONE, _TRUE, _FALSE, _ARRAY, _KEEP, _RUN, _STEPS, _COUNT, _CALL = range(9)
_RAISED = _CALL + ARGUMENTS
_WORDS = _RAISED + 1


class _Definition(ctypes.Structure):
    """PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("text", ctypes.c_char_p),
    )


def _program() -> str:
    """The function `call(output, window, factor, bias)`, where None stands for no array.

    It returns whether no flag was raised; None, and then nothing was done, where one of them is no
    plain array: of another type, not in C order, or not aligned.
    """
    words = "\n".join(
        f"  %{name} = getelementptr i64, ptr %words, i64 {place}"
        for name, place in (("call", _CALL), ("raised", _RAISED))
    )
    blocks = "".join(
        f"""
argument{place}:
  %item{place}.p = getelementptr ptr, ptr %items, i64 {place}
  %item{place} = load ptr, ptr %item{place}.p
  %to{place} = getelementptr i64, ptr %call, i64 {slot}
  store i64 0, ptr %to{place}
  %absent{place} = icmp eq ptr %item{place}, %none
  br i1 %absent{place}, label %{after}, label %look{place}
look{place}:
  %type{place}.p = getelementptr i8, ptr %item{place}, i64 {_TYPE_PLACE}
  %type{place} = load ptr, ptr %type{place}.p
  %same{place} = icmp eq ptr %type{place}, %array
  br i1 %same{place}, label %order{place}, label %other
order{place}:
  %flags{place}.p = getelementptr i8, ptr %item{place}, i64 {_FLAGS_PLACE}
  %flags{place} = load i32, ptr %flags{place}.p
  %kind{place} = and i32 %flags{place}, {_PLAIN}
  %plain{place} = icmp eq i32 %kind{place}, {_PLAIN}
  br i1 %plain{place}, label %take{place}, label %other
take{place}:
  %data{place}.p = getelementptr i8, ptr %item{place}, i64 {HEAD}
  %data{place} = load i64, ptr %data{place}.p
  store i64 %data{place}, ptr %to{place}
  br label %{after}
"""
        for (place, slot), after in zip(
            enumerate(_TAKEN), ("argument1", "argument2", "argument3", "go"), strict=True
        )
    )
    loads = "\n".join(
        f"""  %{name}.p = getelementptr ptr, ptr %words, i64 {place}
  %{name} = load ptr, ptr %{name}.p"""
        for name, place in (
            ("none", _NONE), ("yes", _TRUE), ("no", _FALSE), ("array", _ARRAY), ("keep", _KEEP),
            ("run", _RUN), ("steps", _STEPS),
        )
    )  # fmt: skip
    return f"""
define ptr @call(ptr %self, ptr %items, i64 %number) {{
entry:
  %words.p = getelementptr i8, ptr %self, i64 {HEAD}
  %words = load ptr, ptr %words.p
{words}
{loads}
  %count.p = getelementptr i64, ptr %words, i64 {_COUNT}
  %count = load i64, ptr %count.p
  %four = icmp eq i64 %number, {len(_TAKEN)}
  br i1 %four, label %argument0, label %other
{blocks}
go:
  store i64 0, ptr %raised
  call void %run(ptr null, ptr null, i64 0, ptr %steps, i64 %count, ptr %call)
  %flag = load i64, ptr %raised
  %clean = icmp eq i64 %flag, 0
  %answer = select i1 %clean, ptr %yes, ptr %no
  br label %leave
other:
  br label %leave
leave:
  %result = phi ptr [ %answer, %go ], [ %none, %other ]
  call void %keep(ptr %result)
  ret ptr %result
}}
"""


@cache
def is_possible() -> bool:
    """Whether this is CPython with its one lock, and arrays lie in memory as they must."""
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
        return False
    whole = np.zeros((4, 6))
    trials = (whole, whole[1:], whole.T, whole[:, ::-1], np.zeros(9, np.uint8)[1:].view(np.float64))
    return all(map(_lies_as_expected, trials))


def _lies_as_expected(array: Array) -> bool:
    at = id(array)
    flags = ctypes.c_int.from_address(at + _FLAGS_PLACE).value
    return (
        ctypes.c_void_p.from_address(at + _TYPE_PLACE).value == id(np.ndarray)
        and (ctypes.c_void_p.from_address(at + HEAD).value or 0) == array.ctypes.data
        and bool(flags & _C_ORDER) == array.flags.c_contiguous
        and bool(flags & _ALIGNED) == array.flags.aligned
    )


@cache
def _definition() -> _Definition:
    """The interpreter reads it as long as there are functions."""
    function = load(("builtin", str(HEAD)), _program, ("call",), lean=True)["call"]
    return _Definition(b"convgrad", function, _METH_FASTCALL, None)


@cache
def _workspace() -> Block:
    """That of all such calls: the interpreter's lock lets only one of them run."""
    return Block(np.zeros(MOST + ALIGN, np.uint8))


def call(run: int, steps: NDArray[np.int64], shared: int, scratch: int) -> Call:
    """A function that runs steps on arrays: the output, the window, the factor and the bias.

    Args:
        run: the address of the pool's `run`.
        steps: a row (function, record, tasks) for each; what they point to must be kept alive.
        shared: bytes of workspace.
        scratch: bytes of the thread's own.

    Returns: the function. It answers whether no flag was raised; it does nothing and answers None
        where an array is of another type than `numpy.ndarray`, not in C order or not aligned.
    """
    words = np.zeros(_WORDS, np.int64)
    words[: _STEPS + 1] = (
        *map(id, (None, True, False, np.ndarray)),
        ctypes.cast(ctypes.pythonapi.Py_IncRef, ctypes.c_void_p).value or 0,
        run,
        steps.ctypes.data,
    )
    words[_COUNT] = len(steps)
    work = _workspace()
    arguments = words[_CALL:]
    arguments[SHARED], arguments[SCRATCH] = work.begin, work.begin + shared
    arguments[SCRATCH_BYTES], arguments[THREADS] = scratch, 1
    arguments[FLAG] = words.ctypes.data + 8 * _RAISED
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype = ctypes.py_object
    new.argtypes = (ctypes.POINTER(_Definition), ctypes.py_object, ctypes.py_object)
    made: Call = new(_definition(), words, None)
    return made
