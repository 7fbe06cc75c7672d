"""Which plan is taken: the cheapest, known without planning all, with few kernels, and kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapes import layer, layers

from convgrad.kernels import chosen, plan_pass, program, set_workspace_bound
from convgrad.kernels import compile as compiler
from convgrad.kernels.algorithms import ALGORITHMS, candidates, choose
from convgrad.kernels.emit import INTEGER, Module
from convgrad.kernels.layers import contractions
from convgrad.kernels.lines import lines_of
from convgrad.kernels.piece import imbalance_with_rest
from convgrad.kernels.plan import WORKERS, Program
from convgrad.kernels.record import Fields, Record
from convgrad.kernels.target import TARGETS
from convgrad.kernels.together import SLOWER

NAMES = ("forward", "input_gradient", "weight_gradient")
QUICK = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
targets = st.sampled_from(sorted(TARGETS)).map(TARGETS.get)
numbers = st.sampled_from(("float32", "float64"))


@QUICK
@given(layers(), st.integers(1, 4), numbers, targets)
def test_no_plan_takes_less_than_was_said_before_it_was_made(made, batch, number, target):
    for name in NAMES:
        for item in contractions(made, batch, name):
            for algorithm in ALGORITHMS.values():
                for tile in algorithm.tiles(item, number, target):
                    plan = algorithm.plan(item, tile, target)
                    if plan is not None:
                        assert algorithm.least(item, tile, target) <= plan.cycles * (1 + 1e-9)


@QUICK
@given(layers(), st.integers(1, 4), numbers, targets)
def test_the_choice_is_the_cheapest_of_all_plans(made, batch, number, target):
    for name in NAMES:
        for item in contractions(made, batch, name):
            every = list(candidates(item, number, target))
            best = min(plan.cycles for plan in every)
            assert choose(item, number, target).cycles == best
            least = min(plan.workspace(WORKERS) for plan in every)
            assert choose(item, number, target, bound=0).workspace(WORKERS) == pytest.approx(
                least, rel=1e-9
            )


@QUICK
@given(layers(), st.integers(1, 4), numbers, targets)
def test_sharing_a_kernel_costs_little(made, batch, number, target):
    for name in NAMES:
        alone = [choose(item, number, target) for item in contractions(made, batch, name)]
        if alone:
            shared = plan_pass(made, name, batch=batch, number=number, target=target)
            assert shared.cycles <= SLOWER * sum(plan.cycles for plan in alone) * (1 + 1e-9)
            assert len({p.kernel for p in shared.plans}) <= len({p.kernel for p in alone})


@pytest.mark.parametrize("size", [56, 28, 14])
def test_the_phases_of_a_strided_gradient_share_a_kernel(size):
    made = layer((size, size), 64, 128, 3, stride=2, padding=1)
    found = plan_pass(made, "input_gradient", batch=8, target=TARGETS["avx512"])
    assert len(found.plans) == 4
    assert len({plan.kernel for plan in found.plans}) == 1


@QUICK
@given(layers(), st.integers(1, 3), st.integers(1, 4))
def test_every_line_is_in_one_bundle_of_its_class(made, batch, size):
    for name in NAMES[:2]:
        for item in contractions(made, batch, name):
            lines = lines_of(item)
            bundles = lines.bundles(size)
            every = lines.bundles(1)
            assert set(bundles.to.tolist()) == set(every.to.tolist())
            assert bundles.to.size == size * lines.bundle_counts(size).sum()
            kinds = dict(zip(every.to.tolist(), every.kind.tolist(), strict=True))
            for to, kind in zip(bundles.to.reshape(-1, size), bundles.kind, strict=True):
                assert {kinds[line] for line in to.tolist()} == {kind}
            masks, outer = lines.classes[0], lines.axes[:-1]
            taps = [axis.present for axis in outer]
            for line, kind in enumerate(lines.classes[1].tolist()):
                at = np.unravel_index(line, [axis.positions for axis in outer]) if outer else ()
                mask = np.ones(1, bool)
                for present, position in zip(taps, at, strict=True):
                    mask = np.logical_and.outer(mask, present[position]).ravel()
                np.testing.assert_array_equal(masks[kind], mask)


@QUICK
@given(layers(), st.integers(1, 9))
def test_the_positions_of_a_block_that_have_a_tap_are_a_range(made, count):
    for item in contractions(made, 1, "forward"):
        lines = lines_of(item)
        count = min(count, lines.length)
        low, high = lines.blocks(count)
        for block, first in enumerate(lines.firsts(count).tolist()):
            present = lines.axes[-1].present[first : first + count]
            for tap in range(lines.axes[-1].taps):
                expected = np.zeros(count, bool)
                expected[low[block, tap] : high[block, tap]] = True
                np.testing.assert_array_equal(present[:, tap], expected)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CONVGRAD_CACHE_DIR", str(tmp_path / "objects"))
    monkeypatch.setattr(compiler, "_LOADED", {})
    return tmp_path / "objects"


def refuse(*_, **__):
    raise AssertionError("chosen again")


@pytest.mark.parametrize("name", NAMES)
def test_a_choice_is_made_once_and_kept_on_disk(name, folder, monkeypatch):
    made = layer((28, 28), 24, 40, 3, stride=2, padding=1)
    first = plan_pass(made, name, batch=2, target=TARGETS["avx2"])
    with monkeypatch.context() as patch:
        patch.setattr(program, "choose", refuse)
        again = plan_pass(made, name, batch=2, target=TARGETS["avx2"])
        assert again == first
        for other in (
            {"batch": 3, "target": TARGETS["avx2"]},
            {"batch": 2, "target": TARGETS["neon"]},
            {"batch": 2, "target": TARGETS["avx2"], "number": "float64"},
            {"batch": 2, "target": TARGETS["avx2"], "algorithm": first.plans[0].kernel.algorithm},
        ):
            with pytest.raises(AssertionError, match="chosen again"):
                plan_pass(made, name, **other)
    for path in folder.iterdir():
        path.write_bytes(b"damaged")
    assert plan_pass(made, name, batch=2, target=TARGETS["avx2"]) == first


def test_another_bound_is_another_choice(folder):
    made = layer((30, 30), 24, 40, 3, padding=1)
    wide = plan_pass(made, "forward", batch=4, target=TARGETS["avx512"])
    bound = wide.workspace(WORKERS) - 1
    try:
        set_workspace_bound(bound)
        narrow = plan_pass(made, "forward", batch=4, target=TARGETS["avx512"])
        assert narrow.workspace(WORKERS) <= bound
    finally:
        set_workspace_bound(None)
    assert plan_pass(made, "forward", batch=4, target=TARGETS["avx512"]) == wide


def test_choices_of_very_many_layers_take_a_bounded_room(folder):
    made = layer((8,), 2, 3, 3)
    plans = plan_pass(made, "forward", target=TARGETS["avx2"]).plans
    keys = [f"ab{number}" for number in range(chosen.MOST + 10)]
    before = len(list(folder.iterdir()))
    for key in keys:
        chosen.remember(key, plans)
    assert len(list(folder.iterdir())) == before + 1
    sums = contractions(made, 1, "forward")
    assert chosen.recall(keys[9], sums, TARGETS["avx2"]) is None
    assert chosen.recall(keys[10], sums, TARGETS["avx2"]) == plans
    assert Program(plans, clear=False) == Program(
        chosen.recall(keys[-1], sums, TARGETS["avx2"]), clear=False
    )


def test_a_field_of_a_record_is_loaded_once_and_before_all_loops():
    module = Module()
    code = module.function("fill", (INTEGER + "*", "record"), ("float", "to"), public=True)
    record = Record(Fields(("count", "places")), code.pointer("record"))
    with code.loop(0, record["count"]) as i:
        place = record.table("places").load(i) + record.table("places").load(record["count"])
        code.pointer("to").store(code.zero("float"), place)
    head, _, body = str(code).partition("start:")
    assert head.count("load i64") == 2
    assert body.count("load i64") == 2  # from the table
    assert "%record" not in body


@pytest.mark.parametrize(("channels", "filters"), [(16, 96), (24, 144), (96, 16), (144, 24)])
def test_of_the_two_matrices_of_a_1x1_weight_gradient_the_smaller_is_transposed(channels, filters):
    made = layer((56, 56), channels, filters, 1)
    (plan,) = plan_pass(made, "weight_gradient", batch=8, target=TARGETS["avx512"]).plans
    assert plan.kernel.algorithm == ("exchanged" if channels < filters else "weighted")


@pytest.mark.parametrize(
    "made",
    [
        layer((14, 14), 8, 40, 1, stride=2),
        layer((14, 14), 8, 40, 1, padding=1),
        layer((14, 14), 8, 40, 3, padding=1),
    ],
    ids=["stride", "padding", "taps"],
)
def test_window_and_factor_are_exchanged_for_one_tap_at_every_position_only(made):
    options = {"algorithm": "exchanged", "target": TARGETS["avx512"]}
    assert plan_pass(made, "weight_gradient", batch=2, **options) is None


@given(st.integers(1, 64), st.integers(1, 400), st.integers(1, 12), st.integers(1, 8))
def test_unequal_tasks_take_as_long_as_said_or_one_rest_more(size, total, times, workers):
    busy = [0] * workers
    tasks = [size] * (total // size * times) + [total % size] * (times * (total % size > 0))
    for task in tasks:
        busy[busy.index(min(busy))] += task
    said = imbalance_with_rest(size, total, times, workers) * total * times / workers
    assert said * (1 - 1e-9) <= max(busy) <= said + total % size + 1e-9


@pytest.mark.parametrize(("channels", "filters"), [(144, 40), (40, 240), (240, 40)])
def test_rows_that_do_not_fill_their_blocks_are_cut_so_that_no_worker_waits(channels, filters):
    """40 rows in blocks of 32 would leave one worker 32 of them and the other 8."""
    made = layer((28, 28), channels, filters, 1)
    (plan,) = plan_pass(made, "weight_gradient", batch=8, target=TARGETS["avx512"]).plans
    rows = min(channels, filters)
    blocks = next(loop for loop in plan.loops if loop.name == "row block").extent
    parts = next(loop for loop in plan.loops if loop.name == "part").extent
    assert rows % plan.kernel.tile.width == 0 or blocks % WORKERS == 1 or parts % WORKERS == 0


@pytest.mark.parametrize(
    ("made", "algorithm"),
    [
        (layer((28, 28), 256, 256, 3, padding=1, groups=32), "matched"),
        (layer((56, 56), 128, 128, 3, padding=1, groups=32), "correlated"),
        (layer((56, 56), 96, 96, 7, padding=3, groups=96), "matched"),
    ],
    ids=["small planes", "large planes", "read once"],
)
def test_planes_that_do_not_stay_near_are_not_matched_again_and_again(made, algorithm):
    (plan,) = plan_pass(made, "weight_gradient", batch=8, target=TARGETS["avx512"]).plans
    assert plan.kernel.algorithm == algorithm


def test_many_channels_of_one_group_are_not_matched():
    made = layer((32, 32), 16, 16, 3, padding=1)
    (plan,) = plan_pass(made, "weight_gradient", batch=64, target=TARGETS["avx512"]).plans
    assert plan.kernel.algorithm == "weighted"
