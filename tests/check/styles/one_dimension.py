import numpy as np
class Conv1d:
    def __init__(self, in_channel, out_channel, kernel_size, stride):
        self.stride=stride; self.k=kernel_size
        self.W=np.random.randn(out_channel,in_channel,kernel_size); self.b=np.zeros(out_channel)
        self.dW=np.zeros_like(self.W); self.db=np.zeros_like(self.b)
    def __call__(self,x): return self.forward(x)
    def forward(self, x):
        self.x=x; n,c,l=x.shape; o=(l-self.k)//self.stride+1
        out=np.zeros((n,self.W.shape[0],o))
        for i in range(o):
            out[:,:,i]=np.tensordot(x[:,:,i*self.stride:i*self.stride+self.k],self.W,axes=([1,2],[1,2]))+self.b
        return out
    def backward(self, delta):
        dx=np.zeros_like(self.x)
        self.dW=np.zeros_like(self.W)
        for i in range(delta.shape[2]):
            s=i*self.stride
            self.dW+=np.tensordot(delta[:,:,i],self.x[:,:,s:s+self.k],axes=([0],[0]))
            dx[:,:,s:s+self.k]+=np.tensordot(delta[:,:,i],self.W,axes=([1],[0]))
        self.db=delta.sum(axis=(0,2))
        return dx
