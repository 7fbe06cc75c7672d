"""Threads, processes, memory and the cache of compiled code."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest
from oracle import passes
from shapes import arrays, layer

from convgrad import conv, conv_bias_grad, reference
from convgrad.errors import ConvgradError
from convgrad.kernels import (
    cache,
    compile,  # noqa: A004
    forget,
    get_num_threads,
    locks,
    run,
    set_num_threads,
)

MADE = layer((20, 20), 24, 32, 3, padding=1)


@pytest.fixture(autouse=True)
def two_threads():
    before = get_num_threads()
    set_num_threads(2)
    yield
    set_num_threads(before)


def forward():
    x, w, dz = arrays(MADE, 4)
    return run("forward", MADE, x, w), passes(MADE, x, w, dz)[0]


def test_concurrent_callers_get_their_own_results():
    x, w, dz = arrays(MADE, 4)
    expected = passes(MADE, x, w, dz)[0]
    wrong = []

    def call(factor):
        wrong.extend(
            factor
            for _ in range(30)
            if not np.array_equal(run("forward", MADE, x * factor, w), expected * factor)
        )

    threads = [threading.Thread(target=call, args=(np.float32(n),)) for n in range(1, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_concurrent_callers_of_many_layers_share_nothing_that_they_see():
    """New layers, seen layers, large results, bias gradients and `out=`, all at once."""
    sizes = range(5, 17)
    exact, wrong = {}, []
    for size in sizes:
        x, w, dz = arrays(layer((size, 300), 4, 6, 3, padding=1), 40)
        exact[size] = (x, w, dz, reference.bias_gradient(dz, untied=False), conv(x, w, padding=1))

    def call(turn):
        for size in (*sizes, *sizes):
            x, w, dz, db, z = exact[(size + turn - 5) % 12 + 5]
            out = np.empty_like(dz) if turn % 2 else None
            found = conv(x, w, padding=1, out=out)
            if not np.array_equal(found, z) or not np.array_equal(conv_bias_grad(dz), db):
                wrong.append((turn, size))

    forget()
    threads = [threading.Thread(target=call, args=(turn,)) for turn in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_number_of_threads_may_change_while_others_call():
    x, w, dz = arrays(MADE, 4)
    expected = passes(MADE, x, w, dz)[0]
    stop, wrong = threading.Event(), []

    def call():
        while not stop.is_set():
            if not np.array_equal(run("forward", MADE, x, w), expected):
                wrong.append(1)

    caller = threading.Thread(target=call)
    caller.start()
    for threads in (1, 3, 2, 5, 1, 2):
        set_num_threads(threads)
        run("forward", MADE, x, w)
    stop.set()
    caller.join()
    assert not wrong


@pytest.mark.parametrize("threads", [0, -1])
def test_less_than_one_thread_is_refused(threads):
    with pytest.raises(ConvgradError, match=r"threads=.*: a whole number of at least 1"):
        set_num_threads(threads)


def child(queue):
    got, expected = forward()
    queue.put(bool(np.array_equal(got, expected)))


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_process_has_threads_of_its_own(method):
    forward()
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=child, args=(queue,))
    process.start()
    assert queue.get(timeout=60)
    process.join(60)
    assert process.exitcode == 0


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_child_finds_locks_open_that_another_thread_held():
    lock = locks.ForkLock()
    with lock.held:
        pid = os.fork()
        if pid == 0:
            with lock.held:
                os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_while_another_thread_computes_leaves_the_child_all_it_needs():
    x, w, dz = arrays(MADE, 4)
    expected = passes(MADE, x, w, dz)[0]
    stop = threading.Event()

    def forever():
        while not stop.is_set():
            conv(x, w, padding=1)
            conv_bias_grad(dz)

    caller = threading.Thread(target=forever)
    caller.start()
    try:
        for _ in range(5):
            pid = os.fork()
            if pid == 0:
                signal.alarm(60)  # a child that hangs is a failure, not a wait for ever
                right = np.array_equal(conv(x, w, padding=1), expected)
                right &= np.array_equal(conv_bias_grad(dz), dz.sum(axis=(0, 2, 3)))
                os._exit(7 if right else 1)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    finally:
        stop.set()
        caller.join()


def script(text, *, wait=True, **environment):
    prelude = f"""
        import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
        import numpy as np
        from shapes import arrays, layer
        from convgrad.kernels import run
        made = layer((40, 40), 64, 64, 3, padding=1)
        x, w, dz = arrays(made, 8)
        run("forward", made, x, w)
    """
    code = textwrap.dedent(prelude) + textwrap.dedent(text)
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "CONVGRAD_NUM_THREADS": "2", **environment},
    )
    if not wait:
        return process
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_the_interpreter_ends_quietly_with_workers_waiting():
    assert script("print('done')") == (0, "done\n", "")


def test_the_environment_chooses_the_target_and_the_threads():
    text = """
        from convgrad.kernels import get_num_threads, plan_pass
        from convgrad.kernels.target import host_target
        print(get_num_threads(), host_target().name)
    """
    chosen = script(text, CONVGRAD_TARGET="avx2", CONVGRAD_NUM_THREADS="3")
    assert chosen == (0, "3 avx2\n", "")


@pytest.mark.parametrize("name", ["CONVGRAD_TARGET", "CONVGRAD_NUM_THREADS"])
def test_a_nonsensical_environment_is_refused_with_the_legal_values(name):
    code, _, err = script("", **{name: "many"})
    assert code == 1
    assert f"{name}=many" in err
    assert "expected:" in err


def test_the_interpreter_ends_while_another_thread_computes():
    code, out, err = script(
        """
        import threading
        def forever():
            while True:
                run("forward", made, x, w)
        threading.Thread(target=forever, daemon=True).start()
        print('done')
        """
    )
    assert (code, out, err) == (0, "done\n", "")


def test_an_interrupt_stops_between_two_calls_and_leaves_the_pool_usable():
    process = script(
        """
        import signal
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in background jobs
        last = run("forward", made, x, w)
        try:
            print('ready', flush=True)
            while True:
                last = run("forward", made, x, w)
        except KeyboardInterrupt:
            again = run("forward", made, x, w)
            print(bool((again == last).all()))
        """,
        wait=False,
    )
    with process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        try:
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert out == "True\n"


def test_interrupts_at_any_moment_leave_everything_usable():
    """A timer interrupts hundreds of calls; what comes after is right, and nothing is stuck."""
    code, out, err = script(
        """
        import random, signal
        import convgrad
        right = run("forward", made, x, w)
        small, w1 = np.ones((1, 1, 9), np.float32), np.ones((1, 1, 3), np.float32)
        def interrupt(*_):
            raise KeyboardInterrupt
        signal.signal(signal.SIGALRM, interrupt)
        random.seed(1)
        caught = 0
        for _ in range(400):
            try:
                signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 2e-3))
                while True:
                    convgrad.conv(small, w1)
                    convgrad.conv_bias_grad(x)
                    big = convgrad.conv(x, w, padding=1)
            except KeyboardInterrupt:
                caught += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(caught, bool((convgrad.conv(x, w, padding=1) == right).all()))
        """
    )
    assert (code, out) == (0, "400 True\n"), err


@pytest.fixture
def folder(tmp_path, monkeypatch):
    place = tmp_path / "objects"
    monkeypatch.setenv("CONVGRAD_CACHE_DIR", str(place))
    monkeypatch.setattr(compile, "_LOADED", {})
    forget()
    yield place
    forget()


def test_compiled_code_is_kept_on_disk_in_a_private_folder(folder):
    got, expected = forward()
    np.testing.assert_array_equal(got, expected)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert not [path for path in folder.iterdir() if path.name.startswith("part-")]
    entries = list(folder.iterdir())
    assert entries
    assert all(cache.read(path.name) for path in entries)


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "foreign"])
def test_a_damaged_entry_is_compiled_anew(folder, damage, monkeypatch):
    forward()
    for path in folder.iterdir():
        data = bytearray(path.read_bytes())
        if damage == "flip":
            data[len(data) // 2] ^= 1
        elif damage == "cut":
            del data[len(data) // 2 :]
        elif damage == "empty":
            data.clear()
        else:
            data[:] = b"\x7fELF" + bytes(1000)
        path.write_bytes(bytes(data))
        assert cache.read(path.name) is None
    monkeypatch.setattr(compile, "_LOADED", {})
    forget()
    got, expected = forward()
    np.testing.assert_array_equal(got, expected)
    assert all(cache.read(path.name) for path in folder.iterdir())


def test_a_folder_that_others_can_write_to_is_not_used(folder):
    folder.mkdir()
    folder.chmod(0o777)
    got, expected = forward()
    np.testing.assert_array_equal(got, expected)
    assert not list(folder.iterdir())


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("CONVGRAD_CACHE_DIR", str(blocked / "below"))
    monkeypatch.setattr(compile, "_LOADED", {})
    forget()
    got, expected = forward()
    np.testing.assert_array_equal(got, expected)


def test_clearing_the_cache_removes_its_entries(folder):
    forward()
    assert cache.clear() > 0
    assert not list(folder.iterdir())
