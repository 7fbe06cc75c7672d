import numpy as np
class Conv3dLayer:
    def __init__(self, input_shape, num_kernels, kernel_size, lr=0.01):
        self.channels, self.depth, self.height, self.width = input_shape
        self.kernel_size=kernel_size; self.lr=lr
        self.kernels=np.random.randn(num_kernels,self.channels,*[kernel_size]*3); 
        k=kernel_size
        self.out_shape=(num_kernels,self.depth-k+1,self.height-k+1,self.width-k+1)
        self.biases=np.zeros(self.out_shape)
    def forward(self,volume):
        self.volume=volume; k=self.kernel_size
        out=np.copy(self.biases)
        for f in range(out.shape[0]):
            for d in range(out.shape[1]):
                for h in range(out.shape[2]):
                    for w in range(out.shape[3]):
                        out[f,d,h,w]+=np.sum(volume[:,d:d+k,h:h+k,w:w+k]*self.kernels[f])
        return out
    def backward(self,grad):
        k=self.kernel_size; dk=np.zeros_like(self.kernels); dv=np.zeros_like(self.volume)
        for f in range(grad.shape[0]):
            for d in range(grad.shape[1]):
                for h in range(grad.shape[2]):
                    for w in range(grad.shape[3]):
                        dk[f]+=grad[f,d,h,w]*self.volume[:,d:d+k,h:h+k,w:w+k]
                        dv[:,d:d+k,h:h+k,w:w+k]+=grad[f,d,h,w]*self.kernels[f]
        self.kernels-=self.lr*dk; self.biases-=self.lr*grad
        return dv
