"""The layers that are measured: every distinct convolution of well-known networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from convgrad.convolution import Convolution

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Case:
    """A layer with a batch and a type of number.

    Attributes:
        network: where it comes from.
        kind: what limits it: dense, first, strided, depthwise, grouped, tiny, line.
        layer: the layer.
        batch: images.
        number: "float32" or "float64".
    """

    network: str
    kind: str
    layer: Convolution
    batch: int
    number: str = "float32"

    def __str__(self) -> str:
        layer = self.layer
        join = lambda sizes: "x".join(map(str, sizes))  # noqa: E731
        parts = [
            f"{self.network} {self.batch}x{layer.in_channels}x{join(layer.input_size)}",
            f"-> {layer.filters}",
            join(layer.kernel),
        ]
        if set(layer.stride) != {1}:
            steps = layer.stride if len(set(layer.stride)) > 1 else layer.stride[:1]
            parts.append(f"/{join(steps)}")
        if set(layer.dilation) != {1}:
            parts.append(f"d{layer.dilation[-1]}")
        if layer.groups > 1:
            parts.append(f"g{layer.groups}")
        if layer.transposed:
            parts.append("T")
        if self.number == "float64":
            parts.append("f64")
        return " ".join(parts)


def _case(
    network: str,
    kind: str,
    batch: int,
    size: int | tuple[int, ...],
    channels: int,
    filters: int,
    kernel: int | tuple[int, ...],
    **options: Any,
) -> Case:
    rank = options.pop("rank", 2)
    number = options.pop("number", "float32")
    space = size if isinstance(size, tuple) else (size,) * rank
    layer = Convolution(space, channels, filters, kernel, bias="none", **options)
    return Case(network, kind, layer, batch, number)


def _resnet() -> list[Case]:
    cases = [_case("ResNet-50", "first", 8, 224, 3, 64, 7, stride=2, padding=3)]
    inner = 64
    for size, outer, before in ((56, 256, 64), (28, 512, 256), (14, 1024, 512), (7, 2048, 1024)):
        wide = size if size == 56 else size * 2
        cases += [
            _case("ResNet-50", "dense", 8, wide, before, inner, 1),
            _case("ResNet-50", "dense", 8, size, inner, inner, 3, padding=1),
            _case("ResNet-50", "dense", 8, size, inner, outer, 1),
            _case("ResNet-50", "dense", 8, size, outer, inner, 1),
        ]
        if size < 56:
            cases += [
                _case("ResNet-50", "strided", 8, wide, inner, inner, 3, stride=2, padding=1),
                _case("ResNet-50", "strided", 8, wide, before, outer, 1, stride=2),
            ]
        inner *= 2
    return cases


def _vgg() -> list[Case]:
    shapes = (
        (224, 3, 64), (224, 64, 64), (112, 64, 128), (112, 128, 128), (56, 128, 256),
        (56, 256, 256), (28, 256, 512), (28, 512, 512), (14, 512, 512),
    )  # fmt: skip
    return [
        _case("VGG-16", "first" if c == 3 else "dense", 2, size, c, k, 3, padding=1)
        for size, c, k in shapes
    ]


def _inverted(
    network: str, blocks: Sequence[tuple[int, int, int, int, int]], *, squeeze: bool
) -> list[Case]:
    """Inverted residual blocks: (expansion, kernel, stride, channels, repeats) for each stage.

    With `squeeze`, every block gates its channels by two 1x1 layers on the mean of the image.
    """
    cases = [_case(network, "first", 8, 224, 3, 32, 3, stride=2, padding=1)]
    size, before = 112, 32
    for expansion, kernel, first_stride, channels, repeats in blocks:
        for stride in (first_stride, *(1,) * (repeats - 1)):
            wide = before * expansion
            if expansion > 1:
                cases.append(_case(network, "dense", 8, size, before, wide, 1))
            cases.append(
                _case(
                    network, "depthwise", 8, size, wide, wide, kernel,
                    stride=stride, padding=kernel // 2, groups=wide,
                )
            )  # fmt: skip
            size //= stride
            if squeeze:
                cases += [
                    _case(network, "tiny", 8, 1, wide, before // 4, 1),
                    _case(network, "tiny", 8, 1, before // 4, wide, 1),
                ]
            cases.append(_case(network, "dense", 8, size, wide, channels, 1))
            before = channels
    return [*cases, _case(network, "dense", 8, size, before, 1280, 1)]


def _mobilenet() -> list[Case]:
    blocks = (
        (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 3, 2, 32, 3), (6, 3, 2, 64, 4),
        (6, 3, 1, 96, 3), (6, 3, 2, 160, 3), (6, 3, 1, 320, 1),
    )  # fmt: skip
    return _inverted("MobileNetV2", blocks, squeeze=False)


def _efficientnet() -> list[Case]:
    blocks = (
        (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3),
        (6, 5, 1, 112, 3), (6, 5, 2, 192, 4), (6, 3, 1, 320, 1),
    )  # fmt: skip
    return _inverted("EfficientNet-B0", blocks, squeeze=True)


def _convnext() -> list[Case]:
    cases = [_case("ConvNeXt-T", "strided", 8, 224, 3, 96, 4, stride=4)]
    for size, c in ((56, 96), (28, 192), (14, 384), (7, 768)):
        cases += [
            _case("ConvNeXt-T", "depthwise", 8, size, c, c, 7, padding=3, groups=c),
            _case("ConvNeXt-T", "dense", 8, size, c, 4 * c, 1),
            _case("ConvNeXt-T", "dense", 8, size, 4 * c, c, 1),
        ]
        if size > 7:
            cases.append(_case("ConvNeXt-T", "strided", 8, size, c, 2 * c, 2, stride=2))
    return cases


def _resnext() -> list[Case]:
    cases = [_case("ResNeXt-50", "first", 8, 224, 3, 64, 7, stride=2, padding=3)]
    before = 64
    for size, inner in ((56, 128), (28, 256), (14, 512), (7, 1024)):
        outer, stride = 2 * inner, 1 if size == 56 else 2
        wide = size * stride
        cases += [
            _case("ResNeXt-50", "dense", 8, wide, before, inner, 1),
            _case("ResNeXt-50", "dense", 8, size, inner, outer, 1),
            _case("ResNeXt-50", "dense", 8, size, outer, inner, 1),
            _case("ResNeXt-50", "grouped", 8, size, inner, inner, 3, padding=1, groups=32),
            _case(
                "ResNeXt-50", "grouped", 8, wide, inner, inner, 3,
                stride=stride, padding=1, groups=32,
            ),
            _case(
                "ResNeXt-50", "dense" if stride == 1 else "strided", 8, wide, before, outer, 1,
                stride=stride,
            ),
        ]  # fmt: skip
        before = outer
    return cases


def _unet() -> list[Case]:
    cases = [_case("U-Net", "first", 1, 256, 1, 64, 3, padding=1)]
    size, c = 256, 64
    while c < 1024:
        cases += [
            _case("U-Net", "dense", 1, size, c, c, 3, padding=1),
            _case("U-Net", "dense", 1, size, 2 * c, c, 3, padding=1),  # after the skip connection
            _case("U-Net", "dense", 1, size // 2, c, 2 * c, 3, padding=1),
            _case("U-Net", "strided", 1, size // 2, 2 * c, c, 2, stride=2, transposed=True),
        ]
        size, c = size // 2, 2 * c
    return [
        *cases,
        _case("U-Net", "dense", 1, size, c, c, 3, padding=1),
        _case("U-Net", "dense", 1, 256, 64, 2, 1),
    ]


def _deeplab() -> list[Case]:
    """DeepLabv3 at output stride 16: the dilated last block, the pyramid, the classifier."""
    shapes = ((33, 512, 2048), (33, 2048, 512), (33, 2048, 256), (1, 2048, 256), (33, 1280, 256))
    return [
        _case("DeepLab", "dense", 2, 33, 512, 512, 3, padding=2, dilation=2),
        *(
            _case("DeepLab", "dense", 2, 33, 2048, 256, 3, padding=d, dilation=d)
            for d in (6, 12, 18)
        ),
        *(_case("DeepLab", "dense", 2, size, c, k, 1) for size, c, k in shapes),
        _case("DeepLab", "dense", 2, 33, 256, 21, 1),
    ]


def _wavenet() -> list[Case]:
    """A causal first layer, gates (two filters of 32 at once) in ten dilations, 1x1 layers."""
    return [
        *(
            _case("WaveNet", "line", 2, 8192, c, k, 2, rank=1, dilation=d, padding=[[d, 0]])
            for c, k, d in ((256, 32, 1), *((32, 64, 2**n) for n in range(10)))
        ),
        *(
            _case("WaveNet", "line", 2, 8192, c, k, 1, rank=1)
            for c, k in ((32, 32), (32, 512), (512, 512), (512, 256))
        ),
    ]


def _video() -> list[Case]:
    c3d = (
        ((16, 112, 112), 3, 64), ((16, 56, 56), 64, 128), ((8, 28, 28), 128, 256),
        ((8, 28, 28), 256, 256), ((4, 14, 14), 256, 512), ((4, 14, 14), 512, 512),
        ((2, 7, 7), 512, 512),
    )  # fmt: skip
    cases = [
        _case("C3D", "first" if c == 3 else "dense", 1, size, c, k, 3, padding=1)
        for size, c, k in c3d
    ]
    cases.append(
        _case(
            "ResNet-3D", "first", 1, (16, 112, 112), 3, 64, (3, 7, 7),
            stride=(1, 2, 2), padding=(1, 3, 3),
        )
    )  # fmt: skip
    size, c = (16, 56, 56), 64
    while c < 512:
        cases += [
            _case("ResNet-3D", "dense", 1, size, c, c, 3, padding=1),
            _case("ResNet-3D", "strided", 1, size, c, 2 * c, 3, stride=2, padding=1),
            _case("ResNet-3D", "strided", 1, size, c, 2 * c, 1, stride=2),
        ]
        size, c = tuple(n // 2 for n in size), 2 * c
    return [*cases, _case("ResNet-3D", "dense", 1, size, c, c, 3, padding=1)]


def _small() -> list[Case]:
    """LeNet-5, the CIFAR net of four layers, and ResNet-20; a batch and a single image."""
    cases: list[Case] = []
    for batch in (64, 1):
        cases += [
            _case("LeNet-5", "tiny", batch, 28, 1, 6, 5, padding=2),
            _case("LeNet-5", "tiny", batch, 14, 6, 16, 5),
            _case("LeNet-5", "tiny", batch, 5, 16, 120, 5),
        ]
        shapes = (
            (32, 3, 32, 1), (32, 32, 32, 1), (16, 32, 64, 1), (16, 64, 64, 1),
            (32, 3, 16, 1), (32, 16, 16, 1), (32, 16, 32, 2), (16, 32, 32, 1),
            (16, 32, 64, 2), (8, 64, 64, 1),
        )  # fmt: skip
        cases += [
            _case("CIFAR", "tiny", batch, size, c, k, 3, stride=s, padding=1)
            for size, c, k, s in shapes
        ]
    return cases


def _long() -> list[Case]:
    return [
        _case("FIR", "line", 1, 65536, 1, 1, 1024, rank=1),
        _case("RepLKNet", "depthwise", 2, 28, 128, 128, 31, padding=15, groups=128),
    ]


def _double() -> list[Case]:
    return [
        _case("double", "f64", 4, 56, 64, 64, 3, padding=1, number="float64"),
        _case("double", "f64", 4, 14, 256, 256, 3, padding=1, number="float64"),
        _case("double", "f64", 4, 28, 128, 512, 1, number="float64"),
        _case("double", "f64", 4, 56, 256, 512, 1, stride=2, number="float64"),
        _case("double", "f64", 4, 112, 3, 64, 7, stride=2, padding=3, number="float64"),
        _case("double", "f64", 4, 28, 96, 96, 3, padding=1, groups=96, number="float64"),
        _case("double", "f64", 4, 28, 256, 256, 3, padding=1, groups=32, number="float64"),
        _case("double", "f64", 64, 14, 6, 16, 5, number="float64"),
    ]


QUICK = (
    "ResNet-50 8x3x224x224 -> 64 7x7 /2",
    "ResNet-50 8x64x56x56 -> 64 3x3",
    "ResNet-50 8x512x7x7 -> 512 3x3",
    "ResNet-50 8x256x14x14 -> 1024 1x1",
    "ResNet-50 8x256x56x56 -> 512 1x1 /2",
    "MobileNetV2 8x144x56x56 -> 144 3x3 g144",
    "ConvNeXt-T 8x192x28x28 -> 192 7x7 g192",
    "ResNeXt-50 8x256x28x28 -> 256 3x3 g32",
    "WaveNet 2x32x8192 -> 64 2 d16",
    "FIR 1x1x65536 -> 1 1024",
    "LeNet-5 64x6x14x14 -> 16 5x5",
    "LeNet-5 1x6x14x14 -> 16 5x5",
    "double 4x64x56x56 -> 64 3x3 f64",
)
"""A dozen that stand for the rest."""


def cases(only: str = "", *, quick: bool = False) -> list[Case]:
    """The suite, or the cases whose name holds a text, or the few that stand for all."""
    every = [
        *_resnet(), *_vgg(), *_mobilenet(), *_efficientnet(), *_convnext(), *_resnext(), *_unet(),
        *_deeplab(), *_wavenet(), *_video(), *_small(), *_long(), *_double(),
    ]  # fmt: skip
    # The same layer in two networks is measured once, under the first one's name.
    first: dict[tuple[Convolution, int, str], Case] = {}
    for case in every:
        first.setdefault((case.layer, case.batch, case.number), case)
    distinct = list(first.values())
    if quick:
        distinct = [case for case in distinct if str(case) in QUICK]
    return [case for case in distinct if only.lower() in f"{case} {case.kind}".lower()]
