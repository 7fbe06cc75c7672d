"""The benchmarks: what they measure, how they count, and that nothing measured is lost."""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import layers, sides, suite  # noqa: E402
from benchmarks.suite import Case  # noqa: E402

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
    assert layers.traffic(case) == sum(array.nbytes for array in sides.arrays(case))


def test_a_layer_with_little_arithmetic_is_bound_by_memory():
    wide = Case("a", "dense", Convolution((8, 8), 512, 512, 3, padding=1, bias="none"), 8)
    thin = Case("b", "dense", Convolution((64, 64), 1, 1, 1, bias="none"), 8)
    assert layers.limit(wide, MACHINE)[0] == "arithmetic"
    assert layers.limit(thin, MACHINE)[0] == "memory"


class Broken:
    """A side that answers one library and fails on another."""

    is_alive = True

    def __init__(self, answer):
        self.answer = answer

    def ask(self, **question):
        return self.answer


def test_a_failing_side_is_named_and_the_others_are_kept():
    processes = {
        ("convgrad", True): Broken([0.5, 0.5, 0.5]),
        ("torch", True): Broken({"error": "RuntimeError: no such layer"}),
    }
    case = suite.cases("LeNet-5")[0]
    results = layers.measure(case, MACHINE, processes, 2)
    assert [result.seconds for result in results] == [{"convgrad (pages kept)": 0.5}] * 3
    said = "RuntimeError: no such layer"
    assert results[0].failures == {
        "torch channels_first (pages kept)": said,
        "torch channels_last (pages kept)": said,
    }


def test_what_was_stored_is_read_back(tmp_path):
    case = suite.cases("LeNet-5")[0]
    seconds = {"convgrad (pages kept)": 1.0, "torch channels_first (pages kept)": 2.0}
    result = layers.judge(case, "forward", MACHINE, seconds, {})
    path = tmp_path / "results" / "layers.json"
    layers.store(path, MACHINE, [result])
    assert layers.restore(path) == (MACHINE, [result])
    assert result.ratio == 2.0
    assert [file.name for file in path.parent.iterdir()] == ["layers.json"]
