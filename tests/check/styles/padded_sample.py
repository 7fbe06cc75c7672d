import numpy as np
class Conv(object):
    def __init__(self, input_shape, num_filters, filter_shape, stride=1, padding=0, learning_rate=0.1, activation=None):
        self.in_c=input_shape[0]; self.weights=np.random.rand(num_filters,input_shape[0],filter_shape[0],filter_shape[1]); self.bias=np.zeros((num_filters,1,1)); self.s=stride; self.p=padding; self.lr=learning_rate
    def forward(self, inp):
        self.inp=np.pad(inp,((0,0),(self.p,)*2,(self.p,)*2)); k,c,f,g=self.weights.shape
        v=np.lib.stride_tricks.sliding_window_view(self.inp,(f,g),(1,2))[:,::self.s,::self.s]
        return np.einsum('chwij,kcij->khw',v,self.weights)+self.bias
    def backward(self, dout):
        k,c,f,g=self.weights.shape; s=self.s
        v=np.lib.stride_tricks.sliding_window_view(self.inp,(f,g),(1,2))[:,::s,::s]
        dW=np.einsum('chwij,khw->kcij',v,dout)
        dx=np.zeros_like(self.inp)
        for i in range(dout.shape[1]):
            for j in range(dout.shape[2]):
                dx[:,i*s:i*s+f,j*s:j*s+g]+=np.einsum('k,kcij->cij',dout[:,i,j],self.weights)
        self.weights-=self.lr*dW; self.bias-=self.lr*dout.sum((1,2),keepdims=True)
        return dx[:,self.p:-self.p,self.p:-self.p] if self.p else dx
