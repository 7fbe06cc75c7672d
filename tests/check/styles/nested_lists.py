class ListConv:
    """Lists of lists, one channel."""
    def __init__(self, kernel, bias):
        self.kernel, self.bias = kernel, bias

    def forward(self, image):
        self.image = image
        kh, kw = len(self.kernel), len(self.kernel[0])
        return [[sum(image[i + a][j + b] * self.kernel[a][b] for a in range(kh) for b in range(kw)) + self.bias
                 for j in range(len(image[0]) - kw + 1)] for i in range(len(image) - kh + 1)]

    def backward(self, error):
        kh, kw = len(self.kernel), len(self.kernel[0])
        self.d_kernel = [[0.0] * kw for _ in range(kh)]
        self.d_bias = 0.0
        d_image = [[0.0] * len(self.image[0]) for _ in self.image]
        for i, row in enumerate(error):
            for j, e in enumerate(row):
                self.d_bias += e
                for a in range(kh):
                    for b in range(kw):
                        self.d_kernel[a][b] += e * self.image[i + a][j + b]
                        d_image[i + a][j + b] += e * self.kernel[a][b]
        return d_image
