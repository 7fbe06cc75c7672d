import numpy as np
class Conv():
    def __init__(self, nb_filters, filter_size, nb_channels, stride=1, padding=0):
        self.n_F = nb_filters; self.f = filter_size; self.n_C = nb_channels; self.s = stride; self.p = padding
        bound = 1/np.sqrt(self.f*self.f)
        self.W = {'val': np.random.uniform(-bound, bound, size=(self.n_F, self.n_C, self.f, self.f)), 'grad': np.zeros((self.n_F, self.n_C, self.f, self.f))}
        self.b = {'val': np.random.uniform(-bound, bound, size=(self.n_F)), 'grad': np.zeros((self.n_F))}
        self.cache = None
    def forward(self, X):
        self.cache = X
        m, n_C_prev, n_H_prev, n_W_prev = X.shape
        n_H = int((n_H_prev + 2*self.p - self.f)/self.s)+1
        n_W = int((n_W_prev + 2*self.p - self.f)/self.s)+1
        Xp=np.pad(X,((0,0),(0,0),(self.p,)*2,(self.p,)*2))
        out=np.zeros((m,self.n_F,n_H,n_W))
        for i in range(n_H):
            for j in range(n_W):
                out[:,:,i,j]=np.tensordot(Xp[:,:,i*self.s:i*self.s+self.f,j*self.s:j*self.s+self.f],self.W['val'],axes=([1,2,3],[1,2,3]))+self.b['val']
        return out
    def backward(self, dout):
        X=self.cache; p,s,f=self.p,self.s,self.f
        Xp=np.pad(X,((0,0),(0,0),(p,)*2,(p,)*2)); dXp=np.zeros_like(Xp)
        self.W['grad']=np.zeros_like(self.W['val'])
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                self.W['grad']+=np.tensordot(dout[:,:,i,j],Xp[:,:,i*s:i*s+f,j*s:j*s+f],axes=(0,0))
                dXp[:,:,i*s:i*s+f,j*s:j*s+f]+=np.tensordot(dout[:,:,i,j],self.W['val'],axes=(1,0))
        self.b['grad']=dout.sum((0,2,3))
        dX=dXp[:,:,p:-p,p:-p] if p else dXp
        return dX, self.W['grad'], self.b['grad']
