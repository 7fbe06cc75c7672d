import numpy as np
class Filter:
    def __init__(self, depth, size):
        self.weights=np.random.randn(depth,size,size); self.bias=0.0
        self.weights_grad=np.zeros_like(self.weights); self.bias_grad=0.0
class ConvLayer:
    def __init__(self, input_width, input_height, channel_number, filter_width, filter_height, filter_number, zero_padding, stride, learning_rate=0.01):
        self.iw=input_width; self.ih=input_height; self.c=channel_number; self.fw=filter_width; self.fh=filter_height
        self.n=filter_number; self.p=zero_padding; self.s=stride
        self.ow=(input_width-filter_width+2*zero_padding)//stride+1; self.oh=(input_height-filter_height+2*zero_padding)//stride+1
        self.filters=[Filter(channel_number,filter_width) for _ in range(filter_number)]
    def forward(self, x):
        self.x=np.pad(x,((0,0),(self.p,self.p),(self.p,self.p)))
        self.out=np.zeros((self.n,self.oh,self.ow))
        for f in range(self.n):
            for i in range(self.oh):
                for j in range(self.ow):
                    a,b=i*self.s,j*self.s
                    self.out[f,i,j]=np.sum(self.x[:,a:a+self.fh,b:b+self.fw]*self.filters[f].weights)+self.filters[f].bias
        return self.out
    def backward(self, d):
        dx=np.zeros_like(self.x)
        for f in range(self.n):
            F=self.filters[f]; F.weights_grad=np.zeros_like(F.weights); F.bias_grad=d[f].sum()
            for i in range(self.oh):
                for j in range(self.ow):
                    a,b=i*self.s,j*self.s
                    dx[:,a:a+self.fh,b:b+self.fw]+=d[f,i,j]*F.weights
                    F.weights_grad+=d[f,i,j]*self.x[:,a:a+self.fh,b:b+self.fw]
        p=self.p
        return dx[:,p:dx.shape[1]-p,p:dx.shape[2]-p]
