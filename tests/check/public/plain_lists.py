"""No libraries at all: a grey image is a list of rows."""
import random


def convolve(image, kernel, bias):
    kh, kw = len(kernel), len(kernel[0])
    rows, cols = len(image) - kh + 1, len(image[0]) - kw + 1
    out = [[bias] * cols for _ in range(rows)]
    for i in range(rows):
        for j in range(cols):
            for a in range(kh):
                for b in range(kw):
                    out[i][j] += image[i + a][j + b] * kernel[a][b]
    return out


def convolve_backward(d_out, image, kernel):
    kh, kw = len(kernel), len(kernel[0])
    d_image = [[0.0] * len(image[0]) for _ in image]
    d_kernel = [[0.0] * kw for _ in range(kh)]
    d_bias = 0.0
    for i, row in enumerate(d_out):
        for j, d in enumerate(row):
            d_bias += d
            for a in range(kh):
                for b in range(kw):
                    d_image[i + a][j + b] += d * kernel[a][b]
                    d_kernel[a][b] += d * image[i + a][j + b]
    return d_image, d_kernel, d_bias


def random_kernel(size):
    return [[random.uniform(-1, 1) for _ in range(size)] for _ in range(size)]
