import numpy as np
from .layers import LayerBase
from .utils import ActivationInitializer
class Conv2D(LayerBase):
    def __init__(self, out_ch, kernel_shape, pad=0, stride=1, act_fn=None, init="glorot_uniform", optimizer=None):
        super().__init__(optimizer)
        self.pad=pad; self.stride=stride; self.out_ch=out_ch; self.kernel_shape=kernel_shape
        self.parameters={"W":None,"b":None}; self.gradients={}; self.X=[]; self.is_initialized=False
    def _init(self):
        fr,fc=self.kernel_shape
        self.parameters["W"]=np.random.randn(fr,fc,self.in_ch,self.out_ch); self.parameters["b"]=np.zeros((1,1,1,self.out_ch))
        self.gradients={"W":np.zeros_like(self.parameters["W"]),"b":np.zeros_like(self.parameters["b"])}
        self.is_initialized=True
    def forward(self, X, retain_derived=True):
        if not self.is_initialized:
            self.in_ch=X.shape[3]; self._init()
        W,b=self.parameters["W"],self.parameters["b"]
        p,s=self.pad,self.stride
        xp=np.pad(X,((0,0),(p,p),(p,p),(0,0)))
        fr,fc=self.kernel_shape
        oh=(xp.shape[1]-fr)//s+1; ow=(xp.shape[2]-fc)//s+1
        Y=np.zeros((X.shape[0],oh,ow,self.out_ch))
        for i in range(oh):
            for j in range(ow):
                Y[:,i,j]=np.tensordot(xp[:,i*s:i*s+fr,j*s:j*s+fc],W,3)
        Y+=b
        if retain_derived: self.X.append(X)
        return Y
    def backward(self, dLdY, retain_grads=True):
        if not isinstance(dLdY,list): dLdY=[dLdY]
        dX=[]
        for dy,x in zip(dLdY,self.X):
            dx,dw,db=self._bwd(dy,x); dX.append(dx)
            if retain_grads:
                self.gradients["W"]+=dw; self.gradients["b"]+=db
        return dX[0] if len(self.X)==1 else dX
    def _bwd(self,dy,x):
        W=self.parameters["W"]; p,s=self.pad,self.stride; fr,fc=self.kernel_shape
        xp=np.pad(x,((0,0),(p,p),(p,p),(0,0))); dxp=np.zeros_like(xp); dW=np.zeros_like(W)
        for i in range(dy.shape[1]):
            for j in range(dy.shape[2]):
                dW+=np.tensordot(xp[:,i*s:i*s+fr,j*s:j*s+fc],dy[:,i,j],((0,),(0,)))
                dxp[:,i*s:i*s+fr,j*s:j*s+fc]+=np.tensordot(dy[:,i,j],W,((1,),(3,)))
        n,h,w,c=x.shape
        return dxp[:,p:p+h,p:p+w],dW,dy.sum(axis=(0,1,2)).reshape(1,1,1,-1)
    def flush_gradients(self):
        self.X=[]
        for k in self.gradients: self.gradients[k]=np.zeros_like(self.gradients[k])
