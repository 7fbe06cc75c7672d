"""An argument of another kind is refused by its name, with what is expected and the mend."""

import pytest

import convgrad
from convgrad.errors import ConvgradError
from convgrad.testing import assert_conv_backward

LAYER = convgrad.Convolution((5, 5), 1, 1, 3)


@pytest.mark.parametrize(
    ("call", "name", "mend"),
    [
        (lambda: convgrad.passes(3), "layer=3", "convgrad.Convolution"),
        (lambda: convgrad.prove("layer"), "layer='layer'", "convgrad.Convolution"),
        (lambda: convgrad.parse(3), "text=3", "as text"),
        (lambda: convgrad.differentiate("z = x", "x"), "equation='z = x'", "convgrad.parse"),
        (lambda: convgrad.phases(None), "equation=None", "convgrad.parse"),
        (lambda: convgrad.as_cross_correlation(LAYER), "dx=", "convgrad.passes"),
        (lambda: convgrad.missing_conditions(3), "equation=3", "convgrad.parse"),
        (lambda: assert_conv_backward(3, LAYER), "function=3", "dx, dw and db"),
        (lambda: assert_conv_backward(print, 3), "layer=3", "convgrad.Convolution"),
    ],
)
def test_an_argument_of_another_kind_is_named(call, name, mend):
    with pytest.raises(ConvgradError) as refused:
        call()
    assert isinstance(refused.value, TypeError)
    assert str(refused.value).startswith(name)
    assert refused.value.expected
    assert mend in refused.value.mend
