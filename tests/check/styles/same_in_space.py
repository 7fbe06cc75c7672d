import numpy as np
class Conv3D:
    def __init__(self, filters, kernel_size, input_channels, strides=(1,1,1), padding='valid'):
        self.kernel_size = kernel_size; self.strides = strides; self.padding = padding
        self.kernel = np.random.randn(*kernel_size, input_channels, filters); self.bias = np.zeros(filters)
    def _pads(self, shape):
        if self.padding == 'valid': return [(0,0)]*3
        out=[]
        for n,k,s in zip(shape, self.kernel_size, self.strides):
            t=max((-(-n//s)-1)*s+k-n,0); out.append((t//2,t-t//2))
        return out
    def forward(self, x):
        self.x=x; self.p=self._pads(x.shape[1:4])
        self.xp=np.pad(x,[(0,0),*self.p,(0,0)])
        sd,sh,sw=self.strides
        v=np.lib.stride_tricks.sliding_window_view(self.xp,self.kernel_size,(1,2,3))[:,::sd,::sh,::sw]
        self.v=v
        return np.einsum('ndhwcijk,ijkcf->ndhwf',v,self.kernel)+self.bias
    def backward(self, grad):
        self.grad_kernel=np.einsum('ndhwcijk,ndhwf->ijkcf',self.v,grad); self.grad_bias=grad.sum((0,1,2,3))
        sd,sh,sw=self.strides; _,D,H,W,_=grad.shape
        dxp=np.zeros_like(self.xp)
        for i in range(self.kernel_size[0]):
            for j in range(self.kernel_size[1]):
                for k in range(self.kernel_size[2]):
                    dxp[:,i:i+sd*D:sd,j:j+sh*H:sh,k:k+sw*W:sw]+=grad@self.kernel[i,j,k].T
        (a,_),(b,_),(c,_)=self.p
        _,d,h,w,_=self.x.shape
        return dxp[:,a:a+d,b:b+h,c:c+w]
