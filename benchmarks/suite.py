"""The layers that are measured: every distinct convolution of well-known networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from convgrad.convolution import Convolution


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
            parts.append(f"/{layer.stride[0]}")
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
    network: str, kind: str, batch: int, size: int | tuple[int, ...], *sizes: int, **options: Any
) -> Case:
    channels, filters, kernel = sizes
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


def _depthwise() -> list[Case]:
    mobile = (
        (112, 32, 1), (112, 96, 2), (56, 144, 1), (56, 144, 2), (28, 192, 1), (28, 192, 2),
        (14, 384, 1), (14, 576, 1), (14, 576, 2), (7, 960, 1),
    )  # fmt: skip
    efficient = ((56, 144, 2), (28, 240, 1), (14, 480, 1), (14, 672, 1), (14, 672, 2), (7, 1152, 1))
    cases = [_case("MobileNetV2", "first", 8, 224, 3, 32, 3, stride=2, padding=1)]
    cases += [
        _case("MobileNetV2", "depthwise", 8, n, c, c, 3, stride=s, padding=1, groups=c)
        for n, c, s in mobile
    ]
    cases += [
        _case("EfficientNet-B0", "depthwise", 8, n, c, c, 5, stride=s, padding=2, groups=c)
        for n, c, s in efficient
    ]
    cases += [
        _case("ConvNeXt-T", "depthwise", 8, n, c, c, 7, padding=3, groups=c)
        for n, c in ((56, 96), (28, 192), (14, 384), (7, 768))
    ]
    cases.append(_case("RepLKNet", "depthwise", 2, 28, 128, 128, 31, padding=15, groups=128))
    return cases


def _pointwise() -> list[Case]:
    shapes = (
        (112, 32, 16), (112, 16, 96), (56, 24, 144), (56, 144, 24), (28, 32, 192), (28, 192, 32),
        (14, 96, 576), (14, 576, 96), (7, 160, 960), (7, 960, 320), (7, 320, 1280),
    )  # fmt: skip
    cases = [_case("MobileNetV2", "dense", 8, n, c, k, 1) for n, c, k in shapes]
    cases += [
        _case("ConvNeXt-T", "strided", 8, 224, 3, 96, 4, stride=4),
        _case("ConvNeXt-T", "strided", 8, 56, 96, 192, 2, stride=2),
        _case("ConvNeXt-T", "strided", 8, 28, 192, 384, 2, stride=2),
    ]
    return cases


def _grouped() -> list[Case]:
    return [
        _case("ResNeXt-50", "grouped", 8, n, c, c, 3, stride=s, padding=1, groups=32)
        for n, c, s in ((56, 128, 1), (56, 256, 2), (28, 256, 1), (28, 512, 2), (14, 512, 1),
                        (14, 1024, 2), (7, 1024, 1))
    ]  # fmt: skip


def _others() -> list[Case]:
    cases = [
        _case("U-Net", "dense", 1, 256, 64, 64, 3, padding=1),
        _case("U-Net", "dense", 1, 128, 256, 128, 3, padding=1),
        _case("U-Net", "strided", 1, 16, 1024, 512, 2, stride=2, transposed=True),
        _case("U-Net", "strided", 1, 64, 256, 128, 2, stride=2, transposed=True),
        _case("U-Net", "strided", 1, 128, 128, 64, 2, stride=2, transposed=True),
        _case("U-Net", "dense", 1, 256, 64, 2, 1),
    ]
    cases += [
        _case("DeepLab", "dense", 2, 33, 512, 256, 3, padding=d, dilation=d) for d in (6, 12, 18)
    ]
    cases += [
        _case("WaveNet", "line", 2, 8192, 32, 64, 2, rank=1, dilation=d, padding=[[d, 0]])
        for d in (1, 16, 512)
    ]
    cases += [
        _case("C3D", "first", 1, (16, 112, 112), 3, 64, 3, padding=1),
        _case("C3D", "dense", 1, (16, 56, 56), 64, 128, 3, padding=1),
        _case("C3D", "dense", 1, (4, 14, 14), 256, 512, 3, padding=1),
        _case("ResNet-3D", "strided", 1, (16, 56, 56), 64, 128, 3, stride=2, padding=1),
        _case("FIR", "line", 1, 65536, 1, 1, 1024, rank=1),
    ]
    for batch in (64, 1):
        cases += [
            _case("LeNet-5", "tiny", batch, 28, 1, 6, 5, padding=2),
            _case("LeNet-5", "tiny", batch, 14, 6, 16, 5),
            _case("CIFAR", "tiny", batch, 32, 3, 32, 3, padding=1),
            _case("CIFAR", "tiny", batch, 32, 32, 32, 3, padding=1),
            _case("CIFAR", "tiny", batch, 16, 32, 64, 3, padding=1),
            _case("CIFAR", "tiny", batch, 8, 64, 64, 3, padding=1),
        ]
    return cases


def _double() -> list[Case]:
    return [
        _case("double", "f64", 4, 56, 64, 64, 3, padding=1, number="float64"),
        _case("double", "f64", 4, 14, 256, 256, 3, padding=1, number="float64"),
        _case("double", "f64", 4, 28, 128, 512, 1, number="float64"),
        _case("double", "f64", 4, 112, 3, 64, 7, stride=2, padding=3, number="float64"),
        _case("double", "f64", 4, 28, 96, 96, 3, padding=1, groups=96, number="float64"),
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
        *_resnet(), *_vgg(), *_depthwise(), *_pointwise(), *_grouped(), *_others(), *_double(),
    ]  # fmt: skip
    distinct = list(dict.fromkeys(every))
    if quick:
        distinct = [case for case in distinct if str(case) in QUICK]
    return [case for case in distinct if only.lower() in f"{case} {case.kind}".lower()]
