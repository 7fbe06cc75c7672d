import numpy as np
np.random.seed(0)
class Conv:
    def __init__(self, filter_num=8, filter_size=3, lr=0.01):
        self.f=filter_num; self.k=filter_size; self.lr=lr
        self.W=np.random.randn(filter_num,filter_size,filter_size)
    def forward(self, x):
        self.x=x; n,h,w=x.shape
        out=np.zeros((n,h-self.k+1,w-self.k+1,self.f))
        for b in range(n):
            for i in range(h-self.k+1):
                for j in range(w-self.k+1):
                    out[b,i,j]=np.sum(x[b,i:i+self.k,j:j+self.k]*self.W,axis=(1,2))
        return out
    def backward(self, dout):
        dW=np.zeros_like(self.W)
        n,h,w,f=dout.shape
        for b in range(n):
            for i in range(h):
                for j in range(w):
                    for q in range(f):
                        dW[q]+=dout[b,i,j,q]*self.x[b,i:i+self.k,j:j+self.k]
        self.W-=self.lr*dW/n
