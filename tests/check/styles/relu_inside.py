import numpy as np
class ConvLayer:
    def __init__(self, in_channels, num_filters, kernel_size=3, padding=1):
        self.W=np.random.randn(num_filters,in_channels,kernel_size,kernel_size); self.b=np.zeros((num_filters,1)); self.pad=padding; self.k=kernel_size
    def forward(self,X):
        self.X=X; p=self.pad
        Xp=np.pad(X,((0,0),(0,0),(p,p),(p,p))); self.Xp=Xp
        v=np.lib.stride_tricks.sliding_window_view(Xp,(self.k,self.k),(2,3))
        self.Z=np.einsum('nchwij,kcij->nkhw',v,self.W)+self.b.reshape(1,-1,1,1)
        self.A=np.maximum(self.Z,0)
        return self.A
    def backward(self,dA):
        dZ=dA*(self.Z>0); p=self.pad
        v=np.lib.stride_tricks.sliding_window_view(self.Xp,(self.k,self.k),(2,3))
        self.dW=np.einsum('nchwij,nkhw->kcij',v,dZ); self.db=dZ.sum(axis=(0,2,3)).reshape(-1,1)
        q=self.k-1
        d=np.pad(dZ,((0,0),(0,0),(q,q),(q,q)))
        v=np.lib.stride_tricks.sliding_window_view(d,(self.k,self.k),(2,3))
        dx=np.einsum('nkhwij,kcij->nchw',v,self.W[:,:,::-1,::-1])
        return dx[:,:,p:dx.shape[2]-p,p:dx.shape[3]-p]
