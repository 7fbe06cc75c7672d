"""Sums, plans and the choice among them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import passes
from shapes import arrays, layer

from convgrad.kernels import Trial, forget, llvm, plan_pass, present, run, tune, tuned, tuning
from convgrad.kernels import compile as compiler
from convgrad.kernels.algorithms import ALGORITHMS, JOINT
from convgrad.kernels.emit import INTEGER, Module
from convgrad.kernels.layers import contractions
from convgrad.kernels.target import TARGETS, host_target, on_this_machine
from convgrad.kernels.tile import Tile
from convgrad.kernels.window import WindowAxis

NAMES = ("forward", "input_gradient", "weight_gradient")

QUICK = settings(
    max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


def names(indices):
    return {index.name for index in indices}


def test_a_sum_prints_as_its_equation():
    made = layer((9,), 4, 6, 3, stride=2, padding=1)
    (forward,) = contractions(made, 5, "forward")
    assert str(forward) == (
        "z[n, g, k, o] = sum(c < 4, t < 3) x[n, g, c, 2*o + t - 1] * w[g, k, c, t]"
    )


def test_the_class_of_an_index_is_where_it_occurs():
    made = layer((9, 9), 4, 6, 3, groups=2)
    (forward,) = contractions(made, 5, "forward")
    assert names(forward.batch) == {"g"}
    assert names(forward.rows) == {"k"}
    assert names(forward.free) == {"n", "oh", "ow"}
    assert names(forward.reduction) == {"c", "th", "tw"}
    (weight,) = contractions(made, 5, "weight_gradient")
    assert names(weight.rows) == {"k"}
    assert names(weight.free) == {"c", "th", "tw"}
    assert names(weight.reduction) == {"n", "oh", "ow"}


def test_the_window_knows_its_phases():
    """Two of three columns are read by a kernel of width 2 and stride 3."""
    axis = WindowAxis(positions=4, taps=2, step=3, tap=1, start=-1, size=10)
    assert axis.phases == (0, 1)
    assert axis.lowest == -1
    assert not axis.is_inside


def test_a_plan_prints_its_loops_tile_workspace_and_prediction():
    made = layer((56, 56), 64, 64, 3, padding=1)
    text = str(plan_pass(made, "forward", batch=8, target=TARGETS["avx512"]))
    for part in (
        "z[n, g, k, oh, ow] = sum(c < 64",
        "for piece",
        "16 float32",
        "workspace",
        "Mcycles",
    ):
        assert part in text


def test_every_algorithm_has_a_name_a_sentence_and_its_functions_in_the_text():
    made = layer((12, 12), 4, 4, 3, padding=1, groups=2)
    for name, algorithm in ALGORITHMS.items():
        assert algorithm.name == name
        assert algorithm.summary
        for item in (*contractions(made, 2, "forward"), *contractions(made, 2, "weight_gradient")):
            for tile in algorithm.tiles(item, "float32", host_target())[:1]:
                text = algorithm.text(tile)
                assert all(f"void @{function}(" in text for function in algorithm.functions)
    strided = layer((12, 12), 4, 4, 3, stride=2, padding=1, groups=4)
    for name, algorithm in JOINT.items():
        assert algorithm.name == name
        assert algorithm.summary
        sums = contractions(strided, 2, "input_gradient")
        text = algorithm.text(algorithm.tiles(sums, "float32", host_target())[0])
        assert all(f"void @{function}(" in text for function in algorithm.functions)


def test_emitted_code_reads_as_the_loop_it_is():
    module = Module()
    code = module.function("scale", ("float", "x"), (INTEGER, "count"), public=True)
    with code.loop(0, code.integer("count")) as i:
        value = code.pointer("x").load(i)
        code.pointer("x").store(code.fma(value, value, code.zero("float")), i)
    assert (
        str(module)
        == """\
declare float @llvm.fma.f32(float, float, float)
define void @scale(ptr noalias %x, i64 %count) {
entry:
  br label %start
start:
  br label %loop1
loop1:
  %loop1.i = phi i64 [ 0, %start ], [ %loop1.n, %loop1.next ]
  %loop1.c = icmp slt i64 %loop1.i, %count
  br i1 %loop1.c, label %loop1.body, label %loop1.end
loop1.body:
  %v2 = getelementptr float, ptr %x, i64 %loop1.i
  %v3 = load float, ptr %v2
  %v4 = call float @llvm.fma.f32(float %v3, float %v3, float 0.0)
  %v5 = getelementptr float, ptr %x, i64 %loop1.i
  store float %v4, ptr %v5
  br label %loop1.next
loop1.next:
  %loop1.n = add i64 %loop1.i, 1
  br label %loop1
loop1.end:
  ret void
}

"""
    )


def test_tuning_keeps_the_fastest_plan_on_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVGRAD_CACHE_DIR", str(tmp_path / "tuned"))
    monkeypatch.setattr(compiler, "_LOADED", {})
    made = layer((10, 10), 4, 8, 3, padding=1)
    trials = tune(made, "forward", batch=2, most=3)
    try:
        assert len(trials) == 3
        assert trials[0].seconds <= trials[-1].seconds
        chosen = plan_pass(made, "forward", batch=2, target=host_target())
        assert chosen.plans[0].kernel == trials[0].plan.kernel
        x, w, dz = arrays(made, 2)
        np.testing.assert_array_equal(run("forward", made, x, w), passes(made, x, w, dz)[0])
    finally:
        tuned._any_tuned.cache_clear()
        forget()


def test_the_phases_of_a_strided_gradient_are_one_plan_that_clears_nothing():
    """One pass over the error; the phases without taps are written as zeros."""
    made = layer((28, 28), 16, 16, 3, stride=2, padding=1, dilation=2, groups=16)
    program = plan_pass(made, "input_gradient", batch=2, target=TARGETS["avx512"])
    assert [plan.kernel.algorithm for plan in program.plans] == ["whole"]
    assert not program.clear
    assert "dx[n, g, c, 2*qh + 1, 2*qw + 1] = sum(k < 1, uh < 3, uw < 3)" in str(program)


def test_phases_of_many_rows_go_through_the_output_piece_by_piece():
    """And pack the weights once; a phase with another cut or another kernel has its own round."""
    made = layer((56, 56), 128, 128, 3, stride=2, padding=1)
    program = plan_pass(made, "input_gradient", batch=8, target=TARGETS["avx512"])
    assert [len(plans) for plans in program.rounds] == [4]
    assert "piece by piece, 4 sums" in str(program)
    first, *others = program.plans
    assert all(plan.packing == first.packing for plan in others)
    apart = replace(first, packing=(*first.packing, 1))
    assert len(replace(program, plans=(apart, *others)).rounds) == 4
    assert len(replace(program, plans=(replace(first, steps=()), *others)).rounds) == 4


def channel_block(fma, taps):
    """How many channels rowwise takes at once, on a core of that pace."""
    target = replace(TARGETS["avx512"], fma_per_cycle=fma)
    made = layer((28, 28), 512, 256, taps, padding=taps // 2)
    (c,) = contractions(made, 8, "forward")
    algorithm = ALGORITHMS["rowwise"]
    plans = [algorithm.plan(c, tile, target) for tile in algorithm.tiles(c, "float32", target)]
    best = min(filter(None, plans), key=lambda plan: plan.cycles)
    return next(loop.block for loop in best.loops if loop.name == "channel")


def test_channels_stay_near_only_where_a_core_would_wait_for_them():
    assert channel_block(fma=2, taps=1) < 100 < channel_block(fma=1, taps=1)
    assert channel_block(fma=2, taps=3) == channel_block(fma=1, taps=3)


@pytest.mark.parametrize(("processor", "fma"), [("znver4", 1), ("sapphirerapids", 2)])
def test_the_pace_of_a_processor_is_known_by_its_name(monkeypatch, processor, fma):
    monkeypatch.setattr(llvm, "host_processor", lambda: processor)
    assert on_this_machine(TARGETS["avx512"]).fma_per_cycle == fma
    assert on_this_machine(TARGETS["avx2"]).fma_per_cycle == 2


def test_a_plan_for_all_phases_is_taken_if_it_was_measured_to_be_faster(monkeypatch, tmp_path):
    monkeypatch.setenv("CONVGRAD_CACHE_DIR", str(tmp_path / "tuned"))
    monkeypatch.setattr(compiler, "_LOADED", {})
    made = layer((12, 12), 4, 4, 3, stride=2, padding=1, groups=4)
    try:
        for together, apart, plans in ((1.0, 9.0, 1), (9.0, 1.0, 4)):
            monkeypatch.setattr(
                tuning,
                "measure",
                lambda plan, *_, two=(together, apart): Trial(plan, two[0 if plan.others else 1]),
            )
            tune(made, "input_gradient", most=1)
            chosen = plan_pass(made, "input_gradient", target=host_target())
            assert len(chosen.plans) == plans
    finally:
        tuned._any_tuned.cache_clear()
        forget()


@QUICK
@given(
    st.lists(
        st.tuples(st.sampled_from((1, 3, 7, 56, 300, 1500)), st.integers(1, 511)),
        min_size=1,
        max_size=7,
    ),
    st.sampled_from((4, 24)),
    st.sampled_from((1, 2, 3, 6)),
)
def test_leaving_full_panels_out_of_the_search_makes_no_cut_dearer(classes, rows, vectors):
    tile = Tile("float32", 16, rows, vectors)
    sizes, sets = np.array([size for size, _ in classes]), [one for _, one in classes]
    starts, needed, cost = present._cut(sizes, sets, tile)
    assert cost == pytest.approx(present._shortest_cut(sizes.tolist(), sets, tile)[2])
    assert starts[0] == 0
    assert starts[-1] == sizes.sum()
    which = np.repeat(np.arange(len(sets)), sizes)
    for first, last, needs in zip(starts[:-1], starts[1:], needed, strict=True):
        assert 0 < last - first <= tile.width
        assert needs == np.bitwise_or.reduce([sets[one] for one in set(which[first:last])])
