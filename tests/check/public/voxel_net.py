import numpy as np


class Conv3DLayer(object):
    """3D convolution for voxel grids (channels last), trained in place with SGD."""

    def __init__(self, n_filters, n_channels, filter_size=(3, 3, 3), stride=1, learning_rate=0.01):
        fd, fh, fw = filter_size
        self.stride = stride
        self.learning_rate = learning_rate
        scale = np.sqrt(2.0 / (fd * fh * fw * n_channels))
        self.weights = np.random.randn(fd, fh, fw, n_channels, n_filters) * scale
        self.biases = np.zeros((n_filters,))

    def forward(self, voxels):
        self.voxels = voxels
        s = self.stride
        fd, fh, fw, _, n_filters = self.weights.shape
        batch, depth, height, width, _ = voxels.shape
        od = (depth - fd) // s + 1
        oh = (height - fh) // s + 1
        ow = (width - fw) // s + 1
        out = np.zeros((batch, od, oh, ow, n_filters))
        for a in range(fd):
            for b in range(fh):
                for c in range(fw):
                    block = voxels[:, a:a + s * od:s, b:b + s * oh:s, c:c + s * ow:s, :]
                    out += np.dot(block, self.weights[a, b, c])
        return out + self.biases

    def backward(self, delta):
        s = self.stride
        fd, fh, fw, _, _ = self.weights.shape
        _, od, oh, ow, _ = delta.shape
        grad_in = np.zeros_like(self.voxels)
        grad_w = np.zeros_like(self.weights)
        for a in range(fd):
            for b in range(fh):
                for c in range(fw):
                    region = (slice(None), slice(a, a + s * od, s), slice(b, b + s * oh, s),
                              slice(c, c + s * ow, s))
                    grad_w[a, b, c] = np.tensordot(self.voxels[region], delta,
                                                   axes=([0, 1, 2, 3], [0, 1, 2, 3]))
                    grad_in[region] += np.dot(delta, self.weights[a, b, c].T)
        self.weights -= self.learning_rate * grad_w
        self.biases -= self.learning_rate * delta.sum(axis=(0, 1, 2, 3))
        return grad_in
