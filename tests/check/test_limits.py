"""What counts against the limits is the code's own time, not that of a busy machine."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from convgrad.check.clock import Clock
from convgrad.check.conventions.attempt import SECONDS, Budget
from convgrad.check.sandbox import Code, Limits, Sandbox

SOURCE = """
import time

def works(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return "done"

def sleeps(seconds):
    time.sleep(seconds)
    return "done"

def trickles():
    import os
    while True:
        for number in range(3, 64):
            try:
                os.write(number, b"c")
            except OSError:
                pass

def runs_in_a_thread():
    import threading
    threading.Thread(target=works, args=(1000,)).start()
    time.sleep(1000)
"""
CODE = Code(SOURCE, "f.py", ".")
LIMITS = Limits(seconds=1.0, total=10.0)
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="processor time is read from /proc")


def call(name, *values):
    return [{"do": "call", "function": [name], "values": list(values), "options": {}}]


def paused(sandbox, seconds):
    """Stop the child for so long, from a moment after now: a machine with no time for it."""

    def pause():
        time.sleep(0.1)
        os.kill(sandbox.number, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(sandbox.number, signal.SIGCONT)

    thread = threading.Thread(target=pause)
    thread.start()
    return thread


@on_linux
def test_right_code_is_not_stopped_because_the_machine_is_busy():
    with Sandbox(CODE, LIMITS) as sandbox:
        assert sandbox.run(call("works", 0.0)).results == ("done",)
        thread = paused(sandbox, 2.5 * LIMITS.seconds)
        answer = sandbox.run(call("works", 0.5))
        thread.join()
        assert answer.failure is None
        assert sandbox.time_left > LIMITS.total - 2 * LIMITS.seconds


@pytest.mark.parametrize(
    "program",
    [call("works", 1000), call("sleeps", 1000), call("runs_in_a_thread")],
    ids=["runs", "sleeps", "runs in a thread"],
)
def test_code_that_never_ends_is_stopped(program):
    with Sandbox(CODE, LIMITS) as sandbox:
        assert sandbox.run(program).failure.kind == "Timeout"
        assert sandbox.run(call("works", 0.0)).results == ("done",)


def test_code_that_answers_letter_by_letter_is_stopped():
    with Sandbox(CODE, LIMITS) as sandbox:
        assert sandbox.run(call("trickles")).failure.kind in {"Channel", "Timeout"}


@on_linux
def test_a_child_that_gets_no_time_at_all_is_given_up():
    with Sandbox(CODE, Limits(seconds=0.2, total=10.0)) as sandbox:
        assert sandbox.run(call("works", 0.0)).results == ("done",)
        os.kill(sandbox.number, signal.SIGSTOP)
        assert sandbox.run(call("works", 0.0)).failure.kind == "Timeout"


def test_the_time_of_all_calls_is_limited_too():
    with Sandbox(CODE, Limits(seconds=1.0, total=1.5)) as sandbox:
        assert sandbox.run(call("works", 0.9)).results == ("done",)
        assert sandbox.run(call("works", 0.9)).failure.kind == "Timeout"
        assert sandbox.run(call("works", 0.0)).failure.text == "more than 1.5 s in all"


def test_the_clock_of_a_process_that_is_gone_is_the_wall():
    clock = Clock(2**31 - 1)
    time.sleep(0.01)
    assert 0 < clock.own() <= clock.passed


def test_the_search_counts_work_and_not_the_time_on_the_wall():
    sandbox = SimpleNamespace(spent=100.0)
    budget = Budget(sandbox)
    sandbox.spent += SECONDS - 1  # however long that took on a busy machine
    assert budget.spend()
    sandbox.spent += 2
    assert not budget.spend()
