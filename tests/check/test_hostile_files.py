"""Whatever the code under test does, the checker stands and its verdict is its own."""

from __future__ import annotations

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from convgrad.check.checker import Options, check_file
from convgrad.check.sandbox import Code, Limits, Sandbox

HOSTILE = Path(__file__).parent / "hostile"
QUICK = Options(limits=Limits(seconds=0.4, total=2.5))


def processes():
    """Processes that run our child and belong to this test, or to nobody any more."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            parent = int((entry.parent / "stat").read_text().rpartition(")")[2].split()[1])
            if b"convgrad_child" in entry.read_bytes() and parent in {1, os.getpid()}:
                found.append(entry)
        except OSError:
            continue
    return found


FILES = sorted(HOSTILE.glob("*.py"))


@pytest.fixture(scope="module")
def reports():
    """All of them at once, four at a time: most of them only wait for their end."""
    with ThreadPoolExecutor(4) as pool:
        return dict(
            zip(FILES, pool.map(lambda p: check_file(p, options=QUICK), FILES), strict=True)
        )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_hostile_code_is_never_right(path, reports):
    (verdict,) = reports[path].passes
    assert verdict.verdicts["dx"] in {"wrong", "crashes", "unexplained"}
    assert verdict.verdicts["dw"] in {"wrong", "crashes", "unexplained"}
    assert not verdict.is_right


def test_nothing_is_written_outside(reports):
    assert not (HOSTILE / "written_by_hostile_code").exists()


def test_nothing_is_left_running(reports):
    deadline = time.monotonic() + 5
    while processes() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not processes()


RUBBISH = [
    7, "right", None, [], {}, (1, 2), {"dx": "right"}, [[("attribute", "dw"), []]], [("x",)],
    [((), np.zeros(0))], [((("attribute", 1),), np.zeros((2, 0)))], np.array("right"),
    np.zeros((3, 1)), float("nan"), [[[]]], {1: 2}, True, [((("item", "x"),), 1.0)] * 3,
]  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_rubbish_in_an_answer_is_a_verdict_on_the_code(seed, monkeypatch):
    draw = random.Random(seed)
    ask = Sandbox.run

    def run(self, program, seconds=None):
        answer = ask(self, program, seconds)
        if draw.random() < 0.7:
            return answer
        results = tuple(draw.choice(RUBBISH) for _ in range(draw.randrange(len(program) + 2)))
        return replace(answer, results=results)

    monkeypatch.setattr(Sandbox, "run", run)
    report = check_file(HOSTILE.parent / "corpus" / "cache_im2col.py", options=QUICK)
    assert not report.error


def test_a_fault_of_the_checker_is_said_and_ends_no_run(monkeypatch, tmp_path):
    def fails(*_):
        raise KeyError("x")

    monkeypatch.setattr("convgrad.check.checker.judge", fails)
    report = check_file(HOSTILE.parent / "corpus" / "cache_im2col.py")
    assert report.error.startswith("convgrad failed on this file: KeyError")


@pytest.mark.parametrize(
    "source",
    ["x = " + "(" * 300 + ")" * 300, "x = " + "-" * 9000 + "1", "x = a" + ".b" * 9000, "x = '\0'"],
    ids=["brackets", "signs", "attributes", "zero byte"],
)
def test_sources_that_break_parsers_are_a_report_with_an_error(source, tmp_path):
    path = tmp_path / "f.py"
    path.write_text(source + "\ndef conv_backward(dout, x, w): return dout, x, w\n")
    report = check_file(path, options=QUICK)
    assert report.error or not report.is_right


def call(name):
    return {"do": "call", "function": [name], "values": [], "options": {}}


def test_a_dead_child_is_replaced():
    code = Code(
        "def dies():\n    import os\n    os._exit(7)\ndef lives():\n    return 1", "f.py", "."
    )
    with Sandbox(code) as sandbox:
        assert sandbox.run([call("dies")]).failure.text == "the process ended with exit code 7"
        assert sandbox.run([call("lives")]).results == (1,)


def test_a_signal_is_named():
    code = Code("def f():\n    import ctypes\n    ctypes.string_at(0)", "f.py", ".")
    with Sandbox(code) as sandbox:
        assert "SIGSEGV" in sandbox.run([call("f")]).failure.text


def test_the_working_folder_is_a_scratch_folder():
    code = Code(
        "def f():\n    import os\n    open('a', 'w').write('b')\n    return os.getcwd()",
        "f.py",
        ".",
    )
    with Sandbox(code) as sandbox:
        (folder,) = sandbox.run([call("f")]).results
    assert folder != str(Path.cwd())
    assert not Path(folder).exists()


def test_the_environment_is_not_passed_on(monkeypatch):
    monkeypatch.setenv("A_SECRET", "shown")
    code = Code("def f():\n    import os\n    return os.environ.get('A_SECRET')", "f.py", ".")
    with Sandbox(code) as sandbox:
        assert sandbox.run([call("f")]).results == (None,)
    assert os.environ["A_SECRET"] == "shown"


def test_the_top_level_does_not_run(tmp_path):
    file = tmp_path / "f.py"
    source = f"open({str(tmp_path / 'made')!r}, 'w')\nraise SystemExit\ndef f():\n    return 1\n"
    with Sandbox(Code(source, str(file), str(tmp_path))) as sandbox:
        assert sandbox.run([call("f")]).results == (1,)


def test_missing_modules_are_stood_in_for():
    source = "import nosuchmodule.layers as l\nclass A(l.Base):\n    @l.traced\n    def f(self): return 2\n"  # noqa: E501
    source += "def g(): return A().f()"
    with Sandbox(Code(source, "f.py", ".")) as sandbox:
        assert sandbox.run([call("g")]).results == (2,)


def test_neighbours_are_imported_for_their_definitions(tmp_path):
    (tmp_path / "helper.py").write_text("raise SystemExit\ndef two(): return 2\n")
    with Sandbox(
        Code("from helper import two\ndef g(): return two()", "f.py", str(tmp_path))
    ) as box:
        assert box.run([call("g")]).results == (2,)
