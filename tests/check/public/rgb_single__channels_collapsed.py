import numpy as np


class Conv_op:
    """Convolution of one RGB image (channels, rows, cols), learning rate given to back_prop."""

    def __init__(self, num_channels, num_filters, filter_size):
        self.num_channels = num_channels
        self.num_filters = num_filters
        self.filter_size = filter_size
        self.conv_filter = np.random.randn(num_filters, num_channels, filter_size, filter_size) / (filter_size * filter_size)

    def image_region(self, image):
        _, height, width = image.shape
        self.image = image
        for j in range(height - self.filter_size + 1):
            for k in range(width - self.filter_size + 1):
                yield image[:, j:(j + self.filter_size), k:(k + self.filter_size)], j, k

    def forward_prop(self, image):
        _, height, width = image.shape
        conv_out = np.zeros((self.num_filters, height - self.filter_size + 1, width - self.filter_size + 1))
        for patch, i, j in self.image_region(image):
            conv_out[:, i, j] = np.sum(patch * self.conv_filter, axis=(1, 2, 3))
        return conv_out

    def back_prop(self, dL_dout, learning_rate):
        dL_dF_params = np.zeros(self.conv_filter.shape)
        dL_dimage = np.zeros(self.image.shape)
        for patch, i, j in self.image_region(self.image):
            for k in range(self.num_filters):
                dL_dF_params[k] += np.sum(patch, axis=0) * dL_dout[k, i, j]
                dL_dimage[:, i:i + self.filter_size, j:j + self.filter_size] += self.conv_filter[k] * dL_dout[k, i, j]
        self.conv_filter -= learning_rate * dL_dF_params
        return dL_dimage
