import numpy as np
from scipy.signal import convolve2d


def cnnConvolve(images, W, b):
    """images (N, rows, cols), W (fd1, fd2, numFilters); the filter is turned before conv2."""
    numImages = images.shape[0]
    numFilters = W.shape[2]
    conv_r = images.shape[1] - W.shape[0] + 1
    conv_c = images.shape[2] - W.shape[1] + 1
    convolved = np.zeros((numImages, conv_r, conv_c, numFilters))
    for i in range(numImages):
        for f in range(numFilters):
            convolved[i, :, :, f] = convolve2d(images[i], np.rot90(W[:, :, f], 2), mode='valid') + b[f]
    return convolved


def cnnGradient(delta, images, W):
    Wc_grad = np.zeros(W.shape)
    bc_grad = np.zeros(W.shape[2])
    for f in range(W.shape[2]):
        for i in range(images.shape[0]):
            d = delta[i, :, :, f]
            bc_grad[f] += d.sum()
            Wc_grad[:, :, f] += convolve2d(images[i], d, mode='valid')
    return Wc_grad, bc_grad
