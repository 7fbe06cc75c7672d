"""The engine against everything else: one layer after the other, all exact, all equal."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convgrad
from convgrad.algebra.phases import phases
from convgrad.exact.coefficients import compare_coefficients, compare_layer
from convgrad.exact.literal import evaluate_literally
from convgrad.exact.proof import COEFFICIENTS, COMPLETE, IDENTITY, inputs_of, prove, run
from convgrad.letters import letter_values
from tests.conftest import examples
from tests.layers import layers

BATCH = 2


def integers(shape, seed):
    return np.random.default_rng(seed).integers(-5, 6, size=shape)


def user_arrays(layer, seed=0):
    """x, w, b and dz as a user has them."""
    return {
        "x": integers((BATCH, layer.in_channels, *layer.input_size), seed),
        "w": integers(layer.weight_shape, seed + 1),
        "b": integers(layer.bias_shape or (1,), seed + 2),
        "dz": integers((BATCH, layer.filters, *layer.output_size), seed + 3),
    }


def for_equations(arrays, equations):
    """The same arrays with their channel axes split into groups where the equations say so."""
    shapes = {name: tuple(map(int, map(str, t.shape))) for name, t in inputs_of(equations).items()}
    return {name: arrays[name].reshape(shape) for name, shape in shapes.items()}


def options(layer):
    found = {
        "stride": layer.stride,
        "padding": layer.padding,
        "dilation": layer.dilation,
        "groups": layer.groups,
        "flipped": layer.flipped,
    }
    if layer.transposed:
        found["output_padding"] = layer.output_padding
    else:
        found["padding_mode"] = layer.padding_mode
    return found


def numpy_passes(layer, arrays):
    """z, dx, dw, db by the functions on arrays."""
    x, w, b, dz = (arrays[name] for name in ("x", "w", "b", "dz"))
    forward = convgrad.conv_transpose if layer.transposed else convgrad.conv
    bias = "position" if layer.bias == "position" else "filter"
    dx, dw, db = convgrad.conv_backward(
        dz, x, w, transposed=layer.transposed, bias=bias, **options(layer)
    )
    z = forward(x, w, None if layer.bias == "none" else b, **options(layer))
    return {"z": z, "dx": dx, "dw": dw, "db": db}


def engine_passes(layer):
    """The equations of all passes for the batch."""
    found = convgrad.passes(layer)
    every = {"z": found.forward, **found.gradients}
    return {
        name: [equation.with_sizes({"N": BATCH}) for equation in part]
        for name, part in every.items()
    }


def test_the_random_layers_are_of_every_kind():
    """A test of the tests: what the properties below are said to cover does occur."""
    from math import gcd

    seen = set()

    @settings(max_examples=600, database=None, derandomize=True)
    @given(layers())
    def look(layer):
        axes = layer.axes
        kinds = {
            "rank": layer.rank,
            "transposed": layer.transposed,
            "flipped": layer.flipped,
            "groups": layer.groups > 1,
            "bias": layer.bias,
            "mode": layer.padding_mode,
            "crop": any(min(axis.before, axis.after) < 0 for axis in axes),
            "uneven": any(axis.before != axis.after for axis in axes),
            "kernel beyond the input": any(axis.extent > axis.input for axis in axes),
            "stride beyond the kernel": any(axis.stride > axis.extent for axis in axes),
            "common factor": any(gcd(axis.stride, axis.dilation) > 1 for axis in axes),
            "rows left over": any(axis.unreached for axis in axes),
            "output padding": any(layer.output_padding),
        }
        seen.update(kinds.items())

    look()
    for name in ("transposed", "flipped", "groups", "crop", "uneven", "kernel beyond the input"):
        assert {(name, True), (name, False)} <= seen, name
    for name in ("stride beyond the kernel", "common factor", "rows left over", "output padding"):
        assert {(name, True), (name, False)} <= seen, name
    assert {("rank", rank) for rank in (1, 2, 3, 4)} <= seen
    assert {("bias", kind) for kind in ("filter", "none", "position")} <= seen
    assert {("mode", kind) for kind in ("zeros", "reflect", "replicate", "circular")} <= seen


@examples(2000)
@given(layers(), st.integers(0, 1000))
def test_every_pass_of_any_layer_is_the_same_by_equation_and_on_arrays(layer, seed):
    arrays = user_arrays(layer, seed)
    on_arrays = numpy_passes(layer, arrays)
    for name, equations in engine_passes(layer).items():
        by_equation = run(equations, for_equations(arrays, equations))
        assert np.array_equal(by_equation.reshape(on_arrays[name].shape), on_arrays[name]), name


@examples(2000)
@given(layers())
def test_the_gradients_of_any_layer_equal_the_exact_difference_quotient(layer):
    for proof in prove(layer, batch=1):
        assert proof.holds, (layer, proof)


@examples(500)
@given(layers())
def test_every_coefficient_of_the_gradients_of_any_layer_is_that_of_the_forward_pass(layer):
    for name, outcome in compare_layer(layer).items():
        assert outcome is None or outcome.holds, (layer, name)


@examples(100)
@given(layers(max_rank=2))
def test_the_literal_and_the_vectorised_evaluation_agree(layer):
    arrays = user_arrays(layer)
    for equations in engine_passes(layer).values():
        known = for_equations(arrays, equations)
        slow = dict(known)
        for equation in equations:
            slow[equation.target.tensor.name] = evaluate_literally(equation, slow)
        last = equations[-1].target.tensor.name
        assert np.array_equal(slow[last], run(equations, known))


@examples(300)
@given(layers())
def test_the_phases_of_any_layer_put_together_are_the_whole_gradient(layer):
    arrays = user_arrays(layer)
    for name, equations in engine_passes(layer).items():
        known = for_equations(arrays, equations)
        whole = run(equations[:1], known)
        parts = np.zeros_like(whole)
        written = np.zeros(whole.shape, int)
        for phase in phases(equations[0]):
            assert all("%" not in str(c) for t in phase.equation.terms for c in t.conditions)
            parts = parts + run([phase.equation], known)
            walks = {p.of: p.values for p in phase.positions}
            indices = equations[0].indices
            places = [walks.get(i.name, range(int(str(i.extent)))) for i in indices]
            written[np.ix_(*places)] += 1
        assert np.array_equal(parts, whole), name
        assert (written == 1).all(), "the phases are a partition"


@examples(300)
@given(layers(transposed=False, zero_padding_only=True))
def test_the_input_gradient_is_a_cross_correlation_with_the_turned_kernel(layer):
    arrays = user_arrays(layer)
    (dx,) = engine_passes(layer)["dx"]
    found = convgrad.as_cross_correlation(dx)
    known = for_equations(arrays, [dx])
    if layer.flipped:
        return  # its taps run along the input already; see the test below
    assert np.array_equal(run(found.equations, known), run([dx], known))


@examples(200)
@given(layers(max_rank=2))
def test_the_double_backward_equals_its_own_difference_quotient(layer):
    for derivation in convgrad.passes(layer).dx:
        equation = derivation.result.with_sizes({"N": 1})
        for name in equation.inputs:
            gradient = convgrad.differentiate(equation, name).result
            proof = convgrad.exact.proof.prove_gradient([equation], [gradient], name)
            assert proof.holds, (layer, proof)


@examples(100)
@given(layers(max_rank=3))
def test_numbers_put_into_the_general_equations_give_the_layers_own_values(layer):
    arrays = user_arrays(layer)
    general = convgrad.passes(layer, symbolic=True)
    sizes = letter_values(layer, BATCH)
    every = {"z": general.forward, **general.gradients}
    for name, equations in engine_passes(layer).items():
        put = [equation.with_sizes(sizes) for equation in every[name]]
        if layer.padding_mode != "zeros" and any(min(pair) < 0 for pair in layer.padding):
            continue  # the letters p and q stand for padding, not for crops
        known = for_equations(arrays, [*put, *equations])
        assert np.array_equal(run(put, known), run(equations, known)), name


@pytest.mark.parametrize("method", [COMPLETE, IDENTITY])
@pytest.mark.parametrize("planted", ["shape", "stride", "range"])
def test_a_wrong_gradient_is_found_by_both_methods(method, planted):
    layer = convgrad.Convolution(7, 2, 3, 3, stride=2, padding=1)
    forward = [e.with_sizes({"N": 2}) for e in convgrad.passes(layer).forward]
    right = "(i - t + 1) % 2 == 0, 0 <= (i - t + 1)/2 < 4"
    wrong = {
        "shape": right.replace("i - t + 1", "i - t + 2"),
        "stride": "0 <= (i - t + 1) < 4",
        "range": right.replace("< 4", "< 3"),
    }[planted]
    place = wrong.split("<= ")[1].split(" <")[0]
    claimed = convgrad.parse(
        f"dx[n,c,i] = sum(k,t if {wrong}) dz[n,k,{place}] * w[k,c,t] "
        "for n < 2, c < 2, i < 7, k < 3, t < 3 with dz[2,3,4]"
    )
    proof = convgrad.exact.proof.prove_gradient(forward, [claimed], "x", method=method)
    assert not proof.holds
    assert proof.counterexample
    assert not compare_coefficients(forward[0], claimed, "x").holds


def test_the_identity_test_holds_for_a_layer_of_a_real_network():
    layer = convgrad.Convolution((28, 28), 128, 128, 3, stride=2, padding=1)
    proofs = prove(layer, batch=1)
    assert all(proof.holds and proof.method == IDENTITY for proof in proofs)
    assert all(0 < proof.error < 1e-17 for proof in proofs)
    complete = prove(layer, batch=1, method=COEFFICIENTS)
    assert all(proof.holds and proof.method == COEFFICIENTS for proof in complete)
