"""The kernels' tests need LLVM, and keep their own folder of compiled code."""

import pytest

pytest.importorskip("llvmlite")


@pytest.fixture(autouse=True, scope="session")
def compiled_code_in_a_folder_of_its_own(tmp_path_factory):
    """Nothing is read from the user's folder, and nothing left there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONVGRAD_CACHE_DIR", str(tmp_path_factory.mktemp("objects")))
        yield
