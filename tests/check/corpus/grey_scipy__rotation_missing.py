from scipy.signal import convolve2d, correlate2d


def conv_forward(image, kernel, bias=0.0):
    return correlate2d(image, kernel, mode='valid') + bias


def conv_backward(delta, image, kernel):
    d_kernel = correlate2d(image, delta, mode='valid')
    d_image = correlate2d(delta, kernel, mode='full')
    d_bias = delta.sum()
    return d_image, d_kernel, d_bias
