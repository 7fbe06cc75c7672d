import numpy as np
class Conv2d_stride1:
    def __init__(self, in_channels, out_channels, kernel_size, weight_init_fn=None, bias_init_fn=None):
        self.in_channels=in_channels; self.out_channels=out_channels; self.kernel_size=kernel_size
        if weight_init_fn is None:
            self.W=np.random.normal(0,1.0,(out_channels,in_channels,kernel_size,kernel_size))
        else: self.W=weight_init_fn(out_channels,in_channels,kernel_size,kernel_size)
        if bias_init_fn is None: self.b=np.zeros(out_channels)
        else: self.b=bias_init_fn(out_channels)
        self.dLdW=np.zeros(self.W.shape); self.dLdb=np.zeros(self.b.shape)
    def forward(self, A):
        self.A=A; k=self.kernel_size
        oh=A.shape[2]-k+1; ow=A.shape[3]-k+1
        Z=np.zeros((A.shape[0],self.out_channels,oh,ow))
        for i in range(oh):
            for j in range(ow):
                Z[:,:,i,j]=np.tensordot(A[:,:,i:i+k,j:j+k],self.W,axes=([1,2,3],[1,2,3]))+self.b
        return Z
    def backward(self, dLdZ):
        k=self.kernel_size
        self.dLdW=np.zeros(self.W.shape)
        for i in range(k):
            for j in range(k):
                self.dLdW[:,:,i,j]=np.tensordot(dLdZ,self.A[:,:,i:i+dLdZ.shape[2],j:j+dLdZ.shape[3]],axes=([0,2,3],[0,2,3]))
        self.dLdb=np.sum(dLdZ,axis=(0,2,3))
        pad=np.pad(dLdZ,((0,0),(0,0),(k-1,k-1),(k-1,k-1)))
        Wf=np.flip(self.W,axis=(2,3))
        dLdA=np.zeros(self.A.shape)
        for i in range(dLdA.shape[2]):
            for j in range(dLdA.shape[3]):
                dLdA[:,:,i,j]=np.tensordot(pad[:,:,i:i+k,j:j+k],Wf,axes=([1,2,3],[0,2,3]))
        return dLdA
class Upsample2d:
    def __init__(self, f): self.f=f
    def forward(self,A): return A
    def backward(self,d): return d
class Conv2d:
    def __init__(self, in_channels, out_channels, kernel_size, stride, padding=0, weight_init_fn=None, bias_init_fn=None):
        self.stride=stride; self.pad=padding
        self.conv2d_stride1=Conv2d_stride1(in_channels,out_channels,kernel_size)
    def forward(self, A):
        p=self.pad; self.Ap=np.pad(A,((0,0),(0,0),(p,p),(p,p)))
        Z=self.conv2d_stride1.forward(self.Ap); self.shape=Z.shape
        return Z[:,:,::self.stride,::self.stride]
    def backward(self, dLdZ):
        full=np.zeros(self.shape); full[:,:,::self.stride,::self.stride]=dLdZ
        d=self.conv2d_stride1.backward(full); p=self.pad
        return d[:,:,p:d.shape[2]-p,p:d.shape[3]-p]
