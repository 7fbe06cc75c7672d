import numpy as np

class DepthwiseConv2D:
    """ one kernel per channel, channels last """
    def __init__(self, kernel_size, channels, stride=1):
        self.kernel_size = kernel_size
        self.stride = stride
        self.depthwise_kernel = np.random.randn(kernel_size, kernel_size, channels)
        self.bias = np.zeros(channels)

    def forward(self, x):
        k, s = self.kernel_size, self.stride
        self.x = x
        N, H, W, C = x.shape
        oh, ow = (H - k) // s + 1, (W - k) // s + 1
        out = np.zeros((N, oh, ow, C))
        for i in range(oh):
            for j in range(ow):
                out[:, i, j] = (x[:, i*s:i*s+k, j*s:j*s+k] * self.depthwise_kernel).sum(axis=(1, 2))
        return out + self.bias

    def backward(self, dout):
        k, s = self.kernel_size, self.stride
        dx = np.zeros_like(self.x)
        self.d_kernel = np.zeros_like(self.depthwise_kernel)
        for i in range(dout.shape[1]):
            for j in range(dout.shape[2]):
                g = dout[:, i, j][:, None, None, :]
                self.d_kernel += (self.x[:, i*s:i*s+k, j*s:j*s+k] * g).sum(axis=0)
                dx[:, i*s:i*s+k, j*s:j*s+k] += g * self.depthwise_kernel
        self.d_bias = dout.sum(axis=(0, 1, 2))
        return dx
