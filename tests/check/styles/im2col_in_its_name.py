"""Layers for assignment 2.  Everything here is N x C x H x W."""
import numpy as np


def get_im2col_indices(x_shape, HH, WW, pad, stride):
    N, C, H, W = x_shape
    out_h = (H + 2 * pad - HH) // stride + 1
    out_w = (W + 2 * pad - WW) // stride + 1
    r0 = np.tile(np.repeat(np.arange(HH), WW), C)
    c0 = np.tile(np.arange(WW), HH * C)
    r1 = stride * np.repeat(np.arange(out_h), out_w)
    c1 = stride * np.tile(np.arange(out_w), out_h)
    rows = r0[:, None] + r1[None, :]
    cols = c0[:, None] + c1[None, :]
    chan = np.repeat(np.arange(C), HH * WW)[:, None]
    return chan, rows, cols


def conv_forward_im2col(x, w, b, conv_param):
    pad, stride = conv_param['pad'], conv_param['stride']
    N, C, H, W = x.shape
    F, _, HH, WW = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)), mode='constant')
    idx = get_im2col_indices(x.shape, HH, WW, pad, stride)
    cols = xp[:, idx[0], idx[1], idx[2]]                 # N, C*HH*WW, L
    out = w.reshape(F, -1) @ cols + b.reshape(1, F, 1)
    out_h = (H + 2 * pad - HH) // stride + 1
    cache = (x, w, b, conv_param, cols, idx)
    return out.reshape(N, F, out_h, -1), cache


def conv_backward_im2col(dout, cache):
    x, w, b, conv_param, cols, idx = cache
    pad = conv_param['pad']
    N, C, H, W = x.shape
    F = w.shape[0]
    d = dout.reshape(N, F, -1)
    db = d.sum(axis=(0, 2))
    dw = np.matmul(d, cols.transpose(0, 2, 1)).sum(axis=0).reshape(w.shape)
    dcols = w.reshape(F, -1).T @ d
    dxp = np.zeros((N, C, H + 2 * pad, W + 2 * pad), dtype=cols.dtype)
    np.add.at(dxp, (slice(None), idx[0], idx[1], idx[2]), dcols)
    dx = dxp[:, :, pad:pad + H, pad:pad + W]
    return dx, dw, db
