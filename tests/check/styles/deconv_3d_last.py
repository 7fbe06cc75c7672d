import numpy as np
class Deconv3D:
    """channels last, kernel (kd, kh, kw, out, in)"""
    def __init__(self, in_channels, out_channels, kernel=(2,2,2), strides=(2,2,2)):
        self.kernel=kernel; self.strides=strides
        self.W=np.random.randn(*kernel,out_channels,in_channels)*.1; self.b=np.zeros(out_channels)
    def forward(self,x):
        self.x=x; n,d,h,w,_=x.shape; sd,sh,sw=self.strides; kd,kh,kw=self.kernel
        y=np.zeros((n,(d-1)*sd+kd,(h-1)*sh+kh,(w-1)*sw+kw,self.W.shape[3]))
        for i in range(kd):
            for j in range(kh):
                for k in range(kw):
                    y[:,i:i+sd*d:sd,j:j+sh*h:sh,k:k+sw*w:sw]+=np.einsum('ndhwc,fc->ndhwf',x,self.W[i,j,k])
        return y+self.b
    def backward(self,dy):
        n,d,h,w,_=self.x.shape; sd,sh,sw=self.strides; kd,kh,kw=self.kernel
        dx=np.zeros_like(self.x); self.dW=np.zeros_like(self.W); self.db=dy.sum((0,1,2,3))
        for i in range(kd):
            for j in range(kh):
                for k in range(kw):
                    part=dy[:,i:i+sd*d:sd,j:j+sh*h:sh,k:k+sw*w:sw]
                    dx+=np.einsum('ndhwf,fc->ndhwc',part,self.W[i,j,k])
                    self.dW[i,j,k]=np.einsum('ndhwf,ndhwc->fc',part,self.x)
        return dx
