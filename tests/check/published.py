"""Backward passes as books, lecture notes, blogs and papers write them, right and wrong.

The first set was written before the reader that is tested with it. The forms are the well-known
ones, the letters vary: Goodfellow's strided convolution, Jefkine's and Zhang's notes, operator
form, framework style, adjoints with a bar.
Fields: name, equation, gradient, verdict, what the report must say, forward pass.
"""

from __future__ import annotations

from typing import NamedTuple


class Published(NamedTuple):
    """An equation and what is true of it."""

    name: str
    text: str
    gradient: str
    verdict: str
    says: tuple[str, ...] = ()
    forward: str | None = None


RIGHT, WRONG, UNDER = "right", "wrong", "right under a condition"
ZHANG = r"C_p(i,j) = \sum_{u=-2}^{2}\sum_{v=-2}^{2} I(i-u,\,j-v)\, k_{p}(u,v) + b_p"

PUBLISHED = (
    Published(
        "a textbook's strided weight gradient",
        r"g(G, V, s)_{i,j,k,l} = \frac{\partial}{\partial K_{i,j,k,l}} J(V, K)"
        r" = \sum_{m,n} G_{i,m,n} V_{j,(m-1)\times s+k,(n-1)\times s+l}",
        "dw", UNDER, ("no padding", "count from 1"),
    ),
    Published(
        "a textbook's strided input gradient, with the condition under the sum",
        r"h(K, G, s)_{i,j,k} = \frac{\partial}{\partial V_{i,j,k}} J(V, K)"
        r" = \sum_{\substack{l,m \\ \text{s.t.} \\ (l-1)\times s+m=j}}"
        r" \sum_{\substack{n,p \\ \text{s.t.} \\ (n-1)\times s+p=k}} \sum_q K_{q,i,m,p} G_{q,l,n}",
        "dx", UNDER, ("no padding", "count from 1"),
    ),
    Published(
        "the same with channels and filters exchanged",
        r"h(K, G, s)_{i,j,k} = \sum_{\substack{l,m \\ \text{s.t.}\\ (l-1)\times s+m=j}}"
        r" \sum_{\substack{n,p \\ \text{s.t.}\\ (n-1)\times s+p=k}} \sum_q K_{i,q,m,p} G_{q,l,n}",
        "dx", WRONG, ("K[q,i,m,p]", "exchanged"),
    ),
    Published(
        "one channel with the activation's derivative",
        r"\delta^{l}_{i',j'} = \sum_{m=0}^{k_1-1}\sum_{n=0}^{k_2-1} \delta^{l+1}_{i'-m,\,j'-n}\,"
        r" w^{l+1}_{m,n}\, f'\!\left(x^l_{i',j'}\right)",
        "dx", UNDER, ("stride 1", "no padding", "one channel", "one filter"),
    ),
    Published(
        "the same with the sign of a correlation",
        r"\delta^{l}_{i',j'} = f'(x^l_{i',j'}) \sum_{m=0}^{k_1-1}\sum_{n=0}^{k_2-1}"
        r" \delta^{l+1}_{i'+m,\,j'+n}\, w^{l+1}_{m,n}",
        "dx", WRONG, ("[i'-m,j'-n]",),
    ),
    Published(
        "operator form with the kernel turned",
        r"\delta^{l} = \delta^{l+1} * \mathrm{rot180}(w^{l+1}) \odot \sigma'(z^{l})",
        "dx", UNDER, ("the operation of the forward pass", "full", "stride 1"),
    ),
    Published(
        "operator form of the weight gradient",
        r"\frac{\partial L}{\partial W} = X \star \frac{\partial L}{\partial Y}",
        "dw", UNDER, ("stride 1", "no padding"),
    ),
    Published(
        "operator form, kernel not turned",
        r"\frac{\partial L}{\partial X} = \frac{\partial L}{\partial Y} \star W",
        "dx", WRONG, ("turned",),
    ),
    Published(
        "operator form with channels",
        r"\delta^{l}_{c} = \sum_{k} \delta^{l+1}_{k} \ast \operatorname{rot}_{180}(w_{k,c})",
        "dx", UNDER, ("the operation of the forward pass", "stride 1"),
    ),
    Published(
        "everything general, the error as a fraction",
        r"\frac{\partial L}{\partial x_{n,c,h,w}} = \sum_{f}\sum_{p}\sum_{q}"
        r" \frac{\partial L}{\partial y_{n,f,(h+P-p)/S,(w+P-q)/S}}\, w_{f,c,p,q}",
        "dx", RIGHT,
    ),
    Published(
        "a fraction in the subscript, no padding",
        r"\frac{\partial L}{\partial x_{n,c,h,w}} = \sum_{f,p,q}"
        r" \frac{\partial L}{\partial y_{n,f,\frac{h-p}{s},\frac{w-q}{s}}} \cdot w_{f,c,p,q}",
        "dx", UNDER, ("no padding",),
    ),
    Published(
        "the stride at the tap instead of the position",
        r"\frac{\partial L}{\partial w_{f,c,p,q}} = \sum_{n,i,j}"
        r" \frac{\partial L}{\partial y_{n,f,i,j}} x_{n,c,i+sp,j+sq}",
        "dw", WRONG, ("x[n,c,s*i+p,s*j+q]",),
    ),
    Published(
        "framework style, weight gradient",
        "dw[f,c,i,j] = sum(n,h,w) x[n,c,h*stride+i-pad,w*stride+j-pad] * dout[n,f,h,w]",
        "dw", RIGHT,
    ),
    Published(
        "framework style, stride times the tap in the input gradient",
        "dx[n,c,h,w] = sum(f,i,j) dout[n,f,h+pad-i*stride,w+pad-j*stride] * weight[f,c,i,j]",
        "dx", WRONG, ("(h-i+pad)/stride",),
    ),
    Published(
        "subscripts without commas",
        r"\frac{\partial E}{\partial w_{ab}} = \sum_{i}\sum_{j} \delta_{ij} z_{i+a,j+b}",
        "dw", UNDER, ("stride 1", "no padding", "one channel"),
    ),
    Published(
        "bias over samples and positions",
        r"\frac{\partial E}{\partial b^{l}_{k}} = \sum_{n=1}^{N}\sum_{i=1}^{H'}\sum_{j=1}^{W'}"
        r" \delta^{l}_{n,k,i,j}",
        "db", RIGHT,
    ),
    Published(
        "bias without the sum over positions",
        r"\frac{\partial E}{\partial b_{k}} = \sum_{n} \delta_{n,k,i,j}",
        "db", WRONG, ("i", "j", "sum"),
    ),
    Published(
        "bias as a mean over the batch",
        r"\frac{\partial E}{\partial b_k} = \frac{1}{N} \sum_{n}\sum_{i}\sum_{j} \delta_{n,k,i,j}",
        "db", UNDER, ("1/N",),
    ),
    Published(
        "notes on true convolution, weight gradient",
        r"\Delta k_{p}(u,v) = \sum_{i}\sum_{j} \Delta C_{p}(i,j)\, I(i-u,\,j-v)",
        "dw", UNDER, ("stride 1", "true convolution"), ZHANG,
    ),
    Published(
        "the same with the sign of a correlation",
        r"\Delta k_{p}(u,v) = \sum_{i}\sum_{j} \Delta C_{p}(i,j)\, I(i+u,\,j+v)",
        "dw", WRONG, ("I[i-u,j-v]",), ZHANG,
    ),
    Published(
        "one dimension",
        r"\frac{\partial C}{\partial x_i} = \sum_{t=0}^{T-1}"
        r" \frac{\partial C}{\partial y_{i-t}} w_t",
        "dx", UNDER, ("stride 1", "no padding"),
    ),
    Published(
        "adjoints with a bar, summed over outputs",
        r"\bar{x}_i = \sum_{o} \bar{y}_o \, w_{i - s o}",
        "dx", UNDER, ("no padding",),
    ),
    Published(
        "depth last, taps with two letters",
        r"dX[b,i,j,q] = \sum_{di,dj,k} dY[b, i-di, j-dj, k]\, F[di,dj,q,k]",
        "dx", UNDER, ("stride 1", "no padding"),
    ),
    Published(
        "depth last, the last two axes of the kernel exchanged",
        r"dX[b,i,j,q] = \sum_{di,dj,k} dY[b, i-di, j-dj, k]\, F[di,dj,k,q]",
        "dx", WRONG, ("F[di,dj,q,k]", "exchanged"),
    ),
    Published(
        "a dilated weight gradient",
        r"\frac{\partial L}{\partial w_{k,c,t}} = \sum_{n,o} \delta_{n,k,o}\, x_{n,c,o+d\cdot t}",
        "dw", UNDER, ("stride 1", "no padding"),
    ),
    Published(
        "a chain of equalities",
        r"\begin{aligned} \delta^{l}_{i,j} &= \sum_{m}\sum_{n}"
        r" \frac{\partial J}{\partial z^{l+1}_{i-m,j-n}}"
        r" \frac{\partial z^{l+1}_{i-m,j-n}}{\partial z^l_{i,j}} \\"
        r" &= \sum_m \sum_n \delta^{l+1}_{i-m,j-n} w_{m,n} \end{aligned}",
        "dx", UNDER, ("stride 1", "no padding"),
    ),
    Published(
        "error and input exchanged",
        r"\frac{\partial L}{\partial w_{m,n}} = \sum_{i,j} \delta_{i+m,j+n}\, x_{i,j}",
        "dw", WRONG, ("[i-m,j-n]",),
    ),
    Published(
        "no sum over the filters",
        r"\delta^{l}_{c,i,j} = \sum_a\sum_b \delta^{l+1}_{k,i-a,j-b}\, w_{k,c,a,b}",
        "dx", WRONG, ("k", "sum"),
    ),
    Published(
        "counted from 1 with a stride",
        r"\frac{\partial J}{\partial x_{i}} = \sum_{a=1}^{T} \delta_{\frac{i-a}{s}+1}\, w_a",
        "dx", UNDER, ("no padding", "count from 1"),
    ),
    Published(
        "counted from 1 with a stride, the one on the wrong side",
        r"\frac{\partial J}{\partial x_{i}} = \sum_{a=1}^{T} \delta_{\frac{i-a+1}{s}}\, w_a",
        "dx", WRONG, ("stride",),
    ),
    Published(
        "rounded down instead of divisible",
        r"\frac{\partial J}{\partial x_{i}} = \sum_{a=0}^{T-1}"
        r" \delta_{\left\lfloor (i-a)/s \right\rfloor}\, w_a",
        "dx", WRONG, ("divides",),
    ),
    Published(
        "bold letters, limits above and below, s as an index",
        r"\displaystyle \frac{\partial\mathcal{L}}{\partial \mathbf{W}[k,c,r,s]} ="
        r" \sum\limits_{n=0}^{N-1}\sum\limits_{p=0}^{P-1}\sum\limits_{q=0}^{Q-1}"
        r" \mathbf{dY}[n,k,p,q]\,\mathbf{X}[n,c,p+r,q+s]",
        "dw", UNDER, ("stride 1", "no padding"),
    ),
    Published(
        "adjacent subscripts with brackets",
        r"dx_{nchw} = \sum_{k,r,s} dy_{nk(h+p-r)(w+p-s)}\, w_{kcrs}",
        "dx", UNDER, ("stride 1",),
    ),
    Published(
        "the padding with the wrong sign",
        r"\frac{\partial L}{\partial x_{c,i,j}} ="
        r" \sum_{k,a,b} \delta_{k,i-p-a,j-p-b}\, w_{k,c,a,b}",
        "dx", WRONG, ("i-a+p",),
    ),
    Published(
        "the padding with the wrong sign in the weight gradient",
        r"\frac{\partial L}{\partial W_{k,c,a,b}} = \sum_{n}\sum_{i}\sum_{j}"
        r" \delta_{n,k,i,j}\, X_{n,c,\,s i + a + p,\,s j + b + p}",
        "dw", WRONG, ("s*i+a-p",),
    ),
    Published(
        "a sum over outputs with taps limited by inequalities",
        "dx[n,c,i] = sum(k,o if 0 <= i + p - s*o < T) dz[n,k,o] * w[k,c,i+p-s*o]",
        "dx", RIGHT,
    ),
)  # fmt: skip

# A second set, written after the reader: 18 of 20 verdicts were right on the first run.
SECOND = (
    Published(
        "sans-serif tensors in brackets",
        r"\frac{\partial J}{\partial \mathsf{X}[i,j]} ="
        r" \sum_{a=0}^{k_h-1}\sum_{b=0}^{k_w-1} \frac{\partial J}{\partial"
        r" \mathsf{H}[i-a,j-b]}\, \mathsf{K}[a,b]",
        "dx",
        UNDER,
    ),
    Published(
        "activations with a superscript",
        r"\frac{\partial C}{\partial w^{l}_{jk}} = \sum_{m}\sum_{n} a^{l-1}_{j+m,k+n}"
        r" \delta^{l}_{mn}",
        "dw",
        UNDER,
    ),
    Published(
        "one bias for the whole map",
        r"\frac{\partial C}{\partial b^l} = \sum_{m,n}\delta^l_{m,n}",
        "db",
        UNDER,
    ),
    Published(
        "full overlap written below the sign",
        r"\delta^{(l)} = \left(\delta^{(l+1)} *_{\text{full}} \text{rot180}(W^{(l)})\right)"
        r" \odot f'(z^{(l)})",
        "dx",
        UNDER,
    ),
    Published(
        "gradient as a nabla, valid overlap",
        r"\nabla_{W^{(l)}} J = x^{(l)} *_{\text{valid}} \delta^{(l+1)}",
        "dw",
        UNDER,
    ),
    Published(
        "total derivatives",
        r"\frac{dL}{dF_{mn}} = \sum_i \sum_j \frac{dL}{dO_{ij}} X_{i+m,j+n}",
        "dw",
        UNDER,
    ),
    Published(
        "a product in large brackets",
        r"\frac{\partial L}{\partial X_{i,j}} = \sum_{m}\sum_{n}\left( \frac{\partial"
        r" L}{\partial O_{i-m,\,j-n}} \cdot F_{m,n} \right)",
        "dx",
        UNDER,
    ),
    Published(
        "counted from 1 with stride and padding",
        r"\frac{\partial L}{\partial W_{k,c,a,b}} = \sum_{n=1}^{N}"
        r" \sum_{i=1}^{H_o}\sum_{j=1}^{W_o} \delta_{n,k,i,j}\,"
        r" x_{n,c,(i-1)s+a-p,(j-1)s+b-p}",
        "dw",
        RIGHT,
    ),
    Published(
        "summed over outputs, the tap as a form",
        r"\delta^{l-1}_{c,i} = \sum_k \sum_{o} \delta^{l}_{k,o} w_{k,c,i-so+p}",
        "dx",
        RIGHT,
    ),
    Published(
        "pairs under one sum, with a colon",
        r"\frac{\partial L}{\partial x_{n,c,i}} = \sum_{k}\sum_{(o,t): so+t=i+p}"
        r" \delta_{n,k,o} w_{k,c,t}",
        "dx",
        RIGHT,
    ),
    Published("typed in Unicode", "δ_{i,j} = ∑_{a}∑_{b} δ^{l+1}_{i−a,j−b} · w_{a,b}", "dx", UNDER),
    Published(
        "index notation", "dX[n,c,i,j] = sum(k,a,b) dY[n,k,i-a,j-b] * W[k,c,a,b]", "dx", UNDER
    ),
    Published(
        "taps counted from the far end",
        r"\frac{\partial L}{\partial x_{i}} = \sum_{m=0}^{K-1} \delta_{i-K+1+m}\, w_{K-1-m}",
        "dx",
        UNDER,
    ),
    Published(
        "taps counted from the far end, one too far",
        r"\frac{\partial L}{\partial x_{i}} = \sum_{m=0}^{K-1} \delta_{i+m}\, w_{K-m}",
        "dx",
        WRONG,
    ),
    Published(
        "the stride divides where it must multiply",
        r"\frac{\partial L}{\partial w_{t}} = \sum_{o} \delta_{o}\, x_{(o+t)/s}",
        "dw",
        WRONG,
    ),
    Published(
        "no sum over the samples",
        r"\frac{\partial L}{\partial w_{k,c,t}} = \sum_{o} \delta_{n,k,o}\, x_{n,c,so+t}",
        "dw",
        WRONG,
    ),
    Published(
        "channels and filters exchanged in both factors",
        r"\frac{\partial L}{\partial w_{k,c,t}} = \sum_{n,o} \delta_{n,c,o}\, x_{n,k,so+t}",
        "dw",
        WRONG,
    ),
    Published(
        "weights in the bias gradient",
        r"\frac{\partial L}{\partial b_k} = \sum_{n,o} \delta_{n,k,o} w_{k,c,o}",
        "dx",
        WRONG,
    ),
    Published(
        "limits in sizes of the input",
        r"\frac{\partial L}{\partial W_{a,b}} = \sum_{i=0}^{H-k_1}\sum_{j=0}^{W-k_2}"
        r" \delta_{i,j} x_{i+a,j+b}",
        "dw",
        UNDER,
    ),
    Published(
        "three dimensions",
        "dx[n,c,i,j,l] = sum(k,a,b,d) dz[n,k,i-a,j-b,l-d] * w[k,c,a,b,d]",
        "dx",
        UNDER,
    ),
)

# Strides by zero insertion, brackets and rounded limits; groups, transposed and three axes.
# Written before the reader knew any of them: it judged 12 of the 24 rightly and refused 9.
THIRD = (
    Published(
        "padded chain rule, 2-D",
        (
            r"\frac{\partial L}{\partial X_{n,c,h,w}} = \sum_{k}\sum_{i}\sum_{j} \frac{\partial"
            r" L}{\partial Y_{n,k,h+p-i,w+p-j}} W_{k,c,i,j}"
        ),
        "dx",
        UNDER,
        ("stride 1",),
    ),
    Published(
        "dilated, brackets",
        (
            r"\frac{\partial L}{\partial x_{c}[i]} = \sum_k \sum_t \delta_k[i - d\,t]\,"
            r" w_{k,c}[t]"
        ),
        "dx",
        UNDER,
        (
            "stride 1",
            "no padding",
        ),
    ),
    Published(
        "dw strided, cs231n style",
        (
            r"dW[f,c,i,j] = \sum_n \sum_{h'} \sum_{w'} dout[n,f,h',w'] \, x_{pad}[n,c,h' S + i,"
            r" w' S + j]"
        ),
        "dw",
        UNDER,
        ("x_pad is the input with its padding",),
    ),
    Published(
        "einsum over the error",
        "dX[n,c,i,j] += dY[n,k,h,w] * W[k,c,i-s*h,j-s*w]",
        "dx",
        UNDER,
        ("no padding",),
    ),
    Published(
        "scatter",
        "dx[n,c,s*h+i-p,s*w+j-p] += dz[n,k,h,w] * w[k,c,i,j]",
        "dx",
        RIGHT,
        (),
    ),
    Published(
        "floor and ceiling",
        (
            r"\frac{\partial L}{\partial x_i} = \sum_{o=\lceil (i-K+1)/s \rceil}^{\lfloor i/s"
            r" \rfloor} \delta_o\, w_{i - s o}"
        ),
        "dx",
        UNDER,
        ("no padding",),
    ),
    Published(
        "Iverson bracket",
        (
            r"\frac{\partial L}{\partial x_i} = \sum_{t=0}^{K-1} [(i + p - t) \bmod s = 0] \,"
            r" \delta_{(i+p-t)/s}\, w_t"
        ),
        "dx",
        UNDER,
        (),
    ),
    Published(
        "indicator",
        (
            r"\frac{\partial L}{\partial x_{i}} = \sum_{o}\sum_{t} \mathbb{1}\{s o + t - p ="
            r" i\}\, \delta_o\, w_t"
        ),
        "dx",
        UNDER,
        (),
    ),
    Published(
        "zero insertion",
        (
            r"\frac{\partial L}{\partial x_{i,j}} = \sum_{m}\sum_{n} \tilde\delta_{i-m,j-n}\,"
            r" w_{m,n}"
        ),
        "dx",
        UNDER,
        ("delta_tilde is the error with s - 1 zeros",),
    ),
    Published(
        "operator, zero insertion",
        r"\frac{\partial L}{\partial X} = \tilde{\delta} * \mathrm{rot}_{180}(W)",
        "dx",
        UNDER,
        (
            "delta_tilde is the error with s - 1 zeros",
            "full correlation",
        ),
    ),
    Published(
        "operator dw, zero insertion",
        r"\frac{\partial L}{\partial W} = X \star \tilde{\delta}",
        "dw",
        UNDER,
        ("delta_tilde is the error with s - 1 zeros",),
    ),
    Published(
        "grouped",
        (
            r"\frac{\partial L}{\partial x_{n, g C' + c, i}} = \sum_{k=0}^{K'-1}\sum_t"
            r" \delta_{n, g K'+k, i-t}\, w_{g K'+k, c, t}"
        ),
        "dx",
        UNDER,
        (
            "stride 1",
            "no padding",
        ),
    ),
    Published(
        "depthwise",
        r"\frac{\partial L}{\partial x_{c,i,j}} = \sum_{m,n} \delta_{c,i-m,j-n}\, w_{c,m,n}",
        "dx",
        UNDER,
        (
            "depthwise layer",
            "stride 1",
        ),
    ),
    Published(
        "3-D dx",
        (
            r"\frac{\partial L}{\partial x_{c,i,j,l}} = \sum_k \sum_{a,b,d}"
            r" \delta_{k,i-a,j-b,l-d}\, w_{k,c,a,b,d}"
        ),
        "dx",
        UNDER,
        ("stride 1",),
    ),
    Published(
        "3-D dw, one sign wrong",
        (
            r"\frac{\partial L}{\partial w_{k,c,a,b,d}} = \sum_{i,j,l} \delta_{k,i,j,l}\,"
            r" x_{c,i+a,j+b,l-d}"
        ),
        "dw",
        WRONG,
        ("l-d should be l+d",),
    ),
    Published(
        "transposed layer",
        (
            r"\frac{\partial L}{\partial x_{c,o}} = \sum_k \sum_t \delta_{k, s o + t}\,"
            r" w_{c,k,t}"
        ),
        "dx",
        UNDER,
        ("no padding",),
        r"y_{k,i} = \sum_c \sum_o x_{c,o}\, w_{c,k,i - s o}",
    ),
    Published(
        "bias, batch not summed",
        r"\frac{\partial L}{\partial b_k} = \sum_{i,j}\delta_{n,k,i,j}",
        "db",
        WRONG,
        ("nothing sums over n",),
    ),
    Published(
        "bias",
        (
            r"\frac{\partial L}{\partial b_k} = \sum_{n=1}^{N}\sum_{i=1}^{H}\sum_{j=1}^{W}"
            r" \delta_{n,k,i,j}"
        ),
        "db",
        RIGHT,
        (),
    ),
    Published(
        "Stack Exchange over outputs",
        (
            r"\frac{\partial L}{\partial h^{l-1}_{u,v}} = \sum_{i=u-k+1}^{u} \sum_{j=v-k+1}^{v}"
            r" \frac{\partial L}{\partial z_{ij}} W_{u-i,v-j}"
        ),
        "dx",
        UNDER,
        (
            "stride 1",
            "no padding",
        ),
    ),
    Published(
        "C for K",
        (
            r"\frac{\partial L}{\partial x_{n,c,i,j}} = \sum_{k,a,b} \delta_{n,k,i-a,j-b}\,"
            r" w_{c,k,a,b}"
        ),
        "dx",
        WRONG,
        ("w[k,c,a,b] instead of w[c,k,a,b]",),
        r"z_{n,k,i,j} = \sum_{c,a,b} x_{n,c,i+a,j+b}\, w_{k,c,a,b}",
    ),
    Published(
        "congruent taps",
        r"\frac{\partial L}{\partial x_i} = \sum_{t \equiv i \pmod s} \delta_{(i-t)/s}\, w_t",
        "dx",
        UNDER,
        ("no padding",),
    ),
    Published(
        "floor without a condition",
        r"\frac{\partial L}{\partial x_i} = \sum_t \delta_{\lfloor (i-t)/s \rfloor}\, w_t",
        "dx",
        WRONG,
        (
            "right only for stride 1",
            "the quotient without rounding",
        ),
    ),
    Published(
        "mean over the batch",
        (
            r"\frac{\partial L}{\partial W_{k,c,a,b}} = \frac{1}{N}\sum_{n=1}^{N}\sum_{i,j}"
            r" \delta_{n,k,i,j}\, x_{n,c,i+a,j+b}"
        ),
        "dw",
        UNDER,
        ("1/N",),
    ),
    Published(
        "grouped, group not moved",
        (
            r"\frac{\partial L}{\partial x_{n, g C' + c, i}} = \sum_{k=0}^{K'-1}\sum_t"
            r" \delta_{n, k, i-t}\, w_{k, c, t}"
        ),
        "dx",
        WRONG,
        ("has an axis for the group (g) and delta has none",),
    ),
)
