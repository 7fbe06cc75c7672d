import numpy as np


class Conv:
    def __init__(self, input_channels, num_kernels, kernel_size, stride=1, padding=0, lr=0.01):
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        self.lr = lr
        self.kernels = np.random.randn(kernel_size, kernel_size, input_channels, num_kernels) * 0.1
        self.bias = np.zeros((1, 1, 1, num_kernels))

    def forward(self, images):
        k, s, p = self.kernel_size, self.stride, self.padding
        self.images = np.pad(images, ((0, 0), (p, p), (p, p), (0, 0)))
        n, h, w, c = self.images.shape
        h_out, w_out = (h - k) // s + 1, (w - k) // s + 1
        out = np.zeros((n, h_out, w_out, self.kernels.shape[-1]))
        for y in range(h_out):
            for x in range(w_out):
                patch = self.images[:, y * s:y * s + k, x * s:x * s + k, :, np.newaxis]
                out[:, y, x, :] = np.sum(patch * self.kernels[np.newaxis], axis=(1, 2, 3))
        return out + self.bias

    def backward(self, d_out):
        k, s, p = self.kernel_size, self.stride, self.padding
        n, h_out, w_out, _ = d_out.shape
        d_images = np.zeros_like(self.images)
        d_kernels = np.zeros_like(self.kernels)
        for y in range(h_out):
            for x in range(w_out):
                g = d_out[:, y:y + 1, x:x + 1, np.newaxis, :]
                patch = self.images[:, y * s:y * s + k, x * s:x * s + k, :, np.newaxis]
                d_kernels += np.sum(patch * g, axis=0)
                d_images[:, y * s:y * s + k, x * s:x * s + k] += np.sum(self.kernels[np.newaxis] * g, axis=4)
        np.clip(d_kernels, -5.0, 5.0, out=d_kernels)
        self.kernels -= self.lr * d_kernels / n
        self.bias -= self.lr * np.sum(d_out, axis=(0, 1, 2), keepdims=True) / n
        h, w = d_images.shape[1:3]
        return d_images[:, p:h - p, p:w - p, :]
