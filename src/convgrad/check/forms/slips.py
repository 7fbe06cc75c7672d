"""From the step of the derivation to the line of code: how each mistake comes about.

A sentence of the table says what is wrong. Here stands why the step forbids it, and why the usual
tests do not show it. A text for one gradient stands beside the one for all.
"""

from __future__ import annotations

SLIPS: dict[tuple[str, str], str] = {
    ("rotation-missing", ""): (
        "The step reads dz at i − d·t + p: as t grows, the place in dz moves backwards."
        " A correlation moves forwards, at i + t. The two meet when the kernel runs backwards too,"
        " so it is flipped first. A 1×1 or a symmetric kernel hides the slip."
    ),
    ("rotation-unwanted", ""): (
        "Loops that add dz[o]·w[t] at s·o + d·t − p pair every tap with its own place already."
        " The flip belongs to the other way of writing it, a correlation that gathers at i + t:"
        " here it pairs tap t with the place of tap T − 1 − t."
    ),
    ("error-rotated", ""): (
        "In s·o + d·t − p both o and t count forwards, so x and dz are walked in the same"
        " direction: a correlation of x with dz, and nothing is turned."
    ),
    ("kernel-gradient-reversed", ""): (
        "The place in x, s·o + d·t − p, grows with t: dz slides over x. With the arguments"
        " exchanged x slides over dz, and tap t ends where tap T − 1 − t belongs."
    ),
    ("stride-ignored", ""): (
        "Windows start s positions apart: output o reads x at s·o, s·o + d, s·o + 2·d … With"
        " stride 1 the letter s cannot be seen, so a test with stride 1 does not show the slip."
    ),
    ("stride-ignored", "dx"): (
        "The delta says s·o + d·t − p = i. Solved for o it leaves a division by s: a tap reaches"
        " every s-th input only, and the others get nothing from it. A convolution of the error"
        " does the same once s − 1 zeros stand between its entries. With stride 1 nothing of this"
        " can be seen."
    ),
    ("zero-insertion", ""): (
        "Neighbours o and o + 1 lie s positions apart in x: s·o and s·o + s. Between them is room"
        " for s − 1 zeros, not for s."
    ),
    ("crop-empty", ""): (
        "The derivation is not at fault: i runs over 0 ≤ i < I, and in the padded array input i"
        " lies at p + i, so the slice goes from p to p + I. [p:-p] says so only while p > 0:"
        " in Python -0 is 0, and [0:-0] is [0:0], which holds nothing."
    ),
    ("margin-left-on", ""): (
        "i runs over 0 ≤ i < I. What was added outside belongs to the padding, which is no"
        " variable: nobody asks for its derivative."
    ),
    ("uncovered-rows", ""): (
        "i runs over 0 ≤ i < I, whether a window reaches it or not. Where no o and t give"
        " s·o + d·t − p = i the sum has no term: the entry is 0, but it is there. Sizes that the"
        " windows cover to the end hide the slip."
    ),
    ("height-for-width", ""): (
        "Every axis has a delta of its own, with its own size, stride and padding: the row of the"
        " output comes from the rows alone, its column from the columns alone. On square inputs"
        " both have the same numbers: test with H ≠ W."
    ),
    ("padding-twice", ""): (
        "p stands once in s·o + d·t − p. In an array that is padded already entry i lies at i + p,"
        " and the place is s·o + d·t: whoever pads again, or takes p off again, is p positions"
        " away."
    ),
    ("padding-ignored", ""): (
        "p stands in s·o + d·t − p: entry i of the input lies at i + p of the padded array."
        " Without padding the letter cannot be seen."
    ),
    ("padding-hard-coded", ""): (
        "p is a letter in the derivation. A number in its place is right for one layer alone."
    ),
    ("wrong-side-cropped", ""): (
        "p is the padding before the axis, at top and left. What is added behind moves nothing:"
        " it shows only in how many outputs there are."
    ),
    ("dilation-off-by-one", ""): (
        "Taps lie d positions apart, at d·t: with d = 1 they touch, and d − 1 positions lie"
        " between two of them."
    ),
    ("dilation-ignored", ""): (
        "Tap t reads x at s·o + d·t − p. With d = 1 the letter d cannot be seen."
    ),
    ("first-sample-only", ""): (
        "The sum of the chain rule runs over all entries of z, and so over every sample n. dw and"
        " db have no n on the left: all samples add to the same numbers. dx has one: every sample"
        " has its own. One sample alone hides the slip."
    ),
    ("all-into-first-sample", ""): (
        "n stands on the left of dx and in dz: what comes back from sample n belongs to sample n."
    ),
    ("overwritten-not-added", ""): (
        "The derivative is a sum: windows overlap, and every filter and sample brings a term for"
        " the same entry. = keeps the last term, += keeps the sum. One window, one filter and one"
        " sample hide the slip."
    ),
    ("mean-over-positions", ""): (
        "The chain rule brings a sum, and no later step divides by the number of its terms. If the"
        " loss is a mean, its division is in dz already."
    ),
    ("bias-repeated", ""): (
        "b[k] stands before the sum: no c and no t run over it. In a loop over channels or taps it"
        " is added as often as the loop runs. A bias of zero hides the slip, and so does a check"
        " of dx and dw, in which b does not occur."
    ),
    ("bias-sum", ""): (
        "b[k] stands in z[n,k,o] of every sample n and every position o, and in no other filter:"
        " k stays, everything else is summed."
    ),
    ("sign", ""): (
        "No step brings a minus. It belongs to the update, w − rate·dw, and stands there once."
    ),
    ("constant-factor", ""): (
        "Every output entry that an entry touches adds one term, with the factor 1. A rate belongs"
        " to the update; a term that is added in two places counts twice."
    ),
    ("loops-over-input", ""): (
        "The sum runs over the entries of z, O = ⌊(I + p + q − d·(T − 1) − 1)/s⌋ + 1 along each"
        " axis, not over those of x."
    ),
    ("last-window-missing", ""): (
        "o takes all O values 0 … O − 1, the last included: range(O) ends at O − 1 by itself."
    ),
    ("last-filter-missing", ""): (
        "Every filter reads the same input, so every filter sends something back: the sum over k"
        " has K terms."
    ),
    ("updated-weights", ""): (
        "w is the factor that the forward pass multiplied by. After w ← w − rate·dw it is another"
        " one: dx first, then the update. A small rate makes the slip hard to see."
    ),
    ("weight-decay", ""): (
        "dw is the derivative of what this layer computes, and its terms are dz·x: none contains w."
        " A penalty on w is a term of the loss, with a derivative of its own."
    ),
    ("clipped", ""): (
        "A derivative is what it is, however large. Clipping is a decision about the step."
    ),
    ("rectified", ""): (
        "The error is a derivative: where it is negative, a larger z makes the loss smaller, and"
        " that has to reach x, w and b. A ReLU stops the error where its own input z was negative,"
        " whatever sign the error has. Errors that are all positive hide the slip."
    ),
    ("uninitialised", ""): (
        "The derivation is not at fault: a sum starts at 0. np.empty starts with what lay in"
        " memory, which is often 0 in a small test."
    ),
    ("accumulates", ""): (
        "The derivation is not at fault: the sum of one pass starts at 0, and not at the result of"
        " the pass before."
    ),
    ("zeros-returned", ""): (
        "Every output that an entry touches adds a term; an array that nothing is added to has"
        " none."
    ),
    ("inputs-for-weights", ""): (
        "The product rule takes x away and leaves its factor, w[k,c,t], beside the error."
    ),
    ("weights-for-inputs", ""): (
        "The product rule takes w away and leaves its factor, the x of the window, beside the"
        " error."
    ),
    ("sample-for-filter", ""): (
        "dz[n,k,o] stands beside w[k,c,t]: they share the filter k. The sample n counts in x, dz"
        " and dx alone."
    ),
    ("channels-for-filters", ""): (
        "dz[n,k,o] stands beside w[k,c,t]: k is summed and c stays. With C = K the exchange makes"
        " no error message, only wrong numbers."
    ),
    ("channels-collapsed", ""): (
        "δ[c′,c] lets channel c through and no other: every channel has its own slice of w and x."
    ),
    ("element-for-slice", ""): (
        "One entry of dz belongs to a whole window: each tap t has its own place"
        " s·o + d·t − p and its own w[k,c,t]."
    ),
    ("axes-mixed", ""): (
        "An entry is known by its subscripts, in their order. reshape keeps the order in memory"
        " and cuts it anew: to bring an axis to another place takes a transpose first."
    ),
    ("groups-ignored", ""): (
        "The channels and filters of group g start at g·C/G and g·K/G: with one group the offset"
        " is 0 and cannot be seen."
    ),
}  # fmt: skip


def slip(name: str, gradient: str) -> str:
    """How a mistake comes about in a gradient; empty where there is nothing to add.

    >>> slip("sign", "dw")
    'No step brings a minus. It belongs to the update, w − rate·dw, and stands there once.'
    """
    return SLIPS.get((name, gradient)) or SLIPS.get((name, ""), "")
