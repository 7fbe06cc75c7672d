import numpy as np


class VoxelConv:
    """Convolution over occupancy grids, (batch, depth, height, width, channels)."""

    def __init__(self, in_channels, out_channels, kernel_size=(3, 3, 3)):
        self.kernel_size = kernel_size
        self.params = {
            "W": np.random.normal(0, 0.05, size=(*kernel_size, in_channels, out_channels)),
            "b": np.zeros(out_channels),
        }
        self.grads = {}

    def __call__(self, x):
        return self.forward(x)

    def forward(self, x):
        self.x = x
        kd, kh, kw = self.kernel_size
        B, D, H, W, _ = x.shape
        self.out_shape = (D - kd + 1, H - kh + 1, W - kw + 1)
        D_out, H_out, W_out = self.out_shape
        y = np.zeros((B, D_out, H_out, W_out, self.params["W"].shape[-1]))
        for z in range(D_out):
            for i in range(H_out):
                for j in range(W_out):
                    patch = x[:, z:z + kd, i:i + kh, j:j + kw, :]
                    y[:, z, i, j] = np.einsum("bdhwc,dhwcf->bf", patch, self.params["W"])
        return y + self.params["b"]

    def backward(self, dy):
        kd, kh, kw = self.kernel_size
        D_out, H_out, W_out = self.out_shape
        dx = np.zeros_like(self.x)
        dW = np.zeros_like(self.params["W"])
        for z in range(D_out):
            for i in range(H_out):
                for j in range(W_out):
                    patch = self.x[:, z:z + kd, i:i + kh, j:j + kw, :]
                    dW += np.einsum("bdhwc,bf->dhwcf", patch, dy[:, z, i, j])
                    dx[:, z:z + kd, i:i + kh, j:j + kw, :] += np.einsum(
                        "bf,dhwcf->bdhwc", dy[:, z, i, j], self.params["W"])
        self.grads["W"] = dW
        self.grads["b"] = dy.sum(axis=(0, 1, 2, 3))
        return dx
