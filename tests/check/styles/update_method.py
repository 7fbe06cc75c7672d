import numpy as np
class ConvolutionalLayer():
    def __init__(self, input_size, kernel_size, num_kernels):
        self.c,self.h,self.w=input_size
        self.k=kernel_size; self.n=num_kernels
        self.kernels=np.random.randn(num_kernels,self.c,kernel_size,kernel_size)
        self.biases=np.zeros(num_kernels)
        self.dkernels=np.zeros_like(self.kernels); self.dbiases=np.zeros_like(self.biases)
    def feedforward(self, a):
        self.a=a
        oh,ow=self.h-self.k+1,self.w-self.k+1
        z=np.zeros((self.n,oh,ow))
        for f in range(self.n):
            for i in range(oh):
                for j in range(ow):
                    z[f,i,j]=np.sum(a[:,i:i+self.k,j:j+self.k]*self.kernels[f])+self.biases[f]
        return z
    def backpropagate(self, delta):
        self.delta=delta
        prev=np.zeros_like(self.a)
        self.dkernels=np.zeros_like(self.kernels)
        for f in range(self.n):
            for i in range(delta.shape[1]):
                for j in range(delta.shape[2]):
                    prev[:,i:i+self.k,j:j+self.k]+=delta[f,i,j]*self.kernels[f]
                    self.dkernels[f]+=delta[f,i,j]*self.a[:,i:i+self.k,j:j+self.k]
        self.dbiases=delta.sum(axis=(1,2))
        return prev
    def update(self, lr):
        self.kernels-=lr*self.dkernels
