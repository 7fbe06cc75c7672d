import numpy as np


class ConvLayer:
    """Convolution with its own Adam state.  Everything is (batch, channel, row, column)."""

    def __init__(self, in_channels, out_channels, kernel_size, stride=1, padding=0,
                 beta1=0.9, beta2=0.999, epsilon=1e-8):
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = padding
        scale = np.sqrt(2.0 / (in_channels * kernel_size * kernel_size))
        self.weights = np.random.randn(out_channels, in_channels, kernel_size, kernel_size) * scale
        self.biases = np.zeros(out_channels)

        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self.m_w = np.zeros_like(self.weights)
        self.v_w = np.zeros_like(self.weights)
        self.m_b = np.zeros_like(self.biases)
        self.v_b = np.zeros_like(self.biases)
        self.t = 0

    def forward(self, inputs):
        self.inputs = inputs
        p, s, k = self.padding, self.stride, self.kernel_size
        self.padded = np.pad(inputs, ((0, 0), (0, 0), (p, p), (p, p)))
        n, _, h, w = self.padded.shape
        oh, ow = (h - k) // s + 1, (w - k) // s + 1
        out = np.zeros((n, self.out_channels, oh, ow))
        for y in range(oh):
            for x in range(ow):
                region = self.padded[:, :, y * s:y * s + k, x * s:x * s + k]
                out[:, :, y, x] = np.tensordot(region, self.weights, axes=([1, 2, 3], [1, 2, 3]))
        return out + self.biases[None, :, None, None]

    def backward(self, grad_output, learning_rate):
        p, s, k = self.padding, self.stride, self.kernel_size
        n, _, oh, ow = grad_output.shape
        grad_w = np.zeros_like(self.weights)
        grad_padded = np.zeros_like(self.padded)
        for y in range(oh):
            for x in range(ow):
                g = grad_output[:, :, y, x]
                region = self.padded[:, :, y * s:y * s + k, x * s:x * s + k]
                grad_w = np.tensordot(g, region, axes=(0, 0))
                grad_padded[:, :, y * s:y * s + k, x * s:x * s + k] += np.tensordot(g, self.weights, axes=(1, 0))
        grad_b = grad_output.sum(axis=(0, 2, 3))
        h, w = self.inputs.shape[2:]
        grad_input = grad_padded[:, :, p:p + h, p:p + w]
        self._adam(grad_w, grad_b, learning_rate)
        return grad_input

    def _adam(self, grad_w, grad_b, lr):
        self.t += 1
        self.m_w = self.beta1 * self.m_w + (1 - self.beta1) * grad_w
        self.v_w = self.beta2 * self.v_w + (1 - self.beta2) * grad_w ** 2
        self.m_b = self.beta1 * self.m_b + (1 - self.beta1) * grad_b
        self.v_b = self.beta2 * self.v_b + (1 - self.beta2) * grad_b ** 2
        c1, c2 = 1 - self.beta1 ** self.t, 1 - self.beta2 ** self.t
        self.weights -= lr * (self.m_w / c1) / (np.sqrt(self.v_w / c2) + self.epsilon)
        self.biases -= lr * (self.m_b / c1) / (np.sqrt(self.v_b / c2) + self.epsilon)
