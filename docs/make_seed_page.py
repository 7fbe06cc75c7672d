"""Writes docs/seed.md: the question that this project answers, with every equation derived here.

    python docs/make_seed_page.py          write the page
    python docs/make_seed_page.py --check  exit with 1 where the page is not what would be written

Nothing on the page is typed in: the equations come from the engine in the notation of the
question, the numbers from running the passes.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import convgrad
from convgrad import Convolution, differentiate, missing_conditions, parse, passes
from convgrad.algebra.correlation import as_cross_correlation
from convgrad.algebra.expression import Access, Equation, Tensor, Term
from convgrad.algebra.windows import derive_by_windows
from convgrad.exact.proof import prove_gradient
from convgrad.files import write_text
from convgrad.notation.compose import compose, compose_condition, compose_size
from convgrad.notation.conventions import JEFKINE, SEED, convention
from convgrad.notation.latex import latex

if TYPE_CHECKING:
    from convgrad.algebra.differentiate import Derivation

PAGE = Path(__file__).parent / "seed.md"

STRIDE_ONE = {"s_h": 1, "s_w": 1, "d_h": 1, "d_w": 1, "p_h": 0, "p_w": 0}
"""The answer's case: stride 1, no padding, no dilation; all other sizes stay letters."""


def seed_forward() -> Equation:
    """The forward pass of the answer, its sizes letters."""
    layer = Convolution((32, 32), 3, 20, 5)
    return passes(layer, symbolic=True).forward[0].with_sizes(STRIDE_ONE)


def seed_derivation() -> Derivation:
    """The answer's derivation: the steps after the forward pass are its equations (1) to (7)."""
    names = {"th": "p", "tw": "q", "c": "r"}
    return derive_by_windows(seed_forward(), "x", auxiliary=names)


def with_scalar_bias(forward: Equation) -> Equation:
    """The same forward pass with one bias for all filters."""

    def term(old: Term) -> Term:
        one = [Access(Tensor("b", ())) if a.tensor.name == "b" else a for a in old.accesses]
        return replace(old, factors=tuple(one))

    return replace(forward, terms=tuple(term(old) for old in forward.terms))


def equation_eight() -> Equation:
    """The answer's equation (8) as written, counted from 0, with the shapes that w and dz have."""
    return parse(
        "dx[m,n,u] = sum(k,a,b) dz[m-a,n-b,k] * w[a,b,k,u] "
        "for m < I_h, n < I_w, u < C, k < K, a < T_h, b < T_w with dz[O_h,O_w,K], w[T_h,T_w,C,K]",
        zero_outside=False,
    )


def page() -> str:
    """The text of the page."""
    parts = [
        "# The question, answered",
        "<!-- written by docs/make_seed_page.py -->",
        "The question: *Backpropagation of convolutional neural network - confusion* "
        "(https://datascience.stackexchange.com/q/35734, CC BY-SA). It asks where the third "
        "dimension, the stride and the number of filters go in the equations that Jefkine "
        "derives for one channel and one filter, and how the bias is done. An answer derives the "
        "case of several channels and filters with stride 1, and leaves the rest open. Below, "
        "its equations as this library derives them from the forward sum, in its own letters "
        "(`--notation seed`), then what does not hold in them as written, then what it left open.",
        *forward_and_seven(),
        *what_does_not_hold(),
        *exercise(),
        *open_cases(),
        *correlation(),
        *aggarwal(),
        *jefkine(),
    ]
    return "\n\n".join(parts) + "\n"


def forward_and_seven() -> list[str]:
    """The forward pass and equations (1) to (7)."""
    derivation = seed_derivation()
    parts = ["## Equations (1) to (7)", "The forward sum, from which all else follows:"]
    parts.append(display(derivation.steps[0].equation, "forward"))
    for number, step in enumerate(derivation.steps[1:], 1):
        parts.append(display(step.equation, f"{number}", of_input=True))
        parts.append(f"*{step.rule.name}*: {step.rule.statement}")
    return parts


def what_does_not_hold() -> list[str]:
    """Equation (8), the scalar bias and the missing ranges, with the engine's reasons."""
    eight = equation_eight()
    missing = missing_conditions(eight)
    kernel = [f"`{c}` for `{a}`" for a, c in missing if a.tensor.name == "w"]
    error = [f"`{c}`" for a, c in missing if a.tensor.name == "dz"]
    guarded = parse(
        str(eight) + " for m < 5, n < 5, u < 2, k < 2, a < 2, b < 2 with dz[4,4,2], w[2,2,2,2]"
    )
    forward = parse(
        "z[i,j,k] = sum(c,a,b) x[i+a,j+b,c] * w[a,b,c,k] "
        "for i < 4, j < 4, k < 2, c < 2, a < 2, b < 2 with x[5,5,2]"
    )
    proof = prove_gradient([forward], [guarded], "x", method="", seed=0)
    scalar = with_scalar_bias(seed_forward())
    return [
        "## What does not hold as written",
        "**Equation (8)** exchanges two indices of the kernel. The engine reads it against the "
        "shapes $w_{a,b,c,k}$ with $c \\le C$, $k \\le K$ and lists what would have to hold so "
        "that no element outside is read: " + "; ".join(kernel) + ". With C and K different one "
        "of them fails: k leaves the range of the third subscript as soon as K > C, u that of the "
        "fourth as soon as C > K.",
        f"With C = K = 2 nothing is read outside, and it is still wrong: "
        f"{proof}. It would hold for a new array in place of $w$ whose last two axes were "
        "exchanged beforehand.",
        "**The range of the error is missing.** In (1) to (8) the error is read at "
        "$m - a + 1$, $n - b + 1$, also where the output has no such entry. The condition that "
        "the engine leaves behind when it solves for the output index is "
        f"{' and '.join(error)} (counted from 0); the error is to be taken as 0 outside.",
        *(
            f"$$ {latex(compose_condition(condition, SEED.for_input()))} $$"
            for term in seed_derivation().result.terms
            for condition in term.conditions
        ),
        "**One bias for all filters.** The forward pass is written with $b^l$, one number. The "
        "question asks for one bias per filter, $b^l_k$. They differ in what the gradient is "
        "summed over:",
        display(scalar, "one bias"),
        display(differentiate(scalar, "b").result, "its gradient"),
        display(passes_of(seed_forward(), "b"), "the gradient of one bias per filter"),
    ]


def exercise() -> list[str]:
    """The weights and the bias."""
    return [
        "## The exercise",
        'The answer leaves the weights and the bias "as exercise". The engine\'s result, stride 1:',
        display(passes_of(seed_forward(), "w"), "weights"),
        display(passes_of(seed_forward(), "b"), "bias, one per filter"),
    ]


def open_cases() -> list[str]:
    """Stride, and several filters with depth: what the asker could not find."""
    layer = Convolution((32, 32), 3, 20, 5, stride=2, padding=1)
    found = passes(layer)
    general = passes(layer, symbolic=True)
    way = replace(SEED, show_conditions=True)
    return [
        "## The two cases that were asked for",
        "Several filters and depth are in all equations above: c counts the channels, k the "
        "filters. With a stride $s$, a padding $p$ and a dilation $d$ (each for its axis), the "
        "error is read only where the stride divides:",
        f"$$ {latex(compose(general.dx[0].result, way.for_input()))} $$",
        f"$$ {latex(compose(general.dw.result, way))} $$",
        f"$$ {latex(compose(found.db.result, way))} $$" if found.db else "",
        f"For 20 filters of 5x5x3, stride 2, padding 1 on a picture of 32x32x3 ({layer}):",
        f"$$ {latex(compose(found.dx[0].result, way.for_input()))} $$",
        f"$$ {latex(compose(found.dw.result, way))} $$",
        "`convgrad explain --input 3x32x32 --filters 20 --kernel 5x5 --stride 2 --padding 1 "
        "--notation seed` prints these with the reasons, an example in integers and NumPy code.",
    ]


def correlation() -> list[str]:
    """The idea that was welcome: the input gradient as a 3D cross-correlation."""
    forward = seed_forward()
    found = as_cross_correlation(differentiate(forward, "x").result)
    way = convention("seed", {"rh": "a", "rw": "b", "ih": "m", "iw": "n"})
    way = replace(way.for_input(), show_conditions=True)
    return [
        "## The cross-correlation",
        '"This standard 3D convolution may surely be expressed as a 3D cross-correlation. Ideas '
        'are welcome." Count the taps from the other end: with',
        f"$$ {latex(compose(found.kernel, way))} $$",
        "the kernel turned by 180 degrees in each plane, its channel and filter axes exchanged, "
        "the input gradient is the cross-correlation of the error, padded by "
        f"{' and '.join(f'${latex(compose_size(size))}$' for size in found.padding)} zeros, with "
        "$v$, whose depth is the number of filters K:",
        f"$$ {latex(compose(found.gradient, way))} $$",
        "The sum runs over the whole depth, so the third dimension of the window does not move: "
        "that is the 3D cross-correlation, with C filters of depth K.",
    ]


def aggarwal() -> list[str]:
    """20 filters of depth 3 become 3 filters of depth 20, on numbers."""
    generator = np.random.default_rng(3)
    x = generator.integers(-4, 5, (1, 3, 8, 8))
    w = generator.integers(-4, 5, (20, 3, 3, 3))
    dz = generator.integers(-4, 5, (1, 20, 6, 6))
    dx = convgrad.conv_input_grad(dz, w, input_size=(8, 8))
    v = w.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
    as_forward = convgrad.conv(dz, v, padding=2)
    z = convgrad.conv(x, w)
    same = np.array_equal(dx, as_forward)
    return [
        "## 20 filters on RGB",
        "Aggarwal's example (Neural Networks and Deep Learning, 2018, page 355): 20 filters on a "
        "3-channel volume; for the way back 3 filters of depth 20 are needed, one for each colour. "
        "On random integers:",
        "```text\n"
        f"x  {x.shape}   20 filters of depth 3     w {w.shape}   ->  z  {z.shape}\n"
        f"dz {dz.shape}   3 filters of depth 20    v {v.shape}   ->  dx {dx.shape}\n\n"
        f"filter 7 on red        w[7,0] =  {rows(w[7, 0])}\n"
        f"red's filter, slice 7  v[0,7] =  {rows(v[0, 7])}\n\n"
        f"dx[0,0,:2,:4] by the gradient       {rows(dx[0, 0, :2, :4])}\n"
        f"dx[0,0,:2,:4] by v over the error   {rows(as_forward[0, 0, :2, :4])}\n"
        f"equal in all {dx.size} entries: {'yes' if same else 'NO'}\n"
        "```",
    ]


def jefkine() -> list[str]:
    """One channel, one filter: the special case the question starts from."""
    layer = Convolution((32, 32), 1, 1, 5)
    ones = STRIDE_ONE | {"C": 1, "K": 1}
    found = passes(layer, symbolic=True)

    def shown(equation: Equation, *, of_input: bool = False) -> str:
        way = JEFKINE.for_input() if of_input else JEFKINE
        return f"$$ {latex(compose(equation.with_sizes(ones), way))} $$"

    return [
        "## Jefkine's equations as the special case",
        "One channel, one filter, stride 1 (`--notation jefkine`; Jefkine Kafunah, "
        "*Backpropagation In Convolutional Neural Networks*, 2016, where the activation's "
        "derivative is a further factor):",
        shown(found.forward[0]),
        shown(found.dw.result),
        shown(found.dx[0].result, of_input=True),
        shown(found.db.result) if found.db else "",
    ]


def passes_of(forward: Equation, name: str) -> Equation:
    """The gradient of an equation by one of its tensors."""
    return differentiate(forward, name).result


def display(equation: Equation, tag: str, *, of_input: bool = False) -> str:
    """An equation in the notation of the question, with its number."""
    way = SEED.for_input() if of_input else SEED
    return f"$$ {latex(compose(equation, way))} \\tag{{{tag}}} $$"


def rows(matrix: np.ndarray) -> str:
    """A small matrix in one line."""
    return " | ".join(" ".join(f"{number:3d}" for number in row) for row in matrix)


def main() -> int:
    """Write the page, or check it."""
    text = page()
    if "--check" in sys.argv:
        current = PAGE.read_text() == text
        print("docs/seed.md is current" if current else "docs/seed.md is not current: make docs")
        return 0 if current else 1
    write_text(PAGE, text)
    print(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
