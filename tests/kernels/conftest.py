"""The kernels' tests need LLVM, and keep their own folder of compiled code."""

import os

import pytest

pytest.importorskip("llvmlite")

OUTSIDE = os.environ.get("CONVGRAD_COMPILE_WITH", "")
"""Where the processor is emulated: a Python of the machine that emulates it."""


@pytest.fixture(autouse=True, scope="session")
def compiled_code_in_a_folder_of_its_own(tmp_path_factory):
    """Nothing is read from the user's folder, and nothing left there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVGRAD_CACHE_DIR", str(tmp_path_factory.mktemp("objects")))
        if OUTSIDE:
            from cross import compile_outside

            from convgrad.kernels import llvm

            patch.setattr(
                llvm,
                "compile_object",
                lambda text, _, lean=False: compile_outside(OUTSIDE, text, lean),
            )
        yield
