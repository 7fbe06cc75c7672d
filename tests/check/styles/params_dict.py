import numpy as np
def conv_forward(X, params, stride=1, pad=0):
    W,b=params['W'],params['b']
    Xp=np.pad(X,((0,0),(pad,pad),(pad,pad),(0,0)))
    n,h,w,c=Xp.shape; kh,kw,_,k=W.shape
    oh=(h-kh)//stride+1; ow=(w-kw)//stride+1
    Z=np.zeros((n,oh,ow,k))
    for i in range(oh):
        for j in range(ow):
            Z[:,i,j]=np.tensordot(Xp[:,i*stride:i*stride+kh,j*stride:j*stride+kw],W,3)+b
    return Z
def conv_backward(dZ, X, params, stride=1, pad=0):
    W=params['W']; Xp=np.pad(X,((0,0),(pad,pad),(pad,pad),(0,0)))
    dXp=np.zeros_like(Xp); dW=np.zeros_like(W); kh,kw=W.shape[:2]
    for i in range(dZ.shape[1]):
        for j in range(dZ.shape[2]):
            dW+=np.tensordot(Xp[:,i*stride:i*stride+kh,j*stride:j*stride+kw],dZ[:,i,j],((0,),(0,)))
            dXp[:,i*stride:i*stride+kh,j*stride:j*stride+kw]+=np.tensordot(dZ[:,i,j],W,((1,),(3,)))
    grads={'dW':dW,'db':dZ.sum((0,1,2))}
    return dXp[:,pad:pad+X.shape[1],pad:pad+X.shape[2]], grads
