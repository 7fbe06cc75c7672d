"""The benchmarks: what they measure, how they count, and that nothing measured is lost."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import first, layers, libraries, sides, suite  # noqa: E402
from benchmarks.suite import Case  # noqa: E402

from convgrad import reference  # noqa: E402
from convgrad.convolution import Convolution  # noqa: E402

MACHINE = layers.Machine("some", 2, {"float32": 100.0, "float64": 50.0}, 10.0)


def test_every_case_is_a_legal_layer_with_a_name_of_its_own():
    every = suite.cases()
    assert all(min(case.layer.output_size) >= 1 for case in every)
    assert len({str(case) for case in every}) == len(every)


def test_no_layer_is_measured_twice():
    every = suite.cases()
    assert len({(case.layer, case.batch, case.number) for case in every}) == len(every)


def test_the_few_that_stand_for_all_are_in_the_suite():
    assert {str(case) for case in suite.cases(quick=True)} == set(suite.QUICK)


@pytest.mark.parametrize(
    ("network", "filters", "kernel"),
    [("EfficientNet-B0", 1152, (1, 1)), ("ConvNeXt-T", 3072, (1, 1)), ("C3D", 64, (3, 3, 3))],
)
def test_layers_of_every_kind_of_a_network_are_there(network, filters, kernel):
    found = [case.layer for case in suite.cases(network)]
    assert any(layer.filters == filters and layer.kernel == kernel for layer in found)


@pytest.mark.parametrize("transposed", [False, True])
def test_operations_are_the_terms_of_the_sum(transposed):
    layer = Convolution(
        (4, 5), 4, 6, (3, 2), stride=2, padding=1, groups=2, transposed=transposed, bias="none"
    )
    sizes = layer.input_size if transposed else layer.output_size
    # one term for each image, narrow position, tap, group, filter and channel of the group
    ranges = (3, *sizes, *layer.kernel, 2, 6 // 2, 4 // 2)
    terms = sum(1 for _ in product(*map(range, ranges)))
    assert layers.operations(Case("small", "dense", layer, 3)) == 2 * terms


def test_traffic_is_the_bytes_of_the_three_arrays():
    layer = Convolution((4, 5), 4, 6, 3, padding=1, groups=2, bias="none")
    case = Case("small", "dense", layer, 3, "float64")
    assert layers.traffic(case) == sum(array.nbytes for array in libraries.arrays(case))


def test_a_layer_with_little_arithmetic_is_bound_by_memory():
    wide = Case("a", "dense", Convolution((8, 8), 512, 512, 3, padding=1, bias="none"), 8)
    thin = Case("b", "dense", Convolution((64, 64), 1, 1, 1, bias="none"), 8)
    assert layers.limit(wide, MACHINE)[0] == "arithmetic"
    assert layers.limit(thin, MACHINE)[0] == "memory"


class Told:
    """A side's process that answers as it is told."""

    is_alive = True

    def __init__(self, numbers, times):
        self.answers = {True: numbers, False: times}

    def ask(self, *, probe=False, **question):
        return self.answers[probe]


NUMBERS = [3.0, 1.0, 0.5, 1.0, 1.5]


def test_a_failing_side_is_named_and_the_others_are_kept():
    said = {"error": "RuntimeError: no such layer"}
    processes = {
        ("convgrad", True): Told(NUMBERS, [0.5, 0.5, 0.5]),
        ("torch", True): Told(said, said),
    }
    case = suite.cases("LeNet-5")[0]
    results = layers.measure(case, MACHINE, processes, 2)
    assert [result.seconds for result in results] == [{"convgrad (pages kept)": 0.5}] * 3
    assert results[0].failures == {
        "torch channels_first (pages kept)": "RuntimeError: no such layer",
        "torch channels_last (pages kept)": "RuntimeError: no such layer",
    }


@pytest.mark.parametrize("wrong", [[*NUMBERS[:-1], 1.6], [4.0, *NUMBERS[1:]], NUMBERS[:-1]])
def test_a_side_with_other_numbers_is_named_and_not_timed(wrong):
    processes = {
        ("convgrad", True): Told(NUMBERS, [0.5]),
        ("jax", True): Told(wrong, [0.1]),
    }
    results = layers.measure(suite.cases("LeNet-5")[0], MACHINE, processes, 1)
    assert results[0].seconds == {"convgrad (pages kept)": 0.5}
    said = "other numbers than convgrad (pages kept)"
    assert set(results[0].failures.values()) == {said}


def test_the_ratio_to_another_library_is_that_to_its_best_mode():
    case = suite.cases("LeNet-5")[0]
    seconds = {
        "convgrad (pages kept)": 1.0,
        "jax channels_first (pages kept)": 3.0,
        "jax channels_last (pages kept)": 2.0,
        "jax channels_last (default)": 0.5,
    }
    result = layers.judge(case, "forward", MACHINE, seconds, {})
    assert layers.library_ratio(result, "jax") == 2.0
    assert layers.library_ratio(result, "tensorflow") is None


def test_a_missing_library_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setattr(layers.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="pip install tensorflow-cpu"):
        layers.refuse_missing(("tensorflow",))


LAYERS = {
    "two axes": {"size": (9, 8), "padding": ((1, 1), (2, 2)), "stride": (2, 1)},
    "uneven": {"size": (9, 8), "padding": ((1, 0), (0, 2))},
    "groups": {"size": (7, 7), "groups": 2},
    "depthwise": {"size": (7, 7), "groups": 4, "filters": 8, "padding": ((1, 1), (1, 1))},
    "one axis": {"size": (20,), "padding": ((4, 0),), "dilation": (2,)},
    "three axes": {"size": (5, 6, 4), "padding": ((1, 1),) * 3},
    "transposed": {"size": (5, 4), "stride": (2, 2), "transposed": True},
}


@pytest.mark.peers
@pytest.mark.parametrize("options", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("library", ["convgrad", "torch", "jax", "tensorflow"])
def test_every_side_computes_the_same_layer(library, options):
    """Runs a side in a process of its own, as the benchmark does; JAX needs threads of its own."""
    pytest.importorskip(library)
    given = {"kernel": 3, "bias": "none", **options}
    layer = Convolution(given.pop("size"), 4, given.pop("filters", 6), **given)
    case = Case("small", "dense", layer, 2, "float64")
    x, w, dz = libraries.arrays(case)
    expected = dict(
        zip(
            libraries.PASSES,
            (
                reference.forward(layer, x, w),
                reference.input_gradient(layer, dz, w),
                reference.weight_gradient(layer, dz, x),
            ),
            strict=True,
        )
    )
    code = (
        "import pickle, sys\n"
        "from benchmarks.libraries import LIBRARIES\n"
        "case, library, layout = pickle.load(sys.stdin.buffer)\n"
        "calls = LIBRARIES[library](case, layout)\n"
        "found = {name: calls.plain(name, call()) for name, call in calls.passes.items()}\n"
        "pickle.dump(found, sys.stdout.buffer)\n"
    )
    for layout in [side.layout for side in sides.SIDES if side.library == library and side.kept]:
        answer = subprocess.run(
            [sys.executable, "-c", code],
            input=pickle.dumps((case, library, layout)),
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
            check=True,
        )
        for name, result in pickle.loads(answer.stdout).items():
            np.testing.assert_allclose(result, expected[name], rtol=0, atol=1e-11)


def test_what_was_stored_is_read_back(tmp_path):
    case = suite.cases("LeNet-5")[0]
    seconds = {"convgrad (pages kept)": 1.0, "torch channels_first (pages kept)": 2.0}
    result = layers.judge(case, "forward", MACHINE, seconds, {})
    path = tmp_path / "results" / "layers.json"
    layers.store(path, MACHINE, [result])
    assert layers.restore(path) == (MACHINE, [result])
    assert result.ratio == 2.0
    assert [file.name for file in path.parent.iterdir()] == ["layers.json"]


forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="first calls need processes by fork()")


@forks
def test_first_calls_are_measured_anew_and_from_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVGRAD_CACHE_DIR", str(tmp_path))
    case = suite.cases("LeNet-5 1x6")[0]
    found = list(first.measure(case))
    expected = [(name, kept) for name in libraries.PASSES for kept in ("new", "disk")]
    assert [(one.name, one.kept) for one in found] == expected
    assert all(one.planning > 0 and one.code > 0 and one.running > 0 for one in found)
    assert {one.case for one in found} == {str(case)}


@forks
def test_a_first_call_leaves_no_trace_in_the_process_that_asks():
    trace: list[int] = []

    def work() -> first.First:
        trace.append(1)
        return first.First("a", "forward", "new", 0.2, 0.05, 0.1, 0.01)

    assert first.apart(work) == work()
    assert trace == [1]


@forks
def test_a_measuring_process_that_ends_is_an_error():
    with pytest.raises(ChildProcessError, match="ended"):
        first.apart(lambda: os._exit(3))
