import numpy as np

# one volume at a time: (depth, height, width) grey values in, one map for every filter out

class ConvolutionLayer3D:
    def __init__(self, num_filters, size):
        self.num_filters = num_filters
        self.size = size
        self.filters = np.random.randn(num_filters, size, size, size) / size ** 3

    def regions(self, volume):
        d, h, w = volume.shape
        for i in range(d - self.size + 1):
            for j in range(h - self.size + 1):
                for k in range(w - self.size + 1):
                    yield volume[i:i+self.size, j:j+self.size, k:k+self.size], i, j, k

    def forward(self, volume):
        self.last_input = volume
        d, h, w = volume.shape
        n = self.size - 1
        output = np.zeros((d - n, h - n, w - n, self.num_filters))
        for region, i, j, k in self.regions(volume):
            output[i, j, k] = np.sum(region * self.filters, axis=(1, 2, 3))
        return output

    def backprop(self, d_L_d_out, learn_rate):
        d_filters = np.zeros(self.filters.shape)
        d_input = np.zeros(self.last_input.shape)
        for region, i, j, k in self.regions(self.last_input):
            for f in range(self.num_filters):
                d_filters[f] += d_L_d_out[i, j, k, f] * region
                d_input[i:i+self.size, j:j+self.size, k:k+self.size] = d_L_d_out[i, j, k, f] * self.filters[f]
        self.filters -= learn_rate * d_filters
        return d_input
