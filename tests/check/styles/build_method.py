import numpy as np
class Layer:
    def __init__(self): self.input=None
class Conv2D(Layer):
    def __init__(self, filters, kernel_size=(3,3), strides=(1,1), padding='valid', activation='linear', input_shape=None, use_bias=True, name=None):
        super().__init__()
        self.filters=filters; self.kernel_size=kernel_size; self.strides=strides; self.padding=padding
        if input_shape is not None: self.build(input_shape)
    def build(self, input_shape):
        h,w,c=input_shape
        self.weights=np.random.randn(self.kernel_size[0],self.kernel_size[1],c,self.filters)
        self.biases=np.zeros(self.filters)
    def forward(self, x):
        self.x=x; kh,kw=self.kernel_size; sh,sw=self.strides
        oh=(x.shape[1]-kh)//sh+1; ow=(x.shape[2]-kw)//sw+1
        out=np.zeros((x.shape[0],oh,ow,self.filters))
        for i in range(oh):
            for j in range(ow):
                out[:,i,j]=np.tensordot(x[:,i*sh:i*sh+kh,j*sw:j*sw+kw],self.weights,3)+self.biases
        return out
    def backward(self, grad, lr=0.01):
        kh,kw=self.kernel_size; sh,sw=self.strides
        dx=np.zeros_like(self.x); dw=np.zeros_like(self.weights)
        for i in range(grad.shape[1]):
            for j in range(grad.shape[2]):
                dw+=np.einsum('nabc,nk->abck',self.x[:,i*sh:i*sh+kh,j*sw:j*sw+kw],grad[:,i,j])
                dx[:,i*sh:i*sh+kh,j*sw:j*sw+kw]+=np.einsum('nk,abck->nabc',grad[:,i,j],self.weights)
        self.weights-=lr*dw; self.biases-=lr*grad.sum((0,1,2))
        return dx
