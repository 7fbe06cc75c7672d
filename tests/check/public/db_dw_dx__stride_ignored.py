import numpy as np

def getWindows(input, output_size, kernel_size, padding=0, stride=1, dilate=0):
    working_input = input
    working_pad = padding
    # dilate the input if necessary
    if dilate != 0:
        working_input = np.insert(working_input, range(1, input.shape[2]), 0, axis=2)
        working_input = np.insert(working_input, range(1, input.shape[3]), 0, axis=3)

    # pad the input if necessary
    if working_pad != 0:
        working_input = np.pad(working_input, pad_width=((0,), (0,), (working_pad,), (working_pad,)), mode='constant', constant_values=(0.,))

    in_b, in_c, out_h, out_w = output_size
    out_b, out_c, _, _ = input.shape
    batch_str, channel_str, kern_h_str, kern_w_str = working_input.strides

    return np.lib.stride_tricks.as_strided(
        working_input,
        (out_b, out_c, out_h, out_w, kernel_size, kernel_size),
        (batch_str, channel_str, stride * kern_h_str, stride * kern_w_str, kern_h_str, kern_w_str)
    )

class Conv2D:
    """
    An implementation of the convolutional layer.
    """
    def __init__(self, in_channels, out_channels, kernel_size=3, stride=1, padding=0):
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self._init_weights()
        self.cache = None

    def _init_weights(self):
        self.weight = 1e-3 * np.random.randn(self.out_channels, self.in_channels, self.kernel_size, self.kernel_size)
        self.bias = np.zeros(self.out_channels)

    def forward(self, x):
        n, c, h, w = x.shape
        out_h = (h - self.kernel_size + 2 * self.padding) // self.stride + 1
        out_w = (w - self.kernel_size + 2 * self.padding) // self.stride + 1
        windows = getWindows(x, (n, c, out_h, out_w), self.kernel_size, self.padding, self.stride)
        out = np.einsum('bihwkl,oikl->bohw', windows, self.weight)
        out += self.bias[None, :, None, None]
        self.cache = x, windows
        return out

    def backward(self, dout):
        x, windows = self.cache
        s = self.stride
        n, f, oh, ow = dout.shape
        k, p = self.kernel_size, self.padding
        h, w = x.shape[2:]
        # spread the error: stride-1 zeros between, and a margin
        spread = np.zeros((n, f, h + 2 * p - k + 1, w + 2 * p - k + 1))
        spread[:, :, :(oh - 1) * s + 1:s, :ow] = dout
        dout_windows = getWindows(spread, (n, f, h + 2 * p, w + 2 * p), k, padding=k - 1, stride=1)
        rot_kern = np.rot90(self.weight, 2, axes=(2, 3))
        db = np.sum(dout, axis=(0, 2, 3))
        dw = np.einsum('bihwkl,bohw->oikl', windows, dout)
        dx = np.einsum('bohwkl,oikl->bihw', dout_windows, rot_kern)
        return db, dw, dx[:, :, p:p + h, p:p + w]
