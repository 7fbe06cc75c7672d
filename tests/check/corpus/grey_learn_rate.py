import numpy as np


class ConvKxK:
    '''One grey image in, num_filters maps out.'''

    def __init__(self, num_filters, size=3):
        self.num_filters = num_filters
        self.size = size
        self.filters = np.random.randn(num_filters, size, size) / (size * size)

    def patches(self, image):
        h, w = image.shape
        for i in range(h - self.size + 1):
            for j in range(w - self.size + 1):
                yield image[i:i + self.size, j:j + self.size], i, j

    def forward(self, image):
        self.last_input = image
        h, w = image.shape
        output = np.zeros((h - self.size + 1, w - self.size + 1, self.num_filters))
        for patch, i, j in self.patches(image):
            output[i, j] = np.sum(patch * self.filters, axis=(1, 2))
        return output

    def backprop(self, d_out, learn_rate):
        d_filters = np.zeros(self.filters.shape)
        for patch, i, j in self.patches(self.last_input):
            for f in range(self.num_filters):
                d_filters[f] += d_out[i, j, f] * patch
        self.filters -= learn_rate * d_filters
        return None
