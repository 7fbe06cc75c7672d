"""What a parameter means, from its name: one table, an entry per meaning.

Every role says which names suggest it (apart for constructors and for functions of arrays, where
`filters` is a number or an array) and how its value can be written for a given layer. Adding a
role or a way to write it touches this table alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from convgrad.check.child.wire import Reference
from convgrad.check.conventions.layouts import is_untied
from convgrad.check.definitions import ARRAY, OBJECT
from convgrad.check.layout import arrange, parts_of
from convgrad.check.words import in_english

if TYPE_CHECKING:
    from collections.abc import Callable

    from convgrad.check.probe import Probe, Sizes

RATE = 1 / 1024  # a power of two: an update by it is exact


class CannotExpressError(Exception):
    """This way of writing a value does not exist for this layer."""


@dataclass(frozen=True, eq=False)
class Situation:
    """What a value is written for: a probe in someone's layouts."""

    probe: Probe
    data: str
    out: str
    weights: str
    bias: str

    @property
    def sizes(self) -> Sizes:
        """The layer."""
        return self.probe.sizes


@dataclass(frozen=True)
class Way:
    """One way to write the value of a role."""

    name: str
    write: Callable[[Situation], Any]

    @property
    def length(self) -> int:
        """How many numbers it has on a plane; 0 where it is not a tuple of them; ARRAY, OBJECT."""
        return _LENGTHS.get(self.name, self.name.count(",") + 1 if "," in self.name else 0)


_LENGTHS = {
    "pair": 2, "pair per side": 2, "pair of gaps": 2, "shape of the weights": 4, "whole": 4,
    "with the batch": 4, "without the batch": 3, "channels first": 3, "channels last": 3,
    "array": ARRAY, "identity object": OBJECT, "maker of arrays": OBJECT, "recorder": OBJECT,
}  # fmt: skip


@dataclass(frozen=True)
class Role:
    """One meaning of a parameter.

    Attributes:
        name: the meaning.
        called: names that suggest it in a function of arrays.
        built: names that suggest it in a constructor.
        ways: how its value can be written, the usual way first.
    """

    name: str
    called: str
    built: str
    ways: tuple[Way, ...]

    def suggested(self, parameter: str, *, constructor: bool) -> bool:
        """Whether the name suggests this role."""
        pattern = self.built if constructor else self.called
        names = {parameter, in_english(parameter)}
        return bool(pattern) and any(re.fullmatch(pattern, n, re.IGNORECASE) for n in names)


def _equal(numbers: tuple[int, ...], sizes: Sizes) -> int:
    """One number for every axis; the first counts for nothing where it has one position."""
    counting = numbers[1:] if sizes.size[0] == 1 else numbers
    if len(set(counting)) != 1:
        raise CannotExpressError
    return numbers[-1]


def _symmetric(s: Situation) -> tuple[int, ...]:
    if any(before != after for before, after in s.sizes.pads):
        raise CannotExpressError
    return tuple(before for before, _ in s.sizes.pads)


def _along(numbers: tuple[int, ...], axis: int) -> int:
    """The number of one axis, counted from the last."""
    if len(numbers) < -axis:
        raise CannotExpressError
    return numbers[axis]


def _padding_name(s: Situation) -> str:
    if not any(map(any, s.sizes.pads)):
        return "valid"
    for pads, size, extent, stride, out in zip(
        s.sizes.pads, s.sizes.size, s.sizes.extent, s.sizes.stride, s.sizes.output, strict=True
    ):
        total = max((-(-size // stride) - 1) * stride + extent - size, 0)
        halves = total // 2, total - total // 2
        if pads not in {halves, halves[::-1]} or out != -(-size // stride):
            raise CannotExpressError
    return "same"


def _fixed(value: Any = None) -> Callable[[Situation], Any]:
    return lambda _: value


def _shape(layout: str, axes: str, lengths: tuple[int, ...]) -> tuple[int, ...]:
    sizes = dict(zip(axes, lengths, strict=True)) | {"1": 1}
    shape: list[int] = []
    for part in parts_of(layout):
        length = 1
        for letter in part:
            length *= sizes[letter]
        shape.append(length)
    return tuple(shape)


def _input_shape(s: Situation) -> tuple[int, ...]:
    return _shape(s.data.replace("N", ""), s.sizes.order("NC"), s.sizes.shapes["x"])


def _square(numbers: tuple[int, ...]) -> int:
    if len(set(numbers)) != 1:
        raise CannotExpressError
    return numbers[0]


def bias_array(s: Situation) -> Any:
    """The bias as the code wants it; untied where its layout has positions."""
    if s.bias == "0":  # a plain number: an array of no axes would be changed in place
        return float(arrange(s.probe.b, "K", s.bias).item())
    if is_untied(s.bias):
        untied = s.probe.bias + 0 * s.probe.dz[0]
        return arrange(untied, s.sizes.order("K"), s.bias)
    return arrange(s.probe.b, "K", s.bias)


ROLES: tuple[Role, ...] = (
    Role(
        "input",
        r"x\d?|_?inp(ut)?s?|input_(data|tensor|image|array|map|volume|batch|x)|im(g|age|ages)?|a_prev|"
        r"a_?in|a|data|prev(_layer)?|batch(_x)?|xs|x_in|in_?data|feature_?maps?|act(ivation)?s?(_prev)?"
        r"|sample|array|matrix|tensor|signal|layer_input|h_prev|image_batch|bottom|in_?put|last_input|\w+_in(put)?",
        "",
        (Way("array", lambda s: arrange(s.probe.x, s.sizes.order("NC"), s.data)),),
    ),
    Role(
        "weights",
        r"w\d?|weights?|kernels?|filters?|filt|f|ws|theta|wt|k|w_?conv|params_w|conv_?w|weight_matrix|\w+_(w|filt(er)?s?|weights?|kernels?)",
        r"w|weights?|kernels?|filters?|init_w|w_init|weight_array",
        (Way("array", lambda s: arrange(s.probe.w, s.sizes.order("KC"), s.weights)),),
    ),
    Role(
        "bias",
        r"b\d?|bias(es)?|bs|beta|offset",
        r"b|bias(es)?",
        (Way("array", bias_array),),
    ),
    Role(
        "error",
        r"d_?out(put)?s?|dz\d?|dy|dh|da|dL?_?d?_?(out|z|y)|d_l_d_out|grad(s|ient)?s?(_?(out(put)?s?|y|z|in|input))?"
        r"|output_grad(ient)?s?|out_grad|delta\w*|err(or)?s?(_\w+)?|upstream\w*|accum_grad|top_diff|"
        r"dloss\w*|loss_grad\w*|next_\w+|d_next|dprev|dvalues|g|eta_next|sensitivity|back\w*_in\w*|"
        r"previous_partial_gradient|dl|dx_next|d_y|d_z|d_?conv|residual|dA_next|input_grad\w*|dlda|dldz|dldo\w*|dE_dY|dS|do|"
        r"\w*grad(ient)?s?|dconv\w*|d\w+_prev|d\w+_out",
        "",
        (Way("array", lambda s: arrange(s.probe.dz, s.sizes.order("NC"), s.out)),),
    ),
    Role(
        "stride",
        r"s|_?strides?|step|stride_size|\w+_s(tride)?",
        r"s|_?strides?|steps?|stride_(size|len(gth)?|shape)|subsample",
        (
            Way("number", lambda s: _equal(s.sizes.stride, s.sizes)),
            Way("pair", lambda s: s.sizes.stride),
        ),
    ),
    Role(
        "stride height",
        r"s_?h|stride_?(h|y|height)|sy",
        r"s_?h|stride_?(h|y|height)|sy",
        (Way("number", lambda s: s.sizes.stride[-2]),),
    ),
    Role(
        "stride width",
        r"s_?w|stride_?(w|x|width)|sx",
        r"s_?w|stride_?(w|x|width)|sx",
        (Way("number", lambda s: s.sizes.stride[-1]),),
    ),
    Role(
        "stride depth",
        r"s_?d|stride_?(d|z|depth|time)|sz",
        r"s_?d|stride_?(d|z|depth|time)|sz",
        (Way("number", lambda s: _along(s.sizes.stride, -3)),),
    ),
    Role(
        "padding",
        r"p|_?pad(ding)?s?|zero_?pad(ding)?|pad_?(size|width|len)|(?!out)\w+_p(ad(ding)?)?",
        r"p|_?pad(ding)?s?|zero_?pad(ding)?|pad(ding)?_?(size|width|len|mode|type)|"
        r"border(_?(size|width|mode))?",
        (
            Way("number", lambda s: _equal(_symmetric(s), s.sizes)),
            Way("pair", _symmetric),
            Way("name", _padding_name),
            Way("pair per side", lambda s: s.sizes.pads),
            Way("capital name", lambda s: _padding_name(s).upper()),
        ),
    ),
    Role(
        "padding height",
        r"p_?h|pad(ding)?_?(h|y|height)|py",
        r"p_?h|pad(ding)?_?(h|y|height)|py",
        (Way("number", lambda s: _symmetric(s)[-2]),),
    ),
    Role(
        "padding width",
        r"p_?w|pad(ding)?_?(w|x|width)|px",
        r"p_?w|pad(ding)?_?(w|x|width)|px",
        (Way("number", lambda s: _symmetric(s)[-1]),),
    ),
    Role(
        "padding depth",
        r"p_?d|pad(ding)?_?(d|z|depth|time)|pz",
        r"p_?d|pad(ding)?_?(d|z|depth|time)|pz",
        (Way("number", lambda s: _along(_symmetric(s), -3)),),
    ),
    Role(
        "output padding",
        r"out(put)?_?pad(ding)?s?|adj(ustment)?|extra_?pad(ding)?",
        r"out(put)?_?pad(ding)?s?|adj(ustment)?|extra_?pad(ding)?",
        (
            Way("number", lambda s: _equal(s.sizes.output_padding, s.sizes)),
            Way("pair", lambda s: s.sizes.output_padding),
        ),
    ),
    Role(
        "dilation",
        r"dilat\w*|d|rate",
        r"dilat\w*",
        (
            Way("number", lambda s: _equal(s.sizes.dilation, s.sizes)),
            Way("pair", lambda s: s.sizes.dilation),
            Way("gaps between taps", lambda s: _equal(s.sizes.dilation, s.sizes) - 1),
            Way("pair of gaps", lambda s: tuple(d - 1 for d in s.sizes.dilation)),
        ),
    ),
    Role(
        "groups",
        r"(n_?|num_?)?groups?|g",
        r"(n_?|num_?)?groups?",
        (Way("number", lambda s: s.sizes.groups),),
    ),
    Role(
        "filters",
        r"(n_?|num_?)(filters?|kernels?|out)|out_channels|c_?out|k|n?f",
        r"(n_?|nb_?|num_?|number_?of_?|no_?of_?)(filters?|kernels?|out(put)?(_?(channels?|maps|filters))?|f|k|units|features|(feature_?)?maps)|"
        r"filters?(_?(num|number|count|n))?|out_?(put)?_?(channels?|ch|c|depth|maps|planes|features|filters|dim|size)?|"
        r"c_?out|k|f|kernels?(_?(num|number|count))?|kernels_count|output_channels?|depth|channels?_?out|features|"
        r"fn|n_c|nf|nk|(n_?|num_?)?filts?|nout|n_channels_out|units|channels|out_channel_num",
        (Way("number", lambda s: s.sizes.filters),),
    ),
    Role(
        "channels",
        r"(n_?|num_?|in_?)channels?|c_?in|in_?c|n?c",
        r"in_?(put)?_?(channels?|ch|c|depth|maps|planes|features|dim|size|filters)?|c_?in|"
        r"(n_?|nb_?|num_?|number_?of_?)(channels?|in(put)?s?(_?(channels?|maps|depth))?|c|chan)|channels?(_?in)?|depth|c|"
        r"image_channels|prev_channels|n_features(_in)?|n_c_prev|nin|img_channels|filter_depth|input_dim|fan_in|channel",
        (Way("number", lambda s: s.sizes.channels),),
    ),
    Role(
        "kernel",
        r"k|_?kernel_?(size|shape|dim)?|filter_?(size|shape|dim)|ksize|k_size|size|f|kernel_sz",
        r"_?kernel_?(size|shape|dim\w*|len\w*|sz|width)?|filter_?(size|shape|dim\w*|width)|k(er)?(_?(size|sz))?|k_?size|size|f|"
        r"field|receptive_field|window(_size)?|fsize|w_shape|dim|filter_sz|conv_size|kernel_hw|ks|kern(?!(el)?_?([hwd]|rows|cols)$)\w*|shape|filters?_size|kernels_size",
        (
            Way(
                "number",
                lambda s: _square(s.sizes.kernel[1:] if s.sizes.size[0] == 1 else s.sizes.kernel),
            ),
            Way("pair", lambda s: s.sizes.kernel),
            Way(
                "shape of the weights",
                lambda s: _shape(s.weights, s.sizes.order("KC"), s.sizes.shapes["w"]),
            ),
            Way("filters, height, width", lambda s: (s.sizes.filters, *s.sizes.kernel)),
            Way("channels, height, width", lambda s: (s.sizes.channels, *s.sizes.kernel)),
            Way("height, width, channels", lambda s: (*s.sizes.kernel, s.sizes.channels)),
        ),
    ),
    Role(
        "kernel height",
        r"k_?h|kernel_?(h|height)|f_?h|filter_?(h|height)|hh|kernel_rows|fh",
        r"k_?h|kernel_?(h|height|rows)|f_?h|filter_?(h|height|rows)|hh|height|((nb|n|num)_?)?rows?",
        (Way("number", lambda s: s.sizes.kernel[-2]),),
    ),
    Role(
        "kernel width",
        r"k_?w|kernel_?(w|width)|f_?w|filter_?(w|width)|ww|kernel_cols",
        r"k_?w|kernel_?(w|width|cols)|f_?w|filter_?(w|width|cols)|ww|width|((nb|n|num)_?)?col(umn)?s?",
        (Way("number", lambda s: s.sizes.kernel[-1]),),
    ),
    Role(
        "kernel depth",
        r"k_?[dt]|kernel_?(d|depth|t|time)|f_?d|filter_?(d|depth)|dd",
        r"k_?[dt]|kernel_?(d|depth|t|time)|f_?d|filter_?(d|depth)|dd",
        (Way("number", lambda s: _along(s.sizes.kernel, -3)),),
    ),
    Role(
        "shape of the weights",
        r"(w|weights?|kernel|filter)_?shape|w_?size|kernel_size",
        r"(w|weights?|kernel|filter)s?_?shape",
        (
            Way("whole", lambda s: _shape(s.weights, s.sizes.order("KC"), s.sizes.shapes["w"])),
            Way("height, width", lambda s: s.sizes.kernel),
        ),
    ),
    Role(
        "shape of the input",
        r"(x|in(put)?s?|image|data|a_prev)_?(shape|size|dim\w*)|shape",
        r"(x|in(put)?s?|image|img|data|in|prev)_?(shape|size|dim\w*)|shape|dims?|in_?dims?|"
        r"(shape|size|dims?)_?(in(put)?|x|of_input)",
        (
            Way("without the batch", _input_shape),
            Way(
                "with the batch", lambda s: _shape(s.data, s.sizes.order("NC"), s.sizes.shapes["x"])
            ),
            Way("height, width", lambda s: s.sizes.size),
            Way("side", lambda s: _square(s.sizes.size)),
            Way("channels first", lambda s: (s.sizes.channels, *s.sizes.size)),
            Way("channels last", lambda s: (*s.sizes.size, s.sizes.channels)),
        ),
    ),
    Role(
        "input height",
        r"(in(put)?_?|image_?|img_?)?(h|height|rows)",
        r"(in(put)?_?|image_?|img_?)(h|height|rows)|h|n_h_prev",
        (Way("number", lambda s: s.sizes.size[-2]),),
    ),
    Role(
        "input width",
        r"(in(put)?_?|image_?|img_?)?(w|width|cols)",
        r"(in(put)?_?|image_?|img_?)(w|width|cols)|w|n_w_prev",
        (Way("number", lambda s: s.sizes.size[-1]),),
    ),
    Role(
        "input depth",
        r"(in(put)?_?|volume_?|vol_?)?(d|depth|frames|time)",
        r"(in(put)?_?|volume_?|vol_?)(d|depth|frames|time)|frames",
        (Way("number", lambda s: _along(s.sizes.size, -3)),),
    ),
    Role(
        "batch size",
        r"(batch_?size|n|m|bs|n_samples)",
        r"(batch_?size|batch|bs|n_samples|n)",
        (Way("number", lambda s: s.sizes.batch),),
    ),
    Role(
        "learning rate",
        r"l_?r|learn(ing)?_?rate|alpha|eta|rate|step_size|epsilon|lrate|learn_?rate",
        r"l_?r|learn(ing)?_?rate|alpha|eta|lrate",
        (Way("number", _fixed(RATE)),),
    ),
    Role(
        "optimiser",
        r"opt(imi[sz]er)?\w*|update_?(fn|func|rule)|solver",
        r"opt(imi[sz]er)?\w*|update_?(fn|func|rule)|solver",
        (Way("recorder", _fixed(Reference(f"recorder:{RATE}"))),),
    ),
    Role(
        "context",
        r"ctx|context",
        "",
        (Way("object", _fixed(Reference("context:"))),),
    ),
    Role(
        "activation",
        r"act(ivation)?(_?(fn|func(tion)?|name|type))?|act_fn|non_?linearity",
        r"act(ivation)?(_?(fn|func(tion)?|name|type))?|act_fn|non_?linearity",
        (
            Way("none", _fixed(None)),
            Way("linear", _fixed("linear")),
            Way("identity", _fixed("identity")),
            Way("word none", _fixed("none")),
            Way("empty", _fixed("")),
            Way("identity object", _fixed(Reference("stand-in:identity"))),
        ),
    ),
    Role(
        "number of the layer",
        r"layer_?(id|idx|index|num(ber)?|no|i|n)|l|i|idx|index|layer",
        "",
        (Way("one", _fixed(1)),),
    ),
    Role(
        "nothing",
        r"name|prefix|tag|id|layer_name|verbose|debug|mode|config",
        r"name|prefix|tag|id|layer_name|verbose|debug|init\w*|\w*_?init(iali[sz]er?|ialization)?|seed|rng|reg\w*|decay|weight_decay|l2|momentum|dtype|data_format",
        (
            Way("word", _fixed("conv")),
            Way("none", _fixed(None)),
            Way("zero", _fixed(0)),
            Way("maker of arrays", _fixed(Reference("stand-in:maker"))),
        ),
    ),
    Role(
        "yes",
        r"train(ing)?|is_train(ing)?|cache_?\w*on|retain\w*|need\w*|compute\w*|first_?layer|(is_)?first|use_bias",
        r"(use_?|has_?|with_?)?bias|bias|trainable|use_bias|first|is_first\w*",
        (Way("true", _fixed(value=True)), Way("false", _fixed(value=False))),
    ),
)

OPTIONS = re.compile(
    r"\w*param(eter)?s?|hyper\w*|\w*options?|config|cfg|\w*dict|layer|conf|args|kwargs|info|spec|attrs?|settings?",
    re.IGNORECASE,
)
_CACHE = re.compile(
    r"\w*cache\w*|saved\w*|memory|state|stash|store\w*|tape|aux\w*|tmp|intermediate\w*|fwd\w*|residuals",
    re.IGNORECASE,
)


def is_cache(parameter: str) -> bool:
    """Whether the name says that it holds what the forward pass has kept."""
    return any(map(_CACHE.fullmatch, (parameter, in_english(parameter))))


def ways_of(parameter: str, *, constructor: bool) -> list[tuple[str, Way]]:
    """Every role that the name suggests with every way to write it, the likeliest first."""
    plain = parameter.removeprefix("_").removesuffix("_")
    found: list[tuple[str, Way]] = []
    for role in ROLES:
        if role.suggested(plain, constructor=constructor):
            found += [(role.name, way) for way in role.ways]
    if constructor and plain.lower() not in _ARRAYS:
        found.sort(key=lambda f: f[1].name == "array")  # `filters` is a number in a constructor
    return found


_ARRAYS = frozenset({"w", "weights", "weight", "b", "bias", "biases"})


ROLE = {role.name: role for role in ROLES}
