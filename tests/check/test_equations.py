"""Equations from the wild are judged with the reason."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convgrad import Convolution, parse, passes
from convgrad.check.equations import check_equation, check_equations
from convgrad.errors import ConvgradError, EquationError, ParseError
from convgrad.notation.compose import compose
from convgrad.notation.conventions import CONVENTIONS
from convgrad.notation.latex import latex

from .published import PUBLISHED, RIGHT, SECOND, THIRD, UNDER, WRONG

SEED_FORWARD = (
    r"z^l_{i,j,k} = \sum_{c} \sum_{m} \sum_{n} x^{l - 1}_{i + m - 1,j + n - 1,c}"
    r" \cdot w^l_{m,n,c,k}"
)
SEED_7 = (
    r"\begin{align} \delta^l_{m,n,u} &= \sum_{k} \sum_a \sum_b \delta^{l + 1}_{m - a + 1,n - b + 1,k}"  # noqa: E501
    r" \cdot w^{l + 1}_{a,b,u,k}.\label{eq:final1}\tag{7} \end{align}"
)
SEED_8 = SEED_7.replace("a,b,u,k", "a,b,k,u").replace("{7}", "{8}")


@pytest.mark.parametrize("forward", [SEED_FORWARD, None])
def test_seed_equation_7_is_right_for_stride_1(forward):
    report = check_equation(SEED_7, forward)
    assert report.verdict == "right under a condition"
    assert report.conditions == ("stride 1", "no padding")
    assert "indices count from 1" in report.notes


@pytest.mark.parametrize("forward", [SEED_FORWARD, None])
def test_seed_equation_8_exchanges_two_subscripts_of_the_weights(forward):
    report = check_equation(SEED_8, forward)
    assert report.verdict == "wrong"
    assert report.reason.startswith("subscripts 3 and 4 of w are exchanged")
    assert report.correction == "w[a,b,u,k] instead of w[a,b,k,u]"


def test_seed_equation_8_is_right_where_the_forward_pass_stores_the_weights_so():
    forward = SEED_FORWARD.replace("m,n,c,k", "m,n,k,c")
    assert check_equation(SEED_8, forward).verdict == "right under a condition"


def test_jefkine_is_right_for_one_channel_and_stride_1():
    text = (
        r"\frac{\partial E}{\partial x^l_{i^{\prime},j^{\prime}}} = \sum_{m=0}^{k_1-1}"
        r" \sum_{n=0}^{k_2-1} \delta^{l+1}_{i^{\prime}-m,j^{\prime}-n} w^{l+1}_{m,n}"
        r" f'\left(x^l_{i^{\prime},j^{\prime}}\right)"
    )
    report = check_equation(text)
    assert report.gradient == "dx"
    assert report.verdict == "right under a condition"
    assert report.conditions == ("stride 1", "no padding", "one channel", "one filter")


def test_jefkine_weight_gradient():
    text = (
        r"\frac{\partial E}{\partial w^l_{m',n'}} = \sum_{i=0}^{H-k_1} \sum_{j=0}^{W-k_2}"
        r" \delta^{l}_{i,j} o^{l-1}_{i+m',j+n'}"
    )
    report = check_equation(text)
    assert (report.gradient, report.verdict) == ("dw", "right under a condition")


def test_the_tensor_compiler_multiplies_by_the_stride():
    text = "d_I(n, c, h, w) +=! d_O(n, k, sh * h - r_kh, sw * w - r_kw) * W(k, c, r_kh, r_kw)"
    report = check_equation(text)
    assert report.verdict == "wrong"
    assert "multiplies where it must divide" in report.reason
    assert "right only for stride 1" in report.conditions
    assert "(h-r_kh)/sh" in report.correction


@pytest.mark.parametrize(
    "text",
    [
        "dx[n,c,i] = sum(k,t) dz[n,k,(i + p - t)/s] * w[k,c,t]",
        "dx[n,c,i] = sum(k,o,t if s*o + t == i + p) dz[n,k,o] * w[k,c,t]",
        "dx[m,u,y] = sum(f,a) w[f,u,a] * delta[m,f,(y - a + p)/s]",
        "dw[k,c,t] = sum(n,o) dz[n,k,o] * x[n,c,s*o + t - p]",
        "db[k] = sum(n,o) dz[n,k,o]",
        r"\frac{\partial J}{\partial b_k} = \sum_i \sum_j \delta_{i,j,k}",
    ],
)
def test_right_equations_are_right(text):
    assert check_equation(text).verdict == "right"


@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}, {"stride": 3, "dilation": 2}])
def test_our_own_equations_are_right(rank, options):
    derived = passes(Convolution((9,) * rank, 3, 4, 3, **options))
    for found in (derived.dx, derived.dw, derived.db):
        last = found[-1] if isinstance(found, tuple) else found
        assert check_equation(str(getattr(last, "result", last))).is_right


def test_numbers_in_an_equation_are_its_layer():
    report = check_equation("dw[k,c,t] = sum(n,o) dz[n,k,o] * x[n,c,2*o+t-1]")
    assert report.conditions == ("stride 2", "padding 1")


def test_a_rotated_kernel_needs_a_padded_error():
    text = r"\delta^l_{i,j} = \sum_m \sum_n \delta^{l+1}_{i+m,j+n} \text{rot}_{180^\circ}\left(w^{l+1}\right)_{m,n}"  # noqa: E501
    report = check_equation(text)
    assert report.verdict == "right under a condition"
    assert "full correlation" in report.conditions[1]


@pytest.mark.parametrize(
    ("text", "correction"),
    [
        ("dx[i] = sum(t) dz[i + t] * w[t]", "dz[i-t] instead of dz[i+t]"),
        ("dw[t] = sum(o) dz[o] * x[o - t]", "x[o+t] instead of x[o-t]"),
        ("dx[n,c,i] = sum(k,t) dz[n,k,i - t] * w[c,k,t]", "w[k,c,t] instead of w[c,k,t]"),
    ],
)
def test_the_wrong_subscript_is_named(text, correction):
    report = check_equation(text)
    assert report.verdict == "wrong"
    assert report.correction == correction


@pytest.mark.parametrize(
    "text",
    ["dx[i] =", "nonsense", "dx[i] = sum(t) dz[i - t] * w[t] + 3", r"\delta_{i",
     r"dx_i = \sum_{a=j=1} w_j dz_{i-j}", r"dx_i = \sum_{0<mn<3} w_m dz_i"],
)  # fmt: skip
def test_texts_that_are_no_equations_say_where(text):
    with pytest.raises(ParseError) as error:
        check_equation(text)
    assert "column" in str(error.value)


@pytest.mark.parametrize(
    ("chain", "read"),
    [(r"0 \le j < 4", "j=0..3"), ("0<=j<4", "j=0..3"), ("0<j<=3", "j=1..3"), ("-1<j<4", "j=0..3"),
     (r"4>j\ge 0", "j if 0 <= j < 4"), (r"4>j\geqslant 0", "j if 0 <= j < 4")],
)  # fmt: skip
def test_a_range_may_be_written_as_a_chain_of_comparisons(chain, read):
    report = check_equation(rf"dx_i = \sum_{{{chain}}} w_j dz_{{i-j}}")
    assert f"sum({read})" in report.equation


def test_factors_that_are_no_backward_pass_are_refused():
    with pytest.raises(ConvgradError, match="not those of a backward pass"):
        check_equation("dx[i] = sum(t) q[i - t] * r[t]")


def test_the_report_is_plain_data():
    assert check_equation("db[k] = sum(n,o) dz[n,k,o]").as_json()["version"] == 1


@pytest.mark.parametrize("case", [*PUBLISHED, *SECOND, *THIRD], ids=lambda case: case.name)
def test_published_equations_are_judged_with_the_reason(case):
    report = check_equation(case.text, case.forward)
    assert (report.gradient, report.verdict) == (case.gradient, case.verdict)
    said = "".join(str(report).split())
    assert [words for words in case.says if words.replace(" ", "") not in said] == []


def test_a_wrong_equation_comes_back_whole_and_right():
    for case in (*PUBLISHED, *SECOND, *THIRD):
        report = check_equation(case.text, case.forward)
        if report.corrected:
            assert check_equation(report.corrected, case.forward).is_right, case.name


@pytest.mark.parametrize("way", CONVENTIONS.values(), ids=lambda way: way.name)
@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}])
def test_our_own_latex_is_read_back_and_right(way, options):
    channels, filters = (1, 1) if way.single_channel else (3, 4)
    derived = passes(Convolution((9, 8), channels, filters, 3, **options)).gradients
    for name, equations in derived.items():
        shown = way.for_input() if name == "dx" else way
        assert check_equation(latex(compose(equations[-1], shown))).is_right


def test_every_equation_of_an_align_has_its_verdict():
    text = r"""\begin{align}
        dW_{k,c,a,b} &= \sum_{n,i,j} \delta_{n,k,i,j} X_{n,c,i+a,j+b} \\
        db_k &= \sum_{n,i,j} \delta_{n,k,i,j} \\
        dX_{n,c,i,j} &= \sum_{k,a,b} \delta_{n,k,i+a,j+b} W_{k,c,a,b}
    \end{align}"""
    reports = check_equations(text)
    assert [r.gradient for r in reports] == ["dw", "db", "dx"]
    assert [r.is_right for r in reports] == [True, True, False]
    with pytest.raises(EquationError, match="3 equations"):
        check_equation(text)


def test_latex_and_index_notation_are_the_same_equation():
    page = r"\bar{x}_{i} = \sum_{t=0}^{T-1} \bar{z}_{\frac{i-t}{s}} w_{t}"
    assert parse(page) == parse("dx[i] = sum(t) dz[(i - t)/s] * w[t]")


def test_counting_from_1_is_undone_in_reading():
    assert parse(r"z_i = \sum_{a=1}^{T} x_{i+a-1} w_a", first=1) == parse(
        "z[i] = sum(a) x[i + a] * w[a] for a < T"
    )


def test_what_no_affine_form_says_is_refused_by_the_algebra():
    with pytest.raises(EquationError, match="rounded"):
        parse(r"dx_i = \sum_t dz_{\lfloor (i-t)/s \rfloor} w_t")
    with pytest.raises(EquationError, match="1/N is no number"):
        parse(r"db_k = \frac{1}{N} \sum_n dz_{n,k}")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("dx[i] = sum(t=0..2) dz[i - t] * w[t]", "right under a condition"),
        (r"dx_i = \sum_{t=1}^{T-1} dz_{i-t} w_t", "wrong"),
        ("dx[i] = sum(t if 0 <= i - t < O) dz[i - t] * w[t]", "right under a condition"),
        ("dx[i] = sum(t if 1 <= i - t < O) dz[i - t] * w[t]", "wrong"),
        ("dx[i] = sum(t if (i - t) % 2 == 0) dz[i - t] * w[t]", "wrong"),
        ("dx[i] = sum(t if (i - t) % s == 0) dz[(i - t)/s] * w[t]", "right under a condition"),
    ],
)
def test_the_ranges_of_sums_are_proved(text, verdict):
    assert check_equation(text).verdict == verdict


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("dw[k,c,t] = sum(n,o) dz[n,k,o] * w[k,c,t]", "weights stand where the input belongs"),
        ("dx[n,c,i] = sum(k,t,o) dz[n,k,i - t] * w[k,c,t]", "again and again"),
        ("db[k] = 2 * sum(n,o) dz[n,k,o]", "factor 2"),
        ("db[k] = sum(n) dz[n,k,o]", "nothing sums over o"),
    ],
)
def test_other_mistakes_have_their_reason(text, reason):
    report = check_equation(text)
    assert report.verdict == "wrong"
    assert reason in report.reason


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("dx[n,c,s*h-i+p,s*w+j-p] += dz[n,k,h,w] * w[k,c,i,j]", WRONG),
        (
            r"dx_i = \sum_{o=\lceil (i-K+2)/s \rceil}^{\lfloor i/s \rfloor} \delta_o w_{i - s o}",
            UNDER,
        ),
        (
            r"dx_i = \sum_{o=\lfloor (i-K+1)/s \rfloor}^{\lfloor i/s \rfloor} \delta_o w_{i - s o}",
            UNDER,
        ),
        (
            r"dx_i = \sum_{o=\lceil (i-K+1)/s \rceil}^{\lceil i/s \rceil} \delta_o w_{i - s o}",
            UNDER,
        ),
        (
            r"dx_i = \sum_{o=\lceil (i-K+1)/s \rceil}^{\lfloor (i-1)/s \rfloor} \delta_o w_{i-so}",
            WRONG,
        ),
        (r"dx_i = \sum_t [(i + p - t) \bmod s = 1] \delta_{(i+p-t)/s} w_t", WRONG),
        (r"dx_i = \sum_t [(i + p - t) \bmod s = 0] \delta_{\lfloor (i+p-t)/s \rfloor} w_t", UNDER),
        (r"dx_{c,i} = \sum_{c'} \sum_t \delta_{c',i-t} w_{c',t}", WRONG),
        (r"dw_{c,t} = \sum_{n,o} \delta_{n,c,o} x_{n,c,s o+t}", UNDER),
        (r"dw_{c,t} = \sum_{n,o} \delta_{n,c,o} x_{n,c,s o-t}", WRONG),
        ("z[n,k,o] = sum(c,t) x[n,c,s*o+d*t-p] * w[k,c,t] + b[k]", RIGHT),
        ("z[n,k,o] = sum(c,t) x[n,c,s*o+d*t-p] * w[k,c,t] + b[n]", WRONG),
        ("z[n,k,o] = sum(c,t) x[n,c,s*o-t] * w[k,c,t] + b[k]", UNDER),
        ("z[n,k,o] = sum(t) x[n,c,s*o+t] * w[k,c,t] + b[k]", WRONG),
        ("z[n,k,o] = b[k] + sum(c,t) x[n,c,o+t] * w[k,c,t]", UNDER),
        (r"dx_i = \sum_{t} \delta_{2t} w_{i-2t} + \sum_t \delta_{t} w_{i-t}", WRONG),
        (r"dx_i = \sum_{t} \delta_{2t} w_{i-2t} + \sum_t \delta_{2t} w_{i-2t}", WRONG),
        (r"dx_i = \sum_{t} \delta_{i-2t} w_{2t} + \sum_t \delta_{i-2t-1} w_{2t+1}", UNDER),
        (r"dx_i = \sum_{a \ge 1} \delta_{i-a} w_a", WRONG),
        (r"dx_i = \sum_{a > 0} \delta_{i-a} w_a", WRONG),
        (r"dx_i = \sum_{a < T} \delta_{i-a} w_a", UNDER),
        (r"dx_i = \sum_{0 \le a < T} \delta_{i-a} w_a", UNDER),
        (r"dx_i = \sum_{0 \le a \le T-1} \delta_{i-a} w_a", UNDER),
        (r"dx_i = \sum_{0 < a \le T-1} \delta_{i-a} w_a", WRONG),
        (r"dx_i = \sum_{0 \le a < T-1} \delta_{i-a} w_a", UNDER),
        (r"dx_m = \sum_{m - a < K-1} \delta_{a} w_{m-a}", UNDER),
        (r"dx_m = \sum_{a \le m} \delta_{a} w_{m-a}", UNDER),
        (r"dx_m = \sum_{a < m} \delta_{a} w_{m-a}", WRONG),
        (r"dw_{k,c,t} = \sum_{n,o} \delta_{n,k,o} x_{n,c,o+t} + \lambda w_{k,c,t}", UNDER),
        (r"w_{k,c,t} = \sum_{n,o} \delta_{n,k,o} x_{n,c,o+t}", UNDER),
        (
            r"\frac{\partial L}{\partial x_{ij}} = \sum_{m}\sum_{n} \delta_{i+m,j+n} \tilde w_{mn}",
            UNDER,
        ),
        (r"dx_{n,g,c,i} = \sum_{k,t} \delta_{n,g,k,i-t} w_{g,k,c,t}", UNDER),
        ("dx[i] = sum(t) dz[(i-t)//s] * w[t]", WRONG),
        ("dx[i] = sum(t) [(i-t) % s == 0] * dz[(i-t)//s] * w[t]", UNDER),
        ("dx[i] = sum(o=ceil((i-K+1)/s)..floor(i/s)) dz[o] * w[i-s*o]", UNDER),
        (r"dx_{i} = \sum_{k=1}^{K}\sum_{t} \delta_{k,i-t} w_{k,t}", UNDER),
    ],
)
def test_one_change_makes_a_right_equation_wrong(text, verdict):
    assert check_equation(text).verdict == verdict


TRANSPOSED = r"y_{k,i} = \sum_c \sum_o x_{c,o} w_{c,k,i - s o}"


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (r"\frac{\partial L}{\partial w_{c,k,t}} = \sum_o x_{c,o} \delta_{k, s o + t}", UNDER),
        (
            r"\frac{\partial L}{\partial x_{c,o}} = \sum_k \sum_t \delta_{k, s o - t} w_{c,k,t}",
            WRONG,
        ),
        (
            r"\frac{\partial L}{\partial x_{c,o}} = \sum_k \sum_t \delta_{k, (o-t)/s} w_{c,k,t}",
            WRONG,
        ),
    ],
)
def test_gradients_of_a_transposed_layer_need_its_forward_pass(text, verdict):
    report = check_equation(text, TRANSPOSED)
    assert report.verdict == verdict
    assert "s·i + d·t" in report.derived or report.gradient == "dw"


def test_a_limit_says_what_its_letter_must_be():
    report = check_equation(r"dx_i = \sum_{0 \le a < T-1} \delta_{i-a} w_a")
    assert "the kernel has T - 1 taps" in report.conditions


def test_a_forward_pass_is_judged_too():
    report = check_equation("z[n,k,o] = b[n] + sum(c,t) x[n,c,o+t] * w[k,c,t]")
    assert (report.gradient, report.verdict) == ("forward", "wrong")
    assert report.correction == "b[k] instead of b[n]"


def test_a_penalty_on_the_weights_belongs_to_the_loss():
    report = check_equation("dw[k,c,t] = sum(n,o) dz[n,k,o] * x[n,c,o+t] + lambda * w[k,c,t]")
    assert report.is_right
    assert any("penalty on the weights" in condition for condition in report.conditions)


def test_a_sum_of_products_is_corrected_whole():
    report = check_equation("dx[i] = sum(t) dz[i-2*t] * w[2*t] + sum(t) dz[i+2*t+1] * w[2*t+1]")
    assert report.verdict == "wrong"
    assert report.corrected.startswith("dx[i] = sum(t) dz[i-2*t] * w[2*t] + sum(t) ")
    assert check_equation(report.corrected).is_right


PIECES = [
    "\\",
    "{",
    "}",
    "_",
    "^",
    "\\frac",
    "\\sum",
    "=",
    "(",
    ")",
    "[",
    "]",
    ",",
    "*",
    "/",
    "0",
    "'",
]


@given(
    st.sampled_from([case.text for case in (*PUBLISHED, *SECOND, *THIRD)]),
    st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 4), st.sampled_from(["", *PIECES])),
        min_size=1,
        max_size=3,
    ),
)
@settings(max_examples=150, deadline=None)
def test_a_mistyped_equation_is_judged_or_refused_with_a_reason(text, edits):
    for place, gone, piece in edits:
        at = int(place * len(text))
        text = text[:at] + piece + text[at + gone :]
    try:
        reports = check_equations(text)
    except ConvgradError:
        return
    assert all(report.verdict in {"right", UNDER, "wrong"} for report in reports)


@pytest.mark.parametrize(
    "text",
    [r"\delta^l = \delta^{l+1} * rot180(w^{l+1})", r"\delta^l = rot180(w^{l+1}) * \delta^{l+1}",
     r"\delta_{i,j} = \sum_{m,n} \delta^{l+1}_{i+m,j+n} rot180(w)_{m,n}",
     "dx = rot180(w) * dz", "dX = dZ * rot180(W)"],
)  # fmt: skip
def test_a_turned_kernel_needs_no_upright_letters(text):
    report = check_equation(text)
    assert report.gradient == "dx"
    assert report.verdict == "right under a condition"
    assert "stride 1" in report.conditions


@pytest.mark.parametrize(
    "call",
    [r"\text{full-conv}(\delta, \text{rot180}(W))",
     r"\mathrm{conv}(\mathrm{pad}(dZ), \mathrm{rot180}(W))",
     "full_conv(dZ, rot180(W))", r"\operatorname{full\_conv}(dZ, rot180(W))",
     "conv2d(pad(dZ, K-1), rot180(W))"],
)  # fmt: skip
def test_an_operation_may_be_written_as_a_call(call):
    report = check_equation(f"dX = {call}")
    by_sign = check_equation(r"dX = dZ * \text{rot180}(W)")
    assert (report.gradient, report.verdict) == ("dx", "right under a condition")
    assert report.conditions == by_sign.conditions


def test_a_call_with_its_arguments_exchanged_is_wrong():
    assert check_equation("dW = correlate(X, dZ)").verdict == "right under a condition"
    assert check_equation("dW = correlate(dZ, X)").verdict == "wrong"


def test_a_call_of_three_arguments_is_not_guessed_at():
    with pytest.raises(ConvgradError, match="not those of a backward pass"):
        check_equation("dX = conv(dZ, W, mode)")


@pytest.mark.parametrize(
    ("text", "verdict"),
    [("dx[n,c,i] = sum_{k,t} dz[n,k,i+p-t] * w[k,c,t]", "right under a condition"),
     ("dx_{n,c,i} = sum_{k,t} dz_{n,k,i+t} w_{k,c,t}", "wrong"),
     (r"\frac{\partial L}{\partial b_k} = sum_{n,h,w} \delta_{n,k,h,w}", "right")],
)  # fmt: skip
def test_a_sum_needs_no_backslash(text, verdict):
    assert check_equation(text).verdict == verdict


def test_a_turned_error_says_which_part_of_the_convolution_the_gradient_is():
    report = check_equation("dw = x * rot180(dz)")
    assert report.verdict == "right under a condition"
    assert any("the error lies inside the input" in c for c in report.conditions)
    assert not any("padded by the kernel" in c for c in report.conditions)


def test_a_correction_is_written_as_the_page_writes_its_groups():
    report = check_equation("dx[n,g*C'+c,i] = sum(k,t) dz[n,g*K'+k,i+p+t] * w[g*K'+k,c,t]")
    assert report.correction == "dz[n,K'*g+k,i-t+p] instead of dz[n,K'*g+k,i+t+p]"
    assert report.corrected == ("dx[n,C'*g+c,i] = sum(k, t) dz[n,K'*g+k,i-t+p] * w[K'*g+k,c,t]")
    assert check_equation(report.corrected).verdict == "right under a condition"


def test_only_what_the_page_writes_together_is_corrected_so():
    report = check_equation("dx[n,g,c,i] = sum(k,t) dz[n,g*K'+k,i+p+t] * w[g,k,c,t]")
    assert report.corrected == "dx[n,g,c,i] = sum(k, t) dz[n,K'*g+k,i-t+p] * w[g,k,c,t]"


@pytest.mark.parametrize("channels", ["{0}C'+c", "({0}-1)C'+c"])
def test_groups_may_count_from_zero_where_taps_count_from_one(channels):
    c, k = (channels.format("g").replace("C'+c", f"{many}'+{one}") for many, one in ("Cc", "Kk"))
    text = rf"dx_{{n,{c},i}} = \sum_{{k,t=1}}^{{T}} dz_{{n,{k},i+p-t+1}} w_{{{k},c,t}}"
    report = check_equation(text)
    assert report.verdict == "right under a condition"
    wrong = check_equation(text.replace("-t+1", "+t-1"))
    assert wrong.verdict == "wrong"
    assert check_equation(wrong.corrected).verdict == "right under a condition"
