import numpy as np


def get_windows(input, output_size, kernel_size, padding=0, stride=1, dilate=0):
    working_input = input
    working_pad = padding
    if dilate != 0:
        working_input = _dilate(_dilate(working_input, dilate, 2), dilate, 3)
    if working_pad != 0:
        working_input = np.pad(working_input, ((0,), (0,), (working_pad,), (working_pad,)), mode='constant')
    in_b, in_c, out_h, out_w = output_size
    batch_str, channel_str, kern_h_str, kern_w_str = working_input.strides
    return np.lib.stride_tricks.as_strided(
        working_input,
        (in_b, in_c, out_h, out_w, kernel_size, kernel_size),
        (batch_str, channel_str, stride * kern_h_str, stride * kern_w_str, kern_h_str, kern_w_str))


def _dilate(a, times, axis):
    n = a.shape[axis]
    shape = list(a.shape)
    shape[axis] = (n - 1) * (times + 1) + 1
    out = np.zeros(shape)
    sl = [slice(None)] * a.ndim
    sl[axis] = slice(None, None, times + 1)
    out[tuple(sl)] = a
    return out


class Conv2D:
    def __init__(self, in_channels, out_channels, kernel_size=3, stride=1, padding=0):
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.weight = 1e-3 * np.random.randn(out_channels, in_channels, kernel_size, kernel_size)
        self.bias = np.zeros(out_channels)
        self.cache = None

    def forward(self, x):
        n, c, h, w = x.shape
        out_h = (h - self.kernel_size + 2 * self.padding) // self.stride + 1
        out_w = (w - self.kernel_size + 2 * self.padding) // self.stride + 1
        windows = get_windows(x, (n, c, out_h, out_w), self.kernel_size, self.padding, self.stride)
        out = np.einsum('bihwkl,oikl->bohw', windows, self.weight)
        out += self.bias[None, :, None, None]
        self.cache = x, windows
        return out

    def backward(self, dout):
        x, windows = self.cache
        padding = self.kernel_size - 1 if self.padding == 0 else self.kernel_size - 1 - self.padding
        dout_windows = get_windows(dout, x.shape[:1] + (self.out_channels,) + x.shape[2:], self.kernel_size,
                                   padding=padding, stride=1, dilate=self.stride - 1)
        rot_kern = np.rot90(self.weight, 2, axes=(2, 3))
        db = np.sum(dout, axis=(0, 2, 3))
        dw = np.einsum('bihwkl,bohw->oikl', windows, dout)
        dx = np.einsum('bohwkl,oikl->bihw', dout_windows, rot_kern)
        return db, dw, dx
