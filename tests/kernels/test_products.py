"""Fully connected layers: sums in which nothing slides are products of matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import passes
from shapes import arrays, integers, layer, operands
from test_arrays import Fence
from test_passes import NAMES, QUICK

from convgrad import reference
from convgrad.kernels import plan_pass, run
from convgrad.kernels.layers import contractions
from convgrad.kernels.product import product_of
from convgrad.kernels.target import host_target


@st.composite
def connected(draw):
    """Layers whose kernel is as large as their image, or whose images are a single position."""
    rank, groups = draw(st.sampled_from((1, 2, 3))), draw(st.sampled_from((1, 1, 2, 3)))
    side = tuple(draw(st.sampled_from((1, 1, 2, 5))) for _ in range(rank))
    transposed = draw(st.booleans())
    return layer(
        (1,) * rank if transposed else side,
        groups * draw(st.sampled_from((1, 3, 16, 35))),
        groups * draw(st.sampled_from((1, 2, 17, 70))),
        side,
        stride=draw(st.sampled_from((1, 2))),
        groups=groups,
        flipped=draw(st.booleans()),
        transposed=transposed,
    )


numbers = st.sampled_from(("float32", "float64"))


@pytest.mark.parametrize("algorithm", ["matrix", "dotted"])
@QUICK
@given(connected(), st.sampled_from((1, 2, 3, 8, 17)), numbers)
def test_a_fully_connected_layer_equals_the_oracle_inside_its_arrays(
    algorithm, made, batch, number
):
    fence = Fence()
    x, w, dz = (fence.hold(a, front=batch > 2) for a in arrays(made, batch, number))
    for name, expected in zip(NAMES, passes(made, x, w, dz), strict=True):
        out = fence.hold(np.full_like(expected, 7), front=False)
        got = run(name, made, *operands(name, x, w, dz), out=out, algorithm=algorithm)
        if got is not None:
            np.testing.assert_array_equal(got, expected, err_msg=f"{name} {made}")


@QUICK
@given(connected(), st.sampled_from((1, 2, 8)), numbers)
def test_its_bias_is_added_once(made, batch, number):
    x, w, _ = arrays(made, batch, number)
    b = integers(made.filters, number, seed=5)
    for algorithm in ("matrix", "dotted"):
        got = run("forward", made, x, w, b, algorithm=algorithm)
        if got is not None:
            np.testing.assert_array_equal(got, reference.forward(made, x, w, b))


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [("forward", "dotted"), ("input_gradient", "matrix"), ("weight_gradient", "matrix")],
)
@pytest.mark.parametrize(
    "made",
    [layer((1, 1), 48, 1152, 1), layer((5, 5), 16, 120, 5), layer((4, 3, 2), 6, 9, (4, 3, 2))],
)
def test_no_pass_of_it_packs_anything(made, name, algorithm):
    program = plan_pass(made, name, batch=8, target=host_target(), algorithm=algorithm)
    assert program is not None
    assert program.workspace(2) == 0


@pytest.mark.parametrize(
    "made",
    [
        layer((5, 5), 3, 4, 3),
        layer((3, 3), 3, 4, 3, padding=1),
        layer((4, 4), 3, 4, 1, stride=3),
        layer((1, 1), 3, 4, 3, padding=2),
    ],
)
def test_a_sum_in_which_something_slides_is_no_product(made):
    (item,) = contractions(made, 2, "forward")
    assert product_of(item) is None
