import numpy as np

def depthwise_forward(x, w, b, stride, pad):
    # x (N,C,H,W)  w (C,1,k,k)  b (C,)
    N, C, H, W = x.shape
    k = w.shape[-1]
    Ho = (H + 2*pad - k)//stride + 1
    Wo = (W + 2*pad - k)//stride + 1
    xp = np.pad(x, ((0,0),(0,0),(pad,pad),(pad,pad)))
    y = np.zeros((N, C, Ho, Wo))
    for c in range(C):
        for i in range(Ho):
            for j in range(Wo):
                y[:,c,i,j] = np.sum(xp[:,c,i*stride:i*stride+k,j*stride:j*stride+k]*w[c,0], axis=(1,2)) + b[c]
    return y, (x, xp, w, stride, pad)

def depthwise_backward(dy, cache):
    x, xp, w, stride, pad = cache
    N, C, H, W = x.shape
    k = w.shape[-1]
    dxp = np.zeros_like(xp)
    dw = np.zeros_like(w)
    db = dy.sum(axis=(0,2,3))
    for c in range(C):
        for i in range(dy.shape[2]):
            for j in range(dy.shape[3]):
                g = dy[:,c,i,j][:,None,None]
                dw[c,0] += np.sum(xp[:,c,i*stride:i*stride+k,j*stride:j*stride+k]*g, axis=0)
                dxp[:,c,i*stride:i*stride+k,j*stride:j*stride+k] = g*w[c,0]
    return dxp[:,:,pad:pad+H,pad:pad+W], dw, db
